"""Whether a stated probability means what it says: of the seconds called 70 %, are 70 % seizure?

Binned by second, summed by patient: the seconds draw the curve, the patients carry its uncertainty.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from validation.scoring import Scorer, code_digest, resting
from validation.uncertainty import Interval, finite, interval_of

BINS = 10


@dataclass(frozen=True)
class Calibration:
    """Sums per patient and bin, shape (patients, bins): stated probability, seizure seconds, all seconds with a
    probability; and (patients,) the summed squared error and the seconds recorded, with a probability or without.

    Bins are equally wide on 0–1, closed on the left (the last on both sides)."""

    stated: np.ndarray
    seizure: np.ndarray
    seconds: np.ndarray
    squared_error: np.ndarray
    recorded: np.ndarray

    @classmethod
    def of(cls, probabilities: Sequence[np.ndarray], labels: Sequence[np.ndarray], bins: int = BINS) -> "Calibration":
        """One array of probabilities and of labels (0, 1) per patient; seconds with a NaN probability are left out."""
        rows = [
            _sums(np.asarray(p, float), np.asarray(y, float), bins) for p, y in zip(probabilities, labels, strict=True)
        ]
        return cls(*(np.array(column) for column in zip(*rows, strict=True)))

    def of_patients(self, chosen: np.ndarray) -> "Calibration":
        """The patients where `chosen`, bool (patients,), is true, or those of these indices in their order."""
        return Calibration(*(getattr(self, part.name)[chosen] for part in fields(self)))

    def curve(self) -> list[dict[str, Any]]:
        """The reliability curve: per bin what was stated and what was seen, with seconds and patients behind it."""
        edges = np.linspace(0, 1, self.seconds.shape[1] + 1)
        seconds, patients = self.seconds.sum(axis=0), (self.seconds > 0).sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            stated, seen = self.stated.sum(axis=0) / seconds, self.seizure.sum(axis=0) / seconds
        return [
            {
                "from": float(edges[i]),
                "to": float(edges[i + 1]),
                "stated": finite(stated[i]),
                "seen": finite(seen[i]),
                "seconds": int(seconds[i]),
                "patients": int(patients[i]),
            }
            for i in range(len(seconds))
        ]


def ece(weights: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Statistic: expected calibration error, the gap between stated and seen, weighted by seconds (0 is perfect).

    `weights` (draws, patients) → (draws,), 0–1, NaN without a second. Noise adds to it, so it and its interval lie too
    high in small cohorts.
    """
    gap = np.abs(weights @ calibration.stated - weights @ calibration.seizure).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return gap / (weights @ calibration.seconds).sum(axis=1)


def brier(weights: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Statistic: mean squared error of the probability, per second (0 is perfect; stating 0.5 always gives 0.25).

    `weights` (draws, patients) → (draws,), NaN without a second.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return (weights @ calibration.squared_error) / (weights @ calibration.seconds.sum(axis=1))


def ece_interval(calibration: Calibration, weights: np.ndarray) -> Interval:
    """Expected calibration error (0–1) with its 95 % interval; `weights` (draws, patients)."""
    return interval_of(calibration, ece, weights)


def brier_interval(calibration: Calibration, weights: np.ndarray) -> Interval:
    """Brier score (0–1) with its 95 % interval; `weights` (draws, patients)."""
    return interval_of(calibration, brier, weights)


def reliability(calibration: Calibration, sites: Sequence[str], weights: np.ndarray) -> dict[str, Any]:
    """Curve, ECE and Brier over all and per site, as plain JSON.

    `weights` (draws, patients) as drawn by `uncertainty.patient_draws`, by site; `sites` names that of each patient.
    """
    every = np.array(sites)
    per_site = {
        site: _summary(calibration.of_patients(every == site), weights[:, every == site]) for site in sorted(set(sites))
    }
    return {"scorer": scorer().to_json(), "unit": "patient", **_summary(calibration, weights), "sites": per_site}


def scorer() -> Scorer:
    """Who made these figures: into how many bins of equal width the seconds go."""
    return Scorer("reliability", "1", code_digest([__file__]), {"bins": BINS, "binning": "equal width", "rate_hz": 1})


def _summary(calibration: Calibration, weights: np.ndarray) -> dict[str, Any]:
    return {
        "rests_on": resting(len(calibration.seconds), calibration.seconds.sum(), calibration.recorded.sum()),
        "patients": len(calibration.seconds),
        "ece": ece_interval(calibration, weights).to_json(),
        "brier": brier_interval(calibration, weights).to_json(),
        "curve": calibration.curve(),
    }


def _sums(probabilities: np.ndarray, labels: np.ndarray, bins: int) -> tuple[Any, ...]:
    """One patient's part of `Calibration`, in the order of its fields."""
    known = np.isfinite(probabilities)
    p, y = probabilities[known], labels[known]
    place = np.minimum((p * bins).astype(int), bins - 1)
    stated, seizure, seconds = (np.bincount(place, weights=w, minlength=bins) for w in (p, y, np.ones(len(p))))
    return stated, seizure, seconds, float(((p - y) ** 2).sum()), len(probabilities)
