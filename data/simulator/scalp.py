"""Where the 19 electrodes sit on a head, and how far from each other.

A head is a sphere; electrodes stand at the idealised angles of the 10-20 system.

| head | outer radius | source |
|---|---|---|
| newborn | 5.95 cm | four-sphere head of Al-Sa'd & Boashash 2019 |
| adult | 9.2 cm | three-sphere head of Rush & Driscoll 1969 (recalled) |
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from data.montage import ELECTRODES, derive

_INCLINATION_AND_AZIMUTH_DEG = {
    "Fp1": (-92, -72), "Fp2": (92, 72), "F7": (-92, -36), "F3": (-60, -51), "Fz": (46, 90), "F4": (60, 51),
    "F8": (92, 36), "T3": (-92, 0), "C3": (-46, 0), "Cz": (0, 0), "C4": (46, 0), "T4": (92, 0), "T5": (-92, 36),
    "P3": (-60, 51), "Pz": (46, -90), "P4": (60, -51), "T6": (92, -36), "O1": (-92, 72), "O2": (92, -72),
}  # fmt: skip
"""Inclination from the vertex and azimuth from the right ear; left is negative."""

_HOMOLOGUES = {"Fp1": "Fp2", "F7": "F8", "F3": "F4", "T3": "T4", "C3": "C4", "T5": "T6", "P3": "P4", "O1": "O2"}
HOMOLOGUES = _HOMOLOGUES | {right: left for left, right in _HOMOLOGUES.items()}
"""The electrode at the same place over the other hemisphere; midline electrodes have none."""


def _positions() -> np.ndarray:
    inclination, azimuth = np.deg2rad([_INCLINATION_AND_AZIMUTH_DEG[e] for e in ELECTRODES]).T
    sine = np.sin(inclination)
    return np.stack([sine * np.cos(azimuth), sine * np.sin(azimuth), np.cos(inclination)], axis=1)


POSITIONS = _positions()
"""(19, 3) unit vectors: x to the right ear, y to the nose, z to the vertex."""

_ANGLE = np.arccos(np.clip((POSITIONS[:, None] * POSITIONS[None]).sum(axis=2), -1, 1))
"""(19, 19) angles between electrodes, seen from the middle of the head."""

BIPOLAR = derive(ELECTRODES).weights
"""(18, 19): `BIPOLAR @ electrodes` is the montage neonatal_18."""

TCP = derive(ELECTRODES, "tcp_20").weights
"""(20, 19): the same for the montage tcp_20."""


@dataclass(frozen=True)
class Head:
    """A sphere with this outer radius; distances run along its surface."""

    radius_cm: float

    @cached_property
    def distance_cm(self) -> np.ndarray:
        """(19, 19) distances along the scalp."""
        return np.asarray(self.radius_cm * _ANGLE)

    def field_of(self, foci: tuple[str, ...], width_cm: float) -> np.ndarray:
        """(19,) share of a source's potential at each electrode: a Gaussian of `width_cm` around every focus."""
        falls = np.exp(-0.5 * (self.distance_cm[[index_of(f) for f in foci]] / width_cm) ** 2)
        return np.asarray(falls.max(axis=0))

    def correlation_of(self, width_cm: float) -> tuple[np.ndarray, np.ndarray]:
        """((19, 19) mixing of independent sources into electrodes of unit variance, its correlation matrix)."""
        mixing = np.exp(-0.5 * (self.distance_cm / width_cm) ** 2)
        mixing /= np.sqrt((mixing**2).sum(axis=1, keepdims=True))
        return mixing, np.einsum("is,js->ij", mixing, mixing)


NEWBORN = Head(5.95)
ADULT = Head(9.2)


def index_of(electrode: str) -> int:
    """The row of an electrode in arrays of 19; ValueError for any name but those of `ELECTRODES`."""
    return ELECTRODES.index(electrode)


def nearest(electrode: str, count: int) -> tuple[str, ...]:
    """`electrode` and those closest to it, `count` in all; the same on every sphere."""
    order = np.argsort(NEWBORN.distance_cm[index_of(electrode)], kind="stable")
    return tuple(ELECTRODES[i] for i in order[:count])
