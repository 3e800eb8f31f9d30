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

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from data.montage import ELECTRODES
from data.simulator.scalp import nearest

EDGE_S = 0.5


@dataclass(frozen=True)
class Kind:
    """How often, how long and how wide a kind of artefact is; quartiles of duration and of derivations."""

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


@dataclass(frozen=True)
class Artefact:
    """One disturbance. `weights`: signed share of `amplitude_uv` at each electrode. `rhythm_hz`: of pops, their rate."""

    kind: str
    onset_s: float
    duration_s: float
    electrodes: tuple[str, ...]
    weights: tuple[float, ...]
    amplitude_uv: float
    rhythm_hz: float
    seed: int


@dataclass(frozen=True)
class Mains:
    """Hum of the power line: the same tone at every electrode, stronger or weaker with its contact."""

    line_hz: float
    amplitude_uv: tuple[float, ...]
    phases: tuple[float, ...]


def draw_artefacts(rng: np.random.Generator, duration_s: float, rate: float = 1.0) -> tuple[Artefact, ...]:
    """Artefacts of one recording in time order; `rate` multiplies all rates (0 gives none)."""
    drawn = []
    for name, kind in KINDS.items():
        own, share = rng.spawn(1)[0], kind.babies / 79
        if own.random() < share:
            count = own.poisson(rate * kind.per_hour / share * duration_s / 3600)
            drawn += [_draw_artefact(own, name, duration_s) for _ in range(count)]
    return tuple(sorted(drawn, key=lambda a: (a.onset_s, a.kind)))


def render_artefact(artefact: Artefact, rate_hz: float) -> np.ndarray:
    """(electrodes of the artefact, samples) µV from its onset to its end."""
    rng = np.random.default_rng(artefact.seed)
    time_s = np.arange(round(artefact.duration_s * rate_hz)) / rate_hz
    wave = _SHAPES[artefact.kind](artefact, time_s, rate_hz, rng)
    return artefact.amplitude_uv * np.array(artefact.weights)[:, None] * wave


def draw_mains(rng: np.random.Generator, line_hz: float, typical_uv: float) -> Mains:
    amplitudes = rng.lognormal(np.log(typical_uv), 0.5, len(ELECTRODES))
    phases = rng.uniform(0, 2 * np.pi) + rng.normal(0, 0.3, len(ELECTRODES))
    return Mains(line_hz + float(rng.normal(0, 0.02)), tuple(amplitudes.tolist()), tuple(phases.tolist()))


def render_mains(mains: Mains, samples: int, rate_hz: float) -> np.ndarray:
    """(19, samples) µV."""
    turn = 2 * np.pi * mains.line_hz / rate_hz * np.arange(samples)
    amplitudes, phases = np.array(mains.amplitude_uv), np.array(mains.phases)
    cosine, sine = amplitudes * np.cos(phases), amplitudes * np.sin(phases)
    return cosine[:, None] * np.sin(turn) + sine[:, None] * np.cos(turn)


def _draw_artefact(rng: np.random.Generator, name: str, duration_s: float) -> Artefact:
    kind = KINDS[name]
    onset_s = float(rng.uniform(0, duration_s - 1))
    length_s = min(max(1.0, _from_quartiles(rng, kind.duration_s)), duration_s - onset_s)
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


def _from_quartiles(rng: np.random.Generator, quartiles: tuple[float, float, float]) -> float:
    """A lognormal value of this median and distance between the quartiles (1.349 standard deviations)."""
    low, median, high = quartiles
    return float(rng.lognormal(np.log(median), np.log(high / low) / 1.349))


def _draw_electrodes(rng: np.random.Generator, kind: Kind) -> tuple[str, ...]:
    """The worst electrode by region, with its neighbours: about half as many electrodes as derivations."""
    weights = np.array([_share(e, kind.posterior) for e in ELECTRODES])
    worst = ELECTRODES[rng.choice(len(ELECTRODES), p=weights / weights.sum())]
    count = round(_from_quartiles(rng, kind.derivations) / 2)
    return nearest(worst, int(np.clip(count, 1, 12)))


def _share(electrode: str, posterior: bool) -> float:
    if posterior:
        return 1.0 if electrode in ("T5", "P3", "P4", "O1", "O2") else 0.05
    if electrode.startswith(("Fp", "F7", "F8", "T")):
        return 0.5
    return 0.22 if electrode.startswith("O") else 0.1


def _noise(
    rng: np.random.Generator, band_hz: tuple[float, float], shape: tuple[int, int], rate_hz: float
) -> np.ndarray:
    """Noise of unit RMS between two frequencies, made longer by a tenth and cut, as a Fourier sum closes on itself."""
    samples = 1 << int(np.ceil(np.log2(shape[1] * 1.1 + 16)))
    frequency = np.fft.rfftfreq(samples, 1 / rate_hz)
    inside = (frequency >= band_hz[0]) & (frequency <= band_hz[1])
    spectrum = np.zeros((shape[0], len(frequency)), dtype=complex)
    draws = rng.standard_normal((2, shape[0], int(inside.sum())))
    spectrum[:, inside] = (draws[0] + 1j * draws[1]) * samples / (2 * np.sqrt(max(1, inside.sum())))
    return np.fft.irfft(spectrum, samples, axis=1)[:, : shape[1]]


def _edges(time_s: np.ndarray) -> np.ndarray:
    inner = np.minimum(time_s, time_s[-1] - time_s) / EDGE_S
    return np.sin(np.pi / 2 * np.clip(inner, 0, 1)) ** 2


def _muscle(artefact: Artefact, time_s: np.ndarray, rate_hz: float, rng: np.random.Generator) -> np.ndarray:
    shape = (len(artefact.electrodes), len(time_s))
    bursts = np.abs(_noise(rng, (0.1, 1.0), (1, len(time_s)), rate_hz))
    return _noise(rng, (20.0, min(100.0, 0.48 * rate_hz)), shape, rate_hz) * bursts * _edges(time_s)


def _movement(artefact: Artefact, time_s: np.ndarray, rate_hz: float, rng: np.random.Generator) -> np.ndarray:
    shared = _noise(rng, (0.3, 2.0), (1, len(time_s)), rate_hz)
    own = _noise(rng, (0.3, 2.0), (len(artefact.electrodes), len(time_s)), rate_hz)
    return (0.8 * shared + 0.6 * own) * _edges(time_s)


def _rhythm(artefact: Artefact, time_s: np.ndarray, rate_hz: float, rng: np.random.Generator) -> np.ndarray:
    """A rhythm of constant rate, slightly unsteady, with a weaker second harmonic."""
    unsteady = 0.3 * _noise(rng, (0.02, 0.3), (1, len(time_s)), rate_hz)
    phase = 2 * np.pi * artefact.rhythm_hz * time_s + unsteady
    return (np.sin(phase) + 0.3 * np.sin(2 * phase + 1)) * _edges(time_s)


def _heart(artefact: Artefact, time_s: np.ndarray, rate_hz: float, rng: np.random.Generator) -> np.ndarray:
    """A spike of about 20 ms at every beat."""
    unsteady = 0.1 * _noise(rng, (0.02, 0.3), (1, len(time_s)), rate_hz)
    since = (artefact.rhythm_hz * time_s + unsteady + 0.5) % 1 - 0.5
    return np.exp(-0.5 * (since / artefact.rhythm_hz / 0.01) ** 2) * _edges(time_s)


def _pops(artefact: Artefact, time_s: np.ndarray, rate_hz: float, rng: np.random.Generator) -> np.ndarray:
    """The first pop comes at the onset; an electrode that stays loose pops again."""
    count = 1 + rng.poisson(artefact.rhythm_hz * max(0.0, time_s[-1] - 1))
    times_s = np.concatenate([[0.0], rng.uniform(0, time_s[-1], count - 1)])
    wave = np.zeros((1, len(time_s)))
    for at_s, decay_s, size in zip(times_s, rng.uniform(0.1, 1, count), rng.uniform(0.4, 1, count), strict=True):
        since = np.maximum(time_s - at_s, 0)
        wave[0] += size * rng.choice([-1, 1]) * np.exp(-since / decay_s) * (time_s >= at_s)
    return wave


_SHAPES: dict[str, Callable[[Artefact, np.ndarray, float, np.random.Generator], np.ndarray]] = {
    "emg": _muscle,
    "pop": _pops,
    "movement": _movement,
    "patting": _rhythm,
    "ventilator": _rhythm,
    "ecg": _heart,
    "respiration": _rhythm,
}
