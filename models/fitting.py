"""Fit one detector for one fold: weights from the training babies, all that decides from the inner ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data.events import Annotations
from lineage.refused import Refused
from models import detectors
from models.bundle import Bundle
from models.calibration import Calibration
from models.conformal import Conformal
from models.decisions import Decision, choose_threshold, raw_trend
from models.detector import Detector, Examples, Progress
from models.look import WINDOW_S, Look
from models.ood import Ood


class OneClass(Refused):
    """A fold whose training or inner patients have seizures only, or none: what comes of it would never find anything."""


@dataclass(frozen=True)
class FoldData:
    """What one fold may see: labelled windows to learn from, and inner windows to tune on.

    `truth` and `looks` give what experts marked and what the windows look like, by recording; of them only the
    recordings of `train` and `valid` are read.
    """

    train: Examples
    valid: Examples
    truth: Mapping[str, Annotations]
    looks: Mapping[str, Look]


def fit_fold(
    name: str,
    params: Mapping[str, Any],
    fold: FoldData,
    *,
    seed: int,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
    null_control: bool = False,
) -> tuple[Bundle, dict[str, Any]]:
    """A fitted bundle and its training log; nothing outside `fold` is looked at.

    Raises `OneClass` before anything is fitted where training or inner windows are not of both classes. Not in the
    `null_control`, whose labels are somebody else's and whose bundles answer for nobody.
    """
    fitted = fit_calibrated(
        name, params, fold.train, fold.valid,
        seed=seed, checkpoint=checkpoint, progress=progress, null_control=null_control,
    )  # fmt: skip
    trends = _inner_trends(fold, fitted.inner_probability)
    truths = [fold.truth[name] for name in trends]
    decision = choose_threshold(Decision(), list(trends.values()), truths)
    conformal = fit_conformal(fold, trends)
    log = {**fitted.log, "conformal": conformal.statement}
    origin = {"fitted_on": _provenance(fold)}
    return Bundle(fitted.detector, fitted.calibration, decision, conformal, fit_ood(fold), origin), log


class Fitted(NamedTuple):
    """A detector with its calibration, which is no bundle: it cannot decide, abstain or be registered.

    `inner_probability` (windows,) is what it says of the inner windows.
    """

    detector: Detector
    calibration: Calibration
    inner_probability: np.ndarray
    log: dict[str, Any]


def fit_calibrated(
    name: str,
    params: Mapping[str, Any],
    train: Examples,
    valid: Examples,
    *,
    seed: int,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
    null_control: bool = False,
) -> Fitted:
    """Weights from `train`, probabilities from `valid`; `OneClass` where either has windows of one class only (not in the
    `null_control`)."""
    if not null_control:
        for who, examples in (("training", train), ("inner", valid)):
            _check_classes(who, examples)
    detector = detectors.build(name, dict(params))
    log = detector.fit(train, valid, seed=seed, checkpoint=checkpoint, progress=progress)
    score = detector.score(valid)
    assert valid.label is not None
    calibration = Calibration.fit(score, valid.label)
    log.setdefault("inner_auc", log["valid_auc"][log["best_epoch"] - 1])  # of a floor, whose only epoch nobody chose
    return Fitted(detector, calibration, calibration(score), log)


def _check_classes(who: str, examples: Examples) -> None:
    assert examples.label is not None
    seizing, count = int((examples.label > 0).sum()), len(examples)
    if seizing in (0, count):
        raise OneClass(
            f"{seizing} of {count} windows of {len(np.unique(examples.patient))} {who} patients lie in a seizure, both "
            "kinds are needed to learn and to set a threshold: add patients with seizures (at least 2 outside of every "
            "test fold) or ask for fewer folds"
        )


def fit_conformal(fold: FoldData, trends: Mapping[str, np.ndarray]) -> Conformal:
    """Prediction sets from the inner patients' trends by recording, (seconds,) each, as they will be answered."""
    by_patient: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for name, trend in trends.items():
        patient = str(fold.valid.patient[fold.valid.recording == name][0])
        by_patient.setdefault(patient, []).append((trend, fold.truth[name].to_mask(1.0)[: len(trend)]))
    return Conformal.fit(
        [np.concatenate([trend for trend, _ in parts]) for parts in by_patient.values()],
        [np.concatenate([mask for _, mask in parts]) for parts in by_patient.values()],
    )


def fit_ood(fold: FoldData) -> Ood:
    """What the training patients look like, and how far from them their own left-out ones lie.

    ValueError where a training recording was not looked at; refuses what `Ood.fit` refuses.
    """
    names, first = np.unique(fold.train.recording, return_index=True)
    if missing := [str(n) for n in names if n not in fold.looks]:
        raise ValueError(f"{len(missing)} training recordings were not looked at, {missing[0]} is the first")
    looks = [fold.looks[name] for name in names]
    patients = [np.full(len(seen.onset_s), fold.train.patient[at]) for seen, at in zip(looks, first, strict=True)]
    seizing = [fold.truth[n].covered(seen.onset_s, WINDOW_S) >= 0.5 for n, seen in zip(names, looks, strict=True)]
    return Ood.fit(np.concatenate([seen.x for seen in looks]), np.concatenate(patients), np.concatenate(seizing))


def _provenance(fold: FoldData) -> dict[str, list[str]]:
    """Which recordings each fitted part has really seen, read off the windows that it was given."""
    train, inner = (sorted({str(r) for r in np.unique(part.recording)}) for part in (fold.train, fold.valid))
    on_train, on_inner = ("normaliser", "network", "ood"), ("early_stopping", "calibration", "threshold", "conformal")
    return dict.fromkeys(on_train, train) | dict.fromkeys(on_inner, inner)


def _inner_trends(fold: FoldData, probability: np.ndarray) -> dict[str, np.ndarray]:
    """The smoothed trend of each inner recording whose truth is known."""
    valid, trends = fold.valid, {}
    for name in (str(n) for n in np.unique(valid.recording) if n in fold.truth):
        mine = valid.recording == name
        raw = raw_trend(valid.onset_s[mine], probability[mine], valid.window_s, fold.truth[name].duration_s)
        trends[name] = Decision().smoothed(raw)
    return trends


def label(examples: Examples, truth: Annotations) -> Examples:
    """The same windows with labels: 1 where at least half of the window lies inside a seizure."""
    covered = truth.covered(examples.onset_s, examples.window_s)
    marks = (covered >= 0.5).astype(np.int8)
    return Examples(examples.x, examples.onset_s, examples.recording, examples.patient, examples.window_s, marks)
