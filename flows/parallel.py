"""The same work on many recordings, on all cores, with progress; results in the order of the items."""

import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TypeVar

from data.processes import context
from flows import cluster
from flows.progress import Show
from lineage.refused import Refused

Item = TypeVar("Item")
Result = TypeVar("Result")


SHARE = "ICTAL_WORKERS"
"""The variable that says how many processes a command, or a stage of it, may use."""


def workers() -> int:
    """Processes to use: ICTAL_WORKERS, or every core where it is 0, empty or not set. Never changes a result, only how
    fast it comes. Refused where it is no whole number from 0 on."""
    share = os.environ.get(SHARE) or "0"
    if not (share.isascii() and share.isdecimal() and len(share) < 10):
        raise Refused(
            f"{SHARE} is a whole number of processes, 0 for every core, got {share[:20]!r}: put it right, or unset it"
        )
    return int(share) or len(os.sched_getaffinity(0))


def over(
    work: Callable[[Item], Result], items: Sequence[Item], what: str, show: Show, needs: Sequence[str] = ()
) -> list[Result]:
    """`[work(i) for i in items]` in worker processes; the first failure is raised and the rest is given up.

    `needs` names modules that the work imports late and that take seconds. Where a cluster is at hand, it is done there.
    A stage that has one worker is that worker: a fork of it would be the same process again.
    """
    if cluster.PLACE in os.environ:
        return cluster.over(work, items, what, show)
    show(what, 0, len(items))
    made = context([work.__module__, *needs])
    if workers() == 1 and made.get_start_method() == "fork":
        return [_told(work(item), what, done, len(items), show) for done, item in enumerate(items, 1)]
    results: dict[int, Result] = {}
    with ProcessPoolExecutor(min(workers(), max(1, len(items))), made, _end_with_ctrl_c) as pool:
        futures = {pool.submit(work, item): index for index, item in enumerate(items)}
        try:
            for future in as_completed(futures):
                results[futures[future]] = future.result()
                show(what, len(results), len(items))
        except BaseException:
            _give_up(pool)
            raise
    return [results[i] for i in range(len(items))]


def _give_up(pool: ProcessPoolExecutor) -> None:
    """End the workers with what they do. A stage that is a fork ends without what an interpreter does at its end, and would
    leave them behind for ever, with its streams in their hands."""
    own = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for worker in own:
        worker.terminate()


def _told(result: Result, what: str, done: int, total: int, show: Show) -> Result:
    show(what, done, total)
    return result


def _end_with_ctrl_c() -> None:
    """A worker ends at once and says nothing: whoever started it was told as well, and says it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
