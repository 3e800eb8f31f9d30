"""Files and folders that have their name only when they are whole: whoever is stopped leaves none that is half-written."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A place beside `path`, of the same kind, to write to; it is called `path` when the block ends, in place of what
    was there, and goes when the block raises. For one writer at a time: two would write to the same place."""
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    partial.unlink(missing_ok=True)
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A place inside `path`, a new or empty folder, to write to; what lies there moves up when the block ends, and goes when
    the block raises, with the folder if it was not there. Inside, since a folder may be a disk of its own."""
    was_there = path.exists()
    partial = path / ".partial"
    partial.mkdir(parents=True)
    try:
        yield partial
        for one in sorted(partial.iterdir()):
            one.rename(path / one.name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if not was_there and not any(path.iterdir()):
            path.rmdir()
