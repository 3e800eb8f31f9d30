"""What should be watched beforehand, and is there anything to be seen at all: a table, and two controls.

Composition × mask ratio: from which films the encoder learnt (H people, Y rodents in seizure, N rodents at rest) and how
much of them was hidden. Null control: without a cue before seizures nothing may be foreseen. Dose and response: the
stronger the cue, the more.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from validation.forecasting.fewshot import gain_of
from validation.forecasting.tasks import Foretold, Redraws
from validation.scoring.scorer import Scorer, code_digest
from validation.uncertainty import MIN_DRAWS

COMPOSITIONS: dict[str, tuple[str, ...]] = {
    "+H": ("human",),
    "+R(Y)": ("rodentseizure",),
    "+R(N)": ("rodentnormal",),
    "+R(Y/N)": ("rodentseizure", "rodentnormal"),
    "+R(Y/N)+H": ("rodentseizure", "rodentnormal", "human"),
}
"""How the paper calls what was watched, and the contents of the films (the `task-` of their names)."""

PUBLISHED = {"+H": 0.7163, "+R(Y)": 0.6961, "+R(N)": 0.7097, "+R(Y/N)": 0.6965, "+R(Y/N)+H": 0.7230}
"""Mean balanced accuracy over 2, 3 and 4 shots as stated of arXiv 2603.12887 by others."""
NOTHING_BEFOREHAND = 0.7149
"""The same without any of them (there, a network that had learnt from Kinetics)."""

CHANCE = 0.5

Block = dict[str, Any]
Cell = tuple[str, float]
"""A composition and a mask ratio."""


def table_of_compositions(
    cells: Mapping[Cell, np.ndarray],
    scratch: np.ndarray,
    sites: Sequence[str],
    seed: int,
    draws: int = MIN_DRAWS,
    *,
    measured: str,
) -> Block:
    """Balanced accuracy of each cell and its gain over `scratch`, which learnt nothing beforehand.

    Values are (tasks, persons, 4) of `tasks.right_of`, on the same tasks; `measured` says in words by which method.
    """
    redraws = Redraws.of(sites, seed, draws)
    return {
        "scorer": _scorer(),
        "persons": len(sites),
        "measured": measured,
        "scratch": redraws.mean(scratch).to_json(),
        "cells": [
            {
                "composition": composition,
                "mask_ratio": ratio,
                "tasks": len(right),
                "balanced_accuracy": redraws.mean(right).to_json(),
                "gain": gain_of(redraws, right, scratch),
                "published": PUBLISHED.get(composition),
            }
            for (composition, ratio), right in cells.items()
        ],
    }


def controls(
    doses: Mapping[float, Mapping[str, Foretold]], sites: Sequence[str], seed: int, draws: int = MIN_DRAWS
) -> Block:
    """Strength of the cue → method → what it said, the same persons at every strength.

    `null` says of each method whether without a cue both balanced accuracy and the ranking of clips hold chance: one that
    knows what it should not, and warns at the wrong threshold, is at chance by the first alone. `response` is what the
    strongest cue adds to none. Both are left out where no cohort without a cue was made.
    """
    redraws = Redraws.of(sites, seed, draws)
    points: list[Block] = [
        {"cue": cue, "methods": {name: _of_one(redraws, said) for name, said in by_method.items()}}
        for cue, by_method in sorted(doses.items())
    ]
    made: Block = {"scorer": _scorer(), "persons": len(sites), "points": points}
    if 0.0 not in doses:
        return {**made, "not_evaluable": "no cohort without a cue was made"}
    strongest = doses[max(doses)]
    return {
        **made,
        "null": {name: _holds_chance(found) for name, found in points[0]["methods"].items()},
        "response": {
            name: gain_of(redraws, strongest[name].right, none.right)
            for name, none in doses[0.0].items()
            if name in strongest
        },
    }


def _of_one(redraws: Redraws, said: Foretold) -> Block:
    return {**redraws.mean(said.right).to_json(), "auc": redraws.ranking(said).to_json()}


def _holds_chance(found: Mapping[str, Any]) -> Block:
    if found["auc"]["low"] == found["auc"]["high"] == CHANCE:
        return {**found, "holds": False, "not_evaluable": "it scores every clip alike"}
    both = [(own["low"], own["high"]) for own in (found, found["auc"])]
    return {**found, "holds": all(low is not None and low <= CHANCE <= high for low, high in both)}


def _scorer() -> Block:
    policy = {
        "unit": "clip",
        "redrawn": "patients inside sites, and tasks or fits",
        "chance": CHANCE,
        "null": "balanced accuracy, and AUC within folds",
    }
    return Scorer("composition", "2", code_digest([__file__]), policy).to_json()
