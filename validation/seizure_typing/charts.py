"""Which types are taken for which: the confusion of one detector as shares of what was marked."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from validation.drawing import COLUMN_IN, INK, QUIET, canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NO_ANSWER = "no answer"


def draw_confusion(confusion: Sequence[Sequence[int]], classes: Sequence[str], patients: Sequence[int]) -> "Figure":
    """Rows: the type that was marked, with its patients; columns: what was said. Numbers are seizures, shades shares."""
    counts = np.array(confusion, dtype=float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    with canvas(COLUMN_IN, 4.4) as (figure, axes):
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.2, aspect="auto")
        for (row, column), count in np.ndenumerate(counts):
            if count:
                color = "white" if shares[row, column] > 0.6 else INK
                axes.text(column, row, f"{count:.0f}", ha="center", va="center", color=color)
        axes.set_xticks(range(len(classes) + 1), [*classes, NO_ANSWER], rotation=40, ha="right")
        axes.set_yticks(range(len(classes)), [f"{c} ({n})" for c, n in zip(classes, patients, strict=True)])
        axes.set(xlabel="said", ylabel="marked (patients)")
        axes.axvline(len(classes) - 0.5, color=QUIET, lw=0.8)
        axes.grid(visible=False)
    return figure
