"""SzCORE (Dan et al. 2024) in plain loops: merge below 90 s, split at 300 s, reach 30 s before and 60 s after."""

from dataclasses import dataclass
from math import nan

from data.events import Annotations
from tests.references.ticks import PER_SECOND, Run, inside, joined, seconds


@dataclass
class Counts:
    """Found reference events, false detections, reference events: of events and of seconds; and the hours."""

    event: tuple[int, int, int]
    sample: tuple[int, int, int]
    hours: float


def count(
    reference: Annotations,
    hypothesis: Annotations,
    before_s: float = 30,
    after_s: float = 60,
    max_event_s: float = 300,
    merge_gap_s: float = 90,
    min_overlap: float = 0,
) -> Counts:
    """Both counts of one recording; events on the grid of tenths of seconds."""
    ticks = len(inside(reference))
    seizures = split(merge(joined(inside(reference)), merge_gap_s), max_event_s)
    detections = split(merge(joined(fitted(inside(hypothesis), ticks)), merge_gap_s), max_event_s)
    detected = marked(detections, ticks)
    found, reached = 0, [False] * ticks
    for first, after in seizures:
        near = range(max(0, first - tick(before_s)), min(ticks, after + tick(after_s)))
        if sum(detected[t] for t in near) / len(near) > min_overlap:
            found += 1
            for t in near:
                reached[t] = True
    false = sum(1 for first, after in detections if not any(reached[t] for t in range(first, after)))
    truth, said = seconds(reference), fitted(seconds(hypothesis), len(seconds(reference)))
    both = sum(1 for t, s in zip(truth, said, strict=True) if t and s)
    only_said = sum(1 for t, s in zip(truth, said, strict=True) if s and not t)
    return Counts((found, false, len(seizures)), (both, only_said, sum(truth)), ticks / PER_SECOND / 3600)


def merge(events: list[Run], gap_s: float) -> list[Run]:
    """Two events less than `gap_s` apart are one; exactly `gap_s` apart are two."""
    kept: list[Run] = []
    for first, after in events:
        if kept and first - kept[-1][1] < tick(gap_s):
            kept[-1] = (kept[-1][0], after)
        else:
            kept.append((first, after))
    return kept


def split(events: list[Run], longest_s: float) -> list[Run]:
    """An event longer than `longest_s` is cut into pieces of that length and a rest; exactly that long is one."""
    pieces = []
    for first, after in events:
        while after - first > tick(longest_s):
            pieces.append((first, first + tick(longest_s)))
            first += tick(longest_s)
        pieces.append((first, after))
    return pieces


Patient = tuple[float, float, float, float]
"""Found, false, to be found, and the hours recorded: of events or of seconds."""


def sensitivity(found: float, false: float, seizures: float, hours: float) -> float:
    return found / seizures if seizures else nan


def precision(found: float, false: float, seizures: float, hours: float) -> float:
    return found / (found + false) if found + false else nan


def f1(found: float, false: float, seizures: float, hours: float) -> float:
    """Two hits over two hits, false ones and misses: 0 in a patient in whom nothing was found."""
    missed = seizures - found
    return 2 * found / (2 * found + false + missed) if seizures + false else nan


def f1_as_until_2026(found: float, false: float, seizures: float, hours: float) -> float:
    """Before timescoring 0.0.7: no F1 for whoever has no seizure or no detection."""
    return f1(found, false, seizures, hours) if seizures and found + false else nan


def alarms_per_24h(found: float, false: float, seizures: float, hours: float) -> float:
    return false / hours * 24


SCORES = {"sensitivity": sensitivity, "precision": precision, "f1": f1, "alarms_per_24h": alarms_per_24h}


def pooled(patients: list[Patient], measure: str) -> float:
    """All patients' events as if of one patient."""
    return SCORES[measure](*(sum(column) for column in zip(*patients, strict=True)))


def patient_mean(patients: list[Patient], measure: str) -> float:
    """Each patient's score, then the mean of those who have one: undetected patients have F1 0."""
    return mean_of_known([SCORES[measure](*patient) for patient in patients])


def legacy_patient_mean(patients: list[Patient], measure: str) -> float:
    """The old policy: undetected patients have no F1 and are dropped."""
    scores = {**SCORES, "f1": f1_as_until_2026}
    return mean_of_known([scores[measure](*patient) for patient in patients])


POLICIES = {"pooled": pooled, "patient_mean": patient_mean, "legacy_patient_mean": legacy_patient_mean}


def mean_of_known(values: list[float]) -> float:
    known = [v for v in values if v == v]
    return sum(known) / len(known) if known else nan


def marked(events: list[Run], ticks: int) -> list[bool]:
    row = [False] * ticks
    for first, after in events:
        for t in range(first, after):
            row[t] = True
    return row


def fitted(row: list[bool], length: int) -> list[bool]:
    """What lies beyond the reference's last sample is not scored; what is missing was not detected."""
    return [*row[:length], *[False] * (length - len(row))]


def tick(seconds_: float) -> int:
    return round(seconds_ * PER_SECOND)
