"""What a missing view does: the seizures of a typing by how many views the answer rests on."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from validation.seizure_typing.answers import confusions
from validation.seizure_typing.figures import accuracy
from validation.uncertainty import interval_of, patient_draws

RESTS_ON = {2: "both views", 1: "one view", 0: "no view"}


def views_block(
    table: pd.DataFrame, classes: Sequence[str], answer: str, seed: int, draws: int
) -> list[dict[str, Any]]:
    """Per number of usable views: seizures, patients, and how many were named rightly; `clips` counts the views."""
    own = table[table["variant"] == answer]
    return [
        _row(own[own["clips"].clip(upper=2) == views], classes, label, seed, draws) for views, label in RESTS_ON.items()
    ]


def _row(part: pd.DataFrame, classes: Sequence[str], label: str, seed: int, draws: int) -> dict[str, Any]:
    counts = {"rests_on": label, "seizures": len(part), "persons": int(part["person"].nunique())}
    if part.empty:
        return counts | {"not_evaluable": "no seizure"}
    persons, confusion = confusions(part, classes)
    weights = patient_draws(list(persons["site"]), np.random.default_rng(seed), draws)
    return counts | {"accuracy": interval_of(confusion, accuracy, weights).to_json()}
