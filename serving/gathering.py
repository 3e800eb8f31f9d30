"""What arrives while something else is answered is answered together; nobody waits for company."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class Gathering(Generic[Asked, Answer]):
    """Hands `act` all that is waiting when the event loop has taken in what had arrived, in the order of arrival.

    At most as many as weigh `most` together, but at least one; who is alone is answered at once. While `act` waits for
    something, what arrives is its next turn, up to `turns` at a time; more of it waits, and goes together. `act` gives an
    answer for each, or raises: then each is asked about alone, so that a failure reaches nobody else. It must have left
    nothing behind where it raised.
    """

    def __init__(
        self,
        act: Callable[[Sequence[Asked]], Awaitable[Sequence[Answer]]],
        weight: Callable[[Asked], float],
        most: float,
        turns: int = 1,
    ):
        self._act, self._weight, self._most, self._turns = act, weight, most, turns
        self._waiting: deque[tuple[Asked, asyncio.Future[Answer]]] = deque()
        self._taken = 0
        self._tasks = set[asyncio.Task[None]]()  # an event loop alone does not keep them

    async def __call__(self, asked: Asked) -> Answer:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((asked, answer))
        if self._taken < self._turns:
            self._taken += 1
            task = loop.create_task(self._answer())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await answer

    async def _answer(self) -> None:
        """Turn by turn until nobody waits; others are served between two turns."""
        try:
            while self._waiting:
                together = self._next()
                found = await self._found([asked for asked, _ in together])
                for (_, answer), said in zip(together, found, strict=True):
                    _tell(answer, said)
                await asyncio.sleep(0)
        finally:
            self._taken -= 1  # at once: whoever asks from here on begins a turn again

    def _next(self) -> list[tuple[Asked, "asyncio.Future[Answer]"]]:
        """Those whose turn it is; who has given up is left out."""
        together, weight = list[tuple[Asked, asyncio.Future[Answer]]](), 0.0
        while self._waiting:
            asked, answer = self._waiting[0]
            weight += self._weight(asked)
            if together and weight > self._most:
                break
            self._waiting.popleft()
            if not answer.done():
                together.append((asked, answer))
        return together

    async def _found(self, asked: Sequence[Asked]) -> Sequence[Answer | Exception]:
        try:
            return await self._act(asked) if asked else []
        except Exception as error:
            return [error] if len(asked) == 1 else [(await self._found([one]))[0] for one in asked]


def _tell(answer: "asyncio.Future[Answer]", said: Answer | Exception) -> None:
    if answer.done():
        return  # somebody gave up meanwhile
    if isinstance(said, Exception):
        answer.set_exception(said)
    else:
        answer.set_result(said)
