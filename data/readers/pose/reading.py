"""A pose file of any known format, told by its content."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from data.outcomes import Refusal
from data.pose import PoseTrack
from data.readers.apart import may_run_apart
from data.readers.pose import deeplabcut, npz, openpose, parquet, stagunet
from data.readers.pose.limits import MAX_HOURS, check_frames, check_size
from lineage.digest import digest_of, sha256_bytes, sha256_file

_MISSHAPEN = (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError, MemoryError)
"""What comes of a file whose shape is not the one that its format promises."""
MOST_SURE = 1.1
"""The highest confidence that is believed to be of 0–1: peaks of OpenPose's heat maps may lie a little above 1."""
_GZIP, _TAR_AT, _TAR = b"\x1f\x8b", 257, b"ustar"


@may_run_apart
def read_pose(
    path: Path | str, *, age_days: float | None = None, name: str = "", rate_hz: float | None = None, series: str = ""
) -> PoseTrack:
    """The pose track of a file, or of a folder or archive of OpenPose frames.

    `rate_hz` is needed where a format keeps no times (OpenPose, DeepLabCut); `series` names the folder of frames where
    there are several. Refuses with `unsupported_format`, `corrupt`, `no_signal`. An unreadable path raises `OSError`
    without naming the path.
    """
    path = Path(path)
    try:
        track = _read(path, rate_hz, age_days, name, series)
    except OSError as error:
        raise type(error)(error.errno, "the pose cannot be read") from None
    except _MISSHAPEN:
        raise Refusal("corrupt", "the pose file is damaged: export or transfer it again") from None
    if not len(track.time_s):
        raise Refusal("no_signal", "the pose file holds no frames: export it again")
    _check_times(track)
    _check_confidence(track)
    return track


def _read(path: Path, rate_hz: float | None, age_days: float | None, name: str, series: str) -> PoseTrack:
    if path.is_dir():
        return _openpose(openpose.frames_of_folder(path, series), rate_hz, age_days, name)
    with open(path, "rb") as file:
        start = file.read(512)
    if start.startswith(parquet.MAGIC):
        return parquet.read_parquet(path, age_days=age_days, name=name)
    if start.startswith(npz.MAGIC):
        return npz.read_npz(path, age_days=age_days, name=name)
    if start.startswith(_GZIP) or start[_TAR_AT : _TAR_AT + 5] == _TAR:
        return _openpose(openpose.frames_of_archive(path, series), rate_hz, age_days, name)
    text = _text(path)
    if text.startswith("scorer,"):
        return deeplabcut.track_of(text, sha256_file(path), rate_hz, age_days, name)
    return _of_json(text, sha256_file(path), rate_hz, age_days, name)


def _check_times(track: PoseTrack) -> None:
    if not np.isfinite(track.time_s).all() or not np.isfinite(track.duration_s):
        raise Refusal("corrupt", "times of the pose are missing: export it again")
    if track.time_s[0] < 0 or track.duration_s < track.time_s[-1]:
        raise Refusal("corrupt", "frames of the pose lie outside its own duration: export it again")
    hours = track.duration_s / 3600
    if hours > MAX_HOURS:
        raise Refusal("unsupported_format", f"the pose lasts {hours:.3g} h, at most {MAX_HOURS:g} h are read: split it")
    check_frames(len(track.time_s))


def _check_confidence(track: PoseTrack) -> None:
    """A joint that was seen has a confidence, or how surely is unknown: front end and checks would think differently."""
    sure = track.confidence[track.seen]
    odd = int((~((sure >= 0) & (sure <= MOST_SURE))).sum())
    if odd:
        raise Refusal(
            "corrupt",
            f"{odd} of {len(sure)} joints that were seen have no confidence from 0 to 1: export it as a share, not in "
            "per cent, and 1 where nobody estimated it",
        )


def _openpose(files: dict[int, bytes], rate_hz: float | None, age_days: float | None, name: str) -> PoseTrack:
    digest = digest_of([[number, sha256_bytes(file)] for number, file in files.items()])
    return openpose.track_of(openpose.parsed(files.values()), digest, rate_hz, age_days, name, list(files))


def _text(path: Path) -> str:
    check_size(path.stat().st_size)
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refusal("unsupported_format", _UNKNOWN) from None


def _of_json(text: str, digest: str, rate_hz: float | None, age_days: float | None, name: str) -> PoseTrack:
    if text.lstrip()[:1] not in ("[", "{"):
        raise Refusal("unsupported_format", _UNKNOWN)
    try:
        content: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise Refusal("corrupt", "the pose file is not whole JSON: export or transfer it again") from None
    frames = [content] if isinstance(content, dict) else content
    if stagunet.is_stagunet(frames):
        return stagunet.track_of(frames, digest, rate_hz, age_days, name)
    if openpose.is_openpose(frames):
        return openpose.track_of(frames, digest, rate_hz, age_days, name)
    raise Refusal("unsupported_format", _UNKNOWN)


_UNKNOWN = "the file is no known pose (our Parquet or NPZ, STA-GUNet or OpenPose JSON, DeepLabCut CSV): convert it"
