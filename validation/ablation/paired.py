"""A variant beside the whole detector on the same patients: each one's figures, and the difference paired by patient."""

from collections.abc import Sequence
from typing import Any

import numpy as np

import validation.scoring
from validation.lab import in_common
from validation.scoring import Case, Scorer, clinical, code_digest, resting
from validation.uncertainty import MIN_DRAWS, PairWins, difference, interval_of, patient_draws, pooled_auc


def figures(cases: Sequence[Case], seed: int, draws: int = MIN_DRAWS) -> dict[str, Any]:
    """Area under the ROC curve of all seconds, and the same with silence counted as not knowing, with 95 % intervals."""
    labels, trends = clinical.trends(cases)
    pairs, weights = PairWins.of(labels, trends), _weights(cases, seed, draws)
    seizing = np.array([float(np.sum(own)) for own in labels])
    seconds = np.array([float(len(own)) for own in labels])
    assessed = sum(int(c.assessed.sum()) for c in cases)
    return {
        "scorer": scorer(seed, draws).to_json(),
        "rests_on": resting(len(labels), assessed, seconds.sum()),
        "auc": interval_of(pairs, pooled_auc, weights).to_json(),
        "auc_all_seconds": interval_of(pairs.asked(seizing, seconds - seizing), pooled_auc, weights).to_json(),
    }


def change(own: Sequence[Case], whole: Sequence[Case], seed: int, draws: int = MIN_DRAWS) -> dict[str, Any]:
    """The variant's AUC minus that of the whole detector, on the seconds that both assessed, paired by patient.

    Below 0: the detector does worse in this variant. Law: a variant that says the same differs by 0.
    """
    mine, theirs = in_common(own, whole)
    pairs = tuple(PairWins.of(*clinical.trends(cases)) for cases in (mine, theirs))
    return interval_of(pairs, difference(pooled_auc), _weights(mine, seed, draws)).to_json()


def scorer(seed: int, draws: int) -> Scorer:
    policy = {"unit": "person", "strata": "site", "paired_by": "person", "rate_hz": 1, "seed": seed, "draws": draws}
    return Scorer("ablation", "1", code_digest([validation.scoring, __file__]), policy)


def excludes_zero(interval: dict[str, Any]) -> bool:
    """Whether an interval of a difference lies on one side of 0; one that does not exist lies on none."""
    low, high = interval["low"], interval["high"]
    return low is not None and high is not None and (low > 0 or high < 0)


def _weights(cases: Sequence[Case], seed: int, draws: int) -> np.ndarray:
    sites = ["+".join(sorted({c.site for c in own})) for own in clinical.people(cases).values()]
    return patient_draws(sites, np.random.default_rng(seed), draws)
