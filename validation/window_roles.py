"""How the windows of one recording are dealt out under the leaky regimes, where one patient stands on both sides.

Under `window` they are dealt at random: the neighbour of nearly every test window is trained on. Under `gap` each
fold tests one stretch of the recording, and what lies near it in time is left out: the patient is still the same.
"""

import hashlib

import numpy as np

OUT, TRAIN, INNER_VALID, TEST = -1, 0, 1, 2
"""Roles of a window in a fold; `OUT` is a window that stands on no side, or of a recording that the split does not know."""

GAP_S = 30.0
"""Time between a window that is tested and any that is learned from, longer than windows and their smoothing."""


def window_fold(n_windows: int, recording_name: str, folds: int, seed: int) -> np.ndarray:
    """The fold that tests each window of a recording, int array (n_windows,), random and balanced to within one."""
    return _rng_of(recording_name, seed, 0).permutation(np.arange(n_windows) % folds)


def random_roles(recording: str, n_windows: int, fold: int, *, folds: int, seed: int, inner_share: float) -> np.ndarray:
    """Roles under `window`, int array (n_windows,): random, whatever stands beside."""
    tested_in = window_fold(n_windows, recording, folds, seed)
    rest = np.flatnonzero(tested_in != fold)
    rng = _rng_of(recording, seed, fold + 1)
    roles = np.where(tested_in == fold, TEST, TRAIN)
    roles[rng.permutation(rest)[: round(inner_share * len(rest))]] = INNER_VALID
    return roles


def seizure_fold(n_seizures: int, recording: str, folds: int, seed: int) -> np.ndarray:
    """The fold that tests each seizure of a recording, int array (n_seizures,): in turn, from a random fold on.

    So that recordings with fewer seizures than folds do not all leave the same folds empty.
    """
    first = _rng_of(recording, seed, 0).integers(folds)
    return (window_fold(n_seizures, recording, folds, seed) + first) % folds


def seizure_roles(
    recording: str, n_seizures: int, fold: int, *, folds: int, seed: int, inner_share: float
) -> np.ndarray:
    """Roles of a recording's seizures under `seizure`, int array (n_seizures,): random, whoever has them.

    Each of the rest tunes with the probability `inner_share`: a recording has too few seizures for an exact share.
    """
    tested_in = seizure_fold(n_seizures, recording, folds, seed)
    tunes = _rng_of(recording, seed, fold + 1).random(n_seizures) < inner_share
    return np.where(tested_in == fold, TEST, np.where(tunes, INNER_VALID, TRAIN))


def stretch_roles(
    recording: str, onset_s: np.ndarray, fold: int, *, window_s: float, folds: int, seed: int, inner_share: float
) -> np.ndarray:
    """Roles under `gap`, int array (windows,): the fold's stretch is tested, the last of the rest tunes.

    Laws: every window is tested in exactly one fold; windows of two roles are at least `GAP_S` apart, end to onset.
    """
    order = np.argsort(onset_s, kind="stable")
    stretch = np.empty(len(order), dtype=int)
    stretch[order] = np.arange(len(order)) * folds // max(len(order), 1)
    test = stretch == _rng_of(recording, seed, 0).permutation(folds)[fold]
    rest = np.flatnonzero(~test & _far_from(onset_s, onset_s[test], window_s))
    rest = rest[np.argsort(onset_s[rest], kind="stable")]
    tuning = rest[len(rest) - round(inner_share * len(rest)) :]
    roles = np.full(len(onset_s), OUT)
    roles[rest[_far_from(onset_s[rest], onset_s[tuning], window_s)]] = TRAIN
    roles[tuning], roles[test] = INNER_VALID, TEST
    return roles


def _far_from(onset_s: np.ndarray, others_s: np.ndarray, window_s: float) -> np.ndarray:
    """Whether a window is at least `GAP_S` from each of the others, bool array like `onset_s`."""
    if len(others_s) == 0:
        return np.ones(len(onset_s), dtype=bool)
    others_s = np.sort(others_s)
    place = np.searchsorted(others_s, onset_s)
    before, after = others_s[np.maximum(place - 1, 0)], others_s[np.minimum(place, len(others_s) - 1)]
    nearest_s = np.minimum(np.abs(onset_s - before), np.abs(after - onset_s))
    return np.asarray(nearest_s >= window_s + GAP_S - 1e-9)


def _rng_of(recording: str, seed: int, stream: int) -> np.random.Generator:
    name = int.from_bytes(hashlib.sha256(recording.encode()).digest()[:8], "big")
    return np.random.default_rng([seed, name, stream])
