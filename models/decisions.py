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
    electrographic: ACNS 2013). Smoothing delays both ends of an event by about half its length, so events are moved
    `smooth_s / 2` earlier, never before the start of the assessed stretch.
    """

    threshold: float = 0.5
    smooth_s: int = 10
    min_duration_s: float = 10.0

    def smoothed(self, raw: np.ndarray, outside: np.ndarray | None = None) -> np.ndarray:
        """Causal mean of the past `smooth_s` assessed seconds; NaN stays NaN and starts the mean anew.

        Seconds that are `outside` (bool, out of distribution) never enter a mean. One of them breaks no event in two;
        where more than half of the past seconds are outside, nothing is said (NaN).
        """
        out = np.full(len(raw), np.nan)
        inside = np.ones(len(raw)) if outside is None else 1.0 - outside
        for start, end in _runs(~np.isnan(raw)):
            total = np.concatenate([[0.0], np.cumsum(raw[start:end] * inside[start:end])])
            known = np.concatenate([[0.0], np.cumsum(inside[start:end])])
            at = np.arange(1, end - start + 1)
            first = np.maximum(0, at - self.smooth_s)
            used = known[at] - known[first]
            enough = 2 * used >= at - first
            out[start:end] = np.where(enough, (total[at] - total[first]) / np.where(enough, used, 1.0), np.nan)
        return out

    def events(self, trend: np.ndarray, duration_s: float | None = None) -> Annotations:
        """Events of a smoothed trend (one value per second, NaN = not assessable); confidence is the peak probability.

        `duration_s` is the recording's length where it is not a whole number of seconds.
        """
        duration_s = float(len(trend)) if duration_s is None else duration_s
        known = ~np.isnan(trend)
        starts, ends = self._long_enough(_runs(known & (trend >= self.threshold)))
        if not len(starts):
            return Annotations((), duration_s)
        last_unknown = np.maximum.accumulate(np.where(known, -1, np.arange(len(trend))))
        onset_s = np.maximum(last_unknown[starts] + 1.0, starts - self.smooth_s / 2)
        length_s = np.maximum(ends - self.smooth_s / 2 - onset_s, self.min_duration_s)
        length_s = np.minimum(length_s, duration_s - onset_s)
        peak = np.maximum.reduceat(np.append(trend, 0.0), np.stack([starts, ends], axis=1).ravel())[::2]
        rows = zip(onset_s.tolist(), length_s.tolist(), peak.tolist(), strict=True)
        return Annotations(tuple(Event(onset, length, confidence=c) for onset, length, c in rows), duration_s)

    def _long_enough(self, runs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
        first, last = np.array(runs, dtype=int).reshape(-1, 2).T
        long = last - first >= self.min_duration_s
        return first[long], last[long]

    def at(self, threshold: float) -> "Decision":
        return replace(self, threshold=float(threshold))


def raw_trend(onset_s: np.ndarray, probability: np.ndarray, window_s: float, duration_s: float) -> np.ndarray:
    """One value per second: second k gets the last window that ended by k + 1 and after k; NaN where none did.

    Causal: nothing in second k depends on signal after k + 1.
    """
    trend = np.full(round(duration_s), np.nan)
    second = np.ceil(np.asarray(onset_s) + window_s - 1e-6).astype(int) - 1
    inside = (second >= 0) & (second < len(trend))
    trend[second[inside]] = np.asarray(probability)[inside]
    return trend


def choose_threshold(decision: Decision, trends: Sequence[np.ndarray], truths: Sequence[Annotations]) -> Decision:
    """The threshold with the best pooled second-by-second F1 of the finished events, on inner validation patients."""
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


def _runs(flags: np.ndarray) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
