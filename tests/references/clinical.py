"""The clinical scores in plain loops: raw events, second by second, nothing merged and nobody dropped."""

from math import nan, sqrt

from data.events import Annotations
from tests.references.ticks import PER_SECOND, inside, joined, runs, seconds, shared

ALARM_S = 300


def touches(event: tuple[int, int], others: list[tuple[int, int]]) -> bool:
    return any(shared(event, other) > 0 for other in others)


def detected(reference: Annotations, hypothesis: Annotations) -> int:
    """Seizures touched by any detection."""
    return sum(1 for seizure in runs(reference) if touches(seizure, runs(hypothesis)))


def false_detections(reference: Annotations, hypothesis: Annotations) -> int:
    """Detections that touch no seizure."""
    return sum(1 for detection in runs(hypothesis) if not touches(detection, runs(reference)))


def latencies_s(reference: Annotations, hypothesis: Annotations) -> list[float]:
    """From each found seizure's onset to the earliest piece of 300 s, of the detections that touch it, that does too."""
    found = []
    for seizure in runs(reference):
        pieces = [piece for detection in runs(hypothesis) for piece in cut(detection) if shared(seizure, piece) > 0]
        if pieces:
            found.append((min(first for first, _ in pieces) - seizure[0]) / PER_SECOND)
    return found


def cut(detection: tuple[int, int]) -> list[tuple[int, int]]:
    """A detection in pieces of 300 s, the last one shorter."""
    first, after = detection
    whole = ALARM_S * PER_SECOND
    return [(start, min(start + whole, after)) for start in range(first, after, whole)]


def early(reference: Annotations, hypothesis: Annotations) -> int:
    """Seizures found of which an alarm was on before the onset."""
    return sum(1 for latency in latencies_s(reference, hypothesis) if latency < 0)


def false_alarms(reference: Annotations, hypothesis: Annotations) -> int:
    """Someone is called once when an alarm goes off and again for each 300 s that it goes on outside of seizures.

    An alarm that touches a seizure was right to go off: only its whole 300 s outside count.
    """
    seizure, alarms = inside(reference), 0
    for first, after in joined(inside(hypothesis)):
        outside = sum(1 for tick in range(first, after) if tick >= len(seizure) or not seizure[tick])
        whole, rest = divmod(outside, ALARM_S * PER_SECOND)
        begun = whole + (1 if rest else 0)
        alarms += whole if outside < after - first else begun
    return alarms


def marked_s(annotations: Annotations) -> float:
    """Seconds in any event."""
    return sum(inside(annotations)) / PER_SECOND


def false_alarm_s(reference: Annotations, hypothesis: Annotations) -> float:
    """Seconds in a detection and in no seizure."""
    rows = zip(inside(reference), inside(hypothesis), strict=True)
    return sum(1 for truth, said in rows if said and not truth) / PER_SECOND


def max_hourly_burden_min(annotations: Annotations) -> float:
    """Seizure minutes in the worst hour, whenever it begins."""
    row = seconds(annotations)
    starts = range(max(1, len(row) - 3600 + 1))
    return max(sum(row[start : start + 3600]) for start in starts) / 60


def unassessable(reference: Annotations, assessed: list[bool]) -> int:
    """Seizures of which not one second was assessed."""
    total = 0
    for first, after in runs(reference):
        touched = {tick // PER_SECOND for tick in range(first, after)}
        total += not any(assessed[second] for second in touched if second < len(assessed))
    return total


def confusion(reference: Annotations, hypothesis: Annotations, assessed: list[bool]) -> tuple[int, int, int, int]:
    """Assessed seconds: rightly in alarm, falsely in alarm, missed, rightly silent."""
    tp = fp = fn = tn = 0
    for truth, said, known in zip(seconds(reference), seconds(hypothesis), assessed, strict=True):
        if known and truth and said:
            tp += 1
        elif known and said:
            fp += 1
        elif known and truth:
            fn += 1
        elif known:
            tn += 1
    return tp, fp, fn, tn


def auc(labels: list[float], scores: list[float]) -> float:
    """Of all pairs of a seizure second and another second: how often is the seizure second's score higher?"""
    seizure = [s for y, s in zip(labels, scores, strict=True) if y and s == s]
    other = [s for y, s in zip(labels, scores, strict=True) if not y and s == s]
    won = 0.0
    for s in seizure:
        for o in other:
            won += 1 if s > o else 0.5 if s == o else 0
    return won / (len(seizure) * len(other)) if seizure and other else nan


def auc_all_seconds(labels: list[float], scores: list[float]) -> float:
    """As `auc`, over all seconds: a pair in which either was not assessed is neither right nor wrong."""
    seizure = [s for y, s in zip(labels, scores, strict=True) if y]
    other = [s for y, s in zip(labels, scores, strict=True) if not y]
    won = 0.0
    for s in seizure:
        for o in other:
            won += 1 if s > o else 0 if s < o else 0.5
    return won / (len(seizure) * len(other)) if seizure and other else nan


def mcc(tp: float, fp: float, fn: float, tn: float) -> float:
    """Matthews correlation; 0 where every second was called the same, nothing where no second was of a seizure."""
    if not tp + fn:
        return nan
    product = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    return (tp * tn - fp * fn) / sqrt(product) if product else 0.0


def pearson(x: list[float], y: list[float]) -> float:
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    spread_x = sum((a - mean_x) ** 2 for a in x)
    spread_y = sum((b - mean_y) ** 2 for b in y)
    together = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return together / sqrt(spread_x * spread_y) if sqrt(spread_x * spread_y) > 1e-12 else nan


def median(values: list[float]) -> float:
    ordered = sorted(values)
    half = len(ordered) // 2
    if not ordered:
        return nan
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
