"""What changes in a patient's movements before a seizure (assumed: nobody has measured such a sign), and what does not.

In the last seconds before the onset a share of the general movements, irregular and of 0.2–2 Hz, is replaced by a
rhythmic fidgeting of the same joints. Each joint turns as fast as before on average, so that how much moves tells
nothing. With `cue` 0 nothing changes at all.

| what | value |
|---|---|
| fidgeting | 1.2–2.2 Hz, each patient's own |
| begins | 8 s before the onset, full after 2 s, lasts until the onset |
| replaced | 80 % of the amplitude at `cue` 1 |
| gestures in all films, at any time | reaching, scratching (2–3 Hz for 1.5–3 s), looking about; 4 a minute |
"""

import numpy as np

from data.simulator.motion.parts import Part
from data.simulator.motion.person import Person, bouts_at

CUE_S, RISE_S, REPLACED = 8.0, 2.0, 0.8
GESTURES_PER_MIN = 4.0


def cue_before(person: Person, rate_hz: float, onset_s: float, cue: float) -> tuple[Part, ...]:
    """The parts of a sign of strength `cue` (0–1) before a seizure at `onset_s`."""
    if cue <= 0:
        return ()
    begins_s, hush = onset_s - CUE_S, REPLACED * cue
    bouts = float(np.mean(bouts_at(person, np.linspace(begins_s, onset_s, 81)) ** 2))
    degrees = dict.fromkeys(sine.degree for sine in person.lively)
    moves = tuple((d, _amplitude(person, d, bouts, hush, rate_hz), 0.0) for d in degrees)
    return (Part("swing", begins_s, CUE_S, moves, RISE_S, 0.3, rate_hz, 0.0, hush),)


def draw_gestures(rng: np.random.Generator, duration_s: float) -> tuple[Part, ...]:
    """What people do in bed anyway, wherever it falls."""
    count = int(rng.poisson(GESTURES_PER_MIN * duration_s / 60))
    return tuple(_draw_gesture(rng, round(float(at_s), 2)) for at_s in sorted(rng.uniform(0, duration_s, count)))


def _amplitude(person: Person, degree: str, bouts: float, hush: float, rate_hz: float) -> float:
    """Of a sine that turns as fast (mean square) as what is hushed of this degree's movements."""
    power = sum((2 * np.pi * s.rate_hz * s.amplitude) ** 2 / 2 for s in person.lively if s.degree == degree)
    removed = bouts * power * (1 - (1 - hush) ** 2)
    return round(float(np.sqrt(2 * removed) / (2 * np.pi * rate_hz)), 5)


def _draw_gesture(rng: np.random.Generator, onset_s: float) -> Part:
    side, kind = str(rng.choice(["left", "right"])), str(rng.choice(["reach", "scratch", "look"]))
    lasting_s, size, rate_hz = float(rng.uniform(1.5, 3)), float(rng.uniform(0.6, 1.3)), float(rng.uniform(2, 3))
    lasting_s = round(lasting_s, 2)
    if kind == "scratch":
        scratching = ((f"{side}_elbow", round(0.3 * size, 3), 0.0),)
        return Part("swing", onset_s, lasting_s, scratching, 0.3, 0.3, round(rate_hz, 2))
    moves = _MOVES[kind](side, size)
    return Part("pulse", onset_s, lasting_s, moves, round(0.4 * lasting_s, 2), round(0.4 * lasting_s, 2))


Moves = tuple[tuple[str, float, float], ...]


def _reach(side: str, size: float) -> Moves:
    return (f"{side}_shoulder", round(0.7 * size, 3), 0.0), (f"{side}_elbow", round(0.5 * size, 3), 0.0)


def _look(side: str, size: float) -> Moves:
    return (("head", round(0.6 * size * (1 if side == "left" else -1), 3), 0.0),)


_MOVES = {"reach": _reach, "look": _look}
