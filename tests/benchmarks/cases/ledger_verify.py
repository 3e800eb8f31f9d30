"""A ledger hashed again: with every index, payload, time and order compared, or its root alone.

The obvious way reads all lines and hashes them as RFC 6962, 2.1 defines the root, by halves; it finds no changed index,
payload or time. What we compare beside the root costs more than the root: so the ratio is below 1, and what is aimed at
is a memory that does not grow and, for a million entries, a minute of wall time on two cores (53 s were measured,
on 2026-11-27, with nothing beside it and the 4 GB just written, so in memory).
"""

import sqlite3
from pathlib import Path

from lineage.ledger import Ledger
from lineage.merkle import leaf_hash, node_hash
from tests.benchmarks.case import Case
from tests.benchmarks.ledgers import ledger_of, sizes


def ours(path: Path) -> str:
    found = Ledger(path).verify()
    return found.root if found.ok else "; ".join(found.problems)


def theirs(path: Path) -> str:
    connection = sqlite3.connect(path)
    leaves = [leaf_hash(envelope) for (envelope,) in connection.execute("SELECT envelope FROM entry ORDER BY seq")]
    connection.close()
    return root(leaves).hex()


def root(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    middle = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(root(leaves[:middle]), root(leaves[middle:]))


def same(our: str, their: str) -> str:
    return "" if our == their else f"root {their[:16]}, and {our[:80]}"


CASE = Case(
    name="ledger_verify",
    claim="a ledger hashed again, with all that follows from its entries compared",
    alternative="the root alone, by RFC 6962's own recursion over all lines in memory",
    sizes=sizes((20_000, 150_000)),
    quick_sizes=(300,),
    unit="predictions",
    make=ledger_of,
    ours=ours,
    theirs=theirs,
    same=same,
    rounds=3,
    threads=2,
    clock="seconds",
    target={"peak_mib": 250},
)
