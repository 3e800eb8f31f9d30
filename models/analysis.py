"""One recording through one bundle: the same path for evaluation, for the service and for the command line."""

from collections.abc import Callable

import numpy as np

from data.door import door
from data.frontend import CHUNK_S, Prepared
from data.outcomes import Refusal
from data.recording import Recording
from models.bundle import Bundle
from models.decisions import raw_trend
from models.findings import Analysis, not_evaluable
from models.live import Hearing, asked_for

__all__ = ["Analysis", "Told", "analyse", "assess", "nobody", "not_evaluable"]


Told = Callable[[float], None]
"""Told how much of the work is done (0–1); may raise, and so end it there."""


def nobody(share: float) -> None:
    """Whoever does not want to be told."""


def analyse(recording: Recording, bundle: Bundle, told: Told = nobody, explained: bool = True) -> Analysis:
    """Run a bundle over a recording; an input the detector is not meant for ends `not_evaluable`, never empty.

    It is heard minute by minute by the very object that hears a live one, so that the two cannot differ. What drove each
    event is told where `explained`; nothing else depends on it.
    """
    try:
        door(recording, **asked_for(bundle))
    except Refusal as refusal:
        return not_evaluable(refusal, bundle, recording.duration_s)
    hearing, step = Hearing(bundle, recording.channels, recording.rate_hz, explained), int(CHUNK_S * recording.rate_hz)
    for segment in recording.segments:
        hearing.start(segment.onset_s)
        for at in range(0, segment.signal.shape[1], step):
            hearing(segment.signal[:, at : at + step])
            told(hearing.now_s / recording.duration_s)
    return hearing.finish(recording.duration_s)


def assess(prepared: Prepared, bundle: Bundle) -> np.ndarray:
    """(seconds,) calibrated probability, unsmoothed, NaN where there is none, whatever the second looks like."""
    examples = bundle.detector.examples(prepared)
    probability = bundle.calibration(bundle.detector.score(examples))
    return raw_trend(examples.onset_s, probability, examples.window_s, prepared.duration_s)
