"""The ledger in one file, and out of it again: against loss, and to move between SQLite and PostgreSQL."""

from pathlib import Path
from typing import Any

from flows import records
from flows.workspace import open_workspace
from lineage.backup import read_backup, write_backup
from lineage.checkpoints import TreeHead


def backup_ledger(out: Path) -> dict[str, Any]:
    """Write the ledger as it is at this moment into a new file; others may append meanwhile."""
    head = write_backup(records.there(open_workspace()), out)
    return _said(head, f"written to {out.name}; keep it and a copy of keys/ where this machine's loss does not reach")


def restore_ledger(backup: Path) -> dict[str, Any]:
    """Fill the workspace's empty ledger from a file; its root is the one that was backed up."""
    head = read_backup(records.open_ledger(open_workspace()), backup)
    return _said(head, "restored; `ictal audit verify` hashes it again and holds it to its checkpoints")


def _said(head: TreeHead, what: str) -> dict[str, Any]:
    return {"size": head.size, "root": head.root, "text": f"{head.size} entries, root {head.root[:16]}…: {what}"}
