"""Adding lines to the ledger inside one open transaction: place, time, tree, lineage and payload together."""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from lineage import graph, merkle
from lineage.checkpoints import Checkpoint, TreeHead
from lineage.digest import canonical, sha256_bytes
from lineage.entries import Draft, Entry, EntryType, Software, uuid7
from lineage.refused import Refused
from lineage.rows import CheckpointRow, EntryRow, PayloadRow, SubjectRow, TreeRow
from lineage.store import add_rows, driver_rows
from lineage.times import in_a_zone, read_utc, utc_text

T = TypeVar("T")


_LAST_TIMES = "SELECT (SELECT recorded_at FROM entry ORDER BY seq DESC LIMIT 1), (SELECT at FROM checkpoint ORDER BY id DESC LIMIT 1)"
_LAST_NUMBER = "SELECT max(seq) FROM entry"


def append(writing: Session, drafts: Iterable[Draft], software: Software, now: datetime | None) -> list[Entry]:
    """Write the drafts as the ledger's next entries, all with one time. Hashes as many nodes as there are drafts, twice
    at most.

    `now` is the clock's time if None. Raises ValueError for a time without a zone, an unknown type and a draft that has
    not happened yet, UnknownNode and Cycle for edges that cannot be drawn, LedgerBroken for a tree that is not whole.
    """
    now = in_a_zone(now or datetime.now(UTC))
    at = not_before_the_last(writing, now)
    frontier = _frontier(writing)
    payloads = {}
    entries = []
    for seq, draft in enumerate(drafts, start=frontier.size):
        content = b"" if draft.payload is None else canonical(dict(draft.payload))
        entries.append(_entry(draft, content, seq, now, at, software))
        payloads[entries[-1].payload_digest] = content
    write(writing, frontier, entries, [entry.leaf() for entry in entries])
    kept = [(digest, content) for digest, content in payloads.items() if digest]
    add_rows(writing, PayloadRow, kept, if_new=True)
    return entries


def not_before_the_last(reading: Session, now: datetime) -> datetime:
    """`now`, or the time of the last entry or checkpoint where that is later: the ledger never runs backwards."""
    return max(now, last_time(reading) or now)


def last_time(reading: Session) -> datetime | None:
    """The time of the last entry or checkpoint, whichever is later; None in an empty ledger."""
    ((entry, checkpoint),) = driver_rows(reading, _LAST_TIMES)
    return max((read_utc(text) for text in (entry, checkpoint) if text), default=None)


def last_checkpoint(reading: Session) -> Checkpoint | None:
    """The newest of those that were signed here; None where none was."""
    newest = reading.scalar(select(CheckpointRow.text).order_by(CheckpointRow.id.desc()).limit(1))
    return None if newest is None else Checkpoint.from_json(newest)


def tree_size(reading: Session) -> int:
    """How many entries there are, by the number of the last one; 0 in an empty ledger."""
    ((last,),) = driver_rows(reading, _LAST_NUMBER)
    return 0 if last is None else int(last) + 1


def head(reading: Session) -> TreeHead:
    """How long the ledger is and what it hashes to, by the stored tree; LedgerBroken where that lacks a node of it."""
    size = tree_size(reading)
    return TreeHead(size, over_tree(reading, lambda nodes: merkle.root_of(nodes, size)).hex())


def over_tree(reading: Session, walk: Callable[[merkle.Nodes], T]) -> T:
    """What `walk` makes of the stored tree, with one look-up for all nodes that it asks for.

    It is called twice, the first time with empty hashes, to learn what it asks for. LedgerBroken where one is missing.
    """
    asked: list[tuple[int, int]] = []

    def ask(level: int, position: int) -> bytes:
        asked.append((level, position))
        return b""

    def node(level: int, position: int) -> bytes:
        if (level, position) not in found:
            raise LedgerBroken(f"the tree has no node {level}/{position}; `ictal audit verify` says what is missing")
        return found[level, position]

    walk(ask)
    found = _stored_nodes(reading, asked)
    return walk(node)


class LedgerBroken(Refused):
    """The store does not hold what the ledger wrote; `Ledger.verify` says where."""


def entry_of(seq: int, envelope: bytes) -> Entry:
    """The entry that the stored bytes of number `seq` say; LedgerBroken where they cannot be read."""
    try:
        return Entry.from_envelope(json.loads(envelope))
    except (ValueError, KeyError, TypeError) as error:
        raise LedgerBroken(f"entry {seq} cannot be read; `ictal audit verify` says what was changed") from error


def _frontier(reading: Session) -> merkle.Frontier:
    size = tree_size(reading)
    wanted = merkle.peaks(size)
    found = _stored_nodes(reading, wanted)
    if len(found) != len(wanted):
        raise LedgerBroken(f"the tree over {size} entries is not whole; `ictal audit verify` says what is missing")
    return merkle.Frontier(size, [found[peak] for peak in wanted])


def _stored_nodes(reading: Session, wanted: Sequence[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
    """Those nodes that are there. Each is named apart: SQLite looks through the whole tree for a list of pairs."""
    if not wanted:
        return {}
    named = " OR ".join(f"level = {int(level)} AND position = {int(position)}" for level, position in wanted)
    rows = driver_rows(reading, f"SELECT level, position, hash FROM tree WHERE {named}")
    return {(level, position): bytes(found) for level, position, found in rows}


def _entry(draft: Draft, content: bytes, seq: int, now: datetime, at: datetime, software: Software) -> Entry:
    occurred_at = draft.occurred_at or now
    if occurred_at > at:
        raise ValueError(f"{draft.type} at {utc_text(occurred_at)} has not happened yet: it is {utc_text(at)}")
    digest = sha256_bytes(content) if content else ""
    return Entry(
        seq=seq,
        id=uuid7(at),
        type=EntryType(draft.type),
        occurred_at=occurred_at,
        recorded_at=at,
        actor=draft.actor,
        subjects=draft.subjects,
        reason=draft.reason,
        payload_digest=digest,
        payload_ref=f"payload:{digest}" if digest else "",
        software=software,
        edges=draft.edges,
    )


def write(writing: Session, frontier: merkle.Frontier, entries: Sequence[Entry], leaves: Sequence[bytes]) -> None:
    """Write entries with the very bytes of their envelopes (`leaves`, one for each), and all that follows from them.

    `frontier` is that of the ledger before them, and that behind them afterwards. UnknownNode and Cycle as `append`.
    """
    add_rows(writing, EntryRow, [_row(entry, leaf) for entry, leaf in zip(entries, leaves, strict=True)])
    write_copies(writing, frontier, entries, leaves)


def write_copies(
    writing: Session, frontier: merkle.Frontier, entries: Sequence[Entry], leaves: Sequence[bytes]
) -> None:
    """Tree, index and lineage of entries, which can be made again from them."""
    completed = frontier.add_all([merkle.leaf_hash(leaf) for leaf in leaves])
    add_rows(
        writing, TreeRow, [(level, at, made) for level, first, row in completed for at, made in enumerate(row, first)]
    )
    add_rows(writing, SubjectRow, [row for entry in entries for row in _subject_rows(entry)])
    graph.record(writing, entries)


def _row(entry: Entry, leaf: bytes) -> tuple:
    return entry.seq, entry.id, entry.type.value, utc_text(entry.recorded_at), leaf


def _subject_rows(entry: Entry) -> list[tuple]:
    return [(entry.seq, place, s.kind, s.id, s.digest) for place, s in enumerate(entry.subjects)]
