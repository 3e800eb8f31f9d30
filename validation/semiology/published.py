"""What the paper's grid reached: accuracy in per cent by aggregator, segments and γ, with folds over seizures.

Read off the vector figure of the thesis (Pérez-García, chapter 2, aggregation) and rounded to 183ths; patients were
not apart, and the epoch was chosen on the tested fold. Not evidence here.
"""

from math import inf

GAMMAS = (1.0, 1.25, 2.0, 4.0, inf)

GRID = {
    "mean": {
        2: (88.5, 84.7, 86.9, 88.0, 82.5), 4: (88.5, 86.3, 88.0, 91.3, 83.6),
        8: (93.4, 90.2, 91.8, 95.1, 89.1), 16: (92.9, 87.4, 91.8, 92.3, 91.8),
    },
    "lstm": {
        2: (89.1, 92.9, 91.3, 94.5, 90.7), 4: (96.2, 96.7, 95.6, 96.2, 88.0),
        8: (98.4, 95.1, 96.7, 96.7, 90.7), 16: (96.7, 96.7, 96.7, 96.7, 93.4),
    },
    "blstm": {
        2: (91.3, 94.5, 92.9, 93.4, 89.1), 4: (95.6, 95.6, 95.6, 95.6, 88.0),
        8: (97.8, 95.1, 97.3, 96.7, 91.8), 16: (97.8, 98.4, 98.9, 98.9, 95.6),
    },
}  # fmt: skip
"""Aggregator → segments → one figure per γ."""

WHERE = "68 patients, 183 seizures, folds over seizures, epoch chosen on the tested fold (Pérez-García et al. 2021)"


def published(aggregator: str, segments: int, gamma: float) -> float | None:
    """Accuracy from 0 to 1 of a cell; None of one that the paper has not."""
    row = GRID.get(aggregator, {}).get(segments)
    return None if row is None or gamma not in GAMMAS else row[GAMMAS.index(gamma)] / 100
