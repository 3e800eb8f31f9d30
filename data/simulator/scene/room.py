"""What lies still in a picture: the mattress and its pattern, the floor around, the blanket, and the fall of light."""

from dataclasses import dataclass

import numpy as np

from data.simulator.scene.camera import Camera, picture_of


@dataclass(frozen=True)
class Room:
    """Tones are 0–255. `bed`: half width and half length in torsos. `stripes`: of the mattress, per torso, their angle
    (radians) and strength (tones). `blanket`: how far up it reaches (0 feet, 1 chin); `folds_seed` draws its folds and
    the mattress'."""

    floor: float
    mattress: float
    bed: tuple[float, float]
    stripes: tuple[float, float, float]
    blanket: float
    blanket_tone: float
    folds_seed: int


def draw_room(rng: np.random.Generator, bed: tuple[float, float], blanket: tuple[float, float]) -> Room:
    """A bed within 10 % of these half sizes (torsos), and a blanket whose reach lies between the two given."""
    return Room(
        round(float(rng.uniform(15, 60)), 1),
        round(float(rng.uniform(80, 190)), 1),
        (round(bed[0] * float(rng.uniform(0.9, 1.1)), 3), round(bed[1] * float(rng.uniform(0.9, 1.1)), 3)),
        (
            round(float(rng.uniform(0.8, 2.5)), 3),
            round(float(rng.uniform(0, np.pi)), 3),
            round(float(rng.uniform(4, 18)), 1),
        ),
        round(float(rng.uniform(*blanket)), 3),
        round(float(rng.uniform(70, 200)), 1),
        int(rng.integers(2**31)),
    )


def background_of(room: Room, camera: Camera) -> np.ndarray:
    """(size, size) tones of floor and mattress."""
    across, along = _places(camera)
    often, angle, strength = room.stripes
    stripes = strength * np.sin(2 * np.pi * often * (across * np.cos(angle) + along * np.sin(angle)))
    mattress = room.mattress + stripes + 6 * _folds(room.folds_seed, across, along)
    edge = np.maximum(np.abs(across) - room.bed[0], np.abs(along) - room.bed[1]) * camera.scale
    inside = np.clip(0.5 - edge, 0, 1)
    return np.asarray(room.floor + inside * (mattress - room.floor))


def blanket_of(room: Room, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """(size, size) each: how much of a pixel the blanket covers (0–1), and its tones."""
    across, along = _places(camera)
    upper = room.bed[1] * (1 - 1.6 * room.blanket)
    down = (along - upper) * camera.scale
    sides = (room.bed[0] - np.abs(across)) * camera.scale
    covered = np.clip(np.minimum(down, sides) + 0.5, 0, 1) * (along < room.bed[1]) * (room.blanket > 0)
    return np.asarray(covered), room.blanket_tone + 10 * _folds(room.folds_seed + 1, across, along)


def light_of(camera: Camera) -> np.ndarray:
    """(size, size) factor: an infrared lamp lights the middle more than the corners."""
    pixel = np.arange(camera.size_px) / (camera.size_px - 1) - 0.5
    return np.asarray(camera.light * (1 - camera.vignette * 2 * (pixel[:, None] ** 2 + pixel[None] ** 2)))


def _places(camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Where on the bed each pixel lies, in torsos: (size, size) across and along."""
    pixel = np.arange(camera.size_px, dtype=float)
    seen = np.stack(np.meshgrid(pixel - camera.centre[0], pixel - camera.centre[1]), axis=-1) / camera.scale
    places = seen @ np.linalg.inv(picture_of(camera)).T
    return places[..., 0], places[..., 1]


def _folds(seed: int, across: np.ndarray, along: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(seed)
    out = np.zeros_like(across)
    for _ in range(6):
        often, angle, phase = rng.uniform(0.3, 1.5), rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi)
        out += np.sin(2 * np.pi * often * (across * np.cos(angle) + along * np.sin(angle)) + phase)
    return out / 2
