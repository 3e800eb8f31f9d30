"""Windows cut with exact sample arithmetic; none crosses a gap."""

from collections.abc import Sequence

import numpy as np

from data.outcomes import Refusal
from data.recording import Segment


def samples(seconds: float, rate_hz: float) -> int:
    """Whole samples in `seconds`; refuses (ValueError) a length that is not a whole number of samples, or none."""
    exact = seconds * rate_hz
    if exact < 1 or abs(exact - round(exact)) > 1e-9:
        raise ValueError(f"{seconds} s at {rate_hz} Hz is {exact} samples, expected a whole number ≥ 1")
    return round(exact)


def views(signal: np.ndarray, size: int, hop: int) -> np.ndarray:
    """All whole windows along the last axis, (…, samples) → (…, windows, size), read-only and without a copy.

    At least one has to fit. NumPy's own sliding windows take longer than a window's spectrum.
    """
    count, step = (signal.shape[-1] - size) // hop + 1, signal.strides[-1]
    shape, strides = (*signal.shape[:-1], count, size), (*signal.strides[:-1], hop * step, step)
    return np.lib.stride_tricks.as_strided(signal, shape, strides, writeable=False)


class Cutter:
    """Cuts a gapless stretch into whole windows while it arrives, in chunks of any size; `cut` of the whole stretch.

    Keeps less than a window of signal. `next_end_s` is when the next window will be whole.
    """

    def __init__(self, rate_hz: float, window_s: float, hop_s: float, onset_s: float = 0.0):
        self._rate_hz, self._onset_s = rate_hz, onset_s
        self._size, self._hop = samples(window_s, rate_hz), samples(hop_s, rate_hz)
        self._kept: np.ndarray | None = None
        self._skip = 0  # samples to leave out before the next window, where windows lie apart
        self._made = 0

    def __call__(self, signal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(channels, samples) → the windows whole by now (windows, channels, samples), read-only, and onsets (s)."""
        whole = signal if self._kept is None else np.concatenate([self._kept, signal], axis=1)
        left_out = min(self._skip, whole.shape[1])
        whole, self._skip = whole[:, left_out:], self._skip - left_out
        count = max(0, (whole.shape[1] - self._size) // self._hop + 1)
        onsets_s = self._onset_s + (self._made + np.arange(count)) * self._hop / self._rate_hz
        self._made += count
        used = min(count * self._hop, whole.shape[1])
        self._kept, self._skip = whole[:, used:].copy(), self._skip + count * self._hop - used
        if count == 0:
            return np.zeros((0, len(whole), self._size), whole.dtype), onsets_s
        return views(whole, self._size, self._hop).transpose(1, 0, 2), onsets_s

    @property
    def next_end_s(self) -> float:
        """Seconds of the recording at which the next window will be whole."""
        return self._onset_s + (self._made * self._hop + self._size) / self._rate_hz


def cut(segment: Segment, rate_hz: float, window_s: float, hop_s: float) -> tuple[np.ndarray, np.ndarray]:
    """All whole windows of a segment: (windows, channels, samples), a read-only view, and their onsets in seconds."""
    return Cutter(rate_hz, window_s, hop_s, segment.onset_s)(segment.signal)


def clips_of_seizure(
    segments: Sequence[Segment], rate_hz: float, window_s: float, hop_s: float, shortest_s: float
) -> tuple[np.ndarray, np.ndarray]:
    """Clips of one seizure's signal: (clips, channels, samples) and their onsets in seconds, at least one.

    Where no gapless part is as long as a clip, the longest is mirrored at its end until it fills one: the rhythm goes
    on at its own frequency, and nothing is made up (silence would be read as suppression). Refuses with `too_short`
    a seizure whose longest part is shorter than `shortest_s`.
    """
    longest = max(segments, key=lambda s: s.signal.shape[1], default=None)
    length_s = 0.0 if longest is None else longest.signal.shape[1] / rate_hz
    if longest is None or length_s < shortest_s:
        raise Refusal(
            "too_short",
            f"the longest gapless part of the seizure has {length_s:.1f} s, needed are {shortest_s:g} s to name its "
            "type: mark the seizure from its onset to its end",
        )
    if length_s < window_s:
        missing = samples(window_s, rate_hz) - longest.signal.shape[1]
        return np.pad(longest.signal, ((0, 0), (0, missing)), mode="symmetric")[None], np.array([longest.onset_s])
    pieces = [cut(s, rate_hz, window_s, hop_s) for s in segments]
    return np.concatenate([x for x, _ in pieces]), np.concatenate([onset_s for _, onset_s in pieces])
