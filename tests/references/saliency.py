"""The saliency image of one window, element by element: sums instead of fast transforms, loops instead of filters."""

import cmath
import math

FLOOR_UV = 1e-3


def image(window: list[list[float]], bins: int) -> list[list[list[float]]]:
    """Window [derivation][sample] in µV → [map][derivation][bin]: log spectrum, spectral residual, centre–surround."""
    spectrum = [[amplitude(row, k) for k in range(1, bins + 1)] for row in window]
    log = [[math.log10(abs(a) + FLOOR_UV) for a in row] for row in spectrum]
    return [scaled(m) for m in (log, residual(log, spectrum), [[v - min(_around(log, r, c)) for c, v in enumerate(row)]
            for r, row in enumerate(log)])]  # fmt: skip


def amplitude(row: list[float], k: int) -> complex:
    """A cosine of 10 µV with k whole periods in the window has the amplitude 10 at k."""
    n = len(row)
    return 2 / n * sum(v * cmath.exp(-2j * math.pi * k * i / n) for i, v in enumerate(row))


def residual(log: list[list[float]], spectrum: list[list[complex]]) -> list[list[float]]:
    """exp(log − 3×3 mean) with the phase of the signal, transformed back along the bins, squared, smoothed by a 3×3 Gaussian."""
    power = []
    for r, row in enumerate(log):
        left = []
        for c, value in enumerate(row):
            around = _around(log, r, c)
            left.append(cmath.rect(10 ** (value - sum(around) / 9), cmath.phase(spectrum[r][c])))
        n = len(row)
        back = [sum(v * cmath.exp(2j * math.pi * k * j / n) for k, v in enumerate(left)) / n for j in range(n)]
        power.append([abs(v) ** 2 for v in back])
    gaussian = [1, 2, 1, 2, 4, 2, 1, 2, 1]
    return [
        [sum(w * v for w, v in zip(gaussian, _around(power, r, c), strict=True)) / 16 for c in range(len(power[0]))]
        for r in range(len(power))
    ]


def scaled(values: list[list[float]]) -> list[list[float]]:
    low, high = min(map(min, values)), max(map(max, values))
    return [[(v - low) / (high - low) if high > low else 0.0 for v in row] for row in values]


def _around(values: list[list[float]], r: int, c: int) -> list[float]:
    """The nine values around one, row by row; beyond an edge stands the value at the edge."""
    rows, columns = len(values), len(values[0])
    return [
        values[min(max(r + i, 0), rows - 1)][min(max(c + j, 0), columns - 1)] for i in (-1, 0, 1) for j in (-1, 0, 1)
    ]
