"""Declining to answer must not look like skill: what only the other detector answered counts as knowing nothing.

Otherwise a champion that is silenced wherever it errs would be superior to itself. A second that one detector left
unanswered is taken as the statement 0.5 (squared error 0.25), and in the ranking as neither above nor below.
"""

import numpy as np

from validation.reliability import Calibration
from validation.uncertainty import PairWins

IGNORANCE = 0.25
"""The squared error of stating 0.5."""


def squared_errors(own: Calibration, other: Calibration) -> np.ndarray:
    """(patients, 2): summed squared error, seconds, over as many seconds as either detector answered."""
    mine, theirs = own.seconds.sum(axis=1), other.seconds.sum(axis=1)
    return with_silence(own.squared_error, mine, np.maximum(mine, theirs))


def with_silence(squared_error: np.ndarray, answered: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """(patients, 2): summed squared error, asked; each question that was not answered counts as `IGNORANCE`.

    All three (patients,).
    """
    return np.stack([squared_error + IGNORANCE * (asked - answered), asked], axis=1).astype(float)


def pairs(own: PairWins, other: PairWins) -> PairWins:
    """Pair wins over as many seconds as either detector answered; pairs with an unanswered second count half."""
    return own.asked(np.maximum(own.positives, other.positives), np.maximum(own.negatives, other.negatives))
