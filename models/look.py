"""What a window of EEG looks like, in ten numbers over all derivations, the same for every detector.

They stand beside the detector, not inside it: a detector that is sure of itself cannot hide what it was never shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import fft as spfft

from data.frontend import Prepared
from data.windows import Cutter, samples

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
    """Measure every window of 2 s, one each second, from the prepared signal; nothing in a window depends on another."""
    looking, parts = Looking(prepared.rate_hz), []
    for segment in prepared.segments:
        looking.start(segment.onset_s)
        parts.append(looking(segment.signal))
    nothing = Look(np.zeros((0, len(FEATURES)), dtype=np.float32), np.zeros(0))
    return Look(*(np.concatenate([getattr(p, name) for p in (nothing, *parts)]) for name in ("x", "onset_s")))


class Looking:
    """`look` while the prepared signal arrives, in any chunks: `start` a segment, then call.

    Seconds are measured once and joined in pairs, so a window costs what a second costs.
    """

    def __init__(self, rate_hz: float):
        self._rate_hz = rate_hz
        self.start(0.0)

    def start(self, onset_s: float) -> None:
        """A gapless stretch begins, `onset_s` seconds after the recording's start; no window reaches back over it."""
        self._cut = Cutter(self._rate_hz, HOP_S, HOP_S, onset_s)
        self._before: tuple[np.ndarray, ...] | None = None  # what was measured of the last second

    def __call__(self, signal: np.ndarray) -> Look:
        """(derivations, samples), the next of this segment → the windows that are whole now."""
        seconds, onset_s = self._cut(signal)
        pieces = range(0, len(seconds), CHUNK)
        new = [(onset_s[i : i + CHUNK], *_seconds(np.ascontiguousarray(seconds[i : i + CHUNK]))) for i in pieces]
        measured = new if self._before is None else [self._before, *new]
        if not measured:
            return Look(np.zeros((0, len(FEATURES)), dtype=np.float32), onset_s)
        onset_s, *joined = (np.concatenate(part) for part in zip(*measured, strict=True))
        self._before = (onset_s[-1:], *(part[-1:] for part in joined))
        return Look(_windows(*joined), onset_s[:-1])

    @property
    def next_end_s(self) -> float:
        """Seconds of the recording at which the next window will be whole."""
        return self._cut.next_end_s + (HOP_S if self._before is None else 0.0)


def looks(prepared: np.ndarray, rate_hz: float) -> np.ndarray:
    """`look` of several stretches of one length side by side: (derivations, stretches, samples) → (stretches, windows,
    features). Law: of each stretch, bit by bit, what it is alone."""
    length = samples(HOP_S, rate_hz)
    derivations, count, seconds = *prepared.shape[:2], prepared.shape[2] // length
    if seconds < 2:
        return np.zeros((count, 0, len(FEATURES)), dtype=np.float32)
    cut = prepared[..., : seconds * length].reshape(derivations, count * seconds, length).swapaxes(0, 1)
    measured = [_seconds(np.ascontiguousarray(cut[i : i + CHUNK])) for i in range(0, len(cut), CHUNK)]
    x = _windows(*(np.concatenate(part) for part in zip(*measured, strict=True)))
    is_of_one = np.arange(1, len(cut)) % seconds > 0  # not the end of one stretch and the start of the next
    return x[is_of_one].reshape(count, seconds - 1, len(FEATURES))


def _windows(bands: np.ndarray, length: np.ndarray, alike: np.ndarray, peak: np.ndarray) -> np.ndarray:
    """What was measured of n seconds in a row → features of the n − 1 windows in them, float32."""
    bands, length, alike = ((a[1:] + a[:-1]) / 2 for a in (bands, length, alike))
    power = np.log10(bands.sum(axis=2) + 1e-2)
    ordered, half = np.sort(power, axis=1), power.shape[1] // 2
    middle = (ordered[:, half] + ordered[:, ~half]) / 2  # NumPy's own median takes longer than a window's spectrum
    stands_out = np.log10(np.maximum(peak[1:], peak[:-1]) + 1e-1) - power / 2
    x = np.empty((len(power), len(FEATURES)), dtype=np.float32)
    x[:, :4] = np.log10(bands + 1e-2).mean(axis=1)
    x[:, 4] = np.log10(length + 1e-2).mean(axis=1)
    x[:, 5], x[:, 6], x[:, 7] = middle - power.min(axis=1), power.max(axis=1) - middle, power.std(axis=1)
    x[:, 8], x[:, 9] = alike, stands_out.mean(axis=1)
    return x


def _seconds(pieces: np.ndarray) -> tuple[np.ndarray, ...]:
    """(seconds, derivations, samples) → band powers in µV², mean absolute difference, likeness, peak in µV."""
    taper, bands = _constants(pieces.shape[2])
    spectrum = spfft.rfft(pieces * taper, axis=2)[..., 1 : TO_HZ + 1]  # a second long: bin k is k Hz
    power = (spectrum.real**2 + spectrum.imag**2) @ bands
    steps = pieces[..., 1:] - pieces[..., :-1]
    products = pieces @ pieces.swapaxes(1, 2)  # the prepared signal has no offset: its products are covariances
    size = np.sqrt(np.einsum("scc->sc", products)) + 1e-3
    likeness = np.einsum("scd,sc,sd->s", np.abs(products), 1 / size, 1 / size) - len(pieces[0])
    pairs = max(1, pieces.shape[1] * (pieces.shape[1] - 1))
    length = np.abs(steps, out=steps) @ np.full(steps.shape[2], 1 / steps.shape[2], dtype=np.float32)
    return power, length, likeness / pairs, np.abs(pieces).max(axis=2)


@cache
def _constants(length: int) -> tuple[np.ndarray, np.ndarray]:
    """For seconds of so many samples: the taper, and the band (frequencies 1 … TO_HZ, bands) that each frequency counts for."""
    taper = np.hanning(length + 1)[:-1].astype(np.float32)
    scale = np.float32(2 / (length * np.sum(taper**2)))
    which = np.searchsorted(BANDS_FROM_HZ, np.arange(1, TO_HZ + 1), side="right") - 1
    return taper, np.eye(len(BANDS_FROM_HZ), dtype=np.float32)[which] * scale
