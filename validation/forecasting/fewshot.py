"""Few-shot figures: methods that learnt from the same handful of clips, beside each other and paired by task.

The paper draws five tasks per shot from 40 clips; here at least 100, with support and query of different persons.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from validation.forecasting.tasks import Redraws
from validation.scoring.scorer import Scorer, code_digest
from validation.uncertainty import MIN_DRAWS

MIN_TASKS = 100

Block = dict[str, Any]
Right = Mapping[str, Mapping[int, np.ndarray]]
"""Method → shots → (tasks, persons, 4) of `tasks.right_of`; all methods are given the tasks in one order."""


def few_shot_figures(
    right: Right, sites: Sequence[str], seed: int, draws: int = MIN_DRAWS, *, pairs: Sequence[tuple[str, str]]
) -> Block:
    """Balanced accuracy of each method at each number of shots, with intervals, and differences, paired by task.

    `sites` is one per person. `pairs` name which method is compared with which. A gain is `claimed` where its interval
    lies above 0 at 95 % over all comparisons together (Bonferroni: each at 1 − 0.05 / their number), and only there.
    """
    comparisons = sum(len(right[method]) for method, _ in pairs)
    redraws = Redraws.of(sites, seed, draws)
    return {
        "scorer": _scorer(),
        "persons": len(sites),
        "comparisons": comparisons,
        "methods": {m: {str(k): _figure(redraws, own) for k, own in by.items()} for m, by in right.items()},
        "differences": [
            {"method": m, "against": rival, "shots": {str(k): gain_of(redraws, own, right[rival][k], comparisons) for k, own in right[m].items()}}
            for m, rival in pairs
        ],
    }  # fmt: skip


def gain_of(redraws: Redraws, ours: np.ndarray, theirs: np.ndarray, comparisons: int = 1) -> Block:
    """Ours minus theirs, and whether that may be claimed as one of so many comparisons.

    Both (tasks, persons, 4) as of `tasks.right_of`, persons as in `redraws`.
    """
    found = redraws.gain(ours, theirs)
    surely = redraws.gain(ours, theirs, level=1 - 0.05 / comparisons)
    return {
        "tasks": min(len(ours), len(theirs)),
        "balanced_accuracy": found.to_json(),
        "claimed": bool(surely.low > 0),
    }


def _figure(redraws: Redraws, right: np.ndarray) -> Block:
    found = redraws.mean(right).to_json()
    return {"tasks": len(right), "enough_tasks": len(right) >= MIN_TASKS, "balanced_accuracy": found}


def _scorer() -> Block:
    policy = {
        "unit": "clip",
        "redrawn": "patients inside sites, and tasks",
        "persons": "support and query apart",
        "claimed": "Bonferroni",
    }
    return Scorer("few_shot", "2", code_digest([__file__]), policy).to_json()
