"""A body of 17 joints and a neck, seen from above: from the angles of its joints to where each joint lies.

Lengths are in torsos (neck to the middle of the hips), x to the right of the picture and y down; the patient lies on the
back with the head up, so that the left hand is on the right. What bends towards the camera is seen shortened.

| length (torsos) | infant | adult | source |
|---|---|---|---|
| head, of the body's length | 1/4 | 1/8 | textbook proportions |
| everything else | | | assumed: drawings of proportions |
"""

from dataclasses import dataclass

import numpy as np

from data.pose import JOINTS

DEGREES = (
    "x", "y", "spin", "roll", "curl", "nod", "head", "breath",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow",
    "left_hip", "right_hip", "left_knee", "right_knee",
)  # fmt: skip
"""Degrees of freedom. x, y: place of the hips in torsos. spin: of the whole body; roll: about its long axis; head: to a
side; shoulder and hip: away from the body; elbow and knee: outwards (negative: towards the middle), all in radians.
curl, nod, breath: how far trunk and thighs, head, and chest are flexed or filled, 1 being all the way."""

INDEX = {name: number for number, name in enumerate(DEGREES)}
_JOINT = {name: number for number, name in enumerate(JOINTS)}
CURL, NOD, BREATH = 0.35, 0.5, 0.08
"""By what share full flexion shortens trunk and thighs, and the head; by what share a full breath widens the chest."""


@dataclass(frozen=True)
class Body:
    """Lengths in torsos; `girth` is the trunk's half width, `limb` that of an upper arm."""

    head: float
    neck: float
    shoulders: float
    hips: float
    upper_arm: float
    forearm: float
    thigh: float
    shank: float
    girth: float
    limb: float


INFANT = Body(0.46, 0.34, 0.36, 0.22, 0.46, 0.40, 0.46, 0.44, 0.36, 0.12)
ADULT = Body(0.27, 0.30, 0.34, 0.20, 0.58, 0.52, 0.82, 0.80, 0.28, 0.10)


def draw_body(rng: np.random.Generator, typical: Body) -> Body:
    """A body of its own: each length differs by some 8 % (assumed) from the typical one."""
    lengths = np.array(list(vars(typical).values())) * np.exp(rng.normal(0, 0.08, 10))
    return Body(*(round(float(length), 4) for length in lengths))


def joints_at(body: Body, angles: np.ndarray) -> np.ndarray:
    """(time, joint, 2) in torsos from `angles` (time, degree)."""
    a = {name: angles[:, number] for name, number in INDEX.items()}
    up = np.stack([np.sin(a["spin"]), -np.cos(a["spin"])], axis=1)
    side = np.stack([np.cos(a["spin"]), np.sin(a["spin"])], axis=1)
    hip = np.stack([a["x"], a["y"]], axis=1)
    out = np.empty((len(angles), len(JOINTS), 2))
    neck = hip + (1 - CURL * a["curl"])[:, None] * up
    out[:, _JOINT["neck"]] = neck
    _place_head(out, body, a, neck)
    broad = (np.cos(a["roll"]) * (1 + BREATH * a["breath"]))[:, None]
    for name, hand in (("left", 1.0), ("right", -1.0)):
        shoulder = neck + hand * body.shoulders * broad * side - 0.06 * up
        haunch = hip + hand * body.hips * np.cos(a["roll"])[:, None] * side
        _place_limb(
            out, name, ("shoulder", "elbow", "wrist"), shoulder, (body.upper_arm, body.forearm), hand, a, 0 * a["x"]
        )
        _place_limb(
            out, name, ("hip", "knee", "ankle"), haunch, (body.thigh, body.shank), hand, a, CURL * a["curl"]
        )  # fmt: skip
    return out


def _place_head(out: np.ndarray, body: Body, a: dict[str, np.ndarray], neck: np.ndarray) -> None:
    """Nose, eyes and ears; a nod shortens the way to them, a turn of the head moves the face to its side."""
    leaning = a["spin"] + 0.5 * a["head"]
    up, side = (
        np.stack([np.sin(leaning), -np.cos(leaning)], axis=1),
        np.stack([np.cos(leaning), np.sin(leaning)], axis=1),
    )
    centre = neck + (body.neck * (1 - NOD * a["nod"]))[:, None] * up
    turned = 0.4 * body.head * np.sin(a["head"] + a["roll"])[:, None] * side
    lowered = (0.25 * body.head * a["nod"])[:, None] * up
    out[:, _JOINT["nose"]] = centre + turned - lowered
    for name, hand in (("left", 1.0), ("right", -1.0)):
        out[:, _JOINT[f"{name}_eye"]] = centre + turned - lowered + 0.16 * body.head * (hand * side + up)
        out[:, _JOINT[f"{name}_ear"]] = centre + 0.3 * turned + 0.42 * body.head * hand * side


def _place_limb(
    out: np.ndarray,
    name: str,
    joints: tuple[str, str, str],
    root: np.ndarray,
    lengths: tuple[float, float],
    hand: float,
    a: dict[str, np.ndarray],
    shortened: np.ndarray,
) -> None:
    first, second, third = joints
    upper = a[f"{name}_{first}"]
    lower = upper + a[f"{name}_{second}"]
    middle = root + (lengths[0] * (1 - shortened))[:, None] * _towards(upper, hand, a["spin"])
    out[:, _JOINT[f"{name}_{first}"]] = root
    out[:, _JOINT[f"{name}_{second}"]] = middle
    out[:, _JOINT[f"{name}_{third}"]] = middle + lengths[1] * _towards(lower, hand, a["spin"])


def _towards(angle: np.ndarray, hand: float, spin: np.ndarray) -> np.ndarray:
    """(time, 2) unit vectors; 0 points to the feet, π/2 away from the body on the side of `hand`."""
    direction = hand * angle - spin
    return np.stack([np.sin(direction), np.cos(direction)], axis=1)
