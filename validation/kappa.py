"""Agreement beyond chance between raters who mark seconds, and what it loses when a detector replaces an expert.

κ is 1 where raters agree completely and 0 where they do as chance would. Cohen's κ (1960) compares two raters, Fleiss'
κ (1971) any number; seconds of all patients are pooled. So defined, three experts agree with κ = 0.756 on the Helsinki
neonates (labels of Stevenson et al. 2019); the mean of the neonates' own κ is 0.497, without those 22 in whom it does
not exist because nobody marked anything.

**Δκ = κ(experts) − mean over experts of κ(that expert replaced by the detector)**, Fleiss' κ throughout. Positive: the
detector agrees with experts less than they agree with each other. It passes when its interval over patients includes
or lies below 0. The sign is that of Tapani et al. 2022 (Δκ = 0.077, −0.002 to 0.232: not inferior) and of the text of
Kljajic et al. 2025 (arXiv 2508.04899); the code published with the latter subtracts the other way round.
"""

from collections.abc import Sequence

import numpy as np

from validation.uncertainty import Statistic

MAX_RATERS = 11


def rating_counts(persons: Sequence[Sequence[np.ndarray]], raters: int) -> np.ndarray:
    """Seconds of each person with each combination of marks, (persons, 2^raters): every κ of any resample follows.

    Per person any number of bool arrays (raters, seconds), one per recording. Bit r of a column's number is set where
    rater r marks a seizure. ValueError for more raters than `MAX_RATERS`.
    """
    if raters > MAX_RATERS:
        raise ValueError(f"{raters} raters give {2**raters} combinations of marks: give at most {MAX_RATERS}")
    empty = np.zeros(2**raters)
    return np.stack([sum((_combinations(masks) for masks in recordings), empty) for recordings in persons])


def cohen_kappa(first: int, second: int) -> Statistic:
    """Statistic of `rating_counts`: Cohen's κ of two raters over all seconds of the patients drawn."""

    def statistic(weights: np.ndarray, counts: np.ndarray) -> np.ndarray:
        drawn, marks = weights @ counts, _marks(counts)
        one, other = marks[:, first], marks[:, second]
        p, q = _share(drawn, one), _share(drawn, other)
        return _beyond_chance(_share(drawn, one == other), p * q + (1 - p) * (1 - q))

    return statistic


def fleiss_kappa(raters: Sequence[int]) -> Statistic:
    """Statistic of `rating_counts`: Fleiss' κ of two or more raters over all seconds of the patients drawn."""
    k = len(raters)

    def statistic(weights: np.ndarray, counts: np.ndarray) -> np.ndarray:
        drawn, marking = weights @ counts, _marks(counts)[:, list(raters)].sum(axis=1)
        pairs = (marking * (marking - 1) + (k - marking) * (k - marking - 1)) / (k * (k - 1))
        p = _share(drawn, marking / k)
        return _beyond_chance(_share(drawn, pairs), p**2 + (1 - p) ** 2)

    return statistic


def delta_kappa(experts: Sequence[int], detector: int, replaced: Sequence[int] | None = None) -> Statistic:
    """Statistic: Fleiss' κ of `experts` − mean κ with each of `replaced` (all unless told) replaced by the detector."""

    def statistic(weights: np.ndarray, counts: np.ndarray) -> np.ndarray:
        those = experts if replaced is None else replaced
        teams = [[detector if e == out else e for e in experts] for out in those]
        with_detector = [fleiss_kappa(team)(weights, counts) for team in teams]
        return fleiss_kappa(experts)(weights, counts) - np.mean(with_detector, axis=0)

    return statistic


def kappa_per_person(counts: np.ndarray, statistic: Statistic) -> np.ndarray:
    """The statistic of each person alone, (persons,): NaN where it is not defined, as where nobody marks anything."""
    return statistic(np.eye(len(counts)), counts)


def _combinations(masks: np.ndarray) -> np.ndarray:
    """How often each combination of marks occurs in bool (raters, seconds)."""
    raters = len(masks)
    return np.bincount(2 ** np.arange(raters) @ masks, minlength=2**raters).astype(float)


def _marks(counts: np.ndarray) -> np.ndarray:
    """(combinations, raters) 0 or 1: who marks a seizure in each combination."""
    size = counts.shape[1]
    return (np.arange(size)[:, None] >> np.arange(size.bit_length() - 1)) & 1


def _share(drawn: np.ndarray, of: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return drawn @ of / drawn.sum(axis=1)


def _beyond_chance(agreed: np.ndarray, chance: np.ndarray) -> np.ndarray:
    room = 1 - chance
    return np.where(room > 1e-12, (agreed - chance) / np.where(room > 1e-12, room, 1.0), np.nan)
