"""What the labels of a public data set are worth without any signal, under the folds that studies of it have used.

The label oracle copies the label of the nearest training window in time. On the real labels of Helsinki it reaches the
headline of window-wise studies; with babies apart there is nothing to copy. Folds are dealt anew several times, and no
deal is picked: the middle one is stated with the lowest and the highest.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data.cohorts.helsinki import Newborn
from lineage.digest import Digest
from validation.baselines import FOLDS, id_lookup, label_oracle, label_oracle_apart
from validation.scoring import Scorer, code_digest
from validation.seconds import Seconds, table_of

SCHEMA = "ictal.labels-alone/1"
DEALS = 10
WINDOW_S = 2
RECORDED = Path(__file__).parent / "recorded"
"""Figures that were computed once with this code, kept with the SHA-256 of the labels; tests compute them again."""
HERE = "computed in this workspace"
NOT_HERE = "recorded with Ictal and computed again by its tests, not in this workspace"


def helsinki(newborns: Sequence[Newborn], labels: Digest) -> dict[str, Any]:
    """The three baselines on the marks of three experts; `labels` is the SHA-256 of the file that they were read from.

    Windows of 2 s without overlap, a window is seizure where the majority marked at least half of it.
    """
    marked = [n.marked_by(2).to_mask(1.0).astype(np.int8) for n in newborns]
    table = table_of(
        [
            Seconds(n.recording, n.recording, n.recording, "", np.full(len(y), np.nan), y)
            for n, y in zip(newborns, marked, strict=True)
        ]
    )
    dealt = [
        {
            "label_oracle": label_oracle(table, seed, FOLDS, WINDOW_S),
            "id_lookup": id_lookup(table, seed, FOLDS),
            "label_oracle_apart": label_oracle_apart(table, seed, FOLDS, WINDOW_S),
        }
        for seed in range(DEALS)
    ]
    windows = np.concatenate(
        [y[: len(y) // WINDOW_S * WINDOW_S].reshape(-1, WINDOW_S).mean(axis=1) >= 0.5 for y in marked]
    )
    policy = {"folds": FOLDS, "deals": DEALS, "window_s": WINDOW_S, "labels": "majority of three experts"}
    return {
        "schema": SCHEMA,
        "labels": "helsinki",
        "source": "Stevenson et al. 2019, Sci Data 6:190039 (CC BY 4.0), annotations_2017.mat",
        "sha256": labels,
        "reportable": False,
        "newborns": len(newborns),
        "windows": len(windows),
        "seizure_share": float(windows.mean()),
        "folds": FOLDS,
        "deals": DEALS,
        "window_s": WINDOW_S,
        "scorer": Scorer("labels_alone", "1", code_digest([__file__]), policy).to_json(),
        "figures": {name: _middle([deal[name] for deal in dealt]) for name in dealt[0]},
    }  # fmt: skip


def recorded(labels: str) -> dict[str, Any] | None:
    """The figures that Ictal brings along for a data set, or None where it has none."""
    path = RECORDED / f"{labels}.json"
    return json.loads(path.read_text()) if path.is_file() else None


def _middle(figures: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Median, lowest and highest over the deals."""
    made: dict[str, Any] = {"reportable": False}
    for name in ("auc", "f1"):
        known = [f[name] for f in figures if f[name] is not None]
        made[name] = {"median": float(np.median(known)), "lowest": min(known), "highest": max(known)} if known else None
    return made
