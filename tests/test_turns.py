"""Threads that sites share: however many one has sent, another's turn comes next."""

import asyncio
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.turns import Turns

SITES = st.lists(st.sampled_from(["south", "east", "west"]), max_size=12)


def order_of(sent: list[str], at_once: int) -> list[str]:
    """Sites in the order in which their work was begun; all of it was sent before the first ended."""
    begun: list[str] = []

    async def run() -> None:
        with ThreadPoolExecutor(at_once) as pool:
            turns, go_on = Turns(pool, at_once), threading.Event()

            def work(site: str) -> str:
                begun.append(site)
                go_on.wait()
                return site

            asked = [asyncio.create_task(turns(site, work, site)) for site in sent]
            for _ in range(3):
                await asyncio.sleep(0)
            go_on.set()
            assert await asyncio.gather(*asked) == sent

    asyncio.run(run())
    return begun


@given(SITES, SITES, st.integers(1, 3))
@settings(deadline=None)
def test_a_site_waits_for_what_runs_and_one_turn_of_each_other_site(
    before: list[str], after: list[str], at_once: int
) -> None:
    order = order_of([*before, "north", *after], at_once)
    sites = len({*before, *after})
    assert order.index("north") < at_once + sites
    assert Counter(order) == Counter([*before, "north", *after])


def test_of_one_site_the_first_that_came_goes_first() -> None:
    done: list[int] = []

    async def run() -> None:
        with ThreadPoolExecutor(1) as pool:
            turns = Turns(pool, 1)
            await asyncio.gather(*(turns("north", done.append, number) for number in range(5)))

    asyncio.run(run())
    assert done == list(range(5))


def test_who_gives_up_leaves_the_queue_and_a_thread_at_work_is_taken_until_it_ends() -> None:
    async def run() -> None:
        with ThreadPoolExecutor(2) as pool:
            turns, go_on, begun = Turns(pool, 1), threading.Event(), threading.Event()

            def stuck() -> None:
                begun.set()
                go_on.wait()

            working = asyncio.create_task(turns("north", stuck))
            waiting = asyncio.create_task(turns("south", lambda: None))
            last = asyncio.create_task(turns("east", lambda: "done"))
            while not begun.is_set():
                await asyncio.sleep(0.001)
            working.cancel()
            waiting.cancel()
            await asyncio.gather(working, waiting, return_exceptions=True)
            assert not (await asyncio.wait({last}, timeout=0.05))[0]  # the thread is still at work
            go_on.set()
            assert await last == "done"
            assert await turns("south", lambda: "again") == "again"

    asyncio.run(run())


def test_a_turn_that_comes_as_it_is_given_up_goes_to_the_next() -> None:
    async def run() -> None:
        with ThreadPoolExecutor(1) as pool:
            turns = Turns(pool, 1)
            first = asyncio.create_task(turns("north", lambda: None))
            await asyncio.sleep(0)  # its turn has come, and it has not begun
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            assert await turns("south", lambda: "done") == "done"

    asyncio.run(run())


@pytest.mark.parametrize("given_up", [False, True])
def test_what_was_made_for_somebody_who_has_given_up_is_handed_over(given_up: bool) -> None:
    left: list[str] = []

    async def run() -> None:
        with ThreadPoolExecutor(2) as pool:
            turns, go_on, begun = Turns(pool, 2), threading.Event(), threading.Event()

            def work(made: str) -> str:
                begun.set()
                go_on.wait()
                return made

            asked = asyncio.create_task(turns("north", work, "answer", left=left.append))
            while not begun.is_set():
                await asyncio.sleep(0.001)
            if given_up:
                asked.cancel()
                await asyncio.gather(asked, return_exceptions=True)
            go_on.set()
            await asyncio.gather(asked, return_exceptions=True)

    asyncio.run(run())
    assert left == (["answer"] if given_up else [])


def test_what_fails_gives_its_thread_back() -> None:
    def fail() -> None:
        raise ValueError

    async def run() -> None:
        with ThreadPoolExecutor(1) as pool:
            turns = Turns(pool, 1)
            for _ in range(3):
                (failed,) = await asyncio.gather(turns("north", fail), return_exceptions=True)
                assert isinstance(failed, ValueError)

    asyncio.run(run())
