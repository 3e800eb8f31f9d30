"""When and where adults' seizures come, and the five patterns in which the seven types show themselves.

FNSZ, CPSZ and SPSZ are one pattern: a seizure is drawn from the pattern's name, and the type is not known here.

| what | value | source |
|---|---|---|
| one pattern for FNSZ, CPSZ, SPSZ | | they differ by awareness; "not separable from EEG" (inferred, research notes 5.3) |
| focal, generalised: duration | LogNormal(3.58, 1.11) within 10–75 s | TUH, all types: median 36, quartiles 17–76 s (computed from a public manifest) |
| absence: duration | 10–20 s | read (epilepsydiagnosis.org) |
| tonic: duration | 5–20 s | 2–20 s recalled; the shortest left out |
| tonic-clonic: duration | LogNormal(4.0, 0.35) within 30–75 s | recalled mean 113 s, cut for size |
| strength, all patterns alike | LogNormal(ln 180, 0.3) µV peak to peak where strongest, per patient; ± 15 % per seizure | assumed; absence 150–300 µV recalled |
| focus | temporal in 3 of 4 patients; kept in 85 % of seizures, else a neighbour | assumed |
| gaps | ≥ 15 s, else random | assumed |
| ictal derivations | where a rhythm, at its largest, has at least the RMS of the background (lags counted) | as in the simulated newborns |

The longest seizure also is 60 % of the recording divided by its number of seizures, whatever the pattern. Class means of
duration in TUH (FNSZ 74, GNSZ 83, CPSZ 97, SPSZ 35 s, recalled) are not used: by duration, patterns are told apart no
further than the table says. Left out: myoclonic seizures, spikes between seizures, and everything that age does.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from data.montage import ELECTRODES, TCP_20
from data.simulator.adults.parts import Knots, Part
from data.simulator.adults.patterns import PATTERNS, Drawing
from data.simulator.scalp import TCP, nearest

LONGEST_S, LONGEST_SHARE = 75.0, 0.6
FIRST_S, GAP_S, LAST_S = 10.0, 15.0, 5.0
SHORTEST_PER_SEIZURE_S = 60.0
FOCUS_KEPT = 0.85

PATTERN_OF = {
    "FNSZ": "focal",
    "CPSZ": "focal",
    "SPSZ": "focal",
    "GNSZ": "generalised",
    "ABSZ": "absence",
    "TNSZ": "tonic",
    "TCSZ": "tonic_clonic",
}
"""The pattern in which each type shows itself."""

FOCUS_WEIGHTS = {
    "Fp1": 2, "Fp2": 2, "F7": 13, "F3": 4, "Fz": 1, "F4": 4, "F8": 13, "T3": 16, "C3": 3, "Cz": 1, "C4": 3, "T4": 16,
    "T5": 8, "P3": 2, "Pz": 0, "P4": 2, "T6": 8, "O1": 1, "O2": 1,
}  # fmt: skip
"""Per cent of patients (assumed)."""


@dataclass(frozen=True)
class Habits:
    """What a patient's seizures have in common, drawn without a look at their types.

    `pace`: 0–1, where in its pattern's range of frequencies. `strength_uv`: peak to peak where strongest.
    `march_cm_per_s`: how fast a focal seizure spreads. `lean`: −1 … 1, the side on which a generalised one is stronger.
    `muscle_uv`: RMS of the muscles that take part. `restless`: how often the patient chews or tenses in a seizure.
    """

    focus: str
    pace: float
    strength_uv: float
    march_cm_per_s: float
    lean: float
    muscle_uv: float
    restless: float


@dataclass(frozen=True)
class Seizure:
    """`parts`: all waves, those after its end included. `background`: gain of the background over the recording's
    seconds. `channels`: derivations of tcp_20 that take part."""

    pattern: str
    onset_s: float
    duration_s: float
    parts: tuple[Part, ...]
    background: Knots
    channels: tuple[str, ...]


def draw_habits(rng: np.random.Generator) -> Habits:
    """A patient's habits: focus by `FOCUS_WEIGHTS`, strength and spread as in the table, restlessness Beta(1, 2)."""
    weights = np.array([FOCUS_WEIGHTS[e] for e in ELECTRODES])
    return Habits(
        ELECTRODES[rng.choice(len(ELECTRODES), p=weights / weights.sum())],
        float(rng.random()),
        float(rng.lognormal(np.log(180), 0.3)),
        float(rng.lognormal(np.log(0.9), 0.4)),
        float(rng.uniform(-1, 1)),
        float(rng.lognormal(np.log(25), 0.4)),
        float(rng.beta(1, 2)),
    )


def draw_seizures(
    rng: np.random.Generator, patterns: tuple[str, ...], habits: Habits, background_uv: float, duration_s: float
) -> tuple[Seizure, ...]:
    """One seizure of each pattern in this order, with gaps between; ValueError for less than 60 s for each."""
    if len(patterns) * SHORTEST_PER_SEIZURE_S > duration_s:
        raise ValueError(
            f"{len(patterns)} seizures need at least {len(patterns) * SHORTEST_PER_SEIZURE_S:g} s, got {duration_s:g} s"
        )
    times, *streams = rng.spawn(len(patterns) + 1)
    spans = _draw_times(times, patterns, duration_s)
    return tuple(
        draw_seizure(own, pattern, onset_s, length_s, habits, background_uv)
        for own, pattern, (onset_s, length_s) in zip(streams, patterns, spans, strict=True)
    )


def _draw_times(rng: np.random.Generator, patterns: tuple[str, ...], duration_s: float) -> list[tuple[float, float]]:
    """(onset, duration) of each seizure; the time that is left is divided at random among the gaps."""
    if not patterns:
        return []
    longest_s = min(LONGEST_S, LONGEST_SHARE * duration_s / len(patterns))
    ranks = rng.random(len(patterns))
    lengths = [_on_grid(DURATIONS[p](float(rank), longest_s)) for p, rank in zip(patterns, ranks, strict=True)]
    least = np.array([FIRST_S, *[GAP_S] * (len(patterns) - 1), LAST_S])
    gaps = least + (duration_s - sum(lengths) - least.sum()) * rng.dirichlet(np.ones(len(least)))
    onsets = np.cumsum(gaps[:-1] + np.concatenate([[0.0], lengths[:-1]]))
    return [(_on_grid(float(onset)), length) for onset, length in zip(onsets, lengths, strict=True)]


def _on_grid(time_s: float) -> float:
    """Times to 10 ms, downwards, so that the events file can say them exactly."""
    return int(time_s * 100 + 1e-6) * 10 / 1000


def _lognormal_within(mu: float, sigma: float, low_s: float, rank: float, high_s: float) -> float:
    """The value of this rank (0–1) in a lognormal law that is cut on both sides, without heaps at the cuts."""
    low, high = ndtr((np.log([low_s, high_s]) - mu) / sigma)
    return float(np.exp(mu + sigma * ndtri(low + rank * (high - low))))


DURATIONS: dict[str, Callable[[float, float], float]] = {
    "focal": lambda rank, longest_s: _lognormal_within(3.58, 1.11, 10.0, rank, longest_s),
    "generalised": lambda rank, longest_s: _lognormal_within(3.58, 1.11, 10.0, rank, longest_s),
    "absence": lambda rank, longest_s: 10 + 10 * rank,
    "tonic": lambda rank, longest_s: 5 + 15 * rank,
    "tonic_clonic": lambda rank, longest_s: _lognormal_within(4.0, 0.35, 30.0, rank, longest_s),
}
"""duration(rank, longest_s) in seconds."""


def draw_seizure(
    rng: np.random.Generator, pattern: str, onset_s: float, length_s: float, habits: Habits, background_uv: float
) -> Seizure:
    """One seizure of a pattern, of any length."""
    kept, neighbour = rng.random() < FOCUS_KEPT, int(rng.integers(1, 4))
    focus = habits.focus if kept else nearest(habits.focus, 4)[neighbour]
    pace = float(np.clip(habits.pace + rng.normal(0, 0.06), 0, 1))
    strength_uv = habits.strength_uv * float(rng.lognormal(0, 0.15))
    drawing = Drawing(
        rng,
        onset_s,
        length_s,
        focus,
        pace,
        strength_uv,
        habits.march_cm_per_s,
        habits.lean,
        habits.muscle_uv,
        background_uv,
    )
    parts, background = PATTERNS[pattern](drawing)
    return Seizure(pattern, onset_s, length_s, parts, background, _ictal_channels(parts, background_uv))


_EFFECTIVE = {"rhythm": 0.32, "fast": 0.35, "spike_wave": 0.28}
"""RMS of a wave of 1 µV peak to peak, about."""


def _ictal_channels(parts: tuple[Part, ...], background_uv: float) -> tuple[str, ...]:
    """Derivations in which a wave of the brain is as strong as the background; at least the strongest one."""
    waves: dict[int, np.ndarray] = {}
    for part in (p for p in parts if p.wave in _EFFECTIVE):
        waves[part.seed] = waves.get(part.seed, 0) + _phasors(part)
    reach = np.max([np.abs((TCP * wave).sum(axis=1)) for wave in waves.values()], axis=0)
    least_uv = min(background_uv, reach.max())
    return tuple(name for name, strength in zip(TCP_20, reach, strict=True) if strength >= least_uv)


def _phasors(part: Part) -> np.ndarray:
    """(19,) complex: RMS and phase at each electrode of a part's largest wave; parts of one seed are one rhythm."""
    joined = np.where(np.array(part.arrival_s) < part.duration_s, part.weights, 0.0)
    largest_uv = max(value for _, value in part.amplitude_uv) * _EFFECTIVE[part.wave]
    turns = np.array(part.lag_s) * np.mean([value for _, value in part.frequency_hz])
    return np.asarray(largest_uv * joined * np.exp(-2j * np.pi * turns))
