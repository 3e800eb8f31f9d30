"""One recording through one bundle: the same path for evaluation, for the service and for the command line."""

from dataclasses import dataclass

import numpy as np

from data.events import Annotations
from data.outcomes import Outcome, Refusal
from data.quality import door
from data.recording import Recording
from lineage.digest import Digest
from models.bundle import Bundle
from models.decisions import raw_trend


@dataclass(frozen=True)
class Analysis:
    """What was found, and in how much of the recording one could look.

    `trend` holds one probability per second, NaN where nothing could be assessed; `events` is None where the outcome
    is `not_evaluable`, so that "no seizure" and "not looked at" can never be confused.
    """

    outcome: Outcome
    code: str | None = None
    reason: str | None = None
    trend: np.ndarray | None = None
    events: Annotations | None = None
    duration_s: float = 0.0
    bundle: Digest = ""
    front_end: Digest = ""

    @property
    def analysed_s(self) -> float:
        return 0.0 if self.trend is None else float(np.count_nonzero(~np.isnan(self.trend)))

    @property
    def coverage(self) -> float:
        """Share (0–1) of the recording's time that was assessed."""
        return min(1.0, self.analysed_s / self.duration_s) if self.duration_s else 0.0

    @property
    def not_assessed(self) -> tuple[tuple[float, float], ...]:
        """(onset_s, duration_s) of every stretch without an assessment."""
        if self.trend is None:
            return ((0.0, self.duration_s),) if self.duration_s else ()
        blind = Annotations.from_mask(np.isnan(self.trend), 1.0)
        return tuple((e.onset_s, e.duration_s) for e in blind.events)


def analyse(recording: Recording, bundle: Bundle) -> Analysis:
    """Run a bundle over a recording; an input the detector is not meant for ends `not_evaluable`, never empty."""
    try:
        return _analyse(recording, bundle)
    except Refusal as refusal:
        return not_evaluable(refusal, bundle, recording.duration_s)


def not_evaluable(refusal: Refusal, bundle: Bundle | None = None, duration_s: float = 0.0) -> Analysis:
    """The analysis of an input that was refused."""
    return Analysis(
        "not_evaluable",
        refusal.code,
        refusal.reason,
        duration_s=duration_s,
        bundle=bundle.digest if bundle else "",
        front_end=bundle.front_end.digest if bundle else "",
    )


def _analyse(recording: Recording, bundle: Bundle) -> Analysis:
    contract = bundle.detector.contract
    door(
        recording,
        montage=contract.montage,
        min_duration_s=contract.min_duration_s,
        age_range_days=contract.age_days,
    )
    examples = bundle.detector.examples(bundle.front_end.prepare(recording))
    probability = bundle.calibration(bundle.detector.score(examples))
    raw = raw_trend(examples.onset_s, probability, examples.window_s, recording.duration_s)
    trend = bundle.decision.smoothed(raw)
    return Analysis(
        outcome="completed_with_abstentions" if recording.gaps else "completed",
        trend=trend,
        events=bundle.decision.events(trend, recording.duration_s),
        duration_s=recording.duration_s,
        bundle=bundle.digest,
        front_end=bundle.front_end.digest,
    )
