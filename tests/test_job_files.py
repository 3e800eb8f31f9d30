"""The files of work that was left are on the disk before it is accepted, and go with it."""

import os
from io import BytesIO
from pathlib import Path

import pytest

from serving.job_files import ORPHANED_S, JobFiles, remove_left


def test_files_of_a_job_are_on_disk_and_go_with_it(tmp_path: Path) -> None:
    files = JobFiles(tmp_path / "accepted")
    (tmp_path / "a").write_bytes(b"first")
    (tmp_path / "b").write_bytes(b"second")
    with open(tmp_path / "a", "rb") as one, open(tmp_path / "b", "rb") as two:
        kept = files.keep("id", [one, two])
    assert [path.read_bytes() for path in kept] == [b"first", b"second"]
    files.remove("id")
    assert files.of("id") == []


def test_no_file_of_a_job_is_left_out_without_a_word(tmp_path: Path) -> None:
    files = JobFiles(tmp_path / "accepted")
    with pytest.raises(ValueError):
        files.keep("id", [BytesIO(b"a"), BytesIO(b"b"), BytesIO(b"c")])


def test_files_and_their_folders_are_on_the_disk_before_a_job_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []

    def sync(handle: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{handle}")).relative_to(tmp_path).as_posix())

    monkeypatch.setattr(os, "fsync", sync)
    (tmp_path / "a").write_bytes(b"eeg")
    with open(tmp_path / "a", "rb") as upload:
        JobFiles(tmp_path / "accepted").keep("id", [upload])
    assert synced == ["accepted/id/recording", "accepted/id", "accepted"]


def test_an_upload_that_was_never_accepted_is_removed_once_it_is_old(tmp_path: Path) -> None:
    for id in ("wanted", "fresh", "left"):
        (tmp_path / id).mkdir()
    (tmp_path / "upload").write_bytes(b"x")
    long_ago = os.stat(tmp_path).st_mtime - ORPHANED_S - 1
    for id in ("wanted", "left", "upload"):
        os.utime(tmp_path / id, (long_ago, long_ago))
    remove_left(tmp_path, {"wanted"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fresh", "wanted"]
