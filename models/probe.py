"""A question with a known answer, carried by a bundle: whoever loads it asks again before a patient does."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.detector import Detector, Examples

QUESTIONS = 2
TOLERANCE = 1e-3
"""Largest difference of a logit; another processor rounds otherwise, another network answers otherwise."""


@dataclass(frozen=True)
class Probe:
    """`logits` (questions, classes) of noise in the form of the detector's clips; nobody's recording."""

    shape: tuple[int, ...]
    dtype: str
    window_s: float
    logits: tuple[tuple[float, ...], ...]

    @classmethod
    def asked(cls, detector: Detector, like: Examples) -> "Probe":
        """Ask a fitted detector about noise of the form of these clips."""
        empty = cls(like.x.shape[1:], str(like.x.dtype), like.window_s, ())
        return cls(empty.shape, empty.dtype, empty.window_s, _rows(empty.answers(detector)))

    @classmethod
    def from_json(cls, stated: Mapping[str, Any]) -> "Probe":
        """The probe that bundle.json states; KeyError where a part of it is missing."""
        return cls(tuple(stated["shape"]), stated["dtype"], float(stated["window_s"]), _rows(stated["logits"]))

    def answers(self, detector: Detector) -> np.ndarray:
        """What the detector says to the noise: (questions, classes)."""
        rng, shape = np.random.default_rng(0), (QUESTIONS, *self.shape)
        dtype = np.dtype(self.dtype)
        x = rng.integers(0, 256, shape).astype(dtype) if dtype.kind in "iu" else rng.normal(size=shape).astype(dtype)
        names = np.full(QUESTIONS, "probe")
        return np.asarray(detector.score(Examples(x, np.zeros(QUESTIONS), names, names, self.window_s)))

    def holds(self, detector: Detector) -> bool:
        """Whether the detector still gives the answer that it gave."""
        said = self.answers(detector)
        return bool(np.allclose(said, np.array(self.logits), rtol=TOLERANCE, atol=TOLERANCE))


def _rows(logits: Any) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(value) for value in row) for row in np.asarray(logits))
