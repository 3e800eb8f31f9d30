"""Each gate on a cohort of which everything is known: it passes where it should, and it has been seen to fail."""

from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest

from validation.gates import (
    ENDPOINTS,
    Declared,
    Envelope,
    Evidence,
    ForecastEvidence,
    ForecastingPlan,
    Gate,
    GateSettings,
    TypingEvidence,
    passed,
    run_gates,
    silence,
)
from validation.gates.gate import Claim, judge
from validation.gates.study import Study
from validation.gates.superiority import Endpoint, gain
from validation.leakage import GUARDS, GuardOutcome, LeakageAudit
from validation.outcome import gates_section, headline, power_sentence
from validation.reading import read
from validation.reliability import Calibration, ece
from validation.scoring.overlap import Sweep
from validation.uncertainty import Interval, PairWins, pooled_auc, ratio_of_sums

N = 160
SITES = np.where(np.arange(N) % 2 == 0, "A", "B")
STRATA = np.where(np.arange(N) < N / 2, "0–28 days", "1–11 years")
CLEAN = LeakageAudit("split", tuple(GuardOutcome(guard.name, "pass", "") for guard in GUARDS))
SETTINGS = GateSettings(max_cost_s_per_eeg_hour=30.0)
USE = "Research on neonatal seizure detection in full-montage EEG; every detection is to be reviewed."
DECLARED = Declared("detection", "eeg", "neonatal_18", (0, 28), ("background", "seizure"), USE, 128.0)


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
    declared: Declared | None = DECLARED,
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
    return Evidence(table, sweep, PairWins.of(labels, trends), Calibration.of(trends, labels), audit, cost, declared)


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
        "envelope",
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
    "envelope": evidence(declared=replace(DECLARED, montage="neonatal_8")),
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
    made = gate("site:B", candidate, champion)
    assert (made.outcome, made.reason) == ("insufficient_evidence", "0 patients with seizures, 5 are needed")
    assert gate("site:A", candidate, champion).outcome == "pass"


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


def test_one_bad_site_is_not_hidden_by_the_good_ones():
    worse_at_a = np.where(SITES == "A", evidence(sensitivity=0.6).table["detected"], 10)
    candidate = replace(CHAMPION, sweep=replace(CHAMPION.sweep, detected=np.stack([worse_at_a, 0 * worse_at_a])))
    assert gate("sensitivity_non_inferior", candidate, CHAMPION).outcome == "pass"
    assert gate("site:A", candidate, CHAMPION).outcome == "fail"


def test_without_a_champion_the_floor_detector_is_compared_with():
    floor = evidence(sensitivity=0.3, separation=0.5)
    assert passed(run_gates(BETTER, None, SETTINGS, floor=floor))
    assert run_gates(BETTER, CHAMPION, SETTINGS, floor=floor) == run_gates(BETTER, CHAMPION, SETTINGS)


PAIRED_ALONE = {"sensitivity_non_inferior", "false_alarms", "superior", "sites", "calibration", "abstention"}


@pytest.mark.parametrize(
    ("gates", "why"),
    [
        (run_gates(CHAMPION, None, SETTINGS, floor=CHAMPION), "not applicable: it is the floor itself"),
        (
            run_gates(CHAMPION, replace(CHAMPION), SETTINGS, in_force=True),
            "not applicable: it is the model in force itself",
        ),
    ],
)
def test_nobody_is_compared_with_itself(gates, why):
    assert {g.name for g in gates if (g.outcome, g.reason) == ("unknown", why)} == PAIRED_ALONE
    assert not any("0.000 to 0.000" in g.reason for g in gates) and not passed(gates)


def test_a_floor_is_compared_with_a_champion_like_anybody_else():
    gates = run_gates(CHAMPION, BETTER, SETTINGS, floor=CHAMPION)
    assert next(g for g in gates if g.name == "superior").outcome == "fail"


def test_without_anybody_to_compare_with_the_paired_gates_are_unknown():
    gates = run_gates(BETTER, None, SETTINGS)
    assert {g.name for g in gates if g.outcome == "unknown"} == PAIRED_ALONE
    assert not passed(gates)


def test_a_missing_or_unfinished_audit_and_an_unmeasured_cost_are_unknown():
    unfinished = LeakageAudit("split", (GuardOutcome("fitted_on", "unknown", "nothing is stated"),))
    assert gate("leakage_audit", evidence(audit=None), CHAMPION).outcome == "unknown"
    assert gate("leakage_audit", evidence(audit=unfinished), CHAMPION).outcome == "unknown"
    assert gate("leakage_audit", evidence(audit=LeakageAudit("split", ())), CHAMPION).outcome == "unknown"
    assert gate("cost", evidence(cost=None), CHAMPION).outcome == "unknown"
    assert gate("cost", evidence(cost=float("nan")), CHAMPION).outcome == "unknown"


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


def test_three_patients_who_all_improve_do_not_show_that_a_detector_is_better():
    """A bootstrap of three cannot leave the three; a sign test shows (1/2)³ = 0.125, for four endpoints 0.5."""
    made = gate("superior", evidence(sensitivity=1.0, n=3), evidence(sensitivity=0.2, n=3))
    assert made.outcome == "insufficient_evidence" and made.value >= 0.125


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


def test_a_gain_that_could_be_chance_is_insufficient_evidence():
    """One seizure more in 12 patients and one less in 8: a gain of 4 in 1,600, and nothing else differs."""
    found = np.minimum(CHAMPION.sweep.detected[0], 9)
    turned = found + np.repeat([1, -1, 0], [12, 8, N - 20])
    champion, candidate = (
        replace(CHAMPION, sweep=replace(CHAMPION.sweep, detected=np.stack([f, 0 * f]))) for f in (found, turned)
    )
    made = gate("superior", candidate, champion, replace(SETTINGS, endpoints=("sensitivity",)))
    assert made.outcome == "insufficient_evidence" and 0.05 < made.value < 0.5


def test_who_is_no_better_on_average_has_a_p_of_one_whatever_was_drawn():
    """Drawn was only the first patient, who improved by 1; the second got worse by 2."""
    found, known = np.array([[1.0, 4.0], [0.0, 4.0]]), np.array([[0.0, 4.0], [2.0, 4.0]])
    study = Study(None, None, np.array(["A", "A"]), np.tile([2, 0], (2000, 1)), SETTINGS)
    assert gain(study, Endpoint(found, known, ratio_of_sums, 1, 20)).p == 1.0
    assert gain(study, Endpoint(found, known * [[1], [0]], ratio_of_sums, 1, 20)).p < 0.001


def test_a_second_that_one_detector_left_unanswered_ranks_neither_above_nor_below():
    """One seizure second at 0.9, others at 0.1 and 0.95: one pair of two is won. Silent on the third it won one of
    one; with the silence as half a win it is 1.5 of 2."""
    labels, stated = [np.array([1, 0, 0])], np.array([0.9, 0.1, 0.95])
    every, silent = PairWins.of(labels, [stated]), PairWins.of(labels, [np.where(stated > 0.92, np.nan, stated)])
    once = np.ones((1, 1), int)
    assert [pooled_auc(once, p)[0] for p in (every, silent)] == [0.5, 1.0]
    assert pooled_auc(once, silence.pairs(silent, every))[0] == 0.75
    assert pooled_auc(once, silence.pairs(every, silent))[0] == 0.5


def test_a_champion_silenced_where_it_errs_is_not_superior_to_itself():
    """The hardest tenth of the seconds is not answered: what is left ranks better, and nothing was learnt."""
    rng = np.random.default_rng(4)
    labels = [np.repeat([0, 1], 20) for _ in range(N)]
    trends = [np.clip(0.5 + 0.3 * (y - 0.5) + 0.15 * rng.normal(size=40), 0.01, 0.99) for y in labels]
    hard = [np.where(np.abs(t - 0.5) < 0.05, np.nan, t) for t in trends]
    before, after = (
        replace(CHAMPION, pairs=PairWins.of(labels, t), calibration=Calibration.of(t, labels)) for t in (trends, hard)
    )
    blind = replace(SETTINGS, endpoints=("auc", "brier"))
    assert np.nanmean([np.isnan(t).mean() for t in hard]) > 0.1
    assert gate("superior", after, before, blind).outcome != "pass"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"task": "typing"}, "task typing, planned are detection"),
        ({"modality": "video"}, "modality video, planned are eeg"),
        ({"montage": "neonatal_8"}, "montage neonatal_8, planned are neonatal_18"),
        ({"rate_hz": 256.0}, "rate 256.0, planned are 128.0"),
        ({"age_days": (0, 365)}, "ages 0–365 days, the plan's are 0–28"),
        ({"age_days": (float("nan"), 28)}, "the plan's are 0–28"),
        ({"classes": ("background", "seizure", "artefact")}, "class artefact, planned are background, seizure"),
        ({"classes": ()}, "class none"),
        ({"intended_use": "Alarms at the bedside."}, "an intended use that the plan does not name"),
    ],
)
def test_what_lies_outside_of_the_declared_envelope_is_refused_with_what_differs(changed, said):
    made = gate("envelope", replace(BETTER, declared=replace(DECLARED, **changed)), CHAMPION)
    assert made.outcome == "fail" and said in made.reason


def test_a_challenger_for_other_ages_or_another_use_than_the_champions_is_refused_inside_the_envelope_too():
    narrow = replace(CHAMPION, declared=replace(DECLARED, age_days=(0, 14)))
    assert "the champion's are 0–14" in gate("envelope", BETTER, narrow).reason
    assert gate("envelope", narrow, CHAMPION).outcome == "pass"
    yardstick = "A yardstick for neonatal seizure detectors. Not for clinical use."
    other = replace(CHAMPION, declared=replace(DECLARED, intended_use=yardstick))
    assert "another intended use than the champion's" in gate("envelope", BETTER, other).reason
    assert all(g.outcome == "pass" for g in run_gates(BETTER, None, SETTINGS, floor=other)), "the floor is no champion"


def test_what_is_not_declared_is_unknown():
    silent = replace(CHAMPION, declared=None)
    assert gate("envelope", replace(BETTER, declared=None), CHAMPION).outcome == "unknown"
    assert gate("envelope", BETTER, silent).outcome == "unknown"
    assert gate("envelope", replace(BETTER, declared=replace(DECLARED, rate_hz=None)), CHAMPION).outcome == "unknown"


def test_a_line_break_in_a_sentence_is_no_other_use():
    broken = replace(DECLARED, intended_use=USE.replace(" in ", "\n  in "))
    assert gate("envelope", replace(BETTER, declared=broken), CHAMPION).outcome == "pass"


def test_every_gate_states_the_plan_and_another_number_is_another_plan():
    assert {g.plan for g in run_gates(BETTER, CHAMPION, SETTINGS)} == {SETTINGS.digest}
    others = [
        replace(SETTINGS, ece_margin=0.01),
        replace(SETTINGS, forecasting=ForecastingPlan(brier_margin=0.005)),
        replace(SETTINGS, envelope=Envelope(age_days=(0, 27))),
    ]
    assert len({SETTINGS.digest, *(o.digest for o in others)}) == 4


def test_power_of_an_equal_pair_is_that_of_the_normal_approximation():
    """160 patients, limit −0.05: with a standard error of 0.02 the gate passes in Φ(0.05/0.02 − 1.96) = 0.705."""
    rng = np.random.default_rng(1)
    candidate, champion = (
        replace(e, sweep=replace(e.sweep, detected=np.stack([rng.binomial(10, 0.8, N), np.zeros(N, int)])))
        for e in (CHAMPION, CHAMPION)
    )
    made = gate("sensitivity_non_inferior", candidate, champion)
    ours, theirs = candidate.sweep.detected[0] / 10, champion.sweep.detected[0] / 10
    error = (ours - theirs).std() / np.sqrt(N)
    expected = 0.05 / error - 1.96
    assert made.power == pytest.approx(NormalDist().cdf(expected), abs=0.03)
    assert made.persons_needed == pytest.approx(N * ((1.96 + 0.8416) * error / 0.05) ** 2, rel=0.1)
    assert made.power_if == "both were equal"


def test_a_gate_that_cannot_pass_at_this_size_has_no_power_and_says_how_many_are_needed():
    small, champion = evidence(n=24), evidence(n=24)
    floor = gate("floor:0–28 days", small, champion)
    assert (floor.power, floor.persons_needed) == (0.0, 60) and floor.power_if == "the true sensitivity were 0.80"
    hours = gate("false_alarms", *(evidence(alarms=0.0, n=24, hours=1 / 6) for _ in range(2)))
    assert (hours.power, hours.persons_needed) == (0.0, 24 * 12)


def test_where_chance_has_no_part_no_power_is_stated():
    sure = {g.name: g for g in run_gates(BETTER, CHAMPION, SETTINGS) if g.power is None}
    assert set(sure) == {"leakage_audit", "cost", "envelope"}


def test_the_page_says_beside_each_verdict_what_the_cohort_could_have_shown():
    weak = Gate("a", "insufficient_evidence", -0.1, -0.05, "why", 0.094, "both were equal", 410)
    never = Gate("b", "insufficient_evidence", None, 0.7, "6 patients", 0.0, "the true sensitivity were 0.80", 60)
    sure = Gate("c", "pass", -0.01, -0.05, "why", 0.999, "both were equal", 20)
    audit = Gate("d", "pass", None, None, "clean", plan="ab12")
    assert power_sentence(weak) == (
        "It would pass in 9 % of such cohorts if both were equal; 410 patients are needed for 80 %."
    )
    assert power_sentence(never) == "It cannot pass in a cohort like this; 60 patients are needed for 80 %."
    assert power_sentence(sure) == "It would pass in over 99 % of such cohorts if both were equal."
    assert power_sentence(audit) == ""
    section = gates_section([weak, never, sure, audit], read({"counts": {"persons": 24, "seizing_persons": 9}}))
    table = section.parts[-1]
    assert [row[2] for row in table.rows] == ["-0.1\n(-0.05)", "(0.7)", "-0.01\n(-0.05)", "–"]
    assert [row[3] for row in table.rows] == [
        "9 % if\nboth were equal\n80 % needs 410", "none here\n80 % needs 60", "over 99 % if\nboth were equal", "–",
    ]  # fmt: skip
    assert section.parts[1:3] == (
        "This cohort has 24 patients, 9 of them with seizures.", "Change plan (SHA-256): ab12.",
    )  # fmt: skip


def test_the_headline_says_of_what_did_not_pass_whether_it_could_have():
    gates = run_gates(evidence(n=24), evidence(n=24), SETTINGS)
    told = headline("candidate", "champion", gates, read({}))
    floor = next(reason for reason in told.reasons if reason.startswith("floor:0–28 days"))
    assert floor.endswith("60 are needed. It cannot pass in a cohort like this; 60 patients are needed for 80 %.")


TYPES = ("focal", "focal to bilateral", "unknown onset")


def typed(skill: float = 0.8, patients: int = 60, rare: int = 20, silent: float = 0.0, audit=CLEAN) -> TypingEvidence:
    """Four clips of one type per patient, called rightly with `skill`, else as the next type; `rare` patients have the
    third type. Clips differ in difficulty, which is the same for every detector."""
    rng = np.random.default_rng(2)
    difficulty, heard = rng.random((patients, 4)), rng.random((patients, 4))
    confusion = np.zeros((patients, 3, 4), dtype=int)
    for i in range(patients):
        truth = 2 if i < rare else i % 2
        for hard, spoken in zip(difficulty[i], heard[i], strict=True):
            said = 3 if spoken < silent else truth if hard < skill else (truth + 1) % 3
            confusion[i, truth, said] += 1
    table = pd.DataFrame({"site": np.where(np.arange(patients) % 2, "A", "B")}, index=range(patients))
    declared = replace(DECLARED, task="typing", modality="video", montage="two_views", classes=TYPES)
    return TypingEvidence(table, TYPES, confusion, audit, 10.0, declared)


WIDE = Envelope(
    ("typing", "forecasting"), ("video",), ("two_views",), (128.0,), (0, 28), (*TYPES, "background", "ahead"), (USE,)
)
VIDEO = replace(SETTINGS, envelope=WIDE)


def test_a_better_namer_of_types_passes_every_gate():
    gates = run_gates(typed(0.95), typed(0.75), VIDEO)
    assert passed(gates), [g for g in gates if g.outcome != "pass"]
    assert {g.name for g in gates} == {
        "macro_f1", "superior", "floor:focal", "floor:focal to bilateral", "floor:unknown onset",
        "leakage_audit", "cost", "envelope",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "candidate"),
    [
        ("macro_f1", typed(0.7)),
        ("macro_f1", typed(0.8, silent=0.3)),  # silence is not taken for knowledge
        ("superior", typed(0.8)),
        ("floor:unknown onset", typed(0.3)),
        ("leakage_audit", typed(0.95, audit=LeakageAudit("split", (GuardOutcome("same_person", "leak", "a and b"),)))),
        ("envelope", replace(typed(0.95), declared=DECLARED)),
    ],
)
def test_each_gate_of_typing_must_fail(name, candidate):
    gates = run_gates(candidate, typed(0.8), VIDEO)
    assert next(g for g in gates if g.name == name).outcome == "fail" and not passed(gates)


def test_macro_f1_is_the_mean_of_the_types_and_is_written_out():
    """One site of 10 patients, two types of 5, one clip each. Said rightly: 5 of 5 and 3 of 5, the other two as the
    first type. F1: 10/(5 + 7) = 0.833 and 6/(5 + 3) = 0.75, mean 0.792."""
    confusion = np.zeros((10, 2, 3), int)
    confusion[:5, 0, 0], confusion[5:8, 1, 1], confusion[8:, 1, 0] = 1, 1, 1
    table = pd.DataFrame({"site": "A"}, index=range(10))
    ours = TypingEvidence(table, ("x", "y"), confusion)
    none = TypingEvidence(
        table, ("x", "y"), np.stack([0 * confusion[:, :, 0], 0 * confusion[:, :, 0], confusion.sum(2)], 2)
    )
    made = next(g for g in run_gates(ours, none, VIDEO) if g.name == "macro_f1")
    assert made.reason.startswith("Δ macro-F1 0.792 (")
    floors = [g.reason[:8] for g in run_gates(ours, none, VIDEO) if g.name.startswith("floor")]
    assert floors == ["F1 0.833", "F1 0.750"]


def test_a_type_that_four_patients_had_is_not_evaluable_and_keeps_the_candidate_from_passing():
    gates = {g.name: g for g in run_gates(typed(0.95, rare=4), typed(0.75, rare=4), VIDEO)}
    assert gates["floor:unknown onset"].reason == "4 patients with this type, 5 are needed"
    assert gates["floor:unknown onset"].outcome == "insufficient_evidence"
    assert "without unknown onset: too few patients" in gates["macro_f1"].reason
    assert not passed(list(gates.values()))


def test_a_confusion_table_without_a_column_for_no_answer_is_refused():
    made = typed()
    with pytest.raises(ValueError, match=r"must be \(60, 3, 4\) \(no answer last\), got \(60, 3, 3\)"):
        TypingEvidence(made.table, TYPES, made.confusion[:, :, :3])


TIME = "how far the film has come"


def forecast(
    foreseen: float = 0.8,
    silent: float = 0.8,
    sharp: float = 1.0,
    warned: float = 0.1,
    patients: int = 80,
    audit=CLEAN,
    told_by_time: float = 0.6,
) -> ForecastEvidence:
    """20 clips before a seizure and 20 others per patient, 24 h observed; `warned` is the share of time in warning. A
    baseline tells `told_by_time` of both apart, another never warns."""
    rng = np.random.default_rng(3)
    difficulty = rng.random((2, patients, 20))
    table = pd.DataFrame(
        {
            "site": np.where(np.arange(patients) % 2, "A", "B"),
            "ahead": 20,
            "foreseen": (difficulty[0] < foreseen).sum(axis=1),
            "quiet": 20,
            "silent": (difficulty[1] < silent).sum(axis=1),
            "judged": 40,
            "squared_error": 40 * 0.2 / sharp * (1 + 0.1 * rng.random(patients)),
            "false_warnings": np.round(24 * (1 - silent)).astype(int),
            "warning_s": 86400 * warned,
            "answered_s": 86400.0,
            "observed_s": 86400.0,
        }
    )
    declared = replace(
        DECLARED, task="forecasting", modality="video", montage="two_views", classes=("background", "ahead")
    )
    right = (rng.random((2, patients, 20)) < told_by_time).sum(axis=2)
    asked, none = np.full(patients, 20), np.zeros(patients, int)
    blind = {
        TIME: np.stack([right[0], asked, right[1], asked], axis=1),
        "never a warning": np.stack([none, asked, asked, asked], axis=1),
    }
    return ForecastEvidence(table, audit, 10.0, declared, blind)


def answering(share: float) -> ForecastEvidence:
    """A forecaster that is better than the champion in this share of the film, and says nothing in the rest."""
    better = forecast(0.9, 0.9, 1.2)
    return replace(better, table=better.table.assign(answered_s=share * better.table["observed_s"]))


def test_a_better_forecaster_passes_every_gate():
    gates = run_gates(forecast(0.9, 0.9, 1.2), forecast(), VIDEO)
    assert passed(gates), [g for g in gates if g.outcome != "pass"]
    assert {g.name for g in gates} == {
        "balanced_accuracy", "warnings", "time_in_warning", "brier", "abstention", "superior", "floor:balanced_accuracy",
        "baselines", "leakage_audit", "cost", "envelope",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "candidate"),
    [
        ("balanced_accuracy", forecast(foreseen=0.6)),
        ("warnings", forecast(silent=0.6)),
        ("time_in_warning", forecast(warned=0.2)),
        ("brier", forecast(sharp=0.8)),
        ("abstention", answering(0.9)),
        ("superior", forecast()),
        ("floor:balanced_accuracy", forecast(foreseen=1.1, silent=-0.1)),  # always warning is exactly chance
        ("baselines", forecast(0.9, 0.9, 1.2, told_by_time=0.95)),
        ("leakage_audit", forecast(audit=LeakageAudit("split", (GuardOutcome("same_person", "leak", "a and b"),)))),
        ("envelope", replace(forecast(0.9, 0.9, 1.2), declared=DECLARED)),
    ],
)
def test_each_gate_of_forecasting_must_fail(name, candidate):
    gates = run_gates(candidate, forecast(), VIDEO)
    assert next(g for g in gates if g.name == name).outcome == "fail" and not passed(gates)


def test_the_gate_names_the_best_of_what_looks_at_no_film_and_by_how_much_it_is_better():
    """Two patients in turn, 24 of them, 10 clips of either kind each. Time is right of all 240 clips before a seizure and of
    half of the others: (1 + 0.5) / 2 = 0.75. Never to warn is right of the others alone: 0.5. The forecaster is right of 9
    in 10: 0.9 − 0.75 = 0.15 in every draw."""
    ten = np.full(24, 10)
    made = forecast(patients=24)
    table = made.table.assign(ahead=10, foreseen=9, quiet=10, silent=9, judged=20)
    blind = {
        "never a warning": np.stack([0 * ten, ten, ten, ten], axis=1),
        TIME: np.stack([ten, ten, ten - 5, ten], axis=1),
    }
    found = {g.name: g for g in run_gates(replace(made, table=table, blind=blind), None, VIDEO)}["baselines"]
    assert found.outcome == "pass" and found.value == pytest.approx(0.15)
    assert found.reason == (
        "Δ balanced accuracy to the best that looks at no film 0.150 (95 % 0.150 to 0.150, 24 patients), lower bound must be "
        "> 0; how far the film has come reached 0.750, the forecaster 0.900"
    )
    equal = replace(made, table=table.assign(foreseen=10, silent=5), blind=blind)
    assert {g.name: g for g in run_gates(equal, None, VIDEO)}["baselines"].outcome == "fail", (
        "to be as good is too little"
    )


def test_a_better_baseline_among_other_patients_counts_in_each_draw():
    """Half of the patients are told by time alone, half by the patient; each baseline reaches 0.75 of all, the forecaster
    0.8. Where a draw has more of one half, its baseline reaches more, so that the bound is lower than against either."""
    twenty, half = np.full(40, 20), np.arange(40) % 2
    made = forecast(patients=40)
    table = made.table.assign(foreseen=16, silent=16)
    told = [np.stack([10 + 10 * own, twenty, 10 + 10 * own, twenty], axis=1) for own in (half, 1 - half)]
    made = replace(made, table=table.assign(site="A"))
    alone, together = (
        {g.name: g for g in run_gates(replace(made, blind=blind), None, VIDEO)}["baselines"]
        for blind in ({"a": told[0]}, {"a": told[0], "b": told[1]})
    )
    assert together.value < alone.value < 0.05 and together.outcome == "insufficient_evidence"


def test_without_baselines_nobody_knows_whether_a_forecaster_beats_them():
    made = replace(forecast(0.9, 0.9, 1.2), blind={})
    found = {g.name: g for g in run_gates(made, forecast(), VIDEO)}
    assert found["baselines"].outcome == "unknown" and not passed(list(found.values()))


def test_clips_without_an_answer_count_as_not_foreseen_and_as_knowing_nothing():
    """Of 40 clips a quarter is not answered: 10 × 0.25 = 2.5 is added to the squared error."""
    made = forecast()
    quiet = replace(made, table=made.table.assign(judged=30, squared_error=0.0))
    assert quiet.errors[0].tolist() == [2.5, 40.0]
    gates = {g.name: g.outcome for g in run_gates(quiet, made, VIDEO)}
    assert gates["balanced_accuracy"] == "pass"
    unanswered = replace(made, table=made.table.assign(foreseen=0, silent=0, judged=0, squared_error=0.0))
    gates = {g.name: g.outcome for g in run_gates(unanswered, made, VIDEO)}
    assert gates["balanced_accuracy"] == gates["brier"] == gates["floor:balanced_accuracy"] == "fail"


def test_few_patients_and_few_hours_are_insufficient_evidence_for_a_forecaster():
    few = {g.name: g for g in run_gates(forecast(0.9, 0.9, 1.2, patients=12), forecast(patients=12), VIDEO)}
    too_few = "12 patients with a seizure to foresee, 24 are needed"
    assert few["floor:balanced_accuracy"].reason == too_few
    assert few["baselines"].reason.startswith(f"{too_few}; {TIME} reached 0.") and few["baselines"].outcome == (
        "insufficient_evidence"
    )
    short, champion = (
        replace(e, table=e.table.assign(answered_s=360.0, warning_s=0.0, false_warnings=0))
        for e in (forecast(0.9, 0.9), forecast())
    )
    made = next(g for g in run_gates(short, champion, VIDEO) if g.name == "warnings")
    assert made.reason == "8.0 h answered, 20 h are needed for one warning to be seen"


def test_detectors_of_two_tasks_are_not_compared():
    with pytest.raises(ValueError, match="a detector for typing cannot be compared with one for forecasting"):
        run_gates(typed(), forecast(), VIDEO)


@pytest.mark.parametrize(("persons", "said"), [(0, "0 patients with seizures"), (1, "1 patient with seizures")])
def test_one_patient_is_told_of_as_one(persons: int, said: str) -> None:
    claim = Claim("sensitivity", "sensitivity", 0.5, persons, 5, who="patients with seizures")
    assert judge(claim, Interval(0.9, 0.8, 1.0, 100, persons)).reason == f"{said}, 5 are needed"
