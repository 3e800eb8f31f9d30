"""Small H.264 films that hold pictures and times and nothing else: no sound, no container metadata."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

CLOCK_HZ = 90_000


def write_video(
    path: Path | str,
    frames: np.ndarray,
    *,
    rate_hz: float | None = None,
    times_s: np.ndarray | None = None,
    crf: int = 20,
    key_every: int = 50,
    preset: str = "veryfast",
) -> None:
    """Write frames, uint8 (time, height, width[, 3]), as an MP4 file at a rate or at presentation times (ascending).

    Sides are even (the colours of H.264's 4:2:0 are half as large). The same frames and settings give the same bytes.
    """
    stamps = _stamps(len(frames), rate_hz, times_s)
    height, width = frames.shape[1:3]
    if height % 2 or width % 2:
        raise ValueError(f"the sides of a film are even, got {width} x {height}")
    with av.open(str(path), "w", format="mp4", options={"fflags": "+bitexact", "movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=_rate(stamps))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, CLOCK_HZ)
        stream.codec_context.gop_size = key_every
        stream.codec_context.thread_count = 1
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        stream.options = {"crf": str(crf), "preset": preset}
        for picture, stamp in zip(frames, stamps, strict=True):
            container.mux(stream.encode(_frame(picture, int(stamp))))
        container.mux(stream.encode(None))


def _stamps(frames: int, rate_hz: float | None, times_s: np.ndarray | None) -> np.ndarray:
    """Presentation times in ticks of the clock."""
    if (rate_hz is None) == (times_s is None):
        raise ValueError("a film is written at a rate or at times: give one of them")
    shown_s = np.arange(frames) / rate_hz if rate_hz is not None else np.asarray(times_s, dtype=float)
    stamps = np.round(shown_s * CLOCK_HZ).astype(int)
    if len(stamps) != frames or frames == 0 or (np.diff(stamps) <= 0).any() or stamps[0] < 0:
        raise ValueError(f"{frames} frames need as many ascending times from 0 on, got {len(stamps)}")
    return stamps


def _rate(stamps: np.ndarray) -> Fraction:
    ticks = int(np.median(np.diff(stamps))) if len(stamps) > 1 else CLOCK_HZ // 25
    return Fraction(CLOCK_HZ, ticks).limit_denominator(1001)


def _frame(picture: np.ndarray, stamp: int) -> av.VideoFrame:
    frame = _grey(picture) if picture.ndim == 2 else av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")
    frame = frame.reformat(format="yuv420p")
    frame.pts, frame.time_base = stamp, Fraction(1, CLOCK_HZ)
    return frame


def _grey(picture: np.ndarray) -> av.VideoFrame:
    """Grey needs no conversion of colours, which would take longer than to encode a small picture."""
    height, width = picture.shape
    planes = np.full((height * 3 // 2, width), 128, np.uint8)
    planes[:height] = _LIMITED[picture]
    return av.VideoFrame.from_ndarray(planes, format="yuv420p")


_LIMITED = np.round(16 + np.arange(256) * 219 / 255).astype(np.uint8)
"""Brightness 0–255 in the range that films have, 16–235."""
