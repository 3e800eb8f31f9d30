"""A feature that knows the answer: one number that parts seizure from background perfectly in everybody."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PERFECT = 0.9995
"""AUC from which, in every seizing person, a single number is not believed."""
MIN_WINDOWS = 20
MIN_PERSONS = 3
SAMPLE = 40


@dataclass(frozen=True)
class Features:
    """A sample of labelled examples: `recording` (n,) str, `x` (n, features) float, `label` (n,) class index (0/1)."""

    recording: np.ndarray
    x: np.ndarray
    label: np.ndarray
    names: tuple[str, ...] = ()

    def name(self, column: int) -> str:
        """What a column (from 0) is called in a reason: its name, or `feature` and its number where none was given."""
        return self.names[column] if self.names else f"feature {column}"

    @classmethod
    def join(cls, parts: Sequence["Features"]) -> "Features":
        """The samples of several recordings, which must have the same features."""
        return cls(
            np.concatenate([p.recording for p in parts]),
            np.concatenate([p.x for p in parts]),
            np.concatenate([p.label for p in parts]),
            parts[0].names,
        )


def sample_features(recording: str, x: np.ndarray, label: np.ndarray, per_class: int = SAMPLE) -> Features:
    """At most `per_class` windows of each label, evenly through the recording; each example is flattened.

    `x` (windows, …) as the detector reads it, `label` (windows,).
    """
    rows = np.sort(np.concatenate([_even(np.flatnonzero(label == kind), per_class) for kind in np.unique(label)]))
    flat = np.asarray(x[rows], dtype=np.float32).reshape(len(rows), -1)
    return Features(np.full(len(rows), recording), flat, np.asarray(label)[rows].astype(np.int8))


def aucs(x: np.ndarray, label: np.ndarray) -> np.ndarray:
    """AUC of every column (features,), ties counting half."""
    from scipy.stats import rankdata

    seizing = label > 0
    positives, negatives = int(seizing.sum()), int((~seizing).sum())
    ranks = rankdata(x, axis=0)[seizing].sum(axis=0)
    return np.asarray((ranks - positives * (positives + 1) / 2) / (positives * negatives))


def _even(index: np.ndarray, at_most: int) -> np.ndarray:
    if len(index) <= at_most:
        return index
    return index[np.linspace(0, len(index) - 1, at_most).round().astype(int)]
