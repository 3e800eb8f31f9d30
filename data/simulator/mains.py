"""Hum of the power line in a simulated recording."""

from dataclasses import dataclass

import numpy as np

from data.montage import ELECTRODES


@dataclass(frozen=True)
class Mains:
    """Hum of the power line: the same tone at every electrode, stronger or weaker with its contact. Phases: radians."""

    line_hz: float
    amplitude_uv: tuple[float, ...]
    phases: tuple[float, ...]


def draw_mains(rng: np.random.Generator, line_hz: float, typical_uv: float) -> Mains:
    """Hum near `line_hz` (sd 0.02 Hz): amplitudes lognormal about `typical_uv`, phases alike within some 0.3 rad."""
    amplitudes = rng.lognormal(np.log(typical_uv), 0.5, len(ELECTRODES))
    phases = rng.uniform(0, 2 * np.pi) + rng.normal(0, 0.3, len(ELECTRODES))
    return Mains(line_hz + float(rng.normal(0, 0.02)), tuple(amplitudes.tolist()), tuple(phases.tolist()))


def render_mains(mains: Mains, samples: int, rate_hz: float) -> np.ndarray:
    """(19, samples) µV."""
    turn = 2 * np.pi * mains.line_hz / rate_hz * np.arange(samples)
    amplitudes, phases = np.array(mains.amplitude_uv), np.array(mains.phases)
    cosine, sine = amplitudes * np.cos(phases), amplitudes * np.sin(phases)
    return cosine[:, None] * np.sin(turn) + sine[:, None] * np.cos(turn)
