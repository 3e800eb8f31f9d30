"""What a comparison cannot show: how large a shift must be to be found with the patients at hand."""

import math
from functools import lru_cache


def power(shift_sd: float, patients: int, reference_patients: int, alpha: float = 0.05) -> float:
    """Probability (0–1) that a two-sided t test at `alpha` finds a shift of `shift_sd` SD, in its direction."""
    from scipy import stats

    freedom = patients + reference_patients - 2
    limit = stats.t.isf(alpha / 2, freedom)
    centre = shift_sd / _error_sd(patients, reference_patients)
    return float(stats.nct.sf(limit, freedom, centre))


@lru_cache(maxsize=256)
def detectable_shift(
    patients: int, reference_patients: int, tests: int, q: float = 0.05, floor_sd: float = 0.0
) -> float:
    """The shift of one feature (SD) that is missed half of the time when it is the only one among `tests`.

    A lone shift has to reach q / tests (the first step of Benjamini and Hochberg) and its estimate the effect floor,
    which half of the estimates of a shift of that very size do. Infinite below two patients on a side.
    """
    from scipy.optimize import brentq
    from scipy.stats import t

    if min(patients, reference_patients) < 2:
        return math.inf
    alpha = q / max(tests, 1)
    # half the power lies close to the critical t itself, so three times that brackets it
    high = 3 * t.isf(alpha / 2, patients + reference_patients - 2) * _error_sd(patients, reference_patients)
    found = brentq(lambda shift: power(shift, patients, reference_patients, alpha) - 0.5, 0.0, high, xtol=1e-3)
    return float(max(found, floor_sd))


def _error_sd(patients: int, reference_patients: int) -> float:
    """SD of the difference of two means, in SD between patients."""
    return math.sqrt(1 / patients + 1 / reference_patients)
