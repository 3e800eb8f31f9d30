"""The ledger in one file, and out of it again: against loss, and to move between SQLite and PostgreSQL.

A backup keeps what is erased later, and nobody here can reach it: so each is a line of the ledger, and whoever withdraws
consent is told of those that still hold a payload, until somebody says that they were destroyed.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from flows import records
from flows.authenticate import operator
from flows.books import books_of
from flows.place import check_reason
from flows.progress import on_terminal
from flows.site_keys import new_keys_for, sites_to_be_given_keys
from flows.stages.files import read_json, write_json
from flows.workspace import Workspace, open_workspace
from lineage.backup import read_backup, write_backup
from lineage.checkpoints import TreeHead
from lineage.digest import Digest, sha256_file
from lineage.ledger import Draft, Ledger, Subject
from lineage.refused import Refused

BACKED_UP, DESTROYED, ERASED = "ledger.backed_up", "ledger.backup_destroyed", "erase.executed"
BACKUP = "backup"
SAID_DESTROYED = "store/destroyed_backups.json"
"""Digests of backups of which the ledger says that they were destroyed: a copy, for when there is no ledger to ask."""

STAYS_IN_IT = (
    "what is erased in the ledger later stays in this file: `ictal audit impact --withdraw` names it then, to be destroyed "
    "or made again"
)


def backup_ledger(out: Path) -> dict[str, Any]:
    """Write the ledger as it is at this moment into a new file; others may append meanwhile. The file gets its name
    when its line stands in the ledger: where that is cut off, a line without a file is left, and not a file without a
    line. Refused where there is no ledger, or `out` is there already."""
    ledger = books_of(open_workspace())
    made = []

    def note(head: TreeHead, whole: Path) -> None:
        made.append(Subject(BACKUP, out.name, sha256_file(whole)))
        stated = {"size": head.size, "root": head.root}
        ledger.append_many([Draft(BACKED_UP, operator(), tuple(made), "against loss", stated)])

    with on_terminal() as show:
        head = write_backup(ledger, out, note, partial(show, "entries written"))
    where = f"written to {out.name}; keep it and a copy of keys/ where this machine's loss does not reach"
    said = _said(head, f"{where}. {STAYS_IN_IT[0].upper()}{STAYS_IN_IT[1:]}")
    return {**said, "digest": made[0].digest}


def restore_ledger(backup: Path) -> dict[str, Any]:
    """Fill the workspace's empty ledger from a file; its root is the one that was backed up. Refuses one of which it was said
    that it was destroyed: what it holds may have been erased since. Sites that had keys are named: they need new ones."""
    workspace = open_workspace()
    if sha256_file(backup) in _said_destroyed(workspace):
        raise Refused(
            f"of {backup.name} it was said here that it was destroyed, since it may hold what was erased: destroy it, and "
            "restore from a later backup"
        )
    with on_terminal() as show:
        ledger = records.open_ledger(workspace)
        head = read_backup(ledger, backup, partial(show, "entries restored"))
    said = _said(head, "restored; `ictal audit verify` hashes it again and holds it to its checkpoints")
    shut_out = sites_to_be_given_keys(workspace, ledger)
    said["sites_without"] = shut_out
    said["text"] += f"\n{new_keys_for(shut_out)}" if shut_out else ""
    return said


def destroy_backup(named: str, reason: str) -> dict[str, Any]:
    """Write down that a backup was destroyed, named by its file name or digest (or its beginning): it is named no more.

    Whoever works on this machine says so; nothing here can look. The copy beside the ledger is written first, while the
    ledger waits: cut off in between, nothing is restored from that backup, and it can be said again. Refuses one that
    still lies where it is named.
    """
    workspace = open_workspace()
    check_reason(reason)
    ledger = books_of(workspace)
    file = _backup_of(ledger, Path(named).name)
    if Path(named).is_file() and sha256_file(Path(named)) == file.digest:
        raise Refused(f"{file.id} is still there: destroy it first, here and wherever it was copied to")

    def note(_: Any) -> None:
        write_json(workspace.root / SAID_DESTROYED, sorted({*_said_destroyed(workspace), file.digest}))

    ledger.append_many([Draft(DESTROYED, operator(), (file,), reason.strip())], also=note)
    said = {"backup": file.id, "digest": file.digest, "reason": reason.strip()}
    return {
        **said,
        "text": f"backup {file.id} {file.digest[:12]} was destroyed: {reason.strip()}; none is restored from it here",
    }


def _backup_of(ledger: Ledger, named: str) -> Subject:
    """The one backup with this file name, or whose digest begins so, that was not destroyed."""
    gone = _destroyed(ledger)
    made = {e.subjects[0].digest: e for e in ledger.entries(BACKED_UP)}
    found = [
        e
        for e in made.values()
        if e.subjects[0].id == named or (len(named) >= 6 and e.subjects[0].digest.startswith(named))
    ]
    left = [e.subjects[0] for e in found if e.seq > gone.get(e.subjects[0].digest, -1)]
    if len(left) == 1:
        return left[0]
    if left:
        raise Refused(
            f"{len(left)} backups are called {named[:40]!r}: name one by its digest, {', '.join(s.digest[:12] for s in left)}"
        )
    if found:
        raise Refused(f"of {named[:40]!r} it was said already that it was destroyed")
    raise Refused(f"the ledger knows of no backup {named[:40]!r}; `ictal audit impact` names those that hold a payload")


def _destroyed(ledger: Ledger) -> dict[Digest, int]:
    """Digest of each backup that was destroyed → the number of the last line that says so."""
    return {entry.subjects[0].digest: entry.seq for entry in ledger.entries(DESTROYED)}


def _said_destroyed(workspace: Workspace) -> list[Digest]:
    path = workspace.root / SAID_DESTROYED
    said: list[Digest] = read_json(path) if path.exists() else []
    return said


def backups_holding(ledger: Ledger, payloads: Mapping[Digest, Sequence[int]]) -> list[dict[str, Any]]:
    """Every backup that the ledger knows, that was not destroyed and in which one of the payloads stands; they come
    with the numbers of the lines that say each. One that was erased and said once more stands in what was backed up
    after that."""
    lives = [(written, [e.seq for e in ledger.entries(ERASED, payload)]) for payload, written in payloads.items()]
    found, gone = [], _destroyed(ledger)
    for entry in ledger.entries(BACKED_UP):
        if entry.seq < gone.get(entry.subjects[0].digest, -1):
            continue
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
