"""What takes long is done in threads, while the event loop passes bytes on."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

Made = TypeVar("Made")


async def in_thread(pool: ThreadPoolExecutor, act: Callable[..., Made], *arguments: object) -> Made:
    """What `act` makes, or raises, in a thread of the pool. Who is cut off while waiting leaves the thread at work."""
    return await asyncio.get_running_loop().run_in_executor(pool, partial(act, *arguments))
