"""How worker processes come about: forked from a process that is alone, otherwise from a server that imports by itself."""

import multiprocessing
import os
import threading
from collections.abc import Sequence
from importlib import import_module
from multiprocessing.context import BaseContext

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
"""Faster than threads that fight, and sums in one order whatever the machine. Libraries read it when they are imported."""

_alone = [False]


def begin_alone() -> None:
    """Say that this process runs one stage and nothing else; to be called before any library is imported.

    Its workers are then forked from it with all that it has imported, which takes 3–4 s of processor time less each time.
    """
    os.environ.update(ONE_THREAD)
    _alone[0] = True


def context(modules: Sequence[str] = ()) -> BaseContext:
    """Where workers are made, with `modules` imported: a fork of this process where it is alone and runs one thread, else
    a server. A fork of a process with threads can hang."""
    os.environ.update(ONE_THREAD)
    if _alone[0] and threading.active_count() == 1:
        for module in modules:
            import_module(module)
        return multiprocessing.get_context("fork")
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(list(modules))
    return server
