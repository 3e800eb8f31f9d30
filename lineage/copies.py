"""Tree, index and lineage are copies for look-up: each must hold exactly what follows from the entries."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Table, func, select
from sqlalchemy.orm import Session

from lineage import graph, said
from lineage.digest import Digest
from lineage.graph import EdgeRow, Known, NodeRow, batched
from lineage.rows import SubjectRow, TreeRow
from lineage.store import Base, raw_rows

REMEMBERED = 100_000
"""Things of earlier parts that are not looked up again."""

SUBJECT, TREE, NODE, EDGE = (Base.metadata.tables[t.__tablename__] for t in (SubjectRow, TreeRow, NodeRow, EdgeRow))


Row = tuple[int, int, list[bytes]]
"""Nodes of the tree: their level, the place of the first, and their hashes."""


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

    def compare(self, entries: Sequence[said.Entry], last: int) -> None:
        """The rows that belong to the entries up to number `last`, from where the part before ended."""
        named = [(e.seq, place, s.kind, s.id, s.digest) for e in entries for place, s in enumerate(e.subjects)]
        within = self._between(SUBJECT.c.seq, last)
        self._subjects.compare(named, self._rows(SUBJECT, *within, order=(SUBJECT.c.seq, SUBJECT.c.place)))
        self._compare_lineage(entries, last)
        self._before = last

    def compare_tree(self, made: Iterable[Row]) -> None:
        """The nodes that some leaves completed; the more of them at once, the fewer questions."""
        for level, first, hashes in made:
            places = range(first, first + len(hashes))
            within = TREE.c.position.between(places[0], places[-1])
            query = select(TREE.c.position, TREE.c.hash).where(TREE.c.level == level, within).order_by(TREE.c.position)
            self._tree.compare(list(zip(places, hashes, strict=True)), raw_rows(self._reading, query))

    def problems(self) -> list[str]:
        """What differs, in sentences that name the table; to be asked once every part was read."""
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

    def _compare_lineage(self, entries: Sequence[said.Entry], last: int) -> None:
        stored = self._rows(NODE, *self._between(NODE.c.no, last, _first_number), order=(NODE.c.no,))
        known = self._named_before(entries, {row[1] for row in stored})
        nodes, edges, unknown = graph.rows_of(entries, known)
        self._nodes.compare(nodes, stored)
        self._compare_edges(edges, unknown, last)

    def _compare_edges(self, edges: Sequence[graph.EdgeValues], unknown: Sequence[graph.Unknown], last: int) -> None:
        order = (EDGE.c.seq, EDGE.c.parent_no, EDGE.c.kind, EDGE.c.child_no, EDGE.c.relation)
        stored = self._rows(EDGE, *self._between(EDGE.c.seq, last), order=order)
        if edges == stored and not unknown and all(graph.is_first(edge) for edge in edges):
            self._edges.compare(edges, stored)
        else:
            self._edges.compare_sets({*self._drawn_first(edges, set(stored)), *unknown}, set(stored))

    def _drawn_first(self, edges: Iterable[graph.EdgeValues], stored: set[tuple]) -> set[tuple]:
        """Of edges that are said more than once the first; those that an earlier part says are not among them."""
        first: dict[tuple, tuple] = {}
        for edge in edges:
            first.setdefault(edge[:4], edge)
        again = {edge[2] for edge in first.values() if edge not in stored}
        for part in batched(sorted(again), graph.LOOKUP):
            if self._before is not None:
                for row in self._rows(EDGE, EDGE.c.child_no.in_(part), EDGE.c.seq <= self._before):
                    first.pop(row[:4], None)
        return set(first.values())

    def _named_before(self, entries: Sequence[said.Entry], new: set[Digest]) -> dict[Digest, Known]:
        """The things that earlier parts named, of these entries all."""
        if self._before is None:
            return self._remembered
        if len(self._remembered) > REMEMBERED:
            self._remembered.clear()
        wanted = {s.digest for entry in entries for s in entry.subjects}
        wanted |= {edge.parent for entry in entries for edge in entry.edges}
        wanted |= {edge.child for entry in entries for edge in entry.edges}
        wanted -= new
        wanted -= self._remembered.keys()
        bound = _first_number(self._before + 1)
        found = graph.known_nodes(self._reading, wanted)
        self._remembered |= {digest: one for digest, one in found.items() if one[0] < bound}
        return self._remembered

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

    def compare(self, expected: Sequence[tuple], stored: list[tuple]) -> None:
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
