"""One program at a time where a file is read, changed and written again: of two at once, what one wrote would be lost."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

LOCK = ".lock"
_HELD: ContextVar[frozenset[Path]] = ContextVar("folders in which this is alone", default=frozenset())


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """While the block lasts nobody else, thread or program, is in such a block for this folder, which is made if need be;
    who comes meanwhile waits. Inside such a block another one for the same folder goes on at once.

    The lock ends with the program, however that ends; the file `LOCK` stays, and says nothing.
    """
    whose = folder.resolve()
    if whose in _HELD.get():
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with open(os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600), "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        token = _HELD.set(_HELD.get() | {whose})
        try:
            yield
        finally:
            _HELD.reset(token)
