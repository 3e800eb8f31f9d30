"""Intervals over people and over fits: another seed of the training can change as much as another patient does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from validation.uncertainty import Statistic, interval_of, patient_draws


@dataclass(frozen=True)
class Redraws:
    """How often each person and each fit was drawn: (draws, persons) and (draws, fits)."""

    persons: np.ndarray
    fits: np.ndarray

    @classmethod
    def of(cls, sites: Sequence[str], fits: int, seed: int, draws: int) -> "Redraws":
        """Persons inside their sites, the same whatever the number of fits."""
        rng = np.random.default_rng(seed)
        persons = patient_draws(sites, rng, draws)
        return cls(persons, rng.multinomial(fits, np.full(fits, 1 / fits), size=draws))

    def interval(self, values: Sequence[Any], of_one: Statistic) -> dict[str, Any]:
        """The mean of a statistic over the fits (one entry of `values` each) with its interval, and that of each fit."""
        persons = self.persons.shape[1]
        weights = np.concatenate([self.persons, self.fits], axis=1)
        found = interval_of(values, _mean_over_fits(of_one, persons), weights)
        alone = [float(of_one(np.ones((1, persons), dtype=np.int64), one)[0]) for one in values]
        each = [None if value != value else value for value in alone]
        return {**replace(found, n=persons, unit="patient and fit").to_json(), "each_fit": each}


def _mean_over_fits(of_one: Statistic, persons: int) -> Callable[[np.ndarray, Any], np.ndarray]:
    """The first columns of the weights say how often a person was drawn, the rest how often a fit."""

    def statistic(weights: np.ndarray, values: Any) -> np.ndarray:
        drawn, times = weights[:, :persons], weights[:, persons:]
        each = np.stack([of_one(drawn, one) for one in values], axis=1)
        return np.asarray((each * times).sum(axis=1) / times.sum(axis=1))

    return statistic
