"""How long the acts of the queue take while jobs that ended are kept: each size's milliseconds as a table, and the slopes.

python -m tests.benchmarks.queue_growth [1000 10000 100000]

They are kept for thirty days, of twenty sites. Times are of the processor, the median of forty of each act, in SQLite.
"""

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from lineage.store import session
from serving.jobs import JobLimits, JobRow, Jobs, Task
from tests.benchmarks.growth import table_of_acts

SIZES = (1000, 10_000, 100_000)
SITES, TIMES = 20, 40
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TASK = Task("detection", ("a" * 64,))
ROOM = JobLimits(waiting=10 * TIMES, waiting_per_site=10 * TIMES)


def measure(folder: Path, size: int) -> dict[str, float]:
    """Seconds of processor time of each act, where so many jobs have ended and none waits to begin with."""
    jobs = Jobs(folder / "queue.db", ROOM)
    _fill(jobs, size)
    number = iter(range(10 * TIMES))

    def taken_in() -> None:
        n = next(number)
        jobs.accept(f"new-{n}", TASK, site=f"site-{n % SITES}", key_id="k", size=1000, now=NOW, idempotency_key=f"n{n}")

    def begun() -> None:
        assert jobs.claim(f"attempt-{next(number)}", NOW)

    found = {
        "nothing to do": _taken_s(lambda: (jobs.take_back(NOW), jobs.claim("w", NOW))),
        "taken in": _taken_s(taken_in),
        "begun": _taken_s(begun, SITES),  # one of each site at once
        "depth": _taken_s(lambda: jobs.depth(NOW)),
        "forgotten": _taken_s(lambda: jobs.forget(NOW)),
    }
    jobs.engine.dispose()
    return found


def _fill(jobs: Jobs, size: int) -> None:
    for first in range(0, size, 10_000):
        with session(jobs.engine) as writing:
            writing.add_all(_ended(n) for n in range(first, min(first + 10_000, size)))


def _ended(n: int) -> JobRow:
    at = (NOW - timedelta(seconds=n)).isoformat()
    return JobRow(
        id=f"old-{n}", no=n + 1, site=f"site-{n % SITES}", key_id="k", idempotency_key=f"o{n}", task="{}",
        task_digest=TASK.digest, bytes=1000, state="done", stage="done", share=1.0, attempts=1, cancelling=False,
        accepted_at=at, started_at=at, ended_at=at, prediction_id=f"p-{n}", outcome="completed",
    )  # fmt: skip


def _taken_s(act: Callable[[], object], times: int = TIMES) -> float:
    took = []
    for _ in range(times):
        began = time.process_time()
        act()
        took.append(time.process_time() - began)
    return median(took)


if __name__ == "__main__":
    table_of_acts("jobs that ended", [int(size) for size in sys.argv[1:]] or SIZES, measure)
