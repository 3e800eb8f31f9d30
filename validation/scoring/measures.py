"""Measures of seconds and of burden: area under the curve, F1, Matthews correlation, Pearson r.

Where a measure does not exist (one class only, nothing said, no spread) it is NaN, never a flattering number.
"""

import numpy as np


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve of seconds (0–1), ties counting half; NaN scores are left out; NaN if one class only.

    Labels and scores (seconds,).
    """
    known = np.isfinite(scores)
    positive = np.asarray(labels, dtype=bool)[known]
    seizure, other = scores[known][positive], np.sort(scores[known][~positive])
    if len(seizure) == 0 or len(other) == 0:
        return float("nan")
    below = np.searchsorted(other, seizure, "left") + np.searchsorted(other, seizure, "right")
    return float((below / 2).sum() / (len(seizure) * len(other)))


def f1(labels: np.ndarray, calls: np.ndarray) -> float:
    """F1 (0–1) of seconds, labels and calls (seconds,); NaN where there is neither a seizure nor a call."""
    truth, said = np.asarray(labels, dtype=bool), np.asarray(calls, dtype=bool)
    called = int(truth.sum() + said.sum())
    return 2 * int((truth & said).sum()) / called if called else float("nan")


def mcc(tp: float, fp: float, fn: float, tn: float) -> float:
    """Matthews correlation of seconds (−1 to 1); 0 where the detector says the same of every second, NaN where none of
    them was one of a seizure."""
    return float(mcc_statistic(np.ones((1, 1)), np.array([[tp, fp, fn, tn]]))[0])


def mcc_statistic(weights: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Statistic: `mcc` of all seconds of the patients drawn; `seconds` (patients, 4) as tp, fp, fn, tn."""
    tp, fp, fn, tn = (weights @ seconds.astype(float)).T
    product = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    correlation = np.where(product > 0, (tp * tn - fp * fn) / np.sqrt(np.where(product > 0, product, 1.0)), 0.0)
    return np.where(tp + fn > 0, correlation, np.nan)


def pearson_statistic(weights: np.ndarray, burdens: np.ndarray) -> np.ndarray:
    """Statistic: Pearson r between marked and detected burden over patients; `burdens` (patients, 2)."""
    defined = np.isfinite(burdens).all(axis=1)
    x, y = np.where(defined[:, None], burdens, 0.0).T
    w = weights * defined
    n = w.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_x, mean_y = w @ x / n, w @ y / n
        dx, dy = x[None] - mean_x[:, None], y[None] - mean_y[:, None]
        spread = np.sqrt((w * dx**2).sum(axis=1) * (w * dy**2).sum(axis=1))
        return np.where(spread > 1e-12, (w * dx * dy).sum(axis=1) / spread, np.nan)
