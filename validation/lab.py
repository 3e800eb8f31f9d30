"""The Leakage Lab: what a split that has seen the test is worth, measured on the same patients with the same detector.

Every published headline can be re-read here: trained and scored under each regime with one seed, the only thing that
differs is what the test has in common with the training. Compared are the seconds that were assessed under both
regimes: an honest model refuses what looks strange to it, and the difference must not be one of abstaining.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

import validation.scoring
from data.events import Annotations, Event
from validation.scoring import Case, Scorer, clinical, code_digest, resting
from validation.uncertainty import (
    MIN_DRAWS,
    PairWins,
    difference,
    interval_of,
    patient_draws,
    pooled_auc,
    ratio_of_sums,
)

STEPS = (("window", "patient"), ("patient", "site"))
"""From neighbouring windows to other patients, and from other patients to other hospitals."""


def inflation(found: Mapping[str, Sequence[Case]], seed: int, draws: int = MIN_DRAWS) -> dict[str, Any]:
    """By how much the first regime of each step flatters: its figure minus that of the second, paired by patient.

    `found`: what was predicted of every recording under each regime; a step of which a regime is missing is left out.
    AUC and share of seizures found, each with its 95 % interval over patients. Refuses regimes that were not scored on
    the same recordings. Law: the same predictions under both names differ by 0.
    """
    return {
        f"{first}_to_{second}": _step(found[first], found[second], seed, draws)
        for first, second in STEPS
        if first in found and second in found
    }


def in_common(ours: Iterable[Case], theirs: Iterable[Case]) -> tuple[list[Case], list[Case]]:
    """Both, blank where either was not assessed: without what was called there, and without the seizures of which no second
    is left.

    ValueError where they are not of the same recordings.
    """
    pairs = list(zip(_by_name(ours), _by_name(theirs), strict=True))
    if any((a.recording, a.person, len(a.trend)) != (b.recording, b.person, len(b.trend)) for a, b in pairs):
        raise ValueError("the regimes were not scored on the same recordings: predict all of them under each")
    both = [(a, b, a.assessed & b.assessed) for a, b in pairs]
    return [_within(a, known) for a, _, known in both], [_within(b, known) for _, b, known in both]


def scorer(seed: int, draws: int) -> Scorer:
    """Who made these figures: paired by person on the seconds assessed under both regimes, by which draws."""
    policy = {"paired_by": "person", "seconds": "assessed under both", "seed": seed, "draws": draws}
    return Scorer("inflation", "2", code_digest([validation.scoring, __file__]), policy)


def _step(first: Sequence[Case], second: Sequence[Case], seed: int, draws: int) -> dict[str, Any]:
    ours, theirs = in_common(first, second)
    tables = [clinical.per_patient(cases) for cases in (ours, theirs)]
    weights = patient_draws(list(tables[0]["site"]), np.random.default_rng(seed), draws)
    pairs = tuple(PairWins.of(*clinical.trends(cases)) for cases in (ours, theirs))
    found = tuple(table[["detected", "seizures"]].to_numpy(dtype=float) for table in tables)
    table = tables[0]
    return {
        "scorer": scorer(seed, draws).to_json(),
        "rests_on": resting(len(table), table["assessed_s"].sum(), table["recorded_s"].sum()),
        "auc": interval_of(pairs, difference(pooled_auc), weights).to_json(),
        "event_sensitivity": interval_of(found, difference(ratio_of_sums), weights).to_json(),
    }


def _by_name(cases: Iterable[Case]) -> list[Case]:
    return sorted(cases, key=lambda c: c.recording)


def _within(case: Case, known: np.ndarray) -> Case:
    kept = tuple(e for e in case.reference.events if known[int(e.onset_s) : int(np.ceil(e.end_s))].any())
    reference = Annotations(kept, case.reference.duration_s)
    hypothesis = Annotations(_inside(case.hypothesis, known), case.hypothesis.duration_s)
    return replace(case, trend=np.where(known, case.trend, np.nan), reference=reference, hypothesis=hypothesis)


def _inside(called: Annotations, known: np.ndarray) -> tuple[Event, ...]:
    """What was called in the `known` seconds, bool (seconds,)."""
    runs = Annotations.from_mask(known, 1.0).events
    edges = ((e, max(e.onset_s, r.onset_s), min(e.end_s, r.end_s)) for e in called.events for r in runs)
    return tuple(
        replace(e, onset_s=start_s, duration_s=end_s - start_s) for e, start_s, end_s in edges if end_s > start_s
    )
