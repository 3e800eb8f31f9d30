"""Tree, index and lineage are copies for look-up: each must hold exactly what follows from the entries."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from lineage import graph
from lineage.digest import Digest
from lineage.entries import Edge, Entry
from lineage.graph import EdgeRow, Known, NodeRow, batched
from lineage.rows import SubjectRow, TreeRow
from lineage.store import Base

REMEMBERED = 100_000
"""Things of earlier parts that are not looked up again."""


class Copies:
    """Compares part after part; `problems` counts what was missing, changed or added."""

    def __init__(self, reading: Session):
        self._reading = reading
        self._before: int | None = None
        self._remembered: dict[Digest, Known] = {}
        self._subjects = _Copy("index of subjects", SubjectRow)
        self._nodes = _Copy("lineage nodes", NodeRow)
        self._edges = _Copy("lineage edges", EdgeRow)
        self._tree = _Copy("tree of hashes", TreeRow)

    def compare(self, entries: Sequence[Entry], tree: Iterable[tuple[int, int, bytes]], last: int) -> None:
        """The rows that belong to the entries up to number `last`, from where the part before ended."""
        self._compare_tree(set(tree))
        said = {(e.seq, place, s.kind, s.id, s.digest) for e in entries for place, s in enumerate(e.subjects)}
        columns = (SubjectRow.seq, SubjectRow.place, SubjectRow.kind, SubjectRow.id, SubjectRow.digest)
        self._subjects.compare(said, self._rows(columns, *self._between(SubjectRow.seq, last)))
        self._compare_lineage(entries, last)
        self._before = last

    def problems(self) -> list[str]:
        copies = (self._subjects, self._nodes, self._edges, self._tree)
        return [problem for copy in copies for problem in copy.problems(self._reading)]

    def _compare_tree(self, made: set[tuple[int, int, bytes]]) -> None:
        stored = set()
        for level in {level for level, _, _ in made}:
            positions = [position for of, position, _ in made if of == level]
            within = TreeRow.position.between(min(positions), max(positions))
            stored |= self._rows((TreeRow.level, TreeRow.position, TreeRow.hash), TreeRow.level == level, within)
        self._tree.compare(made, stored)

    def _compare_lineage(self, entries: Sequence[Entry], last: int) -> None:
        columns = (NodeRow.no, NodeRow.digest, NodeRow.kind, NodeRow.label, NodeRow.site)
        stored = self._rows(columns, *self._between(NodeRow.no, last, graph.number))
        known = self._named_before(entries, {digest for _, digest, *_ in stored})
        nodes, edges = set(), dict[Any, tuple]()
        for entry in entries:
            nodes |= {tuple(row.values()) for row in graph.new_nodes(entry, known)}
            for edge in entry.edges:
                row = _edge(edge, entry.seq, known)
                edges.setdefault(row[:4], row)
        self._nodes.compare(nodes, stored)
        self._compare_edges(edges, last)

    def _compare_edges(self, said: Mapping[Any, tuple], last: int) -> None:
        columns = (EdgeRow.parent_no, EdgeRow.kind, EdgeRow.child_no, EdgeRow.relation, EdgeRow.seq)
        stored = self._rows(columns, *self._between(EdgeRow.seq, last))
        drawn = set(said.values())
        again = drawn - stored
        for part in batched(sorted({row[2] for row in again if row[2] is not None}), graph.LOOKUP):
            if self._before is not None:
                earlier = self._rows(columns, EdgeRow.child_no.in_(part), EdgeRow.seq <= self._before)
                drawn -= {said[row[:4]] for row in earlier if row[:4] in said}
        self._edges.compare(drawn, stored)

    def _named_before(self, entries: Sequence[Entry], new: set[Digest]) -> dict[Digest, Known]:
        """The things of these entries that earlier parts named."""
        if self._before is None:
            return {}
        wanted = {digest for entry in entries for digest in graph.digests_of(entry)}
        asked = wanted - new - self._remembered.keys()
        found = graph.known_nodes(self._reading, asked)
        if len(self._remembered) > REMEMBERED:
            self._remembered.clear()
        bound = graph.number(self._before + 1, 0)
        self._remembered |= {digest: one for digest, one in found.items() if one.no < bound}
        return {digest: self._remembered[digest] for digest in wanted if digest in self._remembered}

    def _between(self, column: Any, last: int, number: Any = lambda seq, place: seq) -> list[ColumnElement[bool]]:
        upper = column < number(last + 1, 0)
        return [upper] if self._before is None else [column >= number(self._before + 1, 0), upper]

    def _rows(self, columns: Sequence[Any], *where: Any) -> set[tuple]:
        return set(map(tuple, self._reading.execute(select(*columns).where(*where))))


class _Copy:
    """What one table should hold and holds, counted."""

    def __init__(self, what: str, table: type[Base]):
        self.what, self.table = what, table
        self.expected = self.absent = self.added = self.seen = 0

    def compare(self, expected: set[tuple], stored: set[tuple]) -> None:
        self.expected += len(expected)
        self.absent += len(expected - stored)
        self.added += len(stored - expected)
        self.seen += len(stored)

    def problems(self, reading: Session) -> Iterator[str]:
        rows = reading.scalar(select(func.count()).select_from(self.table)) or 0
        if self.absent:
            yield f"{self.what}: {self.absent} of {self.expected} that follow from the entries are missing or changed"
        if added := self.added + rows - self.seen:
            yield f"{self.what}: {added} do not follow from the entries"


def _edge(edge: Edge, seq: int, known: Mapping[Digest, Known]) -> tuple:
    """Its row; where an end was never named, or is gone, one that no table holds."""
    try:
        return tuple(graph.edge_row(edge, seq, known).values())
    except graph.UnknownNode:
        return (None, edge.parent, None, f"{edge.relation} {edge.child}", seq)
