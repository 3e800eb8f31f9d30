"""A camera over a bed: when its frames are taken, and where in the picture a place on the bed is seen.

| what | value | source |
|---|---|---|
| rates | 15, 25, 29.97 or 30 per second, stamps off by up to a third of a frame | seen in published recordings |
| frames lost | up to 2 % | assumed |
| a phone in a hand | trembles below 2 Hz and by some pixels | assumed |
"""

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Camera:
    """`scale`: pixels that a torso takes. `centre`: pixel of the bed's middle. `roll`, `yaw`, `tilt` in radians: of the
    picture, and away from straight down, which shortens width and height. `jitter_s`: standard deviation of the time
    stamps. `lost`: share (0–1) of frames that are missing. `shake_px`: of a hand. `noise`: standard deviation of a
    pixel, of 255. `light` multiplies all tones, `vignette` is the share of it that the corners lack."""

    name: str
    size_px: int
    rate_hz: float
    scale: float
    centre: tuple[float, float]
    roll: float = 0.0
    yaw: float = 0.0
    tilt: float = 0.0
    jitter_s: float = 0.0
    lost: float = 0.0
    shake_px: float = 0.0
    noise: float = 3.0
    vignette: float = 0.35
    light: float = 1.0
    seed: int = 0


def camera_near(rng: np.random.Generator, typical: Camera) -> Camera:
    """The camera above one patient's bed: like the site's, a little elsewhere."""
    moved = typical.scale * rng.normal(0, 0.08, 2)
    return replace(
        typical,
        scale=round(typical.scale * float(rng.lognormal(0, 0.08)), 2),
        centre=(round(typical.centre[0] + moved[0], 1), round(typical.centre[1] + moved[1], 1)),
        roll=round(typical.roll + float(rng.normal(0, 0.06)), 4),
        yaw=round(typical.yaw + float(rng.normal(0, 0.05)), 4),
        tilt=round(typical.tilt + float(rng.normal(0, 0.05)), 4),
        light=round(float(rng.uniform(0.8, 1.1)), 3),
        seed=int(rng.integers(2**31)),
    )


def scaled_to(camera: Camera, size_px: int) -> Camera:
    """The same camera with a picture of `size_px`."""
    factor = size_px / camera.size_px
    centre = (camera.centre[0] * factor, camera.centre[1] * factor)
    return replace(
        camera, size_px=size_px, scale=camera.scale * factor, centre=centre, shake_px=camera.shake_px * factor
    )  # fmt: skip


def frame_times(camera: Camera, duration_s: float) -> np.ndarray:
    """(frames,) seconds, ascending, whole milliseconds, beginning with 0: what the stamps say."""
    rng = np.random.default_rng([camera.seed, 1])
    at_s = np.arange(int(duration_s * camera.rate_hz)) / camera.rate_hz
    limit_s = 0.33 / camera.rate_hz
    at_s[1:] += np.clip(rng.normal(0, camera.jitter_s, len(at_s) - 1), -limit_s, limit_s)
    kept = rng.random(len(at_s)) >= camera.lost
    kept[0] = True
    return np.round(at_s[kept], 3)


def seen_by(camera: Camera, places: np.ndarray, time_s: np.ndarray) -> np.ndarray:
    """Places (time, …, 2) in torsos on the bed → pixels (time, …, 2)."""
    turned = places @ picture_of(camera).T
    moved = np.array(camera.centre) + shake_at(camera, time_s)
    return np.asarray(camera.scale * turned + moved.reshape(len(time_s), *[1] * (places.ndim - 2), 2))


def picture_of(camera: Camera) -> np.ndarray:
    """(2, 2): how directions on the bed lie in the picture."""
    cos, sin = np.cos(camera.roll), np.sin(camera.roll)
    return np.array([[cos, -sin], [sin, cos]]) @ np.diag([np.cos(camera.yaw), np.cos(camera.tilt)])


def shake_at(camera: Camera, time_s: np.ndarray) -> np.ndarray:
    """(time, 2) pixels by which a hand moves the picture."""
    if not camera.shake_px:
        return np.zeros((len(time_s), 2))
    rng = np.random.default_rng([camera.seed, 2])
    rates_hz, phases = rng.uniform(0.1, 2.0, (2, 6)), rng.uniform(0, 2 * np.pi, (2, 6))
    sines = np.sin(2 * np.pi * time_s[:, None, None] * rates_hz + phases) / (1 + rates_hz)
    return np.asarray(camera.shake_px * sines.sum(axis=2))
