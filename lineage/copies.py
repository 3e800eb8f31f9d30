"""Tree, index and lineage are copies for look-up: each must hold exactly what follows from the entries."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Table, func, select
from sqlalchemy.orm import Session

from lineage import graph
from lineage.digest import Digest
from lineage.entries import Edge, Entry
from lineage.graph import EdgeRow, Known, NodeRow, batched
from lineage.rows import SubjectRow, TreeRow
from lineage.store import Base, raw_rows

REMEMBERED = 100_000
"""Things of earlier parts that are not looked up again."""

SUBJECT, TREE, NODE, EDGE = (Base.metadata.tables[t.__tablename__] for t in (SubjectRow, TreeRow, NodeRow, EdgeRow))


class Copies:
    """Compares part after part; `problems` counts what was missing, changed or added."""

    def __init__(self, reading: Session, before: int | None = None):
        """`before` is the last entry that is not compared, where it is not from the first on."""
        self._reading = reading
        self._before = before
        self._remembered: dict[Digest, Known] = {}
        self._subjects = _Copy("index of subjects", SUBJECT)
        self._nodes = _Copy("lineage nodes", NODE)
        self._edges = _Copy("lineage edges", EDGE)
        self._tree = _Copy("tree of hashes", TREE)

    def compare(self, entries: Sequence[Entry], tree: Iterable[tuple[int, int, bytes]], last: int) -> None:
        """The rows that belong to the entries up to number `last`, from where the part before ended."""
        self._compare_tree(tree)
        said = [(e.seq, place, s.kind, s.id, s.digest) for e in entries for place, s in enumerate(e.subjects)]
        within = self._between(SUBJECT.c.seq, last)
        self._subjects.compare(said, self._rows(SUBJECT, *within, order=(SUBJECT.c.seq, SUBJECT.c.place)))
        self._compare_lineage(entries, last)
        self._before = last

    def problems(self) -> list[str]:
        return [problem for copy in self._all for problem in copy.problems(self._reading)]

    @property
    def agree(self) -> bool:
        """Whether all that was compared so far is as it should be."""
        return not any(copy.absent or copy.added for copy in self._all)

    @property
    def rows(self) -> tuple[int, ...]:
        """How many rows of each copy were met so far."""
        return tuple(copy.seen for copy in self._all)

    @staticmethod
    def totals(reading: Session, of_tree_apart: int) -> list[int]:
        """How many rows each copy has, as `rows`, but for some of the tree."""
        found = [reading.scalar(select(func.count()).select_from(table)) or 0 for table in (SUBJECT, NODE, EDGE, TREE)]
        return [*found[:3], found[3] - of_tree_apart]

    @property
    def _all(self) -> tuple["_Copy", ...]:
        return self._subjects, self._nodes, self._edges, self._tree

    def _compare_tree(self, made: Iterable[tuple[int, int, bytes]]) -> None:
        of_level: dict[int, list[tuple]] = {}
        for node in made:
            of_level.setdefault(node[0], []).append(node)
        for level, nodes in of_level.items():
            within = TREE.c.position.between(nodes[0][1], nodes[-1][1])
            stored = self._rows(TREE, TREE.c.level == level, within, order=(TREE.c.position,))
            self._tree.compare(nodes, stored)

    def _compare_lineage(self, entries: Sequence[Entry], last: int) -> None:
        stored = self._rows(NODE, *self._between(NODE.c.no, last, _first_number), order=(NODE.c.no,))
        known = self._named_before(entries, {digest for _, digest, *_ in stored})
        nodes: list[tuple] = []
        edges: dict[tuple, tuple] = {}
        for entry in entries:
            nodes += graph.new_nodes(entry, known)
            for edge in entry.edges:
                values = _edge(edge, entry.seq, known)
                edges.setdefault(values[:4], values)
        self._nodes.compare(nodes, stored)
        self._compare_edges(edges, last)

    def _compare_edges(self, said: Mapping[tuple, tuple], last: int) -> None:
        stored = self._rows(EDGE, *self._between(EDGE.c.seq, last))
        drawn = set(said.values())
        again = {values[2] for values in drawn.difference(stored) if values[2] is not None}
        for part in batched(sorted(again), graph.LOOKUP):
            if self._before is not None:
                earlier = self._rows(EDGE, EDGE.c.child_no.in_(part), EDGE.c.seq <= self._before)
                drawn -= {said[row[:4]] for row in earlier if row[:4] in said}
        self._edges.compare_sets(drawn, set(stored))

    def _named_before(self, entries: Sequence[Entry], new: set[Digest]) -> dict[Digest, Known]:
        """The things of these entries that earlier parts named."""
        if self._before is None:
            return {}
        wanted = {digest for entry in entries for digest in graph.digests_of(entry)} - new
        if len(self._remembered) > REMEMBERED:
            self._remembered.clear()
        found = graph.known_nodes(self._reading, wanted - self._remembered.keys())
        bound = _first_number(self._before + 1)
        self._remembered |= {digest: one for digest, one in found.items() if one.no < bound}
        return {digest: self._remembered[digest] for digest in wanted if digest in self._remembered}

    def _between(
        self, column: Any, last: int, bound: Callable[[int], int] = lambda seq: seq
    ) -> list[ColumnElement[bool]]:
        upper = column < bound(last + 1)
        return [upper] if self._before is None else [column >= bound(self._before + 1), upper]

    def _rows(self, table: Table, *where: Any, order: Sequence[Any] = ()) -> list[tuple]:
        return raw_rows(self._reading, select(table).where(*where).order_by(*order))


class _Copy:
    """What one table should hold and holds, counted."""

    def __init__(self, what: str, table: Table):
        self.what, self.table = what, table
        self.expected = self.absent = self.added = self.seen = 0

    def compare(self, expected: list[tuple], stored: list[tuple]) -> None:
        """Rows in one order: as a rule they are equal, which is soon seen."""
        if expected == stored:
            self.expected += len(expected)
            self.seen += len(stored)
        else:
            self.compare_sets(set(expected), set(stored))

    def compare_sets(self, expected: set[tuple], stored: set[tuple]) -> None:
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


def _first_number(seq: int) -> int:
    return graph.number(seq, 0)


def _edge(edge: Edge, seq: int, known: Mapping[Digest, Known]) -> tuple:
    """Its row; where an end was never named, or is gone, one that no table holds."""
    try:
        return graph.edge_values(edge, seq, known)
    except graph.UnknownNode:
        return (None, edge.parent, None, f"{edge.relation} {edge.child}", seq)
