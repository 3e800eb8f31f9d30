"""What a clip looks like that is to be named, in a few numbers by what it was recorded with, the same for every detector.

They are taken from the signal, the joints or the pictures themselves: what a detector makes of them says what it believes,
not whether it was ever shown the like.
"""

import warnings
from collections.abc import Mapping

import numpy as np

from data.pose import JOINTS
from data.pose_quality import middle
from models import look

PICTURES: Mapping[str, str] = {
    "brightness": "how bright the picture is",
    "contrast": "how far light and dark lie apart",
    "detail": "how much neighbouring points differ",
    "forms": "how much points far from each other differ",
    "colour": "how coloured it is",
    "dark": "the share of the picture that is black",
    "motion": "how much changes from picture to picture",
    "moving": "the share of the picture that changes",
    "uneven": "how unevenly it changes",
    "standing": "the share of the picture that stands, as behind a patient whom a fixed camera films",
}
"""Of pictures; amounts are logarithms to base 10, brightness and shares of what is black and what stands are 0–1."""

JOINTED: Mapping[str, str] = {
    "shoulders": "how broad the shoulders are",
    "hips": "how broad the hips are",
    "arms": "how long the arms are",
    "legs": "how long the legs are",
    "head": "how far the nose is from the neck",
    "speed": "how fast the joints move",
    "fastest": "how fast the fastest move",
    "trunk": "how much the trunk changes its length",
}
"""Of joints; lengths and speeds are logarithms to base 10 of trunk lengths (per second). How much of a person is seen is no
part of it: a blanket makes no stranger."""

FEATURES: Mapping[str, Mapping[str, str]] = {"eeg": look.FEATURES, "pose": JOINTED, "video": PICTURES}
"""What is measured, by the modality of detectors."""

FAINT = 1e-2
"""Added to amounts of grey levels and of trunk lengths before a logarithm: below a camera's noise, and an estimate's."""
BLACK, CHANGED = 16, 8
"""Grey levels (0–255) below which a point is black, and by which it changes at least."""
FAR_SHARE = 8
"""Points an eighth of the picture's side apart are far from each other."""
LIMBS = {
    "arms": (("shoulder", "elbow"), ("elbow", "wrist")),
    "legs": (("hip", "knee"), ("knee", "ankle")),
}


def of_eeg(clips: np.ndarray, rate_hz: float) -> np.ndarray:
    """(clips, derivations, samples) µV → (clips, features): the middle of each clip's windows of 2 s (`models.look`).

    NaN of clips of less than 2 s.
    """
    seen = look.looks(clips.swapaxes(0, 1), rate_hz)
    return np.median(seen, axis=1) if seen.shape[1] else np.full((len(clips), len(look.FEATURES)), np.nan)


def of_pictures(moments: np.ndarray) -> np.ndarray:
    """Moments of one clip, uint8 (moments, pictures, size, size[, 3]), of pictures that follow each other: (features,).

    Whether something stands is told over all of them, all else is the middle moment's.
    """
    grey = moments.astype(np.float32)
    grey = grey.mean(axis=4) if grey.ndim == 5 else grey
    shown = grey.reshape(-1, *grey.shape[2:])
    standing = (np.abs(shown - np.median(shown, axis=0)) < CHANGED).mean()
    middle_one = np.median([_of_moment(*both) for both in zip(moments, grey, strict=True)], axis=0)
    return np.array([*middle_one, standing])


def of_joints(clips: np.ndarray, rate_hz: float) -> np.ndarray:
    """(clips, frames, joints, 2) of `data.pose.JOINTS` in any unit, NaN where not seen → (clips, features); of what was
    not seen together nothing is known, NaN."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of nothing there is no middle
        return np.array([_of_track(track, rate_hz) for track in clips]).reshape(len(clips), len(JOINTED))


def _of_moment(pictures: np.ndarray, grey: np.ndarray) -> np.ndarray:
    coloured = np.ptp(pictures, axis=3).mean() if pictures.ndim == 4 else 0.0
    near, far = (_differ(grey, points) for points in (1, max(1, grey.shape[1] // FAR_SHARE)))
    change = np.abs(np.diff(grey, axis=0))
    step = change.mean(axis=(1, 2))
    scene = [grey.std(axis=(1, 2)).mean(), near, far, coloured]
    moving = [step.mean(), 255 * (change >= CHANGED).mean(), step.std()]
    amounts = np.log10(np.array([*scene, *moving]) + FAINT)
    return np.array([grey.mean() / 255, *amounts[:4], (grey < BLACK).mean(), *amounts[4:]])


def _differ(grey: np.ndarray, points: int) -> float:
    across, down = grey[:, :, points:] - grey[:, :, :-points], grey[:, points:] - grey[:, :-points]
    return float((np.abs(across).mean() + np.abs(down).mean()) / 2)


def _of_track(xy: np.ndarray, rate_hz: float) -> np.ndarray:
    hips, neck = middle(xy, "hip"), xy[:, JOINTS.index("neck")]
    trunk = np.linalg.norm(neck - hips, axis=1)
    unit = np.nanmedian(trunk)
    speed = np.linalg.norm(np.diff(xy, axis=0), axis=2) * rate_hz / unit
    lengths = [
        _apart(xy, "left_shoulder", "right_shoulder"),
        _apart(xy, "left_hip", "right_hip"),
        *(sum(_limb(xy, *bone) for bone in bones) for bones in LIMBS.values()),
        _apart(xy, "nose", "neck"),
    ]
    amounts = np.array([*np.array(lengths) / unit, np.nanmedian(speed), np.nanpercentile(speed, 99)])
    return np.array([*np.log10(amounts + FAINT), np.nanstd(trunk) / unit])


def _limb(xy: np.ndarray, upper: str, lower: str) -> float:
    """Length of a bone, the longer of both sides: a limb that points to the camera looks short."""
    left, right = (_apart(xy, f"{side}_{upper}", f"{side}_{lower}") for side in ("left", "right"))
    return float(np.fmax(left, right))


def _apart(xy: np.ndarray, one: str, other: str) -> float:
    return float(np.nanmedian(np.linalg.norm(xy[:, JOINTS.index(one)] - xy[:, JOINTS.index(other)], axis=1)))
