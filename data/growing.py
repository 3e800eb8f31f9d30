"""Rows that arrive one after another, kept in one array: for the few numbers per second that a live analysis keeps."""

import numpy as np


class Growing:
    """An array that grows at its end; a row costs the same however many there are, because the room doubles."""

    def __init__(self, *row: int, dtype: type = np.float64):
        self._room: np.ndarray = np.zeros((64, *row), dtype)
        self._used = 0

    def __len__(self) -> int:
        return self._used

    def append(self, rows: np.ndarray) -> None:
        """Add rows (count, *row)."""
        needed = self._used + len(rows)
        if needed > len(self._room):
            larger = np.zeros((max(needed, 2 * len(self._room)), *self._room.shape[1:]), self._room.dtype)
            larger[: self._used] = self._room[: self._used]
            self._room = larger
        self._room[self._used : needed] = rows
        self._used = needed

    @property
    def rows(self) -> np.ndarray:
        """All rows so far, (count, *row), a view."""
        return self._room[: self._used]
