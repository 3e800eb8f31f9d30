"""The gates of detectors of seizures: paired by patient, sensitivity at the champion's rate of false alarms.

Limits are those of the plan; see the design's list and `DECISIONS.md` 9 and 10 for how alarms are counted.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pandas as pd

from validation.gates import silence
from validation.gates.envelope import Declared
from validation.gates.gate import Claim, Gate, judge
from validation.gates.study import Study
from validation.gates.superiority import Endpoint, superior
from validation.leakage import LeakageAudit
from validation.reliability import Calibration
from validation.scoring.overlap import Sweep
from validation.uncertainty import PairWins, pooled_auc, ratio_of_sums

PAIRED = ("sensitivity_non_inferior", "false_alarms", "superior", "sites", "calibration", "abstention")
"""Gates that need somebody to compare with."""

SEIZING = "patients with seizures"


@dataclass(frozen=True)
class Evidence:
    """What gates read of one detector, per person (rows of `table`, and every other part, in the same order).

    `table`: index person; columns site, stratum, seizures, detected, false_alarms, recorded_s, assessed_s.
    `cost_s_per_eeg_hour`: seconds of computing per hour of recording, None where nobody measured it.
    """

    task: ClassVar[str] = "detection"

    table: pd.DataFrame
    sweep: Sweep
    pairs: PairWins
    calibration: Calibration
    audit: LeakageAudit | None = None
    cost_s_per_eeg_hour: float | None = None
    declared: Declared | None = None

    def of_persons(self, chosen: np.ndarray) -> "Evidence":
        """These persons, indices (chosen,), in this order."""
        s, pairs = self.sweep, self.pairs.of_patients(chosen)
        counts = {"detected": s.detected[:, chosen], "false_alarms": s.false_alarms[:, chosen]}
        sweep = replace(s, seizures=s.seizures[chosen], hours=s.hours[chosen], **counts)
        calibration = self.calibration.of_patients(chosen)
        return replace(self, table=self.table.iloc[chosen], sweep=sweep, pairs=pairs, calibration=calibration)

    def numbers(self) -> np.ndarray:
        counted = self.table[["seizures", "recorded_s", "detected", "false_alarms", "assessed_s"]].to_numpy(dtype=float)
        answers, c = self.pairs, self.calibration
        ranks = [answers.wins.sum(axis=1), answers.wins.sum(axis=0), answers.positives, answers.negatives]
        return np.column_stack([
            counted, self.sweep.detected.T, self.sweep.false_alarms.T, *ranks,
            c.squared_error, c.stated, c.seizure, c.seconds,
        ])  # fmt: skip

    def recorded(self) -> pd.DataFrame:
        return self.table[["site", "stratum", "seizures", "recorded_s"]]

    @property
    def alarms(self) -> np.ndarray:
        """(persons, 2): false alarms, assessed days."""
        return np.stack([self.table["false_alarms"], self.table["assessed_s"] / 86400], axis=1).astype(float)

    @property
    def seizing(self) -> np.ndarray:
        """Who had a seizure at all, bool (persons,)."""
        return self.table["seizures"].to_numpy() > 0


def compare(study: Study[Evidence]) -> list[Gate]:
    """The gates of `PAIRED`, `sites` as one for each."""
    return [
        non_inferior(study),
        false_alarms(study),
        _superior(study),
        *sites(study),
        _ece(study),
        _abstention(study),
    ]


def alone(study: Study[Evidence]) -> list[Gate]:
    """The absolute floor in each stratum."""
    strata = study.candidate.table["stratum"].to_numpy()
    gates = [floor(study, str(name), strata == name) for name in sorted(set(strata))]
    return gates or [
        Gate("floor", "insufficient_evidence", None, study.plan.floor_sensitivity, "there are no patients")
    ]


def at_equal_alarms(study: Study[Evidence]) -> tuple[np.ndarray, np.ndarray]:
    """(persons, 2) of both: detected, seizures, each at its best threshold with no more false alarms than the rival
    raises as it is set. Both are moved alike, so that a detector is neither better nor worse than itself."""
    alarms, days = study.against.alarms.sum(axis=0)
    rate = float(alarms / days) if days > 0 else 0.0
    ours, theirs = (_found_at(e.sweep, rate) for e in (study.candidate, study.against))
    return ours, theirs


def _found_at(sweep: Sweep, rate: float) -> np.ndarray:
    found = sweep.detected[sweep.best_at(rate)] if np.isfinite(rate) else np.full(len(sweep.seizures), np.nan)
    return np.stack([found, sweep.seizures], axis=1).astype(float)


def non_inferior(study: Study[Evidence]) -> Gate:
    """Seizures found: no worse by more than the margin, at the same false alarms."""
    everybody = np.ones(len(study.cells), dtype=bool)
    return _none_lost(study, "sensitivity_non_inferior", study.plan.sensitivity_margin, everybody)


def _none_lost(study: Study[Evidence], name: str, margin: float, inside: np.ndarray) -> Gate:
    """Seizures found by the persons `inside` (bool): of them, those who had any are what the interval is drawn from."""
    ours, theirs = at_equal_alarms(study)
    persons, asked = int(study.candidate.seizing[inside].sum()), inside & (theirs[:, 1] != 0)
    claim = Claim(name, "Δ sensitivity at equal alarms", -margin, persons, study.plan.min_patients, who=SEIZING)
    seizures = float(theirs[asked, 1].sum())
    return judge(claim, study.no_worse(ours[asked], theirs[asked], ratio_of_sums, margin, seizures, asked))


def false_alarms(study: Study[Evidence]) -> Gate:
    """No more false alarms than the margin allows, seen over enough hours: nobody's zero alarms in a few hours say
    anything about half an alarm per day, and a bootstrap cannot tell."""
    ours, theirs = study.candidate.alarms, study.against.alarms
    limit, days = study.plan.alarms_margin_per_24h, float(ours[:, 1].sum())
    claim = Claim(
        "false_alarms", "Δ false alarms per 24 h", limit, int((ours[:, 1] > 0).sum()), study.plan.min_patients,
        at_least=False, enough=days * limit,
        short=f"{24 * days:.1f} h assessed, {24 / limit:g} h are needed for one alarm to be seen",
    )  # fmt: skip
    return judge(claim, study.delta(ours, theirs, ratio_of_sums))


def sites(study: Study[Evidence]) -> list[Gate]:
    """Seizures found at each site: nowhere worse by more than the margin."""
    names = study.candidate.table["site"].to_numpy()
    margin = study.plan.site_margin
    gates = [_none_lost(study, f"site:{name}", margin, names == name) for name in sorted(set(names))]
    return gates or [Gate("sites", "insufficient_evidence", None, -margin, "there are no patients")]


def _ece(study: Study[Evidence]) -> Gate:
    ours, theirs = study.candidate.calibration, study.against.calibration
    persons = int((ours.seconds.sum(axis=1) > 0).sum())
    what, limit = "Δ expected calibration error within sites", study.plan.ece_margin
    claim = Claim("calibration", what, limit, persons, study.plan.min_patients, at_least=False)
    return judge(claim, study.delta((ours, study.cells), (theirs, study.cells), ece_within))


def ece_within(weights: np.ndarray, values: tuple[Calibration, np.ndarray]) -> np.ndarray:
    """Statistic: expected calibration error, gaps taken inside each cell, so that a site in which probabilities are
    too high cannot make up for one in which they are too low. `weights` (draws, persons); values: the calibration, and
    the cell of each person (persons,)."""
    made, cells = values
    gap = made.stated - made.seizure
    parts = [np.abs(weights[:, cells == cell] @ gap[cells == cell]).sum(axis=1) for cell in sorted(set(cells))]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sum([np.zeros(len(weights)), *parts], axis=0) / (weights @ made.seconds.sum(axis=1))


def _abstention(study: Study[Evidence]) -> Gate:
    ours, theirs = _abstained(study.candidate), _abstained(study.against)
    limit, persons = study.plan.abstention_margin, int((ours[:, 1] > 0).sum())
    claim = Claim("abstention", "Δ share of time not assessed", limit, persons, study.plan.min_patients, at_least=False)
    return judge(claim, study.delta(ours, theirs, ratio_of_sums))


def _abstained(evidence: Evidence) -> np.ndarray:
    table = evidence.table
    return np.stack([table["recorded_s"] - table["assessed_s"], table["recorded_s"]], axis=1).astype(float)


def floor(study: Study[Evidence], name: str, inside: np.ndarray) -> Gate:
    """The share of seizures found in a stratum (`inside`, bool (persons,)), as the candidate is set."""
    plan, candidate = study.plan, study.candidate
    truth = min(1.0, plan.floor_sensitivity + plan.power_alternative)
    claim = Claim(
        f"floor:{name}", "sensitivity", plan.floor_sensitivity,
        int(candidate.seizing[inside].sum()), plan.min_patients_per_stratum, who=SEIZING,
        truth=truth, assumed=f"the true sensitivity were {truth:.2f}",
    )  # fmt: skip
    found = candidate.table[["detected", "seizures"]].to_numpy(dtype=float)
    return judge(claim, study.interval(found[inside], ratio_of_sums, inside))


def _superior(study: Study[Evidence]) -> Gate:
    plan = study.plan
    endpoints = {name: _endpoint(name, study) for name in plan.endpoints}
    persons = int(study.candidate.seizing.sum())
    assumed = f"{100 * plan.power_alternative:g} points more seizures were truly found"
    return superior(study, endpoints, "sensitivity", persons, assumed)


def _endpoint(name: str, study: Study[Evidence]) -> Endpoint:
    ours, theirs = study.candidate, study.against
    if name == "auc":
        mine, rivals = silence.pairs(ours.pairs, theirs.pairs), silence.pairs(theirs.pairs, ours.pairs)
        won = mine.wins - rivals.wins
        return Endpoint(mine, rivals, pooled_auc, 1, int((won.sum(axis=0) + won.sum(axis=1) > 0).sum()))
    if name == "sensitivity":
        found, known = at_equal_alarms(study)
        return Endpoint(found, known, ratio_of_sums, 1, int((found[:, 0] > known[:, 0]).sum()))
    if name == "alarms_per_24h":
        fewer = ours.alarms[:, 0] * theirs.alarms[:, 1] < theirs.alarms[:, 0] * ours.alarms[:, 1]
        return Endpoint(ours.alarms, theirs.alarms, ratio_of_sums, -1, int(fewer.sum()))
    c, r = ours.calibration, theirs.calibration
    errors, others = silence.squared_errors(c, r), silence.squared_errors(r, c)
    return Endpoint(errors, others, ratio_of_sums, -1, int((errors[:, 0] < others[:, 0]).sum()))
