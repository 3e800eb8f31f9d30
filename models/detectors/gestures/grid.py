"""The grid of the paper: how many segments, how moments are drawn, what reads them; every cell on the same features."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import inf, isinf, lcm
from typing import Any

import numpy as np
import torch
from scipy.special import softmax

from models.detector import Examples
from models.detectors.gestures import Gestures, schedule_of
from models.detectors.gestures.aggregation import Aggregator, Kind, Sampling, fit_aggregator

SEGMENTS = (2, 4, 8, 16)
GAMMAS = (1.0, 1.25, 2.0, 4.0, inf)
AGGREGATORS: tuple[Kind, ...] = ("mean", "lstm", "blstm")


@dataclass(frozen=True)
class Cell:
    """One setting of the grid; `shuffled` is the control whose moments come in any order."""

    aggregator: Kind
    segments: int
    gamma: float
    shuffled: bool = False

    @property
    def name(self) -> str:
        """Such as `blstm n=16 γ=2`."""
        shuffled = " shuffled" if self.shuffled else ""
        return f"{self.aggregator}{shuffled} n={self.segments} γ={'∞' if isinf(self.gamma) else f'{self.gamma:g}'}"


def cells_of(
    segments: Sequence[int] = SEGMENTS, gammas: Sequence[float] = GAMMAS, aggregators: Sequence[Kind] = AGGREGATORS
) -> list[Cell]:
    """Every combination; the paper's 60 unless told."""
    return [Cell(*which) for which in product(aggregators, segments, gammas)]


DEMO_CELLS = cells_of((2, 8), (1.0, inf))
"""The 12 cells of the demo: the ends of what the paper varied that a short film and few moments allow."""


def controls_of(cells: Sequence[Cell]) -> list[Cell]:
    """For every BLSTM the same without order."""
    return [replace(cell, shuffled=True) for cell in cells if cell.aggregator == "blstm" and not cell.shuffled]


def grid_params(params: Mapping[str, Any], cells: Sequence[Cell]) -> dict[str, Any]:
    """The detector's numbers with as many positions as all cells can be dealt out from: where it has them, its features serve."""
    needed = lcm(*(cell.segments for cell in cells))
    positions = -(-params["positions"] // needed) * needed
    return {**params, "positions": positions}


def fit_cell(
    cell: Cell, detector: Gestures, train: Examples, inner: Examples, test: Examples, *, seed: int
) -> tuple[np.ndarray, dict[str, Any]]:
    """Probabilities (clips, classes) of `test` by one cell fitted on `train`, and the training's log.

    `detector` has made the examples; nothing of it is changed. Nothing fitted here can be kept as a model.
    """
    width, positions = detector.stcnn.width, detector.grid.positions
    train, inner, test = (replace(part, x=part.x[:, :, :width]) for part in (train, inner, test))
    torch.manual_seed(seed)
    sampling = Sampling(cell.segments, cell.gamma, positions)
    network = Aggregator(cell.aggregator, width, sampling, len(detector.classes), shuffled=cell.shuffled)
    log, _ = fit_aggregator(network, train, inner, schedule_of(detector.params), seed=seed)
    return np.asarray(softmax(network.logits(test.x), axis=1)), log


def per_seizure(test: Examples, probabilities: np.ndarray) -> dict[tuple[str, int], tuple[int, np.ndarray]]:
    """(recording, event) → (views, mean probabilities over them)."""
    assert test.event is not None
    rows: dict[tuple[str, int], list[np.ndarray]] = {}
    for recording, event, row in zip(test.recording, test.event, probabilities, strict=True):
        rows.setdefault((str(recording), int(event)), []).append(row)
    return {key: (len(own), np.mean(own, axis=0)) for key, own in rows.items()}
