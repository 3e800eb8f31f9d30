"""Cores are shared by the analyses that run, and a thread uses what it was given and no other does."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event

import pytest

from data.threads import shares, threads, using
from serving.desk import MOST_CORES, Cores


def test_an_analysis_that_is_alone_has_all_cores_and_later_ones_their_share() -> None:
    cores = Cores(4)
    with ExitStack() as running:
        found = []
        for _ in range(5):
            running.enter_context(cores.share())
            found.append(threads())
    assert found == [4, 2, 1, 1, 1]
    with cores.share():
        assert threads() == 4


def test_one_that_fails_gives_its_share_back() -> None:
    cores = Cores(4)
    with pytest.raises(ZeroDivisionError), cores.share():
        1 / 0  # noqa: B018
    with cores.share():
        assert threads() == 4


def test_a_machine_of_many_cores_does_not_spread_one_analysis_over_all() -> None:
    with Cores(64).share():
        assert threads() == MOST_CORES


def test_only_the_thread_that_asked_uses_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    inside, seen = Event(), Event()

    def analysis() -> tuple[int, int]:
        with using(3):
            inside.set()
            seen.wait(10)
            return threads(), len(shares(10))

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(analysis)
        inside.wait(10)
        assert threads() == 1
        seen.set()
        assert running.result() == (3, 3)
        assert pool.submit(threads).result() == 1, "behind the block the thread is as it was"
