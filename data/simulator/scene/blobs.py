"""Soft round blobs on a picture: all that is ever drawn here, thousands of frames a second.

A blob is a product of a bell in x and a bell in y, so that many of them are one matrix product per frame.
"""

import numpy as np


def draw_blobs(
    centres: np.ndarray, radii: np.ndarray, tones: np.ndarray, size_px: int, hardness: float = 2.5
) -> tuple[np.ndarray, np.ndarray]:
    """How much of each pixel is covered (0–1), and the mean tone of what covers it: both (time, size, size) float32.

    `centres` (time, blob, 2) in pixels, `radii` (blob,) or (time, blob) in pixels, `tones` (blob,).
    """
    radii = np.broadcast_to(np.asarray(radii, np.float32), centres.shape[:2])
    pixel = np.arange(size_px, dtype=np.float32)
    across = _bells(centres[..., 0], radii, pixel)
    down = _bells(centres[..., 1], radii, pixel).transpose(0, 2, 1) * np.float32(hardness)
    weight = down @ across
    tone = (down * np.asarray(tones, np.float32)) @ across
    tone /= np.maximum(weight, 1e-6)
    np.negative(weight, out=weight)
    np.expm1(weight, out=weight)
    return np.negative(weight, out=weight), tone


def _bells(centre: np.ndarray, radii: np.ndarray, pixel: np.ndarray) -> np.ndarray:
    """(time, blob, pixel)"""
    away = pixel - centre.astype(np.float32)[..., None]
    away /= radii[..., None]
    away *= away
    away *= np.float32(-1)
    return np.exp(away, out=away)
