"""Files and folders that have their name only when they are whole: whoever is stopped leaves none that is half-written."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lineage.refused import Refused


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A place beside `path`, of the same kind, to write to; it is called `path` when the block ends, in place of what
    was there, and goes when the block raises. For one writer at a time: two would write to the same place. Refused
    where `path` is a folder, and in a folder that is not there."""
    if path.is_dir() or not path.parent.is_dir():
        raise Refused(f"{path.name} cannot be written there: name a file, in a folder that is there")
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
    the block raises, with the folder if it was not there. Inside, since a folder may be a disk of its own.

    Refused for a file, a folder that holds anything, and one in which another writes, or was killed while it wrote: nobody
    can see from here which.
    """
    was_there = path.exists()
    partial = path / ".partial"
    if was_there and not path.is_dir():
        raise Refused("this is a file, and a folder is needed: name another place")
    if was_there and any(one != partial for one in path.iterdir()):
        raise Refused("the folder is not empty: name another")
    try:
        partial.mkdir(parents=True)
    except FileExistsError as error:
        raise Refused(
            f"in this folder lies {partial.name}: of another program that writes there, or of one that was killed; remove "
            "it if none writes there, since what it holds is half of an answer, or name another folder"
        ) from error
    try:
        yield partial
        for one in sorted(partial.iterdir()):
            one.rename(path / one.name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if not was_there and not any(path.iterdir()):
            path.rmdir()
