"""Work on a real Dask cluster of two processes comes to what it comes to here, and says clearly where there is none."""

import os
from collections.abc import Iterator

import numpy as np
import pytest

from flows import cluster, parallel
from flows.progress import silently
from flows.train import train_detectors
from lineage.refused import Refused
from tests.commands import ictal


@pytest.fixture(scope="module")
def two_workers() -> Iterator[str]:
    with cluster.scheduler(workers=2) as address:
        yield address


def fitted(seed: int) -> tuple[int, float, str]:
    """Something with floating point in it, and where it was done."""
    x = np.random.default_rng(seed).normal(size=(200, 200))
    if seed == 13:
        raise Refused("recording 13 cannot be read")
    return os.getpid(), float(np.linalg.svd(x @ x.T)[1].sum()), os.environ.get("OMP_NUM_THREADS", "")


def test_a_cluster_gives_the_same_results_in_order_from_both_of_its_processes(
    two_workers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds = [5, 3, 8, 1, 9, 2]
    here = [fitted(seed)[1] for seed in seeds]
    monkeypatch.setenv(cluster.PLACE, two_workers)
    shown: list[tuple[int, int]] = []
    there = parallel.over(fitted, seeds, "fits", lambda what, done, total: shown.append((done, total)))
    assert [value for _, value, _ in there] == here
    processes = {process for process, _, _ in there}
    assert len(processes) == 2 and os.getpid() not in processes
    assert {threads for _, _, threads in there} == {"1"}
    assert shown[0] == (0, 6) and shown[-1] == (6, 6)


def test_what_is_refused_on_a_worker_is_refused_here(two_workers: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cluster.PLACE, two_workers)
    with pytest.raises(Refused, match="recording 13"):
        parallel.over(fitted, [1, 13, 2], "fits", silently)


def test_a_scheduler_that_does_not_answer_is_refused_by_its_address() -> None:
    with pytest.raises(Refused, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        cluster.refuse_unreachable("tcp://127.0.0.1:9", seconds=0.5)
    with pytest.raises(Refused, match="as in tcp://"):
        cluster.refuse_unreachable("nowhere at all", seconds=0.5)


def test_this_process_is_no_worker() -> None:
    assert not cluster.on_worker()


@pytest.mark.parametrize(
    ("runner", "scheduler", "said"),
    [("spark", "", "runners are threads, dask"), ("threads", "tcp://a:1", "--runner dask")],
)
def test_a_runner_that_is_not_known_is_refused(runner: str, scheduler: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        train_detectors(None, None, None, runner, scheduler)


def test_all_and_a_name_contradict_each_other() -> None:
    said = ictal("train", "line_length", "--all")
    assert said.code == 2 and "leave one of them out" in said.err
