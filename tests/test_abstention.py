"""Whether abstaining was worth it: coverage over patients, what was decided, and never a better figure without its price."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from validation.abstention import binomial_interval, figures

NEITHER, BACKGROUND, SEIZURE, EITHER = range(4)


def seconds(person: str, labels: list[int], sets: list[int], site: str = "A", known: bool = True) -> pd.DataFrame:
    probability = np.linspace(0.1, 0.9, len(labels)) if known else np.full(len(labels), np.nan)
    return pd.DataFrame(
        {"person": person, "site": site, "probability": probability, "label": labels, "prediction_set": sets}
    )


def cohort() -> pd.DataFrame:
    """Two persons at A (one of them never assessed in part), one at B."""
    return pd.concat(
        [
            seconds("p1", [0, 0, 0, 0, 1, 1], [BACKGROUND, BACKGROUND, SEIZURE, EITHER, SEIZURE, BACKGROUND]),
            seconds("p1", [1, 1], [NEITHER, NEITHER], known=False),
            seconds("p2", [0] * 10, [BACKGROUND] * 9 + [NEITHER]),
            seconds("p3", [1, 1], [EITHER, EITHER], "B"),
        ],
        ignore_index=True,
    )


def test_coverage_is_the_mean_over_patients_of_seconds_whose_set_holds_the_truth() -> None:
    found = figures(cohort(), 0.9)["coverage"]
    assert found["background"]["estimate"] == pytest.approx((3 / 4 + 9 / 10) / 2)  # p1 and p2
    assert found["seizure"]["estimate"] == pytest.approx((1 / 2 + 2 / 2) / 2)  # p1 and p3
    assert (found["background"]["persons"], found["seizure"]["persons"]) == (2, 2)


def test_either_and_neither_are_abstentions_and_only_one_of_them_is_an_error() -> None:
    found = figures(cohort(), 0.9)
    assert found["decided_share"] == pytest.approx((5 + 9 + 0) / 18)  # of 6, 10 and 2 assessed seconds
    assert found["error_where_decided"]["background"]["estimate"] == pytest.approx((1 / 3 + 0 / 9) / 2)
    assert found["error_where_decided"]["seizure"]["estimate"] == pytest.approx(1 / 2)  # p3 decided nothing
    assert found["error_where_decided"]["seizure"]["persons"] == 1


def test_each_patient_and_each_site_is_named_with_its_own_figures() -> None:
    found = figures(cohort(), 0.9)
    assert [p["person"] for p in found["per_patient"]] == ["p1", "p2", "p3"]
    assert found["per_patient"][0]["coverage"] == {"background": 0.75, "seizure": 0.5}
    assert found["per_patient"][2] == {
        "person": "p3", "assessed_s": 2, "decided_share": 0.0,
        "coverage": {"background": None, "seizure": 1.0}, "error_where_decided": None,
    }  # fmt: skip
    assert found["sites"]["A"]["decided_share"] == pytest.approx(14 / 16)
    assert found["sites"]["B"]["coverage"]["background"] == {
        "estimate": None, "low": None, "high": None, "persons": 0, "agrees": None,
    }  # fmt: skip


def test_what_was_not_assessed_is_neither_decided_nor_abstained_from() -> None:
    all_of_it, assessed = figures(cohort(), 0.9), figures(cohort().dropna(), 0.9)
    share = 1 - cohort()["probability"].isna().mean()
    assert all_of_it.pop("rests_on")["coverage"] == pytest.approx(share)
    assert assessed.pop("rests_on")["coverage"] == 1 > share
    assert all_of_it == assessed


def test_the_interval_counts_patients_however_many_seconds_they_have() -> None:
    once = cohort()
    tenfold = pd.concat([once] * 10, ignore_index=True)
    assert figures(tenfold, 0.9)["coverage"] == figures(once, 0.9)["coverage"]


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (9, 10), (10, 10), (20, 23)])
def test_at_the_ends_of_the_binomial_interval_the_count_would_be_a_surprise(successes: int, trials: int) -> None:
    low, high = binomial_interval(successes, trials)
    assert low <= successes / trials <= high
    if successes > 0:
        assert binom.sf(successes - 1, trials, low) == pytest.approx(0.025)
    if successes < trials:
        assert binom.cdf(successes, trials, high) == pytest.approx(0.025)


def test_the_interval_holds_the_truth_when_patients_vary() -> None:
    """500 cohorts of 20 patients whose own coverages average 0.9."""
    shares = np.random.default_rng(0).beta(4.5, 0.5, (500, 20))
    ends = np.array([binomial_interval(float(own.sum()), 20) for own in shares])
    assert np.mean((ends[:, 0] <= 0.9) & (ends[:, 1] >= 0.9)) >= 0.95


def test_a_detector_whose_sets_miss_the_target_is_seen_to_miss_it() -> None:
    poor = pd.concat([seconds(f"p{i}", [0, 1], [SEIZURE, SEIZURE]) for i in range(12)])
    found = figures(poor, 0.9)["coverage"]
    assert found["background"]["agrees"] is False and found["seizure"]["agrees"] is True


def test_a_figure_of_decided_seconds_stands_beside_that_of_all_and_the_share_decided() -> None:
    """Abstaining from every second that would be wrong makes a perfect figure; its price is in the same block."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 400)
    probability = np.clip(0.5 + 0.2 * (label - 0.5) + rng.normal(0, 0.25, 400), 0, 1)
    right = (probability > 0.5) == (label > 0)
    sets = np.where(right, np.where(label > 0, SEIZURE, BACKGROUND), EITHER)
    table = pd.DataFrame(
        {"person": "p", "site": "A", "probability": probability, "label": label, "prediction_set": sets}
    )
    found = figures(table, 0.9)
    assert found["auc"]["decided_seconds"] == 1.0 and found["auc"]["all_seconds"] < 0.8
    assert found["decided_share"] == pytest.approx(right.mean())


def test_figures_are_json_with_a_scorer_and_without_numbers_that_do_not_exist() -> None:
    empty = seconds("p", [0], [BACKGROUND], known=False)
    for table in (cohort(), empty):
        found = figures(table, 0.9)
        assert json.loads(json.dumps(found, allow_nan=False)) == found
        assert found["scorer"]["name"] == "abstention" and found["scorer"]["policy"]["target"] == 0.9
    assert figures(empty, 0.9)["decided_share"] is None
