"""The charts of a forecast: what warning costs, what a handful of clips is enough for, and how the cue is answered."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from validation.drawing import BLUE, COLUMN_IN, GREY, INK, QUIET, SERIES, canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABELLED = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Thresholds that are written beside their point."""


def draw_operating(
    curves: Mapping[str, Sequence[Mapping[str, Any]]], at: float, blind: Mapping[str, Mapping[str, Any]]
) -> "Figure":
    """Balanced accuracy at every threshold over what it costs: false warnings per hour, and the share of time in warning.

    The threshold in use is filled, what looks at no film is a cross. Where warnings run together they become fewer and
    longer, so neither cost tells without the other.
    """
    with canvas(COLUMN_IN, 3.6, ncols=2, sharey=True) as (figure, panels):
        for axes, (cost, label) in zip(panels, COSTS.items(), strict=True):
            axes.axhline(0.5, color=QUIET, lw=0.8, ls=":")
            for (name, points), color in zip(curves.items(), (BLUE, *SERIES[1:]), strict=False):
                _curve(axes, cost, name, points, at, color)
            for (name, block), color in zip(blind.items(), (INK, GREY, SERIES[2]), strict=True):
                axes.plot(
                    block[cost]["estimate"],
                    block["balanced_accuracy"]["estimate"],
                    "x",
                    color=color,
                    ms=7,
                    mew=1.6,
                    label=name,
                )
            axes.set_xlabel(label)
        panels[0].set_ylabel("balanced accuracy")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower left", ncols=2)
    return figure


COSTS = {
    "false_warnings_per_h": "false warnings per hour of answered film",
    "time_in_warning": "share of time in warning",
}


def draw_dose(document: Mapping[str, Any]) -> "Figure":
    """Balanced accuracy over the strength of the cue, one line per method, with intervals; chance dotted."""
    points = document["points"]
    names = list(points[0]["methods"])
    with canvas(COLUMN_IN, 3.4) as (figure, axes):
        axes.axhline(0.5, color=INK, lw=0.9, ls=":")
        for number, (name, color) in enumerate(zip(names, SERIES, strict=False)):
            shift = 0.012 * (number - (len(names) - 1) / 2) * max(p["cue"] for p in points)
            own = [(p["cue"] + shift, p["methods"][name]) for p in points if name in p["methods"]]
            axes.plot([x for x, _ in own], [f["estimate"] for _, f in own], color=color, marker="o", ms=5, label=name)
            for x, found in own:
                _interval(axes, x, found, color)
        axes.set_xticks([p["cue"] for p in points])
        axes.set(xlabel="strength of the cue before a seizure (0: none)", ylabel="balanced accuracy")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=2)
    return figure


def draw_shots(document: Mapping[str, Any]) -> "Figure":
    """Balanced accuracy of each method over the number of shots, with intervals over patients and tasks."""
    with canvas(COLUMN_IN, 3.8) as (figure, axes):
        axes.axhline(0.5, color=INK, lw=0.9, ls=":")
        methods, shots = document["methods"], sorted({int(k) for own in document["methods"].values() for k in own})
        for number, (name, own) in enumerate(methods.items()):
            color = SERIES[number % len(SERIES)]
            style = "o" if all(f["enough_tasks"] for f in own.values()) else "D"
            for k, found in own.items():
                x = int(k) + 0.09 * (number - (len(methods) - 1) / 2)
                axes.plot(x, found["balanced_accuracy"]["estimate"], style, color=color, ms=5,
                          mfc=color if style == "o" else "white", label=name if int(k) == shots[0] else None)  # fmt: skip
                _interval(axes, x, found["balanced_accuracy"], color)
        axes.set_xticks(shots)
        axes.grid(axis="x", visible=False)
        axes.set(xlabel="clips of each class to learn from", ylabel="balanced accuracy")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=2)
    return figure


def _curve(axes: "Axes", cost: str, name: str, points: Sequence[Mapping[str, Any]], at: float, color: str) -> None:
    known = [p for p in points if p["balanced_accuracy"] is not None and p[cost] is not None]
    axes.plot(
        [p[cost] for p in known],
        [p["balanced_accuracy"] for p in known],
        color=color,
        marker="o",
        ms=3.5,
        mfc="white",
        label=name,
    )
    for p in known:
        place = (p[cost], p["balanced_accuracy"])
        if abs(p["threshold"] - at) < 1e-9:
            axes.plot(*place, "o", color=color, ms=7)
        if p["threshold"] in LABELLED:
            axes.annotate(f"{p['threshold']:g}", place, (4, 4), textcoords="offset points", color=color, fontsize=7.5)


def _interval(axes: "Axes", x: float, found: Mapping[str, Any], color: str) -> None:
    if found["low"] is not None and found["high"] is not None:
        axes.plot([x, x], [found["low"], found["high"]], color=color, lw=1.4)
