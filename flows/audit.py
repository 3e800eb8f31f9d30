"""Questions an auditor asks of a workspace, each answered from the ledger and from the bytes on disk."""

from pathlib import Path
from typing import Any

from data.cohorts.bids import read_cohort
from flows import records
from flows.workspace import Workspace, open_workspace
from lineage.digest import sha256_file
from lineage.dsse import read_pem
from lineage.graph import Step, downstream, node, upstream
from lineage.keys import platform_public_path
from lineage.ledger import Ledger
from lineage.refused import Refused

SHOWN_RECORDINGS = 3


def verify_ledger() -> dict[str, Any]:
    """Hash everything again and compare with the checkpoints that were signed."""
    workspace = open_workspace()
    ledger = records.open_ledger(workspace)
    path = platform_public_path(workspace.keys)
    key = read_pem(path.read_bytes()) if path.exists() else None
    checkpoints = ledger.checkpoints()
    found = ledger.verify(checkpoints, key)
    text = f"{found.size} entries, {len(checkpoints)} checkpoints, root {found.root[:16]}…: " + (
        "nothing was changed" if found.ok else "; ".join(found.problems)
    )
    return {"ok": found.ok, "size": found.size, "root": found.root, "problems": found.problems, "text": text}


def why(subject: str) -> dict[str, Any]:
    """Everything that a prediction, model or dataset came from, back to the raw bytes, which are hashed again."""
    workspace = open_workspace()
    ledger = records.open_ledger(workspace)
    digest = _find(ledger, subject)
    steps = upstream(ledger, digest)
    bytes_ = _raw_bytes(workspace, steps)
    start = node(ledger, digest)
    signers = _signers(ledger, [digest, *(s.node.digest for s in steps)])
    lines = [f"{start.kind} {start.label}  {digest[:12]}", *_lines(steps, bytes_), *signers]
    return {
        "subject": {"digest": digest, "kind": start.kind, "label": start.label},
        "steps": [
            {
                "depth": s.depth,
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


def _find(ledger: Ledger, subject: str) -> str:
    """The digest that an id, a digest or the beginning of one means."""
    found = {
        s.digest
        for entry in ledger.entries()
        for s in entry.subjects
        if s.digest and (s.id == subject or (len(subject) >= 6 and s.digest.startswith(subject)))
    }
    if len(found) != 1:
        raise Refused(f"{len(found)} things in the ledger are called {subject[:20]!r}; give more of its digest or id")
    return found.pop()


def _raw_bytes(workspace: Workspace, steps: list[Step]) -> dict[str, str]:
    """For each recording of the walk: whether the bytes on disk are those that were registered."""
    cohort = {sha256_file(e.path): e.path for e in read_cohort(workspace.cohort).entries}
    recordings = dict.fromkeys(s.node.digest for s in steps if s.node.kind == "recording")
    return {digest: _state_of(cohort.get(digest), workspace.root) for digest in recordings}


def _state_of(path: Path | None, root: Path) -> str:
    return f"matches {path.relative_to(root)}" if path else "not in this workspace"


def _lines(steps: list[Step], bytes_: dict[str, str]) -> list[str]:
    """The walk as an indented list; of many recordings of a dataset only the first are named."""
    lines, seen = [], {"recording": 0}
    for step in steps:
        if step.node.kind == "recording":
            seen["recording"] += 1
            if seen["recording"] > SHOWN_RECORDINGS:
                continue
        state = f"  bytes: {bytes_[step.node.digest]}" if step.node.digest in bytes_ else ""
        lines.append(
            f"{'  ' * step.depth}{step.relation} {step.node.kind} {step.node.label}  {step.node.digest[:12]}{state}"
        )
    hidden = seen["recording"] - SHOWN_RECORDINGS
    if hidden > 0:
        sound = sum(state.startswith("matches") for state in bytes_.values())
        lines.append(
            f"  … and {hidden} more recordings; bytes of {sound} of {len(bytes_)} on disk match what was registered"
        )
    return lines


def _signers(ledger: Ledger, digests: list[str]) -> list[str]:
    """Who signed approvals of the models on the way."""
    approvals = {
        s.node.digest
        for d in digests
        if _is_model(ledger, d)
        for s in downstream(ledger, d)
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
