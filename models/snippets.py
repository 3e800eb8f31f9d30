"""Moments of a film: a fixed grid of short snippets in each view, and whether a view shows anything at all."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from data.film_frontend import PreparedFilm

BLOCK_PX = 8
DARK = 4.0
"""Grey levels that the darkest and the brightest blocks of a view must lie apart; sensor noise averages out in a block."""
STILL = 0.02
"""Mean change in grey levels between frames that a live camera exceeds by its noise alone."""


@dataclass(frozen=True)
class Grid:
    """`positions` equal parts of a stretch, and in the middle of each a snippet of `frames` frames at `rate_hz`."""

    positions: int
    frames: int
    rate_hz: float

    @property
    def snippet_s(self) -> float:
        """Seconds that one snippet takes."""
        return self.frames / self.rate_hz

    def times_s(self, onset_s: float, end_s: float) -> np.ndarray:
        """When the frames are asked for, (positions, frames) seconds; every snippet lies within the stretch."""
        middle = onset_s + (np.arange(self.positions) + 0.5) / self.positions * (end_s - onset_s)
        first = np.clip(middle - self.snippet_s / 2, onset_s, max(onset_s, end_s - self.snippet_s))
        return np.asarray(first[:, None] + np.arange(self.frames) / self.rate_hz)


def snippets_of(prepared: PreparedFilm, view: int, grid: Grid) -> np.ndarray:
    """uint8 (positions, frames, size, size[, 3]), read in one pass over the view."""
    times_s = grid.times_s(prepared.onset_s, prepared.end_s)
    ascending, where = np.unique(times_s, return_inverse=True)
    return prepared.frames(view, ascending)[where.reshape(times_s.shape)]


def blindness(snippets: np.ndarray) -> str:
    """Why a view shows nothing: `black` (or any one grey), `frozen` (the same frame for ever); empty where it does.

    `snippets`: uint8 (positions, frames, size, size[, 3]).
    """
    grey = snippets.astype(np.float32)
    if grey.ndim == 5:
        grey = grey.mean(axis=4)
    if np.ptp(_blocks(grey.mean(axis=(0, 1)))) < DARK:
        return "black"
    changes = [
        np.abs(np.diff(grey, axis=1)).mean(axis=(1, 2, 3)),
        np.abs(np.diff(grey[:, 0], axis=0)).mean(axis=(1, 2)),
    ]
    return "frozen" if np.concatenate(changes).max() < STILL else ""


def motion_energy(snippets: np.ndarray) -> np.ndarray:
    """Mean absolute change from frame to frame in each snippet, in grey levels: (positions,)."""
    moving = np.abs(np.diff(snippets.astype(np.float32), axis=1))
    return np.asarray(moving.reshape(len(snippets), -1).mean(axis=1))


def _blocks(frame: np.ndarray) -> np.ndarray:
    """Means over blocks of 8 × 8 pixels."""
    side = len(frame) // BLOCK_PX * BLOCK_PX
    return np.asarray(
        frame[:side, :side].reshape(side // BLOCK_PX, BLOCK_PX, side // BLOCK_PX, BLOCK_PX).mean(axis=(1, 3))
    )


def grid_of(params: Mapping[str, Any]) -> Grid:
    """The grid that a detector's numbers describe."""
    return Grid(params["positions"], params["frames"], params["rate_hz"])
