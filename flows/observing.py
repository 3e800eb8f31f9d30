"""Tells of every flow when it began and how it ended, as OpenLineage events, and never stands in its way."""

import inspect
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache, cached_property, wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from flows.workspace import Workspace, checkout_state, lock_digest, open_workspace
from lineage.entries import Software, uuid7
from lineage.ledger import Ledger
from lineage.refused import Refused
from lineage.run_events import Run, RunEvents, Touched, touched_since

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger("ictal")

_running: ContextVar[Run | None] = ContextVar("running", default=None)
"""The run that is going on, so that one started inside it can name its parent."""


def observed(name: str, body: Callable[P, R]) -> Callable[P, R]:
    """The same function, whose every run is told; `home`, its first parameter, is the workspace."""
    signature = inspect.signature(body)

    @wraps(body)
    def telling(*args: P.args, **kwargs: P.kwargs) -> R:
        home = signature.bind(*args, **kwargs).arguments["home"]
        with run_told(open_workspace(Path(home)), name):
            return body(*args, **kwargs)

    return telling


@contextmanager
def run_told(workspace: Workspace, name: str) -> Iterator[Run]:
    """Tell of the block as a run of the job `name`: START, then COMPLETE, or FAIL with the refusal or the error's kind."""
    run = Run(uuid7(datetime.now(UTC)), name, _software(), _running.get(), _engine_run())
    telling = _Telling(workspace, run)
    telling.begin()
    token = _running.set(run)
    try:
        yield run
    except BaseException as error:
        telling.end((isinstance(error, Refused) and str(error)) or type(error).__name__)
        raise
    finally:
        _running.reset(token)
    telling.end()


class _Telling:
    """The events of one run. Whatever goes wrong in here is logged by its kind, and the flow goes on."""

    def __init__(self, workspace: Workspace, run: Run):
        self._workspace, self._run = workspace, run
        self._events = RunEvents(workspace.run_events)
        self._size = 0

    @cached_property
    def _opened(self) -> Ledger:
        return Ledger(self._workspace.ledger_place, workspace=self._workspace.id)

    def begin(self) -> None:
        with _quietly():
            self._events.started(self._run, datetime.now(UTC))
            self._size = self._opened.head().size if self._workspace.has_ledger else 0

    def end(self, why: str = "") -> None:
        touched = Touched()
        with _quietly():
            if self._workspace.has_ledger:
                touched = touched_since(self._opened, self._size)
        with _quietly():
            now = datetime.now(UTC)
            if why:
                self._events.failed(self._run, why, touched, now)
            else:
                self._events.completed(self._run, touched, now)


@contextmanager
def _quietly() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        with suppress(Exception):
            log.warning("a run was not told as an OpenLineage event: %s", type(error).__name__)


def _engine_run() -> str:
    """The id of Prefect's own run around this one; empty outside of any, and where Prefect was never started."""
    if "prefect" not in sys.modules:
        return ""
    from prefect.runtime import flow_run

    return str(flow_run.id or "")


@cache
def _software() -> Software:
    """Asked once: what is changed on disk later is not what runs."""
    state = checkout_state()
    return Software(state["commit"], lock_digest(), state["dirty"])
