"""Whether a detector agrees with experts as well as experts agree with each other (κ and Δκ: `validation.kappa`).

Everything is counted in seconds that the detector assessed, for experts too, and marks shorter than a seizure lasts by
definition are left out for experts and detector alike. Who did not look at a recording did not say that it is free of
seizures: experts are compared on the recordings that all of them have read. A wide interval of Δκ passes by being
wide, so its half width stands beside it: 79 neonates give about 0.02.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from data.events import Annotations
from data.outcomes import Refusal
from validation.kappa import cohen_kappa, delta_kappa, fleiss_kappa, kappa_per_person, rating_counts
from validation.scoring import Case, Scorer, clinical, code_digest, resting, spans
from validation.uncertainty import finite, interval_of, mean_over_patients

SHORTEST_S = 10.0
"""Shorter rhythms are no neonatal seizures by definition (ACNS, Tsuchida et al. 2013)."""
ROUNDING_S = 1.0

Experts = Mapping[str, Mapping[str, Annotations]]
"""Recording → expert → what that expert marked there."""


def long_enough(annotations: Annotations, shortest_s: float = SHORTEST_S) -> Annotations:
    """The events of at least `shortest_s`; events that touch or overlap count as one.

    Policy: experts and detector are treated alike, or a detector would be praised for the marks that are dropped.
    """
    kept = [(start, end) for start, end in spans(annotations) if end - start >= shortest_s - 1e-6]
    events = (e for e in annotations.events if any(start <= e.onset_s and e.end_s <= end for start, end in kept))
    return Annotations(tuple(events), annotations.duration_s)


def mask_of(annotations: Annotations, case: Case, shortest_s: float) -> np.ndarray:
    """Bool (seconds,) of the case's recording; refuses (`corrupt`) what was marked in a recording of another length."""
    seconds = len(case.trend)
    if abs(annotations.duration_s - seconds) > ROUNDING_S:
        raise Refusal(
            "corrupt",
            f"annotations of {case.recording} state {annotations.duration_s:g} s, the recording has {seconds} s: they "
            "belong to another recording",
        )
    mask = long_enough(annotations, shortest_s).to_mask(1.0)[:seconds]
    return np.pad(mask, (0, seconds - len(mask)))


def masks_of(cases: Sequence[Case], raters: Sequence[Mapping[str, Annotations]], shortest_s: float) -> list[np.ndarray]:
    """(raters, seconds) of each recording, on the seconds that the detector assessed; a rater maps recording to marks."""
    return [np.stack([mask_of(r[c.recording], c, shortest_s) for r in raters])[:, c.assessed] for c in cases]


def of_cases(experts: Experts, cases: Sequence[Case]) -> Experts:
    """What was marked in the recordings of `cases` only."""
    return {c.recording: experts[c.recording] for c in cases if c.recording in experts}


def names_of(experts: Experts) -> tuple[str, ...]:
    """Every expert of any recording, in order of the names."""
    return tuple(sorted({name for marked in experts.values() for name in marked}))


def read_by_all(cases: Sequence[Case], experts: Experts) -> list[Case]:
    """The recordings that every expert has read: who did not look at a recording did not say that it is free."""
    names = set(names_of(experts))
    return [c for c in cases if names and names <= set(experts.get(c.recording, ()))]


def by_expert(experts: Experts) -> list[dict[str, Annotations]]:
    """For each expert (in order of the names) what was marked in each recording."""
    return [{rec: marked[name] for rec, marked in experts.items() if name in marked} for name in names_of(experts)]


def rests_on(groups: Iterable[Sequence[Case]]) -> dict[str, Any]:
    """Of how many persons, recordings and assessed hours a figure is; each person's recordings are one group."""
    held = [group for group in groups if group]
    cases = [case for group in held for case in group]
    assessed_s, recorded_s = sum(int(c.assessed.sum()) for c in cases), sum(len(c.trend) for c in cases)
    return {**resting(len(held), assessed_s, recorded_s), "recordings": len(cases)}


def figures(
    cases: Sequence[Case], experts: Experts, weights: np.ndarray, *, shortest_s: float = SHORTEST_S
) -> dict[str, Any]:
    """Agreement of the detector with the reference and with each expert, of experts among themselves, and Δκ.

    `weights` (draws, persons) with persons in the order of `clinical.people`. Only seconds that the detector assessed
    count, for experts too; only recordings that every expert has read count for experts. With fewer than two experts
    Fleiss' κ and Δκ are not evaluable.
    """
    people, experts = clinical.people(cases), of_cases(experts, cases)
    both = [{c.recording: c.reference for c in cases}, {c.recording: c.hypothesis for c in cases}]
    reference = rating_counts([masks_of(group, both, shortest_s) for group in people.values()], 2)
    names, raters = names_of(experts), [*by_expert(experts), both[1]]
    shared = [read_by_all(group, experts) for group in people.values()]
    ratings = rating_counts([masks_of(group, raters, shortest_s) for group in shared], len(raters))
    return {
        "scorer": scorer(shortest_s).to_json(),
        "experts": list(names),
        "rests_on": rests_on(people.values()),
        "read_by_all": rests_on(shared),
        "shorter_events_dropped": _dropped(cases, experts, shortest_s),
        "with_reference": _pair(reference, 0, 1, weights),
        "with_experts": {name: _pair(ratings, n, len(names), weights) for n, name in enumerate(names)},
        "between_experts": _between(ratings, names, weights),
        "delta_kappa": _delta(ratings, names, weights),
        "per_person": _per_person(list(people), reference, ratings, len(names)),
    }


def scorer(shortest_s: float = SHORTEST_S) -> Scorer:
    """Who made these figures: which seconds and events (`shortest_s`) count, how κ is pooled, and when Δκ passes."""
    policy = {
        "rate_hz": 1,
        "seconds": "assessed by the detector",
        "shortest_event_s": shortest_s,
        "fleiss": "seconds of all patients pooled",
        "delta_kappa": "experts minus mean of one expert replaced by the detector",
        "passes": "interval includes or lies below 0",
    }
    return Scorer("agreement", "1", code_digest([__file__]), policy)


def _pair(counts: np.ndarray, first: int, second: int, weights: np.ndarray) -> dict[str, Any]:
    kappa = cohen_kappa(first, second)
    alone = kappa_per_person(counts, kappa)
    return {
        "kappa": interval_of(counts, kappa, weights).to_json(),
        "kappa_patient_mean": interval_of(alone, mean_over_patients, weights).to_json(),
        "evaluable_persons": int(np.isfinite(alone).sum()),
    }


def _between(counts: np.ndarray, names: Sequence[str], weights: np.ndarray) -> dict[str, Any]:
    if reason := _too_few(counts, names):
        return {"not_evaluable": reason}
    pairs = combinations(range(len(names)), 2)
    return {
        "fleiss_kappa": interval_of(counts, fleiss_kappa(range(len(names))), weights).to_json(),
        "pairs": [{"experts": [names[a], names[b]], **_pair(counts, a, b, weights)} for a, b in pairs],
    }


def _delta(counts: np.ndarray, names: Sequence[str], weights: np.ndarray) -> dict[str, Any]:
    if reason := _too_few(counts, names):
        return {"not_evaluable": reason}
    experts = range(len(names))
    found = interval_of(counts, delta_kappa(experts, len(names)), weights)
    if not np.isfinite(found.low):
        return {"not_evaluable": f"no interval from {found.n} persons: nobody marked anything, or one person only"}
    replaced = {
        name: interval_of(counts, delta_kappa(experts, len(names), [n]), weights).to_json()
        for n, name in enumerate(names)
    }
    half_width = (found.high - found.low) / 2
    return {**found.to_json(), "half_width": half_width, "passes": bool(found.low <= 0), "replaced": replaced}


def _too_few(counts: np.ndarray, names: Sequence[str]) -> str:
    if len(names) < 2:
        said = {0: "one expert: the reference", 1: "one expert beside the reference"}[len(names)]
        return f"{said}; agreement between experts needs at least two"
    return "" if counts.sum() else f"no assessed second was read by all {len(names)} experts"


def _dropped(cases: Sequence[Case], experts: Experts, shortest_s: float) -> dict[str, int]:
    """How many events the policy left out: a detector of short events is not to gain by it unseen."""

    def left_out(annotations: Annotations) -> int:
        return len(annotations.events) - len(long_enough(annotations, shortest_s).events)

    return {
        "reference": sum(left_out(c.reference) for c in cases),
        "detector": sum(left_out(c.hypothesis) for c in cases),
        "experts": sum(left_out(a) for marked in experts.values() for a in marked.values()),
    }


def _per_person(
    persons: Sequence[str], reference: np.ndarray, ratings: np.ndarray, experts: int
) -> list[dict[str, Any]]:
    """κ of each person alone, and why one does not exist."""
    own = kappa_per_person(reference, cohen_kappa(0, 1))
    between = kappa_per_person(ratings, fleiss_kappa(range(experts))) if experts > 1 else np.full(len(persons), np.nan)
    alone = "fewer than two experts" if experts < 2 else ""
    rows = []
    for person, k, f, seconds, read in zip(persons, own, between, reference.sum(1), ratings.sum(1), strict=True):
        reasons = {
            "with_reference": ALIKE if seconds else "no assessable second",
            "between_experts": alone or (ALIKE if read else "no assessed second was read by all experts"),
        }
        row = {"person": person, "with_reference": finite(k), "between_experts": finite(f)}
        rows.append({**row, "not_evaluable": {name: why for name, why in reasons.items() if row[name] is None}})
    return rows


ALIKE = "nobody marked a second, or everybody all of them"
