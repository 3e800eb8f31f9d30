"""Pass, fail, unknown, too little evidence: what a verdict is made of, and that only a pass passes."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def test_an_audit_names_the_guards_that_did_not_pass_and_a_cost_at_the_budget_keeps_it():
    found = (GuardOutcome("same_person", "pass", ""), GuardOutcome("fitted_on", "unknown", "nothing is stated"))
    audit = LeakageAudit("split", (*found, GuardOutcome("same_bytes", "leak", "a and b")))
    reason = "fitted_on unknown: nothing is stated; same_bytes leak: a and b"
    assert gate("leakage_audit", evidence(audit=audit), CHAMPION).reason == reason
    assert gate("leakage_audit", BETTER, CHAMPION).reason == "clean"
    assert gate("cost", evidence(cost=30.0), CHAMPION).outcome == "pass"


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


AT_LEAST = Claim("a", "Δ", -0.1, 8, 5)
BEYOND = Claim("b", "balanced accuracy", 0.5, 8, 5, strict=True)


@pytest.mark.parametrize(
    ("claim", "estimate", "low", "outcome"),
    [
        (AT_LEAST, 0.2 - 0.3, 0.2 - 0.3, "pass"),  # at the limit but for the rounding of a sum
        (AT_LEAST, 0.0, -0.1001, "insufficient_evidence"),
        (AT_LEAST, -0.1001, -0.2, "fail"),
        (BEYOND, 0.6, 0.5, "insufficient_evidence"),  # has to be exceeded
        (BEYOND, 0.5, 0.4, "fail"),
        (BEYOND, 0.6, 0.5001, "pass"),
        (AT_LEAST, 0.0, float("nan"), "unknown"),
        (AT_LEAST, -0.2, float("nan"), "unknown"),
        (AT_LEAST, float("nan"), 0.0, "unknown"),
        (AT_LEAST, float("nan"), float("nan"), "unknown"),
    ],
)
def test_what_stands_at_the_limit_keeps_it_unless_it_has_to_be_exceeded(claim, estimate, low, outcome):
    assert judge(claim, Interval(estimate, low, 0.9, 2000, 8)).outcome == outcome


@given(
    st.floats(-1, 1), st.floats(0.01, 1), st.floats(0.01, 1), st.integers(-100, 100).map(lambda percent: percent / 100)
)
def test_at_most_is_at_least_turned_over(estimate, below, above, limit):
    """Outcome, power and how many are needed are those of the mirrored figure."""
    at_least, at_most = (
        replace(AT_LEAST, at_least=least, limit=sign * limit) for least, sign in ((True, 1), (False, -1))
    )
    made = judge(at_least, Interval(estimate, estimate - below, estimate + above, 2000, 8))
    mirrored = judge(at_most, Interval(-estimate, -estimate - above, -estimate + below, 2000, 8))
    assert (made.outcome, made.value) == (mirrored.outcome, -mirrored.value)
    assert made.power == pytest.approx(mirrored.power) and made.persons_needed == mirrored.persons_needed
