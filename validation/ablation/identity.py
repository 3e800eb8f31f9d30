"""Is it still legible who the baby is? A fresh linear classifier tries to tell babies apart by a network's features.

It learns from background windows of one half of each baby's recording and is asked about the other half, 30 s apart,
so that no neighbouring window gives the answer away; then the other way round. Every baby counts the same, so chance
is one in the number of babies. The probe is new for each network: a network cannot hide from it by having beaten the
classifier that it was trained against.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from validation.ablation.redraws import Redraws
from validation.scoring import Scorer, code_digest
from validation.uncertainty import MIN_DRAWS, mean_over_patients

GAP_S = 30.0
PER_HALF = 100
MIN_PER_HALF = 10


@dataclass(frozen=True)
class Features:
    """Windows of several babies: `x` (windows, features), `baby` (windows,) str, `half` (windows,) 0 or 1."""

    x: np.ndarray
    baby: np.ndarray
    half: np.ndarray

    @classmethod
    def join(cls, parts: Sequence["Features"]) -> "Features":
        """The windows of several recordings, which must have the same features."""
        columns = ("x", "baby", "half")
        return cls(*(np.concatenate([getattr(p, c) for p in parts]) for c in columns))


def halves(onset_s: np.ndarray, background: np.ndarray, window_s: float, duration_s: float) -> np.ndarray:
    """Which half each window is in: 0, 1, or −1 where it is not asked; (windows,).

    Asked are background windows away from the middle by half of `GAP_S`, at most `PER_HALF` of each half, evenly.
    """
    onset_s, middle_s = np.asarray(onset_s, dtype=float), duration_s / 2
    side = np.full(len(onset_s), -1)
    for half, inside in enumerate((onset_s + window_s <= middle_s - GAP_S / 2, onset_s >= middle_s + GAP_S / 2)):
        index = np.flatnonzero(inside & background)
        if len(index) > PER_HALF:
            index = index[np.linspace(0, len(index) - 1, PER_HALF).round().astype(int)]
        side[index] = half
    return side


def legible(seen: Features) -> dict[str, float]:
    """How often each baby is named rightly (0–1), mean of both directions; babies with too few windows are left out.

    Empty where fewer than two babies can be asked.
    """
    babies = [
        str(b)
        for b in np.unique(seen.baby)
        if min(int(((seen.baby == b) & (seen.half == h)).sum()) for h in (0, 1)) >= MIN_PER_HALF
    ]
    if len(babies) < 2:
        return {}
    kept = np.isin(seen.baby, babies)
    x, baby, half = seen.x[kept].astype(float), seen.baby[kept], seen.half[kept]
    right = [_right(x[half == a], baby[half == a], x[half == b], baby[half == b]) for a, b in ((0, 1), (1, 0))]
    return {b: float(np.mean([r[b] for r in right])) for b in babies}


def compare(
    read: Mapping[str, Sequence[Sequence[Features]]], sites: Mapping[str, str], seed: int, draws: int = MIN_DRAWS
) -> dict[str, Any]:
    """What the probe reads from each set of features, beside chance, and the first minus the second.

    `read`: by what they are of, for each fit the features of the same windows fold by fold; `sites` gives each baby's
    site. A baby who is in several folds counts once, with the mean. Intervals redraw babies and fits, paired.
    """
    found = {name: [[legible(fold) for fold in folds] for folds in fits] for name, fits in read.items()}
    first, second = list(found)[:2]
    folds = found[first][0]
    babies = sorted({b for fold in folds for b in fold})
    named = {"scorer": scorer(seed, draws).to_json(), "babies": len(babies)}
    if len(babies) < 2:
        return {**named, "not_evaluable": "fewer than two babies have enough background in both halves"}
    accuracy = {n: [np.array([_mean(fit, b) for b in babies]) for fit in fits] for n, fits in found.items()}
    chance = [np.mean([1 / len(fold) for fold in folds if b in fold]) for b in babies]

    def interval(values: Sequence[np.ndarray]) -> dict[str, Any]:
        return Redraws.of([sites[b] for b in babies], seed, draws).interval(values, mean_over_patients)

    return {
        **named,
        "chance": float(np.mean(chance)),
        "accuracy": {name: interval(fits) for name, fits in accuracy.items()},
        "difference": interval([a - b for a, b in zip(accuracy[first], accuracy[second], strict=True)]),
    }


def scorer(seed: int, draws: int) -> Scorer:
    """Who made these figures: which probe, on how many windows of each half and how far apart, by which draws."""
    policy = {
        "probe": "multinomial logistic regression on standardised features, C 1",
        "gap_s": GAP_S,
        "windows_per_half": PER_HALF,
        "seed": seed,
        "draws": draws,
    }
    return Scorer("identity probe", "2", code_digest([__file__]), policy)


def _mean(folds: Sequence[Mapping[str, float]], baby: str) -> float:
    """Over the folds in which the baby was asked; NaN for none."""
    asked = [fold[baby] for fold in folds if baby in fold]
    return float(np.mean(asked)) if asked else float("nan")


def _right(learnt: np.ndarray, names: np.ndarray, asked: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Share of each baby's windows that a classifier fitted on `learnt` names rightly."""
    from sklearn.linear_model import LogisticRegression

    centre, spread = learnt.mean(axis=0), learnt.std(axis=0) + 1e-9
    probe = LogisticRegression(C=1.0, max_iter=2000, class_weight="balanced", tol=1e-3)
    said = probe.fit((learnt - centre) / spread, names).predict((asked - centre) / spread)
    return {str(b): float(np.mean(said[truth == b] == b)) for b in np.unique(truth)}
