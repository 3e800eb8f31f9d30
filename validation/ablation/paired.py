"""A variant beside the whole detector on the same patients: each one's figures, and the difference paired by patient.

Every variant is fitted several times, with the same seeds as the whole detector. A figure is the mean over its fits;
its interval redraws patients and knows of the fits, because another seed can change as much as another patient.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import validation.scoring
from validation.ablation.redraws import Redraws
from validation.lab import in_common
from validation.scoring import Case, Scorer, clinical, code_digest, resting
from validation.uncertainty import MIN_DRAWS, PairWins, difference, pooled_auc

Fits = Mapping[int, Sequence[Case]]
"""What each fit of a variant said of every recording, by the number of its seed."""


def figures(fits: Fits, seed: int, draws: int = MIN_DRAWS) -> dict[str, Any]:
    """Area under the ROC curve of all seconds, and the same with silence counted as not knowing, with 95 % intervals."""
    first = next(iter(fits.values()))
    redraws = _redraws(first, seed, draws)
    trends = [clinical.trends(cases) for cases in fits.values()]
    pairs, asked = [PairWins.of(*own) for own in trends], [PairWins.of_all(*own) for own in trends]
    labels = trends[0][0]
    assessed = sum(int(c.assessed.sum()) for c in first)
    return {
        "scorer": scorer(seed, draws).to_json(),
        "rests_on": resting(len(labels), assessed, sum(map(len, labels))),
        "fits": len(fits),
        "auc": redraws.interval(pairs, pooled_auc, within=(0.0, 1.0)),
        "auc_all_seconds": redraws.interval(asked, pooled_auc, within=(0.0, 1.0)),
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
    return _redraws(common[0][0], seed, draws).interval(pairs, difference(pooled_auc), within=(-1.0, 1.0))


def scorer(seed: int, draws: int) -> Scorer:
    """Who made these figures: paired by person and seed of the fit, redrawn within sites, by which draws."""
    policy = {
        "unit": "person and fit",
        "strata": "site",
        "paired_by": "person and seed of the fit",
        "fits": "Student's t of their spread",
        "rate_hz": 1,
        "seed": seed,
        "draws": draws,
    }
    return Scorer("ablation", "2", code_digest([validation.scoring, __file__]), policy)


def excludes_zero(interval: Mapping[str, Any]) -> bool:
    """Whether an interval of a difference lies on one side of 0; one that does not exist lies on none."""
    low, high = interval["low"], interval["high"]
    return low is not None and high is not None and (low > 0 or high < 0)


def _redraws(cases: Sequence[Case], seed: int, draws: int) -> Redraws:
    sites = ["+".join(sorted({c.site for c in own})) for own in clinical.people(cases).values()]
    return Redraws.of(sites, seed, draws)
