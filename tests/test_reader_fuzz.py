"""Damaged anywhere, a file is read or refused with a code: nothing else comes out of a reader (bounded fuzzing)."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.outcomes import CODES, Refusal
from data.pose import JOINTS
from data.readers.apart import ReadLimits, reading_apart
from data.readers.edf import read_edf
from data.readers.pose import read_pose, write_npz
from data.readers.video import read_film, read_frames
from tests.edf_bytes import File, eeg, notes
from tests.faults import MARK, film, infant_pose, pose

Read = Callable[[Path], Any]


def as_film(path: Path) -> Any:
    view = read_film([path]).views[0]
    return read_frames(view, np.array([0.0, max(0.0, view.last_s)]), 16, grey=True)


@dataclass(frozen=True)
class Damage:
    """Bytes written over `width` others at shares of the file's head or whole, and the share at which it is cut off."""

    changes: list[tuple[bool, float, bytes, int]]
    end: float

    def of(self, sound: bytes, head: int) -> bytes:
        content = bytearray(sound)
        for in_head, share, new, width in self.changes:
            at = int(share * min(head if in_head else len(content), len(content)))
            content[at : at + width] = new
        return bytes(content[: int(self.end * len(content))])


TEXTS = [
    b"-1      ",
    b"99999999",
    b"0       ",
    b"nan     ",
    b"1e308   ",
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
    b"null",
    b"[[[[",
]

DAMAGE = st.builds(
    Damage,
    st.lists(
        st.tuples(
            st.booleans(), st.floats(0, 1), st.one_of(st.binary(min_size=1, max_size=8), st.sampled_from(TEXTS)),
            st.sampled_from([0, 1, 4, 8]),
        ),
        max_size=4,
    ),
    st.sampled_from([1.0, 1.0, 0.999, 0.6, 0.02]),
)  # fmt: skip

STAGUNET = json.dumps([{"features": [{"coordinate": [1.5, n]} for n in range(len(JOINTS))]}] * 20).encode()
OPENPOSE = json.dumps([{"people": [{"pose_keypoints_2d": [0.5] * 75}]}] * 20).encode()
DEEPLABCUT = b"scorer,a,a,a\nbodyparts,b,b,b\ncoords,x,y,likelihood\n" + b"".join(
    b"%d,1,2,0.5\n" % n for n in range(50)
)
EDF = File([eeg("Fp1"), eeg("C3"), notes([f"+{n}" for n in range(10)])], reserved="EDF+D").to_bytes()
BDF = File([eeg("Fp1"), eeg("C3")], bdf=True).to_bytes()


def at_a_rate(path: Path) -> Any:
    return read_pose(path, rate_hz=25.0)


def check(read: Read, path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        read(path)
    except Refusal as refusal:
        assert refusal.code in CODES and path.name not in refusal.reason and MARK not in refusal.reason


HERE: dict[str, tuple[Read, bytes, int, int]] = {
    "EDF": (read_edf, EDF, 1024, 150),
    "BDF": (read_edf, BDF, 768, 50),
    "poses of STA-GUNet": (read_pose, STAGUNET, 200, 60),
    "poses of OpenPose": (at_a_rate, OPENPOSE, 200, 60),
    "poses of DeepLabCut": (at_a_rate, DEEPLABCUT, 80, 60),
}


@pytest.mark.parametrize("kind", HERE)
def test_a_damaged_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, kind: str) -> None:
    read, sound, head, examples = HERE[kind]
    path = tmp_path_factory.mktemp("fuzz") / f"{MARK}.x"

    @settings(max_examples=examples, suppress_health_check=list(HealthCheck))
    @given(DAMAGE)
    def fuzz(damage: Damage) -> None:
        check(read, path, damage.of(sound, head))

    read_sound(read, path, sound)
    fuzz()


def read_sound(read: Read, path: Path, sound: bytes) -> None:
    """What is damaged is sound before."""
    path.write_bytes(sound)
    assert read(path) is not None


APART: dict[str, tuple[Read, Callable[[], bytes], int]] = {
    "film": (as_film, film, 40),
    "poses in Parquet": (read_pose, pose, 40),
}


@pytest.mark.parametrize("kind", APART)
def test_a_damaged_file_that_foreign_code_decodes_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, kind: str
) -> None:
    """Read apart, as the service does, since it may well crash."""
    read, make, examples = APART[kind]
    path, sound = tmp_path_factory.mktemp("fuzz") / f"{MARK}.x", make()

    @settings(max_examples=examples, suppress_health_check=list(HealthCheck))
    @given(DAMAGE)
    def fuzz(damage: Damage) -> None:
        with reading_apart(ReadLimits(cpu_s=5.0)):
            check(read, path, damage.of(sound, 400))

    read_sound(read, path, sound)
    fuzz()


def test_a_damaged_archive_of_arrays_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("fuzz") / f"{MARK}.npz"
    write_npz(infant_pose(60), path)
    sound = path.read_bytes()

    @settings(max_examples=80, suppress_health_check=list(HealthCheck))
    @given(DAMAGE)
    def fuzz(damage: Damage) -> None:
        check(read_pose, path, damage.of(sound, 400))

    fuzz()
