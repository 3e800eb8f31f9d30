"""The floor of spasms: how much each part of the body moves, and a logistic. No deep model may be registered below it."""

import warnings
from dataclasses import replace

import numpy as np

from data.frontend import Prepared
from data.kinematics import KINEMATICS
from data.pose import JOINTS
from models.detector import Examples
from models.logistic import LogisticFloor
from models.spasms import SpasmDetector

PARTS = {
    "head": ("nose", "left_eye", "right_eye", "left_ear", "right_ear"),
    "trunk": ("neck", "left_shoulder", "right_shoulder", "left_hip", "right_hip"),
    "arms": ("left_elbow", "right_elbow", "left_wrist", "right_wrist"),
    "legs": ("left_knee", "right_knee", "left_ankle", "right_ankle"),
}
_SPEED = [KINEMATICS.index(name) for name in ("speed across", "speed down")]
QUIET = 1e-4
"""Added to an energy before its logarithm, (trunk lengths / s)²: below what an estimate of a still joint trembles."""


class JointSpeed(LogisticFloor, SpasmDetector):
    """Mean squared speed over the clip (log) of head, trunk, arms and legs, and of the whole; logistic with ridge on top.

    A part that was not seen moves as the whole did.
    """

    name = "joint_speed"

    FEATURES = len(PARTS) + 1

    def examples(self, prepared: Prepared, recording: str = "", patient: str = "") -> Examples:
        """Features (clips, `FEATURES`); refuses as `SpasmDetector.examples` does."""
        clips = super().examples(prepared, recording, patient)
        return replace(clips, x=energies(clips.x))


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
