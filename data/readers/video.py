"""Video files, read by presentation time: what is asked for is what a viewer would have seen at that moment.

Decoding runs in one thread per call or in slices, never in frame threads, which may hang when a file is left early. The
container is opened inside each call, so that a film can be given to a worker process.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.reformatter import Interpolation
from av.video.stream import VideoStream

from data.film import Film, View
from data.outcomes import Refusal
from data.readers.video_container import check_container
from lineage.digest import digest_of, sha256_file

MAX_HOURS = 48.0
MAX_SIDE = 8192
MAX_LOST = 0.1
"""The share of packets lost up to which a film is read."""

LOOKED_THROUGH = 64e6
"""Pixels up to which a film is decoded whole when it is read, to count what is lost; of a longer one only the start."""

LEAP_S = 10.0
"""Asked times further apart than this are sought one by one; nothing between them is read."""

CLOCKED = ("mpegts", "mpeg")
"""Containers whose time stamps begin wherever a clock stood; those of all others count from the recording's start."""


def read_film(paths: Sequence[Path], *, age_days: float | None = None, name: str = "") -> Film:
    """The film of these views, whose names are their `view-` entities; sound is never looked at.

    A view that ends before the others keeps its last frame. Packets that cannot be decoded are counted as `lost`, and
    the frame before stays shown; more than 10 % lost are refused. Refuses with `unsupported_format`, `corrupt`,
    `truncated`, `no_signal`, `too_short`. An unreadable path raises `OSError` without naming the path.
    """
    seen = [_view(Path(path)) for path in paths]
    if not seen:
        raise Refusal("no_signal", "a film has at least one view, none was given")
    digests = [view.digest for view, _ in seen]
    digest = digests[0] if len(digests) == 1 else digest_of(digests)
    return Film(tuple(view for view, _ in seen), max(end_s for _, end_s in seen), digest, name, age_days)


def frame_times(view: View) -> np.ndarray:
    """The presentation times of every frame, ascending seconds of the recording; nothing is decoded."""
    with _opened(view.path) as (container, stream):
        stamps, _ = _stamps(container, stream)
        return _seconds(stamps, container, stream)


def read_frames(view: View, times_s: np.ndarray, size_px: int, grey: bool) -> np.ndarray:
    """The frames shown at ascending times: uint8 (times, size, size) grey, or (times, size, size, 3) red, green, blue.

    A frame is shown from its presentation time until the next one's; before the first, the first is shown. Pictures are
    turned as the container says and scaled into the middle of a black square, undistorted.
    """
    times_s = np.asarray(times_s, dtype=float)
    if (np.diff(times_s) < 0).any():
        raise ValueError("frames are asked for at ascending times")
    shape = (size_px, size_px) if grey else (size_px, size_px, 3)
    if not len(times_s):
        return np.zeros((0, *shape), dtype=np.uint8)
    near = np.split(times_s, np.flatnonzero(np.diff(times_s) > LEAP_S) + 1)
    with _opened(view.path) as (container, stream):
        return np.concatenate([_shown(container, stream, part, size_px, grey) for part in near])


@contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its first video stream; every complaint of the decoder becomes a refusal without a path."""
    check_container(path)
    try:
        with av.open(f"file:{path}", options={"protocol_whitelist": "file"}, metadata_errors="ignore") as container:
            if not container.streams.video:
                raise Refusal("no_signal", "the file holds no pictures, only other streams: give the video file")
            stream = container.streams.video[0]
            stream.thread_type = "SLICE"
            yield container, stream
    except av.FFmpegError:
        raise Refusal("corrupt", "the video cannot be read: export or transfer it again") from None


def _view(path: Path) -> tuple[View, float]:
    """One file's facts, and the second at which its last frame stops being shown."""
    with _opened(path) as (container, stream):
        stamps, _ = _stamps(container, stream)
        times_s = _seconds(stamps, container, stream)
        _check_times(times_s)
        first, lost = _looked_through(container, stream, len(stamps))
        steps_s = np.diff(times_s)
        width, height = _shown_size(first)
        view = View(
            path, sha256_file(path), width, height, float(1 / steps_s.mean()), len(stamps), float(times_s[0]),
            float(times_s[-1]), stream.codec_context.name, _turn(first), _is_variable(steps_s),
            bool(first.interlaced_frame), lost, _name(path),
        )  # fmt: skip
    return view, view.last_s + float(np.median(steps_s))


def _check_times(times_s: np.ndarray) -> None:
    if len(times_s) == 0:
        raise Refusal("no_signal", "the video stream holds no frames: export it again")
    if len(times_s) == 1:
        raise Refusal("too_short", "the file holds 1 frame, a film has at least 2: give the video, not a picture")
    hours = (times_s[-1] - times_s[0]) / 3600
    if hours > MAX_HOURS:
        raise Refusal("unsupported_format", f"the film lasts {hours:.1f} h, at most {MAX_HOURS:g} h are read: split it")


def _is_variable(steps_s: np.ndarray) -> bool:
    """Whether more than 1 % of the steps between frames differ by over a quarter from the middle one."""
    middle_s = np.median(steps_s)
    return bool((np.abs(steps_s - middle_s) > 0.25 * middle_s).mean() > 0.01)


def _name(path: Path) -> str:
    found = re.search(r"_view-([A-Za-z0-9]+)", path.name)
    return found.group(1) if found else ""


def _looked_through(container: InputContainer, stream: VideoStream, frames: int) -> tuple[av.VideoFrame, int]:
    """The first frame, and how many packets were lost where the film is short enough to be decoded whole."""
    width, height = stream.codec_context.width, stream.codec_context.height
    if max(width, height) > MAX_SIDE:
        raise Refusal("unsupported_format", f"pictures of {width} x {height}, at most {MAX_SIDE} a side: scale it")
    whole = frames * width * height <= LOOKED_THROUGH
    container.seek(0)
    first, lost, packets = None, 0, 0
    for packet in container.demux(stream):
        packets += packet.size > 0
        decoded = _decoded(packet)
        lost += decoded is None
        first = first or next(iter(decoded or ()), None)
        if first and not whole:
            break
    if first is None:
        raise Refusal("corrupt", f"none of {packets} packets could be decoded: export or transfer it again")
    if lost > MAX_LOST * packets:
        raise Refusal(
            "corrupt", f"{lost} of {packets} packets could not be decoded, at most {MAX_LOST:.0%} may be lost"
        )
    return first, lost


def _decoded(packet: av.Packet) -> list[av.VideoFrame] | None:
    """The frames that a packet releases; None where it cannot be decoded."""
    try:
        return [frame for frame in packet.decode() if isinstance(frame, av.VideoFrame)]
    except av.FFmpegError:
        return None


def _stamps(
    container: InputContainer, stream: VideoStream, first: int | None = None, last: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Ascending time stamps of the frames, from the key frame before `first` to `last`, and those of key frames."""
    if first is None:
        container.seek(0)
    else:
        container.seek(max(first, 0), stream=stream)
    stamps, keys = set(), set()
    for packet in container.demux(stream):
        stamp = _stamp(packet)
        if stamp is None or packet.is_discard:
            continue
        stamps.add(stamp)
        if packet.is_keyframe:
            keys.add(stamp)
        if last is not None and packet.dts is not None and packet.dts > last:
            break
    return np.array(sorted(stamps), dtype=np.int64), np.array(sorted(keys), dtype=np.int64)


def _stamp(packet: av.Packet) -> int | None:
    return packet.pts if packet.pts is not None else packet.dts


def _seconds(stamps: np.ndarray, container: InputContainer, stream: VideoStream) -> np.ndarray:
    return stamps * float(stream.time_base or 0) - _origin_s(container)


def _origin_s(container: InputContainer) -> float:
    return (container.start_time or 0) / av.time_base if container.format.name in CLOCKED else 0.0


def _shown(container: InputContainer, stream: VideoStream, times_s: np.ndarray, size_px: int, grey: bool) -> np.ndarray:
    """The frames shown at times near each other, of which only what they need is decoded."""
    asked = np.floor((times_s + _origin_s(container)) / float(stream.time_base or 1) + 1e-6).astype(np.int64)
    stamps, keys = _stamps(container, stream, int(asked[0]), int(asked[-1]))
    if not len(stamps) or stamps[0] > asked[0]:
        stamps, keys = _stamps(container, stream, None, int(asked[-1]))
    if not len(stamps):
        raise Refusal("no_signal", "the video stream holds no frames: export it again")
    needed = stamps[np.maximum(np.searchsorted(stamps, asked, side="right") - 1, 0)]
    pictures = dict(_pictures(container, stream, np.unique(needed), keys, size_px, grey))
    return _filled(needed, pictures)


def _pictures(
    container: InputContainer, stream: VideoStream, needed: np.ndarray, keys: np.ndarray, size_px: int, grey: bool
) -> Iterator[tuple[int, np.ndarray]]:
    """The needed frames by time stamp. What no needed frame is made from is passed over: undecoded, or by a leap."""
    before = np.searchsorted(keys, needed, side="right") - 1
    for group in np.split(needed, np.flatnonzero(np.diff(before)) + 1):
        key = before[np.searchsorted(needed, group[0])]
        container.seek(int(keys[key]) if key >= 0 else 0, stream=stream)
        yield from _group(container, stream, set(group.tolist()), size_px, grey)


def _group(
    container: InputContainer, stream: VideoStream, needed: set[int], size_px: int, grey: bool
) -> Iterator[tuple[int, np.ndarray]]:
    last = max(needed)
    for packet in container.demux(stream):
        stream.codec_context.skip_frame = "DEFAULT" if _stamp(packet) in needed or not packet.size else "NONREF"
        for frame in _decoded(packet) or ():
            if frame.pts in needed:
                needed.discard(frame.pts)
                yield frame.pts, _picture(frame, size_px, grey)
            if frame.pts is not None and frame.pts >= last:
                return


def _filled(needed: np.ndarray, pictures: dict[int, np.ndarray]) -> np.ndarray:
    """A picture for each stamp; where it was lost, the one before stays shown (at the start, the one after)."""
    if not pictures:
        raise Refusal("corrupt", "none of the frames asked for could be decoded: export or transfer it again")
    kept = np.array(sorted(pictures))
    at = np.maximum(np.searchsorted(kept, needed, side="right") - 1, 0)
    return np.stack([pictures[int(stamp)] for stamp in kept[at]])


def _picture(frame: av.VideoFrame, size_px: int, grey: bool) -> np.ndarray:
    """A frame turned, scaled and letterboxed: uint8 (size, size[, 3])."""
    width, height = _sides(frame)
    scale = size_px / max(width, height)
    scaled = frame.reformat(
        width=max(1, round(width * scale)),
        height=max(1, round(height * scale)),
        format="gray" if grey else "rgb24",
        interpolation=Interpolation.AREA if scale < 1 else Interpolation.BILINEAR,
        threads=1,
    ).to_ndarray()
    turned = np.rot90(scaled, _turn(frame) // 90)
    rows, columns = turned.shape[:2]
    square = np.zeros((size_px, size_px, *turned.shape[2:]), dtype=np.uint8)
    top, left = (size_px - rows) // 2, (size_px - columns) // 2
    square[top : top + rows, left : left + columns] = turned
    return square


def _turn(frame: av.VideoFrame) -> int:
    """Degrees counter-clockwise, in quarter turns, by which the container says to turn the pictures: 0, 90, 180, 270."""
    return round(frame.rotation / 90) * 90 % 360


def _sides(frame: av.VideoFrame) -> tuple[int, int]:
    """Width and height in square pixels, before turning."""
    return frame.width, frame.height


def _shown_size(frame: av.VideoFrame) -> tuple[int, int]:
    width, height = _sides(frame)
    return (height, width) if _turn(frame) % 180 else (width, height)
