"""Video files, read by presentation time."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data.film import Film, View


def read_film(paths: Sequence[Path], *, age_days: float | None = None, name: str = "") -> Film:
    """The film of these views; refuses what cannot be read."""
    raise NotImplementedError


def read_frames(view: View, times_s: np.ndarray, size_px: int, grey: bool) -> np.ndarray:
    """The frames shown at ascending times: uint8 (times, size, size) grey, or (times, size, size, 3)."""
    raise NotImplementedError
