"""One wave that goes over the scalp, from which seizures and benign rhythms are put together.

| wave | shape | amplitude is |
|---|---|---|
| rhythm | sine with a second and third harmonic, hence a little sharp | peak to peak |
| fast | sine whose height varies | peak to peak |
| spike_wave | surface-negative spikes (sd 13 ms), then a slow wave of at most 0.38 s, then nothing | peak to peak |
| slowing | noise of 0.7–3.5 Hz, mostly shared by all electrodes | RMS |
| muscle | noise of 20–100 Hz, each electrode its own | RMS |
| jerks | the same in bursts, one at each spike of the rhythm with the same seed | RMS |

Shapes are assumed: textbook drawings, not measurements.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from data.montage import ELECTRODES
from data.simulator.waves import noise_between

Knots = tuple[tuple[float, float], ...]
"""(seconds, value) pairs, joined by straight lines and held before the first and after the last."""

SPIKE_S = 0.013
SPIKE_EVERY_S = 0.055
SLOW_WAVE_S = 0.38
LEAST_WEIGHT = 0.02
PEAK_TO_PEAK = 2.388
"""Of the unscaled rhythm; a test measures it."""


@dataclass(frozen=True)
class Part:
    """One wave. `weights`, `arrival_s` and `lag_s` have one entry per electrode.

    `weights`: share of the amplitude. `arrival_s`: when it gets there, seconds after the onset, with a rise of
    `rise_s`. `lag_s`: how much later each crest comes there. `unsteady`: relative wandering of the frequency; heights
    vary by three times as much. `spikes`: at most so many before each slow wave. Knots count from the onset.
    """

    wave: str
    onset_s: float
    duration_s: float
    frequency_hz: Knots
    amplitude_uv: Knots
    weights: tuple[float, ...]
    arrival_s: tuple[float, ...]
    lag_s: tuple[float, ...]
    unsteady: float
    spikes: int
    rise_s: float
    fall_s: float
    seed: int


@dataclass(frozen=True)
class Cycles:
    """Where in its cycles a part is: phase (samples,), a new cycle at each whole number, and frequency (samples,)."""

    phase: np.ndarray
    frequency_hz: np.ndarray
    rate_hz: float


def render_part(part: Part, rate_hz: float) -> np.ndarray:
    """(19, samples) µV from the part's onset to its end; electrodes of next to no weight stay 0."""
    rng = np.random.default_rng(part.seed)
    time_s = np.arange(round(part.duration_s * rate_hz)) / rate_hz
    reached = np.flatnonzero((np.array(part.weights) > LEAST_WEIGHT) & (np.array(part.arrival_s) < part.duration_s))
    cycles = _cycles(part, time_s, rate_hz, rng)
    wave = _WAVES[part.wave](part, cycles, reached, rng) * _heard(part, time_s, reached)
    out = np.zeros((len(ELECTRODES), len(time_s)))
    out[reached] = np.array(part.weights)[reached, None] * wave * at(part.amplitude_uv, time_s)
    return out


def at(knots: Knots, time_s: np.ndarray) -> np.ndarray:
    """(time,) what the knots say at these seconds (time,), counted as theirs."""
    times, values = np.transpose(knots)
    return np.interp(time_s, times, values)


def _cycles(part: Part, time_s: np.ndarray, rate_hz: float, rng: np.random.Generator) -> Cycles:
    wandering = noise_between(rng, (0.1, 1.0), (1, len(time_s)), rate_hz)[0]
    frequency_hz = at(part.frequency_hz, time_s) * np.clip(1 + part.unsteady * wandering, 0.5, 1.5)
    return Cycles(np.cumsum(frequency_hz) / rate_hz, frequency_hz, rate_hz)


def _heard(part: Part, time_s: np.ndarray, reached: np.ndarray) -> np.ndarray:
    """(electrodes, samples) 0–1: nothing before the arrival, the whole wave after the rise, nothing at the end."""
    since = time_s - np.array(part.arrival_s)[reached, None]
    rise = np.clip(since / part.rise_s, 0, 1)
    fall = np.clip((part.duration_s - time_s) / part.fall_s, 0, 1)
    return np.asarray(np.sin(np.pi / 2 * rise) ** 2 * np.sin(np.pi / 2 * fall) ** 2)


def _lagging(part: Part, cycles: Cycles, reached: np.ndarray) -> np.ndarray:
    """(electrodes, samples) phase, later where the wave comes later."""
    return np.asarray(cycles.phase - np.array(part.lag_s)[reached, None] * cycles.frequency_hz)


def _heights(part: Part, cycles: Cycles, rng: np.random.Generator) -> np.ndarray:
    """(1, samples) smooth variation of the height around 1."""
    slow = noise_between(rng, (0.2, 2.0), (1, len(cycles.phase)), cycles.rate_hz)
    return np.clip(1 + 3 * part.unsteady * slow, 0.2, 2.0)


def _rhythm(part: Part, cycles: Cycles, reached: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    turn = 2 * np.pi * _lagging(part, cycles, reached)
    wave = np.sin(turn) + 0.4 * np.sin(2 * turn + 0.7) + 0.15 * np.sin(3 * turn + 1.4)
    return np.asarray(wave / PEAK_TO_PEAK * _heights(part, cycles, rng))


def _fast(part: Part, cycles: Cycles, reached: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.asarray(np.sin(2 * np.pi * _lagging(part, cycles, reached)) / 2 * _heights(part, cycles, rng))


def _spike_wave(part: Part, cycles: Cycles, reached: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    phase = _lagging(part, cycles, reached)
    cycle = np.clip(np.floor(phase).astype(int), 0, None)
    drawn = cycle.max(initial=0) + 1
    height = np.clip(1 + 3 * part.unsteady * rng.standard_normal(drawn), 0.4, 1.6)[cycle]
    spikes = rng.integers(1, part.spikes + 1, drawn)[cycle]
    since_s, period_s = (phase - np.floor(phase)) / cycles.frequency_hz, 1 / cycles.frequency_hz
    begins_s = 0.045 + SPIKE_EVERY_S * spikes
    length_s = np.minimum(SLOW_WAVE_S, np.maximum(0.05, period_s - begins_s))
    inside = np.clip((since_s - begins_s) / length_s, 0, 1)
    wave = -0.7 * np.sin(np.pi * inside) + 0.25 * np.exp(-0.5 * ((since_s - begins_s + 0.015) / 0.02) ** 2)
    for number in range(part.spikes):
        at_s = 0.045 + SPIKE_EVERY_S * number
        wave -= 0.75 * (number < spikes) * np.exp(-0.5 * ((since_s - at_s) / SPIKE_S) ** 2)
    wave *= height
    return np.asarray(wave - wave.mean(axis=1, keepdims=True))


def _slowing(part: Part, cycles: Cycles, reached: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    shared = noise_between(rng, (0.7, 3.5), (1, len(cycles.phase)), cycles.rate_hz)
    own = noise_between(rng, (0.7, 3.5), (len(reached), len(cycles.phase)), cycles.rate_hz)
    return np.asarray(0.85 * shared + 0.5 * own)


def _muscle(part: Part, cycles: Cycles, reached: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    shape = (len(reached), len(cycles.phase))
    return noise_between(rng, (20.0, min(100.0, 0.48 * cycles.rate_hz)), shape, cycles.rate_hz)


def _jerks(part: Part, cycles: Cycles, reached: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    since_s = (cycles.phase - np.floor(cycles.phase)) / cycles.frequency_hz
    bursts = 0.1 + np.clip(since_s / 0.03, 0, 1) * np.exp(-(np.maximum(0, since_s - 0.12) ** 2) / 0.006)
    return np.asarray(_muscle(part, cycles, reached, rng) * bursts)


_WAVES: dict[str, Callable[[Part, Cycles, np.ndarray, np.random.Generator], np.ndarray]] = {
    "rhythm": _rhythm,
    "fast": _fast,
    "spike_wave": _spike_wave,
    "slowing": _slowing,
    "muscle": _muscle,
    "jerks": _jerks,
}
