"""The files of accepted jobs: on disk before a job is accepted, gone when it has ended."""

import os
import shutil
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import BinaryIO

PARTS = ("recording", "second_view")
ORPHANED_S = 3600.0
"""A folder without a job is one that is being filled, or was left by a service that was killed so long ago."""


class JobFiles:
    """One folder for each job, named by its id; file names of sites are never used."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def keep(self, id: str, uploads: Sequence[BinaryIO]) -> list[Path]:
        """Write the uploads; they survive a power cut when this returns."""
        own = self.folder / id
        own.mkdir()
        for part, upload in zip(PARTS, uploads, strict=False):
            with open(own / part, "wb") as file:
                shutil.copyfileobj(upload, file, 1 << 20)
                file.flush()
                os.fsync(file.fileno())
        for folder in (own, self.folder):
            _sync(folder)
        return self.of(id)

    def of(self, id: str) -> list[Path]:
        """The files of a job, in the order in which they were sent."""
        return [path for part in PARTS if (path := self.folder / id / part).exists()]

    def remove(self, id: str) -> None:
        shutil.rmtree(self.folder / id, ignore_errors=True)

    def remove_all_but(self, wanted: Collection[str]) -> None:
        """Remove what no job needs any more: of those that have ended, and of uploads that were never accepted."""
        for own in self.folder.iterdir():
            if own.name not in wanted and time.time() - own.stat().st_mtime > ORPHANED_S:
                self.remove(own.name)


def _sync(folder: Path) -> None:
    """A file's name is safe only when its folder is."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
