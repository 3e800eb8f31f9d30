"""The part of the ledger that speaks about one model: what it came from, what was decided, and the proof of each line."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from lineage import dsse, merkle
from lineage.checkpoints import Checkpoint
from lineage.digest import Digest, canonical
from lineage.entries import Edge, Entry
from lineage.graph import ANSWERS, LOOKUP, HasEngine, Node, downstream, node, upstream
from lineage.ledger import Ledger
from lineage.refused import Refused
from lineage.rows import EntryRow, SubjectRow
from lineage.store import session

DECISIONS = ("evaluation", "report", "signature", "candidate", "approval", "deployment", "revocation")
"""What hangs on a model because of what people and the platform decided; its answers are not among them."""

OF_ANSWERS = ("prediction.", "windows.", "verdict.", "label.")
"""Entries that name a model, its approval or its recordings only because it answered."""


@dataclass(frozen=True)
class Lineage:
    """Things and how they came from each other, in a fixed order."""

    about: Digest
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


@dataclass(frozen=True)
class Proven:
    """Entries with their paths to the root of one checkpoint."""

    checkpoint: Checkpoint
    entries: tuple[Entry, ...]
    paths: tuple[tuple[bytes, ...], ...]


def lineage_of(ledger: HasEngine, digest: Digest) -> Lineage:
    """Everything that a model came from, and every decision about it. Refuses (UnknownNode) a digest that the ledger
    does not know."""
    steps = upstream(ledger, digest)
    nodes = {n.digest: n for n in (node(ledger, digest), *(s.node for s in steps))}
    edges = {Edge(s.at, s.relation, s.node.digest) for s in steps}
    decided = {digest}
    # nearest first: what a decision hangs on has been met before it
    for step in downstream(ledger, digest, short_of=ANSWERS):
        if step.node.kind in DECISIONS and step.at in decided:
            decided.add(step.node.digest)
            nodes[step.node.digest] = step.node
            edges.add(Edge(step.node.digest, step.relation, step.at))
    ordered = sorted(nodes.values(), key=lambda n: (n.kind, n.label, n.digest))
    return Lineage(digest, tuple(ordered), tuple(sorted(edges)))


def missing_edges(found: Lineage, entries: Iterable[Entry]) -> list[Edge]:
    """The edges that entries state of what the model came from, and that the graph does not hold."""
    came_from, rim = {found.about}, [found.about]
    above: dict[Digest, list[Digest]] = {}
    for edge in found.edges:
        above.setdefault(edge.child, []).append(edge.parent)
    while rim:
        rim = [parent for child in rim for parent in above.get(child, ()) if parent not in came_from]
        came_from.update(rim)
    stated = {edge for entry in entries for edge in entry.edges if edge.child in came_from}
    return sorted(stated - set(found.edges))


def entries_about(ledger: HasEngine, digests: Iterable[Digest]) -> list[Entry]:
    """The entries, in order, that have one of these things as a subject; answers about patients are left out."""
    wanted = sorted(set(digests))
    found: dict[int, bytes] = {}
    with session(ledger.engine, write=False) as reading:
        for start in range(0, len(wanted), LOOKUP):
            about = select(EntryRow.seq, EntryRow.envelope).join(SubjectRow, SubjectRow.seq == EntryRow.seq)
            about = about.where(SubjectRow.digest.in_(wanted[start : start + LOOKUP]))
            for prefix in OF_ANSWERS:
                about = about.where(EntryRow.type.not_like(f"{prefix}%"))
            found |= {row.seq: row.envelope for row in reading.execute(about)}
    return [Entry.from_envelope(json.loads(found[seq])) for seq in sorted(found)]


def prove(ledger: Ledger, entries: Sequence[Entry], key: dsse.PublicKey) -> Proven | None:
    """The entries under the first checkpoint that covers them all and bears the key; None where there is none yet.

    The first, not the last: so that the same entries have the same proof, however long the ledger has become.
    Refuses (Refused) an entry that does not lead to the checkpoint's root; ValueError for no entries at all.
    """
    needed = max(entry.seq for entry in entries) + 1
    covering = (c for c in ledger.checkpoints() if c.size >= needed and c.problem(key) is None)
    checkpoint = min(covering, key=lambda c: (c.size, c.at), default=None)
    if checkpoint is None:
        return None
    paths = tuple(tuple(ledger.inclusion_proof(entry.seq, checkpoint.size)) for entry in entries)
    root = bytes.fromhex(checkpoint.root)
    for entry, path in zip(entries, paths, strict=True):
        if not merkle.includes(root, checkpoint.size, entry.seq, merkle.leaf_hash(entry.leaf()), path):
            raise Refused(f"entry {entry.seq} is not what a checkpoint saw: run `ictal audit verify`")
    return Proven(checkpoint, tuple(entries), paths)


def payloads_of(ledger: Ledger, entries: Iterable[Entry]) -> tuple[dict[Digest, bytes], list[Digest]]:
    """What the entries say in full, as the bytes that their digests name, and the digests of what was erased.

    Refuses (Refused) where a payload is gone and no entry says that it was erased.
    """
    erasures = {s.digest for e in ledger.entries("erase.executed") for s in e.subjects}
    found: dict[Digest, bytes] = {}
    erased: list[Digest] = []
    for digest in sorted({e.payload_digest for e in entries} - {""}):
        payload = ledger.payload(digest)
        if payload is not None:
            found[digest] = canonical(payload)
        elif digest in erasures:
            erased.append(digest)
        else:
            raise Refused(
                f"the payload {digest[:12]} is gone and no entry says that it was erased: `ictal audit verify`"
            )
    return found, erased
