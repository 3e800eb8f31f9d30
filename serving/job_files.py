"""The files of accepted jobs: on disk before a job is accepted, gone when it has ended."""

import os
import shutil
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

PARTS = ("recording", "second_view")
ORPHANED_S = 3600.0
"""A file that nobody asks for is being filled or looked at, or was left by a service that was killed so long ago."""


class JobFiles:
    """One folder for each job, named by its id; file names of sites are never used."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def keep(self, id: str, uploads: Sequence[BinaryIO]) -> list[Path]:
        """Write the uploads, two at most; they survive a power cut when this returns. OSError where the disk refuses
        them; what was written by then stays for `remove`."""
        parts = PARTS[: len(uploads)]
        own = self.folder / id
        own.mkdir()
        for part, upload in zip(parts, uploads, strict=True):
            with open(own / part, "wb") as file:
                shutil.copyfileobj(upload, file, 1 << 20)
                file.flush()
                os.fsync(file.fileno())
        for folder in (own, self.folder):
            sync_folder(folder)
        return self.of(id)

    def of(self, id: str) -> list[Path]:
        """The files of a job, in the order in which they were sent."""
        return [path for part in PARTS if (path := self.folder / id / part).exists()]

    def remove(self, id: str) -> None:
        """Remove a job's folder, if any; what cannot be removed is left to `remove_left`, without an error."""
        shutil.rmtree(self.folder / id, ignore_errors=True)


def remove_left(folder: Path, wanted: Collection[str] = ()) -> None:
    """Remove what nobody needs any more: of jobs that have ended, of uploads that were never accepted, and what a killed
    service was looking at. What was changed within `ORPHANED_S` seconds stays, and what is named in `wanted`."""
    for left in folder.iterdir():
        with suppress(FileNotFoundError):  # its owner was faster
            if left.name not in wanted and time.time() - left.stat().st_mtime > ORPHANED_S:
                shutil.rmtree(left) if left.is_dir() else left.unlink()


def sync_folder(folder: Path) -> None:
    """A file's name is safe only when its folder is."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
