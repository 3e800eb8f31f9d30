"""The ledger line by line: pages with filters, and each line in full with the proof that it stands in the tree."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from console.acts import Room
from console.pages import number_in, page, room_of
from lineage import merkle
from lineage.browsing import Page, Wanted
from lineage.browsing import page as page_of_lines
from lineage.checkpoints import Checkpoint, TreeHead
from lineage.ledger import Entry, EntryType, LedgerBroken

ASKED = ("type", "subject", "since", "until")
"""Names of the filters, in the form and in the address."""


class Inclusion(NamedTuple):
    """From a line to the root: its own hash, the hashes it is joined with, and whether that comes to the root."""

    leaf: str
    path: list[str]
    size: int
    root: str
    holds: bool


def show_ledger(request: Request) -> Response:
    """A page of entries under the filters asked for, newest first; 400 and no entries where a filter means nothing."""
    asked = {name: request.query_params.get(name, "").strip() for name in ASKED}
    fault, found = "", Page([], None, None)
    try:
        found = page_of_lines(room_of(request).ledger, _wanted(asked), **place_of(request))
    except ValueError as error:
        fault = str(error)
    return page(
        request,
        "ledger",
        title="Ledger",
        status=400 if fault else 200,
        asked=asked,
        fault=fault,
        types=[t.value for t in EntryType],
        found=found,
        turn=turn(request, found),
        verified=request.app.state.verifier.last,
        health=_health(room_of(request)),
    )


def show_line(request: Request) -> Response:
    """One entry in full: the proof that it stands in the tree of today, and what it says or why that cannot be shown.

    Raises HTTPException 404 where the ledger has no entry of this number.
    """
    room, seq = room_of(request), request.path_params["seq"]
    entry = _entry(room, seq)
    payload, fault = _payload(room, entry)
    return page(
        request,
        "line",
        title=f"Entry {entry.seq}",
        entry=entry,
        proof=_proof(room, entry),
        payload=None if payload is None else json.dumps(payload, indent=2, ensure_ascii=False),
        fault=fault,
        envelope=json.dumps(entry.envelope(), indent=2, ensure_ascii=False),
        size=room.ledger.head().size,
    )


@dataclass(frozen=True)
class Health:
    """How long the ledger is, what of it was signed last, what was kept elsewhere, who failed to prove who they are."""

    head: TreeHead
    checkpoint: Checkpoint | None
    backups: int
    last_backup: datetime | None
    failures: int

    @property
    def unsigned(self) -> int:
        """Entries since the last checkpoint."""
        return self.head.size - (self.checkpoint.size if self.checkpoint else 0)


def _health(room: Room) -> Health:
    signed, backups = room.ledger.checkpoints(), room.ledger.entries(EntryType.LEDGER_BACKED_UP)
    newest = max(signed, key=lambda c: c.size) if signed else None
    last_backup = backups[-1].recorded_at if backups else None
    return Health(
        room.ledger.head(), newest, len(backups), last_backup, len(room.ledger.entries(EntryType.AUTH_FAILED))
    )


def _entry(room: Room, seq: int) -> Entry:
    found = page_of_lines(room.ledger, Wanted(), before=seq + 1, size=1).entries
    if not found or found[0].seq != seq:
        raise HTTPException(404, "The ledger has no entry of this number.")
    return found[0]


class Turn(NamedTuple):
    """Addresses of the pages with newer and with older lines; empty where there are none."""

    newer: str
    older: str


def place_of(request: Request) -> dict[str, int]:
    """Where in the ledger the page that was asked for begins (`before`) or ends (`after`); what is no number there is
    left out."""
    asked = {name: number_in(request.query_params.get(name, "")) for name in ("before", "after")}
    return {name: value for name, value in asked.items() if value is not None}


def turn(request: Request, found: Page) -> Turn:
    """Where the neighbouring pages are, under the same filters."""
    kept = {n: v for n, v in request.query_params.items() if n in ASKED and v}

    def address(name: str, value: int | None) -> str:
        return "" if value is None else "?" + urlencode({**kept, name: value})

    return Turn(address("after", found.after), address("before", found.before))


def _wanted(asked: dict[str, str]) -> Wanted:
    if asked["type"] and asked["type"] not in {t.value for t in EntryType}:
        raise ValueError("There is no such type of entry; choose one of the list.")
    return Wanted(
        types=(asked["type"],) if asked["type"] else (),
        subject=asked["subject"],
        since=_day(asked["since"]),
        until=_end_of(_day(asked["until"])),
    )


def _day(text: str) -> datetime | None:
    """Midnight (UTC) of a day written as in 2026-11-26."""
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise ValueError("A day is written as in 2026-11-26.") from error


def _end_of(day: datetime | None) -> datetime | None:
    """Of the last day that there is, as of none, nothing is left out."""
    return None if day is None or day.date() == date.max else day + timedelta(days=1)


def _payload(room: Room, entry: Entry) -> tuple[Any, str]:
    """What a line says in full, or why that cannot be shown."""
    if not entry.payload_digest:
        return None, "This entry says nothing more than what stands above."
    try:
        payload = room.ledger.payload(entry.payload_digest)
    except LedgerBroken:
        return None, "What this entry says in full was changed after it was written: it does not have its digest."
    return payload, "" if payload is not None else "What this entry said in full was erased; the line itself stays."


def _proof(room: Room, entry: Entry) -> Inclusion:
    head = room.ledger.head()
    leaf = merkle.leaf_hash(entry.leaf())
    path = room.ledger.inclusion_proof(entry.seq, head.size)
    holds = merkle.includes(bytes.fromhex(head.root), head.size, entry.seq, leaf, path)
    return Inclusion(leaf.hex(), [step.hex() for step in path], head.size, head.root, holds)
