"""How a focal seizure looks, and how it looks when it becomes bilateral tonic-clonic.

| what | value | source |
|---|---|---|
| becomes bilateral | at 56 ± 18 % of the film | GESTURES (Pérez-García et al. 2021), 141 seizures |
| tonic phase | 25–40 % of what is left; all limbs, over 1 s; tremor 8–12 Hz | recalled: 10–20 s of about 60 (Theodore 1994) |
| clonic phase | 3–5 Hz falling exponentially to 0.7–1.5 Hz | exponential (Bauer 2017); figures assumed |
| focal: hyperkinetic 30, automotor 35, clonic of one side 20, posture of one side 15 % | | assumed; hyperkinetic ones are what tonic-clonic is taken for |
| a patient's seizures | have the patient's kind in 70 % | assumed |

The focal part is drawn alike for both types: a seizure that will become bilateral cannot be told by how it begins.
"""

from dataclasses import dataclass

import numpy as np

from data.simulator.motion.parts import Part

KINDS = {"automotor": 0.35, "hyperkinetic": 0.30, "clonic": 0.20, "posture": 0.15}
GENERALISES, GENERALISES_SD = 0.56, 0.18
KIND_KEPT = 0.7
Moves = tuple[tuple[str, float, float], ...]


@dataclass(frozen=True)
class Semiology:
    """What a patient's seizures have in common, drawn without a look at their types. `side`: left or right.

    `vigour` multiplies how far movements go, `pace` (0–1) how fast they follow each other.
    """

    kind: str
    side: str
    vigour: float
    pace: float


@dataclass(frozen=True)
class FilmedSeizure:
    """One seizure. `bilateral_s`: when it becomes bilateral tonic-clonic, None for one that stays focal."""

    onset_s: float
    duration_s: float
    kind: str
    bilateral_s: float | None
    parts: tuple[Part, ...]


def draw_semiology(rng: np.random.Generator) -> Semiology:
    """A patient's kind by its share in `KINDS`, either side alike, vigour lognormal about 1 (sd 0.2), pace 0–1."""
    kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
    side = str(rng.choice(["left", "right"]))
    return Semiology(kind, side, round(float(rng.lognormal(0, 0.2)), 3), round(float(rng.random()), 3))


def draw_seizure(
    rng: np.random.Generator, semiology: Semiology, onset_s: float, end_s: float, film_s: float, bilateral: bool
) -> FilmedSeizure:
    """A seizure from `onset_s` to `end_s` in a film of `film_s` seconds, of the patient's kind or of another.

    A `bilateral` one becomes so 2 s after its onset at the earliest, 4 s before its end at the latest.
    """
    kinds, focal, late, when = rng.spawn(4)
    kept, other = kinds.random() < KIND_KEPT, str(kinds.choice(list(KINDS), p=list(KINDS.values())))
    kind = semiology.kind if kept else other
    share = float(when.normal(GENERALISES, GENERALISES_SD))
    bilateral_s = round(float(np.clip(share * film_s, onset_s + 2.0, end_s - 4.0)), 2) if bilateral else None
    until_s = end_s if bilateral_s is None else bilateral_s
    parts = draw_focal(focal, kind, semiology, onset_s, until_s)
    if bilateral_s is not None:
        parts += draw_bilateral(late, semiology, bilateral_s, end_s)
    return FilmedSeizure(onset_s, round(end_s - onset_s, 2), kind, bilateral_s, parts)


def draw_focal(
    rng: np.random.Generator, kind: str, semiology: Semiology, onset_s: float, end_s: float
) -> tuple[Part, ...]:
    """Until `end_s` own movements mostly stop, the head is turned to the side, and the kind's movements come."""
    lasting_s, side = round(end_s - onset_s, 3), semiology.side
    rise_s = round(min(1.5, 0.3 * lasting_s), 3)
    arrest = Part("pulse", onset_s, lasting_s, (), rise_s, rise_s, hush=0.75)
    turned = (1 if side == "left" else -1) * float(rng.uniform(0.2, 0.7))
    look = Part("pulse", onset_s, lasting_s, (("head", round(turned, 3), 0.0),), rise_s, rise_s)
    shape = _FOCAL[kind](rng, semiology, side)
    made = (Part(w, onset_s, lasting_s, m, rise_s, rise_s, round(hz, 3), round(last, 3)) for w, m, hz, last in shape)
    return (arrest, look, *made)


def draw_bilateral(rng: np.random.Generator, semiology: Semiology, onset_s: float, end_s: float) -> tuple[Part, ...]:
    """Tonic, then clonic, from `onset_s` to `end_s`."""
    tonic_s = round(float(rng.uniform(0.25, 0.4)) * (end_s - onset_s), 3)
    clonic_s, begins_s = round(end_s - onset_s - tonic_s, 3), round(onset_s + tonic_s, 3)
    first_hz, last_hz = float(rng.uniform(3, 4)) + semiology.pace, float(rng.uniform(0.7, 1.5))
    vigour = semiology.vigour
    stiff = {"shoulder": 0.7, "elbow": 0.5, "hip": 0.12, "knee": 0.15, "nod": -0.3, "curl": -0.1}
    jerking = {"shoulder": 0.45, "elbow": 0.8, "hip": 0.15, "knee": 0.35, "nod": 0.3, "curl": 0.15}
    return (
        Part("pulse", onset_s, round(end_s - onset_s, 3), (), 0.5, 0.3, hush=0.95),
        Part("pulse", onset_s, tonic_s + 0.6, _both(rng, stiff, vigour), 1.0, 0.6),
        Part("swing", onset_s, tonic_s, _both(rng, stiff, 0.1 * vigour), 1.0, 0.4, float(rng.uniform(8, 12))),
        Part("jerks", begins_s, clonic_s, _both(rng, jerking, vigour), 0.3, 0.2, round(first_hz, 3), round(last_hz, 3)),
    )


Shape = list[tuple[str, Moves, float, float]]
"""(wave, moves, rate in Hz, rate at the end or 0)"""


def _automotor(rng: np.random.Generator, s: Semiology, side: str) -> Shape:
    """Staring, fumbling of a hand, chewing."""
    rate_hz = 0.8 + s.pace + float(rng.uniform(-0.1, 0.1))
    hand = _sized(rng, s.vigour, {f"{side}_elbow": 0.45, f"{side}_shoulder": 0.15})
    return [("wander", hand, rate_hz, 0.0), ("swing", _sized(rng, s.vigour, {"nod": 0.1}), 1.5 * rate_hz, 0.0)]


def _hyperkinetic(rng: np.random.Generator, s: Semiology, side: str) -> Shape:
    """Large irregular movements of trunk and limbs, pedalling."""
    rate_hz = 1.2 + 1.3 * s.pace + float(rng.uniform(-0.2, 0.2))
    rocking = _sized(rng, s.vigour, {"x": 0.12, "spin": 0.15, "curl": 0.35, "nod": 0.3})
    arms = _sized(rng, s.vigour, {"left_shoulder": 0.6, "right_shoulder": 0.6, "left_elbow": 0.7, "right_elbow": 0.7})
    legs = _sized(rng, s.vigour, {"left_hip": 0.3, "right_hip": -0.3, "left_knee": 0.6, "right_knee": -0.6})
    return [
        ("wander", rocking, rate_hz, 0.0),
        ("wander", arms, 1.1 * rate_hz, 0.0),
        ("swing", legs, 1.3 * rate_hz, 0.0),
    ]


def _clonic(rng: np.random.Generator, s: Semiology, side: str) -> Shape:
    """Jerks of one side that hardly slow down."""
    rate_hz = 2.0 + 1.5 * s.pace + float(rng.uniform(-0.2, 0.2))
    jerks = {f"{side}_shoulder": 0.45, f"{side}_elbow": 0.8, f"{side}_knee": 0.3, "nod": 0.1}
    return [("jerks", _sized(rng, s.vigour, jerks), rate_hz, 0.8 * rate_hz)]


def _posture(rng: np.random.Generator, s: Semiology, side: str) -> Shape:
    """One arm raised and stiff, the other fumbling."""
    other = "right" if side == "left" else "left"
    raised = _sized(rng, s.vigour, {f"{side}_shoulder": 1.2, f"{side}_elbow": 0.5, "spin": 0.1})
    tremor = _sized(rng, s.vigour, {f"{side}_elbow": 0.05, f"{side}_shoulder": 0.04})
    fumbling = _sized(rng, s.vigour, {f"{other}_elbow": 0.4})
    return [("pulse", raised, 0.0, 0.0), ("swing", tremor, 8 + 3 * s.pace, 0.0), ("wander", fumbling, 1.0, 0.0)]


_FOCAL = {"automotor": _automotor, "hyperkinetic": _hyperkinetic, "clonic": _clonic, "posture": _posture}


def _both(rng: np.random.Generator, pose: dict[str, float], strength: float) -> Moves:
    """Both sides, each a little different."""
    limbs = ("shoulder", "elbow", "hip", "knee")
    degrees = {f"{s}_{n}" if n in limbs else n: v for n, v in pose.items() for s in ("left", "right")}
    return _sized(rng, strength, degrees)


def _sized(rng: np.random.Generator, strength: float, pose: dict[str, float]) -> Moves:
    return tuple((name, round(strength * value * float(rng.lognormal(0, 0.2)), 4), 0.0) for name, value in pose.items())
