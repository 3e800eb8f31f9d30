"""From window probabilities to a 1-Hz trend, and from the trend to seizure events."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from data.events import Annotations, Event

THRESHOLDS = tuple(np.round(np.arange(0.02, 0.99, 0.02), 2))


@dataclass(frozen=True)
class Decision:
    """How a trend becomes events.

    A causal mean over `smooth_s`, a threshold, and a minimum duration of `min_duration_s` (10 s makes a seizure
    electrographic: ACNS 2013). `threshold` is a probability (0–1), from which on a second is called. Smoothing delays
    both ends of an event by about half its length, so events are moved `delay_s` earlier, never before the start of the
    assessed stretch; also the end of one that lasts to the recording's end. The trend itself is not moved.
    """

    threshold: float = 0.5
    smooth_s: int = 10
    min_duration_s: float = 10.0

    @property
    def delay_s(self) -> float:
        """By how many seconds the smoothed trend lags behind the events."""
        return self.smooth_s / 2

    def smoothed(self, raw: np.ndarray, outside: np.ndarray | None = None) -> np.ndarray:
        """Causal mean (seconds,) of the past `smooth_s` assessed seconds; NaN stays NaN and starts the mean anew.

        Seconds that are `outside` (bool, out of distribution) never enter a mean. One of them breaks no event in two;
        where more than half of the past seconds are outside, nothing is said (NaN).
        """
        return Smoother(self.smooth_s)(raw, outside)

    def events(self, trend: np.ndarray, duration_s: float | None = None) -> Annotations:
        """Events of a smoothed trend (seconds,), NaN where not assessable; confidence is the peak probability.

        `duration_s` is the recording's length where it is not a whole number of seconds.
        """
        duration_s = float(len(trend)) if duration_s is None else duration_s
        finder = EventFinder(self)
        return Annotations((*finder(trend, duration_s), *finder.ongoing(duration_s)), duration_s)

    def at(self, threshold: float) -> "Decision":
        """The same decision at another threshold (0–1)."""
        return replace(self, threshold=float(threshold))


class Smoother:
    """`Decision.smoothed` while the seconds (chunk,) arrive, in any chunks; remembers no more than it averages over."""

    def __init__(self, smooth_s: int):
        self.smooth_s = smooth_s
        self._total, self._known = np.zeros(1), np.zeros(1)  # sums since the last unknown second

    def __call__(self, raw: np.ndarray, outside: np.ndarray | None = None) -> np.ndarray:
        out = np.full(len(raw), np.nan)
        inside = np.ones(len(raw)) if outside is None else 1.0 - outside
        for start, end in _runs(~np.isnan(raw)):
            if start > 0:
                self._forget()
            out[start:end] = self._means(raw[start:end] * inside[start:end], inside[start:end])
        if len(raw) and np.isnan(raw[-1]):
            self._forget()
        return out

    def _means(self, values: np.ndarray, inside: np.ndarray) -> np.ndarray:
        total, known = _added(self._total, values), _added(self._known, inside)
        at = np.arange(len(self._total), len(total))
        first = np.maximum(0, at - self.smooth_s)
        used = known[at] - known[first]
        enough = 2 * used >= at - first
        self._total, self._known = total[-self.smooth_s - 1 :], known[-self.smooth_s - 1 :]
        return np.where(enough, (total[at] - total[first]) / np.where(enough, used, 1.0), np.nan)

    def _forget(self) -> None:
        self._total, self._known = np.zeros(1), np.zeros(1)


class EventFinder:
    """`Decision.events` while the smoothed seconds (chunk,) arrive, any chunks: an event is given when it has ended."""

    def __init__(self, decision: Decision):
        self._decision = decision
        self._open = np.zeros(0)  # the trend since it rose above the threshold, if it is there now
        self._at = 0  # the second that `_open` begins with
        self._unknown = -1  # the last second before that could not be assessed

    def __call__(self, trend: np.ndarray, duration_s: float = np.inf) -> tuple[Event, ...]:
        """The events that have ended, and will never change (`duration_s` may cut the one at the recording's end)."""
        values = np.concatenate([self._open, trend])
        known = ~np.isnan(values)
        runs = _runs(known & (values >= self._decision.threshold))
        unknown = np.maximum.accumulate(np.where(known, self._unknown, self._at + np.arange(len(values))))
        keep = runs.pop()[0] if runs and runs[-1][1] == len(values) else len(values)
        found = self._long(values, runs, unknown, duration_s)
        if keep:
            self._unknown = int(unknown[keep - 1])
        self._open, self._at = values[keep:].copy(), self._at + keep
        return found

    def ongoing(self, duration_s: float = np.inf) -> tuple[Event, ...]:
        """The event that goes on, if it is long enough to be one: its length and peak are those so far."""
        size = len(self._open)
        return self._long(self._open, [(0, size)], np.full(size, self._unknown), duration_s) if size else ()

    def _long(
        self, values: np.ndarray, runs: list[tuple[int, int]], unknown: np.ndarray, duration_s: float
    ) -> tuple[Event, ...]:
        decision = self._decision
        long = [(a, b) for a, b in runs if b - a >= decision.min_duration_s]
        if not long:
            return ()
        first, last = np.array(long).T
        onset_s = np.maximum(unknown[first] + 1.0, self._at + first - decision.delay_s)
        length_s = np.maximum(self._at + last - decision.delay_s - onset_s, decision.min_duration_s)
        length_s = np.minimum(length_s, duration_s - onset_s)
        peak = np.maximum.reduceat(np.append(values, 0.0), np.array(long).ravel())[::2]
        rows = zip(onset_s.tolist(), length_s.tolist(), peak.tolist(), strict=True)
        return tuple(Event(onset, length, confidence=c) for onset, length, c in rows)


class BySecond:
    """`raw_trend` while windows arrive; the caller knows up to which second no window is still to come."""

    def __init__(self, window_s: float):
        self._window_s, self._at = window_s, 0
        self._second, self._value = np.zeros(0, dtype=int), np.zeros(0)

    def add(self, onset_s: np.ndarray, value: np.ndarray) -> None:
        """More windows, onsets (s) and values (windows,).

        Of windows that end in one second the last added speaks. Those that end before the second which `until` has
        reached come too late and are left out.
        """
        second = second_of(np.asarray(onset_s) + self._window_s)
        self._second, self._value = np.append(self._second, second), np.append(self._value, value)

    def until(self, second: int) -> np.ndarray:
        """(seconds,) a value for each from where the last call ended up to `second`; NaN where no window ended."""
        trend = np.full(max(0, second - self._at), np.nan)
        now = self._second < second
        late = self._second[now] >= self._at
        trend[self._second[now][late] - self._at] = self._value[now][late]
        self._second, self._value, self._at = self._second[~now], self._value[~now], max(self._at, second)
        return trend


def second_of(end_s: np.ndarray) -> np.ndarray:
    """The second for which windows that end at `end_s` (windows,) speak, int (windows,): the one in which they end."""
    return np.asarray(np.ceil(end_s - 1e-6), dtype=int) - 1


def raw_trend(onset_s: np.ndarray, probability: np.ndarray, window_s: float, duration_s: float) -> np.ndarray:
    """(seconds,): second k gets the last window that ended by k + 1 and after k; NaN where none did.

    `onset_s` and `probability` (windows,). Causal: nothing in second k depends on signal after k + 1.
    """
    seconds = BySecond(window_s)
    seconds.add(onset_s, probability)
    return seconds.until(round(duration_s))


def choose_threshold(decision: Decision, trends: Sequence[np.ndarray], truths: Sequence[Annotations]) -> Decision:
    """The threshold with the best pooled second-by-second F1 of the finished events, on inner validation patients.

    One of `THRESHOLDS`, of equals the nearest to ½. `trends`: smoothed, (seconds,) each, of the recordings of `truths`.
    """
    masks = [t.to_mask(1.0) for t in truths]
    best = max(THRESHOLDS, key=lambda t: (_seconds_f1(decision.at(t), trends, masks), -abs(t - 0.5)))
    return decision.at(best)


def _seconds_f1(decision: Decision, trends: Sequence[np.ndarray], masks: Sequence[np.ndarray]) -> float:
    hits = found = true = 0
    for trend, mask in zip(trends, masks, strict=True):
        detected = decision.events(trend).to_mask(1.0)
        n = min(len(detected), len(mask))
        hits += int((detected[:n] & mask[:n]).sum())
        found += int(detected[:n].sum())
        true += int(mask[:n].sum())
    return 2 * hits / (found + true) if found + true else 0.0


def _added(before: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Running sums, one more after another, continued from those `before`."""
    return np.concatenate([before[:-1], np.cumsum(np.concatenate([before[-1:], values]))])


def _runs(flags: np.ndarray) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
