"""How much of a person a recording still shows: raw film, blurred film, pose, features, each tier made from the one before.

A film shows a face, a pose keeps proportions and gait, and even features may be matched: no tier is anonymous, and each
is personal health data. What a pose export still gives away is measured by `validation.reidentification`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import Interpolation

from data.outcomes import Refusal
from data.pose import JOINTS, PoseTrack
from data.pose_quality import middle, ordered, torso
from data.readers.video import every_frame, read_film
from data.readers.video_copy import copied_pictures
from data.readers.video_writer import write_timed

TIERS = {
    "raw": "film without sound, container metadata and written-in text; stays at the site",
    "blurred": "film in which the head, or everything where no head was found, is coarse",
    "pose": "joints, centred on the hips and measured in torso lengths",
    "features": "what a network makes of them; no picture and no joint",
}
"""From the most to the least that is shown."""

GREY = 128
COARSE = 24
"""Cells along the longer side of a blurred picture; a head that fills a quarter of it is six cells."""

HEAD = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
HEAD_TORSOS = 0.75
"""Radius, in torso lengths, of the circle about the joints of the head that is blurred: an infant's head is large."""


@dataclass(frozen=True)
class Strip:
    """Where a recorder writes names and times over the picture: shares (0–1) of the upright picture's height and width.

    ValueError for a strip that is empty or reaches out of the picture.
    """

    top: float
    bottom: float
    left: float = 0.0
    right: float = 1.0

    def __post_init__(self) -> None:
        if not (0 <= self.top < self.bottom <= 1 and 0 <= self.left < self.right <= 1):
            raise ValueError("a strip lies inside the picture: 0 <= top < bottom <= 1, 0 <= left < right <= 1")

    def cover(self, picture: np.ndarray) -> np.ndarray:
        """A copy of a picture, uint8 (row, column[, 3]), with the strip grey; a point that it touches is covered."""
        rows, columns = picture.shape[:2]
        covered = picture.copy()
        top, bottom = int(np.floor(self.top * rows)), int(np.ceil(self.bottom * rows))
        left, right = int(np.floor(self.left * columns)), int(np.ceil(self.right * columns))
        covered[top:bottom, left:right] = GREY
        return covered


def scrub_video(source: Path, target: Path, *, overlay: Strip | None = None) -> None:
    """Copy a film to an MP4 file, which must not exist, without sound, container metadata and text written over it.

    Where nothing is painted over, the codec is H.264 or HEVC and nothing is damaged, pictures are taken over bit for
    bit, without the notes that cameras leave between them (SEI). Else they are encoded again, turned upright. Times stay as they were. Refuses
    what `read_film` refuses.
    """
    _must_be_new(target)
    view = read_film([source]).views[0]
    if overlay is None and copied_pictures(source, target, view.codec):
        return
    pictures = ((time_s, overlay.cover(picture) if overlay else picture) for time_s, picture in every_frame(view))
    write_timed(target, _even(pictures), crf=18)


def blur_video(source: Path, target: Path, *, head: PoseTrack | None = None, overlay: Strip | None = None) -> None:
    """Write the blurred tier of a film: coarse cells in the circle of the head, where `head` says where it is.

    `head` is a pose of this film, in points of its upright pictures. Where it does not see the head (or there is no
    pose), the whole picture is coarse: blurring fails towards too much. One blurred film of somebody beside a raw one
    of the same minute hides nothing.
    """
    _must_be_new(target)
    view = read_film([source]).views[0]
    circles = _Heads(head) if head is not None else None

    def blurred() -> Iterator[tuple[float, np.ndarray]]:
        for time_s, picture in every_frame(view):
            shown = overlay.cover(picture) if overlay else picture
            inside = circles.at(time_s, shown.shape[:2]) if circles else None
            yield time_s, coarse(shown) if inside is None else np.where(inside[..., None], coarse(shown), shown)

    write_timed(target, _even(blurred()), crf=18)


def coarse(picture: np.ndarray) -> np.ndarray:
    """A picture, uint8 (row, column, 3), of which only the means of `COARSE` cells along its longer side are left."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    scale = COARSE / max(frame.width, frame.height)
    width, height = (max(2, round(side * scale)) for side in (frame.width, frame.height))
    few = frame.reformat(width=width, height=height, interpolation=Interpolation.AREA)
    return few.reformat(width=frame.width, height=frame.height, interpolation=Interpolation.BILINEAR).to_ndarray()


def normalised(track: PoseTrack) -> PoseTrack:
    """The pose tier: positions from the middle of the hips, in torso lengths of the track's middle; no name, no digest.

    Where the person lay, how large and how near they were is gone; proportions and movement stay. Where the hips were
    not seen, their place is that between the frames in which they were. Refuses with `montage_missing` or `no_person`.
    """
    xy = _human(track)
    hips = middle(xy, "hip")
    seen = np.isfinite(hips).all(axis=1)
    length = torso(xy)
    if not seen.any() or not length > 0:
        raise Refusal("no_person", "hips and shoulders were never seen together: no size to measure the pose by")
    centre = np.stack([np.interp(track.time_s, track.time_s[seen], hips[seen, axis]) for axis in (0, 1)], axis=1)
    return replace(track, xy=(track.xy - centre[:, None]) / length, name="", digest="", people=None)


def _must_be_new(target: Path) -> None:
    if target.exists():
        raise FileExistsError("the copy exists already: give another name or remove it first")


def _even(pictures: Iterator[tuple[float, np.ndarray]]) -> Iterator[tuple[float, np.ndarray]]:
    """Without the last row or column of an odd number, and without what would be shown before the recording began."""
    for time_s, picture in pictures:
        if time_s >= 0:
            yield time_s, picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]


def _human(track: PoseTrack) -> np.ndarray:
    """(time, joint, 2) in the order of `JOINTS`."""
    if missing := set(JOINTS) - set(track.joints):
        raise Refusal("montage_missing", f"{len(missing)} joints of a human are not in the pose: estimate them")
    return ordered(track)[1]


class _Heads:
    """Circles about the head, from the pose nearest in time."""

    def __init__(self, track: PoseTrack):
        xy = _human(track)
        self._time_s, self._length = track.time_s, torso(xy)
        self._xy = xy[:, [JOINTS.index(joint) for joint in HEAD]]

    def at(self, time_s: float, shape: tuple[int, int]) -> np.ndarray | None:
        """(row, column) bool: what belongs to the head at a time; None where that is not known."""
        nearest = int(np.abs(self._time_s - time_s).argmin())
        joints = self._xy[nearest]
        joints = joints[np.isfinite(joints).all(axis=1)]
        late = abs(self._time_s[nearest] - time_s) > 0.2
        if late or not len(joints) or not np.isfinite(self._length):
            return None
        centre = joints.mean(axis=0)
        radius = HEAD_TORSOS * self._length + float(np.linalg.norm(joints - centre, axis=1).max())
        rows, columns = np.mgrid[: shape[0], : shape[1]]
        return np.asarray((columns - centre[0]) ** 2 + (rows - centre[1]) ** 2 <= radius**2)
