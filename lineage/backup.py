"""A ledger in one file that any store can be filled from: what was written and cannot be made again, line by line.

The first line says what the file holds, then come entries (with the very bytes that were hashed), payloads and
checkpoints, and at the end the digest of all lines before. Tree, index and lineage follow from the entries and are made
again, so that a ledger moves between SQLite and PostgreSQL and between releases. Keys are not in it.
"""

import fcntl
import glob
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Select, func, select
from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError
from sqlalchemy.orm import Session

from lineage import appending, merkle
from lineage.checkpoints import Progress, TreeHead
from lineage.entries import Entry
from lineage.graph import HasEngine, UnknownNode
from lineage.refused import Refused
from lineage.rows import CheckpointRow, EntryRow, PayloadRow
from lineage.store import Base, add_rows, session

FORMAT = "ictal.ledger/1"
AT_ONCE = 2000
"""Rows that are held at once."""
NOT_WHOLE = (
    ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError, UnknownNode,
    IntegrityError, ProgrammingError, DataError,
)  # fmt: skip
"""What reading and keeping a line raises that no ledger has written."""


class BackupRefused(Refused, ValueError):
    """A backup that cannot be written or read, or a ledger that is not empty."""


def write_backup(
    ledger: HasEngine,
    path: Path,
    note: Callable[[TreeHead, Path], object] = lambda head, whole: None,
    progress: Progress | None = None,
) -> TreeHead:
    """Write the ledger as it is at one moment, while others may append; never over another file. The file is its
    owner's alone to read (mode 0600): it holds payloads.

    `note` gets the whole file before it has its name, so that no backup has one that is not accounted for. Raises
    BackupRefused where the name is taken and where the file cannot be written; nothing is left of it then.
    """
    if path.exists():
        raise BackupRefused(f"{path.name} is there already: name a file that is not")
    if not path.parent.is_dir():
        raise BackupRefused(f"{path.name} cannot be written there: name a folder that is there")
    _remove_left(path)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX)  # `lockf` would let go as soon as `note` has read the file
                head = _write(ledger, file, progress)
                file.flush()
                os.fsync(file.fileno())
                note(head, unfinished)
                os.link(unfinished, path)
            finally:
                unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise BackupRefused(f"{path.name} cannot be written: {error.strerror}; choose another place") from error
    return head


def _remove_left(path: Path) -> None:
    """What programs that were killed over this backup have left: it holds payloads. One that is written is locked."""
    for left in path.parent.glob(f"{glob.escape(path.name)}.*.new"):
        with suppress(OSError), left.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()


def read_backup(ledger: HasEngine, path: Path, progress: Progress | None = None) -> TreeHead:
    """Fill an empty ledger from a backup, all of it or nothing. Refuses (BackupRefused) a ledger that holds anything, a
    file that was cut off or changed, and one whose entries do not hash to the root that it states."""
    try:
        with path.open("rb") as file, session(ledger.engine) as writing:
            return _read(writing, file, progress)
    except OSError as error:
        raise BackupRefused(f"{path.name} cannot be read: {error.strerror}") from error
    except NOT_WHOLE as error:
        if isinstance(error, BackupRefused):
            raise
        raise BackupRefused(f"{path.name} is no whole backup of a ledger: take another copy of it") from error


def _write(ledger: HasEngine, file: IO[bytes], progress: Progress | None) -> TreeHead:
    with session(ledger.engine, write=False) as reading:
        head = appending.head(reading)
        lines = _Lines(file)
        lines.write({"format": FORMAT, "size": head.size, "root": head.root, **_counts(reading)})
        for number, (envelope,) in enumerate(_rows(reading, select(EntryRow.envelope).order_by(EntryRow.seq)), 1):
            lines.write({"entry": _text(envelope)})
            if progress and (number % AT_ONCE == 0 or number == head.size):
                progress(number, head.size)
        for digest, content in _rows(reading, select(PayloadRow.digest, PayloadRow.content)):
            lines.write({"payload": digest, "content": _text(content)})
        for at, text in _rows(reading, select(CheckpointRow.at, CheckpointRow.text).order_by(CheckpointRow.id)):
            lines.write({"checkpoint": text, "at": at})
        file.write(json.dumps({"sha256": lines.digest.hexdigest()}).encode() + b"\n")
    return head


class _Lines:
    """Written one by one, and hashed as they are."""

    def __init__(self, file: IO[bytes]):
        self._file = file
        self.digest = hashlib.sha256()

    def write(self, values: dict[str, Any]) -> None:
        line = json.dumps(values).encode() + b"\n"
        self.digest.update(line)
        self._file.write(line)


def _read(writing: Session, file: IO[bytes], progress: Progress | None) -> TreeHead:
    for table in (EntryRow, PayloadRow, CheckpointRow):
        if _count(writing, table):
            raise BackupRefused(
                "this ledger is not empty, and nothing is ever written over one: restore into a new one"
            )
    lines = _whole(file)
    stated = next(lines, {})
    if stated["format"] != FORMAT:
        raise BackupRefused(f"a backup of the form {str(stated['format'])[:40]!r} is not read here, {FORMAT} is")
    found = merkle.Frontier()
    for part in _parts(lines):
        _add(writing, found, part)
        if progress:
            progress(found.size, stated["size"])
    head = TreeHead(found.size, found.root().hex())
    if head != TreeHead(stated["size"], stated["root"]) or _counts(writing) != {k: stated[k] for k in _counts(writing)}:
        raise BackupRefused(
            f"the backup states {stated['size']} entries with root {str(stated['root'])[:16]}…, and holds {head.size} with "
            f"root {head.root[:16]}…: it was changed, or made of a ledger that `ictal audit verify` rejects"
        )
    return head


def _add(writing: Session, frontier: merkle.Frontier, lines: list[dict[str, Any]]) -> None:
    leaves = [_bytes(line["entry"]) for line in lines if "entry" in line]
    entries = [Entry.from_envelope(json.loads(leaf)) for leaf in leaves]
    appending.write(writing, frontier, entries, leaves)
    add_rows(writing, PayloadRow, [(x["payload"], _bytes(x["content"])) for x in lines if "payload" in x])
    checkpoints = [(x["at"], x["checkpoint"]) for x in lines if "checkpoint" in x]
    add_rows(writing, CheckpointRow, checkpoints, columns=("at", "text"))


def _whole(file: IO[bytes]) -> Iterator[dict[str, Any]]:
    """Every line but the last, which must be the digest of all before it."""
    digest = hashlib.sha256()
    for line in file:
        values = json.loads(line)
        if "sha256" in values:
            if values["sha256"] != digest.hexdigest() or file.readline():
                raise ValueError("the digest at the end is another")
            return
        digest.update(line)
        yield values
    raise ValueError("the end is missing")


def _parts(lines: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    part: list[dict[str, Any]] = []
    for line in lines:
        part.append(line)
        if len(part) == AT_ONCE:
            yield part
            part = []
    yield part


def _counts(reading: Session) -> dict[str, int]:
    return {"payloads": _count(reading, PayloadRow), "checkpoints": _count(reading, CheckpointRow)}


def _count(reading: Session, table: type[Base]) -> int:
    return reading.scalar(select(func.count()).select_from(table)) or 0


def _rows(reading: Session, query: Select[Any]) -> Iterable[Any]:
    return reading.execute(query, execution_options={"yield_per": AT_ONCE})


def _text(content: bytes) -> str:
    """Any bytes as text that JSON can hold. Law: `_bytes(_text(b)) == b`."""
    return content.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
