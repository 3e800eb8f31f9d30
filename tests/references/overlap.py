"""Any-overlap, time-aligned and the operating curve in plain loops (after Shah et al. 2020)."""

from collections.abc import Sequence

import numpy as np

from data.events import Annotations
from tests.references.clinical import detected, false_alarms, false_detections
from tests.references.ticks import inside, joined, runs, shared


def any_overlap(reference: Annotations, hypothesis: Annotations) -> tuple[float, float, float]:
    """Hits, misses, false alarms: raw events, touched or not."""
    hits = detected(reference, hypothesis)
    return hits, len(runs(reference)) - hits, false_detections(reference, hypothesis)


def time_aligned(reference: Annotations, hypothesis: Annotations) -> tuple[float, float, float]:
    """Hits and misses as shares of each seizure; false alarms as shares of the longest seizure touched, at most 1."""
    seizures, detections = joined(inside(reference)), joined(inside(hypothesis))
    hits = misses = false = 0.0
    for seizure in seizures:
        length, found = seizure[1] - seizure[0], sum(shared(seizure, d) for d in detections)
        hits += found / length
        misses += (length - found) / length
    for detection in detections:
        touched = [s for s in seizures if shared(s, detection) > 0]
        outside = detection[1] - detection[0] - sum(shared(s, detection) for s in touched)
        false += min(1.0, outside / max(s[1] - s[0] for s in touched)) if touched else 1.0
    return hits, misses, false


def runs_at_or_above(trend: np.ndarray, threshold: float) -> Annotations:
    """A detector's plainest rule: an event is a run of seconds at or above the threshold."""
    return Annotations.from_mask([bool(p >= threshold) for p in trend], 1.0)


def at_threshold(
    trends: Sequence[np.ndarray], references: Sequence[Annotations], threshold: float
) -> tuple[float, float]:
    """Seizures found and false alarms raised by all recordings together."""
    said = [runs_at_or_above(trend, threshold) for trend in trends]
    found = sum(detected(r, h) for r, h in zip(references, said, strict=True))
    return found, sum(false_alarms(r, h) for r, h in zip(references, said, strict=True))


def sensitivity_at(
    trends: Sequence[np.ndarray], references: Sequence[Annotations], thresholds: Sequence[float], at_most_per_24h: float
) -> float:
    """The share of seizures found at the best threshold, from the one with most alarms upwards, within so many per assessed day."""
    days = sum(1 for trend in trends for p in trend if p == p) / 86400
    counted = [at_threshold(trends, references, threshold) for threshold in thresholds]
    most = max(alarms for _, alarms in counted)
    best, risen = 0.0, False
    for found, alarms in counted:  # from the lowest threshold; below that with most alarms they melt together
        risen = risen or alarms == most
        if risen and alarms / days <= at_most_per_24h + 1e-9:
            best = max(best, found)
    return best / sum(len(reference.events) for reference in references)
