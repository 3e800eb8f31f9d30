"""The charts of an evaluation: the operating curve beside yardsticks, every patient as a dot, calibration."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from validation.drawing import GREY, INK, QUIET, SERIES, canvas
from validation.reading import Reading

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

YARDSTICKS = (
    ("three experts, pairwise", (0.4, 1.0), (0.72, 0.85)),
    ("a commercial system", (1.0, 1.0), (0.78, 0.78)),
    ("best open model, hidden data", (1.3, 1.3), (0.37, 0.37)),
)
"""Read in the literature: name, false alarms per 24 h (from, to), event sensitivity (from, to); adults, other data."""


def draw_operating_curve(readings: Mapping[str, Reading]) -> "Figure":
    """Event sensitivity over false alarms per 24 h of each detector (patients apart), with the literature's yardsticks."""
    with canvas(10.4, 4.6) as (figure, axes):
        for n, (color, (name, reading)) in enumerate(zip(SERIES, readings.items(), strict=False)):
            _operating(axes, name, reading, color, beside=1 + 0.05 * n)
        _yardsticks(axes)
        _unresolved(axes, list(readings.values()))
        axes.set_xscale("symlog", linthresh=1.0, linscale=0.8)
        ticks = [0, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000]
        last = max([20.0, *(float(p["alarms_per_24h"]) for r in readings.values() for p in r.curve)])
        axes.set_xticks([t for t in ticks if t <= last * 1.5], [f"{t:g}" for t in ticks if t <= last * 1.5])
        axes.minorticks_off()
        axes.set(
            xlim=(-0.05, last * 1.15),
            ylim=(-0.02, 1.02),
            xlabel="false alarms per 24 h",
            ylabel="seizures found (share)",
        )
        axes.legend(loc="lower right")
    return figure


def draw_patients(reading: Reading) -> "Figure":
    """Every patient as a dot, sorted: AUC, sensitivity and false alarms per hour; the colour is the site."""
    panels = (("auc", "AUC"), ("sensitivity", "seizures found (share)"), ("false_per_hour", "false alarms per hour"))
    sites = sorted({str(p["site"]) for p in reading.patients})
    colors = site_colors(sites)
    with canvas(10.4, 3.4, ncols=3) as (figure, axes):
        for place, (measure, label) in zip(axes, panels, strict=True):
            _strip(place, reading.patients, measure, label, colors)
        handles, labels = axes[2].get_legend_handles_labels()
        if handles:
            figure.legend(handles, labels, loc="outside upper left", ncols=len(sites), title="site", title_fontsize=8)
    return figure


def draw_calibration(reading: Reading) -> "Figure":
    """Stated against seen probability, over all and by site, with the seconds behind each point below."""
    with canvas(7.4, 5.0, nrows=2, sharex=True, height_ratios=[3.2, 1]) as (figure, (curve, count)):
        curve.plot([0, 1], [0, 1], color=QUIET, lw=0.8, ls=":", label="perfect")
        colors = site_colors(reading.calibration_by_site)
        for site, points in reading.calibration_by_site.items():
            curve.plot(*_seen(points), color=colors[site], lw=0.9, marker=".", ms=4, alpha=0.8, label=site)
        curve.plot(*_seen(reading.calibration), color=INK, lw=2, marker="o", ms=5, label="all")
        curve.set(ylabel="seizure, share of seconds", ylim=(-0.02, 1.02), xlim=(0, 1))
        curve.legend(loc="upper left")
        edges = [(p["from"] + p["to"]) / 2 for p in reading.calibration]
        count.bar(edges, [max(p["seconds"], 0) for p in reading.calibration], width=0.09, color=GREY)
        count.set_yscale("symlog", linthresh=10)
        count.set(xlabel="stated probability", ylabel="seconds")
    return figure


def site_colors(sites: Iterable[str]) -> dict[str, str]:
    """The colour of each site, the same in every chart of a page that shows the same sites."""
    names = sorted(sites)
    return {site: SERIES[n % len(SERIES)] for n, site in enumerate(names)}


def _operating(axes: "Axes", name: str, reading: Reading, color: str, beside: float) -> None:
    points = sorted((p["alarms_per_24h"], p["sensitivity"]) for p in reading.curve if p["sensitivity"] is not None)
    if not points:
        return
    x, y = np.array(points, dtype=float).T
    axes.step(x, np.maximum.accumulate(y), where="post", color=color, label=name)
    for point in reading.points:
        found = point["sensitivity"]
        if found["low"] is not None and found["estimate"] is not None:
            at = point["at_most_per_24h"] * beside  # intervals of two detectors would hide each other
            axes.plot([at, at], [found["low"], found["high"]], color=color, lw=1, alpha=0.7)
            axes.plot(at, found["estimate"], ".", color=color, ms=5)


def _yardsticks(axes: "Axes") -> None:
    for n, (name, alarms, found) in enumerate(YARDSTICKS):
        label = f"{name} ({'–'.join(f'{100 * f:.0f}' for f in dict.fromkeys(found))} %)"
        if alarms[0] < alarms[1]:
            axes.fill_between(alarms, *found, color=QUIET, alpha=0.25, lw=0, label=label)
        else:
            axes.plot(alarms[0], found[0], marker="sDv^"[n % 4], color=INK, ms=6, ls="none", label=label)


def _unresolved(axes: "Axes", readings: Sequence[Reading]) -> None:
    """Rates below one alarm in all of the recorded time cannot be told from zero."""
    limits = [r.one_alarm_is_per_24h for r in readings if r.one_alarm_is_per_24h]
    if limits:
        axes.axvspan(-0.05, max(limits), color="#f0f1f3", lw=0, zorder=0, label="less than one alarm in this cohort")


def _strip(
    axes: "Axes", patients: Sequence[Mapping[str, Any]], measure: str, label: str, colors: Mapping[str, str]
) -> None:
    known = sorted((p for p in patients if p.get(measure) is not None), key=lambda p: p[measure])
    for site, color in colors.items():
        at = [n for n, p in enumerate(known) if p["site"] == site]
        if at:
            axes.plot(at, [known[n][measure] for n in at], "o", ms=4.5, color=color, label=site)
        elif measure == "false_per_hour":
            axes.plot([], [], "o", ms=4.5, color=color, label=site)
    axes.set_title(f"{label}\n{len(known)} of {len(patients)} patients evaluable", fontsize=8.5, fontweight="normal")
    axes.set(xticks=[], xlabel="patients, sorted", xlim=(-0.8, max(len(known), 1) - 0.2))
    if measure != "false_per_hour":
        axes.set_ylim(-0.03, 1.03)
    else:
        axes.set_ylim(bottom=0)
    if measure == "auc":
        axes.axhline(0.5, color=QUIET, lw=0.8, ls=":")


def _seen(points: Sequence[Mapping[str, Any]]) -> tuple[list[float], list[float]]:
    known = [(p["stated"], p["seen"]) for p in points if p["stated"] is not None and p["seen"] is not None]
    return [x for x, _ in known], [y for _, y in known]
