"""The newborn's background EEG: coloured noise that wanders, spread over the scalp, with the pauses of quiet sleep.

| what | value | source |
|---|---|---|
| spectrum | 1/f^γ, γ = 5 − 2·(1 + Beta(7.82, 7.44)), redrawn every 8 s | Al-Sa'd & Boashash 2019, their MSEEG code |
| high-pass | 0.4–0.6 Hz | same |
| amplitude (`typical_uv`) | median derivation 12.9 µV RMS over babies, lognormal, sd 0.59: 5–95 % about 5–35 µV | same (166.3 µV²; fitted babies 6.4–35) |
| neighbours' likeness | sources blurred over 3 cm: correlation about .5 at 5 cm | one real preterm EEG, average reference: .5–.6 |
| electrode gains | lognormal, sd 0.1 | assumed: contact and skull differ a little |
| tracé alternant | bursts 3–8 s, pauses 4–8 s at .3–.7 of their amplitude, fading by 6 weeks | recalled textbook values |
| quiet sleep | 40 % of the time, stretches of about 10 min | assumed |

Nothing here knows whether the baby has seizures: amplitude must not give the label away.
"""

from dataclasses import dataclass

import numpy as np

from data.montage import ELECTRODES
from data.simulator.scalp import BIPOLAR, NEWBORN

BLOCK_S = 8.0
FADE_S = 1.0
HIGHEST_HZ = 64.0
LIKENESS_CM = 3.0
READ_BAND_HZ = (0.5, 30.0)
"""Amplitudes are meant in the band in which newborns' EEG is read."""


def typical_uv(rng: np.random.Generator) -> float:
    """A baby's own background amplitude: RMS of the median derivation."""
    return float(rng.lognormal(np.log(12.9), 0.59))


@dataclass(frozen=True)
class Background:
    """`rms_uv`: of the median bipolar derivation, 0.5–30 Hz. `envelope`: (time in s, gain) knots of mean square 1."""

    rms_uv: float
    exponents: tuple[float, ...]
    highpass_hz: float
    electrode_gains: tuple[float, ...]
    envelope: tuple[tuple[float, float], ...]
    seed: int


def draw_background(rng: np.random.Generator, rms_uv: float, age_days: float, duration_s: float) -> Background:
    """A baby's background as the table says; `rms_uv` is that of the median derivation, as `typical_uv` draws it."""
    blocks = int(np.ceil(duration_s / BLOCK_S))
    exponents = 5 - 2 * (1 + rng.beta(7.82, 7.44, blocks))
    gains = np.exp(rng.normal(0, 0.1, len(ELECTRODES)))
    return Background(
        rms_uv,
        tuple(exponents.tolist()),
        float(rng.uniform(0.4, 0.6)),
        tuple(gains.tolist()),
        _draw_envelope(rng, age_days, duration_s),
        int(rng.integers(2**63)),
    )


def render_background(background: Background, duration_s: float, rate_hz: float) -> np.ndarray:
    """(19, samples) µV: blocks of coloured noise, cross-faded at equal power, blurred over the scalp."""
    rng = np.random.default_rng(background.seed)
    samples = round(duration_s * rate_hz)
    mixing = _scaled_mixing(background)
    out = np.zeros((len(ELECTRODES), samples))
    for number, exponent in enumerate(background.exponents):
        block = _block(rng, mixing, exponent, background.highpass_hz, rate_hz)
        start = round((number * BLOCK_S - FADE_S / 2) * rate_hz)
        first, last = max(0, -start), min(block.shape[1], samples - start)
        out[:, start + first : start + last] += block[:, first:last]
    times_s, gains = np.transpose(background.envelope)
    out *= np.interp(np.arange(samples) / rate_hz, times_s, gains)
    return out


def _draw_envelope(rng: np.random.Generator, age_days: float, duration_s: float) -> tuple[tuple[float, float], ...]:
    """Active sleep is even; quiet sleep alternates between bursts and pauses, less so the older the baby."""
    pause = 1 - (1 - rng.uniform(0.3, 0.7)) * max(0.0, 1 - age_days / 42)
    quiet, now_s = bool(rng.random() < 0.4), 0.0
    knots = [(0.0, 1.0)]
    while now_s < duration_s:
        until_s = now_s + rng.exponential(600.0 if quiet else 900.0)
        while quiet and now_s < min(until_s, duration_s):
            burst_s, pause_s = rng.uniform(3, 8), rng.uniform(4, 8)
            knots += [(now_s + burst_s, 1.0), (now_s + burst_s + 1, pause)]
            knots += [(now_s + burst_s + pause_s, pause), (now_s + burst_s + pause_s + 1, 1.0)]
            now_s += burst_s + pause_s + 1
        quiet, now_s = not quiet, max(now_s, until_s)
    times_s, gains = np.transpose([*knots, (max(duration_s, knots[-1][0]) + 1, 1.0)])
    gains /= np.sqrt(np.mean(np.interp(np.arange(0, duration_s, 0.1), times_s, gains) ** 2))
    return tuple(zip(times_s.tolist(), gains.tolist(), strict=True))


def _scaled_mixing(background: Background) -> np.ndarray:
    mixing, correlation = NEWBORN.correlation_of(LIKENESS_CM)
    gains = np.array(background.electrode_gains)
    weighted = BIPOLAR * gains
    derivations = np.sqrt(np.einsum("de,ef,df->d", weighted, correlation, weighted))
    return mixing * gains[:, None] * background.rms_uv / np.median(derivations)


def _block(
    rng: np.random.Generator, mixing: np.ndarray, exponent: float, highpass_hz: float, rate_hz: float
) -> np.ndarray:
    """One block with its fades; a longer one is made and cut, since a Fourier sum joins its end to its start."""
    length_s = BLOCK_S + 2 * FADE_S
    frequency = np.arange(1, int(HIGHEST_HZ * length_s) + 1) / length_s
    power = frequency**-exponent * frequency**4 / (frequency**4 + highpass_hz**4)
    read = (frequency >= READ_BAND_HZ[0]) & (frequency <= READ_BAND_HZ[1])
    power /= power[read].sum()
    draws = rng.standard_normal((2, len(ELECTRODES), len(frequency))) * np.sqrt(power / 2)
    mixed = np.einsum("es,psf->pef", mixing, draws)
    samples = round(length_s * rate_hz)
    spectrum = np.zeros((len(ELECTRODES), samples // 2 + 1), dtype=complex)
    spectrum[:, 1 : len(frequency) + 1] = (mixed[0] + 1j * mixed[1]) * (samples / np.sqrt(2))
    fade = np.sin(np.pi / 2 * (np.arange(round(FADE_S * rate_hz)) + 0.5) / round(FADE_S * rate_hz))
    block = np.fft.irfft(spectrum, samples, axis=1)[:, : round((BLOCK_S + FADE_S) * rate_hz)]
    block[:, : len(fade)] *= fade
    block[:, -len(fade) :] *= fade[::-1]
    return block
