"""One opened video stream: its time stamps, its packets decoded, its pictures turned and scaled.

Decoding runs in slices, never in frame threads, which may hang when a file is left early.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from heapq import heappop, heappush
from pathlib import Path

import av
import numpy as np
from av.codec.context import Flags
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import PictureType
from av.video.reformatter import Interpolation
from av.video.stream import VideoStream

from data.outcomes import Refusal
from data.readers.video_container import check_container

CLOCKED = ("mpegts", "mpeg")
"""Containers whose time stamps begin wherever a clock stood; those of all others count from the recording's start."""

BACK_S = 0.5
"""Seconds by which the clock of a film may go back."""

BEGUN_WITHIN = 250
"""Packets within which a film's first key frame is expected; streams that were cut begin without."""

EARLY_S = 10.0
"""How far before a frame reading begins where no index tells where its key frame is."""


@contextmanager
def opened(path: Path) -> Iterator["Reel"]:
    """The file's video stream; every complaint of the decoder becomes a refusal that names no path.

    Refuses (`unsupported_format`) a file of several, of which all but one would be passed over; pictures that only stand for
    the file, as thumbnails do, are none.
    """
    length_stated = check_container(path)
    try:
        with av.open(f"file:{path}", options={"protocol_whitelist": "file"}, metadata_errors="ignore") as container:
            streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
            if not streams:
                raise Refusal("no_signal", "the file holds no pictures, only other streams: give the video file")
            if len(streams) > 1:
                raise Refusal(
                    "unsupported_format",
                    f"the file holds {len(streams)} films side by side, one is read: export each camera to a file of its own",
                )
            stream = streams[0]
            stream.thread_type = "SLICE"
            reel = Reel(container, stream, length_stated)
            if reel.is_unordered:
                stream.codec_context.flags |= Flags.output_corrupt  # one kept back would shift the others' places
            yield reel
    except av.FFmpegError:
        raise Refusal("corrupt", "the video cannot be read: export or transfer it again") from None


@dataclass
class Reel:
    """An open video stream. Time stamps are whole ticks of the stream's own clock.

    `length_stated`: whether the file states its length (`check_container`).
    `in_step`: whether the film's first key frame is one from which the decoder is sure that it can begin (an IDR), None
    before it has seen it. Of films that were cut elsewhere it calls frames damaged at random, and is not heard.
    `decoded`: when the key frames that `stamps` has seen are decoded, by their time stamps, all in ticks.
    """

    container: InputContainer
    stream: VideoStream
    length_stated: bool = True
    in_step: bool | None = None
    decoded: dict[int, int] = field(default_factory=dict)

    def stamps(self, first: int | None = None, last: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Ascending time stamps in ticks of the frames (frames,), and those of key frames; nothing is decoded.

        From the key frame before `first` (None: from the start) to `last`, and a little further. Refuses (`discontinuous`)
        a film whose clock goes back, as where several were put one behind the other: their frames would lie between each
        other's.
        """
        self.seek(first)
        shown, keys, before = set(), set(), None
        for packet in self.container.demux(self.stream):
            stamp = stamp_of(packet)
            if packet.dts is not None:
                if before is not None and (back_s := (before - packet.dts) * self.tick_s) > BACK_S:
                    raise Refusal(
                        "discontinuous",
                        f"the film's clock goes back by {back_s:.1f} s, at most {BACK_S:g} s are taken for a slip: it was put "
                        "together of several recordings, send each by itself",
                    )
                before = packet.dts
            if stamp is None or packet.is_discard:
                continue
            shown.add(stamp)
            if packet.is_keyframe:
                keys.add(stamp)
                self.decoded[stamp] = stamp if packet.dts is None else packet.dts
            if last is not None and packet.dts is not None and packet.dts > last:
                break
        return np.array(sorted(shown), dtype=np.int64), np.array(sorted(keys), dtype=np.int64)

    def seek(self, stamp: int | None) -> None:
        """Go to the key frame at or before a time stamp; to the start for None.

        MPEG streams have no index of key frames: there, well before it. That of AVI says when they are decoded.
        """
        if stamp is not None and self.is_clocked:
            early = stamp - round(EARLY_S / self.tick_s)
            stamp = early if early > (self.stream.start_time or 0) else None
        if stamp is None:
            start = self.container.start_time or 0
            self.container.seek(
                start - round(EARLY_S * av.time_base) if start < 0 and self.is_clocked else min(0, start)
            )
        else:
            at = self.decoded.get(stamp, stamp) if self._is_avi else stamp
            self.container.seek(at, stream=self.stream)

    def seek_before(self, key: int) -> bool:
        """Go two key frames back from one that `stamps` has seen, by its time stamp; False, and nowhere, where that is the first,
        or where `seek` goes well before it anyway.

        Films whose pictures are refreshed part by part may be decoded from any refresh on, but encoders keep to that only
        nearly: what one refresh leaves wrong the next mends.
        """
        start, back = self.stream.start_time or 0, self.decoded[key] - 1
        if self.is_clocked or back < start:
            return False
        self.container.seek(back, stream=self.stream)
        first = next(self.container.demux(self.stream))
        at = first.pts if first.dts is None else first.dts
        if at is None or at - 1 < start:
            self.seek(None)
        else:
            self.container.seek(at - 1, stream=self.stream)
        return True

    def seconds(self, stamps: np.ndarray) -> np.ndarray:
        """Seconds of the recording, (frames,), from time stamps (frames,) in ticks."""
        return stamps * self.tick_s - self.origin_s

    def ticks(self, times_s: np.ndarray) -> np.ndarray:
        """The last tick at or before each second of the recording, int64 (times,) of seconds (times,)."""
        return np.floor((times_s + self.origin_s) / self.tick_s + 1e-3).astype(np.int64)

    @property
    def tick_s(self) -> float:
        """Seconds that a tick of the stream's clock lasts; 1 where the stream states none."""
        return float(self.stream.time_base or 1)

    @property
    def origin_s(self) -> float:
        """Seconds on the stream's clock at which the recording begins; 0 for containers that are not `CLOCKED`."""
        return (self.container.start_time or 0) / av.time_base if self.is_clocked else 0.0

    @property
    def is_clocked(self) -> bool:
        """Whether its container is one without an index of key frames (`CLOCKED`)."""
        return self.container.format.name in CLOCKED

    @property
    def _is_avi(self) -> bool:
        return self.container.format.name == "avi"

    @property
    def is_unordered(self) -> bool:
        """AVI numbers packets as they are decoded; H.264 and HEVC show frames in another order, and do not say which."""
        return self._is_avi and self.stream.codec_context.name in ("h264", "hevc")

    def packets(
        self, needed: set[int] | None = None, begun: bool = False
    ) -> Iterator[tuple[list[av.VideoFrame], set[int]]]:
        """The whole frames that each packet releases, from where the stream stands, and the time stamps of those lost.

        Lost is what cannot be decoded, what came with a hole in it or right behind it, what the decoder had to make up in
        part, and all that follows a lost key frame until the next, as it is made from pictures that are not there. What
        follows another lost frame is as the decoder gives it, with traces of the loss until the next key frame
        (`View.after_lost`). Packets that are not `needed` (None: all are) and that no other frame is made from are passed
        over undecoded. `begun`: whether the stream stands well before what is needed; else what comes before a key frame is
        lost, as what it was made from lies before.
        """
        broken: int | None = None
        waiting: list[int] = []
        holed: set[int] = set()
        begun = begun or self.is_clocked
        for packet in self.container.demux(self.stream):
            stamp, whole, lost = stamp_of(packet), list[av.VideoFrame](), set[int]()
            wanted = needed is None or not packet.size or stamp in needed or self.is_unordered
            self.stream.codec_context.skip_frame = "DEFAULT" if wanted else "NONREF"
            if self.is_unordered and stamp is not None:
                heappush(waiting, stamp)
            if packet.is_corrupt and stamp is not None:
                holed.add(stamp)
            try:
                frames = [frame for frame in packet.decode() if isinstance(frame, av.VideoFrame)]
            except av.FFmpegError:
                frames = []
                if stamp is not None:
                    lost.add(stamp)
                    waiting = sorted(set(waiting) - lost)
                    broken = stamp if broken is None and self._is_key(packet) else broken
            for frame in frames:
                if frame.pts is None:
                    continue
                if self.is_unordered:
                    frame.pts = _stamp_in_order(frame, waiting)
                if self.in_step is None and frame.pict_type == PictureType.I:
                    self.in_step = not frame.is_corrupt
                damaged = frame.pts in holed or (bool(self.in_step) and frame.is_corrupt)
                if not begun and frame.pict_type in (PictureType.P, PictureType.B):
                    broken = frame.pts  # what it was made from lies before
                elif frame.key_frame and (broken is None or frame.pts > broken):
                    broken = frame.pts if damaged else None
                begun = True
                if damaged or (broken is not None and frame.pts >= broken):
                    lost.add(frame.pts)
                else:
                    whole.append(frame)
            yield whole, lost

    def begin(self) -> None:
        """Decode the first key frame: of a film that it sees only from the middle the decoder is not sure, either."""
        self.seek(None)
        for number, _ in enumerate(self.packets()):
            if self.in_step is not None or number > BEGUN_WITHIN:
                return

    def _is_key(self, packet: av.Packet) -> bool:
        """Whether it is a key frame by its content or by the file's index: noise in its place does not say so."""
        if packet.is_keyframe or packet.dts is None:
            return packet.is_keyframe
        index = self.stream.index_entries
        at = index.search_timestamp(packet.dts)
        return at >= 0 and index[at].timestamp == packet.dts

    def shown_size(self, frame: av.VideoFrame) -> tuple[int, int]:
        """Width and height in square pixels, turned."""
        width, height = self._sides(frame)
        return (height, width) if turn(frame) % 180 else (width, height)

    def upright(self, frame: av.VideoFrame) -> np.ndarray:
        """A frame turned, in square pixels: uint8 (row, column, 3)."""
        width, height = self._sides(frame)
        whole = frame.reformat(width=width, height=height, format="rgb24", threads=1).to_ndarray()
        return np.rot90(whole, turn(frame) // 90)

    def picture(self, frame: av.VideoFrame, size_px: int, grey: bool) -> np.ndarray:
        """A frame turned, scaled and set into the middle of a black square: uint8 (size, size[, 3])."""
        width, height = self._sides(frame)
        scale = size_px / max(width, height)
        scaled = frame.reformat(
            width=max(1, round(width * scale)),
            height=max(1, round(height * scale)),
            format="gray" if grey else "rgb24",
            interpolation=Interpolation.AREA if scale < 1 else Interpolation.BILINEAR,
            threads=1,
        ).to_ndarray()
        turned = np.rot90(scaled, turn(frame) // 90)
        rows, columns = turned.shape[:2]
        square = np.zeros((size_px, size_px, *turned.shape[2:]), dtype=np.uint8)
        top, left = (size_px - rows) // 2, (size_px - columns) // 2
        square[top : top + rows, left : left + columns] = turned
        return square

    def _sides(self, frame: av.VideoFrame) -> tuple[int, int]:
        """Width and height in square pixels, before turning: analogue cameras' pixels are often not square."""
        aspect = float(self.stream.sample_aspect_ratio or 1) or 1.0
        return round(frame.width * aspect), frame.height


def stamp_of(packet: av.Packet) -> int | None:
    """When its frame is shown; AVI keeps the order of decoding only."""
    return packet.pts if packet.pts is not None else packet.dts


def _stamp_in_order(frame: av.VideoFrame, waiting: list[int]) -> int:
    """The first time stamp of the packets whose frames are `waiting` to be shown, as frames leave a decoder in that order.

    Those before a key frame have not come and will not.
    """
    own = frame.pts or 0
    while frame.key_frame and len(waiting) > 1 and waiting[0] < own:
        heappop(waiting)
    return heappop(waiting) if waiting else own


def turn(frame: av.VideoFrame) -> int:
    """Degrees counter-clockwise, in quarters, by which the container says to turn pictures: 0, 90, 180 or 270."""
    return round(frame.rotation / 90) * 90 % 360
