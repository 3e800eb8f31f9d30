"""Windows cut with exact sample arithmetic; none crosses a gap."""

from collections.abc import Sequence

import numpy as np

from data.outcomes import Refusal
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
