"""What stands behind a prediction, a model or a data set: back to the raw bytes, which are hashed again."""

from collections.abc import Iterator, Sequence
from typing import Any

from console.answers import Judged, verdicts
from console.picture import ERASED, MATCHES, MISSING, NOT_KEPT, OTHER_BYTES
from console.spelling import clipped, gate, plain
from data.cohorts.bids import Entry as CohortEntry
from flows.audit import platform_keys
from flows.books import books_of, thing
from flows.progress import on_terminal, shown
from flows.stages.files import cohort_of, digest_of_entry
from flows.workspace import Workspace, open_workspace
from lineage import walks
from lineage.digest import Digest
from lineage.graph import ANSWERS, PREDICTION, Node, Step, downstream, upstream
from lineage.ledger import Entry as LedgerEntry
from lineage.ledger import EntryType, Ledger

SHOWN_RECORDINGS = 2
LONGEST = 140
"""Signs of a justification's line on the terminal; `--json` has all of it."""


def why(subject: str) -> dict[str, Any]:
    """Everything that a prediction, model or dataset came from, back to the raw bytes, which are hashed again; of a
    prediction what was answered and what readers said of it, of models who signed them and despite which gates.

    `ok` is false where a line on the way is not what was written (`problems`), or the bytes of a recording that was
    registered here are not there. Refused where `subject` (an id, a digest or its beginning) means nothing in the ledger, or
    several things.
    """
    workspace = open_workspace()
    ledger = books_of(workspace)
    start = thing(ledger, subject)
    steps = upstream(ledger, start.digest)
    with on_terminal():
        bytes_ = _raw_bytes(workspace, ledger, steps)
    signed = _signed(ledger, [start, *(s.node for s in steps)])
    judging = ledger.entries(EntryType.VERDICT_RECORDED, start.digest)
    problems = walks.problems(ledger, start, steps, [line.seq for line in (*signed, *judging)])
    problems += ledger.head_problems(*platform_keys(workspace))
    said = _said(ledger, start, signed, sound=not problems)
    amiss = any(state.startswith((OTHER_BYTES, MISSING)) for state in bytes_.values())
    return {
        "ok": not problems and not amiss,
        "problems": problems,
        "subject": {"digest": start.digest, "kind": start.kind, "label": start.label},
        "steps": [_step(s) for s in steps],
        "raw_bytes": bytes_,
        **said,
        "text": "\n".join(_text(start, steps, bytes_, said, problems)),
    }


def _said(ledger: Ledger, start: Node, signed: Sequence[LedgerEntry], sound: bool) -> dict[str, list[str]]:
    """What was answered, who signed, despite what, and what readers said: each in lines; where the ledger is not `sound`, who
    signed alone."""
    return {
        "outcome": list(_outcome(ledger, start)) if sound else [],
        "signatures": [_signature(line) for line in signed],
        "deviations": list(_deviations(ledger, signed)) if sound else [],
        "verdicts": [_verdict(one) for one in verdicts(ledger, start.digest)] if sound else [],
    }


def _step(step: Step) -> dict[str, Any]:
    node = step.node
    return {
        "depth": step.depth, "at": step.at, "relation": step.relation, "kind": node.kind, "label": node.label,
        "digest": node.digest,
    }  # fmt: skip


def _text(
    start: Node, steps: list[Step], bytes_: dict[str, str], said: dict[str, list[str]], problems: Sequence[str]
) -> list[str]:
    return [
        *_altered(problems),
        f"{start.kind} {start.label}  {start.digest[:12]}",
        *said["outcome"],
        *_lines(start.digest, steps, bytes_),
        *said["signatures"],
        *(clipped(line, LONGEST) for line in said["deviations"]),
        *said["verdicts"],
    ]


def _altered(problems: Sequence[str]) -> list[str]:
    """Said before all else: what follows is then not what was written."""
    if not problems:
        return []
    return [
        "THE LEDGER DOES NOT HOLD WHAT WAS WRITTEN: do not rely on what follows; `ictal audit verify` hashes all of it again",
        *(f"  {problem}" for problem in problems),
    ]


def _outcome(ledger: Ledger, start: Node) -> Iterator[str]:
    """What was answered, to whom and when; nothing of what is no prediction."""
    if start.kind != PREDICTION:
        return
    line = next(line for line in ledger.entries(subject_digest=start.digest) if line.type.startswith("prediction."))
    said = ledger.payload(line.payload_digest)
    whom = f"to {line.actor.site}" if line.actor.site else "to no site"
    if said is None:
        what = "erased since, as consent was withdrawn"
    else:
        many = len(said.get("events") or ())
        found = f", {many} event{'' if many == 1 else 's'}" if said.get("events") is not None else ""
        what = f"{said['outcome']} ({said['code']})" if said.get("code") else f"{said['outcome']}{found}"
    yield f"  answered: {what}, {whom}, {line.recorded_at:%Y-%m-%d %H:%M} UTC"


def _raw_bytes(workspace: Workspace, ledger: Ledger, steps: list[Step]) -> dict[str, str]:
    """For each recording of the walk: whether the bytes on disk are those that were registered, and if not, what is known
    of it. The statements begin with one of `console.picture.STATES`.

    Files of their names are hashed first, all others only where one of those is not what it was.
    """
    entries = [e for task in workspace.tasks for e in cohort_of(workspace.of(task)).entries]
    recordings = {s.node.digest: s.node.label for s in steps if s.node.kind == "recording"}
    names = set(recordings.values())
    found = _hashed([e for e in entries if e.name in names])
    if not {digest for digest, _ in found} >= recordings.keys():
        found += _hashed([e for e in entries if e.name not in names])

    def state(digest: Digest, name: str) -> str:
        same = sorted((e for d, e in found if d == digest), key=lambda e: e.name != name)
        if same:
            return f"{MATCHES} {same[0].path.relative_to(workspace.root)}"
        if not ledger.entries(EntryType.RECORDING_REGISTERED, digest):
            return f"{NOT_KEPT}, as intended: it was sent for an answer, and only its digest was written down"
        if ledger.entries(EntryType.CONSENT_WITHDRAWN, digest):
            return f"{ERASED}, as consent was withdrawn"
        others = [e.path for d, e in found if e.name == name and not _is_registered_as(ledger, d, name)]
        if others:
            return f"{OTHER_BYTES} than were registered stand at {others[0].relative_to(workspace.root)}"
        return f"{MISSING}: no file here has these bytes"

    return {digest: state(digest, name) for digest, name in recordings.items()}


def _is_registered_as(ledger: Ledger, digest: Digest, name: str) -> bool:
    """Whether these bytes are themselves a recording of this name, as one of another cohort may be."""
    lines = ledger.entries(EntryType.RECORDING_REGISTERED, digest)
    return any(subject.digest == digest and subject.id == name for line in lines for subject in line.subjects)


def _hashed(entries: Sequence[CohortEntry]) -> list[tuple[Digest, CohortEntry]]:
    """Each recording with the digest of its bytes as they are now."""
    found = []
    for number, entry in enumerate(entries, 1):
        found.append((digest_of_entry(entry), entry))
        shown()("recordings hashed again", number, len(entries))
    return found


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
            sound = sum(bytes_[s.node.digest].startswith(MATCHES) for s in recordings)
            lines.append(
                f"{'  ' * depth}… {len(recordings)} recordings in all, bytes of {sound} match what was registered"
            )

    write(start, 1)
    return lines


def _line(step: Step, depth: int, bytes_: dict[str, str]) -> str:
    state = f"  ({bytes_[step.node.digest]})" if step.node.digest in bytes_ else ""
    return f"{'  ' * depth}{step.relation} {step.node.kind} {step.node.label}  {step.node.digest[:12]}{state}"


def _signed(ledger: Ledger, things: Sequence[Node]) -> list[LedgerEntry]:
    """The lines of the signatures under approvals of the models on the way."""
    approvals = {
        s.node.digest
        for model in things
        if model.kind == "model"
        for s in downstream(ledger, model.digest, short_of=ANSWERS)
        if s.node.kind == "approval"
    }
    return [line for line in ledger.entries(EntryType.APPROVAL_SIGNED) if line.subjects[0].digest in approvals]


def _signature(line: LedgerEntry) -> str:
    name = line.actor.printed_name or line.actor.id
    return f"signed: {line.reason} by {name} ({line.actor.role}) at {line.recorded_at:%Y-%m-%d %H:%M} UTC"


def _deviations(ledger: Ledger, signed: Sequence[LedgerEntry]) -> Iterator[str]:
    """Gates that did not pass, and why people signed nevertheless, each once; they stand in the record that was signed."""
    payloads = [ledger.payload(line.payload_digest) for line in signed]
    records_ = [payload["record"] for payload in payloads if payload]
    told = {
        (d["gate"], r["gates"].get(d["gate"], "unknown"), d["justification"]): r
        for r in records_
        for d in r["deviations"]
    }
    for name, outcome, justification in told:
        yield f"signed despite the gate {name} ({gate(outcome)}): {justification}"


def _verdict(judged: Judged) -> str:
    reader = f", reader {plain(judged.said['reader']).lower()}" if judged.said else ", erased since"
    return f"verdict: {judged.entry.reason}{reader}, at {judged.entry.recorded_at:%Y-%m-%d %H:%M} UTC"
