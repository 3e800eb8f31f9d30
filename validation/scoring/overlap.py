"""The scorers of the older literature, any-overlap and time-aligned, and the operating curve by any-overlap.

Own definitions after Shah et al. 2020: close to, and not, the numbers of Temple's NEDC software.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from data.events import Annotations
from validation.scoring import ALARM_S, Case, Scorer, alarms_outside, code_digest, overlaps_s, spans
from validation.scoring.clinical import people
from validation.uncertainty import finite, interval_of, ratio_of_sums

ALARMS_PER_24H = (0.5, 1.0, 2.0, 5.0, 10.0)

POLICIES: dict[str, dict[str, Any]] = {
    "any_overlap": {"merge": False, "after": "Shah et al. 2020", "false_per": "assessed hour"},
    "time_aligned": {
        "merge": False,
        "after": "Shah et al. 2020",
        "false_alarm_at_most": 1,
        "false_per": "assessed hour",
    },
    "operating_curve": {
        "merge": False,
        "hit": "any overlap",
        "alarm_s": ALARM_S,
        "false_per": "assessed hour",
        "from": "most alarms",
    },
}

ToEvents = Callable[[np.ndarray, float], Annotations]
"""A trend (one probability per second, NaN where not assessable) and a threshold → events, shortest duration applied.

Where no second reaches the threshold there is no event."""


@dataclass(frozen=True)
class OverlapCounts:
    """Hits, misses and false alarms of one recording (fractions where time is aligned); hits + misses = references."""

    hits: float
    misses: float
    false_alarms: float

    def __add__(self, other: "OverlapCounts") -> "OverlapCounts":
        return OverlapCounts(
            self.hits + other.hits,
            self.misses + other.misses,
            self.false_alarms + other.false_alarms,
        )


def any_overlap(reference: Annotations, hypothesis: Annotations) -> OverlapCounts:
    """A reference event touched by any detection is a hit; a detection that touches none is a false alarm."""
    touching = overlaps_s(_events(reference), _events(hypothesis)) > 0
    hits = int(touching.any(axis=1).sum())
    return OverlapCounts(hits, len(reference.events) - hits, int((~touching.any(axis=0)).sum()))


def time_aligned(reference: Annotations, hypothesis: Annotations) -> OverlapCounts:
    """A hit counts by the share of the reference event that was detected, the rest is a miss.

    A detection's time outside the references is a false alarm, as a share of the longest event that it touches, at
    most 1; a detection that touches none counts 1.
    """
    events, detections = spans(reference), spans(hypothesis)
    shared_s = overlaps_s(events, detections)
    events_s = np.array([b - a for a, b in events])
    hits = float((shared_s.sum(axis=1) / events_s).sum())
    outside_s = np.array([b - a for a, b in detections]) - shared_s.sum(axis=0)
    touched_s = np.where(shared_s > 0, events_s[:, None], 0.0).max(axis=0, initial=0.0)
    false_alarms = np.where(touched_s > 0, np.minimum(outside_s / np.maximum(touched_s, 1e-9), 1.0), 1.0)
    return OverlapCounts(hits, len(events) - hits, float(false_alarms.sum()))


def scorer(name: str) -> Scorer:
    """The scorer `any_overlap`, `time_aligned` or `operating_curve`."""
    return Scorer(name, "2", code_digest([__file__]), POLICIES[name])


def figures(cases: Sequence[Case]) -> dict[str, Any]:
    """Both scorers over all recordings together; alarms per 24 h that the detector could assess, None without any."""
    out = {}
    hours = sum(float(c.assessed.sum()) for c in cases) / 3600
    for name, score in (("any_overlap", any_overlap), ("time_aligned", time_aligned)):
        total = sum((score(c.reference, c.hypothesis) for c in cases), OverlapCounts(0, 0, 0))
        events = total.hits + total.misses
        out[name] = {
            "scorer": scorer(name).to_json(),
            "hits": total.hits,
            "misses": total.misses,
            "false_alarms": total.false_alarms,
            "sensitivity": total.hits / events if events else None,
            "false_alarms_per_24h": total.false_alarms / hours * 24 if hours else None,
        }
    return out


@dataclass(frozen=True)
class Sweep:
    """Counts per threshold and person: detected seizures and false alarms, shape (thresholds, persons).

    `seizures` (persons,), `hours` (persons,) assessed. Persons in the order of `clinical.people`.
    """

    thresholds: np.ndarray
    detected: np.ndarray
    false_alarms: np.ndarray
    seizures: np.ndarray
    hours: np.ndarray

    @property
    def alarms_per_24h(self) -> np.ndarray:
        """(thresholds,) false alarms of the cohort per 24 assessed hours."""
        return self.false_alarms.sum(axis=1) / max(float(self.hours.sum()), 1e-9) * 24

    def best_at(self, alarms_per_24h: float) -> int:
        """The threshold (its index) that finds most seizures at no more than this rate; the highest of equals.

        Looked for from where alarms are most upwards. Below that they melt into one another until the detector is always
        on: fewer alarms, and no operating point. Always exists: the highest threshold raises no alarm.
        """
        rates = self.alarms_per_24h
        most = int(np.argmax(rates))
        allowed = most + np.flatnonzero(rates[most:] <= alarms_per_24h + 1e-9)
        found = self.detected.sum(axis=1)[allowed]
        return int(allowed[np.flatnonzero(found == found.max())[-1]])


def sweep(cases: Sequence[Case], to_events: ToEvents, steps: int = 48) -> Sweep:
    """Raise the threshold over the trend and count at each step; the last step detects nothing."""
    groups = people(cases).values()
    thresholds = _thresholds(np.concatenate([c.trend for c in cases]), steps)
    counts = np.stack([sum(_counts(c, to_events, thresholds) for c in g) for g in groups], axis=1)
    seizures = np.array([sum(len(c.reference.events) for c in g) for g in groups])
    hours = np.array([sum(float(c.assessed.sum()) for c in g) / 3600 for g in groups])
    return Sweep(thresholds, counts[..., 0], counts[..., 1], seizures, hours)


def operating_curve(curve: Sweep, weights: np.ndarray) -> dict[str, Any]:
    """Sensitivity at fixed false alarms per day; the thresholds are read off these patients, so the curve is a
    description, not a setting. `weights` (draws, persons), persons in the sweep's order."""
    seizures = int(curve.seizures.sum())
    return {
        "scorer": scorer("operating_curve").to_json(),
        "one_alarm_is_per_24h": finite(24 / curve.hours.sum()) if curve.hours.sum() > 0 else None,
        "points": [_operating_point(curve, target, weights) for target in ALARMS_PER_24H],
        "curve": [
            {"alarms_per_24h": float(rate), "sensitivity": float(found / seizures) if seizures else None}
            for rate, found in zip(curve.alarms_per_24h, curve.detected.sum(axis=1), strict=True)
        ],
    }


def _operating_point(curve: Sweep, target: float, weights: np.ndarray) -> dict[str, Any]:
    at = curve.best_at(target)
    found = np.stack([curve.detected[at], curve.seizures], axis=1).astype(float)
    return {
        "at_most_per_24h": target,
        "threshold": finite(curve.thresholds[at]),
        "alarms_per_24h": float(curve.alarms_per_24h[at]),
        "sensitivity": interval_of(found, ratio_of_sums, weights).to_json(),
    }


def _counts(case: Case, to_events: ToEvents, thresholds: np.ndarray) -> np.ndarray:
    """Seizures found and false alarms of one recording at each threshold, int array (thresholds, 2)."""
    seizures, apart = np.array(_events(case.reference)), np.array(spans(case.reference))
    counts = np.zeros((len(thresholds), 2), dtype=np.int64)
    highest = np.max(case.trend, where=case.assessed, initial=-np.inf)
    for at in np.flatnonzero(thresholds <= highest):
        detections = np.array(spans(to_events(case.trend, thresholds[at])))
        found = (overlaps_s(seizures, detections) > 0).any(axis=1).sum()
        counts[at] = found, alarms_outside(apart, detections)
    return counts


def _thresholds(trend: np.ndarray, steps: int) -> np.ndarray:
    """Ascending: half of the steps evenly over all seconds, half ever finer towards the highest, then infinity."""
    known = trend[np.isfinite(trend)]
    if len(known) == 0:
        return np.array([np.inf])
    levels = np.concatenate([np.linspace(0, 1, steps // 2), 1 - np.geomspace(1e-4, 0.5, steps - steps // 2)])
    return np.append(np.unique(np.quantile(known, levels)), np.inf)


def _events(annotations: Annotations) -> list[tuple[float, float]]:
    return [(e.onset_s, e.end_s) for e in annotations.events]
