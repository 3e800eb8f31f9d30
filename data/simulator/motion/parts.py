"""What movements are put together from: one wave that moves one or more joints, a function of time alone.

| wave | shape |
|---|---|
| pulse | rises, holds, falls: asymmetric raised cosine |
| jerks | fast flexion of 0.12 s, then slower relaxation, at a rate that falls exponentially from `rate_hz` to `end_hz` |
| swing | sine at a rate that goes from `rate_hz` to `end_hz` in the same way |
| wander | four sines around `rate_hz` whose rates have no common measure: irregular |

Because nothing is drawn while it is rendered, a frame shows the same at whatever rate a camera films.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from data.simulator.motion.body import DEGREES, INDEX

FLEXION_S = 0.12
"""Muscle bursts of clonic seizures last about 0.2 s whatever their rate (CWRU 2025); flexion is the first part."""


@dataclass(frozen=True)
class Part:
    """One wave of a movement from `onset_s` on.

    `moves`: (degree of freedom, amplitude, lag in seconds). `rise_s` and `fall_s` of its envelope lie inside
    `duration_s`. `hush`: the share of the person's own movements that stops meanwhile.
    """

    wave: str
    onset_s: float
    duration_s: float
    moves: tuple[tuple[str, float, float], ...]
    rise_s: float
    fall_s: float
    rate_hz: float = 0.0
    end_hz: float = 0.0
    hush: float = 0.0


def angles_of(parts: Iterable[Part], time_s: np.ndarray) -> np.ndarray:
    """(time, degree) that all parts add up to at ascending times."""
    out = np.zeros((len(time_s), len(DEGREES)))
    for part in parts:
        for degree, amplitude, lag_s in part.moves:
            first, last = np.searchsorted(time_s, (part.onset_s + lag_s, part.onset_s + lag_s + part.duration_s))
            since_s = time_s[first:last] - part.onset_s - lag_s
            out[first:last, INDEX[degree]] += amplitude * WAVES[part.wave](part, since_s) * envelope(part, since_s)
    return out


def hush_of(parts: Iterable[Part], time_s: np.ndarray) -> np.ndarray:
    """(time,) 0–1: how much of the person's own movements remains."""
    left = np.ones(len(time_s))
    for part in (p for p in parts if p.hush):
        first, last = np.searchsorted(time_s, (part.onset_s, part.onset_s + part.duration_s))
        left[first:last] *= 1 - part.hush * envelope(part, time_s[first:last] - part.onset_s)
    return left


def envelope(part: Part, since_s: np.ndarray) -> np.ndarray:
    """0–1 at seconds since the onset (times,): sin² up over `rise_s`, and over `fall_s` down to 0 at `duration_s`."""
    rise = np.clip(since_s / part.rise_s, 0, 1)
    fall = np.clip((part.duration_s - since_s) / part.fall_s, 0, 1)
    return np.asarray(np.sin(np.pi / 2 * rise) ** 2 * np.sin(np.pi / 2 * fall) ** 2)


def turns_of(part: Part, since_s: np.ndarray) -> np.ndarray:
    """How many cycles have passed at seconds since the onset, (times,) of (times,).

    The rate goes exponentially from `rate_hz` to `end_hz` (0: it stays).
    """
    ratio = np.log(part.rate_hz / part.end_hz) if part.end_hz else 0.0
    if abs(ratio) < 1e-9:
        return np.asarray(part.rate_hz * since_s)
    decay_s = part.duration_s / ratio
    return np.asarray(part.rate_hz * decay_s * -np.expm1(-since_s / decay_s))


def _pulse(part: Part, since_s: np.ndarray) -> np.ndarray:
    return np.ones(len(since_s))


def _jerks(part: Part, since_s: np.ndarray) -> np.ndarray:
    turns = turns_of(part, since_s)
    ratio = np.log(part.rate_hz / part.end_hz) if part.end_hz else 0.0
    rate_hz = part.rate_hz * np.exp(-ratio * since_s / part.duration_s)
    after_s = (turns - np.floor(turns)) / rate_hz
    flexed = np.sin(np.pi / 2 * np.clip(after_s / FLEXION_S, 0, 1)) ** 2
    return np.asarray(flexed * np.exp(-np.maximum(0, after_s - FLEXION_S) / (0.35 / rate_hz)))


def _swing(part: Part, since_s: np.ndarray) -> np.ndarray:
    return np.sin(2 * np.pi * turns_of(part, since_s))


_RATIOS = np.array([0.53, 0.83, 1.19, 1.61])


def _wander(part: Part, since_s: np.ndarray) -> np.ndarray:
    return np.asarray(np.sin(2 * np.pi * part.rate_hz * since_s[:, None] * _RATIOS).sum(axis=1) / 2)


WAVES: dict[str, Callable[[Part, np.ndarray], np.ndarray]] = {
    "pulse": _pulse,
    "jerks": _jerks,
    "swing": _swing,
    "wander": _wander,
}
