"""How sure the model has to be before it commits: prediction sets of {background, seizure} for every second.

A second that could be either, or neither, is abstained from: the trend and the events stay as they are, and the
answer says beside them where the model does not commit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

COVERAGE = 0.9
"""Share of the seconds of either class, in a new patient, whose set should hold the truth."""

BACKGROUND, SEIZURE = 1, 2
"""Members of a prediction set; a set is their sum: 0 neither, 1 background, 2 seizure, 3 either."""

STEP = 0.0025
"""Grid of the levels that are tried, in share of seconds."""


@dataclass(frozen=True)
class Conformal:
    """Class-conditional (Mondrian) conformal sets over the probability of a second.

    Background belongs to the set up to `background_to`, seizure from `seizure_from` on. `patients_background` and
    `patients_seizure` count the patients that the two were calibrated on; a limit that could not be calibrated lets
    its class into every set (1.0 or 0.0).

    Patients are exchangeable, their seconds are not: each patient weighs the same (pooled distribution of Dunn,
    Wasserman and Ramdas 2022), and the level is the lowest at which patients left out one by one are covered at
    `coverage` on average. That holds on average over cohorts (measured in the tests). The distribution-free bound for
    one new patient (Lee, Barber and Willett 2023) needs `patients_needed` patients before it says anything at all.
    """

    coverage: float
    background_to: float
    seizure_from: float
    patients_background: int
    patients_seizure: int

    def sets(self, trend: np.ndarray) -> np.ndarray:
        """Prediction sets, int8 (seconds,), of a trend (seconds,).

        0 also where the trend is NaN (not assessed, so not abstained from).
        """
        with np.errstate(invalid="ignore"):
            may = BACKGROUND * (trend <= self.background_to) + SEIZURE * (trend >= self.seizure_from)
        return may.astype(np.int8)

    @classmethod
    def fit(cls, trends: Sequence[np.ndarray], labels: Sequence[np.ndarray], coverage: float = COVERAGE) -> "Conformal":
        """Calibrated on one trend (seconds,) and its labels (seconds,) 0/1 per inner patient; NaN is left out."""
        known = [
            (t[~np.isnan(t)], np.asarray(y, dtype=bool)[~np.isnan(t)]) for t, y in zip(trends, labels, strict=True)
        ]
        background = [t[~y] for t, y in known if (~y).any()]
        seizure = [-t[y] for t, y in known if y.any()]
        high, low = patient_quantile(background, coverage), patient_quantile(seizure, coverage)
        return cls(
            coverage,
            1.0 if high is None else high,
            0.0 if low is None else -low,
            len(background),
            len(seizure),
        )

    @property
    def patients_needed(self) -> int:
        """With fewer patients of a class no distribution-free set at this coverage is smaller than everything."""
        return int(np.ceil(self.coverage / (1 - self.coverage) - 1e-9))

    @property
    def statement(self) -> str:
        """What the sets are worth, for logs and reports."""
        parts = [
            f"sets at {self.coverage:.0%} coverage, calibrated on {self.patients_background} patients' background and "
            f"{self.patients_seizure} patients' seizures",
            "held on average over cohorts",
        ]
        if min(self.patients_background, self.patients_seizure) < self.patients_needed:
            parts.append(f"no guarantee for one new patient, which takes {self.patients_needed} of each class")
        if self.background_to >= 1:
            parts.append("background cannot be ruled out in any second")
        if self.seizure_from <= 0:
            parts.append("seizure cannot be ruled out in any second")
        return "; ".join(parts)


def patient_quantile(scores: Sequence[np.ndarray], coverage: float) -> float | None:
    """The limit that covers `coverage` (0–1) of a new patient's scores; None where patients left out were not covered.

    `scores` holds the (seconds,) of each patient, each patient weighing the same; of fewer than two it is None. The
    level of the pooled distribution is the lowest, from `coverage` up, at which the patients left out one by one are
    covered on average.
    """
    if len(scores) < 2:
        return None
    levels = np.append(np.arange(coverage, 1.0, STEP), 1.0)
    ordered = [np.sort(s) for s in scores]
    covered = np.zeros(len(levels))
    for left_out, own in enumerate(ordered):
        limits = _pooled(ordered[:left_out] + ordered[left_out + 1 :], levels)
        covered += np.searchsorted(own, limits, side="right") / len(own)
    enough = np.flatnonzero(covered / len(ordered) >= coverage - 1e-12)
    return float(_pooled(ordered, levels[enough[:1]])[0]) if len(enough) else None


def _pooled(scores: Sequence[np.ndarray], levels: np.ndarray) -> np.ndarray:
    """Quantiles of the mean of the patients' distributions: the smallest score with at least that share up to it."""
    every = np.concatenate(scores)
    weights = np.concatenate([np.full(len(s), 1 / (len(s) * len(scores))) for s in scores])
    order = np.argsort(every, kind="stable")
    place = np.searchsorted(np.cumsum(weights[order]), levels - 1e-9)
    return np.asarray(every[order][np.minimum(place, len(every) - 1)])
