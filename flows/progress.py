"""Progress that crosses a process border: a stage writes where it stands, whoever started it shows it."""

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

Show = Callable[[str, int, int], None]
"""show(what, done, total); a total of 0 is one that nobody knows beforehand."""


def reporter() -> Show:
    """For stages: writes to the file named by ICTAL_PROGRESS, else a line now and then to the terminal."""
    path = os.environ.get("ICTAL_PROGRESS")
    if path:
        return lambda what, done, total: _append(Path(path), what, done, total)
    return _print


@contextmanager
def on_terminal() -> Iterator[Show]:
    """One bar on standard error for as long as the block lasts, for all that is `shown` in it; nothing where nobody looks,
    as in a pipe or a schedule. Inside another such block it is that one's bar."""
    if shown() is not silently:
        yield shown()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield silently
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=20), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        task = progress.add_task("starting", total=None)

        def show(what: str, done: int, total: int) -> None:
            progress.update(task, description=what, completed=done, total=total or None)

        with shown_with(show):
            yield show


def silently(what: str, done: int, total: int) -> None:
    """Show nothing."""


_shown: ContextVar[Show] = ContextVar("shown", default=silently)


@contextmanager
def shown_with(show: Show) -> Iterator[None]:
    """Where this thread, and what it starts, shows how far it is for as long as the block lasts."""
    before = _shown.set(show)
    try:
        yield
    finally:
        _shown.reset(before)


def shown() -> Show:
    """Where progress is shown here."""
    return _shown.get()


@contextmanager
def following(path: Path, show: Show, every_s: float = 0.2) -> Iterator[dict[str, str]]:
    """For whoever starts a stage: give it the yielded environment, and `show` is called as it moves on, looked for
    every `every_s` seconds in a thread of its own. `path` is written anew, and is gone after the block."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    stop = threading.Event()
    thread = threading.Thread(target=_follow, args=(path, show, stop, every_s), daemon=True)
    thread.start()
    try:
        yield {"ICTAL_PROGRESS": str(path)}
    finally:
        stop.set()
        thread.join()
        path.unlink(missing_ok=True)


def _append(path: Path, what: str, done: int, total: int) -> None:
    with path.open("a") as file:
        file.write(json.dumps([what, done, total]) + "\n")


def _follow(path: Path, show: Show, stop: threading.Event, every_s: float) -> None:
    with path.open() as file:
        while True:
            finished = stop.wait(every_s)
            for line in file.readlines():
                if line.endswith("\n"):
                    show(*json.loads(line))
            if finished:
                return


def _print(what: str, done: int, total: int) -> None:
    if done == total or done % max(1, total // 5) == 0:
        print(f"  {what}: {done} of {total}", file=sys.stderr)
