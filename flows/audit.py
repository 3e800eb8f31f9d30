"""Questions an auditor asks of a workspace, each answered from the ledger and from the bytes on disk."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from data.cohorts.bids import Entry as CohortEntry
from flows import records, register
from flows.books import books_of, thing
from flows.progress import on_terminal, shown
from flows.stages.files import cohort_of, digest_of_entry
from flows.workspace import Workspace, open_workspace
from lineage.dsse import read_pem
from lineage.graph import Step, downstream, node, upstream
from lineage.keys import every_platform_key, platform_key
from lineage.ledger import Checkpoint, Draft, Ledger, Subject
from lineage.refused import Refused
from lineage.whole import whole_file
from serving.facts import fact_problems

SHOWN_RECORDINGS = 2


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
    return {"size": signed.size, "root": signed.root, "text": f"{signed.size} entries, root {signed.root}"}


def verify_ledger(against: Sequence[Path] = ()) -> dict[str, Any]:
    """Hash everything again and compare with the checkpoints that were signed, and with those kept elsewhere.

    Only the latter find a ledger that was forged whole, its own checkpoints included. What does not agree is in
    `problems`, and `ok` is false then; Refused only where there is no ledger, or a file of `against` is no checkpoint.
    """
    workspace = open_workspace()
    ledger = books_of(workspace)
    keys = [read_pem(path.read_bytes()) for path in every_platform_key(workspace.keys)]
    checkpoints = [*ledger.checkpoints(), *(_checkpoint(file) for file in against)]
    with on_terminal() as show:
        found = ledger.verify(checkpoints, *keys, progress=partial(show, "entries hashed again"))
    problems = found.problems or fact_problems(ledger)
    text = f"{found.size} entries, {len(checkpoints)} checkpoints, root {found.root[:16]}…: " + (
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


def why(subject: str) -> dict[str, Any]:
    """Everything that a prediction, model or dataset came from, back to the raw bytes, which are hashed again. Refused
    where `subject` (an id, a digest or its beginning) means nothing in the ledger, or several things."""
    workspace = open_workspace()
    ledger = books_of(workspace)
    start = thing(ledger, subject)
    digest = start.digest
    steps = upstream(ledger, digest)
    with on_terminal():
        bytes_ = _raw_bytes(workspace, steps)
    signers = _signers(ledger, [digest, *(s.node.digest for s in steps)])
    lines = [f"{start.kind} {start.label}  {digest[:12]}", *_lines(digest, steps, bytes_), *signers]
    return {
        "subject": {"digest": digest, "kind": start.kind, "label": start.label},
        "steps": [
            {
                "depth": s.depth,
                "at": s.at,
                "relation": s.relation,
                "kind": s.node.kind,
                "label": s.node.label,
                "digest": s.node.digest,
            }
            for s in steps
        ],
        "raw_bytes": bytes_,
        "signatures": signers,
        "text": "\n".join(lines),
    }


def _raw_bytes(workspace: Workspace, steps: list[Step]) -> dict[str, str]:
    """For each recording of the walk: whether the bytes on disk are those that were registered.

    Files of their names are hashed first, all others only where one of those is not what it was.
    """
    entries = [e for task in workspace.tasks for e in cohort_of(workspace.of(task)).entries]
    recordings = {s.node.digest: s.node.label for s in steps if s.node.kind == "recording"}
    names = set(recordings.values())
    found = _hashed([e for e in entries if e.name in names])
    if not found.keys() >= recordings.keys():
        found |= _hashed([e for e in entries if e.name not in names])
    return {digest: _state_of(found.get(digest), workspace.root) for digest in recordings}


def _hashed(entries: Sequence[CohortEntry]) -> dict[str, Path]:
    """Digest of each recording's bytes, as they are now → its file."""
    found: dict[str, Path] = {}
    for number, entry in enumerate(entries, 1):
        found[digest_of_entry(entry)] = entry.path
        shown()("recordings hashed again", number, len(entries))
    return found


def _state_of(path: Path | None, root: Path) -> str:
    return f"matches {path.relative_to(root)}" if path else "NOT FOUND: no file here has these bytes"


def _lines(start: str, steps: list[Step], bytes_: dict[str, str]) -> list[str]:
    """The walk as a tree: everything under what it hangs on, each thing opened once, many recordings only counted."""
    hanging: dict[str, list[Step]] = {}
    for step in steps:
        hanging.setdefault(step.at, []).append(step)
    lines: list[str] = []
    opened: set[str] = set()

    def write(digest: str, depth: int) -> None:
        opened.add(digest)
        recordings = [s for s in hanging.get(digest, []) if s.node.kind == "recording"]
        others = [s for s in hanging.get(digest, []) if s.node.kind != "recording"]
        others.sort(key=lambda s: s.relation == "permitted_by")  # first what it was made of, then by what right
        for step in [*others, *recordings[:SHOWN_RECORDINGS]]:
            above = step.node.digest in opened and step.node.digest in hanging
            lines.append(_line(step, depth, bytes_) + ("  (see above)" if above else ""))
            if step.node.digest not in opened:
                write(step.node.digest, depth + 1)
        if len(recordings) > SHOWN_RECORDINGS:
            sound = sum(bytes_[s.node.digest].startswith("matches") for s in recordings)
            lines.append(
                f"{'  ' * depth}… {len(recordings)} recordings in all, bytes of {sound} match what was registered"
            )

    write(start, 1)
    return lines


def _line(step: Step, depth: int, bytes_: dict[str, str]) -> str:
    state = f"  ({bytes_[step.node.digest]})" if step.node.digest in bytes_ else ""
    return f"{'  ' * depth}{step.relation} {step.node.kind} {step.node.label}  {step.node.digest[:12]}{state}"


def _signers(ledger: Ledger, digests: list[str]) -> list[str]:
    """Who signed approvals of the models on the way."""
    approvals = {
        s.node.digest
        for d in digests
        if _is_model(ledger, d)
        for s in downstream(ledger, d, short_of=("prediction",))
        if s.node.kind == "approval"
    }
    lines = []
    for entry in ledger.entries("approval.signed"):
        if entry.subjects[0].digest in approvals:
            name = entry.actor.printed_name or entry.actor.id
            lines.append(
                f"signed: {entry.reason} by {name} ({entry.actor.role}) at {entry.recorded_at:%Y-%m-%d %H:%M} UTC"
            )
    return lines


def _is_model(ledger: Ledger, digest: str) -> bool:
    return node(ledger, digest).kind == "model"
