"""How sure a figure is: intervals from redrawing patients, because the patient is what varies and repeats.

Windows of one patient are near copies of each other, so an interval from windows is far too narrow; there is none
here. A resample is a row of whole numbers (how often each patient was drawn), so that a statistic of all draws is
one matrix product. Percentile intervals of few patients are still a little narrow: of simulated sensitivities, those
called 95 % held the truth in 88 % of runs with 12 patients, 93 % with 24 and 60, 94 % with 120.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

MIN_DRAWS = 2000

Statistic = Callable[[np.ndarray, Any], np.ndarray]
"""Weights (draws, patients) and values → one figure per draw, (draws,), NaN where it is not defined."""


@dataclass(frozen=True)
class Interval:
    """A figure with its percentile bootstrap interval. `undefined` counts draws in which it did not exist.

    `n` is how many patients were redrawn, `level` 0–1. NaN: the figure, or its interval, does not exist.
    """

    estimate: float
    low: float
    high: float
    draws: int
    n: int
    level: float = 0.95
    unit: str = "patient"
    undefined: int = 0

    def to_json(self) -> dict[str, Any]:
        """Numbers that do not exist are null."""
        return {key: finite(value) if isinstance(value, float) else value for key, value in asdict(self).items()}


def finite(value: float) -> float | None:
    """A JSON number, or null for one that does not exist."""
    return float(value) if np.isfinite(value) else None


def bootstrap_patients(
    values: Any,
    statistic: Statistic,
    strata: Sequence[Hashable],
    rng: np.random.Generator,
    draws: int = MIN_DRAWS,
    level: float = 0.95,
) -> Interval:
    """Interval of `statistic` over redrawn patients, drawn inside `strata` (one per patient, e.g. the site).

    Refused as in `patient_draws`.
    """
    return interval_of(values, statistic, patient_draws(strata, rng, draws), level)


def difference(statistic: Statistic) -> Statistic:
    """The statistic of a pair of values, in the same order of patients: first minus second."""
    return lambda weights, pair: statistic(weights, pair[0]) - statistic(weights, pair[1])


def patient_draws(strata: Sequence[Hashable], rng: np.random.Generator, draws: int = MIN_DRAWS) -> np.ndarray:
    """How often each patient was drawn: int array (draws, patients); each stratum keeps its size in every draw.

    A patient alone in a stratum would never vary, so the smallest strata are pooled until none has one patient.
    ValueError for fewer draws than `MIN_DRAWS`.
    """
    if draws < MIN_DRAWS:
        raise ValueError(f"an interval needs at least {MIN_DRAWS} draws, got {draws}")
    weights = np.zeros((draws, len(strata)), dtype=np.int64)
    labels = _pooled(strata)
    for stratum in sorted(set(labels)):
        inside = np.flatnonzero(labels == stratum)
        weights[:, inside] = rng.multinomial(len(inside), np.full(len(inside), 1 / len(inside)), size=draws)
    return weights


def interval_of(values: Any, statistic: Statistic, weights: np.ndarray, level: float = 0.95) -> Interval:
    """As `bootstrap_patients`, on draws made before: figures that are compared share their draws.

    `weights` (draws, patients) as of `patient_draws`. Of fewer than two patients there is no interval (NaN).
    """
    n = weights.shape[1]
    estimate = float(statistic(np.ones((1, n), dtype=np.int64), values)[0])
    drawn = statistic(weights, values)
    defined = drawn[np.isfinite(drawn)]
    undefined = len(drawn) - len(defined)
    if n < 2 or len(defined) == 0 or not np.isfinite(estimate):
        return Interval(estimate, float("nan"), float("nan"), len(drawn), n, level, undefined=undefined)
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Interval(estimate, float(low), float(high), len(drawn), n, level, undefined=undefined)


def ratio_of_sums(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Statistic Σ first column / Σ second column; values (patients, 2): seizures found / seizures, alarms / hours."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return (weights @ values[:, 0]) / (weights @ values[:, 1])


def mean_over_patients(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Statistic: mean of values (patients,) over the patients in whom it is defined (NaN: not evaluable)."""
    defined = np.isfinite(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (weights @ np.where(defined, values, 0.0)) / (weights @ defined)


@dataclass(frozen=True)
class PairWins:
    """The area under the ROC curve taken apart by patients, so that a resample is wᵀ U w.

    `wins[i, j]` counts pairs of a seizure second of patient i and another second of patient j that are ordered rightly
    (ties count half), (patients, patients); `positives` and `negatives` (patients,) count the seconds of either. Exact:
    equal to pooling the seconds of the patients drawn.
    """

    wins: np.ndarray
    positives: np.ndarray
    negatives: np.ndarray

    @classmethod
    def of(cls, labels: Sequence[np.ndarray], scores: Sequence[np.ndarray]) -> "PairWins":
        """Labels (seconds,) of 0 and 1 and scores (seconds,) of each patient; seconds with a NaN score are left out."""
        kept = [(np.asarray(y, bool)[np.isfinite(s)], s[np.isfinite(s)]) for y, s in zip(labels, scores, strict=True)]
        seizure, other = [s[y] for y, s in kept], [np.sort(s[~y]) for y, s in kept]
        sizes = (np.array([len(s) for s in group], dtype=float) for group in (seizure, other))
        return cls(_wins(seizure, other), *sizes)

    @classmethod
    def of_all(cls, labels: Sequence[np.ndarray], scores: Sequence[np.ndarray]) -> "PairWins":
        """As `of`, with the pairs of a NaN score counted half: silence is neither right nor wrong, and no way out."""
        asked = np.array([(np.sum(y), np.sum(~np.asarray(y, bool))) for y in labels], dtype=float).reshape(-1, 2)
        return cls.of(labels, scores).asked(*asked.T)

    def of_patients(self, chosen: np.ndarray) -> "PairWins":
        """The patients where `chosen`, bool (patients,), is true, or those of these indices in their order."""
        return PairWins(self.wins[np.ix_(chosen, chosen)], self.positives[chosen], self.negatives[chosen])

    def asked(self, positives: np.ndarray, negatives: np.ndarray) -> "PairWins":
        """The same ranking, asked of so many seconds, (patients,) each: a pair with an unanswered one counts half."""
        missing = np.outer(positives, negatives) - np.outer(self.positives, self.negatives)
        return PairWins(self.wins + missing / 2, positives, negatives)


def pooled_auc(weights: np.ndarray, pairs: PairWins) -> np.ndarray:
    """Statistic: area under the ROC curve of all seconds of the patients drawn, (draws,); NaN without both classes."""
    won = ((weights @ pairs.wins) * weights).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return won / ((weights @ pairs.positives) * (weights @ pairs.negatives))


def _wins(seizure: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> np.ndarray:
    """`PairWins.wins` of the scores of each patient's seizure seconds and other seconds (ascending).

    Every other second is put among the distinct scores of seizure seconds once; a table of persons by persons is then
    sums over seizure seconds, without a search for each pair.
    """
    owner = np.repeat(np.arange(len(seizure)), [len(s) for s in seizure])
    levels, level = np.unique(np.concatenate([np.zeros(0), *seizure]), return_inverse=True)
    wins = np.zeros((len(seizure), len(other)))
    for column, scores in enumerate(other):
        at = np.concatenate([np.searchsorted(levels, scores, side) for side in ("left", "right")])
        below = np.cumsum(np.bincount(at, minlength=len(levels) + 1))  # counted twice, a tie once
        wins[:, column] = np.bincount(owner, weights=below[level], minlength=len(seizure)) / 2
    return wins


def _pooled(strata: Sequence[Hashable]) -> np.ndarray:
    labels = [str(s) for s in strata]
    sizes = Counter(labels)
    while len(sizes) > 1 and min(sizes.values()) < 2:
        small, next_small = sorted(sizes, key=lambda s: (sizes[s], s))[:2]
        labels = [next_small if label == small else label for label in labels]
        sizes = Counter(labels)
    return np.array(labels)
