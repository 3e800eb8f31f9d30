"""What disturbs an adult's EEG: the classes of the TUH artefact corpus, and blinks while the eyes are open.

| kind | shape | amplitude | per hour | patients | source |
|---|---|---|---|---|---|
| chewing | bursts of muscle, 1–2 Hz, over both temples | 15–60 µV RMS | 6 | half | class read (TUAR); figures assumed |
| pop | steps that decay in .1–1 s at one electrode | 50–300 µV | 10 | all | class read; shape recalled |
| eyes | sideways looks: F7 and F8 with opposite signs | 40–120 µV | 20 | all | class read; figures assumed |
| blink | 0.3 s, frontopolar, 6–30 per minute with open eyes | 60–180 µV | | all | recalled |
| muscle | 20–100 Hz noise in bursts at a few electrodes | 6–30 µV RMS | 20 | all | class read; figures assumed |
| shiver | muscle that trembles with 6–11 Hz, everywhere | 4–15 µV RMS | 6 | 1 in 6 | class read; figures assumed |

Each patient has rates of their own (Gamma of mean 1, shape 2). Artefacts fall where they fall, seizures included; besides,
a restless patient chews or tenses in a seizure, of whatever pattern. What muscles do as part of a seizure is in `patterns`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from data.montage import ELECTRODES
from data.simulator.adults.patterns import MUSCLE_WEIGHTS
from data.simulator.disturbance import Artefact, Shape, muscle, pops
from data.simulator.scalp import nearest
from data.simulator.waves import noise_between, soft_edges

Spans = Iterable[tuple[float, float]]
"""(from, until) in seconds."""


@dataclass(frozen=True)
class Kind:
    """How often, in how many patients, how long, how strong and how fast a kind of artefact is; ranges, log-uniform.

    `patients` is the share (0–1) of patients who show it at all; `amplitude_uv` is as the table says.
    """

    per_hour: float
    patients: float
    duration_s: tuple[float, float]
    amplitude_uv: tuple[float, float]
    rhythm_hz: tuple[float, float]


KINDS = {
    "chewing": Kind(6, 0.5, (4, 15), (15, 60), (1.0, 2.0)),
    "pop": Kind(10, 1.0, (2, 8), (50, 300), (0.3, 1.0)),
    "eyes": Kind(20, 1.0, (2, 8), (40, 120), (0.3, 0.8)),
    "muscle": Kind(20, 1.0, (3, 20), (6, 30), (20, 100)),
    "shiver": Kind(6, 1 / 6, (10, 40), (4, 15), (6, 11)),
}
BLINK = Kind(0, 1.0, (1, 1), (60, 180), (0.1, 0.5))
IN_SEIZURE = ("chewing", "muscle")

_EYES = {"F7": 1.0, "F8": -1.0, "Fp1": 0.5, "Fp2": -0.5, "F3": 0.3, "F4": -0.3, "T3": 0.25, "T4": -0.25}
_LIDS = {
    "Fp1": 1.0,
    "Fp2": 1.0,
    "F7": 0.4,
    "F8": 0.4,
    "F3": 0.4,
    "F4": 0.4,
    "Fz": 0.4,
    "C3": 0.08,
    "Cz": 0.08,
    "C4": 0.08,
}


def draw_artefacts(
    rng: np.random.Generator, duration_s: float, eyes_open: Spans, seizures: Spans, restless: float, rate: float = 1.0
) -> tuple[Artefact, ...]:
    """Artefacts of one recording in time order; `rate` multiplies all rates, blinks included (0 gives none).

    `restless` (0–1): how often the patient chews or tenses in a seizure.
    """
    drawn = []
    for name, kind in KINDS.items():
        own = rng.spawn(1)[0]
        if own.random() < kind.patients:
            count = own.poisson(rate * own.gamma(2, 0.5) * kind.per_hour / kind.patients * duration_s / 3600)
            drawn += [_draw_anywhere(own, name, duration_s) for _ in range(count)]
    lids, moved = rng.spawn(2)
    if rate > 0:
        drawn += _draw_blinks(lids, eyes_open, rate)
        drawn += _draw_in_seizures(moved, seizures, restless)
    return tuple(sorted(drawn, key=lambda a: (a.onset_s, a.kind)))


def _draw_anywhere(rng: np.random.Generator, name: str, duration_s: float) -> Artefact:
    length_s = min(_between(rng, KINDS[name].duration_s), duration_s / 2)
    return _drawn(rng, name, float(rng.uniform(0, duration_s - length_s)), length_s)


def _draw_blinks(rng: np.random.Generator, eyes_open: Spans, rate: float) -> list[Artefact]:
    """One entry per stretch of open eyes; how often and how strongly a person blinks does not change much."""
    blinks_hz, height_uv = _between(rng, BLINK.rhythm_hz), _between(rng, BLINK.amplitude_uv)
    return [
        Artefact("blink", start_s, end_s - start_s, *_weights(_LIDS), height_uv, rate * blinks_hz, _seed(rng))
        for start_s, end_s in eyes_open
        if end_s - start_s > 1
    ]


def _draw_in_seizures(rng: np.random.Generator, seizures: Spans, restless: float) -> list[Artefact]:
    drawn = []
    for start_s, end_s in seizures:
        comes, name = rng.random() < restless, IN_SEIZURE[rng.integers(len(IN_SEIZURE))]
        begins_s, share = start_s + rng.uniform(0.1, 0.5) * (end_s - start_s), rng.uniform(0.4, 1.0)
        artefact = _drawn(rng, name, float(begins_s), float(share * (end_s - begins_s)))
        drawn += [artefact] if comes else []
    return drawn


def _drawn(rng: np.random.Generator, name: str, onset_s: float, length_s: float) -> Artefact:
    kind = KINDS[name]
    place, amplitude_uv, rhythm_hz = _place(rng, name), _between(rng, kind.amplitude_uv), _between(rng, kind.rhythm_hz)
    return Artefact(name, onset_s, length_s, *place, amplitude_uv, rhythm_hz, _seed(rng))


def _place(rng: np.random.Generator, name: str) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """The electrodes of an artefact and their weights."""
    sign = float(rng.choice([-1, 1]))
    if name == "eyes":
        return _weights({e: sign * w for e, w in _EYES.items()})
    if name in ("chewing", "shiver"):
        return _weights({e: w * float(rng.uniform(0.6, 1.0)) for e, w in MUSCLE_WEIGHTS.items()})
    shares = np.array([MUSCLE_WEIGHTS[e] for e in ELECTRODES])
    worst = ELECTRODES[rng.choice(len(ELECTRODES), p=shares / shares.sum())]
    electrodes = nearest(worst, 1 if name == "pop" else int(rng.integers(1, 6)))
    return _weights({e: sign * (1.0 if e == worst else float(rng.uniform(0.3, 0.9))) for e in electrodes})


def _weights(of: dict[str, float]) -> tuple[tuple[str, ...], tuple[float, ...]]:
    return tuple(of), tuple(of.values())


def _between(rng: np.random.Generator, limits: tuple[float, float]) -> float:
    return float(np.exp(rng.uniform(*np.log(limits))))


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**63))


def _chewing(artefact: Artefact, time_s: np.ndarray, rate_hz: float, rng: np.random.Generator) -> np.ndarray:
    unsteady = 0.15 * noise_between(rng, (0.05, 0.5), (1, len(time_s)), rate_hz)
    bite = np.clip(np.sin(2 * np.pi * (artefact.rhythm_hz * time_s + unsteady)), 0, 1) ** 0.7
    return _tension(artefact, time_s, rate_hz, rng) * (0.1 + bite) * soft_edges(time_s)


def _shiver(artefact: Artefact, time_s: np.ndarray, rate_hz: float, rng: np.random.Generator) -> np.ndarray:
    tremble = 1 + 0.8 * np.sin(2 * np.pi * artefact.rhythm_hz * time_s)
    return _tension(artefact, time_s, rate_hz, rng) * tremble * soft_edges(time_s)


def _tension(artefact: Artefact, time_s: np.ndarray, rate_hz: float, rng: np.random.Generator) -> np.ndarray:
    shape = (len(artefact.electrodes), len(time_s))
    return noise_between(rng, (20.0, min(100.0, 0.48 * rate_hz)), shape, rate_hz)


def _looks(artefact: Artefact, time_s: np.ndarray, rate_hz: float, rng: np.random.Generator) -> np.ndarray:
    """The eyes jump to one side, stay, and jump back or on; the cornea is positive."""
    count = 2 + rng.poisson(artefact.rhythm_hz * time_s[-1])
    jumps_s, sides = np.sort(rng.uniform(0, time_s[-1], count)), rng.uniform(-1, 1, count)
    wave = sum(
        (b - a) / (1 + np.exp((at_s - time_s) / 0.02)) for a, b, at_s in zip([0, *sides], sides, jumps_s, strict=False)
    )
    return np.asarray(wave)[None] * soft_edges(time_s)


def _blinks(artefact: Artefact, time_s: np.ndarray, rate_hz: float, rng: np.random.Generator) -> np.ndarray:
    """The first comes soon after the eyes open; each is a positive bump."""
    gaps_s = 0.8 + rng.exponential(1 / artefact.rhythm_hz, 1 + int(3 * artefact.rhythm_hz * time_s[-1]))
    bumps = (np.exp(-0.5 * ((time_s - at_s) / 0.08) ** 2) for at_s in 0.6 + np.cumsum([0.0, *gaps_s]))
    return np.asarray(sum(bumps))[None] * soft_edges(time_s)


SHAPES: dict[str, Shape] = {
    "chewing": _chewing,
    "pop": pops,
    "eyes": _looks,
    "blink": _blinks,
    "muscle": muscle,
    "shiver": _shiver,
}
