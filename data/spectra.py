"""Short-time spectra of windows, computed in pieces that stay in cache."""

import itertools
from collections.abc import Sequence

import numpy as np
from scipy import fft as spfft

CHUNK_WINDOWS = 64


def stft_log_power(
    windows: np.ndarray, rate_hz: float, n_fft: int = 64, hop: int = 16, band_hz: tuple[float, float] = (0.5, 30.0)
) -> np.ndarray:
    """Log10 power of Hann-windowed frames: (windows, channels, samples) → (windows, channels, bins, frames), float32.

    Keeps the bins inside `band_hz`; 1e-2 µV² is added before the logarithm, far below any EEG (about 0.1 µV).
    """
    taper = np.hanning(n_fft + 1)[:-1].astype(np.float32)
    frequencies = spfft.rfftfreq(n_fft, 1 / rate_hz)
    keep = (frequencies >= band_hz[0]) & (frequencies <= band_hz[1] + 1e-9)
    frames = (windows.shape[-1] - n_fft) // hop + 1
    out = np.empty((*windows.shape[:2], int(keep.sum()), frames), dtype=np.float32)
    scale = np.float32(1 / np.sum(taper**2))
    for start in range(0, len(windows), CHUNK_WINDOWS):
        piece = np.ascontiguousarray(windows[start : start + CHUNK_WINDOWS], dtype=np.float32)
        view = np.lib.stride_tricks.sliding_window_view(piece, n_fft, axis=-1)[:, :, ::hop]
        spectrum = spfft.rfft(view * taper, axis=-1)[..., keep]
        power = (spectrum.real**2 + spectrum.imag**2) * scale
        out[start : start + CHUNK_WINDOWS] = np.log10(power + np.float32(1e-2)).swapaxes(-1, -2)
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
