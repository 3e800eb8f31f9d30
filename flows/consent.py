"""Who has withdrawn consent: read from the ledger by every stage, so that it holds from the next moment on."""

from typing import Any, NamedTuple

from flows.workspace import Workspace, open_workspace
from lineage.digest import Digest
from lineage.entries import Entry
from lineage.ledger import Draft, Ledger
from lineage.refused import Refused

WITHDRAWN, GRANTED = "consent.withdrawn", "consent.granted"


class Withdrawn(NamedTuple):
    """Persons who may not be learnt from, tuned or tested on, and the bytes that were theirs, under whatever name."""

    persons: frozenset[str] = frozenset()
    digests: frozenset[Digest] = frozenset()


def withdrawn(workspace: Workspace) -> Withdrawn:
    """Everybody whose last word in the ledger is a withdrawal; nobody where there is no ledger."""
    if not workspace.has_ledger:
        return Withdrawn()
    ledger = Ledger(workspace.ledger_place, workspace=workspace.id)
    said = sorted([*ledger.entries(WITHDRAWN), *ledger.entries(GRANTED)], key=lambda entry: entry.seq)
    last = {person: entry for entry in said for person in _named(entry, "person")}
    gone = {person: entry for person, entry in last.items() if entry.type == WITHDRAWN}
    recordings = (s.digest for entry in gone.values() for s in entry.subjects if s.kind == "recording")
    return Withdrawn(frozenset(gone), frozenset(recordings))


def grant(person: str, reason: str) -> dict[str, Any]:
    """Write down that a person who had withdrawn gives consent again; their recordings have to come in anew. Refused
    where not exactly one person who withdrew has a key that begins so, and without a reason."""
    from flows.authenticate import operator
    from flows.records import open_ledger, person_subject

    workspace = open_workspace()
    found = [key for key in withdrawn(workspace).persons if person and key.startswith(person)]
    if len(found) != 1:
        raise Refused(f"{len(found)} persons who withdrew have a key that begins with {person[:20]!r}; give all of it")
    if not reason.strip():
        raise Refused("consent is given again for a reason that stands in the ledger: --reason 'form of 2026-11-20'")
    draft = Draft(GRANTED, operator(), (person_subject(found[0]),), reason)
    open_ledger(workspace).append_many([draft])
    text = f"{found[0]} may be learnt from again; what was taken out is gone: bring their recordings in anew"
    return {"person": found[0], "text": text}


def _named(entry: Entry, kind: str) -> list[str]:
    return [s.id for s in entry.subjects if s.kind == kind]
