"""Video files, read by presentation time: what is asked for is what a viewer would have seen at that moment.

The container is opened inside each call, so that a film can be given to a worker process. Sound is never looked at.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import numpy as np

from data.film import Film, View, gap_s, missing_frames
from data.outcomes import Refusal
from data.readers.apart import may_run_apart
from data.readers.video_stream import Reel, opened, turn
from lineage.digest import digest_of, sha256_file

MAX_HOURS = 48.0
MAX_SIDE = 8192
MAX_LOST = 0.1
"""The share of frames lost up to which a film is read: of all of it where it is decoded whole, and of those asked for."""

MAX_AFTER_LOST = 0.5
"""The share of frames that may come between a lost one and the next key frame: most are to be as they were filmed.

One lost frame leaves traces in up to 7 % of the points of those that follow it, several in the same stretch in half of them.
Where they lie anywhere, half is reached by about one between two key frames.
"""

LOOKED_THROUGH = 64e6
"""Pixels up to which a film is decoded whole when it is read, to count what is lost; of a longer one only the start, and
what is lost is seen where its pictures are looked at."""

HELD_BACK = 16
"""Frames that a decoder may hold back for one that is shown before them (the largest picture buffer of H.264 and HEVC)."""

LEAP_S = 10.0
"""Asked times further apart than this are sought one by one; nothing between them is read."""


@may_run_apart
def read_film(paths: Sequence[Path], *, age_days: float | None = None, name: str = "") -> Film:
    """The film of these views, whose names are their `view-` entities.

    A view that ends before the others keeps its last frame. Frames that cannot be decoded, or only in part, are counted
    as `lost` in films that are short enough to be decoded whole, and the frame before stays shown; those from there to the
    next key frame are counted as `after_lost`, and are shown as the decoder gives them. More than 10 % lost are refused, and
    more than half after lost ones.
    Frames that are not there between time stamps are counted in films of any length.
    Refuses with `unsupported_format`, `corrupt`, `truncated`, `no_signal`, `too_short`. An unreadable path raises
    `OSError` without naming the path.
    """
    seen = [_of_several(Path(path), number, len(paths)) for number, path in enumerate(paths, 1)]
    if not seen:
        raise Refusal("no_signal", "a film has at least one view, none was given")
    digests = [view.digest for view, _ in seen]
    digest = digests[0] if len(digests) == 1 else digest_of(digests)
    return Film(tuple(view for view, _ in seen), max(end_s for _, end_s in seen), digest, name, age_days)


@may_run_apart
def frame_times(view: View) -> np.ndarray:
    """The presentation times of every frame, (frames,) ascending seconds of the recording; nothing is decoded."""
    with opened(view.path) as reel:
        return reel.seconds(reel.stamps()[0])


@may_run_apart
def read_frames(view: View, times_s: np.ndarray, size_px: int, grey: bool) -> np.ndarray:
    """The frames shown at ascending seconds (times,): uint8 (times, size, size) grey, or (times, size, size, 3) in RGB.

    A frame is shown from its presentation time until the next one's; before the first, the first is shown. Pictures are
    turned as the container says and scaled into the middle of a black square, undistorted. Refuses (`corrupt`) where
    more than 10 % of them cannot be decoded, or more than half come after one that cannot, before the next key frame; else
    the one before stands for one that cannot.
    """
    pictures, lost, after_lost = _read(view, times_s, size_px, grey)
    refuse_lost(lost, after_lost)
    return pictures


@may_run_apart
def frames_and_lost(
    view: View, times_s: np.ndarray, size_px: int, grey: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`read_frames`, uint8 (times, size, size[, 3]), however many are lost, and which those are, (times,) bool; then which
    come after a lost one, before the next key frame, (times,) bool.

    A picture that is lost is the one before (at the start, the one after); black where all are.
    """
    return _read(view, times_s, size_px, grey)


def refuse_lost(lost: np.ndarray, after_lost: np.ndarray, of: str = "", looked_at: str = " looked at") -> None:
    """Refuse (`corrupt`) pictures of which more than 10 % are `lost`, (times,) bool, or more than half are `after_lost`,
    (times,) bool; the reason begins with whose they are."""
    again = "export or transfer the film again"
    if (many := int(lost.sum())) > MAX_LOST * len(lost):
        raise Refusal(
            "corrupt",
            f"{of}{many} of {len(lost)} frames{looked_at} cannot be decoded, at most {MAX_LOST:.0%} may be lost: {again}",
        )
    if (many := int(after_lost.sum())) > MAX_AFTER_LOST * len(lost):
        raise Refusal(
            "corrupt",
            f"{of}{many} of {len(lost)} frames{looked_at} come after one that cannot be decoded and may be built on it, at "
            f"most {MAX_AFTER_LOST:.0%} may: {again}",
        )


def every_frame(view: View) -> Iterator[tuple[float, np.ndarray]]:
    """Every frame that can be decoded, with its presentation time (s): upright, full size, uint8 (row, column, 3)."""
    with opened(view.path) as reel:
        for whole, _ in reel.packets():
            for frame in whole:
                yield float(reel.seconds(np.array(frame.pts))), reel.upright(frame)


def _read(view: View, times_s: np.ndarray, size_px: int, grey: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    times_s = np.asarray(times_s, dtype=float)
    if (np.diff(times_s) < 0).any():
        raise ValueError("frames are asked for at ascending times")
    if not len(times_s):
        nothing = np.zeros((0, size_px, size_px) if grey else (0, size_px, size_px, 3), np.uint8)
        return nothing, np.zeros(0, bool), np.zeros(0, bool)
    near = np.split(times_s, np.flatnonzero(np.diff(times_s) > LEAP_S) + 1)
    with opened(view.path) as reel:
        reel.begin()
        shown = [_shown(reel, part, size_px, grey) for part in near]
    needed = np.concatenate([stamps for stamps, _, _ in shown])
    pictures = {stamp: picture for _, _, found in shown for stamp, picture in found.items()}
    if not pictures:
        pictures = {int(needed[0]): np.zeros((size_px, size_px) if grey else (size_px, size_px, 3), np.uint8)}
        return _filled(needed, pictures), np.ones(len(needed), bool), np.zeros(len(needed), bool)
    lost = ~np.isin(needed, list(pictures))
    return _filled(needed, pictures), lost, np.concatenate([after for _, after, _ in shown]) & ~lost


def _of_several(path: Path, number: int, of: int) -> tuple[View, float]:
    """`_view`; the refusal of one of several says which it is."""
    try:
        return _view(path)
    except Refusal as refusal:
        if of == 1:
            raise
        raise Refusal(refusal.code, f"view {number} of {of}: {refusal.reason}") from None


def _view(path: Path) -> tuple[View, float]:
    """One file's facts, and the second at which its last frame stops being shown."""
    with opened(path) as reel:
        stamps, keys = reel.stamps()
        times_s = reel.seconds(stamps)
        _check_times(times_s)
        first, lost, after_lost = _looked_through(reel, stamps, keys)
        steps_s = np.diff(times_s)
        view = View(
            path, sha256_file(path), *reel.shown_size(first), float(1 / steps_s.mean()), len(times_s),
            float(times_s[0]), float(times_s[-1]), reel.stream.codec_context.name, turn(first), _is_variable(steps_s),
            bool(first.interlaced_frame), lost, _name(path), missing_frames(steps_s), gap_s(steps_s), after_lost, reel.length_stated,
        )  # fmt: skip
    return view, view.last_s + float(np.median(steps_s))


def _check_times(times_s: np.ndarray) -> None:
    if len(times_s) == 0:
        raise Refusal("no_signal", "the video stream holds no frames: export it again")
    if len(times_s) == 1:
        raise Refusal("too_short", "the file holds 1 frame, a film has at least 2: give the video, not a picture")
    hours = times_s[-1] / 3600
    if hours > MAX_HOURS:
        raise Refusal("unsupported_format", f"the film lasts {hours:.1f} h, at most {MAX_HOURS:g} h are read: split it")


def _is_variable(steps_s: np.ndarray) -> bool:
    """Whether more than 1 % of the steps between frames differ by over a quarter from the middle one."""
    middle_s = np.median(steps_s)
    return bool((np.abs(steps_s - middle_s) > 0.25 * middle_s).mean() > 0.01)


def _name(path: Path) -> str:
    found = re.search(r"_view-([A-Za-z0-9]+)", path.name)
    return found.group(1) if found else ""


def _looked_through(reel: Reel, stamps: np.ndarray, keys: np.ndarray) -> tuple[av.VideoFrame, int | None, int | None]:
    """The first frame, how many were lost, and how many come after lost ones: None where the film is too long to be decoded
    whole."""
    frames = len(stamps)
    width, height = reel.stream.codec_context.width, reel.stream.codec_context.height
    if max(width, height) > MAX_SIDE:
        raise Refusal("unsupported_format", f"pictures of {width} x {height}, at most {MAX_SIDE} a side: scale it")
    whole = frames * width * height <= LOOKED_THROUGH
    reel.seek(None)
    first, seen = None, list[int]()
    for released, _ in reel.packets():
        seen += [frame.pts for frame in released if frame.pts is not None]
        first = first or next(iter(released), None)
        if first and not whole:
            break
    if first is None:
        raise Refusal("corrupt", f"none of {frames} frames could be decoded: export or transfer it again")
    lost = ~np.isin(stamps, seen) & (whole | (stamps < seen[0]))  # of some a decoder says nothing at all
    after_lost = _after(stamps, keys, stamps[lost]) & ~lost
    refuse_lost(lost, after_lost, looked_at="")
    return (first, int(lost.sum()), int(after_lost.sum())) if whole else (first, None, None)


def _after(stamps: np.ndarray, keys: np.ndarray, lost: np.ndarray) -> np.ndarray:
    """(frames,) bool, of time stamps (frames,), those of key frames, and those of `lost` frames: what is shown after a lost one
    and before the next key frame. Of what is decoded behind a lost frame and shown before it nothing is known."""
    first = np.full(len(keys) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, np.searchsorted(keys, lost, side="right"), lost)
    return np.asarray(stamps > first[np.searchsorted(keys, stamps, side="right")])


def _shown(
    reel: Reel, times_s: np.ndarray, size_px: int, grey: bool
) -> tuple[np.ndarray, np.ndarray, dict[int, np.ndarray]]:
    """The stamps of the frames shown at times near each other, which come after a lost one, and those frames; only what they
    need is decoded."""
    asked = reel.ticks(times_s)
    stamps, keys = reel.stamps(int(asked[0]), int(asked[-1]))
    if not len(stamps) or stamps[0] > asked[0]:  # the seek went too far, or the film begins later
        stamps, keys = reel.stamps(None, int(asked[-1]))
    if not len(stamps):
        raise Refusal("no_signal", "the video stream holds no frames: export it again")
    needed = stamps[np.maximum(np.searchsorted(stamps, asked, side="right") - 1, 0)]
    lost = set[int]()
    pictures = dict(_pictures(reel, np.unique(needed), keys, size_px, grey, lost))
    return needed, _after(needed, keys, np.array(sorted(lost), dtype=np.int64)), pictures


def _pictures(
    reel: Reel, needed: np.ndarray, keys: np.ndarray, size_px: int, grey: bool, lost: set[int]
) -> Iterator[tuple[int, np.ndarray]]:
    """The needed frames by time stamp; from one key frame with needed frames behind it to the next, by a leap. What is lost
    on the way is added to `lost`.

    Where the first needed frame does not come, the key frame may be one that needs those before it, as in films whose pictures
    are refreshed part by part: what decoding from well before it gives is what counts.
    """
    before = np.searchsorted(keys, needed, side="right") - 1
    for key in np.unique(before):
        group = set(needed[before == key].tolist())
        start = int(keys[key]) if key >= 0 else None
        reel.seek(start)
        pictures, missed = _group(reel, group, size_px, grey)
        if start is not None and min(group) not in pictures and reel.seek_before(start):
            pictures, missed = _group(reel, group, size_px, grey, begun=True)
            missed = {stamp for stamp in missed if stamp >= start}
        lost |= missed
        yield from pictures.items()


def _group(
    reel: Reel, needed: set[int], size_px: int, grey: bool, begun: bool = False
) -> tuple[dict[int, np.ndarray], set[int]]:
    """The needed frames from where the stream stands, and the time stamps of those lost on the way; frames leave the decoder in
    the order in which they are shown. What is shown before the first whole one is not lost: it needs what lies before, unless
    reading has `begun` there."""
    last, missed = max(needed), 0
    pictures, lost, begun = dict[int, np.ndarray](), set[int](), begun or reel.is_clocked
    for whole, not_whole in reel.packets(needed, begun):
        if whole and not begun:
            lost, begun = {stamp for stamp in lost if stamp > (whole[0].pts or 0)}, True
        lost |= not_whole
        for frame in whole:
            if frame.pts in needed:
                pictures[frame.pts] = reel.picture(frame, size_px, grey)
        missed += sum(stamp > last for stamp in not_whole)
        if missed > HELD_BACK or any(frame.pts is not None and frame.pts >= last for frame in whole):
            break
    return pictures, lost


def _filled(needed: np.ndarray, pictures: dict[int, np.ndarray]) -> np.ndarray:
    """A picture for each stamp; where it was lost, the one before stays shown (at the start, the one after)."""
    kept = np.array(sorted(pictures))
    at = np.maximum(np.searchsorted(kept, needed, side="right") - 1, 0)
    return np.stack([pictures[int(stamp)] for stamp in kept[at]])
