"""The EEG between seizures of adults and older children: 1/f noise, a posterior alpha rhythm, drowsiness, benign rhythms.

| what | value | source |
|---|---|---|
| spectrum | 1/f^γ, γ uniform in 1–1.5 awake | recalled |
| amplitude | median derivation of tcp_20 LogNormal(ln 9, .3) µV RMS, 0.5–30 Hz | assumed |
| alpha rhythm | 8–12 Hz, 20–60 µV peak to peak over the back of the head, both uniform | recalled |
| its width | sd 0.5 Hz, hence waxing and waning within seconds | assumed |
| eyes open 5–20 s: alpha at .15; closed 15–60 s; drowsy 20–60 s: alpha at .25 | in .3, .45, .25 of the stretches | blocking recalled; times and shares assumed |
| drowsiness | noise of 2–7 Hz of .9 times the background on top | assumed |
| benign rhythms | 0.3 per minute: 4–7 Hz or 1.5–3 Hz at one temporal or frontal electrode, 4–12 s, 30–90 µV peak to peak, neither speeding up nor slowing down | kinds recalled (temporal theta of drowsiness, intermittent slowing); all figures assumed |
| neighbours' likeness | sources blurred over 5 cm | assumed |

Benign slowing is the main source of false positives in adults (read, research notes 5.3), so it is here to be mistaken.
Nothing here knows whether or how the patient seizes, nor how old the patient is.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, next_fast_len

from data.montage import ELECTRODES
from data.simulator.adults.parts import Part
from data.simulator.scalp import ADULT, TCP

HIGHEST_HZ = 64.0
LIKENESS_CM = 5.0
READ_BAND_HZ = (0.5, 30.0)
RUNS_PER_MINUTE = 0.3
RUN_FOCI = ("F7", "F8", "T3", "T4", "T5", "T6", "F3", "F4")
STATES = {"open": (0.3, (5.0, 20.0)), "closed": (0.45, (15.0, 60.0)), "drowsy": (0.25, (20.0, 60.0))}
"""Share of the stretches, and how long one lasts in seconds."""
ALPHA_GAIN = {"open": 0.15, "closed": 1.0, "drowsy": 0.25}
TURN_S = 1.0


@dataclass(frozen=True)
class Rhythms:
    """What a person's EEG is like on any day. `rms_uv`: median derivation, noise alone; `alpha_uv`: peak to peak.

    `exponent` is the γ of its 1/f^γ spectrum, `alpha_hz` the middle of its alpha rhythm.
    """

    rms_uv: float
    exponent: float
    alpha_hz: float
    alpha_uv: float


@dataclass(frozen=True)
class Background:
    """`states`: (open, closed or drowsy; from when; until when), in seconds. `runs`: benign rhythms. Gains: factors."""

    rhythms: Rhythms
    electrode_gains: tuple[float, ...]
    states: tuple[tuple[str, float, float], ...]
    runs: tuple[Part, ...]
    seed: int


def draw_rhythms(rng: np.random.Generator) -> Rhythms:
    """A person's rhythms, drawn as the table above says."""
    return Rhythms(
        float(rng.lognormal(np.log(9), 0.3)),
        float(rng.uniform(1, 1.5)),
        float(rng.uniform(8, 12)),
        float(rng.uniform(20, 60)),
    )


def draw_background(rng: np.random.Generator, rhythms: Rhythms, duration_s: float) -> Background:
    """One recording's EEG between seizures: electrode gains (lognormal, sd 0.1), states, benign rhythms by onset."""
    gains = np.exp(rng.normal(0, 0.1, len(ELECTRODES)))
    states = tuple(_draw_states(rng, duration_s))
    count = rng.poisson(RUNS_PER_MINUTE * duration_s / 60)
    runs = sorted((_draw_run(rng, duration_s) for _ in range(count)), key=lambda run: run.onset_s)
    return Background(rhythms, tuple(gains.tolist()), states, tuple(runs), int(rng.integers(2**63)))


def render_background(background: Background, duration_s: float, rate_hz: float) -> np.ndarray:
    """(19, samples) µV."""
    rng = np.random.default_rng(background.seed)
    samples, rhythms = round(duration_s * rate_hz), background.rhythms
    time_s = np.arange(samples) / rate_hz
    mixing = _scaled_mixing(background)
    out = _coloured(rng, mixing, lambda f: f**-rhythms.exponent * f**4 / (f**4 + 0.5**4), samples, rate_hz)
    slow = _coloured(rng, 0.9 * mixing, lambda f: ((f >= 2) & (f <= 7)) / f, samples, rate_hz)
    out += slow * _gain(background, {"drowsy": 1.0}, time_s)
    alpha = _coloured(
        rng, _alpha_mixing(background), lambda f: np.exp(-0.5 * ((f - rhythms.alpha_hz) / 0.5) ** 2), samples, rate_hz
    )
    out += alpha * _gain(background, ALPHA_GAIN, time_s)
    return out


def eyes_open(background: Background) -> tuple[tuple[float, float], ...]:
    """(from, until) of the stretches with open eyes, in seconds."""
    return tuple((start_s, end_s) for state, start_s, end_s in background.states if state == "open")


def _draw_states(rng: np.random.Generator, duration_s: float) -> Iterator[tuple[str, float, float]]:
    now_s, last = 0.0, ""
    while now_s < duration_s:
        names = [name for name in STATES if name != last]
        shares = np.array([STATES[name][0] for name in names])
        last = names[rng.choice(len(names), p=shares / shares.sum())]
        end_s = now_s + float(rng.uniform(*STATES[last][1]))
        yield last, now_s, min(end_s, duration_s)
        now_s = end_s


def _draw_run(rng: np.random.Generator, duration_s: float) -> Part:
    band_hz = (4.0, 7.0) if rng.random() < 0.6 else (1.5, 3.0)
    frequency_hz, length_s = float(rng.uniform(*band_hz)), float(rng.uniform(4, 12))
    height_uv = float(np.exp(rng.uniform(*np.log([30, 90]))))
    weights = ADULT.field_of((RUN_FOCI[rng.integers(len(RUN_FOCI))],), 5.0)
    never = (0.0,) * len(ELECTRODES)
    return Part(
        "rhythm",
        float(rng.uniform(0, duration_s - length_s)),
        length_s,
        ((0.0, frequency_hz),),
        ((0.0, 0.3 * height_uv), (0.5 * length_s, height_uv), (length_s, 0.3 * height_uv)),
        tuple(weights.tolist()),
        never,
        never,
        0.08,
        1,
        1.0,
        1.0,
        int(rng.integers(2**63)),
    )


def _scaled_mixing(background: Background) -> np.ndarray:
    mixing, correlation = ADULT.correlation_of(LIKENESS_CM)
    gains = np.array(background.electrode_gains)
    weighted = TCP * gains
    derivations = np.sqrt(np.einsum("de,ef,df->d", weighted, correlation, weighted))
    return np.asarray(mixing * gains[:, None] * background.rhythms.rms_uv / np.median(derivations))


def _alpha_mixing(background: Background) -> np.ndarray:
    """(19, 3): a source that both hemispheres share, and one of each; RMS at the occiput as drawn."""
    left, right = ADULT.field_of(("O1",), 6.0), ADULT.field_of(("O2",), 6.0)
    rms_uv = background.rhythms.alpha_uv / np.sqrt(8)
    return rms_uv * np.stack([0.8 * np.maximum(left, right), 0.6 * left, 0.6 * right], axis=1)


def _gain(background: Background, of: dict[str, float], time_s: np.ndarray) -> np.ndarray:
    """The gain that each state has, with soft turns; states that are not named have none."""
    times, gains = [], []
    for state, start_s, end_s in background.states:
        times += [start_s, max(start_s, end_s - TURN_S)]
        gains += [of.get(state, 0.0)] * 2
    return np.interp(time_s, times, gains)


def _coloured(
    rng: np.random.Generator,
    mixing: np.ndarray,
    power_at: Callable[[np.ndarray], np.ndarray],
    samples: int,
    rate_hz: float,
) -> np.ndarray:
    """(electrodes, samples): sources of unit RMS from 0.5 to 30 Hz with this spectrum, mixed (electrodes, sources).

    A longer stretch is made and cut, since a Fourier sum joins its end to its start.
    """
    length = next_fast_len(int(1.02 * samples + 4 * rate_hz), real=True)
    frequency = np.arange(1, int(HIGHEST_HZ * length / rate_hz)) * rate_hz / length
    power = power_at(frequency)
    power = power / power[(frequency >= READ_BAND_HZ[0]) & (frequency <= READ_BAND_HZ[1])].sum()
    draws = rng.standard_normal((2, mixing.shape[1], len(frequency))) * np.sqrt(power / 2)
    spectrum = np.zeros((len(mixing), length // 2 + 1), dtype=complex)
    spectrum[:, 1 : len(frequency) + 1] = np.einsum("es,sf->ef", mixing, draws[0] + 1j * draws[1])
    return np.asarray(irfft(spectrum * (length / np.sqrt(2)), length, axis=1)[:, :samples])
