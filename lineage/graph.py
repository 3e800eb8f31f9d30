"""What was made from what: the graph that leads from any prediction back to the recordings, and forward again."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Engine, select
from sqlalchemy.orm import InstrumentedAttribute, Mapped, Session, mapped_column

from lineage.digest import Digest
from lineage.entries import Edge, Entry
from lineage.refused import Refused
from lineage.rows import keep_forever
from lineage.store import Base, add_rows, session

LOOKUP = 500
"""Digests asked for in one query; SQLite limits the number of parameters."""


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


class UnknownNode(Refused, ValueError):
    """A digest that no entry of the ledger has had as a subject."""


class Cycle(ValueError):
    """An edge by which a thing would come from itself."""


class HasEngine(Protocol):
    """A ledger, or the engine of its store."""

    @property
    def engine(self) -> Engine: ...


class NodeRow(Base):
    __tablename__ = "node"
    digest: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    label: Mapped[str]


class EdgeRow(Base):
    __tablename__ = "edge"
    child: Mapped[str] = mapped_column(primary_key=True)
    relation: Mapped[str] = mapped_column(primary_key=True)
    parent: Mapped[str] = mapped_column(primary_key=True, index=True)


keep_forever("node")
keep_forever("edge")


def upstream(ledger: HasEngine, digest: Digest) -> list[Step]:
    """Every edge from `digest` towards what it came from, nearest first; each edge once. Refuses unknown digests."""
    return _walk(ledger, digest, near=EdgeRow.child, far=EdgeRow.parent)


def downstream(ledger: HasEngine, digest: Digest) -> list[Step]:
    """Every edge from `digest` towards what was made from it, nearest first; each edge once."""
    return _walk(ledger, digest, near=EdgeRow.parent, far=EdgeRow.child)


def node(ledger: HasEngine, digest: Digest) -> Node:
    """The thing with this digest; refuses unknown ones."""
    with session(ledger.engine, write=False) as reading:
        return _nodes(reading, [digest])[digest]


def record(writing: Session, entries: Sequence[Entry]) -> None:
    """Write the entries' subjects as nodes, and their edges, inside the transaction that writes the entries."""
    add_rows(writing, NodeRow, [n._asdict() for entry in entries for n in nodes_of(entry)], if_new=True)
    edges = [edge for entry in entries for edge in entry.edges]
    _nodes(writing, [end for edge in edges for end in (edge.child, edge.parent)])
    for edge in edges:
        _refuse_cycle(writing, edge)
        add_rows(writing, EdgeRow, [vars(edge)], if_new=True)


def nodes_of(entry: Entry) -> list[Node]:
    """The nodes that an entry names: its subjects that have a digest."""
    return [Node(s.digest, s.kind, s.id) for s in entry.subjects if s.digest]


def _walk(ledger: HasEngine, digest: Digest, near: Any, far: Any) -> list[Step]:
    with session(ledger.engine, write=False) as reading:
        _nodes(reading, [digest])
        steps: list[Step] = []
        seen, edge_of_known = {digest}, [digest]
        depth = 0
        while edge_of_known:
            depth += 1
            met = _edges(reading, edge_of_known, near, far)
            names = _nodes(reading, [d for _, d, _ in met])
            steps += sorted((Step(depth, names[d], relation, start) for start, d, relation in met), key=_as_read)
            edge_of_known = sorted({d for _, d, _ in met} - seen)
            seen.update(edge_of_known)
        return steps


def _as_read(step: Step) -> tuple[str, str, str]:
    return step.node.kind, step.node.label, step.relation


def _edges(
    reading: Session, digests: Sequence[Digest], near: InstrumentedAttribute[str], far: InstrumentedAttribute[str]
) -> list[tuple[Digest, Digest, str]]:
    """(near end, far end, relation) of every edge at `digests`."""
    found: list[tuple[Digest, Digest, str]] = []
    for part in _parts(digests):
        rows = reading.execute(select(near, far, EdgeRow.relation).where(near.in_(part)))
        found += [(near_end, far_end, relation) for near_end, far_end, relation in rows]
    return found


def _nodes(reading: Session, digests: Iterable[Digest]) -> dict[Digest, Node]:
    wanted = sorted(set(digests))
    found: dict[Digest, Node] = {}
    for part in _parts(wanted):
        rows = reading.execute(select(NodeRow.digest, NodeRow.kind, NodeRow.label).where(NodeRow.digest.in_(part)))
        found |= {digest: Node(digest, kind, label) for digest, kind, label in rows}
    if missing := [d for d in wanted if d not in found]:
        raise UnknownNode(
            f"{missing[0]} is not in the lineage: name it as a subject (kind, id, digest) of this or an earlier entry"
        )
    return found


def _parts(digests: Sequence[Digest]) -> list[Sequence[Digest]]:
    return [digests[i : i + LOOKUP] for i in range(0, len(digests), LOOKUP)]


def _refuse_cycle(writing: Session, edge: Edge) -> None:
    """A new thing, from which nothing was made yet, cannot close a circle: the usual case costs one look-up."""
    below, seen = [edge.child], {edge.child}
    while below:
        made = {child for _, child, _ in _edges(writing, below, EdgeRow.parent, EdgeRow.child)}
        if edge.parent in made:
            raise Cycle(f"{edge.parent} was itself made from {edge.child}: {edge.relation} would close a circle")
        below = sorted(made - seen)
        seen |= made
