"""What was acknowledged of a stream, on disk until it is answered: so that it outlives the process that heard it.

Each stream has a folder, named by the hash of its token: `stream.json` says what it is, `parts` holds what was heard, one
record after another. A record that is cut off was never acknowledged, and is left out.
"""

import fcntl
import json
import os
import re
import shutil
import struct
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from io import FileIO
from pathlib import Path
from typing import IO, Any

import numpy as np

from serving.job_files import ORPHANED_S, sync_folder
from serving.stream import SAMPLE, End, Gap, Part

ABOUT, PARTS = "stream.json", "parts"
RECORD = struct.Struct("<cQQI")
"""Before each record: its kind, the number of the part, the bytes that follow, and their CRC-32."""
SAMPLES, GAP, END = b"s", b"g", b"e"


class StreamFiles:
    """The streams of a workspace; one that a living process has is locked, and no other process takes it up."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def begin(self, name: str, about: Mapping[str, Any]) -> "StreamFile":
        """A new stream; it survives a power cut when this returns. It has its name when it is whole and locked."""
        unfinished = self.folder / f".{name}"
        unfinished.mkdir()
        with ExitStack() as undone:
            undone.callback(shutil.rmtree, unfinished, ignore_errors=True)
            (unfinished / ABOUT).write_text(json.dumps(about))
            begun = StreamFile(unfinished)
            undone.callback(begun.remove)
            begun.rename(self.folder / name)
            undone.pop_all()
        return begun

    def names(self) -> list[str]:
        """Every stream that is not answered or not forgotten yet, whoever has it."""
        return sorted(path.name for path in self.folder.iterdir() if re.fullmatch("[0-9a-f]{64}", path.name))

    def take_up(self, name: str) -> "StreamFile | None":
        """A stream that a process which is gone has left; None where there is none, and where a living one has it."""
        try:
            return StreamFile(self.folder / name)
        except (FileNotFoundError, BlockingIOError):
            return None

    def remove_begun(self) -> None:
        """Remove what was never begun to its end, since the service was killed over it."""
        for left in self.folder.glob(".*"):
            with suppress(FileNotFoundError):
                if time.time() - left.stat().st_mtime > ORPHANED_S:
                    shutil.rmtree(left)


class StreamFile:
    """One stream on disk, this process's until `close` or its end (by whatever means). Raises OSError where the disk does."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._about: IO[bytes] = (folder / ABOUT).open("r+b")
        self._parts: FileIO | None = None
        try:
            fcntl.lockf(self._about, fcntl.LOCK_EX | fcntl.LOCK_NB)  # not inherited by processes that read uploads
            self.about: dict[str, Any] = json.loads(self._about.read())
            os.fsync(self._about.fileno())
        except BaseException:
            self._about.close()
            raise

    def rename(self, folder: Path) -> None:
        """Move it to another folder; it has arrived, also after a power cut, when this returns."""
        self.folder = self.folder.rename(folder)
        sync_folder(folder)
        sync_folder(folder.parent)

    def keep(self, seq: int, part: Part) -> None:
        """Write down a part that is about to be heard; it survives a power cut when this returns."""
        kind, content = _packed(part)
        file, record = self._opened(), RECORD.pack(kind, seq, len(content), zlib.crc32(content)) + content
        begins = os.fstat(file.fileno()).st_size
        try:
            written = 0
            while written < len(record):
                written += file.write(memoryview(record)[written:])
            os.fdatasync(file.fileno())
        except OSError:
            os.ftruncate(file.fileno(), begins)  # or all that is kept behind it would be lost
            raise

    def parts(self, rows: int) -> Iterator[tuple[int, Part]]:
        """All parts with their numbers, as they were kept; samples are (`rows`, any number) in µV. What was cut off behind
        them is cut away."""
        if not (self.folder / PARTS).exists():
            return
        with (self.folder / PARTS).open("rb") as file:
            whole = 0
            while (record := _next(file)) is not None:
                kind, seq, content = record
                whole = file.tell()
                yield seq, _unpacked(kind, content, rows)
        os.truncate(self.folder / PARTS, whole)

    def let_go_of_samples(self) -> None:
        """It is answered: nothing of the patient is needed any more, only how the stream is called."""
        self._close_parts()
        (self.folder / PARTS).unlink(missing_ok=True)

    def remove(self) -> None:
        """Let go of it and delete it; what cannot be deleted stays, without an error."""
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        """Leave it to another process."""
        self._close_parts()
        self._about.close()

    def _opened(self) -> FileIO:
        if self._parts is None:
            self._parts = (self.folder / PARTS).open("ab", buffering=0)
            sync_folder(self.folder)
        return self._parts

    def _close_parts(self) -> None:
        if self._parts is not None:
            self._parts.close()
            self._parts = None


def _packed(part: Part) -> tuple[bytes, bytes]:
    if isinstance(part, np.ndarray):
        return SAMPLES, np.ascontiguousarray(part.T, SAMPLE).tobytes()
    return (GAP if isinstance(part, Gap) else END), part.model_dump_json().encode()


def _unpacked(kind: bytes, content: bytes, rows: int) -> Part:
    if kind == SAMPLES:
        return np.ascontiguousarray(np.frombuffer(content, SAMPLE).reshape(-1, rows).T, dtype=np.float32)
    return (Gap if kind == GAP else End).model_validate_json(content)


def _next(file: IO[bytes]) -> tuple[bytes, int, bytes] | None:
    """The next record; None at the end, and where it was cut off."""
    head = file.read(RECORD.size)
    if len(head) < RECORD.size:
        return None
    kind, seq, size, checksum = RECORD.unpack(head)
    if size > os.fstat(file.fileno()).st_size - file.tell():
        return None
    content = file.read(size)
    return (kind, seq, content) if zlib.crc32(content) == checksum else None
