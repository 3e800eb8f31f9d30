"""Small H.264 films that hold pictures and times and nothing else: no sound, no container metadata."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.codec.context import Flags
from av.container import OutputContainer
from av.video.stream import VideoStream

CLOCK_HZ = 90_000


def write_video(
    path: Path | str,
    frames: Iterable[np.ndarray],
    *,
    rate_hz: float | None = None,
    times_s: Iterable[float] | None = None,
    crf: int = 20,
    key_every: int = 50,
    preset: str = "veryfast",
) -> None:
    """Write pictures, uint8 (height, width[, 3]) each, as an MP4 file, at a rate or at presentation times (ascending).

    Sides are even (the colours of H.264's 4:2:0 are half as large). The same pictures and settings give the same bytes.
    A stack of pictures will do, and so will pictures that are made one by one. A failure leaves no file. ValueError for
    no picture, odd sides, times that do not ascend from 0, and unless either the rate (Hz) or the times (s) are given.
    """
    timed: Iterable[tuple[float, np.ndarray]]
    if times_s is not None and rate_hz is None:
        timed = zip(times_s, frames, strict=True)
    elif rate_hz is not None and times_s is None:
        timed = ((n / rate_hz, picture) for n, picture in enumerate(frames))
    else:
        raise ValueError("a film is written at a rate or at times: give one of them")
    write_timed(path, timed, rate_hz=rate_hz or 25.0, crf=crf, key_every=key_every, preset=preset)


def write_timed(
    path: Path | str,
    timed: Iterable[tuple[float, np.ndarray]],
    *,
    rate_hz: float = 25.0,
    crf: int = 20,
    key_every: int = 50,
    preset: str = "veryfast",
) -> None:
    """`write_video` of pairs of a presentation time (s) and a picture, uint8 (height, width[, 3]).

    `rate_hz` is only what the container announces. ValueError for no picture, odd sides, and times that do not ascend
    from 0.
    """
    stamped = _stamped(timed)
    first, stamp = next(stamped, (None, 0))
    if first is None:
        raise ValueError("a film has at least one picture, none was given")
    height, width = first.shape[:2]
    if height % 2 or width % 2:
        raise ValueError(f"the sides of a film are even, got {width} x {height}")
    try:
        with _created(path) as container:
            stream = _stream(container, width, height, rate_hz, key_every)
            stream.options = {"crf": str(crf), "preset": preset}
            container.mux(stream.encode(_frame(first, stamp)))
            for picture, stamp in stamped:
                container.mux(stream.encode(_frame(picture, stamp)))
            container.mux(stream.encode(None))
    except BaseException:
        Path(path).unlink(missing_ok=True)
        raise


def _stamped(timed: Iterable[tuple[float, np.ndarray]]) -> Iterator[tuple[np.ndarray, int]]:
    """Pictures with their presentation times in ticks of the clock."""
    before = -1
    for time_s, picture in timed:
        stamp = round(time_s * CLOCK_HZ)
        if stamp <= before:
            raise ValueError(f"presentation times ascend from 0 on, got {time_s:g} s after {before / CLOCK_HZ:g} s")
        before = stamp
        yield picture, stamp


def _created(path: Path | str) -> OutputContainer:
    return av.open(str(path), "w", format="mp4", options={"fflags": "+bitexact", "movflags": "+faststart"})


def _stream(container: OutputContainer, width: int, height: int, rate_hz: float, key_every: int) -> VideoStream:
    rate = Fraction(rate_hz).limit_denominator(1001)
    stream = container.add_stream("libx264", rate=rate)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.time_base = stream.codec_context.time_base = Fraction(1, CLOCK_HZ)
    stream.codec_context.gop_size = key_every
    stream.codec_context.thread_count = 1  # the bytes do not depend on the machine
    stream.codec_context.flags |= Flags.bitexact
    return stream


def _frame(picture: np.ndarray, stamp: int) -> av.VideoFrame:
    frame = _grey(picture) if picture.ndim == 2 else _coloured(picture)
    frame.pts, frame.time_base = stamp, Fraction(1, CLOCK_HZ)
    return frame


def _coloured(picture: np.ndarray) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24").reformat(format="yuv420p")


def _grey(picture: np.ndarray) -> av.VideoFrame:
    """Grey needs no conversion of colours, which would take longer than to encode a small picture."""
    height, width = picture.shape
    frame = av.VideoFrame(width, height, "yuv420p")
    brightness, *colours = (
        np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size) for plane in frame.planes
    )
    brightness[:, :width] = _LIMITED[picture]
    for colour in colours:
        colour[:] = 128
    return frame


_LIMITED = np.round(16 + np.arange(256) * 219 / 255).astype(np.uint8)
"""Brightness 0–255 in the range that films have, 16–235."""
