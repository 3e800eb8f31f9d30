"""What disturbs a newborn's EEG: muscle, loose electrodes, movement, patting, ventilator, heart and breath, mains.

Rates per hour, durations and derivations per event (median, quartiles) are those of experts' labels on the Helsinki
recordings (computed from Webb et al. 2021); `babies` of 79 show the kind at all, so it is drawn per baby first. Only
14.6 % of that data is labelled: the rates are lower bounds. Their "movement" is divided 4 : 1 into movement and
patting, their "biological rhythm" evenly into heart and breath (assumed).

| kind | shape | amplitude | source of the shape |
|---|---|---|---|
| emg | 20–100 Hz noise in bursts | 5–30 µV RMS | recalled band; amplitude assumed |
| pop | steps that decay in .1–1 s | 50–300 µV | recalled |
| movement | 0.3–2 Hz noise | 40–150 µV RMS | assumed |
| patting | rhythm of 1–3 Hz | 20–80 µV | recalled rhythm; amplitude assumed |
| ventilator | rhythm of 8–15 Hz | 5–30 µV | recalled rhythm; amplitude assumed |
| ecg | spikes, 100–160 per minute | 5–30 µV | recalled |
| respiration | rhythm of 0.5–1 Hz | 10–50 µV | recalled rhythm; amplitude assumed |

Where: frontal and temporal electrodes worst (.40–.57 of labelled channel time), occipital .20–.25, central and midline
.09–.11; heart and breath mostly at T5-O1, P4-O2, P3-O1. A fault acts on the electrode, hence on every derivation that
shares it.
"""

from dataclasses import dataclass

import numpy as np

from data.montage import ELECTRODES
from data.simulator.disturbance import Artefact, Shape, muscle, pops
from data.simulator.scalp import nearest
from data.simulator.waves import from_quartiles, noise_between, soft_edges


@dataclass(frozen=True)
class Kind:
    """How often, how long and how wide a kind of artefact is; quartiles of duration and of derivations.

    `babies` of 79 show it at all; amplitude and rhythm are ranges. `posterior`: mostly over the back of the head.
    """

    per_hour: float
    babies: int
    duration_s: tuple[float, float, float]
    derivations: tuple[float, float, float]
    amplitude_uv: tuple[float, float]
    rhythm_hz: tuple[float, float]
    posterior: bool = False


KINDS = {
    "emg": Kind(10.4, 74, (7, 14, 32), (2, 3, 4), (5, 30), (20, 100)),
    "pop": Kind(8.0, 73, (2, 3, 9), (2, 2, 4), (50, 300), (0.3, 1)),
    "movement": Kind(3.84, 52, (8, 13, 26), (3, 6, 10), (40, 150), (0.3, 2)),
    "patting": Kind(0.96, 52, (8, 13, 26), (3, 6, 10), (20, 80), (1, 3)),
    "ventilator": Kind(2.1, 16, (12, 12, 13), (2, 4, 10), (5, 30), (8, 15)),
    "ecg": Kind(0.35, 14, (20, 47, 85), (1, 2, 3), (5, 30), (100 / 60, 160 / 60), posterior=True),
    "respiration": Kind(0.35, 14, (20, 47, 85), (1, 2, 3), (10, 50), (0.5, 1), posterior=True),
}


def draw_artefacts(rng: np.random.Generator, duration_s: float, rate: float = 1.0) -> tuple[Artefact, ...]:
    """Artefacts of one recording in time order; `rate` multiplies all rates (0 gives none)."""
    drawn = []
    for name, kind in KINDS.items():
        own, share = rng.spawn(1)[0], kind.babies / 79
        if own.random() < share:
            count = own.poisson(rate * kind.per_hour / share * duration_s / 3600)
            drawn += [_draw_artefact(own, name, duration_s) for _ in range(count)]
    return tuple(sorted(drawn, key=lambda a: (a.onset_s, a.kind)))


def _draw_artefact(rng: np.random.Generator, name: str, duration_s: float) -> Artefact:
    kind = KINDS[name]
    onset_s = float(rng.uniform(0, duration_s - 1))
    length_s = min(max(1.0, from_quartiles(rng, kind.duration_s)), duration_s - onset_s)
    electrodes = _draw_electrodes(rng, kind)
    weights = rng.uniform(0.4, 1.0, len(electrodes)) * rng.choice([-1, 1])
    weights[0] = np.sign(weights[0])
    return Artefact(
        name,
        onset_s,
        length_s,
        electrodes,
        tuple(weights.tolist()),
        float(np.exp(rng.uniform(*np.log(kind.amplitude_uv)))),
        float(rng.uniform(*kind.rhythm_hz)),
        int(rng.integers(2**63)),
    )


def _draw_electrodes(rng: np.random.Generator, kind: Kind) -> tuple[str, ...]:
    """The worst electrode by region, with its neighbours: about half as many electrodes as derivations."""
    weights = np.array([_share(e, kind.posterior) for e in ELECTRODES])
    worst = ELECTRODES[rng.choice(len(ELECTRODES), p=weights / weights.sum())]
    count = round(from_quartiles(rng, kind.derivations) / 2)
    return nearest(worst, int(np.clip(count, 1, 12)))


def _share(electrode: str, posterior: bool) -> float:
    if posterior:
        return 1.0 if electrode in ("T5", "P3", "P4", "O1", "O2") else 0.05
    if electrode.startswith(("Fp", "F7", "F8", "T")):
        return 0.5
    return 0.22 if electrode.startswith("O") else 0.1


def _movement(artefact: Artefact, time_s: np.ndarray, rate_hz: float, rng: np.random.Generator) -> np.ndarray:
    shared = noise_between(rng, (0.3, 2.0), (1, len(time_s)), rate_hz)
    own = noise_between(rng, (0.3, 2.0), (len(artefact.electrodes), len(time_s)), rate_hz)
    return (0.8 * shared + 0.6 * own) * soft_edges(time_s)


def _rhythm(artefact: Artefact, time_s: np.ndarray, rate_hz: float, rng: np.random.Generator) -> np.ndarray:
    """A rhythm of constant rate, slightly unsteady, with a weaker second harmonic."""
    unsteady = 0.3 * noise_between(rng, (0.02, 0.3), (1, len(time_s)), rate_hz)
    phase = 2 * np.pi * artefact.rhythm_hz * time_s + unsteady
    return (np.sin(phase) + 0.3 * np.sin(2 * phase + 1)) * soft_edges(time_s)


def _heart(artefact: Artefact, time_s: np.ndarray, rate_hz: float, rng: np.random.Generator) -> np.ndarray:
    """A spike of about 20 ms at every beat."""
    unsteady = 0.1 * noise_between(rng, (0.02, 0.3), (1, len(time_s)), rate_hz)
    since = (artefact.rhythm_hz * time_s + unsteady + 0.5) % 1 - 0.5
    return np.exp(-0.5 * (since / artefact.rhythm_hz / 0.01) ** 2) * soft_edges(time_s)


SHAPES: dict[str, Shape] = {
    "emg": muscle,
    "pop": pops,
    "movement": _movement,
    "patting": _rhythm,
    "ventilator": _rhythm,
    "ecg": _heart,
    "respiration": _rhythm,
}
