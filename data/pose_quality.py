"""What can be seen of a pose track's quality: whether somebody is there, surely, as one person, with sides that hold.

Lengths are measured in torsos (middle of the shoulders to middle of the hips), so that camera and distance do not count.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from data.film_door import absent_share
from data.pose import JOINTS, PoseTrack

if TYPE_CHECKING:
    import pandas as pd

MAX_SPEED = 30.0
"""Torso lengths per second that no joint exceeds: an infant's 0.2 m torso would mean 6 m/s."""

UNSURE = 0.3
"""Confidence below which a joint is a guess."""

PAIRS = tuple((JOINTS.index(f"left_{part}"), JOINTS.index(f"right_{part}")) for part in
              ("shoulder", "elbow", "wrist", "hip", "knee", "ankle"))  # fmt: skip


def pose_facts(track: PoseTrack) -> "pd.DataFrame":
    """One row for a pose track. Shares are 0–1.

    recording; duration_s, rate_hz, frames; missing_joints (of the human ones, those that the file does not have,
    comma-separated); absent_share (time without a person); missing_share (joints not seen in the frames with a person);
    confidence (median over seen joints), unsure_share (seen joints below a confidence of 0.3); torso (median length, in
    the picture's units); fast_share (steps of a joint faster than 30 torso lengths per second); swapped_share (frames
    in which left and right change places); several_share (frames with more than one person; NaN where nobody counted)
    and most_people. NaN where a figure needs joints that are not there.
    """
    import pandas as pd

    missing = [joint for joint in JOINTS if joint not in track.joints]
    seen = track.seen
    there = seen.any(axis=1)
    sure = track.confidence[seen & np.isfinite(track.confidence)]
    people = track.people
    row: dict[str, Any] = {
        "recording": track.name,
        "duration_s": track.duration_s,
        "rate_hz": track.rate_hz,
        "frames": len(track.time_s),
        "missing_joints": ", ".join(missing),
        "absent_share": absent_share(track),
        "missing_share": 1 - float(seen[there].mean()) if there.any() else float("nan"),
        "confidence": float(np.median(sure)) if len(sure) else float("nan"),
        "unsure_share": float((sure < UNSURE).mean()) if len(sure) else float("nan"),
        "several_share": float((people > 1).mean()) if people is not None and len(people) else float("nan"),
        "most_people": float(people.max()) if people is not None and len(people) else float("nan"),
    }
    return pd.DataFrame([row | (_shape(ordered(track)) if not missing else _NO_SHAPE)])


def ordered(track: PoseTrack) -> tuple[np.ndarray, np.ndarray]:
    """Times and positions (time, joint, 2) of the human joints, in the order of `data.pose.JOINTS`."""
    return track.time_s, track.xy[:, [track.joints.index(joint) for joint in JOINTS]]


def torso(xy: np.ndarray) -> float:
    """Median distance of the middle of the shoulders from the middle of the hips; NaN where they were never seen.

    `xy` (time, joint, 2) of `JOINTS`; the distance is in its units.
    """
    lengths = np.linalg.norm(middle(xy, "shoulder") - middle(xy, "hip"), axis=1)
    return float(np.nanmedian(lengths)) if np.isfinite(lengths).any() else float("nan")


def middle(xy: np.ndarray, part: str) -> np.ndarray:
    """(time, 2) the point between left and right `part`, shoulder or hip, of `xy` (time, joint, 2)."""
    return np.asarray((xy[:, JOINTS.index(f"left_{part}")] + xy[:, JOINTS.index(f"right_{part}")]) / 2)


def swaps(xy: np.ndarray) -> np.ndarray:
    """(time,) bool: left and right change places between two frames, in at least two pairs of joints at once, or the
    shoulders say the opposite of the hips. `xy` (time, joint, 2) of `JOINTS`."""
    pairs = xy[:, PAIRS]  # (frame, pair, side, 2)
    kept = np.linalg.norm(np.diff(pairs, axis=0), axis=3).sum(axis=2)
    crossed = np.linalg.norm(pairs[1:, :, ::-1] - pairs[:-1], axis=3).sum(axis=2)
    apart = np.linalg.norm(pairs[1:, :, 0] - pairs[1:, :, 1], axis=2) > 0.25 * torso(xy)
    jumps = ((crossed < 0.5 * kept) & apart).sum(axis=1) >= 2
    shoulders, hips = (pairs[:, place, 0] - pairs[:, place, 1] for place in (0, 3))
    cosine = (shoulders * hips).sum(axis=1) / (np.linalg.norm(shoulders, axis=1) * np.linalg.norm(hips, axis=1) + 1e-9)
    return np.concatenate([[False], jumps]) | (cosine < -0.5)


def _shape(track: tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
    time_s, xy = track
    length = torso(xy)
    speed = np.linalg.norm(np.diff(xy, axis=0), axis=2) / np.diff(time_s)[:, None] / length
    known = np.isfinite(speed)
    return {
        "torso": length,
        "fast_share": float((speed[known] > MAX_SPEED).mean()) if known.any() else float("nan"),
        "swapped_share": float(swaps(xy).mean()) if np.isfinite(length) else float("nan"),
    }


_NO_SHAPE = dict.fromkeys(("torso", "fast_share", "swapped_share"), float("nan"))
