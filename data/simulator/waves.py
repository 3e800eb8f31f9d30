"""What waves of a simulated EEG are made of: noise between two frequencies, soft edges, values from quartiles."""

import numpy as np

EDGE_S = 0.5


def noise_between(
    rng: np.random.Generator, band_hz: tuple[float, float], shape: tuple[int, int], rate_hz: float
) -> np.ndarray:
    """Noise of unit RMS between two frequencies, (rows, samples) as `shape` says, each row its own.

    Made longer by a tenth and cut, as a Fourier sum closes on itself.
    """
    samples = 1 << int(np.ceil(np.log2(shape[1] * 1.1 + 16)))
    frequency = np.fft.rfftfreq(samples, 1 / rate_hz)
    inside = (frequency >= band_hz[0]) & (frequency <= band_hz[1])
    spectrum = np.zeros((shape[0], len(frequency)), dtype=complex)
    draws = rng.standard_normal((2, shape[0], int(inside.sum())))
    spectrum[:, inside] = (draws[0] + 1j * draws[1]) * samples / (2 * np.sqrt(max(1, inside.sum())))
    return np.fft.irfft(spectrum, samples, axis=1)[:, : shape[1]]


def soft_edges(time_s: np.ndarray) -> np.ndarray:
    """(time,) 0–1: rises within `EDGE_S` of the first of these ascending seconds, and falls as slowly to the last."""
    inner = np.minimum(time_s, time_s[-1] - time_s) / EDGE_S
    return np.sin(np.pi / 2 * np.clip(inner, 0, 1)) ** 2


def from_quartiles(rng: np.random.Generator, quartiles: tuple[float, float, float]) -> float:
    """A lognormal value of this median and distance between the quartiles (1.349 standard deviations)."""
    low, median, high = quartiles
    return float(rng.lognormal(np.log(median), np.log(high / low) / 1.349))
