"""The analysis of a recording while it goes on: chunks of any size in, seconds and events out as they become final."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from data.door import Door
from data.events import Annotations, Event
from data.growing import Growing
from data.outcomes import Refusal
from models.bundle import Bundle
from models.decisions import BySecond, EventFinder, Smoother, second_of
from models.detector import WindowDetector
from models.explain import Drivers, Peaks, drivers_of
from models.findings import Analysis, not_evaluable
from models.look import FEATURES, WINDOW_S, Look, Looking
from models.ood import Strangeness


@dataclass(frozen=True)
class Heard:
    """What became final with a chunk: the seconds `[first_s, first_s + len(trend))` and the events that ended.

    `trend`, `prediction_set` and `ood_trend`, (seconds,) each, as in `Analysis`. `ongoing` is the event that goes on,
    if it is long enough to be one: its onset is final, its length and peak are those so far.
    """

    first_s: int
    trend: np.ndarray
    prediction_set: np.ndarray
    ood_trend: np.ndarray
    events: tuple[Event, ...]
    ongoing: Event | None


class LiveAnalysis:
    """Feed chunks, say where gaps are, and `finish`: the same `Analysis` as `analyse` of the whole recording.

    Laws (tests/contract): any chunking gives the same analysis, bit by bit; what was given is never changed by what
    comes later; a second is given at its end (one sample later below 128 Hz), an event with the first second that is
    no longer part of it.

    What can still be withdrawn is the recording as a whole, by `finish` alone and until then at any time: whether it
    is too short, flat, clipped, of a wrong unit or unlike the training patients depends on all of it. Then everything
    given is to be disregarded, as the analysis is `not_evaluable`. `verdict` says what it would be now. A wrong rate,
    montage or age is refused (`Refusal`) before the first sample.

    Kept are less than a window of signal and about 200 bytes (room for twice as many) per second that was heard.
    """

    def __init__(self, bundle: Bundle, channels: tuple[str, ...], rate_hz: float, *, age_days: float | None = None):
        self._bundle = bundle
        self._door = Door(channels, rate_hz, age_days, **asked_for(bundle))
        self._hearing = Hearing(bundle, channels, rate_hz)
        self._hearing.start(0.0)

    def __call__(self, signal: np.ndarray) -> Heard:
        """The next samples (channels, any number) in µV."""
        given = self._hearing(signal)
        self._door(signal)
        return given

    def gap(self, seconds: float) -> Heard:
        """Nothing was recorded for `seconds`; what comes next stands apart from what came before."""
        if not seconds > 0:
            raise ValueError(f"a gap lasts longer than 0 s, got {seconds}")
        self._door.start()
        return self._hearing.start(self._hearing.now_s + seconds)

    def verdict(self) -> Refusal | None:
        """For what the recording would be refused if it ended now."""
        try:
            self._door.verdict()
        except Refusal as refusal:
            return refusal
        strangeness = self._hearing.strangeness()
        return strangeness.refusal(self._bundle.ood.patients) if strangeness.is_refused else None

    def finish(self, duration_s: float | None = None) -> Analysis:
        """The analysis of all that was heard; `duration_s` where the recording's clock ran on after the last sample."""
        duration_s = self._hearing.now_s if duration_s is None else duration_s
        try:
            self._door.verdict()
        except Refusal as refusal:
            return not_evaluable(refusal, self._bundle, duration_s)
        return self._hearing.finish(duration_s)


def asked_for(bundle: Bundle) -> dict[str, Any]:
    """What the bundle's detector asks of a recording, for the door."""
    contract = bundle.detector.contract
    return {
        "montage": contract.montage,
        "min_duration_s": contract.min_duration_s,
        "age_range_days": contract.age_days,
    }


class Hearing:
    """What a bundle makes of a recording's signal, chunk by chunk; whoever calls has asked at the door.

    Called with the next samples (channels, samples) in µV; ValueError for another number of channels. TypeError for a
    detector that does not score windows one after another.
    """

    def __init__(self, bundle: Bundle, channels: tuple[str, ...], rate_hz: float, explained: bool = True):
        if not isinstance(bundle.detector, WindowDetector):
            raise TypeError(f"detector {bundle.name} does not score windows one after another")
        self._bundle, self._channels, self._rate_hz = bundle, channels, rate_hz
        front_end = bundle.front_end
        self._listen, self._look = bundle.detector.listen(), Looking(front_end.rate_hz)
        self._probability, self._strange = BySecond(bundle.detector.window_s), BySecond(WINDOW_S)
        self._smooth, self._find = Smoother(bundle.decision.smooth_s), EventFinder(bundle.decision)
        self._trend, self._ood_trend, self._events = Growing(), Growing(), list[Event]()
        self._seen = Growing(len(FEATURES), dtype=np.float32)
        explains = explained and hasattr(bundle.detector, "shares")
        self._peaks = Peaks(bundle.decision.threshold) if explains else None
        self._waiting: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []  # windows whose second is not yet final
        self._onset_s, self._samples, self._stretches, self._lost = 0.0, 0, 0, False

    @property
    def now_s(self) -> float:
        """Seconds of the recording at which the next sample stands."""
        return self._onset_s + self._samples / self._rate_hz

    def start(self, onset_s: float) -> Heard:
        """A new gapless stretch begins, `onset_s` seconds after the recording's start.

        ValueError where that is before the last one ended.
        """
        if onset_s < self.now_s - 1e-6:
            raise ValueError(f"a stretch starts at {onset_s:.3f} s, before the last one ends ({self.now_s:.3f} s)")
        self._is_apart = self._stretches > 0 and onset_s - self.now_s > 1e-6
        self._onset_s, self._samples = onset_s, 0
        self._prepare = self._bundle.front_end.stream(self._channels, self._rate_hz)
        self._listen.start(onset_s)
        self._look.start(onset_s)
        return self._given(self._final())

    def __call__(self, signal: np.ndarray) -> Heard:
        if signal.ndim != 2 or len(signal) != len(self._channels):
            raise ValueError(f"signal of shape {signal.shape} does not fit {len(self._channels)} channels")
        if signal.shape[1] and not self._samples:
            self._stretches, self._lost = self._stretches + 1, self._lost or self._is_apart
        self._samples += signal.shape[1]
        prepared = self._prepare(signal)
        examples, seen = self._listen(prepared), self._look(prepared)
        if len(examples):
            score = self._bundle.detector.score(examples)
            probability = self._bundle.calibration(score)
            self._probability.add(examples.onset_s, probability)
            if self._peaks is not None:
                self._waiting.append((examples.onset_s, probability, examples.x))
        if len(seen.onset_s):
            self._seen.append(seen.x)
            self._strange.add(seen.onset_s, self._bundle.ood.scores(seen.x))
        return self._given(self._final())

    def strangeness(self) -> Strangeness:
        """How far all that was heard lies from the training patients."""
        return self._bundle.ood.judge(Look(self._seen.rows, np.zeros(len(self._seen))))

    def finish(self, duration_s: float) -> Analysis:
        """The analysis of a recording of `duration_s` seconds, in which nothing comes any more.

        `not_evaluable` where it is too unlike the training patients. ValueError for fewer seconds than were heard.
        """
        if duration_s < self.now_s - 1e-6:
            raise ValueError(f"{self.now_s:.3f} s were heard, a recording of {duration_s:.3f} s cannot hold them")
        bundle, strangeness = self._bundle, self.strangeness()
        self._given(round(duration_s), duration_s)
        ood_trend = self._ood_trend.rows.copy()
        if strangeness.is_refused:
            refused = not_evaluable(strangeness.refusal(bundle.ood.patients), bundle, duration_s)
            return replace(refused, ood=strangeness, ood_trend=ood_trend)
        trend, events = (
            self._trend.rows.copy(),
            Annotations((*self._events, *self._find.ongoing(duration_s)), duration_s),
        )
        found = Analysis(
            outcome="completed",
            trend=trend,
            events=events,
            duration_s=duration_s,
            bundle=bundle.digest,
            front_end=bundle.front_end.digest,
            prediction_set=bundle.conformal.sets(trend),
            ood=strangeness,
            ood_trend=ood_trend,
            drivers=self._drivers(events),
        )
        return replace(found, outcome="completed_with_abstentions") if self._lost or found.abstained else found

    def _drivers(self, events: Annotations) -> tuple[Drivers | None, ...]:
        names = self._bundle.front_end.channels
        return () if self._peaks is None else drivers_of(events, self._peaks, self._bundle.detector, names)  # type: ignore[arg-type]

    def _final(self) -> int:
        """How many seconds are over and can be reached by no window that is still to come."""
        next_end_s = min(self._listen.next_end_s, self._look.next_end_s)
        return min(int(self.now_s + 1e-6), int(second_of(np.asarray(next_end_s))))

    def _given(self, until: int, duration_s: float = np.inf) -> Heard:
        """Seconds from those given last up to `until`, and what follows from them."""
        first, bundle = len(self._trend), self._bundle
        raw, ood = self._probability.until(until), self._strange.until(until)
        outside = bundle.ood.is_outside(ood)
        trend = self._smooth(raw, outside)
        if self._peaks is not None:
            self._heed(self._peaks, first, outside)
        self._lost |= bool((np.isnan(trend) & ~np.isnan(raw)).any())
        self._trend.append(trend)
        self._ood_trend.append(ood)
        ended = self._find(trend, duration_s)
        self._events += ended
        ongoing = self._find.ongoing(duration_s)
        return Heard(first, trend, bundle.conformal.sets(trend), ood, ended, ongoing[0] if ongoing else None)

    def _heed(self, peaks: Peaks, first: int, outside: np.ndarray) -> None:
        """Windows whose second is final may be peaks; those that the trend leaves out as strange are none, and end a run."""
        waiting, self._waiting = self._waiting, []
        for onset_s, probability, x in waiting:
            second = second_of(onset_s + self._bundle.detector.window_s) - first
            n = int(np.searchsorted(second, len(outside)))
            peaks(onset_s[:n], np.where(outside[second[:n]], -np.inf, probability[:n]), x[:n])
            if n < len(x):
                self._waiting.append((onset_s[n:], probability[n:], x[n:].copy()))
