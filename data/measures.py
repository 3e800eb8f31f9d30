"""Numbers that describe one EEG channel: amplitude, flatness, clipping, mains interference, spectral slope."""

import numpy as np
from scipy import fft as spfft

from data.recording import Recording

FLAT_UV = 1.0
"""Peak-to-peak below which a second counts as flat: even isoelectric EEG carries more amplifier noise."""


def pieces(recording: Recording, index: int, seconds: float, at_most: int | None = None) -> np.ndarray:
    """(pieces, samples) of one channel: whole pieces that hold no missing sample, evenly thinned to `at_most`."""
    length = max(1, round(seconds * recording.rate_hz))
    parts = [s.signal[index, : s.signal.shape[1] // length * length].reshape(-1, length) for s in recording.segments]
    count = sum(len(p) for p in parts)
    step = 1 if at_most is None else max(1, -(-count // at_most))
    pieces = np.concatenate([p[::step] for p in parts]) if parts else np.zeros((0, length))
    return pieces[np.isfinite(pieces).all(axis=1)]


def flat_share(seconds: np.ndarray) -> float:
    return float(np.mean(np.ptp(seconds, axis=1) < FLAT_UV)) if len(seconds) else float("nan")


def spread(seconds: np.ndarray) -> float:
    """Median standard deviation over the seconds that are not constant; 0 where all are."""
    living = seconds[np.ptp(seconds, axis=1) > 0] if len(seconds) else seconds
    return float(np.median(living.std(axis=1, dtype=np.float64))) if len(living) else 0.0


def clipped_share(recording: Recording, index: int) -> float:
    """Share of samples at the channel's extreme value whose neighbour is there too (a single peak is not clipped)."""
    rows = [s.signal[index] for s in recording.segments if s.signal.shape[1]]
    high = max((float(np.max(r)) for r in rows), default=0.0)
    low = min((float(np.min(r)) for r in rows), default=0.0)
    if not low < high:
        return 0.0  # constant: flat, not clipped
    stuck = 0
    for row in rows:
        for rail in (low, high):
            at = row == rail
            beside = np.zeros_like(at)
            beside[1:] |= at[:-1]
            beside[:-1] |= at[1:]
            stuck += int(np.count_nonzero(at & beside))
    return stuck / sum(len(r) for r in rows)


def nan_share(recording: Recording, index: int) -> float:
    missing = sum(int(np.count_nonzero(~np.isfinite(s.signal[index]))) for s in recording.segments)
    return missing / max(1, sum(s.signal.shape[1] for s in recording.segments))


def spectrum(pieces: np.ndarray, rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies and the median over pieces of their Hann-windowed power: artefacts in a few pieces do not count."""
    length = pieces.shape[1]
    frequencies = spfft.rfftfreq(length, 1 / rate_hz)
    if len(pieces) == 0:
        return frequencies, np.full(len(frequencies), np.nan)
    centred = (pieces - pieces.mean(axis=1, keepdims=True)) * np.hanning(length).astype(np.float32)
    power = np.abs(spfft.rfft(centred, axis=1)) ** 2
    return frequencies, np.median(power, axis=0)


def line_ratio(frequencies: np.ndarray, power: np.ndarray, line_hz: float) -> float:
    away = np.abs(frequencies - line_hz)
    near, beside = away <= 1.0, (away >= 2.0) & (away <= 5.0)
    if frequencies[-1] < line_hz + 2.0 or not beside.any() or not np.mean(power[beside]) > 0:
        return float("nan")
    return float(np.mean(power[near]) / np.mean(power[beside]))


def slope(frequencies: np.ndarray, power: np.ndarray) -> float:
    band = (frequencies >= 2.0) & (frequencies <= 12.0)
    if not (power[band] > 0).all():
        return float("nan")
    return float(np.polyfit(np.log10(frequencies[band]), np.log10(power[band]), 1)[0])
