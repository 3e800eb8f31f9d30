"""Where a detector of two classes says yes: an offset that puts the best threshold of inner patients at a probability of ½.

Training draws both classes equally often, and a temperature leaves the point where they are equal; so without an offset it is
chance whether ½ is ever reached. The figure that is made best is the one by which the task is judged.
"""

from collections.abc import Callable

import numpy as np

Worth = Callable[[np.ndarray, np.ndarray, int, int], np.ndarray]
"""Clips rightly and wrongly said yes to, (thresholds,) each, and how many there are to be said yes and no to → (thresholds,)."""


def f1(right: np.ndarray, wrong: np.ndarray, yes: int, no: int) -> np.ndarray:
    """F1 at each threshold, (thresholds,)."""
    return np.asarray(2 * right / (right + wrong + yes))


def balanced_accuracy(right: np.ndarray, wrong: np.ndarray, yes: int, no: int) -> np.ndarray:
    """The mean of the shares rightly said yes and no to, at each threshold, (thresholds,)."""
    return np.asarray((right / yes + 1 - wrong / no) / 2)


WORTH: dict[str, Worth] = {"spasms": f1, "forecasting": balanced_accuracy}
"""By task, what the offset makes highest; detectors of other tasks have none."""


def offset_of(task: str, margin: np.ndarray, label: np.ndarray) -> float:
    """What to add to the margin (clips,), yes minus no, so that the task's figure is best where it is above 0.

    `label` is 1 for yes. 0 for a task without an offset, and without both classes.
    """
    return best_offset(margin, label, WORTH[task]) if task in WORTH and len(np.unique(label)) == 2 else 0.0


def best_offset(margin: np.ndarray, label: np.ndarray, worth: Worth) -> float:
    """`offset_of` by one figure, margin and label (clips,). The threshold lies half-way between two margins; of several
    that are equally good the lowest is taken."""
    order = np.argsort(-margin, kind="stable")
    ordered, right = margin[order], np.cumsum(label[order] == 1)
    yes, said = int(right[-1]), np.arange(1, len(order) + 1)
    reached = worth(right, said - right, yes, len(order) - yes)
    last = np.append(ordered[1:] < ordered[:-1], True)  # a threshold never parts what is equal
    at = np.flatnonzero(last & (reached >= reached[last].max() - 1e-12))[-1]
    below = ordered[at + 1] if at + 1 < len(order) else ordered[at] - 1.0
    return -float((ordered[at] + below) / 2)
