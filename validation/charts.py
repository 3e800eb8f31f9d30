"""The charts of an evaluation: the operating curve beside yardsticks, every patient as a dot, calibration, burden."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from validation.drawing import BLUE, COLUMN_IN, GREY, INK, QUIET, SERIES, canvas
from validation.reading import Reading

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Yard = tuple[str, tuple[float, float], tuple[float, float]]
"""Something to measure by: name, false alarms per 24 h (from, to), event sensitivity 0–1 (from, to)."""

YARDSTICKS: tuple[Yard, ...] = (
    ("three experts, pairwise", (0.4, 1.0), (0.72, 0.85)),
    ("a commercial system", (1.0, 1.0), (0.78, 0.78)),
    ("best open model, hidden data", (1.3, 1.3), (0.37, 0.37)),
)
"""Read in the literature; adults, other data."""

TICKS = (0, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)


def draw_operating_curve(readings: Mapping[str, Reading], peers: Sequence[Yard] = ()) -> "Figure":
    """Event sensitivity over false alarms per 24 h of each detector (patients apart), with yardsticks beside it.

    `peers`: what other detectors reach on public data, beside the literature's yardsticks.
    """
    with canvas(COLUMN_IN, 4.9 + 0.12 * len(peers)) as (figure, axes):
        for n, (color, (name, reading)) in enumerate(zip(SERIES, readings.items(), strict=False)):
            _operating(axes, name, reading, color, beside=1 + 0.05 * n)
        _yardsticks(axes, YARDSTICKS, INK)
        _yardsticks(axes, peers, QUIET, hollow=True)
        _unresolved(axes, list(readings.values()))
        axes.set_xscale("symlog", linthresh=1.0, linscale=0.8)
        measured = [float(p["alarms_per_24h"]) for r in readings.values() for p in r.operating.get("curve", ())]
        last = max([20.0, *measured, *(alarms[1] for _, alarms, _ in peers)])
        shown = [t for t in TICKS if t <= last * 1.5]
        axes.set_xticks(shown, [f"{t:g}" for t in shown])
        axes.minorticks_off()
        axes.set(xlim=(-0.05, last * 1.15), ylim=(-0.02, 1.02))
        axes.set(xlabel="false alarms per 24 h", ylabel="seizures found (share)")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=2)
    return figure


def draw_patients(reading: Reading) -> "Figure":
    """Every patient as a dot, sorted: AUC, sensitivity and false alarms per 24 h; the colour is the site."""
    panels = (("auc", "AUC"), ("sensitivity", "seizures found"), ("alarms_per_24h", "false alarms / 24 h"))
    colors = site_colors(str(p["site"]) for p in reading.patients)
    with canvas(COLUMN_IN, 3.3, ncols=3) as (figure, axes):
        for place, (measure, label) in zip(axes, panels, strict=True):
            _strip(place, reading.patients, measure, label, colors)
        handles, labels = axes[2].get_legend_handles_labels()
        if handles:
            figure.legend(handles, labels, loc="outside lower left", ncols=2, title="site", title_fontsize=8)
    return figure


def draw_calibration(reading: Reading) -> "Figure":
    """Stated against seen probability, over all and by site, with the seconds behind each point below."""
    sites = {site: part.get("curve", ()) for site, part in reading.calibration.get("sites", {}).items()}
    points = reading.calibration.get("curve", ())
    with canvas(COLUMN_IN, 4.6, nrows=2, sharex=True, height_ratios=[3.2, 1]) as (figure, (curve, count)):
        curve.plot([0, 1], [0, 1], color=QUIET, lw=0.8, ls=":", label="perfect")
        colors = site_colors(sites)
        for site, own in sites.items():
            curve.plot(*_seen(own), color=colors[site], lw=0.9, marker=".", ms=4, alpha=0.8, label=site)
        curve.plot(*_seen(points), color=INK, lw=2, marker="o", ms=5, label="all")
        curve.set(ylabel="seizure, share of seconds", ylim=(-0.02, 1.02), xlim=(0, 1))
        figure.legend(*curve.get_legend_handles_labels(), loc="outside lower left", ncols=3)
        middles = [(p["from"] + p["to"]) / 2 for p in points]
        count.bar(middles, [max(p["seconds"], 0) for p in points], width=0.09, color=GREY)
        count.set_yscale("symlog", linthresh=10)
        count.set(xlabel="stated probability", ylabel="seconds")
    return figure


def draw_burden(reading: Reading) -> "Figure":
    """Seizure burden that was marked and that was detected, a dot per patient; the dotted line is agreement."""
    colors = site_colors(str(p["site"]) for p in reading.patients)
    with canvas(COLUMN_IN, 3.8) as (figure, axes):
        for site, color in colors.items():
            own = [p for p in reading.patients if p["site"] == site]
            known = [(p.get("burden_min_per_h"), p.get("detected_burden_min_per_h")) for p in own]
            pairs = [(x, y) for x, y in known if x is not None and y is not None]
            axes.plot([x for x, _ in pairs], [y for _, y in pairs], "o", ms=5, alpha=0.8, color=color, label=site)
        longest = max([1.0, *axes.get_xlim(), *axes.get_ylim()])
        axes.plot([0, longest], [0, longest], color=QUIET, lw=0.8, ls=":")
        axes.set(xlabel="marked, minutes per hour", ylabel="detected, minutes per hour")
        axes.set(xlim=(-0.02 * longest, longest), ylim=(-0.02 * longest, longest))
        if colors:
            figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=3)
    return figure


def site_colors(sites: Iterable[str]) -> dict[str, str]:
    """The colour of each site, the same in every chart of a page that shows the same sites."""
    names = sorted(set(sites))
    return {site: SERIES[n % len(SERIES)] for n, site in enumerate(names)}


def _operating(axes: "Axes", name: str, reading: Reading, color: str, beside: float) -> None:
    curve = reading.operating.get("curve", ())
    points = sorted((p["alarms_per_24h"], p["sensitivity"]) for p in curve if p["sensitivity"] is not None)
    if not points:
        return
    x, y = np.array(points, dtype=float).T
    style = "-" if color == BLUE else "--"  # told apart in black and white, too
    axes.step(x, np.maximum.accumulate(y), where="post", color=color, ls=style, label=name)
    for point in reading.operating.get("points", ()):
        found = point["sensitivity"]
        if found["low"] is not None and found["estimate"] is not None:
            at = point["at_most_per_24h"] * beside  # intervals of two detectors would hide each other
            axes.plot([at, at], [found["low"], found["high"]], color=color, lw=1, alpha=0.7)
            axes.plot(at, found["estimate"], ".", color=color, ms=5)


def _yardsticks(axes: "Axes", yards: Sequence[Yard], color: str, hollow: bool = False) -> None:
    for n, (name, alarms, found) in enumerate(yards):
        label = f"{name} ({'–'.join(f'{100 * f:.0f}' for f in dict.fromkeys(found))} %)"
        if alarms[0] < alarms[1]:
            axes.fill_between(alarms, *found, color=QUIET, alpha=0.25, lw=0, label=label)
        else:
            face = "white" if hollow else color
            axes.plot(alarms[0], found[0], "vsD^o<>"[n % 7], color=color, mfc=face, ms=6, ls="none", label=label)


def _unresolved(axes: "Axes", readings: Sequence[Reading]) -> None:
    """Rates below one alarm in all of the recorded time cannot be told from zero."""
    limits = [r.operating.get("one_alarm_is_per_24h") for r in readings]
    known = [limit for limit in limits if limit]
    if known:
        axes.axvspan(-0.05, max(known), color="#f0f1f3", lw=0, zorder=0, label="less than one alarm in this cohort")


def _strip(
    axes: "Axes", patients: Sequence[Mapping[str, Any]], measure: str, label: str, colors: Mapping[str, str]
) -> None:
    known = sorted((p for p in patients if p.get(measure) is not None), key=lambda p: p[measure])
    for site, color in colors.items():
        at = [n for n, p in enumerate(known) if p["site"] == site]
        axes.plot(at, [known[n][measure] for n in at], "o", ms=4.5, color=color, label=site)
    axes.set_title(f"{label}\n{len(known)} of {len(patients)} evaluable", fontsize=8.5, fontweight="normal")
    axes.set(xticks=[], xlabel="patients, sorted", xlim=(-0.8, max(len(known), 1) - 0.2))
    if measure == "alarms_per_24h":
        axes.set_ylim(bottom=0)
    else:
        axes.set_ylim(-0.03, 1.03)
    if measure == "auc":
        axes.axhline(0.5, color=QUIET, lw=0.8, ls=":")


def _seen(points: Sequence[Mapping[str, Any]]) -> tuple[list[float], list[float]]:
    known = [(p["stated"], p["seen"]) for p in points if p["stated"] is not None and p["seen"] is not None]
    return [x for x, _ in known], [y for _, y in known]
