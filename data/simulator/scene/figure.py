"""What a person looks like to a night camera: blobs along the limbs, a light face and hands, and dark hair."""

from dataclasses import dataclass

import numpy as np

from data.pose import JOINTS
from data.simulator.motion.body import Body

_AT = {name: number for number, name in enumerate(JOINTS)}
_LIMBS = (
    ("left_shoulder", "left_elbow", 1.0), ("right_shoulder", "right_elbow", 1.0),
    ("left_elbow", "left_wrist", 0.85), ("right_elbow", "right_wrist", 0.85),
    ("left_hip", "left_knee", 1.35), ("right_hip", "right_knee", 1.35),
    ("left_knee", "left_ankle", 1.0), ("right_knee", "right_ankle", 1.0),
)  # fmt: skip
_STEPS = (0.15, 0.5, 0.85)


@dataclass(frozen=True)
class Looks:
    """Tones (0–255) of clothes, skin and hair as infrared light shows them."""

    clothes: float
    skin: float
    hair: float


def draw_looks(rng: np.random.Generator, mattress: float) -> Looks:
    """Clothes stand out from a mattress of this tone by 40–80 (assumed: else nobody is seen at night)."""
    away = float(rng.uniform(40, 80)) * (1 if mattress < 135 else -1)
    skin, hair = rng.uniform(170, 235), rng.uniform(20, 70)
    return Looks(round(mattress + away, 1), round(float(skin), 1), round(float(hair), 1))


def figure_of(body: Body, looks: Looks, joints: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Blobs of a person: centres (time, blob, 2) and radii (blob,) in torsos, tones (blob,), from `joints` in torsos."""
    neck, hip = joints[:, _AT["neck"]], (joints[:, _AT["left_hip"]] + joints[:, _AT["right_hip"]]) / 2
    face, ears = joints[:, _AT["nose"]], (joints[:, _AT["left_ear"]] + joints[:, _AT["right_ear"]]) / 2
    centres, radii, tones = [], [], []
    for first, last, thick in _LIMBS:
        for share in _STEPS:
            centres.append((1 - share) * joints[:, _AT[first]] + share * joints[:, _AT[last]])
            radii.append(thick * body.limb * 1.3)
            tones.append(looks.clothes)
    for share in (0.1, 0.4, 0.7, 0.95):
        centres.append((1 - share) * neck + share * hip)
        radii.append(body.girth * 0.95)
        tones.append(looks.clothes * 0.95)
    for name in ("left_wrist", "right_wrist", "left_ankle", "right_ankle"):
        centres.append(joints[:, _AT[name]])
        radii.append(body.limb * 1.2)
        tones.append(looks.skin)
    head = body.head * 0.55
    centres += [ears + 0.35 * (ears - neck), 0.5 * (face + ears), face]
    radii += [head, head * 0.9, head * 0.5]
    tones += [looks.hair, looks.skin, looks.skin * 0.8]
    return np.stack(centres, axis=1), np.array(radii), np.array(tones)
