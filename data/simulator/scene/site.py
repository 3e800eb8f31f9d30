"""A place where people are filmed: the cameras it has."""

from dataclasses import dataclass

from data.simulator.scene.camera import Camera


@dataclass(frozen=True)
class FilmSite:
    """`cameras` are typical ones, one of each view; those above a patient's bed differ a little."""

    name: str
    cameras: tuple[Camera, ...]
