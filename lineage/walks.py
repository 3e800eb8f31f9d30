"""Do the lines behind a walk through the lineage still say what was written? Only those are looked at, so that it is soon
known; what `Ledger.verify` finds by hashing everything again is more."""

from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from lineage import appending, graph, merkle, said
from lineage.appending import LedgerBroken
from lineage.audit import Line, line_of, payload_problems
from lineage.checkpoints import TreeHead
from lineage.entries import Edge
from lineage.graph import EdgeRow, HasEngine, Node, Step, batched
from lineage.rows import EntryRow, TreeRow
from lineage.store import session


def problems(ledger: HasEngine, start: Node, steps: Sequence[Step], beside: Iterable[int] = ()) -> list[str]:
    """What is not as it was written of the lines that name the things of a walk (`graph.upstream` of `start`) or draw its
    edges, and of the lines `beside`, by number: sentences, none where all is well.

    Each line has to stand in the tree under the root of now, with its payload (or the word that this was erased), and the
    walk has to be what the lines say.
    """
    nodes = {start, *(step.node for step in steps)}
    with session(ledger.engine, write=False) as reading:
        numbers = _lines_of(reading, nodes) | set(beside)
        lines = {line.seq: line for part in batched(sorted(numbers), graph.LOOKUP) for line in _read(reading, part)}
        found = [f"entry {seq} is gone" for seq in sorted(numbers - lines.keys())]
        try:
            head = appending.head(reading)
            found += [problem for line in lines.values() if (problem := line.problem or _changed(reading, line, head))]
        except LedgerBroken as broken:
            found.append(str(broken))
        entries = [line.entry for line in lines.values() if line.entry]
        found += payload_problems(reading, entries)
    return [*found, *_walked_otherwise(nodes, steps, entries)]


def _lines_of(reading: Session, nodes: Iterable[Node]) -> set[int]:
    """Numbers of the lines that name the things first, and of those that say what they came from."""
    named = [no for no, _ in graph.known_nodes(reading, [node.digest for node in nodes]).values()]
    numbers = {no >> graph.PLACES for no in named}
    for part in batched(sorted(named), graph.LOOKUP):
        numbers.update(reading.scalars(select(EdgeRow.seq).where(EdgeRow.child_no.in_(part)).distinct()))
    return numbers


def _read(reading: Session, numbers: Sequence[int]) -> Iterator[Line]:
    query = select(EntryRow.seq, EntryRow.id, EntryRow.type, EntryRow.recorded_at, EntryRow.envelope)
    for row in reading.execute(query.where(EntryRow.seq.in_(numbers)).order_by(EntryRow.seq)):
        yield line_of(*row)


def _changed(reading: Session, line: Line, head: TreeHead) -> str:
    """That the very bytes of a line are not in the tree, from its leaf to the root; nothing where they are."""
    leaf = merkle.leaf_hash(line.envelope)
    kept = reading.scalar(select(TreeRow.hash).where(TreeRow.level == 0, TreeRow.position == line.seq))
    path = appending.over_tree(reading, lambda nodes: merkle.inclusion_path(nodes, line.seq, head.size))
    stands = kept == leaf and merkle.includes(bytes.fromhex(head.root), head.size, line.seq, leaf, path)
    return "" if stands else f"entry {line.seq} has been changed"


def _walked_otherwise(nodes: set[Node], steps: Sequence[Step], entries: Iterable[said.Entry]) -> Iterator[str]:
    """Where names or edges, which are copies for look-up, are not what the lines say."""
    entries, things = list(entries), {node.digest for node in nodes}
    named = {Node(s.digest, s.kind, s.id) for entry in entries for s in entry.subjects}
    for node in sorted(nodes - named):
        yield f"no line names the {node.kind} {node.digest[:12]} so"
    drawn = {Edge(e.child, e.relation, e.parent) for entry in entries for e in entry.edges if e.child in things}
    shown = {Edge(step.at, step.relation, step.node.digest) for step in steps}
    for edge in sorted(drawn ^ shown, key=lambda edge: (edge.child, edge.relation, edge.parent)):
        what = "left out" if edge in drawn else "said by no line"
        yield f"that {edge.child[:12]} was {edge.relation} {edge.parent[:12]} is {what}"
