"""A person who moves: the body, how it rests, and what it does of its own accord all the time.

| what | value | source |
|---|---|---|
| breathing | infant 0.5–0.8 Hz, adult 0.2–0.3 Hz | recalled |
| general movements | 0.2–2 Hz, in bouts; less while asleep | 0.2–2 Hz assumed; bouts assumed |
| drift of the posture | below 0.05 Hz | assumed |

Nothing here knows whether the person has seizures.
"""

from dataclasses import dataclass

import numpy as np

from data.simulator.motion.body import ADULT, DEGREES, INDEX, INFANT, Body, draw_body, joints_at
from data.simulator.motion.parts import Part, angles_of, hush_of

BREATHING_HZ = {"infant": (0.5, 0.8), "adult": (0.2, 0.3)}
_LIVELY = {
    "x": 0.02, "y": 0.02, "spin": 0.03, "curl": 0.06, "nod": 0.10, "head": 0.25, "left_shoulder": 0.22,
    "right_shoulder": 0.22, "left_elbow": 0.35, "right_elbow": 0.35, "left_hip": 0.14, "right_hip": 0.14,
    "left_knee": 0.25, "right_knee": 0.25,
}  # fmt: skip
"""Amplitude of general movements, about, in the units of each degree of freedom (assumed)."""

_RESTING = {
    "infant": {"shoulder": 0.9, "elbow": 1.2, "hip": 0.6, "knee": -0.7},
    "adult": {"shoulder": 0.35, "elbow": -0.6, "hip": 0.12, "knee": 0.0},
}


@dataclass(frozen=True)
class Sine:
    """One of the sines that make up what a degree of freedom does by itself, in its unit; the phase is in radians."""

    degree: str
    rate_hz: float
    phase: float
    amplitude: float


@dataclass(frozen=True)
class Person:
    """Who moves. `resting`: the angles at rest, in the order of DEGREES. `bouts`: sines whose sum says how lively the
    person is at a time. `key`, `sex` and `age_days` are what the participants' table says."""

    key: str
    sex: str
    age_days: float
    kind: str
    body: Body
    resting: tuple[float, ...]
    drift: tuple[Sine, ...]
    lively: tuple[Sine, ...]
    bouts: tuple[Sine, ...]
    breath: Sine


def draw_person(rng: np.random.Generator, kind: str, age_days: tuple[float, float]) -> Person:
    """An `infant` or `adult` of an age between these."""
    key = f"{kind[0]}{rng.integers(16**8):08x}"
    sex, age = str(rng.choice(["F", "M"])), float(round(rng.uniform(*age_days)))
    body = draw_body(rng, INFANT if kind == "infant" else ADULT)
    liveliness = float(rng.lognormal(0, 0.3))
    return Person(
        key,
        sex,
        age,
        kind,
        body,
        _draw_rest(rng, kind),
        tuple(_draw_sine(rng, d, (0.01, 0.05), 0.3 * a) for d, a in _LIVELY.items()),
        tuple(_draw_sine(rng, d, (0.2, 2.0), 0.6 * a * liveliness) for d, a in _LIVELY.items() for _ in range(4)),
        tuple(_draw_sine(rng, "x", (0.02, 0.12), 0.5) for _ in range(3)),
        _draw_sine(rng, "breath", BREATHING_HZ[kind], 0.5),
    )


def joints_of(person: Person, parts: tuple[Part, ...], time_s: np.ndarray) -> np.ndarray:
    """(time, joint, 2) in torsos: the person's own movements and the parts, at ascending times."""
    return joints_at(person.body, angles_at(person, parts, time_s))


def angles_at(person: Person, parts: tuple[Part, ...], time_s: np.ndarray) -> np.ndarray:
    """(time, degree): rest, breathing, drift, general movements as far as the parts leave any, and the parts."""
    own = _sum_of(person.lively, time_s) * (bouts_at(person, time_s) * hush_of(parts, time_s))[:, None]
    steady = _sum_of((*person.drift, person.breath), time_s)
    return np.asarray(np.array(person.resting) + steady + own + angles_of(parts, time_s))


def bouts_at(person: Person, time_s: np.ndarray) -> np.ndarray:
    """(time,) how lively the person is, about 0.6 on average."""
    return np.clip(0.55 + sum(wave_of(s, time_s) for s in person.bouts), 0.1, 1.3)


def wave_of(sine: Sine, time_s: np.ndarray) -> np.ndarray:
    """(time,) what the sine does, in the unit of its degree of freedom."""
    return np.asarray(sine.amplitude * np.sin(2 * np.pi * sine.rate_hz * time_s + sine.phase))


def _sum_of(sines: tuple[Sine, ...], time_s: np.ndarray) -> np.ndarray:
    out = np.zeros((len(time_s), len(DEGREES)))
    for sine in sines:
        out[:, INDEX[sine.degree]] += wave_of(sine, time_s)
    return out


def _draw_sine(rng: np.random.Generator, degree: str, rates_hz: tuple[float, float], amplitude: float) -> Sine:
    """Rates log-uniform; amplitudes fall with the rate, so that fast movements are small."""
    rate_hz = float(np.exp(rng.uniform(*np.log(rates_hz))))
    phase = float(rng.uniform(0, 2 * np.pi))
    return Sine(degree, round(rate_hz, 4), round(phase, 4), round(amplitude * (rates_hz[0] / rate_hz) ** 0.5, 5))


def _draw_rest(rng: np.random.Generator, kind: str) -> tuple[float, ...]:
    rest = dict.fromkeys(DEGREES, 0.0)
    for side in ("left", "right"):
        for joint, angle in _RESTING[kind].items():
            rest[f"{side}_{joint}"] = angle + float(rng.normal(0, 0.25))
    rest["head"] = float(rng.normal(0, 0.4))
    rest["spin"] = float(rng.normal(0, 0.12))
    return tuple(round(value, 4) for value in rest.values())
