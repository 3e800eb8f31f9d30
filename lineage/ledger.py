"""The ledger: what was done, by whom and to what, in lines that are only ever added and never changed.

Merkle log with the hashing of RFC 6962. There is no update and no delete; a payload can be erased, and the line that
named it stays. Several programs may append to one ledger at once.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session

from lineage import appending, audit, dsse, graph, merkle, ranges
from lineage.appending import LedgerBroken
from lineage.belonging import BelongingRow, bind
from lineage.checkpoints import Checkpoint, Progress, TreeHead, Verification
from lineage.digest import Digest, sha256_bytes
from lineage.entries import Actor, Draft, Edge, Entry, EntryType, Software, Subject
from lineage.older import NAMED_BY_DIGEST, bring_up_to_date
from lineage.rows import CheckpointRow, EntryRow, PayloadRow, SubjectRow, TreeRow
from lineage.store import add_rows, open_store, session, settle
from lineage.times import utc_text

__all__ = [
    "Actor", "Checkpoint", "Draft", "Edge", "Entry", "EntryType", "Ledger", "LedgerBroken", "Software", "Subject",
    "TreeHead", "Verification", "is_of_this_release",
]  # fmt: skip


CHECKPOINT_LINES, CHECKPOINT_EVERY = 1000, timedelta(hours=1)
"""A line that is certified at least so long after the last checkpoint makes a new one."""

TABLES = (EntryRow, TreeRow, SubjectRow, PayloadRow, CheckpointRow, graph.NodeRow, graph.EdgeRow, BelongingRow)


def is_of_this_release(tables: set[str]) -> bool:
    """Whether the tables that a store holds are those of a ledger as it is kept now: in any other, `Ledger` makes or
    changes some."""
    return {table.__tablename__ for table in TABLES} <= tables and not set(NAMED_BY_DIGEST) <= tables


class Ledger:
    """The ledger in the store at `place` (a path, a sqlite or a postgresql URL), written by `software`.

    `workspace` is the id of the one that opens it; a ledger of another is refused (BelongsElsewhere), and a store that
    cannot be opened (StoreRefused). None asks nothing. May be used from several threads: each call is a transaction of
    its own.
    """

    def __init__(self, place: str | Path, software: Software | None = None, workspace: str | None = None):
        self.engine = open_store(place, *TABLES)
        bring_up_to_date(self.engine)
        if workspace is not None:
            bind(self.engine, workspace)
        self.software = software or Software()

    def append(
        self,
        type: str,
        *,
        actor: Actor,
        subjects: Iterable[Subject] = (),
        reason: str = "",
        payload: Mapping[str, Any] | None = None,
        edges: Iterable[Edge] = (),
        now: datetime | None = None,
        occurred_at: datetime | None = None,
        also: Callable[[Session], None] | None = None,
    ) -> Entry:
        """Add one line; entry, payload, lineage, tree and what `also` writes are kept together or not at all.

        `now` is the time of recording (the clock, if left out). The ledger's time never runs backwards: a `now`
        before the last line or checkpoint is recorded as theirs, and stays visible as `occurred_at`.
        Refuses (ValueError) unknown types, a future `occurred_at`, edges to unknown digests and circles.
        """
        draft = Draft(type, actor, tuple(subjects), reason, payload, tuple(edges), occurred_at)
        return self.append_many([draft], now=now, also=also)[0]

    def append_many(
        self,
        drafts: Iterable[Draft],
        *,
        now: datetime | None = None,
        also: Callable[[Session], None] | None = None,
    ) -> list[Entry]:
        """Add several lines, and what `also` writes, in one transaction: all or none. Refuses what `append` refuses.

        `drafts` are drawn inside it: a generator may ask the ledger first, and nobody writes between its look and its
        lines.
        """
        with session(self.engine) as writing:
            entries = appending.append(writing, drafts, self.software, now)
            if also:
                also(writing)
        return entries

    def entries(self, type: str | Collection[str] | None = None, subject_digest: Digest | None = None) -> list[Entry]:
        """Lines in order, all of them or those of a type (of one of several), or about the thing with a digest; ValueError
        for a type that there is not, LedgerBroken for a line that cannot be read."""
        query = select(EntryRow.seq, EntryRow.envelope).order_by(EntryRow.seq)
        if type is not None:
            query = query.where(_is_of(type))
        if subject_digest is not None:
            about = select(SubjectRow.seq).where(SubjectRow.digest == subject_digest)
            query = query.where(EntryRow.seq.in_(about))
        with session(self.engine, write=False) as reading:
            return [appending.entry_of(seq, envelope) for seq, envelope in reading.execute(query)]

    def last_of(self, type: str | Collection[str]) -> int | None:
        """The number of the last line of a type (of one of several), None where there is none: in a moment, however many
        there are. ValueError for a type that there is not."""
        with session(self.engine, write=False) as reading:
            return reading.scalar(select(func.max(EntryRow.seq)).where(_is_of(type)))

    def entry(self, seq: int) -> Entry:
        """The line with this number; IndexError where there is none, LedgerBroken where it cannot be read."""
        with session(self.engine, write=False) as reading:
            envelope = reading.scalar(select(EntryRow.envelope).where(EntryRow.seq == seq))
        if envelope is None:
            raise IndexError(f"the ledger has no entry {seq}")
        return appending.entry_of(seq, envelope)

    def payload(self, digest: Digest) -> dict[str, Any] | None:
        """What an entry says in full; None where it has been erased, or no entry has this digest. LedgerBroken where it
        was changed."""
        with session(self.engine, write=False) as reading:
            content = reading.scalar(select(PayloadRow.content).where(PayloadRow.digest == digest))
        if content is not None and sha256_bytes(content) != digest:
            raise LedgerBroken(f"payload {digest} has been changed; `ictal audit verify` says what else was")
        return None if content is None else json.loads(content, parse_int=_number)

    def erase(self, *digests: Digest, actor: Actor, reason: str, now: datetime | None = None) -> list[Entry]:
        """Take payloads away and say so of each, in one transaction; every line stays, and so does the proof of it.

        Nothing of them is left in the store's files when this returns, nor of what an earlier call took away that was
        killed before that was so: asked again, even for none, it makes that good. On PostgreSQL the table of payloads
        is written anew, once.
        """
        drafts = [
            Draft(EntryType.ERASE_EXECUTED, actor, (Subject("payload", one[:12], one),), reason) for one in digests
        ]
        with session(self.engine) as writing:
            entries = appending.append(writing, drafts, self.software, now)
            for digest in digests:
                writing.execute(delete(PayloadRow).where(PayloadRow.digest == digest))
        settle(self.engine, PayloadRow)
        return entries

    def head(self) -> TreeHead:
        """The size of the ledger now and the root over it; what it rests on is not hashed again.

        LedgerBroken where the stored tree lacks a node that is asked for.
        """
        with session(self.engine, write=False) as reading:
            return appending.head(reading)

    def inclusion_proof(self, seq: int, size: int | None = None) -> list[bytes]:
        """The hashes (32 bytes each) from entry `seq` to the root over the first `size` entries (all, if left out).

        ValueError where `seq` is not among them, LedgerBroken where the stored tree lacks a node.
        """
        with session(self.engine, write=False) as reading:
            of = appending.tree_size(reading) if size is None else size
            return appending.over_tree(reading, lambda nodes: merkle.inclusion_path(nodes, seq, of))

    def consistency_proof(self, old: int, new: int) -> list[bytes]:
        """The hashes (32 bytes each) that show the first `old` entries unchanged among the first `new`.

        ValueError unless 0 < `old` ≤ `new`, LedgerBroken where the stored tree lacks a node.
        """
        with session(self.engine, write=False) as reading:
            return appending.over_tree(reading, lambda nodes: merkle.consistency_path(nodes, old, new))

    def checkpoint(self, private_key: dsse.PrivateKey, now: datetime) -> Checkpoint:
        """Sign what the ledger is now, and remember it. Publish `.to_json()` where the ledger's owner cannot reach."""
        with session(self.engine) as writing:
            at = appending.not_before_the_last(writing, now)
            signed = Checkpoint.signed(appending.head(writing), private_key, at)
            add_rows(writing, CheckpointRow, [(utc_text(at), signed.to_json())], columns=("at", "text"))
        return signed

    def certify(self, private_key: dsse.PrivateKey, now: datetime) -> Checkpoint:
        """Sign what the ledger is now, for a receipt. Remembered, as by `checkpoint`, only once in a while.

        A signed head that is not remembered bears the time of the last line, which no later line can precede.
        """
        with session(self.engine, write=False) as reading:
            head, at = appending.head(reading), appending.last_time(reading)
            remembered = appending.last_checkpoint(reading)
        if at is None or remembered is None or _is_due(head.size, now, remembered):
            return self.checkpoint(private_key, now)
        return Checkpoint.signed(head, private_key, at)

    def checkpoints(self) -> list[Checkpoint]:
        """Every checkpoint that was signed here, oldest first."""
        with session(self.engine, write=False) as reading:
            texts = reading.scalars(select(CheckpointRow.text).order_by(CheckpointRow.id)).all()
        return [Checkpoint.from_json(text) for text in texts]

    def head_problems(self, *public_keys: dsse.PublicKey) -> list[str]:
        """What is wrong with the last checkpoint, or with the tree's head beside it: a moment at any length, since no line
        is hashed again. Only `verify` finds a line that was changed below an unchanged tree."""
        with session(self.engine, write=False) as reading:
            head, last = appending.head(reading), appending.last_checkpoint(reading)
            if last is None:
                return []
            if not 0 < last.size <= head.size:
                return [f"the last checkpoint is of {last.size} lines, and there are {head.size}"] if last.size else []
            path = appending.over_tree(reading, lambda nodes: merkle.consistency_path(nodes, last.size, head.size))
        found = audit.key_problems([last], public_keys)
        roots = bytes.fromhex(last.root), bytes.fromhex(head.root)
        if not merkle.is_consistent(last.size, roots[0], head.size, roots[1], path):
            return [*found, f"what is there now does not go on from the last checkpoint, of {last.size} lines"]
        return list(found)

    def verify(
        self,
        checkpoints: Sequence[Checkpoint] = (),
        *public_keys: dsse.PublicKey,
        progress: Progress | None = None,
    ) -> Verification:
        """Hash everything again and compare it with the tree, the indices and the checkpoints.

        `checkpoints` are those kept elsewhere; one of `public_keys` must have signed each. `progress` hears how many
        entries were read, of how many.
        """
        with session(self.engine, write=False) as reading:
            sound = ranges.verify_sound(reading, checkpoints, public_keys, progress=progress)
            found = sound or audit.verify(reading, checkpoints, public_keys, progress)
            return replace(found, problems=[*found.problems, *audit.index_problems(reading)])


def _is_of(type: str | Collection[str]) -> ColumnElement[bool]:
    types = [type] if isinstance(type, str) else type
    return EntryRow.type.in_([EntryType(one) for one in types])


def _is_due(size: int, now: datetime, last: Checkpoint) -> bool:
    return size - last.size >= CHECKPOINT_LINES or now - last.at >= CHECKPOINT_EVERY


def _number(digits: str) -> int | float:
    """Canonical JSON writes large floating-point numbers without point or exponent (RFC 8785, 3.2.2.3)."""
    return int(digits) if abs(int(digits)) < 2**53 else float(digits)
