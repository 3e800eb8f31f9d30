"""Pages: verdict first, nothing loaded from elsewhere, readable by everybody, the same bytes for the same findings."""

import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from jinja2 import UndefinedError
from playwright.sync_api import Browser

from tests.browsers import a_browser, needs_chromium  # noqa: F401
from validation.drawing import COLUMN_IN, COLUMN_STRETCH, canvas
from validation.pages import (
    SIMULATED,
    Figure,
    Heading,
    Headline,
    Links,
    Section,
    Table,
    column_figure,
    figure_svg,
    render_page,
    write_page,
)
from validation.traces import Excerpt, draw_excerpt, scale_uv, thinned

VOID = {"meta", "br", "hr", "img", "link", "input", "path", "use", "rect", "image"}


class Reader(HTMLParser):
    """Tags as they open and close, with what a browser would have to fetch."""

    def __init__(self, html: str):
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.wrong: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID and (not self.open or self.open.pop() != tag):
            self.wrong.append(tag)

    def all(self, name: str, key: str = "") -> list:
        return [attrs.get(key) if key else attrs for tag, attrs in self.tags if tag == name]


def drawing(height: float = 1.0):
    with canvas(3, 2) as (figure, axes):
        axes.plot([0, 1, 2], [0, height, 0.5], "o-", label="EEG")
        axes.legend()
    return figure


def page(**context) -> str:
    return render_page("report", **({"title": "Findings"} | context))


WHOLE = {
    "headline": Headline("fail", "Two gates failed.", ("floor: 12 patients",)),
    "simulated": True,
    "facts": {"Patients": 24, "Coverage": None},
    "provenance": {"dataset": "ab" * 32},
    "made_at": "2026-11-21 05:00 UTC",
}


@pytest.fixture(scope="module")
def whole() -> str:
    table = Table("Sites", ("Site", "AUC"), [("north", 0.91), ("south", None)], "95 % intervals", ("fail", ""))
    figure = Figure(figure_svg(drawing(), "a curve"), "A curve.")
    parts = (
        "Why this is so.",
        table,
        figure,
        Figure(figure_svg(drawing(2.0), "another"), "Another."),
        Links({"Site": "site-1.html"}),
    )
    return page(**WHOLE, sections=(Section("Sites", parts), Section("More", ()), Section("Last", ())))


def test_a_page_is_well_formed_and_has_one_title(whole):
    reader = Reader(whole)
    assert (reader.wrong, reader.open) == ([], []) and len(reader.all("h1")) == 1
    assert reader.all("html", "lang") == ["en"] and whole.startswith("<!doctype html>")


def test_a_page_fetches_nothing_and_runs_nothing(whole):
    reader = Reader(whole)
    assert not reader.all("script") and not reader.all("link") and not reader.all("iframe")
    fetched = [a[k] for _, a in reader.tags for k in ("src", "href", "xlink:href", "action") if a.get(k)]
    assert [f for f in fetched if not f.startswith(("#", "data:"))] == ["site-1.html"]
    assert "@import" not in whole and not re.search(r"url\((?!#)", whole)
    policy = next(a["content"] for a in reader.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none';") and "script-src" not in policy and "http" not in policy


def test_the_verdict_stands_before_everything_else(whole):
    body = whole[whole.index("<main") :]
    assert body.index("Two gates failed.") < min(body.index(x) for x in ("<table", "<svg", "<dl", "<nav"))
    assert "Not passed" in body


def test_everything_on_a_page_can_be_reached_and_is_named(whole):
    reader = Reader(whole)
    ids = [a["id"] for _, a in reader.tags if a.get("id")]
    assert len(ids) == len(set(ids))
    assert {h[1:] for h in reader.all("a", "href") if h.startswith("#")} <= set(ids)
    assert {a["aria-labelledby"] for a in reader.all("section")} <= set(ids)
    assert len(reader.all("caption")) == len(reader.all("table")) == 1
    assert all(scope in ("col", "row") for scope in reader.all("th", "scope"))
    assert all(a["role"] == "img" and a["aria-label"] for a in reader.all("svg"))


def test_simulated_figures_say_so_and_others_do_not(whole):
    assert SIMULATED in whole and SIMULATED not in page(**(WHOLE | {"simulated": False}))


def test_what_a_site_wrote_is_shown_and_never_run():
    wrote = "<script>alert(1)</script>"
    html = page(
        title=wrote, sections=(Section(wrote, (wrote, Table(wrote, (wrote,), [(wrote,)]))),), provenance={wrote: wrote}
    )
    assert "<script" not in html and html.count("&lt;script&gt;") >= 6


def test_a_missing_value_reads_not_evaluable_and_an_empty_table_none(whole):
    assert whole.count("not evaluable") == 2
    assert "none" in page(sections=(Section("Empty", (Table("Nothing", ("A", "B"), []),)),))


def test_columns_of_numbers_are_known_as_such():
    rows = [("a", 1, "0.83 (0.71 to 0.90)", "≤ 5"), ("b", None, "98\n(92 to 100)", "text")]
    assert Table("", ("", "", "", ""), rows).numeric == (False, True, True, False)


def test_the_provenance_of_the_figures_stands_in_the_footer(whole):
    assert "ab" * 32 in whole[whole.index("<footer") :] and "2026-11-21 05:00 UTC" in whole


def test_a_template_that_asks_for_what_nobody_gave_fails(tmp_path, monkeypatch):
    (tmp_path / "otherpages" / "templates").mkdir(parents=True)
    (tmp_path / "otherpages" / "__init__.py").write_text("")
    child = '{% extends "base.html.j2" %}{% block main %}<p>{{ finding }}</p>{% endblock %}'
    (tmp_path / "otherpages" / "templates" / "odd.html.j2").write_text(child)
    monkeypatch.syspath_prepend(tmp_path)
    assert "<p>seen</p>" in render_page("odd", title="Odd", templates="otherpages", finding="seen")
    with pytest.raises(UndefinedError, match="finding"):
        render_page("odd", title="Odd", templates="otherpages")


@pytest.mark.parametrize(
    "address", ["https://elsewhere.org/x", "//elsewhere.org", "../up.html", "/root.html", "javascript:x"]
)
def test_a_page_links_only_to_pages_beside_it(address):
    with pytest.raises(ValueError, match="beside it"):
        Links({"x": address})


def test_the_same_figure_gives_the_same_bytes_and_no_date():
    first, second = figure_svg(drawing(), "a curve"), figure_svg(drawing(), "a curve")
    assert (
        first == second and "<metadata" not in first and "<style" not in first and not re.search(r"20\d\d-\d\d", first)
    )


def test_what_a_drawing_says_of_itself_is_escaped():
    svg = figure_svg(drawing(), '"><b>')
    assert '"><b>' not in svg and 'aria-label="&#34;&gt;&lt;b&gt;"' in svg


def test_a_chart_of_one_column_is_never_pushed_sideways_and_a_wide_one_may_be():
    """A phone is about 360 px wide: a chart that keeps a least width there makes the reader scroll."""
    with canvas(COLUMN_IN, 2) as (figure, axes):
        axes.plot([0, 1])
    column = column_figure(figure, "a column", "A column.")
    assert column.beside and "min-width" not in column.svg
    assert f"max-width:{COLUMN_IN * 96 * COLUMN_STRETCH:.0f}px" in column.svg
    with canvas(10, 2) as (figure, axes):
        axes.plot([0, 1])
    assert "min-width:34rem" in figure_svg(figure, "wide")
    with canvas(7.2, 2) as (figure, axes):  # as traces are drawn
        axes.plot([0, 1])
    assert "min-width:34rem" in figure_svg(figure, "traces")


@needs_chromium
def test_on_a_phone_what_is_wider_than_the_page_says_that_it_can_be_moved(browser: Browser, tmp_path: Path) -> None:
    wide = Table("Wide", ("Gate", "Value", "Why"), (("floor", "0.7", "a long sentence that tells why " * 4),))
    narrow = Table("Narrow", ("Gate", "Value"), (("floor", "0.7"),))
    with canvas(7.2, 2) as (figure, axes):
        axes.plot([0, 1])
    drawn = Figure(figure_svg(figure, "traces"), "Traces.")
    (tmp_path / "page.html").write_text(page(sections=(Section("All", (wide, narrow, drawn)),)))
    phone = browser.new_page(viewport={"width": 390, "height": 800})
    phone.goto((tmp_path / "page.html").as_uri())
    told = phone.evaluate(
        """() => [...document.querySelectorAll(".scroll")].map((box) => [box.scrollWidth > box.clientWidth,
        getComputedStyle(box, "::before").content.includes("move it sideways")])"""
    )
    assert told == [[True, True], [False, False], [True, True]]


def test_a_heading_inside_a_section_and_files_beside_the_page_are_shown():
    html = page(sections=(Section("Cases", (Heading("Missed"),)),), beside=Links({"as data": "findings.json"}))
    assert "<h3>Missed</h3>" in html and '<a href="findings.json">as data</a>' in html


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        ("#1d2733", "#ffffff"), ("#55616e", "#ffffff"), ("#55616e", "#f5f7f9"), ("#0b5c9e", "#ffffff"),
        ("#cfe0f2", "#12355b"), ("#e6eff8", "#12355b"), ("#4a3800", "#fff3cf"), ("#005c45", "#eef8f2"),
        ("#9c1f18", "#fdf1ef"), ("#7a4f00", "#fff8e5"),
    ],
)  # fmt: skip
def test_text_contrasts_with_its_ground_by_4_5_to_1(whole, ink, paper):
    """WCAG 2.2, 1.4.3; the colours are those of the style sheet."""
    lighter, darker = sorted((luminance(ink), luminance(paper)), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5
    assert ink in whole and (paper in whole or paper == "#ffffff")


def test_a_page_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "reports" / "page.html"
    write_page(path, "first µV")
    assert path.read_text(encoding="utf-8") == "first µV" and path.stat().st_mode & 0o777 == 0o644
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_page(path, "second")
    assert path.read_text() and [p.name for p in path.parent.iterdir()] == ["page.html"]


TRACES = Excerpt(
    "sub-004: a seizure that was missed", ("Fp2-F4", "F4-C4"), np.random.default_rng(0).normal(0, 20, (2, 1280)), 128.0,
    100.0, np.full(10, 0.2), [(103.0, 108.0)], [(90.0, 101.0)], 0.5,
)  # fmt: skip


@given(arrays(float, st.integers(1, 4000), elements=st.floats(-500, 500)))
@settings(max_examples=40, deadline=None)
def test_thinning_a_trace_keeps_every_peak(signal):
    positions, values = thinned(signal, points=200)
    whole = (
        len(signal)
        if len(values) == len(signal)
        else len(signal) // max(1, -(-2 * len(signal) // 200)) * max(1, -(-2 * len(signal) // 200))
    )
    assert (values.min(), values.max()) == (signal[:whole].min(), signal[:whole].max())
    assert len(values) <= max(200, min(len(signal), 400)) and np.all(np.diff(positions) >= 0)


def test_traces_stand_apart_by_a_round_number_of_microvolts():
    rng = np.random.default_rng(0)
    assert scale_uv(rng.normal(0, 20, (4, 1000))) == 100.0
    assert scale_uv(np.zeros((2, 10))) == 20.0 and scale_uv(np.full((2, 10), np.nan)) == 20.0


def test_an_excerpt_shades_what_was_marked_and_what_was_detected_inside_it():
    figure = draw_excerpt(TRACES)
    spans = [(p.get_x(), p.get_x() + p.get_width()) for p in figure.axes[0].patches]
    assert spans == [(103.0, 108.0), (100.0, 101.0)]
    assert figure.axes[0].get_yticklabels()[0].get_text() == "Fp2-F4"


def test_an_excerpt_with_missing_samples_is_drawn():
    gap = TRACES.signal.copy()
    gap[:, 300:900] = np.nan
    assert "svg" in figure_svg(draw_excerpt(replace(TRACES, signal=gap, trend=np.full(10, np.nan))), "gap")


def test_every_section_has_its_own_place_whatever_it_is_called():
    headings = ("Sites", "Sites", "Sites 2", "Sites!", "Verdict", "Provenance", "κ", "Δ")
    html = page(**WHOLE, sections=tuple(Section(heading, ()) for heading in headings))
    places, links = re.findall(r' id="([^"]+)"', html), re.findall(r'<li><a href="#([^"]+)"', html)
    assert len(places) == len(set(places)) and set(links) <= set(places) and len(links) == len(headings)
    assert links[:2] == ["sites", "sites-2"] and links[4:6] == ["verdict-2", "provenance-2"]
