"""Threads within one recording: they change how fast a result comes, never which."""

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TypeVar

Part = TypeVar("Part")
Result = TypeVar("Result")


_USED: ContextVar[int | None] = ContextVar("threads used", default=None)


@contextmanager
def using(count: int) -> Iterator[None]:
    """What this thread works out until the end of the block is shared out to so many threads."""
    token = _USED.set(count)
    try:
        yield
    finally:
        _USED.reset(token)


def threads() -> int:
    """As many as `using` says, else OMP_NUM_THREADS, which the libraries underneath obey too (1 where recordings share the
    cores), else every core."""
    return _USED.get() or int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0)))


def shares(count: int) -> list[slice]:
    """0 … count in as many contiguous shares as there are threads, none of them empty."""
    parts = min(threads(), count)
    ends = [count * i // parts for i in range(parts + 1)] if parts else [0]
    return [slice(a, b) for a, b in itertools.pairwise(ends)]


def each(work: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
    """`[work(p) for p in parts]`, at the same time; the parts share nothing that any of them changes."""
    return [work(p) for p in parts] if len(parts) < 2 else list(_pool(len(parts)).map(work, parts))


@cache
def _pool(size: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(size, "ictal")


os.register_at_fork(after_in_child=_pool.cache_clear)  # a forked process has none of the threads
