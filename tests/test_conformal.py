"""Prediction sets hold the truth as often as they say, over patients and not over seconds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import norm

from models.conformal import BACKGROUND, COVERAGE, SEIZURE, Conformal, patient_quantile

BETWEEN, WITHIN = 0.8, 1.0
"""Spread of patients' mean scores and of a patient's seconds around it (log odds)."""
DISTANCE = 2.0
"""How far seizure seconds score above background, on average (log odds)."""


def cohort(rng: np.random.Generator, patients: int, between: float = BETWEEN) -> Conformal:
    """Sets calibrated on patients with means of their own in either class and recordings of unequal length."""
    trends, labels = [], []
    for own_background, own_seizure in rng.normal(0, between, (patients, 2)):
        seconds = rng.integers(60, 400)
        label = np.arange(seconds) < seconds // 4
        mean = np.where(label, DISTANCE + own_seizure, own_background)
        trends.append(expit(mean + rng.normal(0, WITHIN, seconds)))
        labels.append(label)
    return Conformal.fit(trends, labels)


def coverage(found: Conformal, between: float = BETWEEN) -> tuple[float, float]:
    """The share of a new patient's background and seizure seconds whose set holds the truth, worked out exactly."""
    spread = np.hypot(between, WITHIN)
    with np.errstate(divide="ignore"):
        high, low = (np.log(p) - np.log1p(-p) for p in (found.background_to, found.seizure_from))
    return float(norm.cdf(high / spread)), float(norm.sf((low - DISTANCE) / spread))


@pytest.mark.parametrize(("patients", "between"), [(4, 0.4), (4, 1.0), (10, 0.8), (20, 2.0)])
def test_mean_coverage_over_cohorts_is_the_target_in_both_classes(patients: int, between: float) -> None:
    rng = np.random.default_rng(patients)
    reached = np.array([coverage(cohort(rng, patients, between), between) for _ in range(250)]).mean(axis=0)
    assert reached == pytest.approx([COVERAGE, COVERAGE], abs=0.02)


def test_quantiles_of_pooled_seconds_would_miss_the_target() -> None:
    """The test above could not fail if patients were not what varies."""
    rng, reached = np.random.default_rng(0), []
    for _ in range(250):
        scores = np.concatenate([rng.normal(own, WITHIN, 200) for own in rng.normal(0, 2.0, 4)])
        reached.append(norm.cdf(np.quantile(scores, COVERAGE) / np.hypot(2.0, WITHIN)))
    assert np.mean(reached) < COVERAGE - 0.04


def test_each_patient_weighs_the_same_however_long_the_recording() -> None:
    short, long = [np.arange(10.0), np.arange(10.0) + 5], [np.arange(10.0), np.repeat(np.arange(10.0) + 5, 100)]
    assert patient_quantile(short, 0.5) == patient_quantile(long, 0.5)


def test_the_limit_is_the_lowest_at_which_patients_left_out_are_covered() -> None:
    """Of scores 1–4 and 3–6 the middle of the one covers 0/4 or 4/4 of the other: 0.5 on average, as asked for."""
    scores = [np.array([1.0, 2, 3, 4]), np.array([3.0, 4, 5, 6])]
    assert patient_quantile(scores, 0.5) == 3.0  # 1 2 3 (3 4 4 5 6): half of all, which weigh ⅛ each, lie up to 3
    # For 0.75, quantiles at 0.75 (3 and 5) cover 1/4 and 4/4: too little. Just above it they are 4 and 6, which cover
    # 2/4 and 4/4; of all eight scores seven are then needed.
    assert patient_quantile(scores, 0.75) == 5.0


def test_a_class_whose_left_out_patients_cannot_be_covered_belongs_to_every_set() -> None:
    apart = [np.full(50, 0.1), np.full(50, 0.9)]
    assert patient_quantile(apart, 0.9) is None  # left out, one is covered wholly and the other not at all
    nobody = Conformal.fit([np.full(50, 0.1), np.full(50, 0.2)], [np.zeros(50), np.zeros(50)])
    assert (nobody.seizure_from, nobody.patients_seizure) == (0.0, 0)
    assert set(nobody.sets(np.linspace(0, 1, 11))) <= {SEIZURE, BACKGROUND + SEIZURE}
    assert "seizure cannot be ruled out" in nobody.statement


def test_what_is_printed_says_how_few_patients_stand_behind_it() -> None:
    few, many = Conformal(0.9, 0.4, 0.2, 4, 3), Conformal(0.9, 0.4, 0.2, 40, 30)
    assert few.patients_needed == 9  # 9 / (9 + 1) is the first n / (n + 1) that reaches 0.9
    assert "4 patients' background and 3 patients' seizures" in few.statement
    assert "no guarantee for one new patient" in few.statement and "no guarantee" not in many.statement
    enough, one_kind = Conformal(0.9, 0.4, 0.2, 9, 9), Conformal(0.9, 0.4, 0.2, 40, 8)
    assert "no guarantee" not in enough.statement and "no guarantee" in one_kind.statement
    assert "cannot be ruled out" not in enough.statement
    assert "background cannot be ruled out in any second" in Conformal(0.9, 1.0, 0.2, 9, 9).statement


def test_who_has_no_second_of_a_class_is_not_counted_among_its_patients() -> None:
    trends, every = [np.linspace(0, 1, 50)] * 4, np.ones(50)
    half = np.repeat([0, 1], 25)
    found = Conformal.fit(trends, [half, half, every, 0 * every])
    assert (found.patients_background, found.patients_seizure) == (3, 3)


def test_between_the_limits_there_is_either_or_neither_and_never_an_answer_where_none_was_assessed() -> None:
    trend = np.array([0.1, 0.5, 0.9, np.nan])
    assert Conformal(0.9, 0.6, 0.4, 9, 9).sets(trend).tolist() == [BACKGROUND, BACKGROUND + SEIZURE, SEIZURE, 0]
    assert Conformal(0.9, 0.4, 0.6, 9, 9).sets(trend).tolist() == [BACKGROUND, 0, SEIZURE, 0]
    at_limits = Conformal(0.9, 0.1, 0.9, 9, 9).sets(trend).tolist()
    assert at_limits == [BACKGROUND, 0, SEIZURE, 0], "up to the one and from the other on"


@given(st.integers(0, 1000), st.integers(2, 8))
@settings(max_examples=25)
def test_sets_do_not_depend_on_the_order_of_patients_nor_on_seconds_that_were_not_assessed(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    trends = [rng.random(30) for _ in range(n)]
    labels = [rng.random(30) < 0.4 for _ in range(n)]
    order = rng.permutation(n)
    shuffled = Conformal.fit([trends[i] for i in order], [labels[i] for i in order])
    gap = [np.concatenate([t, [np.nan]]) for t in trends], [np.concatenate([y, [True]]) for y in labels]
    assert Conformal.fit(trends, labels) == shuffled == Conformal.fit(*gap)


@given(st.integers(0, 1000))
@settings(max_examples=25)
def test_a_higher_target_never_decides_more(seed: int) -> None:
    rng = np.random.default_rng(seed)
    trends = [rng.random(60) for _ in range(5)]
    labels = [rng.random(60) < t for t in trends]
    low, high = (Conformal.fit(trends, labels, target) for target in (0.7, 0.95))
    assert high.background_to >= low.background_to and high.seizure_from <= low.seizure_from
