import json
from math import isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from validation.reliability import Calibration, brier, ece, reliability
from validation.uncertainty import (
    Interval,
    PairWins,
    bootstrap_patients,
    difference,
    interval_of,
    mean_over_patients,
    patient_draws,
    pooled_auc,
    ratio_of_sums,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@st.composite
def cohorts(draw) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    """Labels and scores of 2 to 5 patients with few distinct scores (many ties) and gaps, and how often each is drawn."""
    n = draw(st.integers(2, 5))
    second = st.tuples(st.booleans(), st.sampled_from([0.1, 0.3, 0.3, 0.7, 0.9, np.nan]))
    patients = [np.array(draw(st.lists(second, max_size=8)), dtype=float).reshape(-1, 2) for _ in range(n)]
    weights = np.array(draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)))
    return [p[:, 0] for p in patients], [p[:, 1] for p in patients], weights


def every_pair(labels: np.ndarray, scores: np.ndarray) -> float:
    """The slow reference: count each pair of a seizure second and another second."""
    known = ~np.isnan(scores)
    seizure, other = scores[known & (labels == 1)], scores[known & (labels == 0)]
    won = [(s > o) + 0.5 * (s == o) for s in seizure for o in other]
    return float(np.mean(won)) if won else float("nan")


def drawn_together(columns: list[np.ndarray], weights: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros(0), *(np.tile(c, w) for c, w in zip(columns, weights, strict=True))])


@settings(deadline=None, max_examples=150)
@given(cohorts())
def test_pooled_auc_of_a_resample_equals_pooling_the_seconds_of_the_patients_drawn(cohort):
    labels, scores, weights = cohort
    fast = pooled_auc(weights[None], PairWins.of(labels, scores))[0]
    slow = every_pair(drawn_together(labels, weights), drawn_together(scores, weights))
    assert fast == pytest.approx(slow, nan_ok=True, abs=1e-12)


@settings(deadline=None, max_examples=100)
@given(cohorts())
def test_calibration_of_a_resample_equals_binning_the_seconds_of_the_patients_drawn(cohort):
    labels, scores, weights = cohort
    y, p = drawn_together(labels, weights), drawn_together(scores, weights)
    y, p = y[~np.isnan(p)], p[~np.isnan(p)]
    place = np.minimum((p * 10).astype(int), 9)
    gaps = [abs(p[place == b].sum() - y[place == b].sum()) for b in range(10)]
    calibration = Calibration.of(scores, labels)
    expected = (sum(gaps) / len(p), np.mean((p - y) ** 2)) if len(p) else (np.nan, np.nan)
    assert ece(weights[None], calibration)[0] == pytest.approx(expected[0], nan_ok=True)
    assert brier(weights[None], calibration)[0] == pytest.approx(expected[1], nan_ok=True)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from("ABCD"), min_size=1, max_size=20), st.integers(0, 9))
def test_every_draw_keeps_the_size_of_each_stratum(strata, seed):
    weights = patient_draws(strata, rng(seed))
    labels = np.array(strata)
    assert (weights.sum(axis=1) == len(strata)).all()
    for stratum in set(strata):
        if min(np.unique(labels, return_counts=True)[1]) > 1:
            assert (weights[:, labels == stratum].sum(axis=1) == (labels == stratum).sum()).all()


def test_a_patient_alone_at_a_site_still_varies():
    weights = patient_draws(["A"] * 6 + ["B"] * 3 + ["C"], rng())
    assert weights[:, -1].std() > 0
    assert (weights[:, :6].sum(axis=1) == 6).all()  # the lone one was pooled with the smaller site


def test_fewer_than_2000_draws_are_refused():
    with pytest.raises(ValueError, match="at least 2000 draws, got 1999"):
        patient_draws(["A", "A"], rng(), draws=1999)


def test_a_mean_over_patients_has_the_interval_that_theory_gives():
    values = rng(1).normal(size=400)
    interval = bootstrap_patients(values, mean_over_patients, ["A"] * 400, rng())
    standard_error = values.std() / np.sqrt(400)
    assert interval.estimate == pytest.approx(values.mean())
    assert interval.low == pytest.approx(values.mean() - 1.96 * standard_error, abs=0.15 * standard_error)
    assert interval.high == pytest.approx(values.mean() + 1.96 * standard_error, abs=0.15 * standard_error)
    assert (interval.unit, interval.draws, interval.n, interval.undefined) == ("patient", 2000, 400, 0)


def test_an_interval_of_24_patients_holds_the_truth_in_about_nine_of_ten_runs():
    source, held = rng(1), 0
    for run in range(200):
        seizures = source.poisson(4, 24) + 1
        found = source.binomial(seizures, source.beta(4, 1, 24))  # true sensitivity 4 / (4 + 1)
        interval = bootstrap_patients(np.stack([found, seizures], axis=1), ratio_of_sums, ["A", "B"] * 12, rng(run))
        held += interval.low <= 0.8 <= interval.high
    assert 0.88 <= held / 200 <= 0.98


def test_an_interval_depends_on_patients_and_not_on_how_many_seconds_each_has():
    few = np.array([[1, 2], [2, 2], [0, 1], [1, 1]])
    short = bootstrap_patients(few, ratio_of_sums, ["A"] * 4, rng())
    long = bootstrap_patients(few * 3600, ratio_of_sums, ["A"] * 4, rng())
    assert (long.low, long.high) == (short.low, short.high)


def test_the_same_seed_gives_the_same_interval():
    values = rng(2).random((20, 2))
    first, second = (bootstrap_patients(values, ratio_of_sums, ["A"] * 20, rng(5)) for _ in range(2))
    assert first == second


def test_paired_differences_cancel_what_both_detectors_share():
    hours = np.ones(30)
    champion = np.stack([rng(3).poisson(5, 30), hours], axis=1).astype(float)
    candidate = champion + np.array([1.0, 0.0])  # one more in every patient
    delta = interval_of((candidate, champion), difference(ratio_of_sums), patient_draws(["A"] * 30, rng()))
    assert (delta.estimate, delta.low, delta.high) == pytest.approx((1, 1, 1))
    alone = bootstrap_patients(champion, ratio_of_sums, ["A"] * 30, rng())
    assert alone.high - alone.low > 1


def test_draws_in_which_a_figure_does_not_exist_are_counted_and_left_out():
    one_seizing = np.array([[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]])
    interval = bootstrap_patients(one_seizing, ratio_of_sums, ["A"] * 3, rng())
    assert interval.estimate == interval.low == interval.high == 1
    assert 0.2 < interval.undefined / interval.draws < 0.4  # (2/3)³ of the draws miss the seizing patient


def test_one_patient_has_a_figure_and_no_interval():
    interval = bootstrap_patients(np.array([[1.0, 2.0]]), ratio_of_sums, ["A"], rng())
    assert interval.estimate == 0.5 and isnan(interval.low) and isnan(interval.high)


def test_a_figure_that_does_not_exist_is_null_in_json():
    interval = interval_of(np.zeros((3, 2)), ratio_of_sums, patient_draws(["A"] * 3, rng()))
    written = json.loads(json.dumps(interval.to_json(), allow_nan=False))
    assert written["estimate"] is None and written["low"] is None and written["undefined"] == 2000
    assert Interval(0.5, 0.4, 0.6, 2000, 9).to_json()["low"] == 0.4


def test_pair_wins_of_some_patients_are_those_computed_from_them_alone():
    labels = [rng(i).integers(0, 2, 30) for i in range(4)]
    scores = [rng(10 + i).random(30) for i in range(4)]
    chosen = np.array([True, False, True, True])
    some = PairWins.of(labels, scores).of_patients(chosen)
    alone = PairWins.of([labels[i] for i in (0, 2, 3)], [scores[i] for i in (0, 2, 3)])
    assert np.array_equal(some.wins, alone.wins) and np.array_equal(some.negatives, alone.negatives)


def seconds(stated: float, seen: float, n: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities `stated` over n seconds of which the share `seen` is seizure."""
    return np.full(n, stated), (np.arange(n) < seen * n).astype(int)


def test_stating_75_per_cent_where_50_are_seizure_is_an_error_of_25_points():
    probabilities, labels = zip(seconds(0.75, 0.5), seconds(0.75, 0.5), strict=True)
    calibration = Calibration.of(probabilities, labels)
    everyone = np.ones((1, 2))
    assert ece(everyone, calibration)[0] == pytest.approx(0.25)
    assert brier(everyone, calibration)[0] == pytest.approx(0.5 * 0.25**2 + 0.5 * 0.75**2)
    (filled,) = [b for b in calibration.curve() if b["seconds"]]
    assert (filled["stated"], filled["seen"], filled["seconds"], filled["patients"]) == (0.75, 0.5, 2000, 2)
    assert (filled["from"], filled["to"]) == pytest.approx((0.7, 0.8))


def test_reliability_is_given_per_site_with_patients_as_unit():
    probabilities, labels = zip(seconds(0.1, 0.1), seconds(0.1, 0.1), seconds(0.9, 0.4), seconds(0.9, 0.4), strict=True)
    sites = ["A", "A", "B", "B"]
    made = reliability(Calibration.of(probabilities, labels), sites, patient_draws(sites, rng()))
    assert made["unit"] == "patient" and made["ece"]["unit"] == "patient" and made["ece"]["n"] == 4
    assert made["sites"]["A"]["ece"]["estimate"] == pytest.approx(0)
    assert made["sites"]["B"]["ece"]["estimate"] == pytest.approx(0.5)
    assert made["scorer"]["name"] == "reliability" and len(made["scorer"]["code_digest"]) == 64
    json.dumps(made, allow_nan=False)


def test_a_figure_that_exists_in_no_draw_has_no_interval_and_says_in_how_many_it_did_not():
    """Only the first patient had seizures, and nobody drew them."""
    made = interval_of(np.array([[1.0, 2.0], [0.0, 0.0]]), ratio_of_sums, np.tile([0, 2], (2000, 1)))
    assert made.estimate == 0.5 and np.isnan([made.low, made.high]).all()
    assert (made.undefined, made.draws, made.n) == (2000, 2000, 2)
