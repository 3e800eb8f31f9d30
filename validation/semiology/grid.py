"""Every cell of the grid with its interval, patients apart beside the paper's folds, and what order is worth."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd

from validation.scoring.scorer import Scorer, code_digest
from validation.seizure_typing.answers import confusions
from validation.seizure_typing.figures import accuracy, weighted_f1
from validation.semiology.published import published
from validation.uncertainty import difference, interval_of, patient_draws

Block = dict[str, Any]


class Cell(Protocol):
    """A setting of the grid."""

    @property
    def aggregator(self) -> str:
        """What reads the moments; `mean` and `blstm` are compared with each other."""

    @property
    def segments(self) -> int:
        """How many moments of a seizure are looked at, one of each equal part."""

    @property
    def gamma(self) -> float:
        """How moments are drawn inside their part, Beta(γ, γ); infinite where it is always the middle."""

    @property
    def shuffled(self) -> bool:
        """Whether it is the control, whose moments come without their order; nothing was published of it."""

    @property
    def name(self) -> str:
        """Names the cell, and its answers in the tables (column `variant`)."""


def grid_result(
    tables: Mapping[str, pd.DataFrame], cells: Sequence[Cell], classes: Sequence[str], seed: int, draws: int
) -> Block:
    """Regime → cells with accuracy and weighted F1, and order's worth, as plain JSON.

    `tables`: by regime (`patient`, and `seizure` where it was run) answers as of `table_of`, whose variants are the
    cells' names.
    """
    return {
        "schema": "ictal.grid/1",
        "uncertainty": {"unit": "patient", "strata": "site", "draws": draws, "seed": seed, "level": 0.95},
        "regimes": {regime: _regime(table, cells, classes, seed, draws) for regime, table in tables.items()},
    }


def gamma_text(gamma: float) -> str:
    """γ as tables write it: “∞”, or up to six digits."""
    return "∞" if np.isinf(gamma) else f"{gamma:g}"


def _regime(table: pd.DataFrame, cells: Sequence[Cell], classes: Sequence[str], seed: int, draws: int) -> Block:
    counted = {c.name: confusions(table[table["variant"] == c.name], classes) for c in cells}
    persons, any_confusion = next(iter(counted.values()))
    weights = patient_draws(list(persons["site"]), np.random.default_rng(seed), draws)
    confusion = {name: own for name, (_, own) in counted.items()}
    seizures, silent = int(any_confusion.sum()), int(any_confusion[:, :, -1].sum())
    return {
        "scorer": Scorer("semiology_grid", "1", code_digest([__file__]), {"unit": "seizure", "no_answer": "counts as wrong"}).to_json(),
        "rests_on": {"persons": len(persons), "seizures": seizures, "coverage": (seizures - silent) / seizures},
        "cells": [_cell(c, confusion[c.name], weights) for c in cells],
        "order": [row for c in cells if (row := _order(c, cells, confusion, weights))],
    }  # fmt: skip


def _cell(cell: Cell, confusion: np.ndarray, weights: np.ndarray) -> Block:
    return {
        "name": cell.name,
        "aggregator": cell.aggregator,
        "segments": cell.segments,
        "gamma": gamma_text(cell.gamma),
        "shuffled": cell.shuffled,
        "accuracy": interval_of(confusion, accuracy, weights).to_json(),
        "weighted_f1": interval_of(confusion, weighted_f1, weights).to_json(),
        "published_accuracy": None if cell.shuffled else published(cell.aggregator, cell.segments, cell.gamma),
    }


def _order(cell: Cell, cells: Sequence[Cell], confusion: Mapping[str, np.ndarray], weights: np.ndarray) -> Block | None:
    """For a BLSTM in order: its accuracy minus that of the mean, and minus its own without order, paired by patient."""
    if cell.aggregator != "blstm" or cell.shuffled:
        return None
    same = [c for c in cells if (c.segments, c.gamma) == (cell.segments, cell.gamma)]
    others = {
        "over_mean": next((c.name for c in same if c.aggregator == "mean"), None),
        "over_shuffled": next((c.name for c in same if c.aggregator == "blstm" and c.shuffled), None),
    }
    pairs: dict[str, tuple[str, str]] = {k: (cell.name, n) for k, n in others.items() if n}
    if others["over_mean"] and others["over_shuffled"]:
        pairs["shuffled_over_mean"] = (others["over_shuffled"], others["over_mean"])
    worth = {
        what: interval_of((confusion[a], confusion[b]), difference(accuracy), weights).to_json()
        for what, (a, b) in pairs.items()
    }
    return {"segments": cell.segments, "gamma": gamma_text(cell.gamma), **worth} if worth else None
