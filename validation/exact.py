"""What an area under the ROC curve of a handful of windows can say, computed to the end instead of drawn.

Three answers, because each is silent where another speaks. The *exact bootstrap* interval takes the percentiles of the
AUC over every possible resample of the windows (of 7 and 7 there are 1,716² patterns), weighed by their probability: no
random numbers, no draws to state. Where the classes are fully apart it has no width. The *guaranteed* interval holds its
level for any distributions and any number of windows (Hoeffding 1963, J Am Stat Assoc 58:13, section 5: averages over
pairs concentrate at least as fast as the mean of as many independent pairs as the smaller class has windows); at an AUC
of 1 its lower end is (α/2)^(1/k) with k windows in the smaller class, which is Clopper and Pearson's for k of k pairs.
It is wide. The *permutation* p-value is the share of all ways to deal out the labels that order the windows as well.
None of them knows of other patients: windows are taken as drawn independently, which windows of one child are not.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lineage.refused import Refused

LARGEST = 25
"""Windows of a class up to which the distributions are computed to the end (in some seconds)."""
LEVEL = 0.95


@dataclass(frozen=True)
class ExactAuc:
    """An AUC (0–1) of `positives` against `negatives` windows, with both intervals and the one-sided p-value."""

    auc: float
    bootstrap: tuple[float, float]
    guaranteed: tuple[float, float]
    p: float
    positives: int
    negatives: int
    level: float = LEVEL

    def to_json(self) -> dict[str, Any]:
        """The fields, intervals as [low, high]."""
        return {**asdict(self), "bootstrap": list(self.bootstrap), "guaranteed": list(self.guaranteed)}


def exact_auc(labels: Sequence[bool] | np.ndarray, scores: Sequence[float] | np.ndarray) -> ExactAuc:
    """The AUC of few windows, ties counting half, with all that can be known without drawing.

    `labels` (windows,) whether each is a seizure, `scores` (windows,) higher for seizures. Refuses one class only,
    scores that do not exist, and more than `LARGEST` windows of a class, for which patients are to be redrawn
    (`validation.uncertainty`).
    """
    positive, scores = np.asarray(labels, dtype=bool), np.asarray(scores, dtype=float)
    n, m = int(positive.sum()), int((~positive).sum())
    if not np.isfinite(scores).all() or not n or not m:
        raise Refused(f"an exact interval needs a score for each of at least 1 and 1 windows, got {n} and {m}")
    if max(n, m) > LARGEST:
        raise Refused(f"an exact interval is computed for up to {LARGEST} windows of a class, got {n} and {m}")
    groups = list(_groups(positive, scores))
    half_wins = sum(p * (2 * below + q) for p, q, below in _with_below(groups))
    auc = half_wins / (2 * n * m)
    null = null_distribution([p + q for p, q in groups], n)
    return ExactAuc(
        auc,
        _percentiles(bootstrap_distribution(groups), n * m),
        guaranteed_interval(auc, min(n, m)),
        float(null[half_wins:].sum()),
        n,
        m,
    )


def bootstrap_distribution(groups: Sequence[tuple[int, int]]) -> np.ndarray:
    """Probability of each number of half wins over all resamples of n positives and m negatives.

    (2 · n · m + 1,), from 0 half wins on.

    `groups`: how many positives and negatives have each distinct score, ascending. Resampling deals draws to groups;
    the state is how many of both are dealt and the half wins so far, so no resample is ever written down.
    """
    n, m = (sum(column) for column in zip(*groups, strict=True))
    table = np.zeros((n + 1, m + 1, 2 * n * m + 1))
    table[0, 0, 0] = 1.0
    for p, q in groups:
        made = np.zeros_like(table)
        for a, b in np.ndindex(n + 1, m + 1):
            if not table[a, b].any():
                continue
            for c in range(n - a + 1 if p else 1):
                for d in range(m - b + 1 if q else 1):
                    weight = _dealt(p, n, c) * _dealt(q, m, d)
                    won = c * (2 * b + d)
                    made[a + c, b + d, won:] += weight * table[a, b, : table.shape[2] - won]
        table = made
    whole = table[n, m] * math.factorial(n) * math.factorial(m)
    return np.asarray(whole / whole.sum())  # the sum is 1 but for rounding


def null_distribution(sizes: Sequence[int], positives: int) -> np.ndarray:
    """Probability of each number of half wins where `positives` of the windows are called seizures at random.

    (2 · n · m + 1,) with n positives and m others, as in `bootstrap_distribution`.

    `sizes`: how many windows have each distinct score, ascending.
    """
    negatives = sum(sizes) - positives
    table = np.zeros((positives + 1, 2 * positives * negatives + 1))
    table[0, 0], seen = 1.0, 0
    for size in sizes:
        made = np.zeros_like(table)
        for a in range(min(positives, seen) + 1):
            for c in range(min(size, positives - a) + 1):
                won = c * (2 * (seen - a) + size - c)
                if won < table.shape[1]:  # more negatives than there are cannot have been dealt
                    made[a + c, won:] += math.comb(size, c) * table[a, : table.shape[1] - won]
        table, seen = made, seen + size
    return np.asarray(table[positives] / table[positives].sum())


def guaranteed_interval(auc: float, pairs: int, level: float = LEVEL) -> tuple[float, float]:
    """All θ (from, to) whose relative entropy from `auc` is at most ln(2/α) / pairs: Hoeffding's bound, inverted."""
    reach = math.log(2 / (1 - level)) / pairs
    return _edge(auc, 0.0, reach), _edge(auc, 1.0, reach)


def _edge(auc: float, towards: float, reach: float) -> float:
    """The θ between `auc` and `towards` at which the relative entropy is `reach`, by halving."""
    near, far = auc, towards
    for _ in range(60):
        middle = (near + far) / 2
        near, far = (middle, far) if _entropy(auc, middle) <= reach else (near, middle)
    return near if abs(near - towards) > 1e-12 else towards


def _entropy(u: float, theta: float) -> float:
    """Relative entropy of Bernoulli(u) from Bernoulli(theta), in nats."""
    parts = ((u, theta), (1 - u, 1 - theta))
    return sum(a * math.log(a / b) if b > 0 else math.inf for a, b in parts if a > 0)


def _percentiles(distribution: np.ndarray, pairs: int) -> tuple[float, float]:
    """The smallest AUCs below or at which lie at least 2.5 % and 97.5 % of the resamples."""
    below = np.cumsum(distribution) + 1e-12
    low, high = (int(np.searchsorted(below, part)) for part in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return low / (2 * pairs), high / (2 * pairs)


def _groups(positive: np.ndarray, scores: np.ndarray) -> Iterator[tuple[int, int]]:
    """(positives, negatives) of each distinct score, ascending."""
    for score in np.unique(scores):
        here = scores == score
        yield int((here & positive).sum()), int((here & ~positive).sum())


def _with_below(groups: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    below = 0
    for p, q in groups:
        yield p, q, below
        below += q


def _dealt(members: int, drawn: int, count: int) -> float:
    """The weight of `count` draws falling on `members` of `drawn` windows: (members / drawn)^count / count!."""
    return float((members / drawn) ** count / math.factorial(count))
