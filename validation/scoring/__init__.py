"""How detections are compared with what experts marked; no number without its scorer's name, version and policy.

`szcore` (the community's rules), `clinical` (raw events, never merged), `overlap` (the older literature's scorers).
Home of timescoring; may import `data` and `lineage`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from data.events import Annotations
from validation.scoring.scorer import Scorer as Scorer
from validation.scoring.scorer import code_digest as code_digest

ALARM_S = 300.0
"""An alarm that goes on beyond this outside of seizures is another alarm (SzCORE splits events at the same length)."""

Span = tuple[float, float]
"""Start and end of an event in seconds from the recording's start."""

Spans = Sequence[Span] | np.ndarray
"""Several of them, as a list or as an array (events, 2)."""


@dataclass(frozen=True)
class Case:
    """One recording with what experts marked and what the detector said.

    `trend` (seconds,) holds the probability (0–1) of each second, NaN where it was not assessable; `labels` (seconds,)
    0 or 1, in small integers.
    """

    recording: str
    patient: str
    person: str
    site: str
    trend: np.ndarray
    labels: np.ndarray
    reference: Annotations
    hypothesis: Annotations

    @property
    def assessed(self) -> np.ndarray:
        """Bool (seconds,): the detector could say something."""
        return np.isfinite(self.trend)


def spans(annotations: Annotations) -> list[Span]:
    """Events as (start, end) in seconds, overlapping and touching ones joined, so that no second counts twice."""
    joined: list[Span] = []
    for event in annotations.events:
        if joined and event.onset_s <= joined[-1][1] + 1e-6:  # 0.2 + (0.9 - 0.2) is less than 0.9
            joined[-1] = (joined[-1][0], max(joined[-1][1], event.end_s))
        else:
            joined.append((event.onset_s, event.end_s))
    return joined


def overlaps_s(ours: Spans, theirs: Spans) -> np.ndarray:
    """Seconds that each of our spans shares with each of theirs, shape (ours, theirs)."""
    a = np.asarray(ours, dtype=float).reshape(-1, 2)
    b = np.asarray(theirs, dtype=float).reshape(-1, 2)
    shared = np.minimum(a[:, None, 1], b[None, :, 1]) - np.maximum(a[:, None, 0], b[None, :, 0])
    return np.maximum(shared, 0.0)


def false_alarms(reference: Annotations, hypothesis: Annotations) -> int:
    """False alarms of one recording, long ones counted by their length.

    A detection that touches no seizure is one for each begun `ALARM_S`; one that touches a seizure is one for each
    whole `ALARM_S` outside of seizures. So a detector that is always on is not free of false alarms.
    """
    return alarms_outside(spans(reference), spans(hypothesis))


def alarms_outside(seizures: Spans, detections: Spans) -> int:
    """`false_alarms` of spans that are joined already."""
    if not len(detections):
        return 0
    shared_s = overlaps_s(detections, seizures).sum(axis=1)
    outside = (np.diff(detections, axis=1)[:, 0] - shared_s + 1e-9) / ALARM_S
    return int(np.where(shared_s > 0, np.floor(outside), np.ceil(outside - 2e-9)).sum())


def resting(persons: int, assessed_s: float, recorded_s: float) -> dict[str, Any]:
    """What a figure rests on, in JSON: how many persons, how many hours could be assessed, their share of all (0–1)."""
    coverage = float(assessed_s / recorded_s) if recorded_s > 0 else None
    return {"persons": persons, "coverage": coverage, "assessed_hours": float(assessed_s / 3600)}
