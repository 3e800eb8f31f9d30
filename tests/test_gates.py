"""Each gate on a cohort of which everything is known: it passes where it should, and it has been seen to fail."""

from dataclasses import replace

import numpy as np
import pytest

from tests.gated import BETTER, CHAMPION, DECLARED, FLOOR, SETTINGS, SITES, N, evidence, gate, with_table
from validation.gates import passed, run_gates
from validation.gates.detection import at_equal_alarms
from validation.gates.study import arrange
from validation.leakage import GuardOutcome, LeakageAudit
from validation.reliability import Calibration, ece


def test_a_better_candidate_passes_every_gate():
    gates = run_gates(BETTER, CHAMPION, SETTINGS, FLOOR)
    assert passed(gates), [g for g in gates if g.outcome != "pass"]
    assert {g.name for g in gates} == {
        "sensitivity_non_inferior", "false_alarms", "superior", "site:A", "site:B", "calibration", "abstention",
        "beats_floor", "floor:0–28 days", "floor:1–11 years", "leakage_audit", "cost", "envelope",
    }  # fmt: skip


MUST_FAIL = {
    "sensitivity_non_inferior": evidence(sensitivity=0.7),
    "false_alarms": evidence(alarms=2.0),
    "superior": CHAMPION,  # an equal detector is not better
    "site:A": evidence(sensitivity=0.6),
    "calibration": evidence(sharpness=6.0),
    "abstention": evidence(abstained=0.05),
    "beats_floor": evidence(sensitivity=0.2, separation=0.4),
    "floor:0–28 days": evidence(sensitivity=0.6),
    "leakage_audit": evidence(audit=LeakageAudit("split", (GuardOutcome("same_person", "leak", "a and b"),))),
    "cost": evidence(cost=31.0),
    "envelope": evidence(declared=replace(DECLARED, montage="neonatal_8")),
}


@pytest.mark.parametrize("name", MUST_FAIL)
def test_each_gate_must_fail_and_then_nothing_passes(name):
    gates = run_gates(MUST_FAIL[name], CHAMPION, SETTINGS, FLOOR)
    assert next(g for g in gates if g.name == name).outcome == "fail"
    assert not passed(gates)


@pytest.mark.parametrize("name", [n for n in MUST_FAIL if n not in ("superior", "beats_floor")])
def test_each_gate_passes_for_an_equal_detector(name):
    assert gate(name, CHAMPION, CHAMPION).outcome == "pass"


def test_sensitivity_is_compared_at_the_champions_rate_of_false_alarms():
    """A candidate that finds more only by crying wolf is given the champion's rate, where it finds nothing."""
    loud = evidence(sensitivity=1.0, alarms=5.0)
    assert gate("sensitivity_non_inferior", loud, CHAMPION).outcome == "fail"


@pytest.mark.parametrize(("alarms", "hours"), [(1.0, 24.0), (1.0, 0.5), (0.0, 24.0)])
def test_at_its_own_rate_of_false_alarms_a_detector_finds_what_it_finds_as_it_is_set(alarms, hours):
    """Also where all recordings together last less than a day (24 times half an hour), or nobody raises an alarm."""
    better, champion = (evidence(x, alarms, n=24, hours=hours) for x in (0.9, 0.8))
    for counted, made in zip(at_equal_alarms(arrange(better, champion, SETTINGS)), (better, champion), strict=True):
        assert counted.sum(axis=0).tolist() == [made.table["detected"].sum(), 240]


def test_a_patient_with_one_seizure_is_one_with_seizures():
    once = with_table(CHAMPION, seizures=1, detected=1)
    assert gate("floor:0–28 days", once, once).outcome == "pass"


def test_few_patients_are_insufficient_evidence_even_if_all_was_found():
    small, champion = evidence(sensitivity=1.0, n=24), evidence(n=24)
    made = gate("floor:0–28 days", small, champion)
    assert made.outcome == "insufficient_evidence"
    assert made.reason == "24 patients with seizures, 60 are needed"
    assert not passed(run_gates(small, champion, SETTINGS, evidence(sensitivity=0.3, n=24)))


def test_patients_without_seizures_do_not_count_towards_the_floor():
    half = np.where(np.arange(N) % 4 < 2, 10, 0)
    made = with_table(BETTER, seizures=half, detected=np.minimum(BETTER.table["detected"], half))
    champion = with_table(CHAMPION, seizures=half, detected=np.minimum(CHAMPION.table["detected"], half))
    assert gate("floor:1–11 years", made, champion).outcome == "insufficient_evidence"


def test_a_wide_interval_above_the_limit_is_insufficient_evidence_and_not_a_pass():
    candidate, champion = evidence(n=6), evidence(n=6)
    seen = np.array([10, 10, 2, 9, 3, 10])
    turned = replace(candidate, sweep=replace(candidate.sweep, detected=np.stack([seen, 0 * seen])))
    other = replace(champion, sweep=replace(champion.sweep, detected=np.stack([seen[::-1], 0 * seen])))
    made = gate("sensitivity_non_inferior", turned, other)
    assert made.outcome == "insufficient_evidence" and made.value < -0.05


def test_no_false_alarm_in_a_few_hours_is_insufficient_evidence():
    candidate, champion = (evidence(alarms=0.0, n=24, hours=1 / 6) for _ in range(2))
    made = gate("false_alarms", candidate, champion)
    assert made.outcome == "insufficient_evidence"
    assert made.reason == "4.0 h assessed, 48 h are needed for one alarm to be seen"
    for hours, outcome in ((1.9, "insufficient_evidence"), (2.0, "pass")):  # of 24 patients: 45.6 h and 48 h
        assert gate("false_alarms", *(evidence(alarms=0.0, n=24, hours=hours) for _ in range(2))).outcome == outcome


@pytest.mark.parametrize("name", ["false_alarms", "calibration", "abstention"])
def test_of_whom_nothing_was_looked_at_nobody_counts_as_a_patient(name):
    """Of two of six nothing was recorded, and so nothing assessed or stated: four are left, five are needed."""
    none = np.array([1.0, 1, 1, 1, 0, 0])
    labels = [np.repeat([0, 1], 20)] * 6
    stated = Calibration.of([np.where(x, 0.5, np.nan) * np.ones(40) for x in none], labels)
    times = {"recorded_s": 86400 * none, "assessed_s": 86400 * none}
    made = with_table(evidence(n=6), seizures=10 * none, false_alarms=none, **times)
    both = replace(made, calibration=stated)
    assert gate(name, both, both).reason == "4 patients, 5 are needed"


def test_a_site_without_seizures_is_insufficient_evidence():
    seizures = np.where(SITES == "A", 10, 0)
    candidate, champion = (
        replace(
            with_table(e, seizures=seizures, detected=np.minimum(e.table["detected"], seizures)),
            sweep=replace(e.sweep, seizures=seizures, detected=np.minimum(e.sweep.detected, seizures)),
        )
        for e in (BETTER, CHAMPION)
    )
    made = gate("site:B", candidate, champion)
    assert (made.outcome, made.reason) == ("insufficient_evidence", "0 patients with seizures, 5 are needed")
    assert gate("site:A", candidate, champion).outcome == "pass"


def test_one_bad_site_is_not_hidden_by_the_good_ones():
    worse_at_a = np.where(SITES == "A", evidence(sensitivity=0.6).table["detected"], 10)
    candidate = replace(CHAMPION, sweep=replace(CHAMPION.sweep, detected=np.stack([worse_at_a, 0 * worse_at_a])))
    assert gate("sensitivity_non_inferior", candidate, CHAMPION).outcome == "pass"
    assert gate("site:A", candidate, CHAMPION).outcome == "fail"


def test_a_site_with_one_seizing_patient_cannot_pass_on_that_patient():
    seizures = np.where((SITES == "A") | (np.arange(N) == 1), 10, 0)
    both = replace(
        with_table(CHAMPION, seizures=seizures, detected=np.minimum(CHAMPION.table["detected"], seizures)),
        sweep=replace(CHAMPION.sweep, seizures=seizures, detected=np.minimum(CHAMPION.sweep.detected, seizures)),
    )
    assert gate("site:B", both, both).outcome == "insufficient_evidence"
    assert gate("site:A", both, both).outcome == "pass"


def test_a_site_that_overstates_does_not_make_up_for_one_that_understates():
    """Of the seconds at A 80 % are seizure, at B 30 %. To state 0.55 everywhere is right on average (as many patients
    at both) and wrong by 0.25 at each."""
    labels = [np.repeat([0, 1], [4, 16] if site == "A" else [14, 6]) for site in SITES]
    fair = Calibration.of([np.full(20, 0.8 if site == "A" else 0.3) for site in SITES], labels)
    blurred = Calibration.of([np.full(20, 0.55)] * N, labels)
    assert ece(np.ones((1, N), int), blurred)[0] == pytest.approx(0.0)
    made = gate("calibration", replace(CHAMPION, calibration=blurred), replace(CHAMPION, calibration=fair))
    assert made.outcome == "fail" and made.value == pytest.approx(0.25)
