"""What arrives while something else is answered is answered together; nobody waits for company."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class Gathering(Generic[Asked, Answer]):
    """Hands `act` all that is waiting when the event loop has taken in what had arrived, in the order of arrival.

    At most as many as weigh `most` together, but at least one; who is alone is answered at once. `act` runs in the event
    loop and gives an answer for each, or raises: then each is asked about alone, so that a failure reaches nobody else.
    It must have left nothing behind where it raised.
    """

    def __init__(
        self, act: Callable[[Sequence[Asked]], Sequence[Answer]], weight: Callable[[Asked], float], most: float
    ):
        self._act, self._weight, self._most = act, weight, most
        self._waiting: deque[tuple[Asked, asyncio.Future[Answer]]] = deque()

    async def __call__(self, asked: Asked) -> Answer:
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._answer)
        answer: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((asked, answer))
        return await answer

    def _answer(self) -> None:
        together = self._next()
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._answer)
        for (_, answer), found in zip(together, self._found([asked for asked, _ in together]), strict=True):
            if isinstance(found, Exception):
                answer.set_exception(found)
            else:
                answer.set_result(found)

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

    def _found(self, asked: Sequence[Asked]) -> Sequence[Answer | Exception]:
        try:
            return self._act(asked) if asked else []
        except Exception as error:
            return [error] if len(asked) == 1 else [self._found([one])[0] for one in asked]
