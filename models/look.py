"""What a window of EEG looks like, in ten numbers over all derivations, the same for every detector.

They stand beside the detector, not inside it: a detector that is sure of itself cannot hide what it was never shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import fft as spfft

from data.frontend import Prepared
from data.windows import samples

WINDOW_S, HOP_S = 2.0, 1.0
CHUNK = 64
"""Seconds that are measured at a time, so that they stay in cache."""

FEATURES: Mapping[str, str] = {
    "delta": "power at 1–3 Hz",
    "theta": "power at 4–7 Hz",
    "alpha": "power at 8–12 Hz",
    "beta": "power at 13–30 Hz",
    "line_length": "line length",
    "quietest": "how far the quietest derivation lies below the middle one",
    "loudest": "how far the loudest derivation lies above the middle one",
    "spread": "how much the derivations differ in power",
    "alike": "how alike the derivations are",
    "peak": "how far peaks stand out",
}
"""What is measured of a window, over all derivations; powers, lengths and distances are logarithms to base 10."""

BANDS_FROM_HZ = (1, 4, 8, 13)
TO_HZ = 30


@dataclass(frozen=True)
class Look:
    """What a recording's windows look like: `x` (windows, features) and `onset_s` (windows,)."""

    x: np.ndarray
    onset_s: np.ndarray


def look(prepared: Prepared) -> Look:
    """Measure every window of 2 s, one each second, from the prepared signal; nothing in a window depends on another.

    Seconds are measured once and joined in pairs, so a window costs what a second costs.
    """
    parts = [_segment(s.signal, samples(HOP_S, prepared.rate_hz)) for s in prepared.segments]
    onsets_s = [s.onset_s + HOP_S * np.arange(len(p)) for s, p in zip(prepared.segments, parts, strict=True)]
    empty = np.zeros((0, len(FEATURES)), dtype=np.float32)
    return Look(np.concatenate([empty, *parts]), np.concatenate([np.zeros(0), *onsets_s]))


def _segment(signal: np.ndarray, second: int) -> np.ndarray:
    """(derivations, samples) → (windows, features) float32."""
    whole = signal.shape[1] // second
    if whole < 2:
        return np.zeros((0, len(FEATURES)), dtype=np.float32)
    pieces = signal[:, : whole * second].reshape(len(signal), whole, second).swapaxes(0, 1)
    measured = [_seconds(pieces[i : i + CHUNK]) for i in range(0, whole, CHUNK)]
    bands, length, alike, peak = (np.concatenate(part) for part in zip(*measured, strict=True))
    bands, length, alike = ((a[1:] + a[:-1]) / 2 for a in (bands, length, alike))
    power = np.log10(bands.sum(axis=2) + 1e-2)
    middle = np.median(power, axis=1)
    spread = [middle - power.min(axis=1), power.max(axis=1) - middle, power.std(axis=1)]
    stands_out = np.log10(np.maximum(peak[1:], peak[:-1]) + 1e-1) - power / 2
    levels = [*np.log10(bands + 1e-2).mean(axis=1).T, np.log10(length + 1e-2).mean(axis=1)]
    return np.column_stack([*levels, *spread, alike, stands_out.mean(axis=1)]).astype(np.float32)


def _seconds(pieces: np.ndarray) -> tuple[np.ndarray, ...]:
    """(seconds, derivations, samples) → band powers in µV², mean absolute difference, likeness, peak in µV."""
    taper = np.hanning(pieces.shape[2] + 1)[:-1].astype(np.float32)
    spectrum = spfft.rfft(pieces * taper, axis=2)[..., 1 : TO_HZ + 1]  # a second long: bin k is k Hz
    power = (spectrum.real**2 + spectrum.imag**2) @ _bands(np.float32(2 / (len(taper) * np.sum(taper**2))))
    steps = pieces[..., 1:] - pieces[..., :-1]
    products = pieces @ pieces.swapaxes(1, 2)  # the prepared signal has no offset: its products are covariances
    size = np.sqrt(np.einsum("scc->sc", products)) + 1e-3
    likeness = np.einsum("scd,sc,sd->s", np.abs(products), 1 / size, 1 / size) - len(pieces[0])
    pairs = max(1, pieces.shape[1] * (pieces.shape[1] - 1))
    length = np.abs(steps, out=steps) @ np.full(steps.shape[2], 1 / steps.shape[2], dtype=np.float32)
    return power, length, likeness / pairs, np.abs(pieces).max(axis=2)


def _bands(scale: np.float32) -> np.ndarray:
    """(frequencies 1 … TO_HZ, bands): which band each frequency counts for."""
    which = np.searchsorted(BANDS_FROM_HZ, np.arange(1, TO_HZ + 1), side="right") - 1
    return np.eye(len(BANDS_FROM_HZ), dtype=np.float32)[which] * scale
