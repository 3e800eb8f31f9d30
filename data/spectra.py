"""Short-time spectra of windows, computed in pieces that stay in cache."""

import itertools
from collections.abc import Sequence
from functools import cache

import numpy as np
from scipy import fft as spfft

from data.threads import each, shares
from data.windows import views

CHUNK_WINDOWS = 16
FLOOR_UV2 = 1e-2
"""Added to every power before the logarithm, far below any EEG (about 0.1 µV)."""


def stft_log_power(
    windows: np.ndarray, rate_hz: float, n_fft: int = 64, hop: int = 16, band_hz: tuple[float, float] = (0.5, 30.0)
) -> np.ndarray:
    """Log10 power of Hann-windowed frames: (windows, channels, samples) → (windows, channels, bins, frames), float32.

    Keeps the bins inside `band_hz`: so few that a matrix product with their waves is faster than a transform. It has
    one shape per window, so that a window's spectrum is the same bits in any company and on any number of threads.
    """
    waves = _waves(n_fft, rate_hz, tuple(band_hz))
    frames = (windows.shape[-1] - n_fft) // hop + 1
    out = np.empty((*windows.shape[:2], len(waves) // 2, frames), dtype=np.float32)

    def fill(share: slice) -> None:
        for start in range(share.start, share.stop, CHUNK_WINDOWS):
            piece = slice(start, min(start + CHUNK_WINDOWS, share.stop))
            out[piece] = _log_power(windows[piece], waves, hop)

    each(fill, shares(len(windows)))
    return out


def log_band_power(windows: np.ndarray, rate_hz: float, edges_hz: Sequence[float]) -> np.ndarray:
    """Log10 of the Hann-windowed power in the bands between `edges_hz`, in µV² per Hz.

    (windows, channels, samples) → (windows, channels, bands) float32; 1e-6 µV²/Hz is added before the logarithm.
    """
    taper = np.hanning(windows.shape[-1] + 1)[:-1].astype(np.float32)
    frequencies = spfft.rfftfreq(windows.shape[-1], 1 / rate_hz)
    bands = [(frequencies >= low) & (frequencies < high) for low, high in itertools.pairwise(edges_hz)]
    out = np.empty((*windows.shape[:2], len(bands)), dtype=np.float32)
    scale = np.float32(2 / (rate_hz * np.sum(taper**2)))
    for start in range(0, len(windows), CHUNK_WINDOWS):
        piece = np.ascontiguousarray(windows[start : start + CHUNK_WINDOWS], dtype=np.float32)
        spectrum = spfft.rfft(piece * taper, axis=-1)
        density = (spectrum.real**2 + spectrum.imag**2) * scale
        for number, band in enumerate(bands):
            out[start : start + CHUNK_WINDOWS, :, number] = np.log10(
                density[..., band].mean(axis=-1) + np.float32(1e-6)
            )
    return out


def _log_power(windows: np.ndarray, waves: np.ndarray, hop: int) -> np.ndarray:
    count, channels, _ = windows.shape
    view = views(windows, waves.shape[1], hop)
    columns = np.empty((count, waves.shape[1], channels * view.shape[2]), dtype=np.float32)
    columns.reshape(count, waves.shape[1], channels, -1)[:] = view.transpose(0, 3, 1, 2)
    parts = waves @ columns  # real parts above, imaginary below
    parts *= parts
    bins = len(waves) // 2
    power = parts[:, :bins]
    power += parts[:, bins:]
    power += np.float32(FLOOR_UV2)
    np.log(power, out=power)  # NumPy has a fast natural logarithm of 32-bit numbers, and no fast one to base 10
    power *= np.float32(1 / np.log(10))
    return power.reshape(count, bins, channels, -1).swapaxes(1, 2)


@cache
def _waves(n_fft: int, rate_hz: float, band_hz: tuple[float, float]) -> np.ndarray:
    """(2 · bins, n_fft): cosines, then sines, of the bins in the band, tapered and scaled so that squares are power."""
    frequencies = np.arange(n_fft // 2 + 1) * rate_hz / n_fft
    keep = np.flatnonzero((frequencies >= band_hz[0]) & (frequencies <= band_hz[1] + 1e-9))
    taper = np.hanning(n_fft + 1)[:-1]
    angle = 2 * np.pi * np.outer(keep, np.arange(n_fft)) / n_fft
    waves = np.concatenate([np.cos(angle), np.sin(angle)]) * (taper / np.sqrt(np.sum(taper**2)))
    return waves.astype(np.float32)
