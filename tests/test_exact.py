"""The AUC of a handful of windows: distributions computed to the end equal enumeration, arithmetic and drawing."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from lineage.refused import Refused
from validation.exact import LARGEST, bootstrap_distribution, exact_auc, guaranteed_interval
from validation.scoring.measures import auc

few = st.lists(st.integers(0, 3), min_size=1, max_size=3)


def labelled(seizures: list, others: list) -> tuple[np.ndarray, np.ndarray]:
    return np.repeat([True, False], [len(seizures), len(others)]), np.array([*seizures, *others], dtype=float)


@given(few, few)
@settings(max_examples=40)
def test_the_exact_bootstrap_is_the_enumeration_of_every_resample(seizures, others):
    found = {}
    for a in itertools.product(seizures, repeat=len(seizures)):
        for b in itertools.product(others, repeat=len(others)):
            value = round(2 * len(a) * len(b) * auc(*labelled(list(a), list(b))))
            found[value] = found.get(value, 0) + 1
    scores = sorted({*seizures, *others})
    made = bootstrap_distribution([(seizures.count(s), others.count(s)) for s in scores])
    total = len(seizures) ** len(seizures) * len(others) ** len(others)
    assert made == pytest.approx([found.get(k, 0) / total for k in range(len(made))])


@given(few, few)
@settings(max_examples=40)
def test_the_p_value_counts_every_way_to_deal_out_the_labels(seizures, others):
    labels, scores = labelled(seizures, others)
    own, dealt = auc(labels, scores), []
    for chosen in itertools.combinations(range(len(scores)), len(seizures)):
        dealt.append(auc(np.isin(np.arange(len(scores)), chosen), scores))
    assert exact_auc(labels, scores).p == pytest.approx(np.mean([d >= own - 1e-12 for d in dealt]))
    assert exact_auc(labels, scores).auc == pytest.approx(own)


def test_seven_against_seven_with_one_pair_the_wrong_way_round_as_computed_by_hand():
    """48 of 49 pairs. Ways to deal 7 of 14 labels with at most one inversion: 2 of C(14, 7) = 3,432."""
    made = exact_auc(*labelled([7, 9, 10, 11, 12, 13, 14], [1, 2, 3, 4, 5, 6, 8]))
    assert made.auc == pytest.approx(48 / 49) and made.p == pytest.approx(2 / 3432)
    assert made.bootstrap[1] == 1.0 and 0.8 < made.bootstrap[0] < 48 / 49


def test_where_the_classes_are_apart_only_the_guaranteed_interval_has_a_width():
    """0.975 = 1 - α/2 of the chance to see 7 of 7 pairs right is left at θ = 0.025^(1/7), as for 7 of 7 by Clopper and Pearson."""
    made = exact_auc(*labelled([8, 9, 10, 11, 12, 13, 14], [1, 2, 3, 4, 5, 6, 7]))
    assert made.bootstrap == (1.0, 1.0) and made.p == pytest.approx(1 / math.comb(14, 7))
    assert made.guaranteed == (pytest.approx(0.025 ** (1 / 7)), 1.0)


def test_drawing_at_random_comes_to_the_same_interval():
    rng = np.random.default_rng(4)
    seizures, others = rng.normal(0.8, 1, 7).round(1), rng.normal(0, 1, 9).round(1)
    drawn = [auc(*labelled(list(rng.choice(seizures, 7)), list(rng.choice(others, 9)))) for _ in range(8_000)]
    made = exact_auc(*labelled(list(seizures), list(others)))
    assert made.bootstrap == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.015)
    assert made.guaranteed[0] < made.bootstrap[0] < made.auc < made.bootstrap[1] <= made.guaranteed[1]


@pytest.mark.parametrize("theta", [0.6, 0.9, 0.98])
def test_the_guaranteed_interval_holds_the_truth_at_least_as_often_as_it_says(theta):
    """Normal scores of 7 and 7 windows, d' of which the AUC is theta; 95 % at least, in truth nearly always."""
    shift = math.sqrt(2) * float(norm.ppf(theta))
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(1000):
        made = auc(*labelled(list(rng.normal(shift, 1, 7)), list(rng.normal(0, 1, 7))))
        low, high = guaranteed_interval(made, 7)
        held += low <= theta <= high
    assert held >= 950


@given(st.floats(0, 1), st.integers(1, 50))
def test_more_pairs_never_widen_the_guaranteed_interval_which_holds_the_estimate(value, pairs):
    low, high = guaranteed_interval(value, pairs)
    closer = guaranteed_interval(value, pairs + 1)
    assert 0 <= low <= closer[0] <= value <= closer[1] <= high <= 1


def test_turned_scores_turn_the_figures():
    labels, scores = labelled([3, 5, 5, 9], [1, 5, 6])
    made, turned = exact_auc(labels, scores), exact_auc(labels, -scores)
    assert turned.auc == pytest.approx(1 - made.auc)
    assert turned.guaranteed == pytest.approx([1 - made.guaranteed[1], 1 - made.guaranteed[0]])


@pytest.mark.parametrize(
    ("labels", "scores"),
    [
        ([True, True], [0, 1]),
        ([True, False], [0, float("nan")]),
        ([True] + [False] * (LARGEST + 1), [0] * (LARGEST + 2)),
    ],
    ids=["one class", "no score", "too many"],
)
def test_what_has_no_exact_figure_is_refused(labels, scores):
    with pytest.raises(Refused):
        exact_auc(labels, scores)


def test_as_many_windows_as_are_allowed_are_computed_to_the_end():
    rng = np.random.default_rng(0)
    made = exact_auc(*labelled(list(rng.normal(1, 1, 12)), list(rng.normal(0, 1, LARGEST))))
    assert 0 < made.p < 0.1 and made.bootstrap[0] < made.auc < made.bootstrap[1]
