"""Windows cut with exact sample arithmetic; none crosses a gap."""

import numpy as np

from data.recording import Segment


def samples(seconds: float, rate_hz: float) -> int:
    """Whole samples in `seconds`; refuses a length that is not a whole number of samples."""
    exact = seconds * rate_hz
    if exact < 1 or abs(exact - round(exact)) > 1e-9:
        raise ValueError(f"{seconds} s at {rate_hz} Hz is {exact} samples, expected a whole number ≥ 1")
    return round(exact)


def cut(segment: Segment, rate_hz: float, window_s: float, hop_s: float) -> tuple[np.ndarray, np.ndarray]:
    """All whole windows of a segment: (windows, channels, samples), a read-only view, and their onsets in seconds."""
    size, hop = samples(window_s, rate_hz), samples(hop_s, rate_hz)
    channels, length = segment.signal.shape
    if length < size:
        return np.zeros((0, channels, size), dtype=segment.signal.dtype), np.zeros(0)
    view = np.lib.stride_tricks.sliding_window_view(segment.signal, size, axis=1)[:, ::hop]
    onsets_s = segment.onset_s + np.arange(view.shape[1]) * hop / rate_hz
    return view.transpose(1, 0, 2), onsets_s
