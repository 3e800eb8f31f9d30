"""How worker processes come about: forked from a process that is alone, otherwise from a server that imports by itself."""

import io
import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from importlib import import_module
from multiprocessing import forkserver, popen_forkserver, reduction, spawn, util
from multiprocessing.context import BaseContext, ForkServerProcess, set_spawning_popen
from typing import Any

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
"""Faster than threads that fight, and sums in one order whatever the machine. Libraries read it when they are imported."""

STARTING = threading.Lock()
"""To be held around start and end of a child: multiprocessing looks after the children of all threads at every start, and
a child's end can be read only once."""

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


def child(act: Callable[..., None], arguments: Sequence[Any], modules: Sequence[str]) -> ForkServerProcess:
    """A process that is not started yet, from a server with `modules` imported; it never runs this one's `__main__`.

    Python 3.11 has every child of a fork server run the script again that its parent runs, which
    would be seconds for each.
    """
    multiprocessing.get_context("forkserver").set_forkserver_preload(list(modules))
    os.environ.update(ONE_THREAD)
    return _Child(target=act, args=tuple(arguments), daemon=True)


class _Child(ForkServerProcess):
    @staticmethod
    def _Popen(process_obj: Any) -> Any:  # noqa: N802 multiprocessing's name
        return _WithoutMain(process_obj)


class _WithoutMain(popen_forkserver.Popen):
    """As its parent does it (Python 3.11), but that it does not tell what `__main__` is."""

    def _launch(self, process_obj: Any) -> None:
        told = spawn.get_preparation_data(process_obj._name)
        sent = io.BytesIO()
        set_spawning_popen(self)
        try:
            reduction.dump({name: value for name, value in told.items() if not name.startswith("init_main")}, sent)
            reduction.dump(process_obj, sent)
        finally:
            set_spawning_popen(None)
        self.sentinel, writing = forkserver.connect_to_new_process(self._fds)  # type: ignore[attr-defined]
        self.finalizer = util.Finalize(self, util.close_fds, (os.dup(writing), self.sentinel))  # type: ignore[attr-defined]
        with open(writing, "wb") as pipe:
            pipe.write(sent.getbuffer())
        self.pid = forkserver.read_signed(self.sentinel)
