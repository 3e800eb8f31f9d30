"""What a comparison cannot show: how often the rule that runs finds a shift with the patients at hand."""

import math
from functools import lru_cache

import numpy as np

SHIFTS_SD = (0.5, 1.0, 1.5, 2.0)
"""Shifts of one feature whose power stands beside every result."""

NODES = 48
"""Estimates of each SD over which the rule's power is averaged: more change the third decimal."""


@lru_cache(maxsize=1024)
def power_of_rule(
    shift_sd: float,
    patients: int,
    reference_patients: int,
    tests: int,
    q: float = 0.05,
    floor_sd: float = 0.0,
    draws: int = 10**9,
) -> float:
    """Probability (0–1) that a shift of `shift_sd` SD of one feature among `tests` raises an alarm of that feature.

    A lone shift has to reach the first step of Benjamini and Hochberg, in whole draws of the exchange, *and* its
    estimate the effect floor. The floor is in SDs of the reference patients as estimated and the exchange goes by those
    of all, so both estimates are averaged over. For values that are normal between patients; 0 below two on a side.
    """
    from scipy import stats

    alpha = _alpha(tests, q, draws)
    if min(patients, reference_patients) < 2 or alpha <= 0:
        return 0.0
    error, freedom = _error_sd(patients, reference_patients), patients + reference_patients - 2
    shares = (np.arange(NODES) + 0.5) / NODES
    then, now = (stats.chi2.ppf(shares, n - 1) / (n - 1) for n in (reference_patients, patients))
    pooled = np.sqrt(((reference_patients - 1) * then[:, None] + (patients - 1) * now) / freedom)
    needed = np.maximum(stats.t.isf(alpha / 2, freedom) * pooled * error, floor_sd * np.sqrt(then)[:, None])
    return float(stats.norm.sf((needed - shift_sd) / error).mean())


@lru_cache(maxsize=256)
def detectable_shift(
    patients: int,
    reference_patients: int,
    tests: int,
    q: float = 0.05,
    floor_sd: float = 0.0,
    draws: int = 10**9,
) -> float:
    """The shift of one feature (SD) that the rule misses half of the time; infinite below two patients on a side."""
    from scipy.optimize import brentq

    def beyond_half(shift_sd: float) -> float:
        return power_of_rule(shift_sd, patients, reference_patients, tests, q, floor_sd, draws) - 0.5

    high = 1.0
    while beyond_half(high) < 0:
        if high > 1e3:
            return math.inf
        high *= 2
    return float(brentq(beyond_half, 0.0, high, xtol=1e-3))


def _alpha(tests: int, q: float, draws: int) -> float:
    """The largest p that a lone shift may have: p is a whole number of draws, and its q has to stay below `q`."""
    return (math.ceil(q * (1 + draws) / max(tests, 1) - 1e-9) - 1) / (1 + draws)


def _error_sd(patients: int, reference_patients: int) -> float:
    """SD of the difference of two means, in SD between patients."""
    return math.sqrt(1 / patients + 1 / reference_patients)
