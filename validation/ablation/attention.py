"""Does attention look where the seizure is? Weights on ictal derivations, and on an electrode that was disturbed.

A seizure is hit where one of the three derivations of most weight is ictal. Seizures are of different width, so that
chance differs: three derivations drawn blindly hit one of `k` among `n` in 1 − C(n−k, 3) / C(n, 3) of draws.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np

from validation.scoring import Scorer, code_digest
from validation.uncertainty import MIN_DRAWS, interval_of, patient_draws, ratio_of_sums

TOP = 3


@dataclass(frozen=True)
class Focus:
    """One seizure: mean weight and mean log power of every derivation over its windows, and which are ictal (bool)."""

    person: str
    site: str
    weights: np.ndarray
    loudness: np.ndarray
    ictal: np.ndarray


@dataclass(frozen=True)
class Disturbed:
    """One injected artefact: mean weights without and with it, the derivations that share its electrode (bool), and
    the mean probability of a seizure without and with it."""

    person: str
    site: str
    kind: str
    before: np.ndarray
    after: np.ndarray
    touched: np.ndarray
    probability: tuple[float, float]


def hits(values: np.ndarray, ictal: np.ndarray, top: int = TOP) -> int:
    """How many of the `top` largest values are of ictal derivations."""
    return int(np.asarray(ictal, dtype=bool)[np.argsort(-np.asarray(values), kind="stable")[:top]].sum())


def chance_of_a_hit(ictal: int, among: int, top: int = TOP) -> float:
    """How often `top` derivations drawn blindly hold at least one ictal one."""
    return 1 - comb(among - ictal, top) / comb(among, top)


def on_foci(seizures: Sequence[Focus], seed: int, draws: int = MIN_DRAWS, repeats: int = 1) -> dict[str, Any]:
    """Hit rate, hits of three and weight on ictal derivations, each beside what blind or equal weights would give.

    `loudest` is the obvious alternative: the three derivations of most power. Intervals redraw persons. Rows
    of several fits (`repeats`) of the same seizures count together, each seizure once.
    """
    named: dict[str, Any] = {
        "scorer": scorer(seed, draws).to_json(),
        "seizures": len(seizures) // repeats,
        "fits": repeats,
    }
    if not seizures:
        return {**named, "not_evaluable": "no seizure states its derivations"}
    among = len(seizures[0].weights)
    rows = {
        "attention": np.array([hits(s.weights, s.ictal) for s in seizures]),
        "loudest": np.array([hits(s.loudness, s.ictal) for s in seizures]),
    }
    width = np.array([int(s.ictal.sum()) for s in seizures])
    chance = np.array([chance_of_a_hit(k, among) for k in width])
    mass = np.array([float(s.weights[s.ictal].sum()) for s in seizures])
    summed = _Summed.of(seizures, seed, draws)
    return {
        **named,
        "persons": summed.persons,
        "derivations": among,
        "ictal_derivations_median": float(np.median(width)),
        "hit_by_chance": summed.mean(chance),
        "hits_of_three_by_chance": summed.mean(TOP * width / among),
        "mass": summed.mean(mass),
        "mass_of_equal_weights": summed.mean(width / among),
        "mass_to_equal": summed.ratio(mass, width / among),
        **{name: _hit(summed, own, chance) for name, own in rows.items()},
    }


def on_artefacts(
    injections: Sequence[Disturbed], seed: int, draws: int = MIN_DRAWS, repeats: int = 1
) -> dict[str, Any]:
    """By kind of artefact: weight on the derivations that share the electrode without and with it, and the difference."""
    kinds = {kind: [i for i in injections if i.kind == kind] for kind in sorted({i.kind for i in injections})}
    return {
        "scorer": scorer(seed, draws).to_json(),
        **{k: _kind(own, seed, draws, repeats) for k, own in kinds.items()},
    }


def scorer(seed: int, draws: int) -> Scorer:
    return Scorer(
        "attention", "1", code_digest([__file__]), {"top": TOP, "unit": "person", "seed": seed, "draws": draws}
    )


def _hit(summed: "_Summed", own: np.ndarray, chance: np.ndarray) -> dict[str, Any]:
    return {
        "hit": summed.mean(own > 0),
        "above_chance": summed.mean((own > 0) - chance),
        "hits_of_three": summed.mean(own),
    }


def _kind(own: Sequence[Disturbed], seed: int, draws: int, repeats: int) -> dict[str, Any]:
    summed = _Summed.of(own, seed, draws)
    before, after = (np.array([float(w[i.touched].sum()) for w, i in _pairs(own, which)]) for which in (0, 1))
    equal = np.array([i.touched.sum() / len(i.touched) for i in own])
    first, second = np.array([i.probability for i in own]).T
    return {
        "injections": len(own) // repeats,
        "persons": summed.persons,
        "mass_before": summed.mean(before),
        "mass_after": summed.mean(after),
        "difference": summed.mean(after - before),
        "mass_of_equal_weights": summed.mean(equal),
        "before_to_equal": summed.ratio(before, equal),
        "after_to_equal": summed.ratio(after, equal),
        "probability_before": summed.mean(first),
        "probability_after": summed.mean(second),
        "probability_difference": summed.mean(second - first),
    }


def _pairs(own: Sequence[Disturbed], which: int) -> list[tuple[np.ndarray, Disturbed]]:
    return [((i.before, i.after)[which], i) for i in own]


@dataclass(frozen=True)
class _Summed:
    """Means over rows (seizures, injections) whose intervals redraw the persons that they belong to."""

    member: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, rows: Sequence[Focus] | Sequence[Disturbed], seed: int, draws: int) -> "_Summed":
        sites: Mapping[str, str] = {row.person: row.site for row in rows}
        names = sorted(sites)
        drawn = patient_draws([sites[n] for n in names], np.random.default_rng(seed), draws)
        return cls(np.array([[row.person == name for row in rows] for name in names], dtype=float), drawn)

    @property
    def persons(self) -> int:
        return len(self.member)

    def mean(self, values: np.ndarray) -> dict[str, Any]:
        return self.ratio(values, np.ones(len(values)))

    def ratio(self, values: np.ndarray, to: np.ndarray) -> dict[str, Any]:
        table = np.stack(
            [self.member @ np.asarray(values, dtype=float), self.member @ np.asarray(to, dtype=float)], axis=1
        )
        return interval_of(table, ratio_of_sums, self.weights).to_json()
