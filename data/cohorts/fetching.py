"""Files of a published cohort, verified before they get their name, with a journal of what was seen.

What was fetched, with the SHA-256 that was seen, stands in the journal, one line per file: a file that nobody publishes a
checksum of is at least held to it later.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from data.cohorts.published import FetchRefused, PublicFile
from data.cohorts.server import Server, Show

JOURNAL = "fetched.jsonl"
UNVERIFIED = "unverified"
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Fetched:
    """One line of the journal. `checked` says against what: a list's sha256 or md5, or `unverified`."""

    name: str
    size: int
    sha256: str
    checked: str


def fetch_files(
    server: Server, files: Iterable[PublicFile], folder: Path, list_name: str, show: Show
) -> tuple[Fetched, ...]:
    """Fetch what is not here yet into `folder` and verify it; returns the journal's line of every file.

    `list_name` says in the journal whose checksums those of `files` are. Refuses, names and removes a file whose size or
    checksum is wrong, and one that is not what was fetched under its name before.
    """
    before = read_journal(folder)
    done = []
    for file in files:
        target = folder / file.name
        known = before.get(file.name)
        whole = known is not None and target.is_file() and target.stat().st_size == known.size
        held = _held_again(known, file, list_name) if known and whole else None
        if held is None:
            held = _fetch_one(server, file, folder, list_name, known, show)
        elif held != known:
            note(folder, held)
        done.append(held)
    return tuple(done)


def verify(path: Path, file: PublicFile, list_name: str, before: Fetched | None = None) -> Fetched:
    """The journal's line of a file that lies here; FetchRefused where it is not the file of the list or of before."""
    size, sha256, md5 = _digests(path)
    wrong = [
        f"{what} {got[:16]}…, expected {wanted[:16]}…"
        for what, got, wanted in (("SHA-256", sha256, file.sha256), ("MD5", md5, file.md5))
        if wanted and got != wanted.lower()
    ]
    if file.size is not None and size != file.size:
        wrong = [f"{size} bytes, expected {file.size}", *wrong]
    if wrong:
        raise FetchRefused(f"{file.name} is not the published file ({'; '.join(wrong)}): it was not taken")
    if before and before.sha256 != sha256 and not file.sha256:
        raise FetchRefused(
            f"{file.name} is not what it was when it was first fetched (SHA-256 {sha256[:16]}…, then "
            f"{before.sha256[:16]}…) and nobody publishes its checksum: give the right one with --checksums"
        )
    kind = "sha256" if file.sha256 else "md5" if file.md5 else ""
    return Fetched(file.name, size, sha256, f"{kind} ({list_name})" if kind else UNVERIFIED)


def read_journal(folder: Path) -> dict[str, Fetched]:
    """The last line of every file; a line that was cut off by a crash counts for nothing."""
    path = folder / JOURNAL
    found = {}
    for line in path.read_text("utf-8").splitlines() if path.is_file() else ():
        try:
            said = Fetched(**json.loads(line))
        except (json.JSONDecodeError, TypeError):
            continue
        found[said.name] = said
    return found


def note(folder: Path, fetched: Fetched) -> None:
    """Add a line to the folder's journal; of several lines about one file the last counts."""
    with (folder / JOURNAL).open("a", encoding="utf-8") as journal:
        journal.write(json.dumps(asdict(fetched)) + "\n")


def _fetch_one(
    server: Server, file: PublicFile, folder: Path, list_name: str, before: Fetched | None, show: Show
) -> Fetched:
    target = folder / file.name
    partial = target.with_name(f"{target.name}.partial")
    if target.is_file():
        target.replace(partial)  # unknown to the journal or of another length: held to the checksum like any other
    server.download(file, partial, show)
    try:
        fetched = verify(partial, file, list_name, before)
    except FetchRefused:
        partial.unlink()  # or the next try would go on at the end of a wrong file
        raise
    partial.replace(target)
    note(folder, fetched)
    return fetched


def _held_again(known: Fetched, file: PublicFile, list_name: str) -> Fetched | None:
    """The journal's line of a file that is here, where it is still what the list says; else it is looked at anew.

    A checksum that was found meanwhile for a file that nobody vouched for counts at once; of an MD5 nothing was kept.
    """
    if file.size not in (None, known.size) or (file.sha256 and file.sha256.lower() != known.sha256):
        return None
    if known.checked != UNVERIFIED or not (file.sha256 or file.md5):
        return known
    return replace(known, checked=f"sha256 ({list_name})") if file.sha256 else None


def _digests(path: Path) -> tuple[int, str, str]:
    """Size, SHA-256 and MD5 (which some publish; it is no protection against anybody)."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            sha256.update(chunk)
            md5.update(chunk)
    return path.stat().st_size, sha256.hexdigest(), md5.hexdigest()
