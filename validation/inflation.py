"""What a split does to a figure: one detector with patients apart and under leaky controls, in one picture."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from validation.drawing import BLUE, COLUMN_IN, GREY, INK, ORANGE, PURPLE, QUIET, canvas
from validation.lab import STEPS
from validation.reading import Estimate, Reading, estimate
from validation.splits import REPORTABLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

REGIMES = {
    "patient": "patients apart",
    "site": "sites apart",
    "recording": "recordings apart",
    "gap": "windows with a gap",
    "window": "random windows",
}
"""How the regimes of `validation.splits` are called on a page, from the honest to the leaky."""

LEAKY = "leaky control: non-reportable"
NOT_RUN = "not run"
AUC = "area under the ROC curve, per second (0.5 is chance)"

BLIND = {"label_oracle": "label of the nearest window", "id_lookup": "share of the same patient"}
"""Baselines that see no EEG (`validation.baselines`), by what they look at instead."""


@dataclass(frozen=True)
class Published:
    """What a detector's own paper states of it: AUC and F1 (0–1), how it was measured there, and where it is read.

    `labels` names the data set where Ictal can score its labels alone (`validation.labels_alone`); empty for none.
    """

    auc: float
    protocol: str
    source: str
    f1: float | None = None
    labels: str = ""


NO_FIGURE = Estimate()


@dataclass(frozen=True)
class Mark:
    """One line of the chart. Only an `honest` one is evidence; `absent` ones have no figure and say why.

    `reportable`: made under a split that may be reported, as a yardstick with patients apart is, and a split that was not
    run would be.
    """

    label: str
    style: Literal["honest", "leaky", "blind", "published", "absent"]
    found: Estimate = NO_FIGURE
    why: str = ""
    reportable: bool = False


def ordered(regimes: Iterable[str]) -> list[str]:
    """Regimes from the honest to the leaky."""
    places = list(REGIMES)
    return sorted(regimes, key=lambda regime: places.index(regime) if regime in places else len(places))


def marks(
    own: Mapping[str, Reading],
    reportable: tuple[str, ...],
    absent: Mapping[str, str],
    published: Published | None = None,
    labels_alone: Mapping[str, Any] | None = None,
) -> list[Mark]:
    """A detector under every regime, what scores without seeing any EEG, and what was published.

    `absent`: why a regime is not in `own`; all five are named, those without a reason as not run.
    """
    of_regimes = [_of_regime(regime, own.get(regime), regime in reportable, absent) for regime in REGIMES]
    stated = [Mark("as published", "published", Estimate(published.auc))] if published else []
    return [*of_regimes, *_blind(own), *_of_labels(labels_alone), *stated]


def draw_regimes(shown: list[Mark], measure: str = AUC, chance: float | None = 0.5) -> "Figure":
    """One line per mark, with its interval over patients; `measure` names the figure, `chance` is its value by chance."""
    with canvas(COLUMN_IN, 0.8 + 0.42 * len(shown)) as (figure, axes):
        known = [mark.found.value if mark.found.low is None else mark.found.low for mark in shown]
        axes.set_xlim(max(0.0, min([0.45, *(value - 0.02 for value in known if value is not None)])), 1.005)
        for place, mark in enumerate(shown):
            _draw(axes, place, mark)
        axes.set_yticks(range(len(shown)), [mark.label for mark in shown])
        axes.set_ylim(len(shown) - 0.5, -0.5)
        if chance is not None:
            axes.axvline(chance, color=QUIET, lw=0.8, ls=":")
        axes.set_xlabel(measure)
        axes.grid(axis="y", visible=False)
    return figure


def inflation_rows(steps: Mapping[str, Any], absent: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """What each change of the split is worth: AUC and seizures found in points, the first minus the second.

    `steps` as `validation.lab.inflation` gives them; one that is not there says which regime is missing.
    """
    return [
        (
            f"{REGIMES[first].capitalize()} instead of {REGIMES[second]}",
            *_worth(steps.get(f"{first}_to_{second}"), [r for r in (first, second) if r in absent]),
        )
        for first, second in STEPS
    ]


def absent_regimes(own: Iterable[str], undivided: Mapping[str, str]) -> dict[str, str]:
    """Why each regime of which there is no result was not run; `undivided`: what the cohort cannot be divided by."""
    return {
        regime: f"the cohort cannot be divided so: {undivided[regime]}" if regime in undivided else NOT_RUN
        for regime in REGIMES
        if regime not in set(own)
    }


def _worth(step: Mapping[str, Any] | None, without: list[str]) -> tuple[str, str]:
    if step is None:
        reason = f"not evaluable: {' and '.join(REGIMES[r] for r in without) or 'a regime'} {NOT_RUN}"
        return reason, reason
    found = estimate(step, "event_sensitivity").percent(sign=True)
    return estimate(step, "auc").written(3, sign=True), found


def _of_regime(regime: str, reading: Reading | None, honest: bool, absent: Mapping[str, str]) -> Mark:
    label = REGIMES[regime] + ("" if honest else f"\n({LEAKY})")
    if reading is None:
        why = "not evaluable" if absent.get(regime, NOT_RUN) != NOT_RUN else NOT_RUN
        return Mark(label, "absent", why=why, reportable=honest)
    if reading.auc.value is None:
        return Mark(label, "absent", why="not evaluable", reportable=honest)
    return Mark(label, "honest" if honest else "leaky", reading.auc, reportable=honest)


def _blind(own: Mapping[str, Reading]) -> list[Mark]:
    """The baselines that see no signal are the same under every regime: the first result that has them speaks."""
    first = next((r for r in own.values() if r.oracle), None)
    if first is None:
        return []
    found = {"label_oracle": first.oracle.get("auc"), "id_lookup": first.lookup.get("auc")}
    return [
        Mark(f"no EEG: {BLIND[name]}\n({LEAKY})", "blind", Estimate(auc))
        for name, auc in found.items()
        if auc is not None
    ]


def _of_labels(found: Mapping[str, Any] | None) -> list[Mark]:
    """The label oracle on the real labels of the data set that the published figure is of."""
    oracle = (found or {}).get("figures", {}).get("label_oracle", {}).get("auc")
    if found is None or oracle is None:
        return []
    label = f"no EEG: real labels of {found['labels'].capitalize()}\n({LEAKY})"
    return [Mark(label, "blind", Estimate(oracle["median"]))]


def _draw(axes: "Axes", place: int, mark: Mark) -> None:
    color, marker, face = {
        "honest": (BLUE, "o", BLUE),
        "leaky": (GREY, "o", "white"),
        "blind": (ORANGE, "D", "white"),
        "published": (PURPLE, "*", "white"),
        "absent": (GREY, "", "white"),
    }[mark.style]
    size = 11 if marker == "*" else 7
    axes.axhspan(place - 0.5, place + 0.5, color="white" if mark.reportable else "#f3f4f6", lw=0, zorder=0)
    across = axes.get_yaxis_transform()
    if mark.found.value is None:
        axes.text(0.14, place, mark.why, va="center", color=QUIET, transform=across)
        return
    if mark.found.low is not None and mark.found.high is not None:
        axes.plot([mark.found.low, mark.found.high], [place, place], color=color, lw=2.2, solid_capstyle="butt")
    axes.plot(
        mark.found.value,
        place,
        marker=marker,
        ms=size,
        color=color,
        markerfacecolor=face,
        markeredgewidth=1.6,
        clip_on=False,
    )
    axes.text(1.035, place, digits(mark.found.value), va="center", color=INK, transform=across)


def blind_mark(looked_at: str, at_instead: str, regime: str, called: Mapping[str, str], found: Estimate) -> Mark:
    """A yardstick that does not look at the EEG (`looked_at`), under a regime; `called` names the regimes. With patients
    apart it is what a detector has to exceed."""
    honest = regime in REPORTABLE
    label = f"no {looked_at}: {at_instead},\n{called[regime]}" + ("" if honest else f" ({LEAKY})")
    return Mark(label, "blind", found, reportable=honest)


def digits(value: float) -> str:
    """Three digits, and a fourth where three would make it a round 1."""
    return f"{value:.4f}" if 0.9995 <= value < 1 else f"{value:.3f}"
