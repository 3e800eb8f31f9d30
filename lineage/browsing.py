"""Reading the ledger a page at a time, newest first: by type, by what a line is about, and by when it was recorded."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Select, false, select
from sqlalchemy.orm import Session

from lineage import graph
from lineage.appending import LedgerBroken, entry_of, tree_size
from lineage.entries import Entry
from lineage.graph import HasEngine
from lineage.rows import EntryRow, SubjectRow
from lineage.store import can_be_named, session
from lineage.times import utc_text

PAGE = 50
"""Lines on a page, unless another number is asked for."""


@dataclass(frozen=True)
class Wanted:
    """Which lines: of these types (all, if none is named), about the thing that `graph.find` finds under this name,
    recorded from `since` on and before `until`."""

    types: tuple[str, ...] = ()
    subject: str = ""
    since: datetime | None = None
    until: datetime | None = None


class Page(NamedTuple):
    """Lines, newest first. `before` continues to older ones, `after` to newer ones; None where there are none."""

    entries: list[Entry]
    before: int | None
    after: int | None


def page(
    ledger: HasEngine, wanted: Wanted, *, before: int | None = None, after: int | None = None, size: int = PAGE
) -> Page:
    """The newest lines that are wanted, or those next to the number `before` (older) or `after` (newer).

    Law: following `before` from page to page meets every wanted line once. Raises LedgerBroken for a line that cannot
    be read.
    """
    with session(ledger.engine, write=False) as reading:
        lines = _lines(ledger, reading, wanted)
        backwards = after is not None
        if before is not None:
            lines = lines.where(EntryRow.seq < before)
        elif after is not None:
            lines = lines.where(EntryRow.seq > after)
        order = EntryRow.seq.asc() if backwards else EntryRow.seq.desc()
        found = [entry_of(seq, envelope) for seq, envelope in reading.execute(lines.order_by(order).limit(size + 1))]
    more, shown = len(found) > size, found[:size]
    if backwards:
        return Page(shown[::-1], shown[0].seq if shown else None, shown[-1].seq if more else None)
    return Page(shown, shown[-1].seq if more else None, shown[0].seq if shown and before is not None else None)


def _lines(ledger: HasEngine, reading: Session, wanted: Wanted) -> Select[tuple[int, bytes]]:
    lines = select(EntryRow.seq, EntryRow.envelope)
    if wanted.types:
        lines = lines.where(EntryRow.type.in_(wanted.types))
    if wanted.subject:
        lines = lines.where(EntryRow.seq.in_(_about(ledger, wanted.subject)))
    if wanted.since is not None:
        lines = lines.where(EntryRow.seq >= _first_since(reading, wanted.since))
    if wanted.until is not None:
        lines = lines.where(EntryRow.seq < _first_since(reading, wanted.until))
    return lines


def _about(ledger: HasEngine, name: str) -> Select[tuple[int]]:
    """Numbers of the lines about a thing; what has no digest is found by its id alone."""
    if not can_be_named(name):
        return select(SubjectRow.seq).where(false())
    digests = [node.digest for node in graph.find(ledger, name)]
    return select(SubjectRow.seq).where(
        SubjectRow.digest.in_(digests) | ((SubjectRow.digest == "") & (SubjectRow.id == name))
    )


def _first_since(reading: Session, moment: datetime) -> int:
    """Number of the first line recorded at `moment` or later. The ledger's time never runs backwards: so by halves."""
    low, high, text = 0, tree_size(reading), utc_text(moment)
    while low < high:
        middle = (low + high) // 2
        recorded_at = reading.scalar(select(EntryRow.recorded_at).where(EntryRow.seq == middle))
        if recorded_at is None:
            raise LedgerBroken(f"entry {middle} is missing; `ictal audit verify` says what else is")
        low, high = (low, middle) if recorded_at >= text else (middle + 1, high)
    return low
