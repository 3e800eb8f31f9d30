"""Lines added to a ledger and to a plain table with a chain of hashes, by themselves or many in one transaction.

Both are given the same drafts, make envelope and payload canonical themselves, keep both, and are flushed to the disk with
every transaction. Ours writes tree, index and lineage in it too, so that the ratio is below 1; aimed at are two thirds.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lineage.ledger import Ledger, Software
from tests.benchmarks import chains
from tests.benchmarks.case import Case
from tests.benchmarks.ledgers import answered, copy_of, ledger_of

LONG = 2000
"""Predictions that are there before."""
SOFTWARE = Software("a" * 40, "b" * 64, dirty=False)
OWN = ("id", "occurred_at", "recorded_at")
"""Fields of a line that no two ways have alike."""


@dataclass(frozen=True)
class Data:
    ledger: Path
    parts: list[range]
    """The numbers of the predictions, by transaction."""


@dataclass(frozen=True)
class Added:
    """How many lines, and what the last one says."""

    lines: int
    last: dict[str, Any]


def case(name: str, claim: str, lines: int, at_once: int, quick: int) -> Case:
    def make(count: float) -> Data:
        chains.chain_of(path := ledger_of(LONG))
        end = LONG + round(count)
        return Data(path, [range(first, min(first + at_once, end)) for first in range(LONG, end, at_once)])

    return Case(
        name=name,
        claim=claim,
        alternative="the same envelopes and payloads in a plain table with a chain of hashes",
        sizes=(lines,),
        quick_sizes=(quick,),
        unit="lines",
        make=make,
        ours=ours,
        theirs=theirs,
        same=same,
        target={"ratio": 2 / 3},
    )


def ours(data: Data) -> Added:
    ledger = Ledger(copy_of(data.ledger), SOFTWARE)
    before = ledger.head().size
    for numbers in data.parts:
        ledger.append_many(map(answered, numbers))
    size = ledger.head().size
    return Added(size - before, ledger.entry(size - 1).envelope())


def theirs(data: Data) -> Added:
    chain = chains.opened(copy_of(chains.chain_of(data.ledger)))
    before = chains.count(chain)
    for numbers in data.parts:
        chains.append(chain, map(answered, numbers), SOFTWARE)
    size = chains.count(chain)
    ((said,),) = chain.execute("SELECT said FROM line WHERE seq = ?", (size,))
    chain.close()
    return Added(size - before, json.loads(said))


def same(our: Added, their: Added) -> str:
    if our.lines != their.lines:
        return f"{our.lines} lines were added, and {their.lines}"
    apart = [key for key in our.last if key not in OWN and our.last[key] != their.last.get(key)]
    return f"the last line differs in {', '.join(apart)}" if apart else ""
