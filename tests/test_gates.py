from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from validation.gates import ENDPOINTS, Evidence, Gate, GateSettings, passed, power_statement, run_gates
from validation.leakage import GuardOutcome, LeakageAudit
from validation.reliability import Calibration
from validation.scoring.overlap import Sweep
from validation.uncertainty import PairWins

N = 160
SITES = np.where(np.arange(N) % 2 == 0, "A", "B")
STRATA = np.where(np.arange(N) < N / 2, "0–28 days", "1–11 years")
CLEAN = LeakageAudit("split", (GuardOutcome("same_person", "pass", ""),))
SETTINGS = GateSettings(max_cost_s_per_eeg_hour=30.0)


def evidence(
    sensitivity: float = 0.8,
    alarms: float = 1.0,
    separation: float = 2.0,
    sharpness: float = 1.0,
    abstained: float = 0.0,
    audit: LeakageAudit | None = CLEAN,
    cost: float | None = 10.0,
    n: int = N,
    hours: float = 24.0,
) -> Evidence:
    """A detector in n patients of ten seizures each who, like their seizures, are the same for every detector.

    `alarms` false alarms per patient; trends are separated by `separation` and stated too surely by `sharpness`.
    """
    rng = np.random.default_rng(0)
    difficulty = rng.random((n, 10))
    detected = (difficulty < sensitivity).sum(axis=1)
    false_alarms = np.full(n, round(alarms))
    table = pd.DataFrame(
        {
            "site": SITES[:n],
            "stratum": STRATA[:n],
            "seizures": 10,
            "detected": detected,
            "false_alarms": false_alarms,
            "recorded_s": hours * 3600,
            "assessed_s": hours * 3600 * (1 - abstained),
        },
        index=[f"person-{i}" for i in range(n)],
    )
    labels = [np.repeat([0, 1], 20) for _ in range(n)]
    logits = [rng.normal(size=40) + separation * (y - 0.5) for y in labels]
    trends = [1 / (1 + np.exp(-separation * sharpness * x)) for x in logits]
    sweep = Sweep(
        np.array([0.5, np.inf]),
        np.stack([detected, np.zeros(n, int)]),
        np.stack([false_alarms, np.zeros(n, int)]),
        np.full(n, 10),
        table["assessed_s"].to_numpy() / 3600,
    )
    return Evidence(table, sweep, PairWins.of(labels, trends), Calibration.of(trends, labels), audit, cost)


def with_table(made: Evidence, **columns: object) -> Evidence:
    return replace(made, table=made.table.assign(**columns))


def gate(name: str, candidate: Evidence, champion: Evidence | None, settings: GateSettings = SETTINGS) -> Gate:
    return next(g for g in run_gates(candidate, champion, settings) if g.name == name)


CHAMPION = evidence()
BETTER = evidence(sensitivity=0.9, separation=2.5)


def test_a_better_candidate_passes_every_gate():
    gates = run_gates(BETTER, CHAMPION, SETTINGS)
    assert passed(gates), [g for g in gates if g.outcome != "pass"]
    assert {g.name for g in gates} == {
        "sensitivity_non_inferior", "false_alarms", "superior", "site:A", "site:B", "calibration", "abstention",
        "floor:0–28 days", "floor:1–11 years", "leakage_audit", "cost",
    }  # fmt: skip


MUST_FAIL = {
    "sensitivity_non_inferior": evidence(sensitivity=0.7),
    "false_alarms": evidence(alarms=2.0),
    "superior": CHAMPION,  # an equal detector is not better
    "site:A": evidence(sensitivity=0.6),
    "calibration": evidence(sharpness=6.0),
    "abstention": evidence(abstained=0.05),
    "floor:0–28 days": evidence(sensitivity=0.6),
    "leakage_audit": evidence(audit=LeakageAudit("split", (GuardOutcome("same_person", "leak", "a and b"),))),
    "cost": evidence(cost=31.0),
}


@pytest.mark.parametrize("name", MUST_FAIL)
def test_each_gate_must_fail_and_then_nothing_passes(name):
    gates = run_gates(MUST_FAIL[name], CHAMPION, SETTINGS)
    assert next(g for g in gates if g.name == name).outcome == "fail"
    assert not passed(gates)


@pytest.mark.parametrize("name", [n for n in MUST_FAIL if n != "superior"])
def test_each_gate_passes_for_an_equal_detector(name):
    assert gate(name, CHAMPION, CHAMPION).outcome == "pass"


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_superiority_may_come_from_any_declared_endpoint_and_from_no_other(endpoint):
    better = {
        "sensitivity": evidence(sensitivity=0.9),
        "alarms_per_24h": evidence(alarms=0.0),
        "auc": evidence(separation=3.0),
        "brier": evidence(separation=3.0),
    }[endpoint]
    # False alarms fall, and the sweep with them, so that sensitivity is compared at the champion's rate.
    assert gate("superior", better, CHAMPION, replace(SETTINGS, endpoints=(endpoint,))).outcome == "pass"
    other = "alarms_per_24h" if endpoint != "alarms_per_24h" else "auc"
    assert gate("superior", better, CHAMPION, replace(SETTINGS, endpoints=(other,))).outcome == "fail"


def test_more_endpoints_make_superiority_harder():
    one = gate("superior", BETTER, CHAMPION, replace(SETTINGS, endpoints=("sensitivity",)))
    four = gate("superior", BETTER, CHAMPION, replace(SETTINGS, endpoints=ENDPOINTS))
    assert four.value == pytest.approx(4 * one.value)


def test_sensitivity_is_compared_at_the_champions_rate_of_false_alarms():
    """A candidate that finds more only by crying wolf is given the champion's rate, where it finds nothing."""
    loud = evidence(sensitivity=1.0, alarms=5.0)
    assert gate("sensitivity_non_inferior", loud, CHAMPION).outcome == "fail"


def test_few_patients_are_insufficient_evidence_even_if_all_was_found():
    small, champion = evidence(sensitivity=1.0, n=24), evidence(n=24)
    made = gate("floor:0–28 days", small, champion)
    assert made.outcome == "insufficient_evidence"
    assert made.reason == "24 patients with seizures, 60 are needed"
    assert not passed(run_gates(small, champion, SETTINGS))


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


def test_a_site_without_seizures_is_insufficient_evidence():
    seizures = np.where(SITES == "A", 10, 0)
    candidate, champion = (
        replace(
            with_table(e, seizures=seizures, detected=np.minimum(e.table["detected"], seizures)),
            sweep=replace(e.sweep, seizures=seizures, detected=np.minimum(e.sweep.detected, seizures)),
        )
        for e in (BETTER, CHAMPION)
    )
    assert gate("site:B", candidate, champion).outcome == "insufficient_evidence"
    assert gate("site:A", candidate, champion).outcome == "pass"


def test_one_bad_site_is_not_hidden_by_the_good_ones():
    worse_at_a = np.where(SITES == "A", evidence(sensitivity=0.6).table["detected"], 10)
    candidate = replace(CHAMPION, sweep=replace(CHAMPION.sweep, detected=np.stack([worse_at_a, 0 * worse_at_a])))
    assert gate("sensitivity_non_inferior", candidate, CHAMPION).outcome == "pass"
    assert gate("site:A", candidate, CHAMPION).outcome == "fail"


def test_without_a_champion_the_floor_detector_is_compared_with():
    floor = evidence(sensitivity=0.3, separation=0.5)
    assert passed(run_gates(BETTER, None, SETTINGS, floor=floor))
    assert run_gates(BETTER, CHAMPION, SETTINGS, floor=floor) == run_gates(BETTER, CHAMPION, SETTINGS)


def test_without_anybody_to_compare_with_the_paired_gates_are_unknown():
    gates = run_gates(BETTER, None, SETTINGS)
    assert {g.name for g in gates if g.outcome == "unknown"} == {
        "sensitivity_non_inferior", "false_alarms", "superior", "sites", "calibration", "abstention",
    }  # fmt: skip
    assert not passed(gates)


def test_a_missing_or_unfinished_audit_and_an_unmeasured_cost_are_unknown():
    unfinished = LeakageAudit("split", (GuardOutcome("fitted_on", "unknown", "nothing is stated"),))
    assert gate("leakage_audit", evidence(audit=None), CHAMPION).outcome == "unknown"
    assert gate("leakage_audit", evidence(audit=unfinished), CHAMPION).outcome == "unknown"
    assert gate("cost", evidence(cost=None), CHAMPION).outcome == "unknown"


def test_a_budget_that_was_not_declared_is_no_gate():
    assert "cost" not in {g.name for g in run_gates(BETTER, CHAMPION, GateSettings())}


def test_evidence_from_other_recordings_is_refused():
    with pytest.raises(ValueError, match="not scored on the same recordings"):
        run_gates(BETTER, with_table(CHAMPION, seizures=11), SETTINGS)


@pytest.mark.parametrize("outcome", ["fail", "unknown", "insufficient_evidence"])
def test_anything_but_a_pass_is_a_fail(outcome):
    good = Gate("a", "pass", 0.0, 0.0, "")
    assert passed([good, good])
    assert not passed([good, replace(good, outcome=outcome)])
    assert not passed([])


def test_an_endpoint_nobody_knows_is_refused():
    with pytest.raises(ValueError, match="endpoints must be some of"):
        GateSettings(endpoints=("accuracy",))
    with pytest.raises(ValueError, match="got none"):
        GateSettings(endpoints=())


def test_gates_are_the_same_whenever_they_are_run():
    assert run_gates(BETTER, CHAMPION, SETTINGS) == run_gates(BETTER, CHAMPION, SETTINGS)
    assert BETTER.table.index[0] not in str([g.to_json() for g in run_gates(BETTER, CHAMPION, SETTINGS)])


def test_power_is_stated_with_the_designs_figures():
    assert "53 % with 24 patients, 86 % with 60 patients, 99 % with 120 patients" in power_statement(24)
    assert power_statement(24).endswith("this cohort has 24.")
    assert power_statement(36).endswith("with 36, between 53 and 86 %.")
    assert power_statement(10).endswith("with 10, fewer than 53 %.")
    assert power_statement(500).endswith("with 500, at least 99 %.")
