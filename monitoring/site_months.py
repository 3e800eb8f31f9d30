"""Simulated months of a site: windows of patients who differ, with or without a shift of one feature.

Windows of a patient resemble the patient and each other, as those of EEG do. Draw first, shift after: the same month is
looked at without a shift and with shifts of several sizes.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class World:
    """How features vary: `likeness` is the share of a window's variance that lies between patients, in turn over features.

    A patient has `windows` of them (least, most), each correlated with the one before by `autocorrelation`. Features of a
    patient share a part (`common`, a correlation); their `shape` between patients is normal, heavy (Student's t, 4
    degrees of freedom) or skewed (log-normal). The month's recordings have `length` times the windows of the reference's.
    """

    features: int = 16
    windows: tuple[int, int] = (100, 300)
    likeness: tuple[float, ...] = (0.1, 0.4)
    autocorrelation: float = 0.8
    common: float = 0.6
    shape: Literal["normal", "heavy", "skewed"] = "normal"
    length: float = 1.0

    @property
    def names(self) -> tuple[str, ...]:
        """What the features are called: `feature_1` and so on."""
        return tuple(f"feature_{n + 1}" for n in range(self.features))

    @property
    def likenesses(self) -> np.ndarray:
        """The likeness of each feature, (features,)."""
        return np.resize(self.likeness, self.features)

    @cached_property
    def patient_sd(self) -> np.ndarray:
        """(features,) SD between patients of their means over windows, of which the last part is chance within them."""
        lengths = range(self.windows[0], self.windows[1] + 1)
        within = np.mean([_variance_of_mean(n, self.autocorrelation) for n in lengths])
        return np.asarray(np.sqrt(self.likenesses + (1 - self.likenesses) * within))


@dataclass(frozen=True)
class Month:
    """Windows (rows, features) of the reference's patients and of the month's, and where each patient's begin."""

    world: World
    reference: np.ndarray
    reference_starts: np.ndarray
    current: np.ndarray
    current_starts: np.ndarray

    def shifted(self, feature: int, by_sd: float) -> "Month":
        """The same month with one feature of all its patients moved by `by_sd` SD between patients."""
        moved = self.current.copy()
        moved[:, feature] += by_sd * self.world.patient_sd[feature]
        return replace(self, current=moved)

    def tables(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """One row per patient, reference and month, as `monitoring.drift.compare_sites` takes them."""
        names = self.world.names
        return _by_patient(self.reference, self.reference_starts, "then", names), _by_patient(
            self.current, self.current_starts, "now", names
        )


def draw_month(world: World, patients: int, reference_patients: int, rng: np.random.Generator) -> Month:
    """A month without any drift: reference and month are drawn alike, but for `world.length`."""
    then = _windows(world, reference_patients, 1.0, rng)
    return Month(world, *then, *_windows(world, patients, world.length, rng))


def _windows(world: World, patients: int, length: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(windows, features) of all patients one after the other, and the first row of each."""
    from scipy.signal import lfilter

    least, most = world.windows
    counts = np.maximum(2, np.rint(length * rng.integers(least, most + 1, patients))).astype(int)
    shared, own = rng.normal(size=(patients, 1)), _own(world, patients, rng)
    person = world.common * shared + np.sqrt(1 - world.common**2) * own
    noise = rng.normal(size=(patients, counts.max(), world.features))
    noise[:, 1:] *= np.sqrt(1 - world.autocorrelation**2)
    noise = lfilter([1.0], [1.0, -world.autocorrelation], noise, axis=1)
    share = world.likenesses
    values = np.sqrt(share) * person[:, None] + np.sqrt(1 - share) * noise
    there = np.arange(counts.max()) < counts[:, None]
    return values[there], np.concatenate([[0], np.cumsum(counts)[:-1]])


def _own(world: World, patients: int, rng: np.random.Generator) -> np.ndarray:
    """(patients, features) of mean 0 and variance 1."""
    size = (patients, world.features)
    if world.shape == "heavy":
        return rng.standard_t(4, size) / np.sqrt(2)
    normal = rng.normal(size=size)
    return (np.exp(normal) - np.exp(0.5)) / np.sqrt((np.e - 1) * np.e) if world.shape == "skewed" else normal


def _by_patient(windows: np.ndarray, starts: np.ndarray, who: str, names: tuple[str, ...]) -> pd.DataFrame:
    sizes = np.diff(np.append(starts, len(windows)))
    means = np.add.reduceat(windows, starts, axis=0) / sizes[:, None]
    return pd.DataFrame(means, columns=list(names)).assign(
        site="site", patient=[f"{who}-{n}" for n in range(len(means))]
    )


def _variance_of_mean(count: int, autocorrelation: float) -> float:
    """Of `count` values of variance 1, each correlated with the one before."""
    lags = np.arange(1, count)
    return float((1 + 2 * np.sum((1 - lags / count) * autocorrelation**lags)) / count)
