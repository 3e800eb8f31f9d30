"""Who is better, and whether that hangs on how patients are averaged rather than on the detectors.

SzCORE's scores can be pooled over all patients, averaged with undetected patients as 0, or, as until 2026-01, averaged
without them. When the community's table moved from the last to the second, the leaders of one dataset changed places
(0.821 and 0.814 became 0.706 and 0.820). So every order is given under each policy, and a flip is said aloud.

False alarms are ordered per 24 h that a detector assessed. SzCORE's own rate is per 24 h recorded, by which whoever refuses
most leads; it stands beside ours in every result, and orders nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations, pairwise, product
from typing import Any, get_args

import numpy as np
import pandas as pd

from lineage.refused import Refused
from validation.scoring import Case, clinical, szcore
from validation.scoring.szcore import ALARMS, ALARMS_ASSESSED, METRICS, UNITS, Averaging, Unit
from validation.uncertainty import patient_draws

POLICIES: tuple[Averaging, ...] = get_args(Averaging)
SAID = {
    "pooled": "pooled over patients",
    "patient_mean": "as the mean over patients with undetected ones as 0",
    "legacy_patient_mean": "as the mean over patients without undetected ones (SzCORE until 2026-01)",
}
MEASURES = {
    "sensitivity": "Sensitivity",
    "precision": "Precision",
    "f1": "F1",
    ALARMS_ASSESSED: "False alarms per 24 h assessed",
}
UNIT = {"event": "events", "sample": "seconds"}
LOWER_IS_BETTER = (ALARMS_ASSESSED,)
RANKED: dict[Unit, tuple[str, ...]] = {
    unit: tuple(ALARMS_ASSESSED if measure == ALARMS else measure for measure in METRICS[unit]) for unit in UNITS
}
"""What detectors are ordered by."""
REPORTABLE = ("patient", "site")
COUNTS = "szcore_per_person"
"""Where a result keeps what `person_counts` makes; without it there are orders and flips, but no probabilities."""
TIE = 1e-12


class NotComparable(Refused):
    """Results that no order can be made of: other recordings, another scorer, or a leaky split."""


@dataclass(frozen=True)
class Lead:
    """One detector before another. `by` is how much better, ≥ 0 in the measure's unit.

    `reversed_in`: the share of paired redraws of patients in which the order is the other way round (a tie is half);
    None where the results do not hold counts per person.
    """

    ahead: str
    behind: str
    by: float
    reversed_in: float | None


@dataclass(frozen=True)
class Ranking:
    """The order under one policy, best first; detectors with equal figures share a place, those without have none."""

    unit: Unit
    measure: str
    policy: Averaging
    places: tuple[tuple[str, ...], ...]
    without: tuple[str, ...]
    figures: dict[str, float]
    leads: tuple[Lead, ...]


@dataclass(frozen=True)
class Flip:
    """Two detectors whose order depends on the policy: `lead` under `policy`, the reverse `other_lead` under another."""

    unit: Unit
    measure: str
    policy: Averaging
    lead: Lead
    other_policy: Averaging
    other_lead: Lead

    @property
    def sentence(self) -> str:
        """What either policy says of the two, in one sentence."""
        return (
            f"{MEASURES[self.measure]} of {UNIT[self.unit]}: {SAID[self.policy]}, {_said(self.lead)}; "
            f"{SAID[self.other_policy]}, {_said(self.other_lead)}."
        )


@dataclass(frozen=True)
class Rankings:
    """All orders and what depends on the policy alone."""

    detectors: tuple[str, ...]
    rankings: tuple[Ranking, ...]
    flips: tuple[Flip, ...]

    @property
    def sentence(self) -> str:
        """What a reader must know, in a sentence or two; an F1 of events comes before other measures."""
        if not self.flips:
            return (
                f"No two of {len(self.detectors)} detectors change places between pooling patients, averaging them, "
                "and leaving undetected ones out."
            )
        first = min(self.flips, key=lambda f: (f.measure != "f1", f.unit != "event"))
        more = len(self.flips) - 1
        return first.sentence + (f" The order depends on the policy in {more} more cases." if more else "")

    def to_json(self) -> dict[str, Any]:
        """All orders and flips, with the sentences that tell of them."""
        flips = [asdict(flip) | {"sentence": flip.sentence} for flip in self.flips]
        rankings = [asdict(ranking) for ranking in self.rankings]
        return {"detectors": list(self.detectors), "sentence": self.sentence, "rankings": rankings, "flips": flips}


def rank(results: Mapping[str, Mapping[str, Any]]) -> Rankings:
    """Order detectors by all of `RANKED` under every policy; `results` as of `validation.evaluation.evaluate`.

    Laws: renaming detectors renames the ranking; detectors with equal results share places and never flip. Refuses
    results of fewer than two detectors, of a split that leaks, of other reference events, or by another scorer.
    """
    _comparable(results)
    paired = _Paired.of(results)
    rankings = [
        _ranking(results, unit, measure, policy, paired)
        for unit in UNITS
        for measure in RANKED[unit]
        for policy in POLICIES
    ]
    return Rankings(tuple(sorted(results)), tuple(rankings), tuple(_flips(rankings, paired)))


def person_counts(cases: Sequence[Case]) -> dict[str, Any]:
    """What redrawing patients needs: each person's SzCORE counts, hours assessed and site, as plain JSON."""
    table = szcore.of_persons(cases)
    sites = {person: "+".join(sorted({c.site for c in own})) for person, own in clinical.people(cases).items()}
    rows = {str(person): row for person, row in table.astype(float).to_dict("index").items()}
    return {
        "scorer": szcore.scorer("pooled").to_json(),
        "persons": [{"person": person, "site": sites[person], **row} for person, row in rows.items()],
    }


@dataclass(frozen=True)
class _Paired:
    """The same redraws of the same patients for every detector; empty tables where a result holds no counts."""

    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    weights: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))

    @classmethod
    def of(cls, results: Mapping[str, Mapping[str, Any]]) -> "_Paired":
        if any(COUNTS not in result for result in results.values()):
            return cls()
        tables = {n: pd.DataFrame(r[COUNTS]["persons"]).set_index("person").sort_index() for n, r in results.items()}
        first, stated = next(iter(tables.values())), next(iter(results.values()))["uncertainty"]
        if any(not table.index.equals(first.index) for table in tables.values()):
            raise NotComparable("the results are of other persons: evaluate all detectors on the same recordings")
        rng = np.random.default_rng(stated["seed"])
        return cls(tables, patient_draws(list(first["site"]), rng, stated["draws"]))

    def reversed_in(self, ahead: str, behind: str, unit: Unit, measure: str, policy: Averaging) -> float | None:
        if not self.tables:
            return None
        score = szcore.statistic(measure, policy, unit)
        margin = score(self.weights, self.tables[ahead]) - score(self.weights, self.tables[behind])
        margin = (-margin if measure in LOWER_IS_BETTER else margin)[np.isfinite(margin)]
        return float(((margin < -TIE) + 0.5 * (np.abs(margin) <= TIE)).mean()) if len(margin) else None


def _comparable(results: Mapping[str, Mapping[str, Any]]) -> None:
    if len(results) < 2:
        raise NotComparable(f"an order needs at least two detectors, got {len(results)}: evaluate another")
    for name, result in results.items():
        regime = result["of"].get("regime")
        if regime not in REPORTABLE:
            raise NotComparable(f"{name} was evaluated under {regime}: rank results under {' or '.join(REPORTABLE)}")
    for what, where in (
        ("under another regime", lambda r: r["of"].get("regime")),
        ("on other recordings", lambda r: r["digests"]["references"]),
        ("by another scorer", lambda r: [r["szcore"][policy]["scorer"] for policy in POLICIES]),
    ):
        first, *others = results
        for name in others:
            if where(results[name]) != where(results[first]):
                raise NotComparable(f"{name} was evaluated {what} than {first}: run `ictal evaluate` again for both")


def _ranking(
    results: Mapping[str, Mapping[str, Any]], unit: Unit, measure: str, policy: Averaging, paired: _Paired
) -> Ranking:
    stated = {name: results[name]["szcore"][policy][unit][measure]["estimate"] for name in sorted(results)}
    figures = {name: float(value) for name, value in stated.items() if value is not None}
    places = _places(figures, lower_first=measure in LOWER_IS_BETTER)
    leads = [
        Lead(a, b, abs(figures[a] - figures[b]), paired.reversed_in(a, b, unit, measure, policy))
        for above, below in pairwise(places)
        for a, b in product(above, below)
    ]
    return Ranking(unit, measure, policy, places, tuple(sorted(set(stated) - set(figures))), figures, tuple(leads))


def _places(figures: Mapping[str, float], lower_first: bool) -> tuple[tuple[str, ...], ...]:
    """Names by figure, best first; a figure within `TIE` of the one before shares its place."""
    places: list[list[str]] = []
    for name in sorted(figures, key=lambda n: (figures[n] if lower_first else -figures[n], n)):
        if places and abs(figures[places[-1][-1]] - figures[name]) <= TIE:
            places[-1].append(name)
        else:
            places.append([name])
    return tuple(tuple(sorted(place)) for place in places)


def _flips(rankings: Sequence[Ranking], paired: _Paired) -> list[Flip]:
    return [
        Flip(one.unit, one.measure, one.policy, lead, other.policy, other_lead)
        for one, other in combinations(rankings, 2)
        if (one.unit, one.measure) == (other.unit, other.measure)
        for a, b in combinations(sorted(one.figures.keys() & other.figures.keys()), 2)
        for lead, other_lead in [(_lead(one, a, b, paired), _lead(other, a, b, paired))]
        if min(lead.by, other_lead.by) > TIE and lead.ahead != other_lead.ahead
    ]


def _lead(ranking: Ranking, a: str, b: str, paired: _Paired) -> Lead:
    margin = ranking.figures[a] - ranking.figures[b]
    better = margin < 0 if ranking.measure in LOWER_IS_BETTER else margin > 0
    ahead, behind = (a, b) if better else (b, a)
    return Lead(
        ahead,
        behind,
        abs(margin),
        paired.reversed_in(ahead, behind, ranking.unit, ranking.measure, ranking.policy),
    )


def _said(lead: Lead) -> str:
    doubt = "" if lead.reversed_in is None else f" (reversed in {100 * lead.reversed_in:.0f} % of redraws of patients)"
    return f"{lead.ahead} leads {lead.behind} by {lead.by:.3g}{doubt}"
