"""A disturbance of a simulated EEG, of whatever kind, and the two shapes that people of all ages have: muscle and pops."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from data.simulator.waves import noise_between, soft_edges


@dataclass(frozen=True)
class Artefact:
    """One disturbance. `weights`: signed share of `amplitude_uv` at each electrode. `rhythm_hz`: of pops, their rate."""

    kind: str
    onset_s: float
    duration_s: float
    electrodes: tuple[str, ...]
    weights: tuple[float, ...]
    amplitude_uv: float
    rhythm_hz: float
    seed: int


Shape = Callable[[Artefact, np.ndarray, float, np.random.Generator], np.ndarray]
"""shape(artefact, time_s, rate_hz, rng) → (1 or electrodes of the artefact, samples) of amplitude about 1."""


def render_artefact(artefact: Artefact, rate_hz: float, shapes: Mapping[str, Shape]) -> np.ndarray:
    """(electrodes of the artefact, samples) µV from its onset to its end."""
    rng = np.random.default_rng(artefact.seed)
    time_s = np.arange(round(artefact.duration_s * rate_hz)) / rate_hz
    wave = shapes[artefact.kind](artefact, time_s, rate_hz, rng)
    return artefact.amplitude_uv * np.array(artefact.weights)[:, None] * wave


def muscle(artefact: Artefact, time_s: np.ndarray, rate_hz: float, rng: np.random.Generator) -> np.ndarray:
    """(electrodes of the artefact, samples) about 1: noise of 20–100 Hz, each its own, in bursts that all share.

    Above 48 % of the sampling rate there is none.
    """
    shape = (len(artefact.electrodes), len(time_s))
    bursts = np.abs(noise_between(rng, (0.1, 1.0), (1, len(time_s)), rate_hz))
    return noise_between(rng, (20.0, min(100.0, 0.48 * rate_hz)), shape, rate_hz) * bursts * soft_edges(time_s)


def pops(artefact: Artefact, time_s: np.ndarray, rate_hz: float, rng: np.random.Generator) -> np.ndarray:
    """(1, samples) about 1, at `time_s` (samples,): a pop at the onset; an electrode that stays loose pops again."""
    count = 1 + rng.poisson(artefact.rhythm_hz * max(0.0, time_s[-1] - 1))
    times_s = np.concatenate([[0.0], rng.uniform(0, time_s[-1], count - 1)])
    wave = np.zeros((1, len(time_s)))
    for at_s, decay_s, size in zip(times_s, rng.uniform(0.1, 1, count), rng.uniform(0.4, 1, count), strict=True):
        since = np.maximum(time_s - at_s, 0)
        wave[0] += size * rng.choice([-1, 1]) * np.exp(-since / decay_s) * (time_s >= at_s)
    return wave
