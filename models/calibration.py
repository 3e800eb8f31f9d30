"""From a detector's score to a probability, fitted on training patients only."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from lineage.refused import Refused


class NotCalibrated(Refused):
    """Scores that no probability can be made of."""


@dataclass(frozen=True)
class Calibration:
    """Platt's logistic calibration: probability = 1 / (1 + exp(−(slope · score + intercept))).

    Called with scores (windows,) it gives probabilities (windows,), 0–1.
    """

    slope: float
    intercept: float

    def __call__(self, score: np.ndarray) -> np.ndarray:
        return np.asarray(expit(self.slope * np.asarray(score, dtype=float) + self.intercept))

    @classmethod
    def fit(cls, score: np.ndarray, label: np.ndarray) -> "Calibration":
        """Fitted by maximum likelihood with a little ridge; a negative slope (an inverted score) is set to 0.

        `score` (windows,), `label` (windows,) 0 or 1. `NotCalibrated` where a score is no finite number: one of them
        would make every probability none.
        """
        score = np.asarray(score, dtype=float)
        if unknown := int((~np.isfinite(score)).sum()):
            raise NotCalibrated(
                f"{unknown} of {len(score)} scores of inner patients are no finite numbers, none may be: the training "
                "has diverged, train again with a lower learning rate"
            )
        intercept, slope = fit_logistic(score[:, None], label)
        if slope <= 0:
            rate = float(np.clip(np.mean(label), 1e-6, 1 - 1e-6))
            return cls(0.0, float(np.log(rate / (1 - rate))))
        return cls(float(slope), float(intercept))


def fit_logistic(x: np.ndarray, label: np.ndarray, ridge: float = 1e-3) -> np.ndarray:
    """(1 + features,), intercept first, of a ridge logistic regression by Newton's method; x (rows, features)."""
    design = np.column_stack([np.ones(len(x)), x])
    penalty = ridge * len(x) * np.diag([0.0] + [1.0] * x.shape[1])
    penalty /= max(1.0, float(np.mean(x**2)))
    beta = np.zeros(design.shape[1])
    for _ in range(50):
        p = expit(design @ beta)
        gradient = design.T @ (p - label) + penalty @ beta
        hessian = (design * (p * (1 - p))[:, None]).T @ design + penalty + 1e-9 * np.eye(len(beta))
        step = np.linalg.solve(hessian, gradient)
        beta -= np.clip(step, -5, 5)
        if np.abs(step).max() < 1e-10:
            break
    return beta
