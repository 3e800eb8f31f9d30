"""The floor of spasms: how much each part of the body moves, and a logistic. No deep model may be registered below it."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data.frontend import Prepared
from data.kinematics import KINEMATICS
from data.pose import JOINTS
from models.detector import Examples, Progress, State
from models.detectors.band_power import fit_softmax
from models.spasms import SPASM, SpasmDetector, best_offset
from models.training import auc, balanced_weights

PARTS = {
    "head": ("nose", "left_eye", "right_eye", "left_ear", "right_ear"),
    "trunk": ("neck", "left_shoulder", "right_shoulder", "left_hip", "right_hip"),
    "arms": ("left_elbow", "right_elbow", "left_wrist", "right_wrist"),
    "legs": ("left_knee", "right_knee", "left_ankle", "right_ankle"),
}
_SPEED = [KINEMATICS.index(name) for name in ("speed across", "speed down")]
QUIET = 1e-4
"""Added to an energy before its logarithm, (trunk lengths / s)²: below what an estimate of a still joint trembles."""


class JointSpeed(SpasmDetector):
    """Mean squared speed over the clip (log) of head, trunk, arms and legs, and of the whole; logistic with ridge on top.

    A part that was not seen moves as the whole did.
    """

    name = "joint_speed"

    def __init__(self, params: Mapping[str, Any]):
        super().__init__(params)
        features = len(PARTS) + 1
        self.centre, self.spread = np.zeros(features), np.ones(features)
        self.weights, self.offset = np.zeros((features + 1, 2)), 0.0

    def examples(self, prepared: Prepared, recording: str = "", patient: str = "") -> Examples:
        clips = super().examples(prepared, recording, patient)
        return Examples(energies(clips.x), clips.onset_s, clips.recording, clips.patient, clips.window_s)

    def fit(
        self,
        train: Examples,
        valid: Examples,
        *,
        seed: int,
        checkpoint: Path | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        if train.label is None or valid.label is None:
            raise ValueError("training needs labelled clips")
        weight, x = balanced_weights(train.patient, train.label), train.x.astype(float)
        self.centre, self.offset = weight @ x, 0.0
        self.spread = np.sqrt(weight @ (x - self.centre) ** 2) + 1e-6
        self.weights = fit_softmax(self._scaled(x), train.label, weight, 2, self.params["ridge"])
        score = self.score(valid)
        margin = score[:, SPASM] - score[:, 0]
        reached = auc(margin, valid.label)
        self.offset = best_offset(margin, valid.label)
        if progress:
            progress(1, 1, reached)
        seen = [self.classes[c] for c in np.unique(train.label)]
        return {"epochs": 1, "best_epoch": 1, "valid_auc": [reached], "windows": len(train), "classes_seen": seen}

    def score(self, examples: Examples) -> np.ndarray:
        scaled = self._scaled(examples.x.astype(float))  # einsum: one clip's sum does not depend on how many there are
        return np.einsum("cf,fk->ck", scaled, self.weights) + np.array([0.0, self.offset])

    def state(self) -> State:
        tensors = {"centre": self.centre.copy(), "spread": self.spread.copy(), "weights": self.weights.copy()}
        return State(tensors, {"offset": self.offset})

    def load_state(self, state: State) -> None:
        self.centre, self.spread, self.weights = (
            np.array(state.tensors[name], dtype=float) for name in ("centre", "spread", "weights")
        )
        self.offset = float(state.settings["offset"])

    def _scaled(self, x: np.ndarray) -> np.ndarray:
        return np.concatenate([np.ones((len(x), 1)), (x - self.centre) / self.spread], axis=1)


def energies(moved: np.ndarray) -> np.ndarray:
    """(clips, 6, frames, joints) → (clips, parts + 1) float32: log of the mean squared speed of the parts and of all."""
    squared = (moved[:, _SPEED].astype(float) ** 2).sum(axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a part that was not seen has no mean
        whole = np.nanmean(squared, axis=(1, 2))
        parts = [np.nanmean(squared[..., [JOINTS.index(j) for j in own]], axis=(1, 2)) for own in PARTS.values()]
    means = np.stack([*(np.where(np.isfinite(p), p, whole) for p in parts), whole], axis=1)
    return np.log10(np.nan_to_num(means) + QUIET).astype(np.float32)


DETECTOR = JointSpeed
