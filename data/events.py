"""Seizure events and what clinicians read from them: masks, burden, coverage."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, order=True)
class Event:
    """One event: seconds from the recording's start. `type` uses HED-SCORE names (`sz`, `sz_foc`, …).

    `confidence` is 0–1, None where nobody stated any; `channels` are empty where it is not said which.
    """

    onset_s: float
    duration_s: float
    type: str = "sz"
    confidence: float | None = None
    channels: tuple[str, ...] = ()

    @property
    def end_s(self) -> float:
        """Seconds from the recording's start to where the event ends."""
        return self.onset_s + self.duration_s

    def overlaps(self, other: "Event") -> bool:
        """Whether both have some time in common; events that only touch have none."""
        return self.onset_s < other.end_s and other.onset_s < self.end_s


@dataclass(frozen=True)
class Annotations:
    """The events of one recording of `duration_s` seconds, ordered and inside the recording.

    Laws: `from_mask(to_mask(a, r), r) == a` for separate events on the grid of rate r;
    `a.shifted(t).shifted(-t) == a`; burden is the mask sum, whatever the order or overlap of the events. ValueError for
    events of no duration or outside the recording, and for a duration below 0 s.
    """

    events: tuple[Event, ...]
    duration_s: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "events", tuple(sorted(self.events, key=lambda e: (e.onset_s, e.duration_s))))
        if not np.isfinite(self.duration_s) or self.duration_s < 0:
            raise ValueError(f"recording duration must be finite and ≥ 0 s, got {self.duration_s}")
        for event in self.events:
            if not event.duration_s > 0:
                raise ValueError(f"event duration must be > 0 s, got {event.duration_s}")
            if not (event.onset_s >= 0 and event.end_s <= self.duration_s + 1e-6):  # NaN is neither
                raise ValueError(
                    f"event {event.onset_s:g}–{event.end_s:g} s lies outside the recording (0–{self.duration_s:g} s)"
                )

    @classmethod
    def from_mask(cls, mask: Iterable[bool], rate_hz: float, duration_s: float | None = None) -> "Annotations":
        """Events are the runs of True in `mask`, (samples,) at `rate_hz`; the recording is as long unless told."""
        flags = np.asarray(list(mask) if not isinstance(mask, np.ndarray) else mask, dtype=bool)
        edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
        events = tuple(
            Event(float(a / rate_hz), float((b - a) / rate_hz)) for a, b in zip(edges[::2], edges[1::2], strict=True)
        )
        return cls(events, float(len(flags) / rate_hz) if duration_s is None else duration_s)

    def to_mask(self, rate_hz: float = 1.0) -> np.ndarray:
        """Bool (samples,), `round(duration_s * rate_hz)` of them; edges are rounded to the nearest sample.

        Rounding is that of SzCORE's reference scorer (timescoring): an event of a sample or less may vanish.
        """
        mask = np.zeros(round(self.duration_s * rate_hz), dtype=bool)
        for event in self.events:
            mask[round(event.onset_s * rate_hz) : round(event.end_s * rate_hz)] = True
        return mask

    def covered(self, onsets_s: np.ndarray, window_s: float) -> np.ndarray:
        """Share (0–1) of each window `[onset, onset + window_s)` that lies inside events, (windows,) as `onsets_s`."""
        onsets_s = np.asarray(onsets_s, dtype=float)
        share = np.zeros(len(onsets_s))
        for start, end in self._union():
            share += np.clip(np.minimum(onsets_s + window_s, end) - np.maximum(onsets_s, start), 0, None)
        return share / window_s

    def shifted(self, by_s: float) -> "Annotations":
        """The same events `by_s` seconds later, in a recording as much longer; ValueError if one begins below 0."""
        moved = tuple(replace(e, onset_s=e.onset_s + by_s) for e in self.events)
        return Annotations(moved, self.duration_s + by_s)

    def lasting(self, duration_s: float) -> "Annotations":
        """The same events in a recording of `duration_s` seconds: what reaches past its end is cut there."""
        inside = (e for e in self.events if e.onset_s < duration_s)
        cut = (e if e.end_s <= duration_s else replace(e, duration_s=duration_s - e.onset_s) for e in inside)
        return Annotations(tuple(cut), duration_s)

    def total_s(self) -> float:
        """Seconds inside any event; overlaps count once."""
        return float(sum(end - start for start, end in self._union()))

    def burden_min_per_h(self, analysed_s: float | None = None) -> float:
        """Seizure minutes per hour of analysed time (all of the recording unless told); NaN where that is 0."""
        hours = (self.duration_s if analysed_s is None else analysed_s) / 3600
        return self.total_s() / 60 / hours if hours > 0 else float("nan")

    def max_hourly_burden_min(self) -> float:
        """The highest number of seizure minutes in any 60 consecutive minutes (all of a shorter recording)."""
        mask = self.to_mask(1.0).astype(float)
        if len(mask) <= 3600:
            return float(mask.sum() / 60)
        total = np.concatenate([[0.0], np.cumsum(mask)])
        return float((total[3600:] - total[:-3600]).max() / 60)

    def _union(self) -> list[tuple[float, float]]:
        spans: list[tuple[float, float]] = []
        for event in self.events:
            if spans and event.onset_s <= spans[-1][1]:
                spans[-1] = (spans[-1][0], max(spans[-1][1], event.end_s))
            else:
                spans.append((event.onset_s, event.end_s))
        return spans
