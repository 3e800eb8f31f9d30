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


def label_oracle_apart(predictions: pd.DataFrame, seed: int, folds: int = FOLDS, window_s: int = 1) -> dict[str, Any]:
    """The same oracle with persons apart: nothing of the person was marked, so every window gets the others' share.

    The area under the curve is the mean over folds: inside one all guesses are alike, and what differs between folds
    is only who was left out.
    """
    own: dict[str, list[np.ndarray]] = {}
    for one in recordings_of(predictions):
        own.setdefault(one.person, []).append(_windowed(one.labels, window_s))
    persons = [np.concatenate(parts) for parts in own.values()]
    tested_in = np.random.default_rng(seed).permutation(np.arange(len(persons)) % folds)
    aucs, truth, guess = [], [], []
    for fold in np.unique(tested_in):
        test, train = ([y for y, k in zip(persons, tested_in, strict=True) if (k == fold) == t] for t in (True, False))
        labels = np.concatenate(test)
        alike = np.full(len(labels), np.concatenate(train).mean() if train else np.nan)
        aucs.append(auc(labels, alike))
        truth.append(labels)
        guess.append(alike)
    policy = {"regime": "patient", "folds": folds, "seed": seed, "cut": CUT, "window_s": window_s}
    scored = _scored("label_oracle_apart", policy, truth, guess, len(persons))
    known = [a for a in aucs if np.isfinite(a)]
    return scored | {"auc": float(np.mean(known)) if known else None}


def of_windows(labels: np.ndarray, recording: np.ndarray, person: np.ndarray, fold: np.ndarray) -> dict[str, Any]:
    """AUC and F1 of both baselines on windows that were dealt to folds already; of each recording in order of time.

    All arrays (windows,). The label of the nearest window of another fold, and the person's share in other folds.
    """
    near, share = np.full(len(labels), np.nan), np.zeros(len(labels))
    for name in np.unique(recording):
        at = np.flatnonzero(recording == name)
        near[at] = _nearest_labels(labels[at], fold[at])
    folds = int(fold.max()) + 1
    for name in np.unique(person):
        at = np.flatnonzero(person == name)
        counts = np.stack([np.bincount(fold[at], weights, folds) for weights in (labels[at], np.ones(len(at)))])
        share[at] = _share_elsewhere(counts)[fold[at]]
    guesses = {"label_oracle": near, "id_lookup": share}
    return {
        name: {"reportable": False, "auc": finite(auc(labels, guess)), "f1": finite(f1(labels, guess >= CUT))}
        for name, guess in guesses.items()
    }


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
