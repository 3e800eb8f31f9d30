"""A line added, by itself and flushed to the disk, as the service adds one for every answer.

The obvious way adds the same words to a plain table with a chain of hashes. Ours writes tree, index, lineage and payload
in the same transaction, so that the ratio is below 1; aimed at are two thirds.
"""

import json
from pathlib import Path
from typing import Any

from lineage.ledger import Ledger
from tests.benchmarks import chains
from tests.benchmarks.case import Case
from tests.benchmarks.ledgers import answered, copy_of, ledger_of

LONG = 2000
"""Lines that are there before."""


def make(lines: float) -> tuple[Path, int, dict[str, Any]]:
    path = ledger_of(LONG)
    chains.chain_of(path)
    ledger = Ledger(path)
    return path, round(lines), ledger.entry(ledger.head().size - 1).envelope()


def ours(data: tuple[Path, int, dict[str, Any]]) -> int:
    path, lines, _ = data
    ledger = Ledger(copy_of(path))
    before = ledger.head().size
    for number in range(LONG, LONG + lines):
        ledger.append_many([answered(number)])
    return ledger.head().size - before


def theirs(data: tuple[Path, int, dict[str, Any]]) -> int:
    path, lines, said = data
    chain = chains.opened(copy_of(chains.chain_of(path)))
    before = chains.count(chain)
    for number in range(lines):
        words = json.dumps({**said, "seq": number}, sort_keys=True, separators=(",", ":"))
        chains.append(chain, [words.encode()])
    return chains.count(chain) - before


def same(our: int, their: int) -> str:
    return "" if our == their else f"{our} lines were added, and {their}"


CASE = Case(
    name="ledger_append",
    claim="a line added with its lineage and payload, each flushed to the disk",
    alternative="a plain table with a chain of hashes",
    sizes=(1000,),
    quick_sizes=(20,),
    unit="lines",
    make=make,
    ours=ours,
    theirs=theirs,
    same=same,
    rounds=3,
    target={"ratio": 2 / 3},
)
