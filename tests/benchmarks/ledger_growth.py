"""How long the ledger's acts and questions take as it grows: each size's milliseconds as a table, and the slopes.

python -m tests.benchmarks.ledger_growth [1000 10000 100000 1000000]

A million predictions take minutes to make and 4 GB beside the temporary folder's other things. Times are of the processor:
one act of forty for lines, receipts and questions, one round for verifying, which uses both cores.
"""

import sys
import tempfile
import time
from pathlib import Path

from lineage.ledger import Ledger
from tests.benchmarks.cases.ledger_questions import timed
from tests.benchmarks.growth import slopes
from tests.benchmarks.ledgers import ledger_of
from tests.benchmarks.measuring import using
from tests.benchmarks.recordings import kept_in

SIZES = (1000, 10_000, 100_000, 1_000_000)


def main(sizes: list[int]) -> None:
    taken: dict[str, list[tuple[float, float]]] = {}
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="ictal-growth-") as folder, kept_in(Path(folder)):
            found = measure(size)
        if not taken:
            print(f"| predictions | {' | '.join(found)} |\n|{'---|' * (len(found) + 1)}")
        print(f"| {size:,} | {' | '.join(f'{1000 * seconds:,.2f}' for seconds in found.values())} |", flush=True)
        for what, seconds in found.items():
            taken.setdefault(what, []).append((size, seconds))
    print(f"\n{slopes(taken)}")


def measure(size: int) -> dict[str, float]:
    """Seconds of verifying a ledger of so many predictions (wall, and processor), and of each act (processor)."""
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
    main([int(size) for size in sys.argv[1:]] or list(SIZES))
