"""The same predictions, scored again: which figures stand, which moved, and whether anybody may say why.

On the field's public table the leader's F1 went from 0.428 to 0.323 by a correction of the reference scorer, with the
same predictions; the table names neither. Here a figure is kept with its scorer, and rescoring kept predictions says
of each one `same`, `changed` (and because of what) or `new`. A figure that moved although scorer, policy, predictions,
references and seed are what they were is a broken promise, and is said so.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from functools import cached_property
from math import isfinite
from typing import Any

import numpy as np
import pandas as pd

from data.events import Annotations
from lineage.digest import Digest
from lineage.refused import Refused
from validation import abstention, agreement, burden
from validation.agreement import Experts
from validation.baselines import baselines
from validation.evaluation import digests_of, gather
from validation.provenance import Cause, Score, compared, lines_of
from validation.reliability import Calibration, reliability
from validation.scoring import Case, clinical, overlap, szcore
from validation.scoring.overlap import ToEvents, sweep
from validation.scoring.szcore import Policy
from validation.seconds import SETS, ordered
from validation.subgroups import subgroups
from validation.uncertainty import MIN_DRAWS, PairWins, patient_draws

SCHEMA = "ictal.rescored/1"


class RescoringRefused(Refused):
    """A scorer, a policy or an earlier result that cannot be run or compared with."""


@dataclass(frozen=True)
class Material:
    """What scorers work on; each part is made once, when the first scorer asks for it."""

    seconds: pd.DataFrame
    cases: list[Case]
    seed: int
    draws: int
    to_events: ToEvents | None
    experts: Experts
    patients: Mapping[str, Mapping[str, Any]]
    target: float | None

    @cached_property
    def table(self) -> pd.DataFrame:
        """Clinical figures, a row per person (`clinical.per_patient`)."""
        return clinical.per_patient(self.cases)

    @cached_property
    def weights(self) -> np.ndarray:
        """How often each person of `table` was drawn, inside the site: int (draws, persons)."""
        return patient_draws(list(self.table["site"]), np.random.default_rng(self.seed), self.draws)

    @cached_property
    def by_person(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Labels and probabilities second by second, (seconds,) for each person, in the order of `table`."""
        return clinical.trends(self.cases)


@dataclass(frozen=True)
class Rule:
    """A scorer of the registry: where an evaluation keeps its figures, and how they are made from `Material`.

    One that has `parts` makes several blocks of figures, each with a scorer of its own; `policy` holds the settings
    that may be given differently.
    """

    place: tuple[str, ...]
    score: Callable[[Material, Mapping[str, float]], dict[str, Any]]
    parts: bool = False
    policy: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rescored:
    """All blocks, what they were made from, and what they were compared with (`earlier` digests, empty if nothing)."""

    digests: dict[str, Digest]
    uncertainty: dict[str, Any]
    scores: tuple[Score, ...]
    of: dict[str, Any] = field(default_factory=dict)
    earlier: dict[str, Digest] = field(default_factory=dict)

    @property
    def broken(self) -> tuple[str, ...]:
        """Names of scores that moved although nothing behind them did; empty is as it must be."""
        return tuple(score.name for score in self.scores if score.is_broken_promise)

    def to_json(self) -> dict[str, Any]:
        """Everything, as plain JSON."""
        return {
            "schema": SCHEMA,
            "of": self.of,
            "digests": self.digests,
            "earlier_digests": self.earlier,
            "uncertainty": self.uncertainty,
            "broken_promises": list(self.broken),
            "scores": [score.to_json() for score in self.scores],
        }

    def summary(self) -> dict[str, Any]:
        """What an entry of the ledger needs: which scorers on which bytes, and how each compares; no figures."""
        rows = [
            {"name": s.name, "scorer": s.scorer, "verdict": s.verdict, "same": s.same, "changed": len(s.changed),
             "new": len(s.new), "gone": len(s.gone), "because": [cause.what for cause in s.because],
             "broken_promise": s.is_broken_promise}
            for s in self.scores
        ]  # fmt: skip
        return {"schema": SCHEMA, "digests": self.digests, "earlier_digests": self.earlier, "scores": rows}

    def lines(self) -> list[str]:
        """For the terminal: a line per score, below it what moved most, and broken promises first and last."""
        alarm = [f"BROKEN PROMISE: {', '.join(self.broken)} moved, and nothing behind it did"] if self.broken else []
        return [*alarm, *(line for score in self.scores for line in lines_of(score)), *alarm]


def rescore(
    predictions: pd.DataFrame,
    hypotheses: Mapping[str, Annotations],
    references: Mapping[str, Annotations],
    scorers: Sequence[str] | None = None,
    *,
    earlier: Mapping[str, Any] | None = None,
    policies: Mapping[str, Mapping[str, float]] | None = None,
    seed: int | None = None,
    draws: int | None = None,
    to_events: ToEvents | None = None,
    experts: Experts | None = None,
    patients: Mapping[str, Mapping[str, Any]] | None = None,
    progress: Callable[[str, int, int], object] = lambda what, done, total: None,
) -> Rescored:
    """Run `scorers` (names of `SCORERS`, all unless told) over kept predictions; compare with the result `earlier`.

    `predictions`: a table of `validation.seconds`. `policies` gives a scorer other settings, as in
    `{"szcore": {"merge_gap_s": 0}}`; what comes out is never called SzCORE. `seed` and `draws` are those of `earlier`
    unless told. `experts` are what several experts marked and `patients` what is known of each, as in `evaluate`.
    `abstention` is run where the earlier result has it. `to_events` is the detector's rule from trend to events, needed by `operating_curve` alone. `progress(what, done, total)` hears which scorer is at work.
    Law: rescoring what `validation.evaluation.evaluate` has scored, with its code, is `same` throughout.
    """
    target = ((earlier or {}).get("abstention") or {}).get("target")
    chosen, given = _chosen(scorers), _policies(policies or {})
    if scorers is None and target is None:
        chosen.remove("abstention")
    stated = _uncertainty(earlier, seed, draws)
    seconds = ordered(predictions)
    cases = gather(seconds, hypotheses, references)
    material = Material(
        seconds, cases, stated["seed"], stated["draws"], to_events, experts or {}, patients or {}, target
    )
    digests = digests_of(seconds, hypotheses, references, experts)
    behind = _behind(earlier, digests, stated)
    scores: list[Score] = []
    for number, name in enumerate(chosen):
        progress(f"scored again: {name.replace('_', ' ')}", number, len(chosen))
        scores += _scores(name, material, given.get(name, {}), earlier, behind)
    was = earlier or {}
    return Rescored(digests, stated, tuple(scores), dict(was.get("of", {})), dict(was.get("digests", {})))


def _szcore(material: Material, given: Mapping[str, float]) -> dict[str, Any]:
    return szcore.figures(material.cases, material.weights, Policy(**given))


def _clinical(material: Material, given: Mapping[str, float]) -> dict[str, Any]:
    labels, trends = material.by_person
    return clinical.figures(material.table, PairWins.of(labels, trends), material.weights)


def _operating_curve(material: Material, given: Mapping[str, float]) -> dict[str, Any]:
    if material.to_events is None:
        raise RescoringRefused(
            "operating_curve moves the detector's threshold: give the detector's rule from trend to events, or leave "
            "this scorer out"
        )
    return overlap.operating_curve(sweep(material.cases, material.to_events), material.weights)


def _calibration(material: Material, given: Mapping[str, float]) -> dict[str, Any]:
    labels, trends = material.by_person
    return reliability(Calibration.of(trends, labels), list(material.table["site"]), material.weights)


def _abstention(material: Material, given: Mapping[str, float]) -> dict[str, Any]:
    if material.target is None or SETS not in material.seconds:
        raise RescoringRefused("abstention needs prediction sets and an earlier result that states their target")
    return abstention.figures(material.seconds, material.target)


def _subgroups(material: Material, given: Mapping[str, float]) -> dict[str, Any]:
    labels, trends = material.by_person
    pairs = PairWins.of(labels, trends)
    return _by_group(subgroups(material.table, pairs, material.weights, material.patients))


def _by_group(groups: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {f"{group['by']} {group['group']}": group for group in groups}


SCORERS: dict[str, Rule] = {
    "szcore": Rule(("szcore",), _szcore, parts=True, policy=tuple(f.name for f in fields(Policy))),
    "clinical": Rule(("clinical",), _clinical),
    "any_overlap": Rule(("overlap", "any_overlap"), lambda m, _: overlap.figures(m.cases)["any_overlap"]),
    "time_aligned": Rule(("overlap", "time_aligned"), lambda m, _: overlap.figures(m.cases)["time_aligned"]),
    "operating_curve": Rule(("operating_curve",), _operating_curve),
    "calibration": Rule(("calibration",), _calibration),
    "agreement": Rule(("agreement",), lambda m, _: agreement.figures(m.cases, m.experts, m.weights)),
    "burden": Rule(("burden",), lambda m, _: burden.figures(m.cases, m.experts, m.weights)),
    "abstention": Rule(("abstention",), _abstention),
    "worst_decile": Rule(("worst_decile",), lambda m, _: clinical.worst_decile(m.table)),
    "subgroups": Rule(("subgroups",), _subgroups, parts=True),
    "baselines": Rule(("baselines",), lambda m, _: baselines(m.seconds, m.seed), parts=True),
}
"""Every scorer that can be run again, by name."""


def _scores(
    name: str,
    material: Material,
    given: Mapping[str, float],
    earlier: Mapping[str, Any] | None,
    behind: tuple[Cause, ...],
) -> Iterator[Score]:
    rule = SCORERS[name]
    made, before = rule.score(material, given), _at(earlier, rule.place)
    if not rule.parts:
        yield compared(name, made, before, behind)
        return
    before = _by_group(before) if isinstance(before, list) else before
    for part, block in made.items():
        # The name of the scorer, not of the registry: SzCORE with other settings is not SzCORE.
        called = block["scorer"]["name"] if name == "szcore" else name
        yield compared(f"{called}.{part}", block, (before or {}).get(part), behind)


def _behind(
    earlier: Mapping[str, Any] | None, digests: Mapping[str, Digest], stated: Mapping[str, Any]
) -> tuple[Cause, ...]:
    """What differs behind every figure: the bytes scored, and how patients were redrawn."""
    if earlier is None:
        return ()
    pairs = [(what, earlier["digests"].get(what), digest) for what, digest in digests.items()]
    pairs += [(what, earlier["uncertainty"].get(what), stated[what]) for what in ("seed", "draws")]
    return tuple(Cause(what, old, new) for what, old, new in pairs if old != new)


def _at(result: Mapping[str, Any] | None, place: Sequence[str]) -> Mapping[str, Any] | None:
    for key in place:
        result = None if result is None else result.get(key)
    return result


def _chosen(scorers: Sequence[str] | None) -> list[str]:
    chosen = list(SCORERS) if scorers is None else list(dict.fromkeys(scorers))
    for name in chosen:
        if name not in SCORERS:
            raise RescoringRefused(f"there is no scorer {name}{_meant(name, SCORERS)}: {', '.join(SCORERS)}")
    if not chosen:
        raise RescoringRefused(f"no scorer was named: {', '.join(SCORERS)}")
    return chosen


def _policies(policies: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    for name, given in policies.items():
        allowed = SCORERS[_chosen([name])[0]].policy
        for key, value in given.items():
            if not allowed:
                raise RescoringRefused(f"{name} has no settings of its own: leave {key} out")
            if key not in allowed:
                raise RescoringRefused(f"{name} has no setting {key}{_meant(key, allowed)}: {', '.join(allowed)}")
            if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or value < 0:
                raise RescoringRefused(f"{key} must be a number ≥ 0, got {value}")
            if key == "max_event_s" and value < 1:
                raise RescoringRefused(f"max_event_s must be ≥ 1 s, got {value:g}")
    return {name: {key: float(value) for key, value in given.items()} for name, given in policies.items()}


def _meant(name: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    close = get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _uncertainty(earlier: Mapping[str, Any] | None, seed: int | None, draws: int | None) -> dict[str, Any]:
    if earlier is not None and not str(earlier.get("schema", "")).startswith("ictal.evaluation/"):
        raise RescoringRefused(f"the earlier result is no evaluation but {earlier.get('schema')}: run `ictal evaluate`")
    stated = earlier["uncertainty"] if earlier is not None else {"draws": MIN_DRAWS}
    if seed is None and "seed" not in stated:
        raise RescoringRefused("without an earlier result there is no seed to follow: give one")
    return {
        "unit": "patient",
        "strata": "site",
        "seed": stated["seed"] if seed is None else seed,
        "draws": stated["draws"] if draws is None else draws,
    }
