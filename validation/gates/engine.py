"""May the challenger replace the champion? Every gate of the plan, none left out, whatever the task."""

from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np

from validation.gates import detection, forecasting, seizure_types
from validation.gates.envelope import envelope_gate
from validation.gates.gate import NOBODY, NOT_APPLICABLE, Gate, Outcome, unpaired
from validation.gates.plan import GateSettings
from validation.gates.study import Scored, arrange, refuse_unpaired

TASKS: dict[type[Any], ModuleType] = {
    detection.Evidence: detection,
    seizure_types.TypingEvidence: seizure_types,
    forecasting.ForecastEvidence: forecasting,
}
"""The home of each kind of evidence: `PAIRED`, `compare` and `alone`."""


def run_gates(
    candidate: Scored,
    champion: Scored | None,
    settings: GateSettings,
    floor: Scored | None = None,
    in_force: bool = False,
) -> list[Gate]:
    """Every declared gate of the candidate's task; the floor detector stands in while there is no champion.

    Nobody is compared with itself: of the `floor` where it would stand in for the champion, and of the model that is
    `in_force`, the paired gates are unknown, and say why. Each gate states the digest of the plan. Refuses (ValueError) evidence of another task or other recordings.
    Laws: names and order of persons change nothing; who is no better in anything does not pass.
    """
    task, itself = TASKS[type(candidate)], _itself(candidate, champion, floor, in_force)
    rival = None if itself else champion if champion is not None else floor
    if rival is not None:
        refuse_unpaired(candidate, rival)
    study = arrange(candidate, rival, settings)
    paired = [unpaired(name, itself or NOBODY) for name in task.PAIRED] if rival is None else task.compare(study)
    envelope = envelope_gate(
        candidate.task,
        candidate.declared,
        champion.declared if champion else None,
        settings.envelope,
        champion is not None,
    )
    gates = [*paired, *task.alone(study), audit_gate(candidate), cost_gate(candidate, settings), envelope]
    return [replace(gate, plan=settings.digest) for gate in gates]


def _itself(candidate: Scored, champion: Scored | None, floor: Scored | None, in_force: bool) -> str:
    """Why the candidate would be compared with itself; empty where it would not."""
    if in_force:
        return f"{NOT_APPLICABLE}it is the model in force itself"
    return f"{NOT_APPLICABLE}it is the floor itself" if champion is None and candidate is floor else ""


def audit_gate(candidate: Scored) -> Gate:
    """Clean only where guards looked and none found anything."""
    audit = candidate.audit
    if audit is None or not audit.outcomes:
        return Gate("leakage_audit", "unknown", None, None, "no leakage audit was given")
    bad = "; ".join(f"{o.guard} {o.outcome}: {o.reason}" for o in audit.outcomes if o.outcome != "pass")
    outcome: Outcome = "fail" if audit.leaking else "pass" if audit.clean else "unknown"
    return Gate("leakage_audit", outcome, None, None, bad or "clean")


def cost_gate(candidate: Scored, settings: GateSettings) -> Gate:
    """The budget of computing; a cost that nobody measured is unknown."""
    limit, cost = settings.max_cost_s_per_eeg_hour, candidate.cost_s_per_eeg_hour
    if cost is None or not np.isfinite(cost):
        return Gate("cost", "unknown", None, limit, "the computing time was not measured")
    outcome: Outcome = "pass" if cost <= limit else "fail"
    return Gate("cost", outcome, cost, limit, f"{cost:.1f} s of computing per hour of recording, must be ≤ {limit:g}")
