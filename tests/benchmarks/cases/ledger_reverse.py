"""What rests on a recording: its predictions counted, the newest hundred of them, and all else that came of it.

The obvious way walks the lineage from thing to thing, one question of the database for each.
"""

from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from lineage import graph
from lineage.graph import EdgeRow, NodeRow
from lineage.ledger import Ledger
from lineage.store import session
from tests.benchmarks.case import Case
from tests.benchmarks.ledgers import digest, ledger_of, sizes

NEWEST = 100
RECORDING = digest("recording 3")

Answer = tuple[int, list[str], list[str]]


def ours(path: Path) -> Answer:
    ledger = Ledger(path)
    newest = [one.node.digest for one in graph.predictions_below(ledger, RECORDING, limit=NEWEST)]
    others = {step.node.digest for step in graph.downstream(ledger, RECORDING, short_of=("prediction",))}
    return graph.count_below(ledger, RECORDING), newest, sorted(others)


def theirs(path: Path) -> Answer:
    met: dict[int, tuple[str, str]] = {}
    with session(Ledger(path).engine, write=False) as reading:
        waiting = [reading.scalars(select(NodeRow.no).where(NodeRow.digest == RECORDING)).one()]
        while waiting:
            for child in _children(reading, waiting.pop()):
                if child not in met:
                    met[child] = reading.execute(select(NodeRow.kind, NodeRow.digest).where(NodeRow.no == child)).one()
                    waiting.append(child)
    predictions = sorted((no for no, (kind, _) in met.items() if kind == "prediction"), reverse=True)
    others = sorted(digest for kind, digest in met.values() if kind != "prediction")
    return len(predictions), [met[no][1] for no in predictions[:NEWEST]], others


def _children(reading: Session, no: int) -> list[int]:
    return list(reading.scalars(select(EdgeRow.child_no).where(EdgeRow.parent_no == no)))


def same(our: Answer, their: Answer) -> str:
    return "" if our == their else f"{our[0]} predictions and {len(our[2])} others, {their[0]} and {len(their[2])}"


CASE = Case(
    name="ledger_reverse",
    claim="what rests on a recording: predictions counted, the newest 100, and all else",
    alternative="a walk from thing to thing, one query each",
    sizes=sizes((20_000, 150_000)),
    quick_sizes=(300,),
    unit="predictions",
    make=ledger_of,
    ours=ours,
    theirs=theirs,
    theirs_up_to=20_000,
    same=same,
    rounds=3,
    target={"cpu_seconds": 2},
)
