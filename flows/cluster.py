"""The same work on the machines of a Dask cluster: `ictal train --runner dask`. Where it ran changes no byte of a result.

Every machine sees the workspace at the same path and has this code and its lock installed.
"""

import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from data.processes import ONE_THREAD
from flows.progress import Show
from lineage.refused import Refused

PLACE = "ICTAL_DASK"
"""Names the scheduler to the stages; set by whoever runs them on a cluster's worker."""

NEEDED = "`--runner dask` needs Dask: `pip install -e '.[dask]'`"

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def scheduler(address: str = "", workers: int = 2) -> Iterator[str]:
    """The address of a cluster's scheduler: of the one that is named, else of `workers` processes on this machine,
    which end with the block. Refused where Dask is not installed, and as by `refuse_unreachable`."""
    os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "warning")  # who comes and goes tells a user nothing
    try:
        from distributed import LocalCluster
    except ImportError as error:
        raise Refused(NEEDED) from error
    logging.getLogger("distributed").setLevel(logging.WARNING)
    if address:
        refuse_unreachable(address)
        yield address
        return
    os.environ.update(ONE_THREAD)  # workers inherit it; sums are then made in one order
    with LocalCluster(
        n_workers=workers, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, memory_limit=0
    ) as cluster:
        yield cluster.scheduler_address


def refuse_unreachable(address: str, seconds: float = 10.0) -> None:
    """Refused is a scheduler that does not answer within `seconds`, or has nobody to work for it."""
    from distributed import Client

    try:
        with Client(address, timeout=seconds, set_as_default=False) as client:
            if not client.scheduler_info()["workers"]:
                raise Refused(f"the Dask scheduler at {address} has no worker: `dask worker {address}`")
    except (OSError, ValueError) as error:
        raise Refused(f"no Dask scheduler answers at {address}: name it as in tcp://10.0.0.5:8786") from error


def place() -> dict[str, str]:
    """On a worker: how stages find the scheduler. It gives its slot back, as it only waits for what they ask for."""
    from distributed import get_worker, secede

    secede()
    return {PLACE: get_worker().scheduler.address}


def on_worker() -> bool:
    """Whether this thread runs a task of a Dask cluster."""
    if "distributed" not in sys.modules:
        return False
    from distributed import get_worker

    try:
        get_worker()
    except ValueError:
        return False
    return True


def over(work: Callable[[Item], Result], items: Sequence[Item], what: str, show: Show) -> list[Result]:
    """As `flows.parallel.over`, on the cluster that ICTAL_DASK names: results in the order of the items, the first failure
    raised. What was begun on a worker that is lost is begun again on another."""
    from distributed import Client, as_completed

    show(what, 0, len(items))
    results: dict[int, Result] = {}
    with Client(os.environ[PLACE], set_as_default=False) as client, client.as_current():
        futures = [client.submit(work, item, pure=False) for item in items]
        index = {future.key: number for number, future in enumerate(futures)}
        try:
            for future in as_completed(futures):
                results[index[future.key]] = future.result()
                show(what, len(results), len(items))
        except BaseException:
            client.cancel(futures)
            raise
    return [results[number] for number in range(len(items))]
