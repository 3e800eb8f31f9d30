"""May the challenger replace the champion? Every gate of the plan, none left out, whatever the task."""

from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np

from validation.gates import detection, forecasting, seizure_types
from validation.gates.envelope import envelope_gate
from validation.gates.gate import NOBODY, NOT_APPLICABLE, NOT_COMPARABLE, Gate, Outcome, unpaired
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
    vacant: bool = True,
) -> list[Gate]:
    """Every declared gate of the candidate's task. While the champion's place is `vacant`, the `floor` detector stands in.

    Once there is a champion, the floor is still to be beaten (`beats_floor`), or one that fell below it would be followed
    by others below it. A champion that cannot be compared with is None, and its place not `vacant`. Nobody is compared
    with itself: of the `floor` where it would stand in for the champion, and of the model that is `in_force`, the paired
    gates are unknown, and say why. Each gate states the digest of the plan. Refuses (ValueError) evidence of another task
    or other recordings.
    Laws: names and order of persons change nothing; who is no better in anything does not pass.
    """
    task = TASKS[type(candidate)]
    stands_in = champion is None and vacant and not in_force
    itself = _itself(stands_in and candidate is floor, in_force)
    rival, nobody = None if itself else floor if stands_in else champion, NOBODY if vacant else NOT_COMPARABLE
    if rival is not None:
        refuse_unpaired(candidate, rival)
    study = arrange(candidate, rival, settings)
    paired = [unpaired(name, itself or nobody) for name in task.PAIRED] if rival is None else task.compare(study)
    below = [] if stands_in or candidate is floor else [floor_gate(candidate, floor, settings)]
    envelope = envelope_gate(
        candidate.task,
        candidate.declared,
        champion.declared if champion else None,
        settings.envelope,
        champion is not None,
    )
    gates = [*paired, *below, *task.alone(study), audit_gate(candidate), cost_gate(candidate, settings), envelope]
    return [replace(gate, plan=settings.digest) for gate in gates]


def _itself(is_floor: bool, in_force: bool) -> str:
    """Why the candidate would be compared with itself; empty where it would not."""
    if in_force:
        return f"{NOT_APPLICABLE}it is the model in force itself"
    return f"{NOT_APPLICABLE}it is the floor itself" if is_floor else ""


def floor_gate(candidate: Scored, floor: Scored | None, settings: GateSettings) -> Gate:
    """All paired gates against the floor detector as one, which ends as the worst of them does."""
    if floor is None:
        return unpaired("beats_floor", "the floor detector was not scored on these recordings")
    refuse_unpaired(candidate, floor)
    gates = TASKS[type(candidate)].compare(arrange(candidate, floor, settings))
    bad = [gate for gate in gates if gate.outcome != "pass"]
    if not bad:
        return Gate("beats_floor", "pass", None, None, f"against the floor detector all {len(gates)} paired gates pass")
    worst = min((gate.outcome for gate in bad), key=_WORST_FIRST.index)
    named = "; ".join(f"{gate.name} {gate.outcome.replace('_', ' ')}: {gate.reason}" for gate in bad)
    return Gate("beats_floor", worst, None, None, f"against the floor detector {named}")


_WORST_FIRST: tuple[Outcome, ...] = ("fail", "unknown", "insufficient_evidence", "pass")


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
