"""Whose turn it is where several sites wait for the same few threads: however many one has sent, another comes next."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import count

from serving.threads import Made


class Turns:
    """The threads of a pool, of which `at_once` are lent. Used in one event loop.

    Next is who waits longest of the site with the fewest threads, and of several such sites the one whose turn was longest ago. So
    a site waits for what runs and for one turn of each other site, whatever they have sent.
    """

    def __init__(self, pool: ThreadPoolExecutor, at_once: int):
        self._pool, self._free = pool, at_once
        self._running, self._last, self._numbers = Counter[str](), dict[str, int](), count(1)
        self._waiting = dict[str, deque[asyncio.Future[None]]]()

    async def __call__(
        self, site: str, act: Callable[..., Made], *arguments: object, left: Callable[[Made], None] | None = None
    ) -> Made:
        """What `act` makes, once it is the site's turn. Who gives up while it runs leaves its thread at work, and taken; `left` is
        then told, in that thread, what was made."""
        await self._turn(site)
        loop = asyncio.get_running_loop()
        thread = self._pool.submit(act, *arguments)
        thread.add_done_callback(lambda _: loop.call_soon_threadsafe(self._end, site))
        try:
            return await asyncio.wrap_future(thread)
        except asyncio.CancelledError:
            if left is not None:
                thread.add_done_callback(partial(_hand_over, left))
            raise

    async def _turn(self, site: str) -> None:
        mine = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(site, deque()).append(mine)
        self._lend()
        try:
            await mine
        except asyncio.CancelledError:
            if not mine.cancelled():  # the turn came at the same moment
                self._end(site)
            raise

    def _lend(self) -> None:
        while self._free and (site := self._next()) is not None:
            self._free -= 1
            self._running[site] += 1
            self._last[site] = next(self._numbers)
            self._waiting[site].popleft().set_result(None)

    def _next(self) -> str | None:
        for site, waiting in tuple(self._waiting.items()):
            while waiting and waiting[0].cancelled():
                waiting.popleft()
            if not waiting:
                del self._waiting[site]
        return min(self._waiting, key=lambda site: (self._running[site], self._last.get(site, 0)), default=None)

    def _end(self, site: str) -> None:
        self._free += 1
        self._running[site] -= 1
        self._lend()


def _hand_over(left: Callable[[Made], None], thread: "Future[Made]") -> None:
    if not thread.cancelled() and thread.exception() is None:
        left(thread.result())
