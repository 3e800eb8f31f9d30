"""What a cohort of this size can show at all: how often a gate would pass if the truth were as assumed.

Normal approximation with the cohort's own spread: a bound z standard errors from the estimate stays within the margin
in Φ(margin/SE − z) of such cohorts, and SE shrinks with the root of the number of patients. Held against simulated
cohorts in the tests. A spread measured on few patients is itself uncertain, and the statement with it.
"""

from dataclasses import dataclass
from math import ceil, isfinite
from statistics import NormalDist

from validation.uncertainty import Interval

TARGET = 0.80
"""The power for which the number of patients is stated."""


@dataclass(frozen=True)
class Power:
    """`share` (0–1) of cohorts like this one in which the gate would pass if `assumed`; `persons_needed` for 80 %.

    Persons are those who count towards the gate: for a sensitivity, patients with seizures.
    """

    share: float | None = None
    assumed: str = ""
    persons_needed: int | None = None


def power(
    margin: float, standard_error: float, persons: int, confidence: float, assumed: str, minimum: int, enough: float = 1
) -> Power:
    """Power where the truth lies `margin` inside the limit, in the figure's unit as `standard_error` is.

    `confidence` (0–1) is that of the one-sided bound. Fewer than `minimum` persons never pass. `enough` is what there
    is of another need, such as recorded hours, as a share of what is needed.
    """
    if not isfinite(standard_error) or margin <= 0 or persons == 0:
        return Power(0.0 if persons < minimum else None, assumed)
    needed = max(
        minimum, ceil(persons / enough) if 0 < enough < 1 else 0, _needed(margin, standard_error, persons, confidence)
    )
    if persons < minimum or enough < 1:
        return Power(0.0, assumed, needed)
    return Power(_share(margin, standard_error, confidence), assumed, needed)


def standard_error(value: Interval) -> float:
    """Half the interval's width over the normal quantile of its level, in the figure's unit; NaN without one."""
    return (value.high - value.low) / 2 / NormalDist().inv_cdf((1 + value.level) / 2)


def _share(margin: float, standard_error: float, confidence: float) -> float:
    if standard_error <= 0:
        return 1.0
    return NormalDist().cdf(margin / standard_error - NormalDist().inv_cdf(confidence))


def _needed(margin: float, standard_error: float, persons: int, confidence: float) -> int:
    wanted = NormalDist().inv_cdf(confidence) + NormalDist().inv_cdf(TARGET)
    return ceil(persons * (wanted * standard_error / margin) ** 2)
