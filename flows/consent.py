"""Who has withdrawn consent: read from the ledger by every stage, so that it holds from the next moment on."""

from typing import NamedTuple

from flows.workspace import Workspace
from lineage.digest import Digest
from lineage.entries import Entry
from lineage.ledger import Ledger

WITHDRAWN, GRANTED = "consent.withdrawn", "consent.granted"


class Withdrawn(NamedTuple):
    """Persons who may not be learnt from, tuned or tested on, and the bytes that were theirs, under whatever name."""

    persons: frozenset[str] = frozenset()
    digests: frozenset[Digest] = frozenset()


def withdrawn(workspace: Workspace) -> Withdrawn:
    """Everybody whose last word in the ledger is a withdrawal."""
    if not workspace.has_ledger:
        return Withdrawn()
    ledger = Ledger(workspace.ledger_place, workspace=workspace.id)
    said = sorted([*ledger.entries(WITHDRAWN), *ledger.entries(GRANTED)], key=lambda entry: entry.seq)
    last = {person: entry for entry in said for person in _named(entry, "person")}
    gone = {person: entry for person, entry in last.items() if entry.type == WITHDRAWN}
    recordings = (s.digest for entry in gone.values() for s in entry.subjects if s.kind == "recording")
    return Withdrawn(frozenset(gone), frozenset(recordings))


def _named(entry: Entry, kind: str) -> list[str]:
    return [s.id for s in entry.subjects if s.kind == kind]
