"""From a moving person to the frames of a camera: figure, visitor, blanket, light, noise."""

from dataclasses import dataclass

import numpy as np

from data.simulator.motion.parts import Part
from data.simulator.motion.person import Person, joints_of
from data.simulator.scene.blobs import draw_blobs
from data.simulator.scene.camera import Camera, seen_by, shake_at
from data.simulator.scene.figure import Looks, figure_of
from data.simulator.scene.room import Room, background_of, blanket_of, light_of

CHUNK = 128
NOISES = 12
"""Frames of noise that are drawn; each frame takes one of them, moved by some pixels."""


@dataclass(frozen=True)
class Visit:
    """Somebody beside the bed: an arm that reaches in from a side (−1 left, 1 right) and touches in a rhythm, or
    (`rate_hz` 0) a shadow that passes."""

    onset_s: float
    duration_s: float
    side: float
    rate_hz: float


@dataclass(frozen=True)
class Scene:
    """Everything that is filmed; all cameras of one film see the same scene."""

    person: Person
    looks: Looks
    room: Room
    parts: tuple[Part, ...]
    visits: tuple[Visit, ...] = ()


def film(scene: Scene, camera: Camera, time_s: np.ndarray) -> np.ndarray:
    """Frames at ascending times: uint8 (time, size, size)."""
    still = Still(background_of(scene.room, camera), *blanket_of(scene.room, camera))
    light, noises = light_of(camera).astype(np.float32), noises_of(camera)
    chunks = [time_s[first : first + CHUNK] for first in range(0, len(time_s), CHUNK)]
    return np.concatenate([exposed(_picture(scene, camera, c, still) * light, noises, c) for c in chunks])


@dataclass(frozen=True)
class Still:
    """What does not move in front of a camera, (size, size) each.

    Tones (0–255) of the background, how much of each pixel the blanket covers (0–1), and tones of the blanket.
    """

    background: np.ndarray
    covered: np.ndarray
    blanket: np.ndarray


def _picture(scene: Scene, camera: Camera, time_s: np.ndarray, still: Still) -> np.ndarray:
    """(time, size, size) float32 tones, before light and noise."""
    background, covered, blanket = (_shaken(part, camera, time_s) for part in vars(still).values())
    joints = joints_of(scene.person, scene.parts, time_s)
    centres, radii, tones = figure_of(scene.person.body, scene.looks, joints)
    cover, tone = draw_blobs(seen_by(camera, centres, time_s), radii * camera.scale, tones, camera.size_px)
    picture = tone
    picture -= background
    picture *= cover
    picture += background
    if scene.room.blanket:
        cover *= np.float32(22)
        cover += blanket - 11
        cover -= picture
        cover *= covered
        picture += cover
    for visit in scene.visits:
        _show_visit(picture, visit, camera, time_s)
    return picture


def _shaken(still: np.ndarray, camera: Camera, time_s: np.ndarray) -> np.ndarray:
    """The picture as it is, or (time, size, size) moved by whole pixels where a hand holds the camera."""
    still = still.astype(np.float32)
    if not camera.shake_px:
        return still
    pixel = np.arange(len(still))
    moved = np.round(shake_at(camera, time_s)).astype(int)
    across, down = (np.clip(pixel - moved[:, [axis]], 0, len(still) - 1) for axis in (0, 1))
    return still[down[:, :, None], across[:, None, :]]


def _show_visit(picture: np.ndarray, visit: Visit, camera: Camera, time_s: np.ndarray) -> None:
    first, last = np.searchsorted(time_s, (visit.onset_s, visit.onset_s + visit.duration_s))
    if first == last:
        return
    at_s = time_s[first:last]
    arm = _arm(visit, at_s) if visit.rate_hz else _shadow(visit, at_s)
    radii = np.full(arm.shape[1], 0.17 if visit.rate_hz else 0.55) * camera.scale
    tones = np.full(arm.shape[1], 120.0 if visit.rate_hz else 30.0)
    cover, tone = draw_blobs(seen_by(camera, arm, at_s), radii, tones, camera.size_px)
    picture[first:last] += cover * (tone - picture[first:last])


def _arm(visit: Visit, time_s: np.ndarray) -> np.ndarray:
    """(time, blob, 2) in torsos: from beside the bed to the trunk, touching it `rate_hz` times a second."""
    since_s = time_s - visit.onset_s
    there = np.clip(np.minimum(since_s, visit.duration_s - since_s) / 0.6, 0, 1)
    lifted = 0.12 * np.abs(np.sin(np.pi * visit.rate_hz * since_s))
    hand = np.stack([visit.side * (2.0 - (1.8 - lifted) * there), -0.5 + 0 * since_s], axis=1)
    elbow = np.array([visit.side * 2.4, -0.9])
    shares = np.linspace(0, 1, 7)[:, None]
    return np.asarray(hand[:, None] * (1 - shares) + elbow * shares)


def _shadow(visit: Visit, time_s: np.ndarray) -> np.ndarray:
    """(time, blob, 2): somebody walks along the foot of the bed."""
    gone = (time_s - visit.onset_s) / visit.duration_s
    across = visit.side * (1 - 2 * gone) * 4.0
    return np.stack([np.stack([across, np.full_like(across, at)], axis=1) for at in (1.6, 2.1, 2.6)], axis=1)


def noises_of(camera: Camera) -> np.ndarray:
    """(pieces, 2 · size, 2 · size) float32: the camera's noise in tones, each twice as wide and high as a frame."""
    rng = np.random.default_rng([camera.seed, 3])
    drawn = rng.standard_normal((NOISES, 2 * camera.size_px, 2 * camera.size_px), dtype=np.float32)
    return np.asarray(camera.noise * drawn, np.float32)


def exposed(picture: np.ndarray, noises: np.ndarray, time_s: np.ndarray) -> np.ndarray:
    """uint8 (time, size, size) of tones (time, size, size), which are used up, with noise as of `noises_of`.

    Which piece of noise a frame takes, and how it is moved, follows from its time stamp (s).
    """
    size = picture.shape[1]
    scattered = np.round(time_s * 1000).astype(np.int64) * 2654435761 % 2**32
    for number, value in enumerate(scattered.tolist()):
        down, across = value // NOISES % size, value // NOISES // size % size
        picture[number] += noises[value % NOISES, down : down + size, across : across + size]
    np.clip(picture, 0, 255, out=picture)
    return picture.astype(np.uint8)
