"""A ledger verified, beside a plain table with a chain of hashes over the same lines.

The chain is hashed again, and each payload compared with the digest in its line; we also compare every index, the lineage,
all times and the order, so that the ratio is below 1; aimed at are two thirds.
"""

from pathlib import Path

from lineage.ledger import Ledger
from tests.benchmarks import chains
from tests.benchmarks.case import Case
from tests.benchmarks.ledgers import ledger_of, sizes


def make(predictions: float) -> Path:
    path = ledger_of(predictions)
    chains.chain_of(path)
    return path


def ours(path: Path) -> int:
    found = Ledger(path).verify()
    return found.size if found.ok else -1


def theirs(path: Path) -> int:
    return chains.unbroken(chains.opened(chains.chain_of(path)))


def same(our: int, their: int) -> str:
    return "" if our == their else f"{our} lines are sound, and {their}"


CASE = Case(
    name="ledger_chain",
    claim="a ledger hashed again, with all that follows from its entries compared",
    alternative="the same envelopes and payloads in a plain table with a chain of hashes, hashed again",
    sizes=sizes((20_000,)),
    quick_sizes=(300,),
    unit="predictions",
    make=make,
    ours=ours,
    theirs=theirs,
    same=same,
    rounds=3,
    threads=2,
    clock="seconds",
    target={"ratio": 2 / 3},
)
