"""How a body moves, free of where the camera stood: coordinates in trunk lengths, their speed and acceleration."""

import numpy as np

from data.pose import JOINTS

KINEMATICS = ("across", "down", "speed across", "speed down", "acceleration across", "acceleration down")
_NECK, _LEFT, _RIGHT = (JOINTS.index(name) for name in ("neck", "left_hip", "right_hip"))


def _opposite(joint: str) -> str:
    side, _, rest = joint.partition("_")
    other = {"left": "right", "right": "left"}.get(side)
    return f"{other}_{rest}" if other else joint


MIRROR = tuple(JOINTS.index(_opposite(name)) for name in JOINTS)
"""Where each joint's counterpart of the other side stands in `JOINTS`."""


def kinematics(xy: np.ndarray, rate_hz: float) -> np.ndarray:
    """Joints (time, joint, 2) in any units → (6, time, joint) in trunk lengths, per second, per second².

    As in STA-GUNet's data, per frame and joint: coordinate, speed, acceleration. NaN stays NaN, and what needs a missing
    neighbour is missing too. Law: moving, turning or scaling the whole picture changes nothing.
    """
    at = body_frame(xy)
    if len(at) < 2:
        return np.concatenate([at, np.full((*at.shape[:2], 4), np.nan)], axis=2).transpose(2, 0, 1)
    speed = np.gradient(at, 1 / rate_hz, axis=0)
    acceleration = np.gradient(speed, 1 / rate_hz, axis=0)
    return np.concatenate([at, speed, acceleration], axis=2).transpose(2, 0, 1)


def body_frame(xy: np.ndarray) -> np.ndarray:
    """The same joints (time, joint, 2) with the middle of the hips at 0, the neck above it, and a trunk of length 1.

    Hips and neck are the means over the clip, so that a trunk that flexes is seen to flex. Without them the joints'
    own middle and spread serve, and nothing is turned.
    """
    if not np.isfinite(xy).any():
        return np.full(xy.shape, np.nan)
    hips, neck = _mean((xy[:, _LEFT] + xy[:, _RIGHT]) / 2), _mean(xy[:, _NECK])
    trunk = neck - hips
    length = float(np.hypot(*trunk))
    if not length > 0:
        centre = np.nanmean(xy, axis=(0, 1))
        return np.asarray((xy - centre) / (np.sqrt(np.nanmean((xy - centre) ** 2)) + 1e-9))
    side, down = np.array([-trunk[1], trunk[0]]) / length, -trunk / length
    return np.asarray(np.stack([(xy - hips) @ side, (xy - hips) @ down], axis=2) / length)


def _mean(points: np.ndarray) -> np.ndarray:
    """Mean (2,) of the points (time, 2) that are there; NaN where none is."""
    there = points[np.isfinite(points).all(axis=1)]
    return there.mean(axis=0) if len(there) else np.full(2, np.nan)
