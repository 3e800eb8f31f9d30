"""Poses in the JSON of the published infantile-spasm data (STA-GUNet): coordinates, speeds and accelerations per joint.

A file is a list of frames; a frame is `{"features": [{"coordinate": [x, y], "speed": …, "acceleration": …} × 18]}`.
Speeds and accelerations follow from the coordinates and are not kept. The format has neither times nor confidences.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from data.outcomes import Refusal
from data.pose import JOINTS, PoseTrack
from lineage.digest import Digest

RATE_HZ = 41.0
"""205 frames are a clip of 5 s in the published data."""

LABELS = ("other", "spasm")


def is_stagunet(content: Any) -> bool:
    """Whether parsed JSON is a list of frames of which the first has `features`."""
    return isinstance(content, list) and bool(content) and isinstance(content[0], dict) and "features" in content[0]


def track_of(content: list[Any], digest: Digest, rate_hz: float | None, age_days: float | None, name: str) -> PoseTrack:
    """The track of a file's content, at `RATE_HZ` unless told.

    Frames with another number of joints than 18 are missing, as is a joint at (0, 0); a joint that is seen has
    confidence 1.
    """
    rate_hz = rate_hz or RATE_HZ
    xy = np.stack([_frame(frame) for frame in content])
    confidence = np.where(np.isfinite(xy).all(axis=2), 1.0, np.nan)
    return PoseTrack(
        np.arange(len(xy)) / rate_hz, xy, confidence, len(xy) / rate_hz, JOINTS, None, digest, name, age_days
    )


def read_labels(path: Path) -> dict[str, str]:
    """Class by clip of a label file, `{clip: {"label_index": 0 or 1}}`.

    An unknown label is refused (`unsupported_format`), not read as 0; so is what is no such file (`corrupt`).
    """
    try:
        content = json.loads(path.read_text())
        found = {str(clip): entry["label_index"] for clip, entry in content.items()}
    except (ValueError, AttributeError, TypeError, KeyError):
        raise Refusal("corrupt", "the label file is not {clip: {label_index: 0 or 1}}: export it again") from None
    unknown = sum(type(label) is not int or label not in (0, 1) for label in found.values())
    if unknown:
        raise Refusal("unsupported_format", f"{unknown} of {len(found)} clips have a label that is neither 0 nor 1")
    return {clip: LABELS[label] for clip, label in found.items()}


def _frame(frame: dict[str, Any]) -> np.ndarray:
    """(18, 2)"""
    features = frame["features"]
    if len(features) != len(JOINTS):
        return np.full((len(JOINTS), 2), np.nan)
    xy = np.array([joint["coordinate"] for joint in features], dtype=float).reshape(len(JOINTS), 2)
    xy[(xy == 0).all(axis=1)] = np.nan
    return xy
