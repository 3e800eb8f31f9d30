"""From trend to events, second by second: what `models.decisions.Decision.events` must equal."""

import numpy as np

from data.events import Annotations, Event
from models.decisions import Decision


def events(decision: Decision, trend: np.ndarray, duration_s: float) -> Annotations:
    """Walk through the trend; a stretch at or above the threshold that lasts long enough is an event."""
    found, start = [], None
    stretch_start = 0
    for second in range(len(trend) + 1):
        over = second < len(trend) and trend[second] >= decision.threshold  # a NaN is not
        if over and start is None:
            start = second
        if not over and start is not None:
            if second - start >= decision.min_duration_s:
                found.append(_event(decision, trend, stretch_start, start, second, duration_s))
            start = None
        if second < len(trend) and np.isnan(trend[second]):
            stretch_start = second + 1
    return Annotations(tuple(found), duration_s)


def _event(decision: Decision, trend: np.ndarray, stretch_start: int, start: int, end: int, duration_s: float) -> Event:
    """Half of the smoothing is taken off both ends, but never beyond what was assessed or recorded."""
    onset_s = max(float(stretch_start), start - decision.smooth_s / 2)
    length_s = max(end - decision.smooth_s / 2 - onset_s, decision.min_duration_s)
    return Event(onset_s, min(length_s, duration_s - onset_s), confidence=float(max(trend[start:end])))
