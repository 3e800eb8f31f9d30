"""Our own arrays of a pose in one NumPy file: `time_s`, `xy`, `confidence`, `duration_s`, `joints`, perhaps `people`."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from data.outcomes import Refusal
from data.pose import PoseTrack
from data.readers.pose.limits import check_size
from lineage.digest import sha256_file

MAGIC = b"PK\x03\x04"
_NEEDED = ("time_s", "xy", "confidence", "duration_s", "joints")


def write_npz(track: PoseTrack, path: Path) -> None:
    """Write a track as it is; what was not seen is NaN."""
    arrays: dict[str, Any] = {key: getattr(track, key) for key in _NEEDED} | {"joints": np.array(track.joints)}
    if track.people is not None:
        arrays["people"] = track.people
    np.savez_compressed(path, **arrays)


def read_npz(path: Path, *, age_days: float | None = None, name: str = "") -> PoseTrack:
    """`read_npz` of what `write_npz` wrote is the same track. Objects (pickles) are never loaded.

    Refuses with `corrupt` what is no such file, with `unsupported_format` one that lacks an array or is too large.
    """
    try:
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            check_size(sum(member.file_size for member in file.zip.infolist()))
            arrays = {key: file[key] for key in file.files}
    except (ValueError, OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError):  # the last: encrypted
        raise Refusal("corrupt", "the NPZ file cannot be read: export or transfer it again") from None
    if missing := set(_NEEDED) - set(arrays):
        raise Refusal("unsupported_format", f"the file holds no pose: {', '.join(sorted(missing))} are not in it")
    people = arrays.get("people")
    if people is not None and people.dtype.kind not in "iu":
        raise Refusal("corrupt", "the persons in the frames of a pose are whole numbers: export it again")
    time_s, xy, confidence = (np.asarray(arrays[key], dtype=_kind(arrays[key])) for key in _NEEDED[:3])
    return PoseTrack(
        time_s, xy, confidence, float(arrays["duration_s"]),
        tuple(str(joint) for joint in arrays["joints"]), people, sha256_file(path), name, age_days,
    )  # fmt: skip


def _kind(array: np.ndarray) -> np.dtype:
    """Its own, where it holds numbers; what numbers can be read from text is no matter of ours."""
    if array.dtype.kind not in "fiu":
        raise Refusal("corrupt", "times, positions and confidences of a pose are numbers: export it again")
    return array.dtype
