"""The grid as shades: one square per number of segments and γ, one field per aggregator."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from validation.drawing import COLUMN_IN, INK, canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CALLED = {"mean": "mean", "lstm": "LSTM", "blstm": "BLSTM"}


def draw_grid(cells: Sequence[Mapping[str, Any]], figure_of: str = "accuracy") -> "Figure":
    """Accuracy in per cent of every cell; `figure_of` is `accuracy` (with its estimate) or `published_accuracy`."""
    shown = [c for c in cells if not c["shuffled"]]
    kinds, segments, gammas = (list(dict.fromkeys(c[k] for c in shown)) for k in ("aggregator", "segments", "gamma"))
    with canvas(COLUMN_IN, 0.8 + 0.34 * len(segments), ncols=len(kinds), sharey=True, squeeze=False) as (figure, axes):
        for at, (kind, own) in enumerate(zip(kinds, axes[0], strict=True)):
            values = np.full((len(segments), len(gammas)), np.nan)
            for cell in (c for c in shown if c["aggregator"] == kind):
                values[segments.index(cell["segments"]), gammas.index(cell["gamma"])] = _value(cell, figure_of)
            own.imshow(values, cmap="Blues", vmin=0.5, vmax=1.05, aspect="auto")
            for (row, column), value in np.ndenumerate(values):
                if np.isfinite(value):
                    color = "white" if value > 0.85 else INK
                    own.text(column, row, f"{100 * value:.0f}", ha="center", va="center", color=color)
            own.set_title(CALLED[kind])
            own.set_xticks(range(len(gammas)), gammas)
            own.set_yticks(range(len(segments)), segments)
            own.set(xlabel="γ", ylabel="segments" if at == 0 else "")
            own.grid(visible=False)
    return figure


def _value(cell: Mapping[str, Any], figure_of: str) -> float:
    found = cell[figure_of]
    value = found.get("estimate") if isinstance(found, Mapping) else found
    return np.nan if value is None else float(value)
