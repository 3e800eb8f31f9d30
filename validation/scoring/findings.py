"""One recording as a clinician would compare it: which seizures were found, how late, and what was called for nothing.

Events are taken raw and never merged: SzCORE's 90-s merge adds 15 % burden in neonates.
"""

from dataclasses import dataclass

import numpy as np

from data.events import Annotations
from validation.scoring import ALARM_S, false_alarms, overlaps_s, spans


@dataclass(frozen=True)
class Findings:
    """One recording compared event by event and second by second.

    `latencies_s`, one per seizure found: from its onset to where the first detection that overlaps it begins, a
    detection beginning anew each `ALARM_S` (negative: before the onset; so many are `early`).
    `false_detections` touch no seizure; `false_alarms` also count long ones by their length (`scoring.false_alarms`).
    `unassessable` seizures had no assessed second; they count as missed. Seconds tp, fp, fn, tn are assessed ones.
    """

    seizures: int
    detected: int
    early: int
    unassessable: int
    detections: int
    false_detections: int
    false_alarms: int
    latencies_s: tuple[float, ...]
    seizure_s: float
    alarm_s: float
    false_alarm_s: float
    max_hourly_burden_min: float
    recorded_s: float
    assessed_s: float
    tp: int
    fp: int
    fn: int
    tn: int


def compare(reference: Annotations, hypothesis: Annotations, assessed: np.ndarray | None = None) -> Findings:
    """Compare raw events by any overlap; `assessed` is bool (seconds,), all of the recording unless told."""
    seizures = [(e.onset_s, e.end_s) for e in reference.events]
    detections = [(e.onset_s, e.end_s) for e in hypothesis.events]
    shared_s = overlaps_s(seizures, detections)
    truth, said = reference.to_mask(1.0), _fitted(hypothesis.to_mask(1.0), len(reference.to_mask(1.0)))
    known = np.ones(len(truth), dtype=bool) if assessed is None else assessed
    latencies_s = _latencies_s(reference, hypothesis, shared_s)
    return Findings(
        seizures=len(seizures),
        detected=len(latencies_s),
        early=sum(latency_s < 0 for latency_s in latencies_s),
        unassessable=sum(not known[int(a) : int(np.ceil(b))].any() for a, b in seizures),
        detections=len(detections),
        false_detections=int((~(shared_s > 0).any(axis=0)).sum()),
        false_alarms=false_alarms(reference, hypothesis),
        latencies_s=latencies_s,
        seizure_s=reference.total_s(),
        alarm_s=hypothesis.total_s(),
        false_alarm_s=hypothesis.total_s() - float(overlaps_s(spans(hypothesis), spans(reference)).sum()),
        max_hourly_burden_min=reference.max_hourly_burden_min(),
        recorded_s=reference.duration_s,
        assessed_s=reference.duration_s if assessed is None else float(known.sum()),
        tp=int((truth & said & known).sum()),
        fp=int((~truth & said & known).sum()),
        fn=int((truth & ~said & known).sum()),
        tn=int((~truth & ~said & known).sum()),
    )


SUMMED = (
    "seizures", "detected", "early", "unassessable", "detections", "false_detections", "false_alarms", "seizure_s", "alarm_s", "false_alarm_s",
    "recorded_s", "assessed_s", "tp", "fp", "fn", "tn",
)  # fmt: skip


def _latencies_s(reference: Annotations, hypothesis: Annotations, shared_s: np.ndarray) -> tuple[float, ...]:
    onsets_s = np.array([e.onset_s for e in hypothesis.events])
    return tuple(
        float(_begun_s(onsets_s[row > 0], seizure.onset_s).min() - seizure.onset_s)
        for seizure, row in zip(reference.events, shared_s, strict=True)
        if (row > 0).any()
    )


def _begun_s(onsets_s: np.ndarray, at_s: float) -> np.ndarray:
    """When detections last began anew: one that has been on for hours has not foreseen the seizure at `at_s`."""
    pieces = np.floor((at_s - onsets_s) / ALARM_S + 1e-9)
    return onsets_s + ALARM_S * np.maximum(pieces, 0)


def _fitted(mask: np.ndarray, length: int) -> np.ndarray:
    return np.pad(mask[:length], (0, max(0, length - len(mask))))
