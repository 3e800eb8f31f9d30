"""One EEG recording as it was made: channels in microvolts, in the stretches of time that were really recorded."""

from dataclasses import dataclass, field

import numpy as np

from data.events import Annotations

Signal = np.ndarray
"""Float array of shape (channels, samples), in microvolts."""


@dataclass(frozen=True)
class Segment:
    """A gapless stretch of a recording: `signal[:, 0]` was taken `onset_s` seconds after the recording's start.

    `signal` (channels, samples) is in µV, NaN where a sample is missing.
    """

    onset_s: float
    signal: Signal


@dataclass(frozen=True)
class Recording:
    """A recording: segments in time order that share channels and one sampling rate.

    `duration_s` is the span of the clock from first to last sample, gaps included. `digest` is the SHA-256 of
    the raw bytes, `age_days` the age at recording and `annotations` what the file itself marks, None where unknown.
    ValueError for a signal of another number of channels, and for segments that overlap.
    """

    channels: tuple[str, ...]
    rate_hz: float
    segments: tuple[Segment, ...]
    duration_s: float
    digest: str = ""
    name: str = ""
    age_days: float | None = None
    annotations: Annotations | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        end_s = 0.0
        for segment in self.segments:
            if segment.signal.ndim != 2 or segment.signal.shape[0] != len(self.channels):
                raise ValueError(f"signal of shape {segment.signal.shape} does not fit {len(self.channels)} channels")
            if segment.onset_s < end_s - 1e-6:
                raise ValueError(
                    f"segment at {segment.onset_s:.3f} s starts before the previous one ends ({end_s:.3f} s)"
                )
            end_s = segment.onset_s + segment.signal.shape[1] / self.rate_hz

    @property
    def recorded_s(self) -> float:
        """Seconds of signal, gaps left out."""
        return sum(s.signal.shape[1] for s in self.segments) / self.rate_hz

    @property
    def gaps(self) -> tuple[tuple[float, float], ...]:
        """(onset_s, duration_s) of every gap between segments."""
        ends = [s.onset_s + s.signal.shape[1] / self.rate_hz for s in self.segments]
        starts = [s.onset_s for s in self.segments[1:]]
        return tuple((end, start - end) for end, start in zip(ends, starts, strict=False) if start - end > 1e-6)
