"""Was the ledger changed? Everything is hashed again, and what it is now is signed, to hold it to that later."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from console.spelling import counted
from flows import records, register
from flows.books import books_of
from flows.progress import on_terminal
from flows.workspace import Workspace, open_workspace
from lineage.dsse import PublicKey, read_pem
from lineage.keys import every_platform_key, platform_key
from lineage.ledger import Checkpoint, Draft, Subject
from lineage.refused import Refused
from lineage.whole import whole_file
from serving.facts import fact_problems


def publish_checkpoint(out: Path) -> dict[str, Any]:
    """Sign what the ledger is now into a file. Keep it where nobody who can write the ledger can reach it. A file that
    lies at `out` is replaced; each time is a line in the ledger. Refused where there is no ledger, and where no file
    can lie at `out`."""
    workspace = open_workspace()
    register.platform_key(workspace)
    with whole_file(out) as partial:
        signed = books_of(workspace).checkpoint(platform_key(workspace.keys), datetime.now(UTC))
        partial.write_text(signed.to_json() + "\n")
    subject = Subject("checkpoint", f"{signed.size} entries", signed.root)
    books_of(workspace).append_many([Draft("checkpoint.published", records.PIPELINE, (subject,), "into a file")])
    return {"size": signed.size, "root": signed.root, "text": f"{counted(signed.size, 'entry')}, root {signed.root}"}


def verify_ledger(against: Sequence[Path] = ()) -> dict[str, Any]:
    """Hash everything again and compare with the checkpoints that were signed, and with those kept elsewhere.

    Only the latter find a ledger that was forged whole, its own checkpoints included. What does not agree is in
    `problems`, and `ok` is false then; Refused only where there is no ledger, or a file of `against` is no checkpoint.
    """
    workspace = open_workspace()
    ledger = books_of(workspace)
    keys = platform_keys(workspace)
    checkpoints = [*ledger.checkpoints(), *(_checkpoint(file) for file in against)]
    with on_terminal() as show:
        found = ledger.verify(checkpoints, *keys, progress=partial(show, "entries hashed again"))
    problems = found.problems or fact_problems(ledger)
    text = f"{counted(found.size, 'entry')}, {counted(len(checkpoints), 'checkpoint')}, root {found.root[:16]}…: " + (
        "; ".join(problems) or "nothing was changed"
    )
    return {"ok": not problems, "size": found.size, "root": found.root, "problems": problems, "text": text}


def _checkpoint(path: Path) -> Checkpoint:
    try:
        return Checkpoint.from_json(path.read_text())
    except FileNotFoundError as error:
        raise Refused(f"there is no checkpoint {path}: name one that `ictal audit checkpoint` wrote") from error
    except (OSError, ValueError) as error:
        raise Refused(f"{path} cannot be read as a checkpoint: name one that `ictal audit checkpoint` wrote") from error


def platform_keys(workspace: Workspace) -> list[PublicKey]:
    """Every public key with which this workspace may have signed a checkpoint."""
    return [read_pem(path.read_bytes()) for path in every_platform_key(workspace.keys)]
