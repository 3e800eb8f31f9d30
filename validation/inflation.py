"""What a split does to a figure: the same detector with patients apart and under leaky controls, in one picture."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from validation.drawing import BLUE, GREY, INK, ORANGE, PURPLE, QUIET, canvas
from validation.reading import Reading

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Evaluations = Mapping[str, Mapping[str, Reading]]
"""Readings by detector and regime."""

REGIMES = {
    "patient": "patients apart",
    "site": "sites apart",
    "recording": "recordings apart",
    "gap": "windows with a gap",
    "window": "random windows",
}
"""How the regimes of `validation.splits` are called on a page, from the honest to the leaky."""

LEAKY = "leaky control: non-reportable"

Published = Mapping[str, tuple[float, str]]
"""AUC that a detector's own paper states, and how it was measured there."""


@dataclass(frozen=True)
class Mark:
    """One line of the chart. Only an `honest` one is evidence."""

    label: str
    value: float
    low: float
    high: float
    style: Literal["honest", "leaky", "blind", "published"]


def ordered(regimes: Iterable[str]) -> list[str]:
    """Regimes from the honest to the leaky."""
    places = list(REGIMES)
    return sorted(regimes, key=lambda regime: places.index(regime) if regime in places else len(places))


def marks(evaluations: Evaluations, reportable: tuple[str, ...], published: Published) -> list[Mark]:
    """Every detector under every regime, what was published, and what scores without seeing any EEG."""
    found: list[Mark] = []
    for detector, regimes in evaluations.items():
        of_regimes = (_of_regime(detector, name, regimes[name], name in reportable) for name in ordered(regimes))
        found += [mark for mark in of_regimes if mark]
        if detector in published:
            value, note = published[detector]
            found.append(Mark(f"{detector} as published\n({note})", value, value, value, "published"))
    return found + _blind(evaluations)


def draw_regimes(shown: list[Mark]) -> "Figure":
    """Area under the ROC curve, one line per mark, with its interval over patients."""
    with canvas(10.4, 0.9 + 0.36 * len(shown)) as (figure, axes):
        for place, mark in enumerate(shown):
            _draw(axes, place, mark)
        axes.set_yticks(range(len(shown)), [mark.label for mark in shown])
        axes.set_ylim(len(shown) - 0.5, -0.5)
        axes.set_xlim(min([0.45, *(mark.low - 0.02 for mark in shown)]), 1.005)
        axes.axvline(0.5, color=QUIET, lw=0.8, ls=":")
        axes.set_xlabel("area under the ROC curve, per second (0.5 is chance)")
        axes.grid(axis="y", visible=False)
    return figure


def _of_regime(detector: str, regime: str, reading: Reading, honest: bool) -> Mark | None:
    auc = reading.auc
    if auc.value is None:
        return None
    label = f"{detector}: {REGIMES.get(regime, regime)}" + ("" if honest else f"\n({LEAKY})")
    low, high = (auc.value if bound is None else bound for bound in (auc.low, auc.high))
    return Mark(label, auc.value, low, high, "honest" if honest else "leaky")


def _blind(evaluations: Evaluations) -> list[Mark]:
    """The baselines that see no signal are the same for every detector: the first result that has them speaks."""
    readings = [r for regimes in evaluations.values() for r in regimes.values() if r.oracle_auc is not None]
    if not readings:
        return []
    found = {"label of the nearest window": readings[0].oracle_auc, "share of the same patient": readings[0].lookup_auc}
    return [Mark(f"no EEG: {name}\n({LEAKY})", v, v, v, "blind") for name, v in found.items() if v is not None]


def _draw(axes: "Axes", place: int, mark: Mark) -> None:
    color, marker, face = {
        "honest": (BLUE, "o", BLUE),
        "leaky": (GREY, "o", "white"),
        "blind": (ORANGE, "D", "white"),
        "published": (PURPLE, "*", "white"),
    }[mark.style]
    size = 10 if marker == "*" else 7
    axes.axhspan(place - 0.5, place + 0.5, color="white" if mark.style == "honest" else "#f3f4f6", lw=0, zorder=0)
    axes.plot([mark.low, mark.high], [place, place], color=color, lw=2.2, solid_capstyle="butt")
    axes.plot(mark.value, place, marker=marker, ms=size, color=color, markerfacecolor=face, markeredgewidth=1.6)
    across = axes.get_yaxis_transform()
    axes.text(1.012, place, _digits(mark.value), va="center", fontsize=8, color=INK, transform=across)


def _digits(value: float) -> str:
    """Three digits, and a fourth where three would make it a round 1."""
    return f"{value:.4f}" if 0.9995 <= value < 1 else f"{value:.3f}"
