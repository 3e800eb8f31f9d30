"""Baselines that see no EEG: what a leaky split gives away for nothing."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.cohorts.helsinki import read_labels
from tests import SHARED, needs_shared
from validation.baselines import baselines, id_lookup, label_oracle
from validation.scoring.measures import auc
from validation.seconds import Seconds, table_of
from validation.window_roles import window_fold


def as_predictions(labels: list[np.ndarray], persons: list[str] | None = None) -> pd.DataFrame:
    """Recordings with these labels, each of a person of its own unless told; no probability is known."""
    return table_of(
        [
            Seconds(f"r{i}", f"p{i}", persons[i] if persons else f"p{i}", "A", np.full(len(y), np.nan), y)
            for i, y in enumerate(labels)
        ]
    )


def seizing(persons: int) -> list[np.ndarray]:
    """Ten minutes with two seizures of 30 s in every person."""
    second = np.arange(600)
    return [((second - 7 * i) % 300 < 30).astype(int) for i in range(persons)]


def test_the_label_oracle_sees_no_signal_and_wins_under_a_window_split():
    made = label_oracle(as_predictions(seizing(8)), seed=0)
    assert made["auc"] > 0.99 and made["f1"] > 0.95 and made["reportable"] is False


def test_the_label_oracle_knows_nothing_of_labels_without_neighbours():
    labels = [np.random.default_rng(i).integers(0, 2, 4000) for i in range(5)]
    assert label_oracle(as_predictions(labels), seed=0)["auc"] == pytest.approx(0.5, abs=0.02)


def test_the_id_lookup_ranks_patients_by_their_share_of_seizure():
    often, seldom = np.tile([1, 1, 1, 0], 100), np.tile([0, 0, 0, 1], 100)
    made = id_lookup(as_predictions([often, seldom]), seed=0)
    # Of 400 seizure and 400 other seconds, 300 of each lie in the patient in whom they are usual.
    # A little less than that, because a second left out of its patient's share speaks against itself.
    assert 0.75 * 0.75 < made["auc"] < 0.75 * 0.75 + (0.75 * 0.25 * 2) * 0.5
    assert made["f1"] == pytest.approx(0.75)


def test_the_id_lookup_knows_nothing_where_all_patients_are_alike():
    made = id_lookup(as_predictions([np.tile([1, 0], 500) for _ in range(6)]), seed=0)
    assert 0.4 < made["auc"] <= 0.5


@needs_shared
def test_the_label_oracle_reaches_the_headline_of_window_wise_studies_on_the_real_helsinki_labels():
    """AUC 0.9998 and F1 0.980 with no EEG at all: 2-s windows, random 5-fold, majority of three experts, 79 neonates."""
    newborns = read_labels(SHARED / "helsinki" / "annotations_2017.mat")
    predictions = as_predictions([n.marked_by(2).to_mask(1.0).astype(int) for n in newborns])
    oracle = label_oracle(predictions, seed=0, folds=5, window_s=2)
    assert oracle["auc"] == pytest.approx(0.9998, abs=1e-4)
    assert oracle["f1"] == pytest.approx(0.980, abs=2e-3)
    assert id_lookup(predictions, seed=0)["auc"] == pytest.approx(0.906, abs=2e-3)


recordings = st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=30), min_size=1, max_size=5)


@settings(deadline=None, max_examples=60)
@given(recordings, st.integers(0, 3))
def test_the_id_lookup_is_the_mean_label_of_the_persons_other_folds(labels, seed):
    arrays = [np.array(y) for y in labels]
    persons = ["ab"[i % 2] for i in range(len(arrays))]
    folds = [window_fold(len(y), f"r{i}", 5, seed) for i, y in enumerate(arrays)]
    guess = []
    for mine, person in zip(folds, persons, strict=True):
        for fold in mine:
            others = [
                label
                for y, f, who in zip(arrays, folds, persons, strict=True)
                for label, k in zip(y, f, strict=True)
                if who == person and k != fold
            ]
            guess.append(np.mean(others) if others else 0.0)
    expected = auc(np.concatenate(arrays), np.array(guess))
    made = id_lookup(as_predictions(arrays, persons), seed)["auc"]
    assert made == pytest.approx(expected) if np.isfinite(expected) else made is None


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 1), min_size=2, max_size=40), st.integers(0, 3))
def test_the_label_oracle_weighs_the_nearest_training_seconds_on_both_sides(labels, seed):
    fold = window_fold(len(labels), "r0", 5, seed)
    guess = []
    for second, own in enumerate(fold):
        before = [s for s in range(second) if fold[s] != own]
        after = [s for s in range(second + 1, len(labels)) if fold[s] != own]
        near = [*before[-1:], *after[:1]] if before and after else [*before[-1:], *after[:1]] * 2
        weights = [1 / abs(s - second) for s in near]
        guess.append(sum(w * labels[s] for w, s in zip(weights, near, strict=True)) / sum(weights))
    expected = auc(np.array(labels), np.array(guess))
    made = label_oracle(as_predictions([np.array(labels)]), seed)["auc"]
    assert made == pytest.approx(expected) if np.isfinite(expected) else made is None


def test_baselines_are_never_reportable_and_say_what_they_rest_on():
    made = baselines(as_predictions(seizing(6)), seed=0)
    assert set(made) == {"label_oracle", "id_lookup"}
    for one in made.values():
        assert one["reportable"] is False and one["scorer"]["policy"]["regime"] == "window"
        assert one["rests_on"] == {"persons": 6, "coverage": 1.0, "assessed_hours": 1.0}  # 6 × 600 s
