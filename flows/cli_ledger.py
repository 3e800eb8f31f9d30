"""Commands that copy the ledger; each imports its flow when it runs."""

from pathlib import Path
from typing import Annotated

import typer

from flows.terminal import Json, show

ledger_app = typer.Typer()


@ledger_app.command("backup", epilog="Example: ictal audit backup /media/usb/ledger-2026-11.jsonl")
def backup(
    file: Annotated[Path, typer.Argument(dir_okay=False, help="A new file; it holds payloads, so guard it as them.")],
    as_json: Json = False,
) -> None:
    """Write the whole ledger into one file, as it is at this moment; whoever appends meanwhile is not held up.

    Keys are not in it: copy the workspace's keys/ as well. What is erased later stays in the file; each backup is a line in
    the ledger, so that a withdrawal of consent names those that still hold a payload: destroy them, or make them again.
    """
    from flows.backup import backup_ledger

    result = backup_ledger(file)
    show(result, as_json, result.pop("text"))


@ledger_app.command(
    "backup-destroyed",
    epilog="Example: ictal audit backup-destroyed ledger-2026-01.jsonl --reason 'consent was withdrawn'",
)
def backup_destroyed(
    backup: Annotated[
        str, typer.Argument(help="File name or digest (or its beginning) of a backup that the ledger knows.")
    ],
    reason: Annotated[str, typer.Option(help="Why; it stands in the ledger.")] = "",
    as_json: Json = False,
) -> None:
    """Write down that a backup was destroyed, wherever it was copied to: a withdrawal of consent names it no more, and no
    ledger of this workspace is restored from it."""
    from flows.backup import destroy_backup

    result = destroy_backup(backup, reason)
    show(result, as_json, result.pop("text"))


@ledger_app.command(
    "restore",
    epilog="Examples: ictal audit restore /media/usb/ledger-2026-11.jsonl · "
    "ICTAL_LEDGER=postgresql://ictal:…@db.hospital/ledger ictal audit restore ledger.jsonl",
)
def restore(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="What `ictal audit backup` wrote.")],
    as_json: Json = False,
) -> None:
    """Fill an empty ledger from a backup, all of it or nothing: also to move from SQLite to PostgreSQL and back.

    The ledger then belongs to this workspace; another that names the same database is refused. A workspace that was moved
    keeps its id in workspace.json, and its ledger with it.
    """
    from flows.backup import restore_ledger

    result = restore_ledger(file)
    show(result, as_json, result.pop("text"))
