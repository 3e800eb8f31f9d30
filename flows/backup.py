"""The ledger in one file, and out of it again: against loss, and to move between SQLite and PostgreSQL.

A backup keeps what is erased later, and nobody here can reach it: so each is a line of the ledger, and whoever withdraws
consent is told of those that still hold a payload.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flows import records
from flows.authenticate import operator
from flows.books import books_of
from flows.workspace import open_workspace
from lineage.backup import read_backup, write_backup
from lineage.checkpoints import TreeHead
from lineage.digest import Digest, sha256_file
from lineage.ledger import Draft, Ledger, Subject

BACKED_UP, ERASED = "ledger.backed_up", "erase.executed"

STAYS_IN_IT = (
    "what is erased in the ledger later stays in this file: `ictal audit impact --withdraw` names it then, to be destroyed "
    "or made again"
)


def backup_ledger(out: Path) -> dict[str, Any]:
    """Write the ledger as it is at this moment into a new file; others may append meanwhile. The file gets its name when
    its line stands in the ledger: where that is cut off, a line without a file is left, and not a file without a line."""
    ledger = books_of(open_workspace())
    made = []

    def note(head: TreeHead, whole: Path) -> None:
        made.append(Subject("backup", out.name, sha256_file(whole)))
        stated = {"size": head.size, "root": head.root}
        ledger.append_many([Draft(BACKED_UP, operator(), tuple(made), "against loss", stated)])

    head = write_backup(ledger, out, note)
    where = f"written to {out.name}; keep it and a copy of keys/ where this machine's loss does not reach"
    said = _said(head, f"{where}. {STAYS_IN_IT[0].upper()}{STAYS_IN_IT[1:]}")
    return {**said, "digest": made[0].digest}


def restore_ledger(backup: Path) -> dict[str, Any]:
    """Fill the workspace's empty ledger from a file; its root is the one that was backed up."""
    head = read_backup(records.open_ledger(open_workspace()), backup)
    return _said(head, "restored; `ictal audit verify` hashes it again and holds it to its checkpoints")


def backups_holding(ledger: Ledger, payloads: Mapping[Digest, Sequence[int]]) -> list[dict[str, Any]]:
    """Every backup that the ledger knows and in which one of the payloads stands; they come with the numbers of the lines
    that say each. One that was erased and said once more stands in what was backed up after that."""
    lives = [(written, [e.seq for e in ledger.entries(ERASED, payload)]) for payload, written in payloads.items()]
    found = []
    for entry in ledger.entries(BACKED_UP):
        size = (ledger.payload(entry.payload_digest) or {}).get("size", entry.seq)
        if any(_last(written, size) > _last(erased, size) for written, erased in lives):
            file, at = entry.subjects[0], entry.recorded_at.isoformat(timespec="seconds")
            found.append({"backup": file.id, "digest": file.digest, "at": at, "size": size})
    return found


def _last(lines: Sequence[int], size: int) -> int:
    """The last of these lines among the first `size`; -1 where none is."""
    return max((line for line in lines if line < size), default=-1)


def _said(head: TreeHead, what: str) -> dict[str, Any]:
    return {"size": head.size, "root": head.root, "text": f"{head.size} entries, root {head.root[:16]}…: {what}"}
