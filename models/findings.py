"""What an analysis says: outcome, trend, events, and in how much of the recording one could look."""

from dataclasses import dataclass

import numpy as np

from data.events import Annotations
from data.outcomes import Outcome, Refusal
from lineage.digest import Digest
from models.bundle import Bundle
from models.conformal import BACKGROUND, SEIZURE
from models.explain import Drivers
from models.ood import Strangeness

Spans = tuple[tuple[float, float], ...]
"""(onset_s, duration_s) of stretches of a recording."""


@dataclass(frozen=True)
class Analysis:
    """What was found, in how much of the recording one could look, and where the model commits itself.

    `trend` (seconds,) holds a probability each, NaN where nothing could be assessed; `events` is None where the outcome
    is `not_evaluable`, so that "no seizure" and "not looked at" can never be confused. `prediction_set` (seconds,)
    holds a set each (int8, see `models.conformal`): it changes neither trend nor events. `ood` says how far the
    recording lies from the training patients and is None where it was refused before; `ood_trend` (seconds,) says it
    second by second. `drivers` says of each event what drove it, None where the detector does not tell; empty where it
    never does.
    """

    outcome: Outcome
    code: str | None = None
    reason: str | None = None
    trend: np.ndarray | None = None
    events: Annotations | None = None
    duration_s: float = 0.0
    bundle: Digest = ""
    front_end: Digest = ""
    prediction_set: np.ndarray | None = None
    ood: Strangeness | None = None
    ood_trend: np.ndarray | None = None
    drivers: tuple[Drivers | None, ...] = ()

    @property
    def analysed_s(self) -> float:
        """Seconds that could be assessed, in whole ones; 0 where the input was refused."""
        return 0.0 if self.trend is None else float(np.count_nonzero(~np.isnan(self.trend)))

    @property
    def coverage(self) -> float:
        """Share (0–1) of the recording's time that was assessed."""
        return min(1.0, self.analysed_s / self.duration_s) if self.duration_s else 0.0

    @property
    def not_assessed(self) -> Spans:
        """Every stretch without an assessment."""
        if self.trend is None:
            return ((0.0, self.duration_s),) if self.duration_s else ()
        return _spans(np.isnan(self.trend))

    @property
    def abstained(self) -> Spans:
        """Every stretch that was assessed and in which the model does not commit itself."""
        return () if self.trend is None else _spans(~np.isnan(self.trend) & ~self._decided)

    @property
    def decided_share(self) -> float | None:
        """Share (0–1) of the assessed seconds in which the model commits itself; None where none was assessed."""
        return float(np.count_nonzero(self._decided) / self.analysed_s) if self.analysed_s else None

    @property
    def _decided(self) -> np.ndarray:
        if self.prediction_set is None:
            return np.zeros(0 if self.trend is None else len(self.trend), dtype=bool)
        return np.isin(self.prediction_set, (BACKGROUND, SEIZURE))


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


def _spans(mask: np.ndarray) -> Spans:
    return tuple((e.onset_s, e.duration_s) for e in Annotations.from_mask(mask, 1.0).events)
