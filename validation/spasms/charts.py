"""How many spasms are found at how many false alarms per hour, and the same patient by patient."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from validation.charts import site_colors
from validation.drawing import BLUE, COLUMN_IN, GREY, INK, SERIES, canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TICKS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500)

Curve = Sequence[Mapping[str, Any]]


def draw_spasm_curve(curves: Mapping[str, Curve], points: Mapping[str, Mapping[str, Any]], most: float) -> "Figure":
    """The most spasms found at no more than so many false alarms per hour, of each detector; `most`: the axis's end.

    `points`: where the threshold of inner patients lies.
    """
    with canvas(COLUMN_IN, 4.2) as (figure, axes):
        for color, (name, curve) in zip(SERIES, curves.items(), strict=False):
            known = [p for p in curve if p["spasms_found"] is not None and p["false_alarms_per_hour"] is not None]
            points_of = sorted((p["false_alarms_per_hour"], p["spasms_found"]) for p in known) or [(0.0, 0.0)]
            x, y = np.array(points_of).T
            style = "-" if color == BLUE else "--"
            axes.step(x, np.maximum.accumulate(y), where="post", color=color, ls=style, label=name)
            if name in points:
                _mark(axes, points[name], color)
        axes.set_xscale("symlog", linthresh=1.0, linscale=0.8)
        shown = [t for t in TICKS if t <= most]
        axes.set_xticks(shown, [f"{t:g}" for t in shown])
        axes.minorticks_off()
        axes.set(xlim=(-0.05, most), ylim=(-0.02, 1.02))
        axes.set(xlabel="false alarms per hour", ylabel="spasms found (share)")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=2)
    return figure


def draw_spasm_patients(patients: Sequence[Mapping[str, Any]]) -> "Figure":
    """Every patient as a dot, sorted: share of spasms found, and false alarms per hour; the colour is the site."""
    colors = site_colors(str(p["site"]) for p in patients)
    found = sorted((p["spasms_found"] / p["spasms"], str(p["site"])) for p in patients if p["spasms"])
    alarmed = [(p["false_alarms_per_hour"], str(p["site"])) for p in patients]
    false = sorted(own for own in alarmed if own[0] is not None)
    with canvas(COLUMN_IN, 3.1, ncols=2) as (figure, axes):
        for place, dots, label in zip(axes, (found, false), ("spasms found (share)", "false alarms / h"), strict=True):
            for site, color in colors.items():
                own = [(n, value) for n, (value, at) in enumerate(dots) if at == site]
                place.plot([n for n, _ in own], [v for _, v in own], "o", ms=5, alpha=0.8, color=color, label=site)
            place.set(ylabel=label, xlabel="patients, sorted")
            place.set_xticks([])
        axes[0].set_ylim(-0.03, 1.03)
        if colors:
            figure.legend(*axes[1].get_legend_handles_labels(), loc="outside lower left", ncols=3)
    return figure


def _mark(axes: Any, point: Mapping[str, Any], color: str) -> None:
    """The point of inner patients' threshold, with its intervals over patients across and up."""
    found, false = point["spasms_found"], point["false_alarms_per_hour"]
    if found["estimate"] is None or false["estimate"] is None:
        return
    for measured, along in ((false, True), (found, False)):
        if measured["low"] is not None:
            ends = [measured["low"], measured["high"]]
            across, up = (ends, [found["estimate"]] * 2) if along else ([false["estimate"]] * 2, ends)
            axes.plot(across, up, color=color if color != GREY else INK, lw=1, alpha=0.7)
    axes.plot(false["estimate"], found["estimate"], "o", color=color, ms=6)
