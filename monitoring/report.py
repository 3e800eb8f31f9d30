"""The page about sites: which one changed, what, since when, how sure we are, and what to do about it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from monitoring.answers_section import answer_sections
from monitoring.causes import Cause, named
from monitoring.features import KNOWN
from monitoring.findings import BUDGET, NOT_ENOUGH, DriftReport, Shift, SiteDrift
from monitoring.persistence import AMONG, NEEDED, Persistence, persistence
from validation.drawing import INK, QUIET, SERIES, canvas
from validation.pages import Cell, Figure, Headline, Links, Section, Table, figure_svg, render_page

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Plot


def summary_page(
    history: Sequence[DriftReport],
    links: Mapping[str, str] | None = None,
    *,
    answers: Mapping[str, Any] | None = None,
    uncompared: Mapping[str, str] | None = None,
    simulated: bool,
    provenance: Mapping[str, str] | None = None,
    made_at: str = "",
) -> str:
    """HTML about the last report of `history` (oldest first, one at least); earlier ones tell since when an alarm
    lasts.

    `links`: site and period → address of its Evidently page, relative to this page. `answers`: what sites were answered, and
    what readers and experts say of it (`ictal.answers/1`). `uncompared`: sites that were compared with nothing, and why.
    """
    now = history[-1]
    lasting = {site.site: persistence(history, site.site) for site in now.sites}
    causes = {site.site: named(site) for site in now.sites}
    alarmed = [site for site in now.sites if site.state == "alarm"]
    return render_page(
        "report",
        kind="Drift across sites",
        title=f"Sites in {now.period}" if now.period else "Sites",
        lead="Compared patient by patient with what the detector was made on. A patient is one value, however long.",
        simulated=simulated,
        headline=headline(now, lasting, causes, uncompared or {}),
        sections=(
            _overview(now, lasting, causes),
            *(_changed(site, causes[site.site]) for site in alarmed),
            *_periods(history),
            *(answer_sections(answers) if answers is not None else ()),
            _features(now),
            _rule(now, links or {}),
        ),
        provenance=provenance or {},
        made_at=made_at,
    )


def headline(
    report: DriftReport,
    lasting: Mapping[str, Persistence],
    causes: Mapping[str, tuple[Cause, ...]],
    uncompared: Mapping[str, str],
) -> Headline:
    """Which sites changed, each with its likely cause, since when, and whether it is confirmed; and which were not judged."""
    untested = [s.site for s in report.sites if s.state == NOT_ENOUGH]
    few = (f"Not enough data to judge: {', '.join(untested)}.",) if untested else ()
    missing = (*few, *(f"{site} is not compared: {why}." for site, why in uncompared.items()))
    if report.alarmed:
        reasons = tuple(_told(site, lasting[site], causes[site]) for site in report.alarmed)
        sentence = f"{_of(len(report.alarmed), len(report.sites))} changed: {', '.join(report.alarmed)}."
        return Headline("fail", sentence, reasons + missing, "Alarm")
    if len(untested) == len(report.sites):
        return Headline("unsure", "No site has enough data to be judged.", missing, "Not enough data")
    steady = len(report.sites) - len(untested)
    return Headline("pass", f"No change was found at {steady} {'site' if steady == 1 else 'sites'}.", missing, "Steady")


def _of(changed: int, sites: int) -> str:
    return f"{changed} of {sites} sites {'has' if changed == 1 else 'have'}"


def _told(site: str, lasting: Persistence, causes: tuple[Cause, ...]) -> str:
    since = f"since {lasting.since}, " if lasting.since else ""
    return f"{site}: {'; '.join(c.name for c in causes) or 'no single cause'} ({since}{lasting.told})."


def _overview(
    report: DriftReport, lasting: Mapping[str, Persistence], causes: Mapping[str, tuple[Cause, ...]]
) -> Section:
    columns = ("Site", "State", "Likely cause", "Since", "Confirmed", "Patients", "Compared with")
    rows = [_row(site, lasting[site.site], causes[site.site]) for site in report.sites]
    marks = tuple({"alarm": "fail", NOT_ENOUGH: "unsure"}.get(site.state, "") for site in report.sites)
    missed = tuple(f"{site.site}: {site.power}" for site in report.sites)
    return Section("All sites", (Table("What became of each site", columns, rows, marks=marks), *missed))


def _row(site: SiteDrift, lasting: Persistence, causes: tuple[Cause, ...]) -> tuple[Cell, ...]:
    alarm = site.state == "alarm"
    confirmed = ("yes" if lasting.confirmed else "not yet") if alarm else "–"
    cause = "; ".join(c.name for c in causes) or ("no single cause" if alarm else "–")
    against = f"{site.against} ({site.reference_patients} patients)"
    return site.site, site.state, cause, lasting.since or "–", confirmed, site.patients, against


PERIODS = 8
"""Periods that are shown side by side."""


def _periods(history: Sequence[DriftReport]) -> list[Section]:
    """How each site stood in the last periods, side by side; nothing where there was one only."""
    shown = history[-PERIODS:]
    if len(shown) < 2:
        return []
    sites = sorted({site.site for report in shown for site in report.sites})
    rows = [(name, *(_state(report, name) for report in shown)) for name in sites]
    columns = ("Site", *(report.period for report in shown))
    return [Section("Period by period", (Table("How each site stood", columns, rows),))]


def _state(report: DriftReport, name: str) -> str:
    found = next((site for site in report.sites if site.site == name), None)
    if found is None:
        return "nothing came"
    causes = "; ".join(cause.name for cause in named(found))
    return f"{found.state}: {causes}" if causes else found.state


def _changed(site: SiteDrift, causes: tuple[Cause, ...]) -> Section:
    told = [(c.name, c.evidence, c.advice) for c in causes]
    shifts = sorted(site.alarms, key=lambda s: -abs(s.effect_sd))
    rows = [(s.feature, *_described(s)) for s in shifts]
    columns = ("Feature", "What it is", "Effect, SD", "q")
    return Section(
        f"{site.site}: what changed and what to do",
        (
            Table("Likely causes, for people to check", ("Cause", "Evidence", "What to do first"), told),
            *(breach.sentence for breach in site.breaches),
            *((Table("Features that shifted", columns, rows),) if rows else ()),
        ),
    )


def _described(shift: Shift) -> tuple[Cell, ...]:
    feature = KNOWN.get(shift.feature)
    meaning = f"{feature.meaning} [{feature.unit}]" if feature else ""
    return meaning, f"{shift.effect_sd:+.2f}", f"{shift.q:.3f}" if shift.q >= 0.001 else "< 0.001"


def _features(report: DriftReport) -> Section:
    if not any(site.shifts for site in report.sites):
        return Section("All features", ("No site had enough patients for a comparison.",))
    svg = figure_svg(draw_effects(report), "Effect of every feature at every site, in standard deviations")
    caption = (
        "Difference to the reference in SD between reference patients. Filled: an alarm. Between the dashed lines a "
        "difference is too small to matter here, however certain it is."
    )
    return Section("All features", (Figure(svg, caption),))


def draw_effects(report: DriftReport) -> "Plot":
    """One row per feature, one colour per site; effects in SD, alarms filled."""
    features, tested = report.settings.features, [s for s in report.sites if s.shifts]
    with canvas(10.4, 1.2 + 0.26 * len(features)) as (figure, axes):
        for n, site in enumerate(tested):
            color, offset = SERIES[n % len(SERIES)], 0.16 * (n - (len(tested) - 1) / 2)
            known = [s for s in site.shifts if np.isfinite(s.effect_sd)]
            for chosen, face in (([s for s in known if s.alarm], color), ([s for s in known if not s.alarm], "white")):
                places = [features.index(s.feature) + offset for s in chosen]
                axes.plot([s.effect_sd for s in chosen], places, "o", ms=6, color=color, markerfacecolor=face)
            axes.plot([], [], "o", ms=6, color=color, label=site.site)
        for limit in (-report.settings.effect_floor, report.settings.effect_floor):
            axes.axvline(limit, color=QUIET, lw=0.8, ls="--")
        axes.axvline(0, color=INK, lw=0.8)
        axes.set_yticks(range(len(features)), features)
        axes.set_ylim(len(features) - 0.5, -0.5)
        axes.set_xlabel("effect, SD between reference patients")
        figure.legend(loc="outside upper left", ncols=6)
    return figure


def _rule(report: DriftReport, links: Mapping[str, str]) -> Section:
    settings = report.settings
    told = (
        f"An alarm needs q < {settings.q:g} over the features of a site (p-values from exchanging whole patients) and an "
        f"effect of at least {settings.effect_floor:g} SD, or a broken rule of acquisition (rate, mains, channels, "
        f"amplitude, missing values, recordings that the checks refuse). Of a site's periods without any change at most {100 * BUDGET:g} % may raise an alarm. "
        f"Sites with fewer than {settings.min_patients} patients are not tested. A shift is confirmed when it returns in "
        f"{NEEDED} of {AMONG} periods, a broken rule at once; only what is confirmed may set a retraining going. Causes are "
        "guesses from the pattern."
    )
    shown = (Links({f"{site} (Evidently)": address for site, address in links.items()}),) if links else ()
    return Section("How this was decided", (told, *shown))
