"""Is the ledger still what was written? Everything is hashed again and compared with what was signed and kept.

A change by someone without the database's keys shows inside the ledger. Someone who rewrites the whole database,
hashes included, is found only by checkpoints that were kept elsewhere: that is why they are published.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import pairwise

from sqlalchemy import select
from sqlalchemy.orm import Session

from lineage import dsse, graph, merkle
from lineage.checkpoints import Checkpoint, Verification
from lineage.digest import sha256_bytes
from lineage.entries import Entry, EntryType
from lineage.rows import CheckpointRow, EntryRow, PayloadRow, SubjectRow, TreeRow
from lineage.times import utc_text


def verify(reading: Session, checkpoints: Sequence[Checkpoint], keys: Sequence[dsse.PublicKey]) -> Verification:
    """Re-hash the whole ledger inside one read transaction; problems are sentences that name the entry."""
    entries, tree, problems = _read_again(reading)
    size = sum(level == 0 for level, _ in tree)
    kept, unreadable = _kept_checkpoints(reading)
    problems += unreadable
    problems += _order_problems(entries)
    problems += _index_problems(reading, entries)
    problems += _tree_problems(reading, tree)
    problems += _payload_problems(reading, entries)
    problems += _key_problems(checkpoints, keys)
    problems += _checkpoint_problems([*kept, *checkpoints], entries, size, tree)
    return Verification(problems, size, merkle.root_of(_nodes(tree), size).hex())


Tree = dict[tuple[int, int], bytes]


def _nodes(tree: Tree) -> merkle.Nodes:
    return lambda level, position: tree[level, position]


def _read_again(reading: Session) -> tuple[list[Entry], Tree, list[str]]:
    """Entries in order, the tree over their bytes, and rows that disagree with their own envelope."""
    entries: list[Entry] = []
    tree: Tree = {}
    problems: list[str] = []
    frontier = merkle.Frontier()
    columns = (EntryRow.seq, EntryRow.id, EntryRow.type, EntryRow.recorded_at, EntryRow.envelope)
    for seq, *named, envelope in reading.execute(select(*columns).order_by(EntryRow.seq)):
        tree.update({(level, at): found for level, at, found in frontier.add(merkle.leaf_hash(envelope))})
        try:
            entry = Entry.from_envelope(json.loads(envelope))
        except (ValueError, KeyError, TypeError) as error:
            problems.append(f"entry {seq} cannot be read: {error}")
            continue
        if [entry.seq, entry.id, entry.type, utc_text(entry.recorded_at)] != [seq, *named]:
            problems.append(f"entry {seq} stands under another number, id, type or time than it was written with")
        entries.append(entry)
    return entries, tree, problems


def _kept_checkpoints(reading: Session) -> tuple[list[Checkpoint], list[str]]:
    kept, problems = [], []
    for id, text in reading.execute(select(CheckpointRow.id, CheckpointRow.text)):
        try:
            kept.append(Checkpoint.from_json(text))
        except ValueError:
            problems.append(f"checkpoint {id} of the ledger cannot be read")
    return kept, problems


def _order_problems(entries: Sequence[Entry]) -> Iterator[str]:
    for place, entry in enumerate(entries):
        if entry.seq != place:
            yield f"place {place} of the ledger holds entry {entry.seq}: entries are missing, doubled or in other order"
            break
    for earlier, later in pairwise(entries):
        if later.recorded_at < earlier.recorded_at:
            yield f"entry {later.seq} says it was recorded before the entry that precedes it"
    for entry in entries:
        if entry.occurred_at > entry.recorded_at:
            yield f"entry {entry.seq} was recorded before it happened"
    for repeated in (i for i, count in Counter(e.id for e in entries).items() if count > 1):
        yield f"entry id {repeated} occurs more than once"


def _index_problems(reading: Session, entries: Sequence[Entry]) -> Iterator[str]:
    """Subjects, nodes and edges are copies for look-up: exactly what the entries say, in the first naming."""
    subjects = {(e.seq, i, s.kind, s.id, s.digest) for e in entries for i, s in enumerate(e.subjects)}
    columns = (SubjectRow.seq, SubjectRow.place, SubjectRow.kind, SubjectRow.id, SubjectRow.digest)
    yield from _difference("index of subjects", subjects, reading.execute(select(*columns)))
    known: dict[str, graph.Known] = {}
    nodes: set[tuple] = set()
    edges: dict[tuple, tuple] = {}
    for entry in entries:
        nodes |= {tuple(row.values()) for row in graph.new_nodes(entry, known)}
        for edge in entry.edges:
            row = tuple(graph.edge_row(edge, entry.seq, known).values())
            edges.setdefault(row[:4], row)
    node_row, edge_row = graph.NodeRow, graph.EdgeRow
    stored = select(node_row.no, node_row.digest, node_row.kind, node_row.label, node_row.site)
    yield from _difference("lineage nodes", nodes, reading.execute(stored))
    drawn = select(edge_row.parent_no, edge_row.kind, edge_row.child_no, edge_row.relation, edge_row.seq)
    yield from _difference("lineage edges", set(edges.values()), reading.execute(drawn))


def _tree_problems(reading: Session, tree: Tree) -> Iterator[str]:
    stored = reading.execute(select(TreeRow.level, TreeRow.position, TreeRow.hash))
    yield from _difference("tree of hashes", {(*at, found) for at, found in tree.items()}, stored)


def _difference(what: str, expected: set, rows: Iterable) -> Iterator[str]:
    stored = {tuple(row) for row in rows}
    if absent := len(expected - stored):
        yield f"{what}: {absent} of {len(expected)} that follow from the entries are missing or changed"
    if added := len(stored - expected):
        yield f"{what}: {added} do not follow from the entries"


def _payload_problems(reading: Session, entries: Sequence[Entry]) -> Iterator[str]:
    erasures = [e for e in entries if e.type == EntryType.ERASE_EXECUTED]
    erased = {s.digest for e in erasures for s in e.subjects if s.kind == "payload"}
    stored = set()
    for digest, content in reading.execute(select(PayloadRow.digest, PayloadRow.content)):
        stored.add(digest)
        if sha256_bytes(content) != digest:
            yield f"payload {digest} has been changed"
    accounted_for = stored | erased | {""}
    for entry in entries:
        if entry.payload_digest not in accounted_for:
            yield f"payload of entry {entry.seq} is gone and no entry says that it was erased"


def _key_problems(checkpoints: Iterable[Checkpoint], keys: Sequence[dsse.PublicKey]) -> Iterator[str]:
    for checkpoint in checkpoints:
        named = [key for key in keys if dsse.key_id(key) == checkpoint.key_id] or keys
        if not named:
            yield f"checkpoint of size {checkpoint.size} cannot be trusted: no public key was given to check it with"
        elif problem := checkpoint.problem(named[0]):
            yield problem


def _checkpoint_problems(
    checkpoints: Iterable[Checkpoint], entries: Sequence[Entry], size: int, tree: Tree
) -> Iterator[str]:
    for checkpoint in checkpoints:
        if checkpoint.size > size:
            yield f"the ledger has {size} entries, a checkpoint saw {checkpoint.size}: its end was cut off"
        elif merkle.root_of(_nodes(tree), checkpoint.size).hex() != checkpoint.root:
            yield f"the first {checkpoint.size} entries are not those of a checkpoint: history was rewritten or forked"
        else:
            yield from _time_problems(checkpoint.at, checkpoint.size, entries)


def _time_problems(at: datetime, size: int, entries: Sequence[Entry]) -> Iterator[str]:
    for covered in entries[:size][-1:]:
        if covered.recorded_at > at:
            yield f"entry {covered.seq} says it was recorded after the checkpoint that covers it"
    for following in entries[size : size + 1]:
        if following.recorded_at < at:
            yield f"entry {following.seq} is back-dated: it follows a checkpoint and says it was recorded before it"
