"""Intervals over people and over fits: another seed of the training can change as much as another patient does.

Patients are redrawn; fits are too few for that (of three, redraws reach from their lowest to their highest and no further), so
what they add is Student's t of their spread. Both are joined as independent errors are, by their squares. Of simulated parts
without any effect, redrawn fits had called 24 % of those with three fits a change where 5 % are meant (fits alone varied).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from validation.uncertainty import Interval, Statistic, interval_of, patient_draws

LEVEL = 0.95


@dataclass(frozen=True)
class Redraws:
    """How often each person was drawn: (draws, persons)."""

    persons: np.ndarray

    @classmethod
    def of(cls, sites: Sequence[str], seed: int, draws: int) -> "Redraws":
        """Persons inside their sites."""
        return cls(patient_draws(sites, np.random.default_rng(seed), draws))

    def interval(
        self, values: Sequence[Any], of_one: Statistic, within: tuple[float, float] = (-np.inf, np.inf)
    ) -> dict[str, Any]:
        """The mean of a statistic over the fits (one entry of `values` each) with its interval, and that of each fit.

        Of one fit the interval is of patients alone. The figure cannot lie outside of `within`.
        """
        persons = self.persons.shape[1]
        found = interval_of(values, _mean_over_fits(of_one), self.persons, LEVEL)
        each = [float(of_one(np.ones((1, persons), dtype=np.int64), one)[0]) for one in values]
        whole = _with_fits(found, np.array(each), within)
        return {
            **replace(whole, unit="patient and fit").to_json(),
            "each_fit": [None if value != value else value for value in each],
        }


def _with_fits(found: Interval, each: np.ndarray, within: tuple[float, float]) -> Interval:
    from scipy.stats import t

    count = len(each)
    if count < 2:
        return found
    reach = t.ppf((1 + LEVEL) / 2, count - 1) * np.std(each, ddof=1) / np.sqrt(count)
    low, high = (
        found.estimate + side * np.hypot(found.estimate - end, reach)
        for side, end in ((-1, found.low), (1, found.high))
    )
    return replace(found, low=float(np.maximum(low, within[0])), high=float(np.minimum(high, within[1])))


def _mean_over_fits(of_one: Statistic) -> Statistic:
    return lambda weights, values: np.mean([of_one(weights, one) for one in values], axis=0)
