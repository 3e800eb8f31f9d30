"""How much seizure a detector finds beside how much experts mark: per hour, in all, and in the worst hour.

Treatment follows the burden, so a detector has to get it right patient by patient: Bland and Altman's (1986) mean
difference and limits of agreement beside Pearson's r, which a detector that always says the double would pass. The
worst hour is any 60 consecutive minutes: recordings carry no clock that could cut them into hours.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from data.events import Annotations
from validation.agreement import SHORTEST_S, Experts, by_expert, mask_of, names_of, of_cases, read_by_all, rests_on
from validation.scoring import Case, Scorer, clinical, code_digest
from validation.scoring.measures import pearson_statistic
from validation.uncertainty import Statistic, interval_of, mean_over_patients

MEASURES = ("min_per_h", "total_min", "max_hourly_min")
LIMIT_SD = 1.96
"""Limits of agreement: between them lie 95 % of normally distributed differences."""


def burdens(groups: Sequence[Sequence[Case]], rater: Mapping[str, Annotations], shortest_s: float) -> np.ndarray:
    """(persons, 3) in the order of `MEASURES`, of the seconds that the detector assessed; NaN where there are none."""
    return np.array([_of_person(cases, rater, shortest_s) for cases in groups]).reshape(-1, len(MEASURES))


def limit_of_agreement(side: int) -> Statistic:
    """Statistic of differences (patients,): mean + side · 1.96 SD of the patients drawn, side −1 or 1."""

    def statistic(weights: np.ndarray, differences: np.ndarray) -> np.ndarray:
        known = np.isfinite(differences)
        d, w = np.where(known, differences, 0.0), weights * known
        n = w.sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = w @ d / n
            squares = (w * (d[None] - mean[:, None]) ** 2).sum(axis=1)
            return mean + side * LIMIT_SD * np.sqrt(squares / np.where(n > 1, n - 1, np.nan))

    return statistic


def agreement_of(ours: np.ndarray, theirs: np.ndarray, weights: np.ndarray) -> dict[str, Any]:
    """Two raters' burden (patients,): mean of ours − theirs with its limits of agreement, and Pearson's r."""
    difference = ours - theirs
    return {
        "mean_difference": interval_of(difference, mean_over_patients, weights).to_json(),
        "lower_limit": interval_of(difference, limit_of_agreement(-1), weights).to_json(),
        "upper_limit": interval_of(difference, limit_of_agreement(1), weights).to_json(),
        "pearson_r": interval_of(np.stack([theirs, ours], axis=1), pearson_statistic, weights).to_json(),
        "evaluable_persons": int(np.isfinite(difference).sum()),
    }


def figures(
    cases: Sequence[Case], experts: Experts, weights: np.ndarray, *, shortest_s: float = SHORTEST_S
) -> dict[str, Any]:
    """Burden of the detector minus that of the reference and of each expert; experts in pairs as the yardstick.

    `weights` (draws, persons) with persons in the order of `clinical.people`. As in `agreement`, only assessed seconds
    count, and for experts only recordings that all of them have read.
    """
    groups, experts = list(clinical.people(cases).values()), of_cases(experts, cases)
    detector = {c.recording: c.hypothesis for c in cases}
    marked = {c.recording: c.reference for c in cases}
    shared, names = [read_by_all(group, experts) for group in groups], names_of(experts)
    theirs = [burdens(shared, expert, shortest_s) for expert in by_expert(experts)]
    ours = burdens(shared, detector, shortest_s)
    pairs = combinations(range(len(names)), 2)
    all_of_it = burdens(groups, detector, shortest_s), burdens(groups, marked, shortest_s)
    return {
        "scorer": scorer(shortest_s).to_json(),
        "rests_on": rests_on(groups),
        "read_by_all": rests_on(shared),
        "with_reference": _by_measure(*all_of_it, weights),
        "with_experts": {name: _by_measure(ours, theirs[n], weights) for n, name in enumerate(names)},
        "between_experts": [
            {"experts": [names[a], names[b]], **_by_measure(theirs[a], theirs[b], weights)} for a, b in pairs
        ],
    }


def scorer(shortest_s: float = SHORTEST_S) -> Scorer:
    """Who made these figures: which seconds and events (`shortest_s`) count, what an hour is, who minus whom."""
    policy = {
        "rate_hz": 1,
        "seconds": "assessed by the detector",
        "shortest_event_s": shortest_s,
        "hour": "any 60 consecutive minutes",
        "difference": "detector minus expert; of two experts the first minus the second",
        "limit_sd": LIMIT_SD,
    }
    return Scorer("burden", "1", code_digest([__file__]), policy)


def _of_person(cases: Sequence[Case], rater: Mapping[str, Annotations], shortest_s: float) -> tuple[float, ...]:
    assessed_s = sum(int(c.assessed.sum()) for c in cases)
    if not assessed_s:
        return (np.nan,) * len(MEASURES)
    seen = [Annotations.from_mask(mask_of(rater[c.recording], c, shortest_s) & c.assessed, 1.0) for c in cases]
    minutes = sum(a.total_s() for a in seen) / 60
    return minutes / (assessed_s / 3600), minutes, max(a.max_hourly_burden_min() for a in seen)


def _by_measure(ours: np.ndarray, theirs: np.ndarray, weights: np.ndarray) -> dict[str, Any]:
    return {name: agreement_of(ours[:, n], theirs[:, n], weights) for n, name in enumerate(MEASURES)}
