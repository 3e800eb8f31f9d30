"""Saliency-encoded spectra of EEG windows: the images that SeizureNet looks at (Asif et al. 2020, arXiv 1903.03232).

An image has a row per derivation and a column per frequency bin, and three maps: the log spectrum FT itself, its
spectral residual (Hou & Zhang 2007) and its centre–surround difference.
"""

from dataclasses import dataclass

import numpy as np
from scipy import fft as spfft

from data.windows import samples

MAPS = 3
CHUNK_WINDOWS = 32
FLOOR_UV = 1e-3
"""Added to the amplitude of a bin before its logarithm: below the rounding noise of 16-bit recordings."""


@dataclass(frozen=True)
class SpectralSetting:
    """How a clip is seen: in windows of `window_s`, each `overlap` (0–1) inside the last, up to `f_max_hz`.

    ValueError at rates that do not hold `f_max_hz` or give windows of no whole number of samples.
    """

    f_max_hz: float
    window_s: float
    overlap: float

    @property
    def bins(self) -> int:
        """Columns of an image: the bins 1/window_s, 2/window_s, … f_max_hz, without the mean."""
        return samples(self.window_s, self.f_max_hz)

    def count(self, clip_samples: int, rate_hz: float) -> int:
        """How many windows a clip holds; ValueError for one shorter than a window."""
        size, hop = self.size_and_hop(rate_hz)
        if clip_samples < size:
            raise ValueError(f"a clip of {clip_samples} samples is shorter than its window of {size}")
        return (clip_samples - size) // hop + 1

    def windows(self, clips: np.ndarray, rate_hz: float) -> np.ndarray:
        """(clips, derivations, samples) → (clips, windows, derivations, samples), a read-only view."""
        self.count(clips.shape[-1], rate_hz)
        size, hop = self.size_and_hop(rate_hz)
        view = np.lib.stride_tricks.sliding_window_view(clips, size, axis=-1)[..., ::hop, :]
        return view.swapaxes(1, 2)

    def images(self, windows: np.ndarray) -> np.ndarray:
        """Windows (windows, derivations, samples) in µV → (windows, 3, derivations, bins) float32, each map in 0–1."""
        out = np.empty((len(windows), MAPS, windows.shape[1], self.bins), dtype=np.float32)
        for start in range(0, len(windows), CHUNK_WINDOWS):
            piece = slice(start, start + CHUNK_WINDOWS)
            spectrum = amplitude_spectrum(np.ascontiguousarray(windows[piece], dtype=np.float32), self.bins)
            log = np.log10(np.abs(spectrum) + np.float32(FLOOR_UV))
            for number, made in enumerate((log, spectral_residual(log, spectrum), centre_surround(log))):
                out[piece, number] = scaled(made)
        return out

    def size_and_hop(self, rate_hz: float) -> tuple[int, int]:
        """Samples of a window, and from one to the next."""
        if self.f_max_hz > rate_hz / 2:
            raise ValueError(f"spectra up to {self.f_max_hz:g} Hz need twice that rate, got {rate_hz:g} Hz")
        return samples(self.window_s, rate_hz), samples(self.window_s * (1 - self.overlap), rate_hz)


def amplitude_spectrum(windows: np.ndarray, bins: int) -> np.ndarray:
    """Complex amplitudes in µV of the bins 1 … `bins` of windows without taper: (…, samples) → (…, bins).

    A sine of 10 µV that fits the window whole has the absolute value 10 in its bin.
    """
    spectrum = spfft.rfft(windows, axis=-1)[..., 1 : bins + 1]
    return np.asarray(spectrum * np.float32(2 / windows.shape[-1]))


def spectral_residual(log: np.ndarray, spectrum: np.ndarray) -> np.ndarray:
    """What is left of the log spectrum without its 3×3 mean, with the phase kept, as power over the window's time.

    (…, derivations, bins) → the same shape: column j stands for the time j/bins of the window. The log spectrum *is*
    Hou & Zhang's log amplitude, so the phase is that of the signal and the inverse transform runs along the
    frequencies of each derivation (the paper's formula; it does not transform the image a second time). Amplitudes are
    rebuilt with the logarithm's own base. Smoothed by a 3×3 Gaussian (1 2 1 along either side).
    """
    phase = spectrum / np.maximum(np.abs(spectrum), np.float32(1e-12))
    back = spfft.ifft(10 ** (log - _box_mean(log)) * phase, axis=-1)
    return _gaussian(back.real**2 + back.imag**2)


def centre_surround(log: np.ndarray) -> np.ndarray:
    """How far each bin stands above the lowest of its 3×3 surround, itself included: (…, derivations, bins) ≥ 0."""
    lowest = log
    for axis in (-1, -2):
        lowest = _with_neighbours(np.minimum, lowest, axis)
    return log - lowest


def scaled(maps: np.ndarray) -> np.ndarray:
    """Each map of (…, derivations, bins) from its lowest value, 0, to its highest, 1; all 0 where it has one value."""
    low = maps.min(axis=(-1, -2), keepdims=True)
    span = maps.max(axis=(-1, -2), keepdims=True) - low
    return (maps - low) / np.where(span > 0, span, 1)


def _box_mean(maps: np.ndarray) -> np.ndarray:
    for axis in (-1, -2):
        maps = _with_neighbours(np.add, maps, axis) / np.float32(3)
    return maps


def _gaussian(maps: np.ndarray) -> np.ndarray:
    for axis in (-1, -2):
        maps = (_with_neighbours(np.add, maps, axis) + maps) / np.float32(4)
    return maps


def _with_neighbours(join: np.ufunc, maps: np.ndarray, axis: int) -> np.ndarray:
    """Each element joined with those before and after it; an edge is its own neighbour, so that it does not stand out."""
    rows = np.moveaxis(maps, axis, 0)
    joined = np.empty_like(maps)
    out = np.moveaxis(joined, axis, 0)
    join(rows[:1], rows[:1], out=out[:1])
    join(rows[:-1], rows[1:], out=out[1:])
    join(out[:-1], rows[1:], out=out[:-1])
    join(out[-1:], rows[-1:], out=out[-1:])
    return joined
