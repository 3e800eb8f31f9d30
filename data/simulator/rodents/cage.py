"""A cage under a camera: bedding, walls, light, and the animal as the camera shows it."""

from dataclasses import dataclass

import numpy as np

from data.simulator.rodents.animal import Animal, blobs_of
from data.simulator.scene.blobs import draw_blobs
from data.simulator.scene.camera import Camera, seen_by
from data.simulator.scene.filming import exposed, noises_of
from data.simulator.scene.room import light_of

CHUNK = 128


@dataclass(frozen=True)
class Cage:
    """Tones 0–255 of bedding and walls; `bedding_seed` draws the chips of wood."""

    bedding: float
    walls: float
    bedding_seed: int


def draw_cage(rng: np.random.Generator, animal_tone: float) -> Cage:
    """Bedding from which an animal of this tone stands out by 50–90 (assumed)."""
    away = float(rng.uniform(50, 90)) * (1 if animal_tone < 128 else -1)
    return Cage(round(animal_tone + away, 1), round(float(rng.uniform(20, 90)), 1), int(rng.integers(2**31)))


def film_cage(cage: Cage, animal: Animal, camera: Camera, time_s: np.ndarray) -> np.ndarray:
    """Frames at ascending times: uint8 (time, size, size). The camera's scale is pixels per half cage."""
    background, light, noises = _empty(cage, camera), light_of(camera).astype(np.float32), noises_of(camera)
    centres, radii, tones = blobs_of(animal, time_s)
    pixels = seen_by(camera, centres, time_s)
    frames = []
    for first in range(0, len(time_s), CHUNK):
        part = slice(first, first + CHUNK)
        cover, tone = draw_blobs(pixels[part], radii[part] * camera.scale, tones, camera.size_px, hardness=4.0)
        frames.append(exposed((background + cover * (tone - background)) * light, noises, time_s[part]))
    return np.concatenate(frames)


def _empty(cage: Cage, camera: Camera) -> np.ndarray:
    rng = np.random.default_rng(cage.bedding_seed)
    chips = rng.normal(0, 8, (camera.size_px, camera.size_px))
    chips = (chips + np.roll(chips, 1, 0) + np.roll(chips, 1, 1)) / 1.7
    away = np.abs(np.arange(camera.size_px) - (camera.size_px - 1) / 2) / camera.scale
    outside = np.maximum(away[:, None], away[None]) > 1.0
    return np.where(outside, cage.walls, cage.bedding + chips).astype(np.float32)
