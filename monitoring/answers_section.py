"""The part of the page about sites that speaks of answers: how many, how sure, how right, and whether that was foreseen."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from monitoring.performance import ENOUGH
from validation.drawing import BLUE, ORANGE, QUIET, canvas
from validation.pages import Cell, Figure, Section, Table, figure_svg, show

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Plot

WEEKS = 8
"""Weeks that the tables show; all that are looked at stand in answers.json."""

Row = Mapping[str, Any]


def answer_sections(answers: Mapping[str, Any]) -> tuple[Section, ...]:
    """Traffic, performance by verdicts and labels, and the track record of estimates (`ictal.answers/1`)."""
    rows, looked = _recent(answers["weeks"]), f"{datetime.fromisoformat(answers['until']):%Y-%m-%d %H:%M} UTC"
    if not rows:
        told = f"No site had been answered in the 13 weeks before {looked}, when this was looked at."
        return (Section("Answers", (told, "`ictal drift` looks again.")),)
    return (
        Section("Answers", (f"Looked at on {looked}.", _traffic(rows))),
        Section("Right or wrong", _performance(rows)),
        _track_record(rows),
    )


def _recent(rows: Sequence[Row]) -> list[Row]:
    weeks = sorted({row["week"] for row in rows})[-WEEKS:]
    return sorted(
        (row for row in rows if row["week"] in weeks), key=lambda row: (row["week"], row["site"]), reverse=True
    )


def _traffic(rows: Sequence[Row]) -> Table:
    columns = (
        "Week", "Site", "Answers", "Hours", "Alarms per 24 h", "Not evaluable", "With abstentions", "Coverage", "Decided share",
        "Mean p",
    )  # fmt: skip
    told = [
        (
            row["week"], row["site"], row["answers"], f"{row['assessed_hours']:.1f}", _number(row["alarms_per_24h"]),
            _share(row["not_evaluable"]), _share(row["abstained"]), _percent(row["coverage"]), _percent(row["decided"]),
            _number(row["mean_probability"]),
        )
        for row in rows
    ]  # fmt: skip
    note = (
        "Alarms are detections per 24 h that could be assessed, right or wrong. Coverage: share of the recorded time that "
        "was assessed. Decided share: of that, in which the model commits itself. With abstentions: share of answers with "
        "stretches in which it does not, or that were not assessed. Mean p: mean seizure probability."
    )
    return Table("How sites were answered", columns, told, note)


def _performance(rows: Sequence[Row]) -> tuple[str | Table, ...]:
    known = [row for row in rows if row["measured"]["recordings"]]
    if not known:
        return ("No reader has given a verdict on these answers, and no label of their recordings has arrived.",)
    columns = ("Week", "Site", "Judged", "How", "Sensitivity", "False alarms per 24 h", "Precision", "ECE", "Brier")
    return (Table("By verdicts and labels", columns, [_performance_row(row) for row in known], _HOW),)


_HOW = (
    "Confirming makes an answer's events the truth, editing gives it; of a rejected answer each alarm is false and what was "
    "missed is unknown, so that it counts for precision alone. A label that arrived replaces verdicts. Readers choose what "
    "they judge: figures speak of those recordings. Intervals (95 %) redraw recordings, as the service is not told who was "
    "recorded."
)


def _performance_row(row: Row) -> tuple[Cell, ...]:
    found = row["measured"]
    by = found["by"]
    figures = [
        _figure_of(found.get(name)) for name in ("sensitivity", "false_alarms_per_24h", "precision", "ece", "brier")
    ]
    judged = f"{found['recordings']} of {row['recordings']}"
    how = ", ".join(f"{count} {_WORDS[source]}" for source, count in by.items() if count)
    return row["week"], row["site"], judged, how, *figures


_WORDS = {"confirm": "confirmed", "edit": "edited", "reject": "rejected", "label": "labelled"}


def _track_record(rows: Sequence[Row]) -> Section:
    both = [row for row in rows if row["reconciled"]]
    told = (
        "Before anybody has judged an answer, its own probabilities say what to expect: of the seconds that it calls a "
        "seizure, their mean probability are one. The ledger holds each estimate's digest from before the truth came. Both "
        "are of the same recordings and count seconds."
    )
    if not both:
        return Section("Estimated before, measured since", (told, _waiting(rows)))
    columns = ("Week", "Site", "Recordings", "Figure", "Estimated", "Measured", "Estimate inside the interval")
    lines = [
        (
            row["week"], row["site"], f"{r['recordings']} of {r['of']}", name, _number(r["estimated"][name]),
            _figure_of(r["measured"][name]), {True: "yes", False: "no", None: "not evaluable"}[r["kept"][name]],
        )
        for row in both
        for r in [row["reconciled"]]
        for name in ("precision", "sensitivity")
    ]  # fmt: skip
    marks = tuple({"yes": "pass", "no": "fail"}.get(str(line[-1]), "unsure") for line in lines)
    table = Table("Track record of estimates", columns, lines, marks=marks)
    kept = [line[-1] for line in lines if line[-1] != "not evaluable"]
    counted = (
        f"{kept.count('yes')} of {len(kept)} estimates that can be judged lay inside the interval of what was measured."
    )
    if len(kept) < len(lines):
        counted += f" Fewer than {ENOUGH} recordings of a week and site decide nothing."
    figure = (_drawn(both),)
    return Section("Estimated before, measured since", (told, counted, *figure, table))


def _waiting(rows: Sequence[Row]) -> str:
    waiting = sum(row["estimated"]["answers"] for row in rows)
    return f"{waiting} answers were estimated and wait for a verdict or a label."


def _drawn(rows: Sequence[Row]) -> Figure:
    svg = figure_svg(draw_track_record(rows), "Estimated and measured precision and sensitivity by week and site")
    return Figure(svg, "Whiskers: measured, with its 95 % interval. Crosses: what had been estimated before.")


def draw_track_record(rows: Sequence[Row]) -> "Plot":
    """One row per week and site; precision and sensitivity of seconds, measured and as estimated before."""
    with canvas(7.6, 1.2 + 0.42 * len(rows)) as (figure, axes):
        for place, row in enumerate(rows):
            for offset, color, name in ((-0.14, BLUE, "precision"), (0.14, ORANGE, "sensitivity")):
                told, truth = row["reconciled"]["estimated"][name], row["reconciled"]["measured"][name]
                if truth is not None and truth["low"] is not None:
                    axes.plot([truth["low"], truth["high"]], [place + offset] * 2, color=color, lw=2)
                if truth is not None:
                    axes.plot([truth["estimate"]], [place + offset], "o", ms=6, color=color)
                if told is not None:
                    axes.plot([told], [place + offset], "x", ms=8, color=color, mew=2)
        for color, name in ((BLUE, "precision"), (ORANGE, "sensitivity")):
            axes.plot([], [], "o", color=color, label=f"{name}, measured")
        axes.plot([], [], "x", color=QUIET, label="estimated before")
        axes.set_yticks(range(len(rows)), [f"{row['site']}, {row['week']}" for row in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlim(-0.02, 1.02)
        axes.set_xlabel("share of seconds")
        figure.legend(loc="outside upper left", ncols=3)
    return figure


def _share(share: Mapping[str, Any]) -> str:
    return "–" if share["share"] is None else f"{share['count']} ({100 * share['share']:.0f} %)"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"


def _number(value: float | None) -> str:
    return "–" if value is None else show(value)


def _figure_of(interval: Mapping[str, Any] | None) -> str:
    if interval is None or interval["estimate"] is None:
        return "–"
    between = "" if interval["low"] is None else f" ({_short(interval['low'])} to {_short(interval['high'])})"
    return f"{_short(interval['estimate'])}{between}"


def _short(value: float) -> str:
    """Two digits behind the point are what such intervals bear."""
    return f"{value:.2f}" if abs(value) < 10 else f"{value:,.0f}"
