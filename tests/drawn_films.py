"""Films that are drawn when they are looked at: a bright patch in front of a texture that moves as it is told."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from data.film import Film, View
from data.film_frontend import FilmFrontEnd, PreparedFilm
from lineage.digest import digest_of

Motion = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Seconds → how far the patch is to the right and below of its place, in shares of the frame."""

drawn: list[str] = []
"""The digest of a view each time that frames of it were asked for."""


@dataclass(frozen=True)
class DrawnFilm(PreparedFilm):
    motion: Motion = lambda t: (0 * t, 0 * t)
    blind: tuple[str, ...] = ()
    seed: int = 0

    def frames(self, view: int, times_s: np.ndarray) -> np.ndarray:
        drawn.append(self.film.views[view].digest)
        size, n = self.front_end.size_px, len(times_s)
        rng = np.random.default_rng([self.seed, view, round(1e3 * float(times_s[0]))])
        name = self.film.views[view].name
        if name in self.blind:
            frame = np.random.default_rng(self.seed).integers(0, 200, (size, size))
            scene = np.broadcast_to(frame, (n, size, size))
            return self._colour(scene if view else np.zeros((n, size, size)))  # small: frozen; large: black
        right, below = self.motion(times_s)
        y, x = np.mgrid[0:size, 0:size] / size
        texture = 60 + 30 * np.sin(9 * x + self.seed) * np.cos(7 * y)
        patch = np.exp(-((x - 0.5 - right[:, None, None]) ** 2 + (y - 0.5 - below[:, None, None]) ** 2) / 0.02)
        return self._colour(texture + 130 * patch + rng.normal(0, 3, (n, size, size)))

    def _colour(self, scene: np.ndarray) -> np.ndarray:
        grey = np.clip(scene, 0, 255).astype(np.uint8)
        return grey if self.front_end.grey else np.repeat(grey[..., None], 3, axis=3)


def film(
    front_end: FilmFrontEnd,
    motion: Motion,
    *,
    seed: int = 0,
    seconds: float = 20.0,
    blind: tuple[str, ...] = (),
    views: tuple[str, ...] = ("large", "small"),
) -> DrawnFilm:
    """A film of these views; those that are `blind` show nothing (large: black, small: frozen)."""
    name = f"{seed}-{blind}-{views}"
    shown = tuple(
        View(Path(f"{v}.mp4"), digest_of([name, v]), 64, 64, 15.0, round(15 * seconds), 0.0, seconds, "h264", name=v)
        for v in views
    )
    whole = Film(shown, seconds, digest_of(name), name)
    return DrawnFilm(whole, front_end, 0.0, seconds, motion, blind, seed)


def shaking(first: float, last: float, hz: float = 3.0, reach: float = 0.12) -> Motion:
    """Shakes from `first` to `last` seconds, and rests otherwise."""

    def motion(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        on = (t >= first) & (t < last)
        return np.where(on, reach * np.sin(2 * np.pi * hz * t), 0.0), np.where(
            on, reach * np.cos(2 * np.pi * hz * t), 0.0
        )

    return motion


def drifting(right: float, below: float, hz: float) -> Motion:
    """Goes to and fro along one direction."""

    def motion(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        wave = np.sin(2 * np.pi * hz * t)
        return right * wave, below * wave

    return motion


def with_motion(of: DrawnFilm, motion: Motion) -> DrawnFilm:
    return replace(of, motion=motion)
