"""Whole patients exchanged between two groups: effect sizes and p-values that hold for any distribution.

p-values count the observed grouping among the draws (Phipson & Smyth 2010), so that they are never zero.
"""

import numpy as np


def permutation_effects(
    reference: np.ndarray,
    current: np.ndarray,
    draws: int,
    rng: np.random.Generator,
    outlier_sd: float = 4.0,
    least: int = 2,
) -> tuple[np.ndarray, np.ndarray]:
    """Effects (current less reference, in SD between reference patients) and two-sided p of all features: (patients,
    features) → (features,) each. NaN is a value that is not known.

    Values further than `outlier_sd` robust SDs from the median of all patients are pulled in to that limit: one
    artefact must neither make nor hide a shift. The limits do not depend on who belongs to which group, so the
    exchange stays exact. Both are NaN where fewer than `least` patients of a group have the feature; p is where all
    patients are alike, since nothing could be found in it.
    """
    values = pulled_in(np.concatenate([reference, current]), outlier_sd)
    known = np.isfinite(values)
    side = _memberships(len(reference), len(current), draws, rng)
    differences = _mean_difference(side, np.where(known, values, 0.0), known)
    # equal up to rounding counts as extreme; so does a draw that left one group without any value
    milder = np.abs(differences[1:]) < np.abs(differences[0]) * (1 - 1e-9)
    p = (1 + (~milder).sum(axis=0)) / (1 + draws)
    few = np.minimum(known[side[0]].sum(axis=0), known[~side[0]].sum(axis=0)) < least
    spread = _spread(values[: len(reference)], values)
    effect = np.divide(differences[0], spread, out=np.zeros_like(spread), where=spread > 0)
    return np.where(few, np.nan, effect), np.where(few | (spread == 0), np.nan, p)


def pulled_in(values: np.ndarray, outlier_sd: float) -> np.ndarray:
    """Columns of `values` (patients, features) clipped to median ± `outlier_sd` robust SDs (1.4826 · MAD); NaN stays.

    A column in which more than half of the patients are alike has no robust scale and stays as it is.
    """
    counted = np.isfinite(values).any(axis=0)
    middle, reach = np.zeros(values.shape[1]), np.full(values.shape[1], np.inf)
    middle[counted] = np.nanmedian(values[:, counted], axis=0)
    spread = 1.4826 * np.nanmedian(np.abs(values[:, counted] - middle[counted]), axis=0)
    reach[counted] = np.where(spread > 0, outlier_sd * spread, np.inf)
    return np.clip(values, middle - reach, middle + reach)


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """Adjusted p-values (q) of one family of tests, (tests,) → (tests,) in the same order (Benjamini & Hochberg 1995).
    No p may be NaN."""
    order = np.argsort(p)
    stepped = p[order] * len(p) / np.arange(1, len(p) + 1)
    q = np.empty(len(p))
    q[order] = np.minimum(np.minimum.accumulate(stepped[::-1])[::-1], 1.0)
    return q


def _memberships(before: int, after: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """(1 + draws, patients) of bool: who counts as current; row 0 is how it was."""
    side = np.zeros((1 + draws, before + after), dtype=bool)
    side[0, before:] = True
    chosen = np.argpartition(rng.random((draws, before + after)), after - 1, axis=1)[:, :after]
    side[np.arange(1, draws + 1)[:, None], chosen] = True
    return side


def _mean_difference(side: np.ndarray, filled: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(groupings, features): mean of the current minus mean of the reference; NaN where a group has no value."""
    inside, counted = side.astype(float), known.astype(float)
    sums, counts = inside @ filled, inside @ counted
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums / counts - (filled.sum(axis=0) - sums) / (counted.sum(axis=0) - counts))


def _spread(reference: np.ndarray, everyone: np.ndarray) -> np.ndarray:
    """SD between reference patients; where they are all alike, that of everyone; else 0."""
    own, together = _sd(reference), _sd(everyone)
    return np.where(own > 1e-12, own, np.where(together > 1e-12, together, 0.0))


def _sd(values: np.ndarray) -> np.ndarray:
    out = np.zeros(values.shape[1])
    enough = np.isfinite(values).sum(axis=0) > 1
    out[enough] = np.nanstd(values[:, enough], axis=0, ddof=1)
    return out
