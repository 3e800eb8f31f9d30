"""A variant beside the whole detector on the same patients: each one's figures, and the difference paired by patient.

Every variant is fitted several times, with the same seeds as the whole detector. A figure is the mean over its fits;
its interval redraws patients and fits, because another seed can change as much as another patient.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

import validation.scoring
from validation.lab import in_common
from validation.scoring import Case, Scorer, clinical, code_digest, resting
from validation.uncertainty import MIN_DRAWS, PairWins, Statistic, interval_of, patient_draws, pooled_auc

Fits = Mapping[int, Sequence[Case]]
"""What each fit of a variant said of every recording, by the number of its seed."""


def figures(fits: Fits, seed: int, draws: int = MIN_DRAWS) -> dict[str, Any]:
    """Area under the ROC curve of all seconds, and the same with silence counted as not knowing, with 95 % intervals."""
    first = next(iter(fits.values()))
    weights = _weights(first, len(fits), seed, draws)
    labels = clinical.trends(first)[0]
    seizing, seconds = (np.array([float(how(own)) for own in labels]) for how in (np.sum, len))
    pairs = [PairWins.of(*clinical.trends(cases)) for cases in fits.values()]
    asked = [own.asked(seizing, seconds - seizing) for own in pairs]
    assessed = sum(int(c.assessed.sum()) for c in first)
    return {
        "scorer": scorer(seed, draws).to_json(),
        "rests_on": resting(len(labels), assessed, seconds.sum()),
        "fits": len(fits),
        "auc": _interval(pairs, pooled_auc, weights),
        "auc_all_seconds": _interval(asked, pooled_auc, weights),
    }


def change(own: Fits, whole: Fits, seed: int, draws: int = MIN_DRAWS) -> dict[str, Any]:
    """The variant's AUC minus that of the whole detector, on the seconds that both assessed, paired by patient and seed.

    Below 0: the detector does worse in this variant. Law: a variant that says the same differs by 0. Refuses fits that
    share no seed.
    """
    seeds = sorted(set(own) & set(whole))
    if not seeds:
        raise ValueError("the variant and the whole detector share no seed: fit both with the same ones")
    common = [in_common(own[s], whole[s]) for s in seeds]
    pairs = [tuple(PairWins.of(*clinical.trends(cases)) for cases in both) for both in common]
    weights = _weights(common[0][0], len(seeds), seed, draws)
    return _interval(pairs, lambda drawn, two: pooled_auc(drawn, two[0]) - pooled_auc(drawn, two[1]), weights)


def scorer(seed: int, draws: int) -> Scorer:
    policy = {
        "unit": "person and fit",
        "strata": "site",
        "paired_by": "person and seed of the fit",
        "rate_hz": 1,
        "seed": seed,
        "draws": draws,
    }
    return Scorer("ablation", "1", code_digest([validation.scoring, __file__]), policy)


def excludes_zero(interval: Mapping[str, Any]) -> bool:
    """Whether an interval of a difference lies on one side of 0; one that does not exist lies on none."""
    low, high = interval["low"], interval["high"]
    return low is not None and high is not None and (low > 0 or high < 0)


def _weights(cases: Sequence[Case], fits: int, seed: int, draws: int) -> tuple[np.ndarray, np.ndarray]:
    """How often each person and each fit was drawn: (draws, persons) and (draws, fits)."""
    sites = ["+".join(sorted({c.site for c in own})) for own in clinical.people(cases).values()]
    rng = np.random.default_rng(seed)
    return patient_draws(sites, rng, draws), rng.multinomial(fits, np.full(fits, 1 / fits), size=draws)


def _interval(values: Sequence[Any], of_one: Statistic, weights: tuple[np.ndarray, np.ndarray]) -> dict[str, Any]:
    """The mean over fits with its interval over persons and fits, and the figure of each fit."""
    persons = weights[0].shape[1]
    found = interval_of(values, _mean_over_fits(of_one, persons), np.concatenate(weights, axis=1))
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
