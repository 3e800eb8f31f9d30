"""Few patients must not look sure: what was not seen in them may still be there."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tests.test_gate_laws import patients
from validation.gates import Evidence, Gate, GateSettings, TypingEvidence, run_gates
from validation.gates.detection import sites
from validation.gates.few_patients import widened
from validation.gates.study import arrange
from validation.uncertainty import Interval, difference, interval_of, mean_over_patients, patient_draws, ratio_of_sums

PLAN = GateSettings()


def pair(seizures: np.ndarray, ours: np.ndarray, theirs: np.ndarray) -> list[Evidence]:
    """Two detectors that found so many of each patient's seizures, at one site."""
    template = patients(np.random.default_rng(0), len(seizures), 1).evidence()
    none = np.zeros(len(seizures), int)
    table = template.table.assign(seizures=seizures, site="A", stratum="all")
    sweep = replace(
        template.sweep, thresholds=np.array([0.5, 1.0]), seizures=seizures, false_alarms=np.stack([none, none])
    )
    return [
        replace(template, table=table.assign(detected=found), sweep=replace(sweep, detected=np.stack([found, none])))
        for found in (ours, theirs)
    ]


def losing(rng: np.random.Generator, count: int, loss: float, alike: float) -> list[Evidence]:
    """Detectors in patients of 2.2 seizures on average: one finds 0.85 of them, the other truly less by `loss`. A seizure is
    as hard for both in a share `alike` of cases, else as chance has it."""
    seizures = 1 + rng.poisson(1.2, count)
    patient = np.repeat(np.arange(count), seizures)
    hard = rng.random(len(patient))
    other = np.where(rng.random(len(patient)) < alike, hard, rng.random(len(patient)))
    ours, theirs = (np.bincount(patient, found, count).astype(int) for found in (other < 0.85 - loss, hard < 0.85))
    return pair(seizures, ours, theirs)


def at_site(both: list[Evidence]) -> Gate:
    (gate,) = sites(arrange(*both, PLAN))
    return gate


def test_five_patients_in_whom_both_found_the_same_do_not_show_that_nothing_is_lost():
    """15 seizures of which a tenth may be lost spread by √(0.1 · 0.9 / 15) = 0.0775, times 2.776 of four degrees of freedom;
    of 105 by √(0.09 / 105) = 0.0293, times 2.032."""
    five, many = (np.full(n, 3) for n in (5, 35))
    few = at_site(pair(five, five - 1, five - 1))
    assert few.outcome == "insufficient_evidence" and few.value == pytest.approx(-0.0775 * 2.776, abs=1e-3)
    enough = at_site(pair(many, many - 1, many - 1))
    assert enough.outcome == "pass" and enough.value == pytest.approx(-0.0293 * 2.032, abs=1e-3)


def test_patients_without_seizures_make_nobody_surer():
    seizures, none = np.full(6, 5), np.zeros(30, int)
    alone = at_site(pair(seizures, seizures, seizures))
    among = at_site(pair(*[np.concatenate([part, none]) for part in (seizures, seizures, seizures)]))
    assert among.value == pytest.approx(alone.value) and "6 patients)" in among.reason


@pytest.mark.parametrize("count", [5, 8, 12])
@pytest.mark.parametrize("alike", [1.0, 0.5])
def test_a_true_loss_of_ten_points_at_a_site_hardly_ever_passes(count, alike):
    """2.5 % are meant, 200 studies. By a bootstrap alone 35, 15 and 8 % passed, and 20, 10 and 7 % of those half by chance."""
    rng = np.random.default_rng(6)
    passes = sum(at_site(losing(rng, count, 0.1, alike)).outcome == "pass" for _ in range(200))
    assert passes / 200 <= 0.05


def test_an_equal_detector_still_passes_where_there_are_patients_enough():
    rng = np.random.default_rng(6)
    passes = sum(at_site(losing(rng, 60, 0.0, 0.5)).outcome == "pass" for _ in range(50))
    assert passes / 50 > 0.6


def test_namers_of_types_who_agree_in_ten_patients_have_not_shown_that_they_are_alike():
    """One clip in each of ten patients: three points less would be seen in one study of four at best."""
    rightly = np.zeros((2, 2, 3), dtype=int)  # of each type one patient
    rightly[0, 0, 0] = rightly[1, 1, 1] = 1
    few, many = (np.tile(rightly, (n, 1, 1)) for n in (5, 200))
    for counted, outcome in ((few, "insufficient_evidence"), (many, "pass")):
        table = pd.DataFrame({"site": "A"}, index=range(len(counted)))
        same = TypingEvidence(table, ("focal", "generalised"), counted)
        assert next(g for g in run_gates(same, same, PLAN) if g.name == "macro_f1").outcome == outcome


def test_of_a_mean_it_is_the_interval_of_students_t():
    """The textbook's: mean ± t · s/√n, where the bootstrap is narrower and no margin asks for more."""
    values = np.array([0.3, 0.1, -0.2, 0.4, 0.0, 0.25])
    drawn = interval_of(values, mean_over_patients, patient_draws(["A"] * 6, np.random.default_rng(0)))
    made = widened(drawn, values, mean_over_patients, 0.0, 1)
    low, high = stats.t.interval(0.95, 5, values.mean(), values.std(ddof=1) / np.sqrt(6))
    assert (made.low, made.high) == (pytest.approx(low), pytest.approx(high))


counts = st.integers(0, 9)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(counts, counts, counts), min_size=2, max_size=12), st.floats(0.01, 0.2), st.integers(1, 100)
)  # fmt: skip
def test_no_interval_becomes_narrower_and_none_moves(rows, margin, asked):
    asked_of = np.array([max(row) + 1 for row in rows])
    both = tuple(np.stack([[row[k] for row in rows], asked_of], axis=1).astype(float) for k in (0, 1))
    statistic = difference(ratio_of_sums)
    drawn = interval_of(both, statistic, patient_draws(["A"] * len(rows), np.random.default_rng(1)))
    made = widened(drawn, both, statistic, margin, asked)
    assert made.estimate == drawn.estimate and made.low <= drawn.low and made.high >= drawn.high
    assert made.low < made.estimate < made.high, "never without width"
    assert widened(drawn, both, statistic, margin, 4 * asked).low >= made.low, "more that was asked makes surer"


def test_nobody_and_one_patient_get_no_interval():
    one = Interval(0.0, float("nan"), float("nan"), 2000, 1)
    assert widened(one, np.zeros(1), mean_over_patients, 0.1, 5) is one
    two = replace(one, n=2)
    assert widened(two, np.zeros(2), mean_over_patients, 0.1, 0) is two, "nor those of whom nothing was asked"
