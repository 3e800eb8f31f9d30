"""Is anything of these recordings still here? Every file is hashed both ways and looked through for pieces of the bytes; tables
are looked through for rows of theirs."""

import hashlib
import mmap
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data.processes import context
from flows.dvc_stores import Remote
from flows.traces import TABLES, UNREADABLE, shown_in

PIECE, PIECES = 64, 5
"""Bytes of a piece that is looked for, and how many pieces of each recording."""

VARIED = 16
"""Different values that a piece has to hold: a stretch of zeros is in many files."""

CHUNK = 1 << 22


@dataclass
class Found:
    """What a search came to: files with one of the digests, named by one (or tables with rows of theirs), or holding a piece;
    and how much was read.

    `unread` are tables that cannot be read: their bytes were looked through, their rows were not. `remotes` are those of which
    all names were looked through."""

    same: list[str] = field(default_factory=list)
    named: list[str] = field(default_factory=list)
    holding: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    files: int = 0
    size: int = 0
    pieces: int = 0
    remotes: list[str] = field(default_factory=list)

    @property
    def nothing(self) -> bool:
        """Whether no file has a digest, is named by one, or holds a piece; how much was read is not asked."""
        return not (self.same or self.named or self.holding)

    def to_json(self) -> dict[str, Any]:
        """The fields by their names, as the report of a withdrawal has them."""
        return dict(vars(self))


def both_digests(path: Path) -> tuple[str, str]:
    """SHA-256, which is a file's identity here, and MD5, by which DVC names it."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            sha256.update(chunk)
            md5.update(chunk)
    return sha256.hexdigest(), md5.hexdigest()


def pieces_of(path: Path) -> list[bytes]:
    """Pieces from all over a file that are unlikely to stand in any other."""
    content = path.read_bytes()
    starts = (len(content) * (2 * n + 1) // (2 * PIECES) for n in range(PIECES))
    cut = (content[start : start + PIECE] for start in starts)
    return [piece for piece in cut if len(piece) == PIECE and len(set(piece)) >= VARIED]


def search(
    places: Iterable[Path],
    digests: Iterable[str],
    pieces: Iterable[bytes],
    leave_out: Iterable[Path] = (),
    remotes: Iterable[Remote] = (),
    shown: Iterable[str] = (),
) -> Found:
    """Look through every file below `places`. Digests are SHA-256 or MD5; an object of DVC is named by its MD5. Names that are
    `shown` in a table as a row's person, patient or recording must be nobody else's in any cohort.

    Of remotes that are no folder the names are looked through, and the MD5s that they state: their bytes stay there.
    A process of its own reads the files: a process that closes a file of SQLite loses its locks on it (POSIX), while it
    may hold that very ledger open.
    """
    wanted = set(digests)
    with ProcessPoolExecutor(1, mp_context=context([__name__])) as apart:
        found = apart.submit(_looked_through, list(places), wanted, list(pieces), set(leave_out), set(shown)).result()
    for remote in remotes:
        found.named += remote.named(wanted)
        found.remotes.append(remote.name)
    return found


def _looked_through(
    places: list[Path], wanted: set[str], parts: list[bytes], left_out: set[Path], names: set[str]
) -> Found:
    found = Found(pieces=len(parts))
    for path in _files(places):
        if path in left_out:
            continue
        found.files += 1
        found.size += path.stat().st_size
        if wanted & set(both_digests(path)):
            found.same.append(str(path))
        shows = _shows(path, names)
        if wanted & {path.parent.name + path.name, path.stem} or shows:
            found.named.append(str(path))
        if shows is None:
            found.unread.append(str(path))
        if _holds(path, parts):
            found.holding.append(str(path))
    return found


def _files(places: Iterable[Path]) -> Iterator[Path]:
    """Each file once, also where one place lies inside another."""
    seen: set[Path] = set()
    for place in places:
        for path in sorted(place.rglob("*")):
            if path.is_file() and not path.is_symlink() and path not in seen:
                seen.add(path)
                yield path


def _shows(path: Path, names: set[str]) -> bool | None:
    """Whether a table has rows of theirs; None of one that cannot be read."""
    if path.suffix not in TABLES or not names or not path.stat().st_size:
        return False
    try:
        return any(names & own for own in shown_in(path.suffix, path.read_bytes()).values())
    except UNREADABLE:
        return None


def _holds(path: Path, pieces: list[bytes]) -> bool:
    if not pieces or path.stat().st_size < PIECE:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return any(content.find(piece) >= 0 for piece in pieces)
