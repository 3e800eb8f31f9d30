"""Epileptic spasms, and what looks like them in every infant.

| what | value | source |
|---|---|---|
| spasm: duration | 0.5–2 s | 0.5–2 s (TNSRE 2024); 1–2 s (ILAE) |
| rise 0.2–0.5 s, slower decay | | slower than a jerk (Guerrini & Marini); figures assumed |
| flexor, extensor, mixed | 34, 22, 44 % | Kellaway 1979, 5,042 spasms: 33.9, 22.5, 42.0 % |
| one side leads by up to 100 ms | | Bisulli |
| cluster | LogNormal(ln 10, 0.5) s between onsets, within 4–30; strength as sin(π·i/N) | 5–30 s usual, recalled; crescendo–decrescendo in 78 % (Kellaway) |
| akinesia afterwards | own movements less for 3–10 s | up to 90 s (Kellaway), cut for size |
| startle (Moro) | arms out, then in, 1–2 s, single | recalled |
| sleep twitches | bursts at 1–5 Hz in one limb for 1–4 s | 1–5 Hz clusters of seconds |
| patting by a nurse | 1.5–3 Hz for 5–15 s | rhythmic (45 of 197 periods alarmed an EEG detector); rate assumed |
| kicks | both legs, 0.6–1.6 s | assumed |
| rates | startle 40, twitch 30, kick 40, patting 15 per hour on average, each infant its own | assumed |

Mimics fall where they fall: neither their rates nor their times know about spasms.
"""

from dataclasses import dataclass

import numpy as np

from data.simulator.motion.parts import Part

SPASM_S = (0.5, 2.0)
GAP_S, GAPS_S = 10.0, (4.0, 30.0)
TYPES = {"flexor": 0.34, "extensor": 0.22, "mixed": 0.44}
PER_HOUR = {"startle": 40.0, "twitch": 30.0, "kick": 40.0, "patting": 15.0}

_POSES = {
    "flexor": {"curl": 0.8, "nod": 0.8, "shoulder": -0.3, "elbow": 0.5, "hip": 0.25, "knee": -0.5},
    "extensor": {"curl": -0.15, "nod": -0.2, "shoulder": 0.7, "elbow": -0.8, "hip": -0.2, "knee": 0.5},
    "mixed": {"curl": 0.7, "nod": 0.7, "shoulder": 0.6, "elbow": -0.6, "hip": -0.15, "knee": 0.4},
}
"""Trunk and limbs at the height of a spasm; "salaam": arms go out and neck and trunk flex."""


@dataclass(frozen=True)
class Spasm:
    """One spasm of a cluster, and the parts in which it shows itself (akinesia included, which is after its end).

    `kind` is one of TYPES, `strength` 1 about the strongest, `cluster` its number.
    """

    onset_s: float
    duration_s: float
    kind: str
    strength: float
    cluster: int
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Mimic:
    """Something that is no seizure. `kind` is one of PER_HOUR."""

    kind: str
    onset_s: float
    duration_s: float
    parts: tuple[Part, ...]


def draw_cluster(rng: np.random.Generator, number: int, onset_s: float, until_s: float) -> tuple[Spasm, ...]:
    """Spasms from `onset_s` on that end before `until_s`, stronger towards the middle."""
    kind, lead_s = str(rng.choice(list(TYPES), p=list(TYPES.values()))), float(rng.uniform(-0.1, 0.1))
    gaps_s = np.clip(rng.lognormal(np.log(GAP_S), 0.5, int(rng.integers(5, 13))), *GAPS_S)
    onsets_s = [round(onset_s + float(at_s), 2) for at_s in np.cumsum(gaps_s) - gaps_s[0]]
    onsets_s = [at_s for at_s in onsets_s if at_s + SPASM_S[1] <= until_s]
    heights = 0.45 + 0.55 * np.sin(np.pi * (np.arange(len(onsets_s)) + 0.5) / max(1, len(onsets_s)))
    return tuple(
        draw_spasm(own, at_s, float(height), kind, lead_s, number)
        for own, at_s, height in zip(rng.spawn(len(onsets_s)), onsets_s, heights, strict=True)
    )


def draw_spasm(
    rng: np.random.Generator,
    onset_s: float,
    strength: float,
    kind: str = "mixed",
    lead_s: float = 0.0,
    cluster: int = 0,
) -> Spasm:
    """A spasm of 0.5–2 s; positive `lead_s`: the left side comes first."""
    duration_s = round(float(np.clip(rng.lognormal(np.log(1.1), 0.35), *SPASM_S)), 2)
    rise_s = round(min(float(rng.uniform(0.2, 0.5)), 0.4 * duration_s), 3)
    fall_s = round(duration_s - rise_s - float(rng.uniform(0, 0.3)) * (duration_s - 2 * rise_s), 3)
    strength = round(strength * float(rng.lognormal(0, 0.12)), 3)
    lag_s = round(min(abs(lead_s), 0.1 * duration_s), 3)
    moves = _moves(rng, _POSES[kind], strength, (0.0, lag_s) if lead_s > 0 else (lag_s, 0.0))
    spasm = Part("pulse", onset_s, round(duration_s - lag_s, 3), moves, rise_s, fall_s - lag_s, hush=0.8)
    still_s = round(float(rng.uniform(3, 10)), 2)
    still = Part("pulse", round(onset_s + duration_s, 2), still_s, (), 0.5, 0.5 * still_s, hush=0.6)
    return Spasm(onset_s, duration_s, kind, strength, cluster, (spasm, still))


def draw_mimics(rng: np.random.Generator, duration_s: float) -> tuple[Mimic, ...]:
    """What an infant does that is no spasm, in order of time; every infant has rates of their own (Gamma, shape 2)."""
    drawn = []
    for kind, per_hour in PER_HOUR.items():
        own = rng.spawn(1)[0]
        count = own.poisson(own.gamma(2, 0.5) * per_hour * duration_s / 3600)
        for at_s in sorted(own.uniform(0, duration_s - 16, count)):
            drawn.append(_DRAWN[kind](own, round(float(at_s), 2)))
    return tuple(sorted(drawn, key=lambda mimic: mimic.onset_s))


def _startle(rng: np.random.Generator, onset_s: float) -> Mimic:
    """Arms out, then in, as Moro described."""
    lasting_s = round(float(rng.uniform(1, 2)), 2)
    out = {"shoulder": 0.8, "elbow": -0.7, "nod": -0.2, "hip": 0.15, "knee": 0.2}
    back = {"shoulder": -0.4, "elbow": 0.5, "curl": 0.25, "hip": -0.1}
    half_s, strength = round(lasting_s / 2, 3), float(rng.uniform(0.5, 1.1))
    first = Part("pulse", onset_s, half_s, _moves(rng, out, strength, (0.0, 0.0)), 0.15, round(half_s - 0.2, 3))
    then_s = round(onset_s + 0.7 * half_s, 3)
    last_s = round(lasting_s - 0.7 * half_s, 3)
    second = Part("pulse", then_s, last_s, _moves(rng, back, strength, (0.0, 0.0)), 0.3, round(0.6 * last_s, 3))
    return Mimic("startle", onset_s, lasting_s, (first, second))


def _twitch(rng: np.random.Generator, onset_s: float) -> Mimic:
    lasting_s = round(float(rng.uniform(1, 4)), 2)
    limb = str(rng.choice(["left_elbow", "right_elbow", "left_knee", "right_knee", "left_shoulder", "right_shoulder"]))
    amplitude, rate_hz = float(rng.uniform(0.25, 0.6)), float(rng.uniform(1, 5))
    moves = ((limb, round(amplitude, 3), 0.0),)
    return Mimic("twitch", onset_s, lasting_s, (Part("jerks", onset_s, lasting_s, moves, 0.1, 0.2, round(rate_hz, 2)),))


def _kick(rng: np.random.Generator, onset_s: float) -> Mimic:
    lasting_s = round(float(rng.uniform(0.6, 1.6)), 2)
    pose = {"hip": 0.4, "knee": -0.8, "curl": 0.2}
    moves = _moves(rng, pose, float(rng.uniform(0.5, 1.2)), (0.0, float(round(rng.uniform(0, 0.2), 3))))
    part = Part(
        "pulse", onset_s, round(lasting_s - 0.2, 3), moves, round(0.35 * lasting_s, 3), round(0.4 * lasting_s, 3)
    )
    return Mimic("kick", onset_s, lasting_s, (part,))


def _patting(rng: np.random.Generator, onset_s: float) -> Mimic:
    """The whole body is moved a little, in the rhythm of a hand."""
    lasting_s, rate_hz = round(float(rng.uniform(5, 15)), 2), round(float(rng.uniform(1.5, 3)), 2)
    size = float(rng.uniform(0.03, 0.08))
    moves = (("y", round(size, 4), 0.0), ("spin", round(0.4 * size, 4), 0.0), ("nod", round(1.5 * size, 4), 0.02))
    return Mimic("patting", onset_s, lasting_s, (Part("jerks", onset_s, lasting_s, moves, 0.6, 0.6, rate_hz),))


_DRAWN = {"startle": _startle, "twitch": _twitch, "kick": _kick, "patting": _patting}


def _moves(
    rng: np.random.Generator, pose: dict[str, float], strength: float, lags_s: tuple[float, float]
) -> tuple[tuple[str, float, float], ...]:
    """Trunk and head once, limbs on both sides; each a little different every time."""
    moves = []
    for name, angle in pose.items():
        sides = (f"left_{name}", f"right_{name}") if name in ("shoulder", "elbow", "hip", "knee") else (name,)
        for side, lag_s in zip(sides, lags_s, strict=False):
            moves.append((side, round(strength * angle * float(rng.lognormal(0, 0.15)), 4), lag_s))
    return tuple(moves)
