"""How long the ledger's acts and questions take as it grows: each size's milliseconds as a table, and the slopes.

python -m tests.benchmarks.ledger_growth [1000 10000 100000 1000000]

A million predictions take minutes to make and 4 GB beside the temporary folder's other things. Times are of the processor:
one act of forty for lines, receipts and questions, one round for verifying, which uses both cores.
"""

import sys
import time
from pathlib import Path

from lineage.ledger import Ledger
from tests.benchmarks.cases.ledger_questions import timed
from tests.benchmarks.growth import table_of_acts
from tests.benchmarks.ledgers import ledger_of
from tests.benchmarks.measuring import using
from tests.benchmarks.recordings import kept_in

SIZES = (1000, 10_000, 100_000, 1_000_000)


def measure(folder: Path, size: int) -> dict[str, float]:
    """Seconds of verifying a ledger of so many predictions (wall, and processor), and of each act (processor)."""
    with kept_in(folder):
        path = ledger_of(size)
        with using(2):
            wall, cpu = time.perf_counter(), _cpu_s()
            verified = Ledger(path).verify()
            wall, cpu = time.perf_counter() - wall, _cpu_s() - cpu
        if not verified.ok:
            raise RuntimeError("; ".join(verified.problems))
        acts = timed(path, size)
    return {"verify (wall)": wall, "verify": cpu} | {what: took["cpu"] for what, took in acts.items()}


def _cpu_s() -> float:
    import resource

    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in spent)


if __name__ == "__main__":
    table_of_acts("predictions", [int(size) for size in sys.argv[1:]] or SIZES, measure)
