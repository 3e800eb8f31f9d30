"""What a leaky split gives away for nothing: two baselines that see no EEG, only labels of the training windows.

Under random windows the label of the neighbouring second is known, and so is who seizes often. A detector whose
window-wise figures do not beat these has shown nothing.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from validation.scoring import Scorer, code_digest, resting
from validation.scoring.measures import auc, f1
from validation.seconds import ordered, recordings_of
from validation.uncertainty import finite
from validation.window_roles import window_fold

FOLDS = 5
CUT = 0.5


def baselines(predictions: pd.DataFrame, seed: int) -> dict[str, Any]:
    """Both baselines on the labels of `predictions` (a table of `validation.seconds`); probabilities are not read."""
    table = ordered(predictions)
    return {"label_oracle": label_oracle(table, seed), "id_lookup": id_lookup(table, seed)}


def label_oracle(predictions: pd.DataFrame, seed: int, folds: int = FOLDS, window_s: int = 1) -> dict[str, Any]:
    """The labels of the nearest training windows in time, under random windows.

    The nearest earlier and later window of the same recording vote, the nearer counting more.
    """
    truth, guess, persons = [], [], set()
    for one in recordings_of(predictions):
        labels = _windowed(one.labels, window_s)
        truth.append(labels)
        guess.append(_nearest_labels(labels, window_fold(len(labels), one.recording, folds, seed)))
        persons.add(one.person)
    policy = {"regime": "window", "folds": folds, "seed": seed, "cut": CUT, "window_s": window_s}
    return _scored("label_oracle", policy, truth, guess, len(persons))


def id_lookup(predictions: pd.DataFrame, seed: int, folds: int = FOLDS) -> dict[str, Any]:
    """How often the same person's training seconds are seizure, under random windows.

    The area under the curve ranks by that share; F1 takes the person's majority label.
    """
    truth, tested_in, persons = [], [], []
    sums: dict[str, np.ndarray] = {}
    for one in recordings_of(predictions):
        fold = window_fold(len(one.labels), one.recording, folds, seed)
        in_fold = np.stack([np.bincount(fold, weights, folds) for weights in (one.labels, np.ones(len(fold)))])
        sums[one.person] = sums.get(one.person, 0) + in_fold
        truth.append(one.labels)
        tested_in.append(fold.astype(np.int16))
        persons.append(one.person)
    guess = [_share_elsewhere(sums[person])[fold] for person, fold in zip(persons, tested_in, strict=True)]
    policy = {"regime": "window", "folds": folds, "seed": seed, "cut": CUT, "window_s": 1}
    return _scored("id_lookup", policy, truth, guess, len(sums))


def _windowed(labels: np.ndarray, window_s: int) -> np.ndarray:
    whole = len(labels) // window_s
    return (labels[: whole * window_s].reshape(whole, window_s).mean(axis=1) >= 0.5).astype(np.int8)


def _nearest_labels(labels: np.ndarray, fold: np.ndarray) -> np.ndarray:
    guess = np.full(len(labels), np.nan)
    for k in np.unique(fold):
        test, train = np.flatnonzero(fold == k), np.flatnonzero(fold != k)
        if len(train) == 0:
            continue
        place = np.searchsorted(train, test)
        before, after = train[np.maximum(place - 1, 0)], train[np.minimum(place, len(train) - 1)]
        near_before, near_after = 1 / np.abs(test - before), 1 / np.abs(after - test)
        guess[test] = (near_before * labels[before] + near_after * labels[after]) / (near_before + near_after)
    return guess


def _share_elsewhere(in_fold: np.ndarray) -> np.ndarray:
    """Share of seizure in all other folds, (folds,); from a person's seizure seconds and seconds in each, (2, folds)."""
    seizure, seconds = in_fold.sum(axis=1, keepdims=True) - in_fold
    return np.divide(seizure, seconds, out=np.zeros_like(seizure), where=seconds > 0)


def _scored(
    name: str, policy: dict[str, Any], truth: Sequence[np.ndarray], guess: Sequence[np.ndarray], persons: int
) -> dict[str, Any]:
    labels, guesses = np.concatenate(truth), np.concatenate(guess)
    return {
        "scorer": Scorer(name, "1", code_digest([__file__]), policy).to_json(),
        "rests_on": resting(persons, np.isfinite(guesses).sum() * policy["window_s"], len(labels) * policy["window_s"]),
        "reportable": False,
        "auc": finite(auc(labels, guesses)),
        "f1": finite(f1(labels, guesses >= CUT)),
        "seconds": len(labels),
    }
