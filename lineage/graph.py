"""What was made from what: the graph that leads from any prediction back to the recordings, and forward again.

Things are numbered by the entry that names them first, so that the graph is small, its numbers follow time, and a
question about a million predictions is one query of the database.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol, TypeVar

from sqlalchemy import (
    CTE,
    BigInteger,
    Engine,
    Index,
    Integer,
    Select,
    and_,
    distinct,
    exists,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from lineage import said
from lineage.digest import Digest
from lineage.entries import Edge, Entry, Subject
from lineage.refused import Refused
from lineage.rows import EntryRow, keep_forever
from lineage.store import Base, add_rows, can_be_named, rows_with, session
from lineage.times import utc_text

LOOKUP = 500
"""Digests asked for in one query; SQLite limits the number of parameters."""

PLACES = 16
"""Bits of a number that tell an entry's subjects apart."""

PREDICTION = "prediction"

WINDOWS = "windows"

ANSWERS = (PREDICTION, WINDOWS)
"""What was answered: all that hangs on a model in numbers that grow with every day of service."""

AT_ONCE = 1000
"""Predictions of a long list that are held at once."""

T = TypeVar("T")

Number = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts its rows by a column of this very type only."""


class Node(NamedTuple):
    """A thing with a content digest. The first entry that has it as a subject names it."""

    digest: Digest
    kind: str
    label: str


class Step(NamedTuple):
    """One edge met on a walk: `node` lies `depth` edges away and hangs by `relation` on the thing `at`."""

    depth: int
    node: Node
    relation: str
    at: Digest


class Issued(NamedTuple):
    """A prediction as the ledger knows it: the number, type, time and site of the entry that issued it."""

    seq: int
    type: str
    recorded_at: str
    site: str
    node: Node


class Alike(NamedTuple):
    """Lines about answered windows that read alike and were written for one site: how many, and when the first and the last
    of them were recorded."""

    site: str
    label: str
    lines: int
    first: str
    last: str


class UnknownNode(Refused, ValueError):
    """A digest that no entry of the ledger has had as a subject."""


class Cycle(ValueError):
    """An edge by which a thing would come from itself."""


class HasEngine(Protocol):
    """A ledger, or the engine of its store."""

    @property
    def engine(self) -> Engine:
        """Where the store is asked."""


class NodeRow(Base):
    """`no` is `number(seq, place)` of the subject that named it first; `site` is where that entry's actor was."""

    __tablename__ = "lineage_node"
    no: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=False)
    digest: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    label: Mapped[str] = mapped_column(index=True)
    site: Mapped[str]
    __table_args__ = (Index("lineage_node_of_site", "kind", "site", "no"),)


class EdgeRow(Base):
    """`child_no` came from `parent_no`; `kind` is the child's, `seq` that of the entry that says so first."""

    __tablename__ = "lineage_edge"
    __table_args__ = ({"sqlite_with_rowid": False},)
    parent_no: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(primary_key=True)
    child_no: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=False, index=True)
    relation: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(index=True)


_NODE = Base.metadata.tables["lineage_node"].c

keep_forever("lineage_node")
keep_forever("lineage_edge")


def upstream(ledger: HasEngine, digest: Digest) -> list[Step]:
    """Every edge from `digest` towards what it came from, nearest first; each edge once. Refuses unknown digests
    (UnknownNode)."""
    with session(ledger.engine, write=False) as reading:
        reached = _reached([_number(reading, digest)], EdgeRow.child_no, EdgeRow.parent_no)
        return _steps(reading, digest, reached, EdgeRow.child_no, EdgeRow.parent_no)


def downstream(
    ledger: HasEngine, digest: Digest, *, kinds: Collection[str] | None = None, short_of: Collection[str] = ()
) -> list[Step]:
    """Every edge from `digest` towards what was made from it, nearest first; each edge once.

    With `kinds`, only edges to things of these kinds are told; the walk goes on through the others. It ends before
    things of the kinds `short_of`, over which the index passes: all else below a recording on which a million predictions
    rest took 0.01 s of processor time. Refuses unknown digests (UnknownNode).
    """
    with session(ledger.engine, write=False) as reading:
        through = _kinds_but(reading, short_of) if short_of else None
        reached = _reached([_number(reading, digest)], EdgeRow.parent_no, EdgeRow.child_no, through)
        steps = _steps(reading, digest, reached, EdgeRow.parent_no, EdgeRow.child_no, through)
    return [step for step in steps if kinds is None or step.node.kind in kinds]


def predictions_of(
    ledger: HasEngine,
    things: list[Digest] | None,
    *,
    site: str | None = None,
    since: datetime | None = None,
    limit: int | None = None,
) -> list[Issued]:
    """What models answered, or was answered about recordings (None: all that was ever answered; of no things none),
    newest first: all of it, or to a site, or recorded since a time. Refuses unknown things (UnknownNode).

    Among a million, the newest 100 of a model took 0.04 s and all 200,000 of one 9 s: count first, and give a `limit`.
    """
    with session(ledger.engine, write=False) as reading:
        return list(_issued(reading, _hanging_on(reading, things), site, since, limit))


def each_prediction_of(
    ledger: HasEngine, things: list[Digest] | None, *, site: str | None = None, since: datetime | None = None
) -> Iterator[Issued]:
    """The same one by one, so that however many there are, few are held at once."""
    with session(ledger.engine, write=False) as reading:
        yield from _issued(reading, _hanging_on(reading, things), site, since, None)


def count_predictions(
    ledger: HasEngine, things: list[Digest] | None, *, site: str | None = None, since: datetime | None = None
) -> int:
    """How many `predictions_of` would tell of without a limit."""
    with session(ledger.engine, write=False) as reading:
        return _count(reading, _hanging_on(reading, things), site, since)


def predictions_below(
    ledger: HasEngine,
    *things: Digest,
    site: str | None = None,
    since: datetime | None = None,
    limit: int | None = None,
) -> list[Issued]:
    """Every prediction that rests on a thing (or on any of several), near or far, newest first: as `predictions_of`."""
    with session(ledger.engine, write=False) as reading:
        return list(_issued(reading, _resting_on(reading, things, PREDICTION), site, since, limit))


def each_prediction_below(
    ledger: HasEngine, *things: Digest, site: str | None = None, since: datetime | None = None
) -> Iterator[Issued]:
    """The same one by one."""
    with session(ledger.engine, write=False) as reading:
        yield from _issued(reading, _resting_on(reading, things, PREDICTION), site, since, None)


def count_below(ledger: HasEngine, *things: Digest, site: str | None = None, since: datetime | None = None) -> int:
    """How many `predictions_below` would tell of without a limit."""
    with session(ledger.engine, write=False) as reading:
        return _count(reading, _resting_on(reading, things, PREDICTION), site, since)


def windows_of(
    ledger: HasEngine, things: list[Digest], *, site: str | None = None, since: datetime | None = None
) -> list[Alike]:
    """All answered windows that hang directly on one of these things, counted by site and label; else as `predictions_of`."""
    with session(ledger.engine, write=False) as reading:
        return _alike(reading, _chosen(reading, _hanging_on(reading, things, WINDOWS), site, since, WINDOWS))


def windows_below(ledger: HasEngine, *things: Digest) -> list[Alike]:
    """All answered windows that rest on a thing (or on any of several), near or far, counted by site and label. Refuses
    unknown things (UnknownNode)."""
    with session(ledger.engine, write=False) as reading:
        return _alike(reading, _resting_on(reading, things, WINDOWS))


def prediction_at(ledger: HasEngine, id: str, site: str) -> Issued | None:
    """The prediction with this id where it was issued at this site.

    For one of another site the very same is done as for one that is none: one look-up by the id.
    """
    if not can_be_named(id):
        return None
    # In `coalesce` the kind is in no index: SQLite might go through all predictions of the site instead.
    here = func.coalesce(NodeRow.kind, "") == PREDICTION, NodeRow.site == site
    with session(ledger.engine, write=False) as reading:
        return next(_issued(reading, select(NodeRow.no).where(NodeRow.label == id, *here), None, None, 1), None)


def node(ledger: HasEngine, digest: Digest) -> Node:
    """The thing with this digest; refuses unknown ones (UnknownNode)."""
    with session(ledger.engine, write=False) as reading:
        named = reading.execute(select(*_NAMED).where(NodeRow.digest == digest)).one_or_none()
    if named is None:
        raise UnknownNode(_unknown(digest))
    return Node(*named)


def things(ledger: HasEngine, kind: str) -> list[Node]:
    """Every thing of a kind that the ledger knows, by name."""
    with session(ledger.engine, write=False) as reading:
        query = select(*_NAMED).where(NodeRow.kind == kind).order_by(NodeRow.label, NodeRow.no)
        return [Node(*named) for named in reading.execute(query)]


def find(ledger: HasEngine, name: str, *, shortest: int = 6) -> list[Node]:
    """Things with this label or digest, or whose digest begins with it (from `shortest` digits on); of an id that begins with
    eight hexadecimal digits, as a prediction's, the beginning is enough too."""
    if not can_be_named(name):
        return []
    means = [NodeRow.label == name]
    if len(name) >= shortest:
        means.append(and_(NodeRow.digest >= name, NodeRow.digest < name + "g"))
    if head := _ID.match(name):  # without the dashes, which databases sort differently
        means.append(and_(NodeRow.label >= head[0], NodeRow.label < head[0] + "g"))
    with session(ledger.engine, write=False) as reading:
        found = [Node(*named) for named in reading.execute(select(*_NAMED).where(or_(*means)).order_by(NodeRow.no))]
    return [n for n in found if n.label == name or n.digest.startswith(name) or (head and n.label.startswith(name))]


_ID = re.compile(r"[0-9a-f]{8}(?=-|$)")


def hanging(ledger: HasEngine, digest: Digest, relations: Collection[str]) -> list[tuple[str, Node]]:
    """The things that hang directly on the one with this digest in one of these ways, as (relation, thing); refuses
    unknown digests (UnknownNode)."""
    with session(ledger.engine, write=False) as reading:
        query = (
            select(EdgeRow.relation, *_NAMED)
            .join(NodeRow, NodeRow.no == EdgeRow.child_no)
            .where(EdgeRow.parent_no == _number(reading, digest), EdgeRow.relation.in_(relations))
            .order_by(EdgeRow.relation, NodeRow.label)
        )
        return [(relation, Node(*named)) for relation, *named in reading.execute(query)]


_NAMED = (NodeRow.digest, NodeRow.kind, NodeRow.label)


def record(writing: Session, entries: Sequence[Entry]) -> None:
    """Write the entries' subjects as nodes, and their edges, inside the transaction that writes the entries.

    Raises UnknownNode for an edge of which nobody has named an end, and Cycle for one that would close a circle.
    """
    known = known_nodes(writing, {d for entry in entries for d in _digests_of(entry)})
    before = set(known)
    nodes, edges, unknown = rows_of(entries, known)
    if unknown:
        raise UnknownNode(_unknown(unknown[0].digest))
    add_rows(writing, NodeRow, nodes)
    add_rows(writing, EdgeRow, edges, if_new=True)
    _refuse_cycles(writing, [edge for entry in entries for edge in entry.edges], known, before)


NodeValues = tuple[int, Digest, str, str, str]
"""A row of `NodeRow`."""

EdgeValues = tuple[int, str, int, str, int]
"""A row of `EdgeRow`."""


class Unknown(NamedTuple):
    """Instead of the row of an edge, of whose ends nobody has named the one with this digest."""

    digest: Digest
    edge: tuple[Digest, str, Digest]


Known = tuple[int, str]
"""The number and the kind of a thing that was named."""


def number(seq: int, place: int) -> int:
    """The number of the thing that subject `place` of entry `seq` names first; ValueError from place 65,536 on."""
    if place >> PLACES:
        raise ValueError(f"an entry has at most {1 << PLACES} subjects, got more: write several entries")
    return seq << PLACES | place


def rows_of(
    entries: Iterable[Entry | said.Entry], known: dict[Digest, Known]
) -> tuple[list[NodeValues], list[EdgeValues], list[Unknown]]:
    """The rows that follow from entries: of subjects that nobody named before, which from now on are `known`, and of edges,
    in the order of the table's index over `seq`; and the edges that nobody can draw.

    One plain loop, since verifying a million entries goes through it.
    """
    nodes: list[NodeValues] = []
    edges: list[EdgeValues] = []
    unknown: list[Unknown] = []
    for entry in entries:
        seq = entry.seq
        subjects: Sequence[Subject | said.Subject] = entry.subjects
        for place, s in enumerate(subjects):
            digest = s.digest
            if digest and digest not in known:
                no = number(seq, place)
                known[digest] = no, s.kind
                nodes.append((no, digest, s.kind, s.id, entry.actor.site))
        own: list[EdgeValues] = []
        for edge in entry.edges:
            child, parent = known.get(edge.child), known.get(edge.parent)
            if child is None or parent is None:
                named = (edge.child, edge.relation, edge.parent)
                unknown.append(Unknown(edge.child if child is None else edge.parent, named))
            else:
                own.append((parent[0], child[1], child[0], edge.relation, seq))
        own.sort()
        edges += own
    return nodes, edges, unknown


def is_first(edge: EdgeValues) -> bool:
    """Whether the entry that draws an edge names its child first, so that no other entry can have drawn it before."""
    return edge[2] >> PLACES == edge[4]


def known_nodes(reading: Session, digests: Iterable[Digest]) -> dict[Digest, Known]:
    """Those of the things that were named before, with their numbers."""
    found: dict[Digest, Known] = {}
    for part in batched(sorted(set(digests)), LOOKUP):
        rows = rows_with(reading, _NODE.digest, part, _NODE.digest, _NODE.no, _NODE.kind)
        found |= {digest: (no, kind) for digest, no, kind in rows}
    return found


def _digests_of(entry: Entry) -> Iterable[Digest]:
    """Every thing that an entry names or joins."""
    yield from (s.digest for s in entry.subjects if s.digest)
    for edge in entry.edges:
        yield edge.child
        yield edge.parent


def batched(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The values in parts of at most `size`."""
    return (values[i : i + size] for i in range(0, len(values), size))


def _number(reading: Session, digest: Digest) -> int:
    return _numbers(reading, [digest])[0]


def _numbers(reading: Session, digests: Sequence[Digest]) -> list[int]:
    known = known_nodes(reading, digests)
    for digest in digests:
        if digest not in known:
            raise UnknownNode(_unknown(digest))
    return [known[digest][0] for digest in digests]


def _unknown(digest: Digest) -> str:
    return f"{digest} is not in the lineage: name it as a subject (kind, id, digest) of this or an earlier entry"


def _refuse_cycles(
    writing: Session, edges: Sequence[Edge], known: Mapping[Digest, Known], before: Collection[Digest]
) -> None:
    """A new thing, from which nothing was made yet, cannot close a circle: the usual case costs nothing."""
    parents = {edge.parent for edge in edges}
    for edge in edges:
        if edge.child in before or edge.child in parents:
            below = _reached([known[edge.child][0]], EdgeRow.parent_no, EdgeRow.child_no)
            if writing.scalar(select(exists().where(below.c.no == known[edge.parent][0]))):
                raise Cycle(f"{edge.parent} was itself made from {edge.child}: {edge.relation} would close a circle")


def _reached(starts: Sequence[int], near: Any, far: Any, through: Collection[str] | None = None) -> CTE:
    """Numbers of the things on all ways from `starts` (by edges to things of the kinds `through`), and theirs. Ends even
    where somebody drew a circle."""
    walk = select(NodeRow.no.label("no")).where(NodeRow.no.in_(starts)).cte("walk", recursive=True)
    step = select(far).join(walk, near == walk.c.no)
    return walk.union(step if through is None else step.where(EdgeRow.kind.in_(through)))


def _kinds_but(reading: Session, left_out: Collection[str]) -> list[str]:
    """The other kinds of things that there are: asked for by name, edges to a million predictions are passed over."""
    kinds: list[str] = []
    while (
        kind := reading.scalar(select(func.min(NodeRow.kind)).where(NodeRow.kind > (kinds or [""])[-1]))
    ) is not None:
        kinds.append(kind)
    return [kind for kind in kinds if kind not in left_out]


def _steps(
    reading: Session, start: Digest, reached: CTE, near: Any, far: Any, through: Collection[str] | None = None
) -> list[Step]:
    here = aliased(NodeRow)
    query = (
        select(here.digest, EdgeRow.relation, *_NAMED)
        .select_from(reached)
        .join(EdgeRow, near == reached.c.no)
        .join(NodeRow, NodeRow.no == far, isouter=True)
        .join(here, here.no == reached.c.no, isouter=True)
    )
    if through is not None:
        query = query.where(EdgeRow.kind.in_(through))
    edges: dict[Digest, list[tuple[str, Node]]] = {}
    for at, relation, *named in reading.execute(query):
        if at is None or named[0] is None:
            raise UnknownNode(
                f"a thing on the way is {relation} but not in the lineage: `ictal audit verify` says more"
            )
        edges.setdefault(at, []).append((relation, Node(*named)))
    return _nearest_first(start, edges)


def _nearest_first(start: Digest, edges: Mapping[Digest, Sequence[tuple[str, Node]]]) -> list[Step]:
    steps: list[Step] = []
    seen, rim, depth = {start}, [start], 0
    while rim:
        depth += 1
        met = [Step(depth, node, relation, at) for at in rim for relation, node in edges.get(at, ())]
        steps += sorted(met, key=_as_read)
        rim = list(dict.fromkeys(step.node.digest for step in met if step.node.digest not in seen))
        seen.update(rim)
    return steps


def _as_read(step: Step) -> tuple[str, str, str]:
    return step.node.kind, step.node.label, step.relation


def _hanging_on(reading: Session, things: list[Digest] | None, kind: str = PREDICTION) -> Select[Any]:
    """Numbers of the answers of a kind that hang directly on one of the things, or of all."""
    if things is None:
        return select(NodeRow.no).where(NodeRow.kind == kind)
    parents = _numbers(reading, things)
    return select(EdgeRow.child_no.label("no")).where(EdgeRow.parent_no.in_(parents), EdgeRow.kind == kind)


def _resting_on(reading: Session, things: Sequence[Digest], kind: str) -> Select[Any]:
    """Numbers of the answers of a kind below a thing, some of them more than once."""
    others = _kinds_but(reading, ANSWERS)
    reached = _reached(_numbers(reading, things), EdgeRow.parent_no, EdgeRow.child_no, others)
    return (
        select(EdgeRow.child_no.label("no"))
        .join(reached, EdgeRow.parent_no == reached.c.no)
        .where(EdgeRow.kind == kind)
    )


def _chosen(
    reading: Session, numbers: Select[Any], site: str | None, since: datetime | None, kind: str = PREDICTION
) -> Select[Any]:
    """The numbers, of answers of a kind, of a site and since a time."""
    column = numbers.selected_columns.no
    if since is not None:
        first = select(EntryRow.seq).where(EntryRow.recorded_at >= utc_text(since)).order_by(EntryRow.seq).limit(1)
        seq = reading.scalar(first)
        numbers = numbers.where(column >= (number(seq, 0) if seq is not None else 1 << 62))
    if site is None:
        return numbers
    at_site = select(NodeRow.no).where(NodeRow.kind == kind, NodeRow.site == site)
    return numbers.where(column.in_(at_site))


def _count(reading: Session, numbers: Select[Any], site: str | None, since: datetime | None) -> int:
    chosen = _chosen(reading, numbers, site, since).subquery()
    return reading.scalar(select(func.count(distinct(chosen.c.no)))) or 0


def _issued(
    reading: Session, numbers: Select[Any], site: str | None, since: datetime | None, limit: int | None
) -> Iterator[Issued]:
    chosen = _chosen(reading, numbers, site, since).distinct().order_by(numbers.selected_columns.no.desc())
    found = chosen.limit(limit).subquery()
    query = (
        select(EntryRow.seq, EntryRow.type, EntryRow.recorded_at, NodeRow.site, *_NAMED)
        .select_from(found)
        .join(NodeRow, NodeRow.no == found.c.no)
        .join(EntryRow, EntryRow.seq == _entry_of(NodeRow.no))
        .order_by(found.c.no.desc())
    )
    for seq, type, at, where, *named in reading.execute(query, execution_options={"yield_per": AT_ONCE}):
        yield Issued(seq, type, at, where, Node(*named))


def _alike(reading: Session, numbers: Select[Any]) -> list[Alike]:
    """Answered windows with these numbers, some of which come more than once."""
    resting = numbers.distinct().subquery()
    ends = func.min(NodeRow.no).label("first"), func.max(NodeRow.no).label("last")
    alike = select(NodeRow.site, NodeRow.label, func.count().label("lines"), *ends)
    alike = alike.join(resting, resting.c.no == NodeRow.no).group_by(NodeRow.site, NodeRow.label)
    counted, first, last = alike.subquery(), aliased(EntryRow), aliased(EntryRow)
    found = counted.c
    query = (
        select(found.site, found.label, found.lines, first.recorded_at, last.recorded_at)
        .select_from(counted)
        .join(first, first.seq == _entry_of(found.first))
        .join(last, last.seq == _entry_of(found.last))
        .order_by(found.site, found.first)
    )
    return [Alike(*row) for row in reading.execute(query)]


def _entry_of(no: Any) -> Any:
    """The number of the entry that names a thing first, in SQL: the inverse of `number`."""
    return no.op(">>")(literal_column(str(PLACES)))
