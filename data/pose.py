"""Where a patient's joints were, frame by frame; what was not seen is missing, never zero. Personal data, as video is."""

from dataclasses import dataclass

import numpy as np

from lineage.digest import Digest

COCO = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip
JOINTS = (*COCO, "neck")
"""COCO-17 and the neck, in the order of the published infantile-spasm data (STA-GUNet)."""

EDGES = (
    (0, 1), (0, 2), (1, 3), (2, 4), (5, 17), (6, 17), (5, 7), (7, 9), (6, 8), (8, 10), (11, 5), (12, 6), (11, 12),
    (11, 13), (13, 15), (12, 14), (14, 16), (17, 0),
)  # fmt: skip
"""The skeleton over `JOINTS` (STA-GUNet)."""


@dataclass(frozen=True)
class PoseTrack:
    """The joints of one person over time.

    `time_s` (time,) ascending · `xy` (time, joint, 2) in the units of the picture, x to the right and y down, NaN where
    a joint was not seen · `confidence` (time, joint) 0–1, NaN where it was not seen · `people` (time,) persons seen in
    the frame, None where nobody counted. `duration_s` is the recording's length, frames without a person included.
    ValueError for arrays of other shapes, for times that do not ascend, and for two joints of one name.
    """

    time_s: np.ndarray
    xy: np.ndarray
    confidence: np.ndarray
    duration_s: float
    joints: tuple[str, ...] = JOINTS
    people: np.ndarray | None = None
    digest: Digest = ""
    name: str = ""
    age_days: float | None = None

    DIMENSIONS = ("time", "joint", "axis")

    def __post_init__(self) -> None:
        shape = (len(self.time_s), len(self.joints))
        if self.xy.shape != (*shape, 2) or self.confidence.shape != shape:
            raise ValueError(f"xy {self.xy.shape} and confidence {self.confidence.shape} do not fit {shape} joints")
        if self.people is not None and self.people.shape != shape[:1]:
            raise ValueError(f"people {self.people.shape} do not fit {shape[0]} frames")
        if len(set(self.joints)) < len(self.joints):
            raise ValueError("the joints of a pose track have a name each")
        if len(self.time_s) > 1 and not (np.diff(self.time_s) > 0).all():
            raise ValueError("the times of a pose track ascend")

    @property
    def rate_hz(self) -> float:
        """Frames per second of the middle interval; NaN for fewer than two frames."""
        return float(1 / np.median(np.diff(self.time_s))) if len(self.time_s) > 1 else float("nan")

    @property
    def seen(self) -> np.ndarray:
        """(time, joint) bool: where a joint was seen."""
        return np.isfinite(self.xy).all(axis=2)
