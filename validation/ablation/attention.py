"""Does attention look where the seizure is? Weights on ictal derivations, and on an electrode that was disturbed.

A seizure is hit where one of the three derivations of most weight is ictal. Seizures are of different width, so that
chance differs: three derivations drawn blindly hit one of `k` among `n` in 1 − C(n−k, 3) / C(n, 3) of draws.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np

from validation.ablation.redraws import Redraws
from validation.scoring import Scorer, code_digest
from validation.uncertainty import MIN_DRAWS, ratio_of_sums

TOP = 3


@dataclass(frozen=True)
class Focus:
    """One seizure, (derivations,) each: mean weight and log power over its windows, and which are ictal (bool)."""

    person: str
    site: str
    weights: np.ndarray
    loudness: np.ndarray
    ictal: np.ndarray


@dataclass(frozen=True)
class Disturbed:
    """One injected artefact: mean weights without and with it, the derivations that share its electrode (bool), each
    (derivations,), and the mean probability (0–1) of a seizure without and with it."""

    person: str
    site: str
    kind: str
    before: np.ndarray
    after: np.ndarray
    touched: np.ndarray
    probability: tuple[float, float]


def hits(values: np.ndarray, ictal: np.ndarray, top: int = TOP) -> int:
    """How many of the `top` largest values (derivations,) are of derivations that are `ictal`, bool (derivations,)."""
    return int(np.asarray(ictal, dtype=bool)[np.argsort(-np.asarray(values), kind="stable")[:top]].sum())


def chance_of_a_hit(ictal: int, among: int, top: int = TOP) -> float:
    """How often (0–1) `top` of `among` derivations, drawn blindly, hold at least one of the `ictal` ones."""
    return 1 - comb(among - ictal, top) / comb(among, top)


def on_foci(fits: Sequence[Sequence[Focus]], seed: int, draws: int = MIN_DRAWS) -> dict[str, Any]:
    """Hit rate, hits of three and weight on ictal derivations, each beside what blind or equal weights would give.

    `fits`: of each fit the same seizures. `loudest` is the obvious alternative: the three derivations of most power.
    Intervals redraw persons and fits.
    """
    seizures = fits[0] if fits else ()
    named: dict[str, Any] = {"scorer": scorer(seed, draws).to_json(), "seizures": len(seizures)}
    if not seizures:
        return {**named, "not_evaluable": "no seizure states its derivations"}
    persons = _Persons.of(fits, seed, draws)
    return {
        **named,
        "persons": len(persons.names),
        "derivations": len(seizures[0].ictal),
        "ictal_derivations_median": float(np.median([s.ictal.sum() for s in seizures])),
        "hit_by_chance": persons.mean(_chance),
        "hits_of_three_by_chance": persons.mean(lambda s: TOP * s.ictal.mean(), (0.0, TOP)),
        "mass": persons.mean(_mass),
        "mass_of_equal_weights": persons.mean(lambda s: s.ictal.mean()),
        "mass_to_equal": persons.ratio(_mass, lambda s: s.ictal.mean()),
        "attention": _hit(persons, lambda s: hits(s.weights, s.ictal)),
        "loudest": _hit(persons, lambda s: hits(s.loudness, s.ictal)),
    }


def on_artefacts(fits: Sequence[Sequence[Disturbed]], seed: int, draws: int = MIN_DRAWS) -> dict[str, Any]:
    """By kind of artefact: weight on the derivations that share the electrode without and with it, and the difference."""
    kinds = sorted({i.kind for own in fits for i in own})
    of_kind = {kind: [[i for i in own if i.kind == kind] for own in fits] for kind in kinds}
    return {"scorer": scorer(seed, draws).to_json(), **{k: _kind(own, seed, draws) for k, own in of_kind.items()}}


def scorer(seed: int, draws: int) -> Scorer:
    """Who made these figures: of how many derivations of most weight (`TOP`), over persons and fits, by which draws."""
    policy = {"top": TOP, "unit": "person and fit", "seed": seed, "draws": draws}
    return Scorer("attention", "2", code_digest([__file__]), policy)


def _mass(seizure: Focus) -> float:
    return float(seizure.weights[seizure.ictal].sum())


def _chance(seizure: Focus) -> float:
    return chance_of_a_hit(int(seizure.ictal.sum()), len(seizure.ictal))


def _hit(persons: "_Persons", found: Callable[[Focus], int]) -> dict[str, Any]:
    return {
        "hit": persons.mean(lambda s: found(s) > 0),
        "above_chance": persons.mean(lambda s: (found(s) > 0) - _chance(s), EITHER_WAY),
        "hits_of_three": persons.mean(found, (0.0, TOP)),
    }


def _kind(fits: Sequence[Sequence[Disturbed]], seed: int, draws: int) -> dict[str, Any]:
    persons = _Persons.of(fits, seed, draws)

    def before(i: Disturbed) -> float:
        return float(i.before[i.touched].sum())

    def after(i: Disturbed) -> float:
        return float(i.after[i.touched].sum())

    def equal(i: Disturbed) -> float:
        return float(i.touched.mean())

    return {
        "injections": len(fits[0]),
        "persons": len(persons.names),
        "mass_before": persons.mean(before),
        "mass_after": persons.mean(after),
        "difference": persons.mean(lambda i: after(i) - before(i), EITHER_WAY),
        "mass_of_equal_weights": persons.mean(equal),
        "before_to_equal": persons.ratio(before, equal),
        "after_to_equal": persons.ratio(after, equal),
        "probability_before": persons.mean(lambda i: i.probability[0]),
        "probability_after": persons.mean(lambda i: i.probability[1]),
        "probability_difference": persons.mean(lambda i: i.probability[1] - i.probability[0], EITHER_WAY),
    }


EITHER_WAY = (-1.0, 1.0)
"""Within this lies the difference of two shares."""


@dataclass(frozen=True)
class _Persons:
    """Means over rows (seizures, injections) of every fit, whose intervals redraw the persons that they belong to."""

    names: list[str]
    fits: Sequence[Sequence[Any]]
    redraws: Redraws

    @classmethod
    def of(cls, fits: Sequence[Sequence[Any]], seed: int, draws: int) -> "_Persons":
        sites: Mapping[str, str] = {row.person: row.site for own in fits for row in own}
        names = sorted(sites)
        return cls(names, fits, Redraws.of([sites[n] for n in names], seed, draws))

    def mean(self, of: Callable[[Any], float], within: tuple[float, float] = (0.0, 1.0)) -> dict[str, Any]:
        return self.ratio(of, lambda row: 1.0, within)

    def ratio(
        self, of: Callable[[Any], float], to: Callable[[Any], float], within: tuple[float, float] = (0.0, np.inf)
    ) -> dict[str, Any]:
        """Σ of / Σ to over all rows of a fit, mean over fits."""
        return self.redraws.interval([self._sums(own, of, to) for own in self.fits], ratio_of_sums, within)

    def _sums(self, rows: Sequence[Any], of: Callable[[Any], float], to: Callable[[Any], float]) -> np.ndarray:
        sums = np.zeros((len(self.names), 2))
        for row in rows:
            sums[self.names.index(row.person)] += of(row), to(row)
        return sums
