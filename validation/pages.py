"""The one way Ictal shows its findings: a page that says its verdict first, needs no network and prints well.

Every report of every package is made of the same parts (`Section`, `Figure`, `Table`) in the same base template, so
that a reader who knows one page knows all. Pages hold no scripts and load nothing: one file can be kept as evidence.
"""

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Plot

State = Literal["pass", "fail", "unsure"]
Cell = str | int | float | None

SIMULATED = "Simulated data: these figures speak about the simulator, not about patients."

_BESIDE = re.compile(r"(?!/)(?!.*\.\.)[\w./-]+")

_DEFAULTS: dict[str, Any] = {
    "kind": "Report", "lead": "", "simulated": False, "headline": None, "facts": {}, "beside": None,
    "sections": (), "provenance": {}, "made_at": "", "simulated_sentence": SIMULATED,
}  # fmt: skip


@dataclass(frozen=True)
class Headline:
    """What the reader must know first: `state` colours the box, the sentence says it, reasons say why.

    `label` replaces the word above the sentence (“Passed”, “Not passed”, “Not certain”).
    """

    state: State
    sentence: str
    reasons: tuple[str, ...] = ()
    label: str = ""


@dataclass(frozen=True)
class Figure:
    """A drawing from `figure_svg`, with the caption that says what is seen in it; `beside` it where there is room."""

    svg: Markup
    caption: str
    beside: bool = False
    kind: str = "figure"


@dataclass(frozen=True)
class Heading:
    """A heading inside a section."""

    text: str
    kind: str = "heading"


@dataclass(frozen=True)
class Table:
    """Rows under named columns. A missing value is shown as “not evaluable”; columns of numbers align right.

    `marks` colours whole rows by state, one entry per row ("" for none); the words in the row carry the meaning.
    """

    caption: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    marks: tuple[str, ...] = ()
    kind: str = "table"

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Which columns hold nothing but numbers, percentages and intervals."""
        cells = list(zip(*self.rows, strict=True)) if self.rows else [()] * len(self.columns)
        return tuple(bool(column) and all(_is_number(c) for c in column) for column in cells)

    @property
    def marked_rows(self) -> list[tuple[str, Sequence[Cell]]]:
        """(state, row) of every row; ValueError where there are marks, but not one for each row."""
        return list(zip(self.marks or [""] * len(self.rows), self.rows, strict=True))


@dataclass(frozen=True)
class Links:
    """Other pages of the same folder, as text and relative address; anything else is refused."""

    items: Mapping[str, str]
    kind: str = "links"

    def __post_init__(self) -> None:
        outside = [address for address in self.items.values() if not _BESIDE.fullmatch(address)]
        if outside:
            raise ValueError(f"a page links only to pages beside it, got {outside[0]!r}")


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it: sentences (`str`), figures, tables and links, in reading order."""

    heading: str
    parts: tuple[str | Heading | Figure | Table | Links, ...]


def anchored(sections: Sequence[Section]) -> list[tuple[str, Section]]:
    """Each section after its place in the page's address: a–z, digits and hyphens, another one for each.

    None is a place that every page has (`main`, `verdict`, `provenance`).
    """
    placed: dict[str, Section | None] = dict.fromkeys(("main", "verdict", "provenance"))
    for section in sections:
        plain = re.sub(r"[^a-z0-9]+", "-", section.heading.lower()).strip("-") or "section"
        places = (plain, *(f"{plain}-{number}" for number in range(2, len(placed) + 2)))
        placed[next(place for place in places if place not in placed)] = section
    return [(place, section) for place, section in placed.items() if section is not None]


def render_page(template: str, *, title: str, templates: str | None = None, **context: Any) -> str:
    """HTML of `templates/<template>.html.j2`; all values are escaped.

    Context that the base template knows, all optional: `kind` (the small line above the title), `lead`, `simulated`,
    `headline` (`Headline`), `facts` (name → value, under the title), `beside` (text → address of pages and files in
    the same folder), `sections`, `provenance` (name → digest), `made_at`. `templates` names another package whose `templates` folder is searched first. A name that a template
    uses and nobody gave is an error, never an empty space.
    """
    page = _environment(templates).get_template(f"{template}.html.j2")
    html = page.render({**_DEFAULTS, **context, "title": title})
    return re.sub(r"(?<=[\d)]) %", "\u00a0%", html)  # a line must not break between a number and its per cent sign


def column_figure(plot: "Plot", alt: str, caption: str) -> Figure:
    """A chart of one column's width (`drawing.COLUMN_IN`), its caption beside it where there is room."""
    from validation.drawing import COLUMN_STRETCH

    return Figure(figure_svg(plot, alt, COLUMN_STRETCH), caption, beside=True)


def figure_svg(plot: "Plot", alt: str, stretch: float = 1.0) -> Markup:
    """A Matplotlib figure as inline SVG, byte-identical for identical figures; `alt` is read out by screen readers.

    It is shown at most `stretch` times its own size.
    """
    from validation.drawing import svg_text

    return Markup(svg_text(plot, alt, stretch))


def write_page(path: Path, html: str) -> None:
    """Write a page whole or not at all: a reader never sees half of one, and a failed write leaves the old page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(html)
        Path(name).chmod(0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@lru_cache
def _environment(package: str | None) -> Environment:
    from jinja2 import ChoiceLoader

    ours = PackageLoader("validation")
    loader = ChoiceLoader([PackageLoader(package), ours]) if package else ours
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["cell"] = show
    environment.filters["anchored"] = anchored
    return environment


def show(value: Cell) -> str:
    """How a value is written in a table: three significant digits, thousands apart, “not evaluable” for none."""
    if value is None or (isinstance(value, float) and value != value):
        return "not evaluable"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def interval(low: float | None, high: float | None, digits: int = 2) -> str:
    """A confidence interval as text, “0.71 to 0.90”; empty when there is none."""
    if low is None or high is None or low != low or high != high:
        return ""
    return f"{low:z.{digits}f} to {high:z.{digits}f}"


def short(digest: str) -> str:
    """The first 12 signs of a digest, enough to recognise it."""
    return digest[:12]


_NUMBER = re.compile(r"[-+−–±<>≤≥≈ ]*[\d.,]+\s*(%|µV|s|h|Hz|/h|/day|SD)?((\s*(to|\(|–|of)\s*[-−\d.,]+\s*%?\)?)*)?")


def _is_number(value: Cell) -> bool:
    if value is None or isinstance(value, int | float):
        return True
    return value in ("", "not evaluable", "–") or _NUMBER.fullmatch(value) is not None
