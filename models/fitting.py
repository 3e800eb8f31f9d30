"""Fit one detector for one fold: weights from the training babies, calibration and threshold from the inner ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data.events import Annotations
from models import detectors
from models.bundle import Bundle
from models.calibration import Calibration
from models.decisions import Decision, choose_threshold, raw_trend
from models.detector import Examples, Progress


@dataclass(frozen=True)
class FoldData:
    """What one fold may see: labelled windows to learn from, and inner windows with their recordings' truth."""

    train: Examples
    valid: Examples
    valid_truth: Mapping[str, Annotations]


def fit_fold(
    name: str,
    params: Mapping[str, Any],
    fold: FoldData,
    *,
    seed: int,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> tuple[Bundle, dict[str, Any]]:
    """A fitted bundle and its training log; nothing outside `fold` is looked at."""
    detector = detectors.build(name, dict(params))
    log = detector.fit(fold.train, fold.valid, seed=seed, checkpoint=checkpoint, progress=progress)
    score = detector.score(fold.valid)
    assert fold.valid.label is not None
    calibration = Calibration.fit(score, fold.valid.label)
    decision = fit_decision(fold.valid, calibration(score), fold.valid_truth)
    log["inner_auc"] = log["valid_auc"][log["best_epoch"] - 1]
    return Bundle(detector, calibration, decision, {"fitted_on": _provenance(fold)}), log


def _provenance(fold: FoldData) -> dict[str, list[str]]:
    """Which recordings each fitted part has really seen, read off the windows that it was given."""
    train, inner = (sorted({str(r) for r in np.unique(part.recording)}) for part in (fold.train, fold.valid))
    return {"normaliser": train, "network": train, "early_stopping": inner, "calibration": inner, "threshold": inner}


def fit_decision(valid: Examples, probability: np.ndarray, truth: Mapping[str, Annotations]) -> Decision:
    """The event threshold that serves the inner recordings best."""
    names = [n for n in np.unique(valid.recording) if n in truth]
    decision = Decision()
    trends = []
    for name in names:
        mine = valid.recording == name
        raw = raw_trend(valid.onset_s[mine], probability[mine], valid.window_s, truth[name].duration_s)
        trends.append(decision.smoothed(raw))
    return choose_threshold(decision, trends, [truth[n] for n in names])


def label(examples: Examples, truth: Annotations) -> Examples:
    """The same windows with labels: 1 where at least half of the window lies inside a seizure."""
    covered = truth.covered(examples.onset_s, examples.window_s)
    marks = (covered >= 0.5).astype(np.int8)
    return Examples(examples.x, examples.onset_s, examples.recording, examples.patient, examples.window_s, marks)
