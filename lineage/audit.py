"""Is the ledger still what was written? Everything is hashed again and compared with what was signed and kept.

A change by someone without the database's keys shows inside the ledger. Someone who rewrites the whole database,
hashes included, is found only by checkpoints that were kept elsewhere: that is why they are published. The ledger is
read part by part, so that a long one needs no more memory than a short one.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lineage import dsse, merkle, said
from lineage.checkpoints import Checkpoint, Progress, Verification
from lineage.copies import Copies, Row
from lineage.digest import sha256_bytes
from lineage.entries import EntryType
from lineage.graph import batched
from lineage.rows import CheckpointRow, EntryRow, SubjectRow
from lineage.store import Base, driver_rows, rows_with
from lineage.times import utc_text

AT_ONCE = 1024
"""Entries that are held at once."""

PAYLOADS_AT_ONCE = 512
PAYLOAD = Base.metadata.tables["payload"].c
REPEATED = 10
"""Ids that occur more than once, or places of a damaged file, that are told of."""


class Line(NamedTuple):
    """A row of the ledger: its columns, and the entry that its envelope says, where that can be read."""

    seq: int
    envelope: bytes
    entry: said.Entry | None
    problem: str = ""


def verify(
    reading: Session,
    checkpoints: Sequence[Checkpoint],
    keys: Sequence[dsse.PublicKey],
    progress: Progress | None = None,
) -> Verification:
    """Re-hash the whole ledger inside one read transaction; problems are sentences that name the entry."""
    kept, problems = kept_checkpoints(reading)
    history, copies = _History([*kept, *checkpoints]), Copies(reading)
    size = reading.scalar(select(func.count()).select_from(EntryRow)) or 0
    for part in read_parts(reading):
        problems += [line.problem for line in part if line.problem]
        tree = history.add(part)
        entries = [line.entry for line in part if line.entry]
        copies.compare_tree(tree)
        copies.compare(entries, part[-1].seq)
        problems += payload_problems(reading, entries)
        if progress:
            progress(history.frontier.size, size)
    problems += history.problems()
    problems += copies.problems()
    problems += repeated_ids(reading)
    problems += key_problems(checkpoints, keys)
    return Verification(problems, history.frontier.size, history.frontier.root().hex())


def index_problems(reading: Session) -> list[str]:
    """Where SQLite's own indices do not fit their tables: questions that are answered by one would leave something out.

    PostgreSQL has no such question for everybody (`amcheck` is an extension for those who own the server).
    """
    if reading.get_bind().dialect.name != "sqlite":
        return []
    found = [sentence for (sentence,) in driver_rows(reading, f"PRAGMA integrity_check({REPEATED})")]
    return [] if found == ["ok"] else [f"the database's file is damaged: {sentence}" for sentence in found]


def read_parts(reading: Session) -> Iterator[list[Line]]:
    """The lines in order of their numbers, in parts of `AT_ONCE`."""
    query = select(Base.metadata.tables["entry"]).order_by(EntryRow.seq)
    with reading.connection().execute(query.execution_options(yield_per=AT_ONCE)) as rows:
        for part in rows.partitions():
            yield [line_of(*row) for row in part]


def line_of(seq: int, id: str, type: str, recorded_at: str, envelope: bytes) -> Line:
    """A row beside the entry that its envelope says; `problem` where that cannot be read or contradicts the row."""
    try:
        entry = said.read(envelope)
    except (ValueError, KeyError, TypeError) as error:
        return Line(seq, envelope, None, f"entry {seq} cannot be read: {error}")
    if (entry.seq, entry.id, entry.type, entry.recorded_at) == (seq, id, type, recorded_at):
        return Line(seq, envelope, entry)
    problem = f"entry {seq} stands under another number, id, type or time than it was written with"
    return Line(seq, envelope, entry, problem)


class _History:
    """The tree over all lines so far, held against every checkpoint on the way, and whether time and order hold."""

    def __init__(self, checkpoints: Iterable[Checkpoint]):
        self.frontier = merkle.Frontier()
        self._ahead = sorted(checkpoints, key=lambda c: c.size, reverse=True)
        self._last: said.Entry | None = None
        self._in_order = True
        self._found: list[str] = []

    def add(self, part: Sequence[Line]) -> list[Row]:
        """Take the next lines; returns the nodes of the tree that they complete."""
        made, waiting = list[Row](), list[bytes]()
        for line in part:
            place = self.frontier.size + len(waiting)
            if self._ahead and self._ahead[-1].size == place:
                made += self.frontier.add_all(waiting)
                waiting = []
                self._reach(place, line.entry)
            if self._in_order and line.seq != place:
                self._in_order = False
                self._found.append(
                    f"place {place} of the ledger holds entry {line.seq}: entries are missing, doubled or in other order"
                )
            if line.entry:
                self._found += _time_problems(line.entry, self._last)
                self._last = line.entry
            waiting.append(merkle.leaf_hash(line.envelope))
        return made + self.frontier.add_all(waiting)

    def problems(self) -> list[str]:
        """All that was found, once every line was taken."""
        size = self.frontier.size
        self._reach(size, None)
        beyond = (f"the ledger has {size} entries, a checkpoint saw {c.size}: its end was cut off" for c in self._ahead)
        return [*self._found, *beyond]

    def _reach(self, size: int, following: said.Entry | None) -> None:
        """Compare with the checkpoints of this size."""
        while self._ahead and self._ahead[-1].size == size:
            checkpoint = self._ahead.pop()
            if self.frontier.root().hex() != checkpoint.root:
                self._found.append(
                    f"the first {size} entries are not those of a checkpoint: history was rewritten or forked"
                )
            else:
                self._found += _checkpoint_time_problems(checkpoint, self._last, following)


def _time_problems(entry: said.Entry, last: said.Entry | None) -> Iterator[str]:
    if last and entry.recorded_at < last.recorded_at:
        yield f"entry {entry.seq} says it was recorded before the entry that precedes it"
    if entry.occurred_at > entry.recorded_at:
        yield f"entry {entry.seq} was recorded before it happened"


def _checkpoint_time_problems(
    checkpoint: Checkpoint, covered: said.Entry | None, following: said.Entry | None
) -> Iterator[str]:
    at = utc_text(checkpoint.at)
    if covered and covered.recorded_at > at:
        yield f"entry {covered.seq} says it was recorded after the checkpoint that covers it"
    if following and following.recorded_at < at:
        yield f"entry {following.seq} is back-dated: it follows a checkpoint and says it was recorded before it"


def kept_checkpoints(reading: Session) -> tuple[list[Checkpoint], list[str]]:
    """The checkpoints in the store, and a sentence on each that cannot be read."""
    kept, problems = [], []
    for id, text in reading.execute(select(CheckpointRow.id, CheckpointRow.text)):
        try:
            kept.append(Checkpoint.from_json(text))
        except ValueError:
            problems.append(f"checkpoint {id} of the ledger cannot be read")
    return kept, problems


def payload_problems(reading: Session, entries: Sequence[said.Entry]) -> Iterator[str]:
    """Payloads of these entries that do not have their digest, or are gone and no entry says that they were erased."""
    entry_of = {e.payload_digest: e.seq for e in entries if e.payload_digest}
    stored = set()
    for part in batched(list(entry_of), PAYLOADS_AT_ONCE):
        for digest, content in rows_with(reading, PAYLOAD.digest, part, PAYLOAD.digest, PAYLOAD.content):
            stored.add(digest)
            if sha256_bytes(content) != digest:
                yield f"payload {digest} has been changed"
    gone = [digest for digest in entry_of if digest not in stored]
    erased = {digest for part in batched(gone, PAYLOADS_AT_ONCE) for digest in _erased(reading, part)}
    for digest in gone:
        if digest not in erased:
            yield f"payload of entry {entry_of[digest]} is gone and no entry says that it was erased"


def _erased(reading: Session, digests: Sequence[str]) -> Iterable[str]:
    """Those that an entry says to have been erased."""
    says = (EntryRow.type == EntryType.ERASE_EXECUTED.value) & (SubjectRow.kind == "payload")
    query = select(SubjectRow.digest).join(EntryRow, EntryRow.seq == SubjectRow.seq)
    return reading.scalars(query.where(SubjectRow.digest.in_(digests), says))


def repeated_ids(reading: Session) -> Iterator[str]:
    """Ids that more than one entry bears; the first `REPEATED` of them."""
    query: Any = select(EntryRow.id).group_by(EntryRow.id).having(func.count() > 1).limit(REPEATED)
    for repeated in reading.scalars(query):
        yield f"entry id {repeated} occurs more than once"


def key_problems(checkpoints: Iterable[Checkpoint], keys: Sequence[dsse.PublicKey]) -> Iterator[str]:
    """Checkpoints that the key they name (else the first) did not sign; every one where no key was given."""
    for checkpoint in checkpoints:
        named = [key for key in keys if dsse.key_id(key) == checkpoint.key_id] or keys
        if not named:
            yield f"checkpoint of size {checkpoint.size} cannot be trusted: no public key was given to check it with"
        elif problem := checkpoint.problem(named[0]):
            yield problem
