"""How detections are compared with what experts marked; no number without its scorer's name, version and policy.

`szcore` (the community's rules), `clinical` (raw events, never merged), `overlap` (the older literature's scorers).
Home of timescoring; may import `data` and `lineage`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from data.events import Annotations
from lineage.digest import Digest, digest_of, sha256_bytes

ALARM_S = 300.0
"""An alarm that goes on beyond this outside of seizures is another alarm (SzCORE splits events at the same length)."""

Span = tuple[float, float]
"""Start and end of an event in seconds from the recording's start."""


@dataclass(frozen=True)
class Scorer:
    """Who made a number: a corrected scorer moved a published F1 from 0.428 to 0.323 on the same predictions."""

    name: str
    version: str
    code_digest: Digest
    policy: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "version": self.version,
            "code_digest": self.code_digest,
            "policy": self.policy,
            "policy_digest": digest_of(self.policy),
        }


@dataclass(frozen=True)
class Case:
    """One recording with what experts marked and what the detector said.

    `trend` holds one probability per second, NaN where it was not assessable; `labels` one 0 or 1 per second.
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
        """Bool per second: the detector could say something."""
        return np.isfinite(self.trend)


def code_digest(modules: Sequence[ModuleType | str]) -> Digest:
    """Digest of the source of modules (or of files by path), in the order given."""
    paths = [Path(m if isinstance(m, str) else str(m.__file__)) for m in modules]
    return sha256_bytes(b"\0".join(path.read_bytes() for path in paths))


def spans(annotations: Annotations) -> list[Span]:
    """Events as (start, end) in seconds, overlapping ones joined, so that no second counts twice."""
    joined: list[Span] = []
    for event in annotations.events:
        if joined and event.onset_s <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], event.end_s))
        else:
            joined.append((event.onset_s, event.end_s))
    return joined


def overlaps_s(ours: Sequence[Span], theirs: Sequence[Span]) -> np.ndarray:
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
    detections = spans(hypothesis)
    shared_s = overlaps_s(detections, spans(reference)).sum(axis=1)
    outside = (np.array([end - start for start, end in detections]) - shared_s + 1e-9) / ALARM_S
    return int(np.where(shared_s > 0, np.floor(outside), np.ceil(outside - 2e-9)).sum())
