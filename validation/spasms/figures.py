"""The figures of one detector of infantile spasms, as plain JSON: by clips, by spasms, by hours; patients are what varies.

The threshold is a probability of ½, which the detector itself put where inner patients had the best F1: no patient
who is tested had a say in it. The operating curve beside it looks at those tested, and decides nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from data.events import Annotations
from data.spasms import CLUSTER_GAP_S
from validation.scoring.scorer import Scorer, code_digest
from validation.seizure_typing.answers import answered_by_both, answers_digests, not_answered
from validation.seizure_typing.baselines import baseline_tables
from validation.spasms.watched import COUNTS, LONGEST_ALARM_S, Watched, by_person, site_of, watched
from validation.uncertainty import (
    MIN_DRAWS,
    PairWins,
    difference,
    interval_of,
    patient_draws,
    pooled_auc,
    ratio_of_sums,
)

CLASSES = ("other", "spasm")
THRESHOLD = 0.5
CURVE_POINTS = 60
PUBLISHED: tuple[dict[str, Any], ...] = (
    {
        "what": "STA-GUNet",
        "protocol": "folds over clips",
        "accuracy": 0.9314, "precision": 0.9004, "recall": 0.9052, "f1": 0.9028, "auroc": 0.9184,
    },
    {
        "what": "its follow-up, MST-HGCN",
        "protocol": "independent set",
        "accuracy": 0.8912, "precision": 0.7527, "recall": 0.8974, "f1": 0.8182, "auroc": None,
    },
    {
        "what": "best of an open challenge",
        "protocol": "held-out children",
        "accuracy": None, "precision": None, "recall": None, "f1": 0.4502, "auroc": None,
    },
)  # fmt: skip
"""Read in the literature; other infants, other cameras. Nothing of it was measured here. STA-GUNet's epoch was chosen on the
tested fold; its follow-up states an accuracy of 0.9919 in its own folds; the challenge had 26 entries."""

Block = dict[str, Any]
_AT = {name: place for place, name in enumerate(COUNTS)}
_RATES: Mapping[str, tuple[Mapping[str, float], Mapping[str, float]]] = {
    "accuracy": ({"tp": 1, "tn": 1}, {"tp": 1, "tn": 1, "fp": 1, "fn": 1, "silent_spasm": 1, "silent_other": 1}),
    "precision": ({"tp": 1}, {"tp": 1, "fp": 1}),
    "recall": ({"tp": 1}, {"tp": 1, "fn": 1, "silent_spasm": 1}),
    "f1": ({"tp": 2}, {"tp": 2, "fp": 1, "fn": 1, "silent_spasm": 1}),
    "specificity": ({"tn": 1}, {"tn": 1, "fp": 1, "silent_other": 1}),
    "false_alarms_per_hour": ({"false_alarms": 1}, {"hours": 1}),
    "spasms_found": ({"spasms_found": 1}, {"spasms": 1}),
    "clusters_found": ({"clusters_found": 1}, {"clusters": 1}),
}
"""Each figure as a sum of counts over another; a clip without an answer counts as wrong, a spasm in it as missed. So it does
for specificity too: a detector that says nothing is not specific."""
FIGURES = (*_RATES, "auroc")


def evaluate_spasms(
    table: pd.DataFrame,
    truths: Mapping[str, Annotations],
    meta: Mapping[str, Any],
    seed: int,
    draws: int = MIN_DRAWS,
    *,
    clip_s: float = 5.0,
    answer: str = "answer",
    over_clips: Mapping[tuple[str, int], int] | None = None,
    external: pd.DataFrame | None = None,
) -> Block:
    """Everything a page says about one set of answers.

    `table`: of `seizure_typing.answers.table_of`, a row per clip and variant; `truths`: recording → its events. `external`:
    the same table of a site on which nothing was fitted. `over_clips` says which fold tests a (recording, clip) where
    clips are dealt out: what needs no training is scored there as well.
    """
    own = {str(name): part for name, part in table.groupby("variant", sort=False)}
    own = {answer: own.pop(answer), **own}
    look = partial(People.of, truths=truths, clip_s=clip_s, seed=seed, draws=draws)
    people = {name: look(part) for name, part in own.items()}
    blind = {name: look(part) for name, part in baseline_tables(own[answer], CLASSES).items()}
    leaky = _over_clips(own[answer], over_clips, look)
    mine = people[answer]
    return {
        "schema": "ictal.spasms/1",
        "of": dict(meta),
        "digests": answers_digests(table),
        "uncertainty": {"unit": "patient", "strata": "site", "draws": draws, "seed": seed, "level": 0.95},
        "counts": {**mine.told(), "not_answered": not_answered(own[answer])},
        "answer": _block(mine),
        "variants": {name: _block(other) for name, other in people.items() if name != answer},
        "baselines": {name: {"reportable": False, **_block(other)} for name, other in blind.items()},
        "baselines_over_clips": {name: {"reportable": False, **_block(other)} for name, other in leaky.items()},
        "differences": {
            name: {"scorer": scorer(), "rests_on": mine.rests_on(), **_differences(mine, other)}
            for name, other in {**people, **blind}.items()
            if name != answer
        },
        "spasm_free": _block(mine.among(~mine.with_spasms), ("specificity", "false_alarms_per_hour")),
        "sites": {site: _block(mine.among(mine.sites == site)) for site in np.unique(mine.sites)},
        "external": _external(external, answer, look),
        "operating": {"scorer": scorer(), "rests_on": mine.rests_on(), "curve": mine.curve()},
        "probabilities": {"scorer": scorer(), "rests_on": mine.rests_on(), **mine.calibration()},
        "per_patient": mine.per_patient(),
        "published": [dict(one) for one in PUBLISHED],
    }


def regime_difference(
    first: pd.DataFrame,
    second: pd.DataFrame,
    truths: Mapping[str, Annotations],
    seed: int,
    draws: int = MIN_DRAWS,
    *,
    clip_s: float = 5.0,
) -> Block:
    """What a change of the split is worth where both answer: the first minus the second (one variant each).

    ValueError unless both are of the same clips of the same patients.
    """
    both = answered_by_both(first, second)
    ours, theirs = (People.of(t, truths=truths, clip_s=clip_s, seed=seed, draws=draws) for t in both)
    return {"scorer": scorer(), "rests_on": ours.rests_on(), **_differences(ours, theirs)}


class People:
    """Persons with what was said of their recordings, and how often each was drawn: `weights` (draws, persons)."""

    def __init__(self, people: dict[str, list[Watched]], weights: np.ndarray):
        self.people, self.weights = people, weights
        self.sites = np.array([site_of(own) for own in people.values()])
        self.counts = self.at(THRESHOLD)
        self.with_spasms = self.counts[:, _AT["spasms"]] > 0

    @classmethod
    def of(
        cls, table: pd.DataFrame, *, truths: Mapping[str, Annotations], clip_s: float, seed: int, draws: int
    ) -> "People":
        """From the answers of one variant, a row per clip of `clip_s` seconds; `truths` by recording.

        Persons are drawn inside their site, `draws` times from `seed`.
        """
        people = by_person(watched(table, truths, clip_s))
        sites = [site_of(own) for own in people.values()]
        return cls(people, patient_draws(sites, np.random.default_rng(seed), draws))

    def among(self, chosen: np.ndarray) -> "People":
        """The persons where `chosen`, bool (persons,), is true, drawn as they were among all."""
        kept = {name: own for (name, own), take in zip(self.people.items(), chosen, strict=True) if take}
        return People(kept, self.weights[:, chosen])

    def at(self, threshold: float) -> np.ndarray:
        """`COUNTS` of every person, (persons, 13)."""
        rows = [sum(one.counts(threshold) for one in own) for own in self.people.values()]
        return np.array(rows, dtype=float).reshape(-1, len(COUNTS))

    def pairs(self) -> PairWins:
        """Every spasm clip beside every other clip, by persons; a pair with an unanswered clip counts half."""
        labels = [np.concatenate([one.spasm for one in own]) for own in self.people.values()]
        return PairWins.of_all(
            labels, [np.concatenate([one.probability for one in own]) for own in self.people.values()]
        )

    def figure(self, name: str) -> Block:
        """One of `FIGURES` with its interval over persons, as plain JSON."""
        values, statistic = self.values(name)
        return interval_of(values, statistic, self.weights).to_json()

    def difference(self, other: "People", name: str) -> Block:
        """The figure minus the other's, with its interval over the same draws; persons must be the same, in order."""
        (values, statistic), (others, _) = self.values(name), other.values(name)
        return interval_of((values, others), difference(statistic), self.weights).to_json()

    def values(self, name: str) -> tuple[Any, Callable[[np.ndarray, Any], np.ndarray]]:
        """What one of `FIGURES` is made of, and how, as intervals take it: pair wins (AUROC) or (persons, 2)."""
        if name == "auroc":
            return self.pairs(), pooled_auc
        above, below = (_summed(self.counts, parts) for parts in _RATES[name])
        return np.stack([above, below], axis=1), ratio_of_sums

    def total(self, name: str) -> float:
        """One of `COUNTS` at the threshold, over all persons."""
        return float(self.counts[:, _AT[name]].sum())

    def rests_on(self) -> Block:
        """Persons, clips asked about, share of them answered (None of no clips), and assessed hours."""
        asked = sum(len(one.onset_s) for own in self.people.values() for one in own)
        answered = sum(int(one.answered.sum()) for own in self.people.values() for one in own)
        hours = self.total("hours")
        return {
            "persons": len(self.people), "clips": asked, "coverage": answered / asked if asked else None,
            "assessed_hours": hours,
        }  # fmt: skip

    def told(self) -> Block:
        """How large all this is."""
        recordings = [one for own in self.people.values() for one in own]
        return {
            "persons": len(self.people),
            "persons_with_spasms": int(self.with_spasms.sum()),
            "recordings": len(recordings),
            "sites": sorted({one.site for one in recordings}),
            "clips": sum(len(one.onset_s) for one in recordings),
            "spasm_clips": int(sum(one.spasm.sum() for one in recordings)),
            "answered": int(sum(one.answered.sum() for one in recordings)),
            "spasms": int(self.total("spasms")),
            "clusters": int(self.total("clusters")),
            "assessed_hours": self.total("hours"),
        }

    def curve(self) -> list[Block]:
        """Spasms found and false alarms per hour at thresholds between all that was said, from the strict to the lax."""
        every = np.concatenate([one.probability[one.answered] for own in self.people.values() for one in own])
        if not len(every):
            return []
        levels = np.unique(np.quantile(every, np.linspace(0, 1, CURVE_POINTS), method="nearest"))[::-1]
        return [self._point(float(level)) for level in levels]

    def _point(self, threshold: float) -> Block:
        sums = dict(zip(COUNTS, self.at(threshold).sum(axis=0), strict=True))
        return {
            "threshold": threshold,
            "spasms_found": sums["spasms_found"] / sums["spasms"] if sums["spasms"] else None,
            "false_alarms_per_hour": sums["false_alarms"] / sums["hours"] if sums["hours"] else None,
        }

    def calibration(self) -> Block:
        """Brier score (0 is perfect, 1 the worst) with silence as the statement ½, and that of always stating the share of
        spasm clips."""
        said = np.concatenate([one.probability for own in self.people.values() for one in own])
        spasm = np.concatenate([one.spasm for own in self.people.values() for one in own]).astype(float)
        known = np.isfinite(said)
        if not known.any():
            return {"not_evaluable": "no clip was answered"}
        share, stated = spasm.mean(), np.where(known, said, 0.5)
        return {
            "brier": float(((stated - spasm) ** 2).mean()), "brier_of_the_share": float(share * (1 - share)),
        }  # fmt: skip

    def per_patient(self) -> list[Block]:
        """What was counted of each person, in order of their names; a rate over no assessed hour is None."""
        return [
            {
                "person": person, "site": site, "clips": int(row[:6].sum()), "answered": int(row[:4].sum()),
                **{name: int(row[_AT[name]]) for name in ("spasms", "spasms_found", "clusters", "clusters_found",
                                                          "alarms", "false_alarms")},
                "false_alarms_per_hour": float(row[_AT["false_alarms"]] / row[_AT["hours"]]) if row[_AT["hours"]] else None,
            }
            for person, site, row in zip(self.people, self.sites.tolist(), self.counts, strict=True)
        ]  # fmt: skip


def _block(people: People, names: Sequence[str] = FIGURES) -> Block:
    if not people.people:
        return {"not_evaluable": "there is no such patient in the cohort"}
    found = {name: people.figure(name) for name in names}
    clips = {name: int(people.total(name)) for name in COUNTS if name != "hours"}
    return {"scorer": scorer(), "rests_on": people.rests_on(), **found, "counted": clips}


def _differences(mine: People, other: People) -> Block:
    return {name: mine.difference(other, name) for name in FIGURES}


def _external(table: pd.DataFrame | None, answer: str, look: Callable[[pd.DataFrame], People]) -> Block:
    if table is None or table.empty:
        return {"not_evaluable": "no site was kept apart on which nothing was fitted"}
    people = look(table[table["variant"] == answer])
    return {**_block(people), "told": people.told(), "per_patient": people.per_patient(), "curve": people.curve()}


def _over_clips(
    table: pd.DataFrame, folds: Mapping[tuple[str, int], int] | None, look: Callable[[pd.DataFrame], People]
) -> dict[str, People]:
    if not folds:
        return {}
    dealt = table.assign(fold=[folds[str(r), int(e)] for r, e in zip(table["recording"], table["event"], strict=True)])
    return {name: look(part) for name, part in baseline_tables(dealt, CLASSES).items()}


def _summed(counts: np.ndarray, parts: Mapping[str, float]) -> np.ndarray:
    return np.asarray(sum(weight * counts[:, _AT[name]] for name, weight in parts.items()))


def scorer() -> Block:
    """Who made these figures, as JSON: the threshold, what an alarm is, and how silence counts."""
    policy = {
        "unit": "clip, spasm, hour",
        "threshold": THRESHOLD,
        "alarm": "run of positive clips; false without a part of a spasm",
        "longest_alarm_s": LONGEST_ALARM_S,
        "no_answer": "clip counts as wrong, spasm as missed, time as not assessed; half in the ROC, ½ in the Brier score",
        "cluster_gap_s": CLUSTER_GAP_S,
    }
    return Scorer("spasms", "2", code_digest([__file__]), policy).to_json()
