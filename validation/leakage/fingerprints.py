"""Fingerprints of a signal's striking moments: alike for a copy that was cut elsewhere, amplified or turned over.

A moment is where a fixed mixture of all channels changes fastest within half a second around; its print is the
course of three mixtures over the 4 s about it (slope of 1–8 Hz, which is nearly white in EEG), of unit length and
upright. The moment itself says where to cut, so a shift does not matter; nor do gain, offset, polarity or drift.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BAND_HZ = (1.0, 8.0)
STRIKING_WITHIN_S = 0.5
HALF_S = 2.0
STEP_HZ = 16.0
MIXTURES = 3
FLAT_UV_PER_S = 5.0
"""Slope below which a moment is nobody's EEG (1 µV at 1 Hz changes by 6 µV/s)."""
ONE_COURSE = 0.98
"""Share of one course in all mixtures above which a moment is the same in every channel: a calibration pulse."""
REPEATS = 0.9
"""Correlation of a course with itself a quarter of a second to 2 s later above which it is a mere rhythm."""


@dataclass(frozen=True)
class Fingerprints:
    """Moments of one recording (about 0.9 per second) and their prints, int8 (moments, 195): 12 kB per minute.

    `at_s` (moments,) in seconds of the recording. `channels` is how many channels were mixed: prints of different
    channel sets cannot be compared.
    """

    at_s: np.ndarray
    prints: np.ndarray
    channels: int

    def __len__(self) -> int:
        return len(self.at_s)

    @classmethod
    def join(cls, parts: Sequence["Fingerprints"]) -> "Fingerprints":
        """All moments of one recording's gapless stretches."""
        at_s, prints = np.concatenate([p.at_s for p in parts]), np.concatenate([p.prints for p in parts])
        return cls(at_s, prints, parts[0].channels)


def fingerprint(signal: np.ndarray, rate_hz: float, onset_s: float = 0.0) -> Fingerprints:
    """Fingerprints of one gapless stretch (channels, samples) that begins `onset_s` into its recording.

    Channels must come in one order in all recordings compared (a montage); a rate below 32 Hz is a ValueError. Moments
    within 2 s of an edge or of a missing sample are left out. 20–40 ms for 10 minutes of 18 channels at 128 Hz.
    """
    if rate_hz < 4 * BAND_HZ[1]:
        raise ValueError(f"fingerprints need a rate ≥ {4 * BAND_HZ[1]:g} Hz, got {rate_hz:g} Hz")
    channels, reach = len(signal), round((HALF_S + 2 / STEP_HZ) * rate_hz)
    if signal.shape[1] <= 2 * reach + 1:
        return Fingerprints(np.zeros(0), np.zeros((0, _width(channels)), np.int8), channels)
    missing = ~np.isfinite(signal).all(axis=0)
    slopes = _slopes(np.where(missing, 0.0, signal) if missing.any() else signal, rate_hz)
    moments = _moments(slopes[0], rate_hz, reach, missing)
    courses = _courses(slopes, moments, rate_hz)
    told = _telling(courses)
    return Fingerprints(onset_s + moments[told] / rate_hz, _printed(courses[told]), channels)


def unit(prints: np.ndarray) -> np.ndarray:
    """Prints (moments, numbers) as float32 rows of unit length: the product of two is their correlation."""
    rows = prints.astype(np.float32)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def _width(channels: int) -> int:
    return min(MIXTURES, channels) * (round(2 * HALF_S * STEP_HZ) + 1)


def _slopes(signal: np.ndarray, rate_hz: float) -> np.ndarray:
    """(mixtures, samples) µV/s of the fixed mixtures in the band."""
    from scipy import signal as sps

    signs = np.random.default_rng(len(signal)).choice([-1.0, 1.0], (min(MIXTURES, len(signal)), len(signal)))
    mixed = (signs / np.sqrt(len(signal))).astype(np.float32) @ signal.astype(np.float32)
    band = sps.butter(3, BAND_HZ, "bandpass", fs=rate_hz, output="sos")
    filtered = sps.sosfiltfilt(band, mixed.astype(np.float64), axis=1)
    return np.asarray(np.gradient(filtered, axis=1) * rate_hz)


def _moments(lead: np.ndarray, rate_hz: float, reach: int, missing: np.ndarray) -> np.ndarray:
    """Where |slope| is highest within half a second around, in samples with a fraction (parabola through the peak)."""
    from scipy import ndimage

    height = np.abs(lead)
    around = 2 * round(STRIKING_WITHIN_S * rate_hz) + 1
    peak = (height == ndimage.maximum_filter1d(height, around)) & (height > FLAT_UV_PER_S)
    peak &= ~ndimage.binary_dilation(missing, iterations=reach) if missing.any() else True
    at = np.flatnonzero(peak)
    at = at[(at >= reach) & (at < len(lead) - reach)]
    before, here, after = height[at - 1], height[at], height[at + 1]
    return at + 0.5 * (before - after) / np.minimum(before - 2 * here + after, -1e-12)


def _courses(slopes: np.ndarray, moments: np.ndarray, rate_hz: float) -> np.ndarray:
    """(moments, mixtures, steps), upright: the leading mixture rises at its moment."""
    steps = np.arange(-HALF_S, HALF_S + 1e-9, 1 / STEP_HZ) * rate_hz
    places = moments[:, None] + steps
    left = np.floor(places).astype(int)
    part = places - left
    courses = slopes[:, left] * (1 - part) + slopes[:, left + 1] * part
    upright = np.sign(slopes[0, np.round(moments).astype(int)])
    return np.asarray(courses.transpose(1, 0, 2) * upright[:, None, None])


def _telling(courses: np.ndarray) -> np.ndarray:
    """Moments that can be told from others: neither the same in every channel nor a mere rhythm. Bool (moments,)."""
    if courses.shape[1] < 2:
        return ~_repeating(courses)
    powers = np.linalg.eigvalsh(courses @ courses.transpose(0, 2, 1))
    return np.asarray(powers[:, -1] < ONE_COURSE * powers.sum(axis=1)) & ~_repeating(courses)


def _repeating(courses: np.ndarray) -> np.ndarray:
    repeats = np.zeros(len(courses), dtype=bool)
    for lag in range(round(STEP_HZ / 4), round(2 * STEP_HZ) + 1):
        early, late = courses[..., :-lag], courses[..., lag:]
        product = np.einsum("mks,mks->m", early, late)
        power = np.einsum("mks,mks->m", early, early) * np.einsum("mks,mks->m", late, late)
        repeats |= product > REPEATS * np.sqrt(power)
    return repeats


def _printed(courses: np.ndarray) -> np.ndarray:
    rows = courses.reshape(len(courses), courses.shape[1] * courses.shape[2])
    highest = np.abs(rows).max(axis=1, keepdims=True, initial=1e-9)
    return np.round(127 * rows / highest).astype(np.int8)
