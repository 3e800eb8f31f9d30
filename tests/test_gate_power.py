"""What a cohort could have shown stands beside each verdict: in the gate, on the page, in the headline."""

from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest

from tests.gated import BETTER, CHAMPION, SETTINGS, VIDEO, N, evidence, forecast, gate, typed
from validation.gates import Gate, run_gates
from validation.gates.power import power
from validation.outcome import gates_section, headline, power_sentence
from validation.reading import read


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


@pytest.mark.parametrize(
    ("margin", "error", "persons", "share", "needed"),
    [
        (0.05, 0.0, 100, 1.0, 5),  # nothing varies: the fewest that are asked for
        (0.05, 0.02, 5, NormalDist().cdf(2.5 - 1.96), 7),  # as many as are asked for; 5 · (2.80 · 0.4)² = 6.3
        (0.05, 0.02, 4, 0.0, 6),  # 4 · (2.80 · 0.4)² = 5.02
        (0.05, float("nan"), 4, 0.0, None),
        (0.05, float("nan"), 5, None, None),  # nobody knows
        (0.0, 0.02, 100, None, None),  # at the limit itself it is chance alone
    ],
)
def test_power_at_its_ends(margin, error, persons, share, needed):
    made = power(margin, error, persons, 0.975, "equal", 5)
    assert made.share == (None if share is None else pytest.approx(share, abs=1e-4)) and made.persons_needed == needed


def test_where_chance_has_no_part_no_power_is_stated():
    sure = {g.name: g for g in run_gates(BETTER, CHAMPION, SETTINGS) if g.power is None}
    assert set(sure) == {"beats_floor", "leakage_audit", "cost", "envelope"}, "of several gates as one neither"


def test_power_of_a_floor_is_stated_for_ten_points_above_it_whatever_the_task():
    others = {g.name: g for made in (typed(), forecast()) for g in run_gates(made, None, VIDEO)}
    assert others["floor:focal"].power_if == "the true F1 were 0.60"
    assert others["floor:balanced_accuracy"].power_if == "the true balanced accuracy were 0.60"
    assert others["baselines"].power_if == "balanced accuracy were truly 10 points above it"
    high = replace(SETTINGS, floor_sensitivity=0.95)
    assert gate("floor:0–28 days", BETTER, CHAMPION, high).power_if == "the true sensitivity were 1.00"


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
