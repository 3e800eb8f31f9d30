"""Windows cut with exact sample arithmetic; none crosses a gap."""

import numpy as np

from data.recording import Segment


def samples(seconds: float, rate_hz: float) -> int:
    """Whole samples in `seconds`; refuses a length that is not a whole number of samples."""
    exact = seconds * rate_hz
    if exact < 1 or abs(exact - round(exact)) > 1e-9:
        raise ValueError(f"{seconds} s at {rate_hz} Hz is {exact} samples, expected a whole number ≥ 1")
    return round(exact)


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
        """(channels, samples) → the windows that are whole now (windows, channels, samples), read-only, and onsets."""
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
        view = np.lib.stride_tricks.sliding_window_view(whole, self._size, axis=1)[:, :: self._hop]
        return view.transpose(1, 0, 2), onsets_s

    @property
    def next_end_s(self) -> float:
        return self._onset_s + (self._made * self._hop + self._size) / self._rate_hz


def cut(segment: Segment, rate_hz: float, window_s: float, hop_s: float) -> tuple[np.ndarray, np.ndarray]:
    """All whole windows of a segment: (windows, channels, samples), a read-only view, and their onsets in seconds."""
    return Cutter(rate_hz, window_s, hop_s, segment.onset_s)(segment.signal)
