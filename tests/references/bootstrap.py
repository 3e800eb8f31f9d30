"""The patient bootstrap by really duplicating patients: draw, put copies in a row, compute anew, sort."""

from collections.abc import Callable, Sequence
from math import floor, isfinite, nan
from typing import TypeVar

Patient = TypeVar("Patient")


def interval(
    patients: Sequence[Patient],
    statistic: Callable[[list[Patient]], float],
    draws: Sequence[Sequence[int]],
    level: float = 0.95,
) -> tuple[float, float, float, int]:
    """Estimate, lower and upper bound, and the number of draws in which the figure did not exist.

    `draws` says for each draw how often each patient was drawn.
    """
    figures = [statistic(duplicated(patients, times)) for times in draws]
    known = sorted(figure for figure in figures if isfinite(figure))
    estimate = statistic(list(patients))
    if len(patients) < 2 or not known or not isfinite(estimate):
        return estimate, nan, nan, len(figures) - len(known)
    tail = (1 - level) / 2
    return estimate, quantile(known, tail), quantile(known, 1 - tail), len(figures) - len(known)


def duplicated(patients: Sequence[Patient], times: Sequence[int]) -> list[Patient]:
    """The patients of one draw: twice who was drawn twice, nobody who was not."""
    return [patient for patient, n in zip(patients, times, strict=True) for _ in range(n)]


def quantile(ordered: Sequence[float], share: float) -> float:
    """Between the two nearest of the sorted values, in proportion."""
    place = share * (len(ordered) - 1)
    below = floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])
