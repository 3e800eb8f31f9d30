"""May the challenger replace the champion? Gates declared beforehand, on the same recordings, paired by patient.

A gate passes on the bound of an interval, never on a point. Unknown and insufficient evidence count as fail: small
cohorts end there, as they must, and nobody loosens a gate for that.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from validation.leakage import LeakageAudit
from validation.reliability import Calibration, brier, ece
from validation.scoring.overlap import Sweep
from validation.uncertainty import (
    MIN_DRAWS,
    Interval,
    PairWins,
    Statistic,
    difference,
    finite,
    interval_of,
    patient_draws,
    pooled_auc,
    ratio_of_sums,
)

Outcome = Literal["pass", "fail", "unknown", "insufficient_evidence"]
ENDPOINTS = ("sensitivity", "alarms_per_24h", "auc", "brier")
POWER = {24: 53, 60: 86, 120: 99}
"""Per cent of runs in which two equal detectors pass −5 points, by number of patients (simulated for the design)."""


@dataclass(frozen=True)
class GateSettings:
    """The predetermined change plan. Shares are 0–1 (0.05 is 5 points); patients of a stratum are those with seizures."""

    sensitivity_margin: float = 0.05
    alarms_margin_per_24h: float = 0.5
    endpoints: tuple[str, ...] = ENDPOINTS
    floor_sensitivity: float = 0.70
    min_patients_per_stratum: int = 60
    site_margin: float = 0.10
    ece_margin: float = 0.02
    abstention_margin: float = 0.02
    max_cost_s_per_eeg_hour: float | None = None
    draws: int = MIN_DRAWS
    seed: int = 0

    def __post_init__(self) -> None:
        unknown = set(self.endpoints) - set(ENDPOINTS)
        if unknown or not self.endpoints:
            raise ValueError(
                f"endpoints must be some of {', '.join(ENDPOINTS)}, got {', '.join(self.endpoints) or 'none'}"
            )


@dataclass(frozen=True)
class Evidence:
    """What gates read of one detector, per person (rows of `table`, and every other part, in the same order).

    `table`: index person; columns site, stratum, seizures, detected, false_alarms, recorded_s, assessed_s.
    """

    table: pd.DataFrame
    sweep: Sweep
    pairs: PairWins
    calibration: Calibration
    audit: LeakageAudit | None = None
    cost_s_per_eeg_hour: float | None = None


@dataclass(frozen=True)
class Gate:
    """One gate's outcome: the bound that was judged, its limit, and why, in a sentence."""

    name: str
    outcome: Outcome
    value: float | None
    limit: float | None
    reason: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def run_gates(
    candidate: Evidence, champion: Evidence | None, settings: GateSettings, floor: Evidence | None = None
) -> list[Gate]:
    """Every declared gate; the floor detector stands in while there is no champion. Refuses unpaired evidence."""
    rival = champion if champion is not None else floor
    weights = patient_draws(list(candidate.table["site"]), np.random.default_rng(settings.seed), settings.draws)
    alone = [*_floors(candidate, weights, settings), _audit(candidate), *_cost(candidate, settings)]
    if rival is None:
        return [*(_unpaired(name) for name in PAIRED), *alone]
    _same_recordings(candidate, rival)
    return [
        _non_inferior(candidate, rival, weights, settings),
        _false_alarms(candidate, rival, weights, settings),
        _superior(candidate, rival, weights, settings),
        *_sites(candidate, rival, weights, settings),
        _calibration(candidate, rival, weights, settings),
        _abstention(candidate, rival, weights, settings),
        *alone,
    ]


PAIRED = ("sensitivity_non_inferior", "false_alarms", "superior", "sites", "calibration", "abstention")
"""Gates that need somebody to compare with."""


def passed(gates: Sequence[Gate]) -> bool:
    """All gates passed: unknown and insufficient evidence count as fail, and so does having no gate at all."""
    return bool(gates) and all(gate.outcome == "pass" for gate in gates)


def power_statement(n_patients: int) -> str:
    """What a cohort of this size can show, in a sentence for the report; the three figures are those of the design."""
    known = ", ".join(f"{share} % with {n} patients" for n, share in POWER.items())
    below = [n for n in POWER if n <= n_patients]
    above = [n for n in POWER if n > n_patients]
    if n_patients in POWER:
        here = f"this cohort has {n_patients}"
    elif not below:
        here = f"with {n_patients}, fewer than {POWER[min(above)]} %"
    elif not above:
        here = f"with {n_patients}, at least {POWER[max(below)]} %"
    else:
        here = f"with {n_patients}, between {POWER[max(below)]} and {POWER[min(above)]} %"
    return f"Of simulated comparisons of two equal detectors, these pass the −5-point gate: {known}; {here}."


def _non_inferior(candidate: Evidence, rival: Evidence, weights: np.ndarray, settings: GateSettings) -> Gate:
    delta = interval_of(_at_equal_alarms(candidate, rival), difference(ratio_of_sums), weights)
    return _at_least("sensitivity_non_inferior", delta, -settings.sensitivity_margin, "Δ sensitivity at equal alarms")


def _false_alarms(candidate: Evidence, rival: Evidence, weights: np.ndarray, settings: GateSettings) -> Gate:
    delta = interval_of((_alarms(candidate), _alarms(rival)), difference(ratio_of_sums), weights)
    gate = _at_most("false_alarms", delta, settings.alarms_margin_per_24h, "Δ false alarms per 24 h")
    days = float(_alarms(candidate)[:, 1].sum())
    if gate.outcome != "pass" or days * settings.alarms_margin_per_24h >= 1:
        return gate
    # Nobody's zero alarms in a few hours say anything about half an alarm per day, and a bootstrap cannot tell.
    reason = (
        f"{24 * days:.1f} h assessed, {24 / settings.alarms_margin_per_24h:g} h are needed for one alarm to be seen"
    )
    return Gate(gate.name, "insufficient_evidence", gate.value, gate.limit, reason)


def _superior(candidate: Evidence, rival: Evidence, weights: np.ndarray, settings: GateSettings) -> Gate:
    """Holm's first step: the smallest one-sided bootstrap p over the declared endpoints, times their number."""
    gains = {name: _gain(name, candidate, rival, weights) for name in settings.endpoints}
    gains = {name: (estimate, p) for name, (estimate, p) in gains.items() if np.isfinite(p)}
    if not gains:
        return Gate("superior", "unknown", None, 0.025, "no declared endpoint could be compared")
    best = min(gains, key=lambda name: gains[name][1])
    p = min(1.0, gains[best][1] * len(settings.endpoints))
    hopeful = any(estimate > 0 for estimate, _ in gains.values())
    outcome: Outcome = "pass" if p <= 0.025 else "insufficient_evidence" if hopeful else "fail"
    return Gate("superior", outcome, p, 0.025, f"best endpoint {best}, p adjusted for {len(settings.endpoints)} (Holm)")


def _floors(candidate: Evidence, weights: np.ndarray, settings: GateSettings) -> list[Gate]:
    strata = candidate.table["stratum"].to_numpy()
    return [_floor(str(name), candidate, weights, strata == name, settings) for name in sorted(set(strata))]


def _floor(name: str, candidate: Evidence, weights: np.ndarray, inside: np.ndarray, settings: GateSettings) -> Gate:
    evaluable = int((candidate.table["seizures"].to_numpy()[inside] > 0).sum())
    value = interval_of(_found(candidate)[inside], ratio_of_sums, weights[:, inside])
    gate = _at_least(f"floor:{name}", value, settings.floor_sensitivity, "sensitivity")
    if evaluable >= settings.min_patients_per_stratum:
        return gate
    reason = f"{evaluable} patients with seizures, {settings.min_patients_per_stratum} are needed"
    return Gate(gate.name, "insufficient_evidence", gate.value, gate.limit, reason)


def _sites(candidate: Evidence, rival: Evidence, weights: np.ndarray, settings: GateSettings) -> list[Gate]:
    sites = candidate.table["site"].to_numpy()
    ours, theirs = _at_equal_alarms(candidate, rival)
    gates = []
    for site in sorted(set(sites)):
        inside = sites == site
        if ours[inside, 1].sum() == 0:
            gates.append(Gate(f"site:{site}", "insufficient_evidence", None, -settings.site_margin, "no seizures here"))
            continue
        delta = interval_of((ours[inside], theirs[inside]), difference(ratio_of_sums), weights[:, inside])
        gates.append(_at_least(f"site:{site}", delta, -settings.site_margin, "Δ sensitivity at equal alarms"))
    return gates


def _calibration(candidate: Evidence, rival: Evidence, weights: np.ndarray, settings: GateSettings) -> Gate:
    delta = interval_of((candidate.calibration, rival.calibration), difference(ece), weights)
    return _at_most("calibration", delta, settings.ece_margin, "Δ expected calibration error")


def _abstention(candidate: Evidence, rival: Evidence, weights: np.ndarray, settings: GateSettings) -> Gate:
    delta = interval_of((_abstained(candidate), _abstained(rival)), difference(ratio_of_sums), weights)
    return _at_most("abstention", delta, settings.abstention_margin, "Δ share of time not assessed")


def _audit(candidate: Evidence) -> Gate:
    audit = candidate.audit
    if audit is None:
        return Gate("leakage_audit", "unknown", None, None, "no leakage audit was given")
    bad = [o for o in audit.outcomes if o.outcome != "pass"]
    outcome: Outcome = "fail" if audit.leaking else "pass" if audit.clean else "unknown"
    return Gate(
        "leakage_audit", outcome, None, None, "; ".join(f"{o.guard} {o.outcome}: {o.reason}" for o in bad) or "clean"
    )


def _cost(candidate: Evidence, settings: GateSettings) -> list[Gate]:
    limit, cost = settings.max_cost_s_per_eeg_hour, candidate.cost_s_per_eeg_hour
    if limit is None:
        return []
    outcome: Outcome = "unknown" if cost is None else "pass" if cost <= limit else "fail"
    return [Gate("cost", outcome, cost, limit, "seconds of computing per hour of EEG")]


def _unpaired(name: str) -> Gate:
    return Gate(name, "unknown", None, None, "neither a champion nor the floor detector to compare with")


def _at_least(name: str, value: Interval, limit: float, what: str) -> Gate:
    """The lower bound (one-sided 97.5 %) reaches the limit; fail if even the estimate does not."""
    reason = f"{what} {_written(value)}, lower bound must be ≥ {limit:g}"
    return Gate(name, _outcome(value.low - limit, value.estimate - limit), finite(value.low), limit, reason)


def _at_most(name: str, value: Interval, limit: float, what: str) -> Gate:
    reason = f"{what} {_written(value)}, upper bound must be ≤ {limit:g}"
    return Gate(name, _outcome(limit - value.high, limit - value.estimate), finite(value.high), limit, reason)


def _outcome(bound_margin: float, estimate_margin: float) -> Outcome:
    if not np.isfinite(bound_margin) or not np.isfinite(estimate_margin):
        return "unknown"
    if bound_margin >= -1e-12:
        return "pass"
    return "fail" if estimate_margin < 0 else "insufficient_evidence"


def _written(value: Interval) -> str:
    if not np.isfinite([value.estimate, value.low, value.high]).all():
        return f"could not be given an interval ({value.n} {'patient' if value.n == 1 else 'patients'})"
    return f"{value.estimate:.3f} (95 % {value.low:.3f} to {value.high:.3f}, {value.n} patients)"


def _gain(name: str, candidate: Evidence, rival: Evidence, weights: np.ndarray) -> tuple[float, float]:
    """How much better the candidate is (larger is better), and the one-sided p that it is not."""
    pairs: dict[str, tuple[Any, Any, Statistic, int]] = {
        "sensitivity": (*_at_equal_alarms(candidate, rival), ratio_of_sums, 1),
        "alarms_per_24h": (_alarms(candidate), _alarms(rival), ratio_of_sums, -1),
        "auc": (candidate.pairs, rival.pairs, pooled_auc, 1),
        "brier": (candidate.calibration, rival.calibration, brier, -1),
    }
    ours, theirs, statistic, sign = pairs[name]
    everyone = np.ones((1, weights.shape[1]), dtype=np.int64)
    estimate = sign * float(difference(statistic)(everyone, (ours, theirs))[0])
    drawn = sign * difference(statistic)(weights, (ours, theirs))
    drawn = drawn[np.isfinite(drawn)]
    if not np.isfinite(estimate) or len(drawn) == 0:
        return estimate, float("nan")
    return estimate, float((1 + (drawn <= 0).sum()) / (1 + len(drawn)))


def _found(evidence: Evidence) -> np.ndarray:
    return evidence.table[["detected", "seizures"]].to_numpy(dtype=float)


def _at_equal_alarms(candidate: Evidence, rival: Evidence) -> tuple[np.ndarray, np.ndarray]:
    """(detected, seizures) per person of both, each at its best threshold with no more false alarms than the rival
    raises as it is set. Both are moved alike, so that a detector is neither better nor worse than itself."""
    alarms, days = _alarms(rival).sum(axis=0)
    rate = float(alarms / days) if days > 0 else 0.0
    ours, theirs = (
        np.stack([e.sweep.detected[e.sweep.best_at(rate)], e.sweep.seizures], axis=1).astype(float)
        for e in (candidate, rival)
    )
    return ours, theirs


def _alarms(evidence: Evidence) -> np.ndarray:
    """(false alarms, assessed days) per person."""
    table = evidence.table
    return np.stack([table["false_alarms"], table["assessed_s"] / 86400], axis=1).astype(float)


def _abstained(evidence: Evidence) -> np.ndarray:
    table = evidence.table
    return np.stack([table["recorded_s"] - table["assessed_s"], table["recorded_s"]], axis=1).astype(float)


def _same_recordings(candidate: Evidence, rival: Evidence) -> None:
    columns = ["site", "stratum", "seizures", "recorded_s"]
    if not candidate.table[columns].equals(rival.table[columns]):
        raise ValueError(
            "candidate and champion were not scored on the same recordings: predict them all again with both"
        )
