"""Poses in OpenPose's JSON: one file per frame, in a folder or an archive, or a list of frames; BODY_25 and BODY_25B.

The format has no times: the rate must be stated. Frames in a file each are numbered by its name, so that one that is
missing leaves a gap and later ones keep their time. A joint with confidence 0 was not seen.
"""

import json
import tarfile
import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from data.outcomes import Refusal
from data.pose import EDGES, JOINTS, PoseTrack
from data.readers.pose.limits import WITH_TIMES, check_frames, check_size
from data.readers.pose.numbering import by_number
from lineage.digest import Digest

_BODY_25 = (0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11, 1)
_BODY_25B = tuple(range(18))
LAYOUTS = {"BODY_25": _BODY_25, "BODY_25B": _BODY_25B}
"""Where each of our joints stands among the 25 of OpenPose (its documentation of outputs; BODY_25B ends in the neck)."""


def frames_of_folder(folder: Path, series: str = "") -> dict[int, bytes]:
    """The JSON files of one series of frames by number; see `by_number` for what is refused."""
    files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*.json") if p.is_file()}
    return {number: files[name].read_bytes() for number, name in _one_series(list(files), series).items()}


def frames_of_archive(path: Path, series: str = "") -> dict[int, bytes]:
    """The JSON files of one series of frames in a tar archive by number; nothing is unpacked to disk.

    Refuses what `by_number` refuses, and (`corrupt`) an archive that cannot be read.
    """
    try:
        with tarfile.open(path) as archive:
            members = _members(archive)
            chosen = _one_series(list(members), series)
            opened = ((number, archive.extractfile(members[name])) for number, name in chosen.items())
            return {number: file.read() for number, file in opened if file}
    except (tarfile.TarError, EOFError, OSError, zlib.error):
        raise Refusal("corrupt", "the archive cannot be read: transfer it again") from None


def parsed(files: Iterable[bytes]) -> list[Any]:
    """What each file says, in their order; refuses with `corrupt` where one is not JSON."""
    try:
        return [json.loads(content) for content in files]
    except ValueError:
        raise Refusal("corrupt", "a frame of the pose is not JSON: export it again") from None


def is_openpose(content: Any) -> bool:
    """Whether parsed JSON is a list of frames of which the first lists `people`."""
    return isinstance(content, list) and bool(content) and isinstance(content[0], dict) and "people" in content[0]


def track_of(
    content: list[Any],
    digest: Digest,
    rate_hz: float | None,
    age_days: float | None,
    name: str,
    numbers: Sequence[int] | None = None,
    layout: str = "",
) -> PoseTrack:
    """The track of the surest person of each frame; `people` counts all. Frames without a person are missing.

    `numbers`, ascending, say how many frames after the first each is; without them no frame is missing.
    BODY_25 and BODY_25B look the same in the file: unless `layout` says which it is, it is the one whose bones are
    shorter, as joints that belong together lie near each other. Refuses (`unsupported_format`) frames without a rate.
    """
    if not rate_hz:
        raise Refusal("unsupported_format", f"OpenPose frames carry no times: {WITH_TIMES.format('rate_hz=25.0')}")
    seen = [_persons(frame) for frame in content]
    bodies = np.stack([_surest(persons) for persons in seen])
    chosen = bodies[:, LAYOUTS[layout or _likely(bodies)]]
    number = np.array(numbers or range(len(chosen)), dtype=float)
    return PoseTrack(
        number / rate_hz, chosen[..., :2], chosen[..., 2], float(number[-1] + 1) / rate_hz, JOINTS,
        np.array([len(persons) for persons in seen]), digest, name, age_days,
    )  # fmt: skip


def _members(archive: tarfile.TarFile) -> dict[str, tarfile.TarInfo]:
    """The frames in an archive by name; how large all is together is looked at before anything is unpacked."""
    members, size = {}, 0
    for member in archive:
        size += member.size
        check_size(size)
        if member.isfile() and member.name.endswith(".json"):
            members[member.name] = member
    return members


def _one_series(names: list[str], series: str) -> dict[int, str]:
    """Names by number of the frames in the folder `series`, which may be left out where there is only one."""
    folders = defaultdict(list)
    for name in names:
        folders[PurePosixPath(name).parent.name].append(name)
    if series not in folders and len(folders) == 1:
        series = next(iter(folders))
    if series not in folders:
        how = WITH_TIMES.format("rate_hz=25.0, series=FOLDER")
        raise Refusal("unsupported_format", f"{len(folders)} series of pose frames lie here, one is looked at: {how}")
    check_frames(len(folders[series]))
    return by_number(folders[series])


def _persons(frame: dict[str, Any]) -> list[np.ndarray]:
    """(25, 3) x, y and confidence of each person in a frame, NaN where a joint was not seen."""
    numbers = [np.array(person["pose_keypoints_2d"], dtype=float) for person in frame["people"]]
    if any(len(n) != 75 for n in numbers):
        raise Refusal("unsupported_format", "a person has other than 25 joints: export BODY_25 or BODY_25B")
    bodies = [n.reshape(25, 3) for n in numbers]
    return [np.where(body[:, 2:] > 0, body, np.nan) for body in bodies]


def _surest(persons: list[np.ndarray]) -> np.ndarray:
    if not persons:
        return np.full((25, 3), np.nan)
    return max(persons, key=lambda body: float(np.nansum(body[:, 2])))


def _likely(bodies: np.ndarray) -> str:
    return min(LAYOUTS, key=lambda layout: _bones(bodies[:, LAYOUTS[layout], :2]))


def _bones(xy: np.ndarray) -> float:
    """Sum over the skeleton's bones of their middle length; of bones never seen, nothing."""
    first, second = np.array(EDGES).T
    lengths = np.linalg.norm(xy[:, first] - xy[:, second], axis=2)
    return sum(float(np.median(bone[np.isfinite(bone)])) for bone in lengths.T if np.isfinite(bone).any())
