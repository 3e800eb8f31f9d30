"""Work spread over processes comes back complete, in order, and the same whatever the number of workers."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from flows.parallel import over, workers
from lineage.refused import Refused


def noise(seed: int) -> float:
    return float(np.random.default_rng(seed).normal(size=1000) @ np.ones(1000))


def threads(_: int) -> str:
    return os.environ["OMP_NUM_THREADS"]


def picky(item: int) -> int:
    if item == 3:
        raise ValueError("three is refused")
    return item


def process_of(item: int) -> int:
    return os.getpid()


def silent(what: str, done: int, total: int) -> None: ...


@pytest.mark.parametrize("count", ["1", "2"])
def test_results_come_in_the_order_of_the_items_whatever_the_number_of_workers(
    monkeypatch: pytest.MonkeyPatch, count: str
) -> None:
    monkeypatch.setenv("ICTAL_WORKERS", count)
    assert workers() == int(count)
    assert over(noise, range(7), "noise", silent) == [noise(seed) for seed in range(7)]


@pytest.mark.parametrize("share", ["", "0"])
def test_every_core_is_used_where_no_number_is_given(monkeypatch: pytest.MonkeyPatch, share: str) -> None:
    monkeypatch.setenv("ICTAL_WORKERS", share)
    assert workers() == len(os.sched_getaffinity(0))


@pytest.mark.parametrize("share", ["-1", "two", "1.5", " ", "9" * 5000])
def test_a_number_of_workers_that_means_nothing_is_refused(monkeypatch: pytest.MonkeyPatch, share: str) -> None:
    monkeypatch.setenv("ICTAL_WORKERS", share)
    with pytest.raises(Refused, match="ICTAL_WORKERS is a whole number"):
        workers()


def test_progress_goes_from_nothing_to_all() -> None:
    seen: list[tuple[int, int]] = []
    over(picky, [0, 1, 2], "items", lambda what, done, total: seen.append((done, total)))
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_the_first_failure_is_raised() -> None:
    with pytest.raises(ValueError, match="three is refused"):
        over(picky, range(6), "items", silent)


def fails_or_waits(item: tuple[int, str]) -> None:
    number, folder = item
    if number == 0:
        while not os.listdir(folder):
            time.sleep(0.01)
        raise ValueError("nothing to be done")
    Path(folder, str(os.getpid())).touch()
    time.sleep(60)


def test_fault_after_a_failure_no_worker_is_left_behind(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing to be done"):
        over(fails_or_waits, [(0, str(tmp_path)), (1, str(tmp_path))], "x", silent)
    (waits,) = (int(path.name) for path in tmp_path.iterdir())
    for _ in range(1000):
        if not psutil.pid_exists(waits) or psutil.Process(waits).status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(0.01)
    raise AssertionError("the other worker goes on although nobody waits for it")


def test_nothing_to_do_gives_nothing() -> None:
    assert over(picky, [], "items", silent) == []


def test_every_worker_computes_with_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert over(threads, range(2), "threads", silent) == ["1", "1"]


def test_without_a_wish_every_core_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ICTAL_WORKERS", raising=False)
    assert workers() == len(os.sched_getaffinity(0))


def test_a_stage_that_has_one_worker_is_that_worker() -> None:
    alone = """
import os
from data.processes import begin_alone
begin_alone()
from flows.parallel import over
from tests.test_parallel import process_of, silent
print(set(over(process_of, range(3), "items", silent)) == {os.getpid()})
"""
    for count, same in (("1", "True"), ("2", "False")):
        done = subprocess.run(
            [sys.executable, "-c", alone], env=os.environ | {"ICTAL_WORKERS": count}, capture_output=True, text=True
        )
        assert done.stdout.strip() == same, done.stderr
