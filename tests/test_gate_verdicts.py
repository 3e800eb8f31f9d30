"""Pass, fail, unknown, too little evidence: what a verdict is made of, and that only a pass passes."""

from dataclasses import replace

import pytest

from tests.gated import BETTER, CHAMPION, SETTINGS, evidence, gate
from validation.gates import Gate, passed, run_gates
from validation.gates.gate import Claim, judge
from validation.leakage import GuardOutcome, LeakageAudit
from validation.uncertainty import Interval


def test_a_missing_or_unfinished_audit_and_an_unmeasured_cost_are_unknown():
    unfinished = LeakageAudit("split", (GuardOutcome("fitted_on", "unknown", "nothing is stated"),))
    assert gate("leakage_audit", evidence(audit=None), CHAMPION).outcome == "unknown"
    assert gate("leakage_audit", evidence(audit=unfinished), CHAMPION).outcome == "unknown"
    assert gate("leakage_audit", evidence(audit=LeakageAudit("split", ())), CHAMPION).outcome == "unknown"
    assert gate("cost", evidence(cost=None), CHAMPION).outcome == "unknown"
    assert gate("cost", evidence(cost=float("nan")), CHAMPION).outcome == "unknown"


@pytest.mark.parametrize("outcome", ["fail", "unknown", "insufficient_evidence"])
def test_anything_but_a_pass_is_a_fail(outcome):
    good = Gate("a", "pass", 0.0, 0.0, "")
    assert passed([good, good])
    assert not passed([good, replace(good, outcome=outcome)])
    assert not passed([])


def test_gates_are_the_same_whenever_they_are_run():
    assert run_gates(BETTER, CHAMPION, SETTINGS) == run_gates(BETTER, CHAMPION, SETTINGS)
    assert BETTER.table.index[0] not in str([g.to_json() for g in run_gates(BETTER, CHAMPION, SETTINGS)])


@pytest.mark.parametrize(
    ("estimate", "low", "outcome", "end"),
    [
        (-0.20, -0.462, "fail", ", lower bound must be ≥ -0.1, and not even the estimate is"),
        (-0.09, -0.333, "insufficient_evidence", ", lower bound must be ≥ -0.1, and only the estimate is"),
        (-0.01, -0.050, "pass", ", lower bound must be ≥ -0.1"),
    ],
)
def test_the_reason_tells_a_gate_that_failed_from_one_that_lacks_evidence(estimate, low, outcome, end):
    made = judge(Claim("site:A", "Δ", -0.1, 8, 5), Interval(estimate, low, 0.0, 2000, 8))
    assert made.outcome == outcome and made.reason.endswith(end)


@pytest.mark.parametrize(("persons", "said"), [(0, "0 patients with seizures"), (1, "1 patient with seizures")])
def test_one_patient_is_told_of_as_one(persons: int, said: str) -> None:
    claim = Claim("sensitivity", "sensitivity", 0.5, persons, 5, who="patients with seizures")
    assert judge(claim, Interval(0.9, 0.8, 1.0, 100, persons)).reason == f"{said}, 5 are needed"
