"""The EEG around a case that went wrong, cut from the recording as the detector saw it."""

import numpy as np

from data.frontend import Prepared
from validation.report.worst import WorstCase
from validation.scoring import Case
from validation.traces import Excerpt

EXCERPT_S = 60.0
LEAD_S = 15.0
"""What is shown before a missed seizure or a false alarm begins."""


def cut_excerpt(worst: WorstCase, case: Case, threshold: float, prepared: Prepared) -> Excerpt:
    """A minute of the recording, beginning a little before; where nothing was recorded, nothing is shown."""
    duration_s = case.reference.duration_s
    onset_s = float(np.floor(max(0.0, min(worst.onset_s - LEAD_S, duration_s - EXCERPT_S))))
    end_s = min(onset_s + EXCERPT_S, duration_s)
    return Excerpt(
        title=worst.sentence,
        channels=prepared.channels,
        signal=signal_between(prepared, onset_s, end_s),
        rate_hz=prepared.rate_hz,
        onset_s=onset_s,
        trend=case.trend[int(onset_s) : int(end_s)],
        reference=tuple((e.onset_s, e.end_s) for e in case.reference.events),
        hypothesis=tuple((e.onset_s, e.end_s) for e in case.hypothesis.events),
        threshold=threshold,
        kind=worst.kind,
    )


def signal_between(prepared: Prepared, onset_s: float, end_s: float) -> np.ndarray:
    """(channels, samples) µV between two times in seconds of the recording, NaN where nothing was recorded."""
    start, stop = (round(t * prepared.rate_hz) for t in (onset_s, end_s))
    cut = np.full((len(prepared.channels), stop - start), np.nan, dtype=np.float32)
    for segment in prepared.segments:
        first = round(segment.onset_s * prepared.rate_hz)
        low, high = max(start, first), min(stop, first + segment.signal.shape[1])
        if low < high:
            cut[:, low - start : high - start] = segment.signal[:, low - first : high - first]
    return cut
