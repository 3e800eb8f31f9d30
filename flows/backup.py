"""The ledger in one file, and out of it again: against loss, and to move between SQLite and PostgreSQL.

A backup keeps what is erased later, and nobody here can reach it: so each is a line of the ledger, and whoever withdraws
consent is told of those that still hold a payload.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows import records, register
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
    """Write the ledger as it is at this moment into a new file; others may append meanwhile. Its line comes after."""
    ledger = books_of(open_workspace())
    head = write_backup(ledger, out)
    made = Subject("backup", out.name, sha256_file(out))
    stated = {"size": head.size, "root": head.root}
    ledger.append_many([Draft(BACKED_UP, register.operator(), (made,), "against loss", stated)])
    where = f"written to {out.name}; keep it and a copy of keys/ where this machine's loss does not reach"
    said = _said(head, f"{where}. {STAYS_IN_IT[0].upper()}{STAYS_IN_IT[1:]}")
    return {**said, "digest": made.digest, "holds_payloads": True}


def restore_ledger(backup: Path) -> dict[str, Any]:
    """Fill the workspace's empty ledger from a file; its root is the one that was backed up."""
    head = read_backup(records.open_ledger(open_workspace()), backup)
    return _said(head, "restored; `ictal audit verify` hashes it again and holds it to its checkpoints")


def backups_holding(ledger: Ledger, payloads: Mapping[Digest, int]) -> list[dict[str, Any]]:
    """Every backup that the ledger knows and that was made after one of the payloads was written and before it was erased;
    `payloads` come with the number of the line that said each first."""
    lives = [(written, _erased(ledger, payload)) for payload, written in payloads.items()]
    found = []
    for entry in ledger.entries(BACKED_UP):
        size = (ledger.payload(entry.payload_digest) or {}).get("size", entry.seq)
        if any(written < size <= erased for written, erased in lives):
            file, at = entry.subjects[0], entry.recorded_at.isoformat(timespec="seconds")
            found.append({"backup": file.id, "digest": file.digest, "at": at, "size": size})
    return found


def _erased(ledger: Ledger, payload: Digest) -> int:
    """The number of the line that says that a payload was erased; that of the next line, if none does."""
    return min((e.seq for e in ledger.entries(ERASED, payload)), default=ledger.head().size)


def _said(head: TreeHead, what: str) -> dict[str, Any]:
    return {"size": head.size, "root": head.root, "text": f"{head.size} entries, root {head.root[:16]}…: {what}"}
