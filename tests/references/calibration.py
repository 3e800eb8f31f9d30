"""Calibration in plain loops: put each second into its tenth, compare what was stated with what was seen."""

from math import nan


def ece(probabilities: list[float], labels: list[float], bins: int = 10) -> float:
    """The gap between mean stated probability and share of seizure in each bin, weighted by the bin's seconds."""
    known = [(p, y) for p, y in zip(probabilities, labels, strict=True) if p == p]
    total = 0.0
    for b in range(bins):
        here = [(p, y) for p, y in known if b <= p * bins < b + 1 or (b == bins - 1 and p == 1)]
        if here:
            stated = sum(p for p, _ in here) / len(here)
            seen = sum(y for _, y in here) / len(here)
            total += abs(stated - seen) * len(here)
    return total / len(known) if known else nan


def brier(probabilities: list[float], labels: list[float]) -> float:
    """The mean squared distance between what was stated and what was the case."""
    known = [(p, y) for p, y in zip(probabilities, labels, strict=True) if p == p]
    return sum((p - y) ** 2 for p, y in known) / len(known) if known else nan
