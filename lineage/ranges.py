"""A long ledger is read on all cores, range by range, as long as everything is as it was written.

A range is a complete subtree, so that its root can be put together with the others. Where anything at all is amiss a
range says only that; `lineage.audit` then reads the ledger in one piece and says what it is.
"""

import gc
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import NamedTuple

from sqlalchemy import URL, Engine, func, select
from sqlalchemy.orm import Session

from lineage import appending, dsse, merkle, said
from lineage.audit import kept_checkpoints, key_problems, line_of, payload_problems, repeated_ids
from lineage.checkpoints import Checkpoint, Progress, Verification
from lineage.copies import Copies
from lineage.rows import EntryRow, TreeRow
from lineage.store import open_store, raw_rows, session
from lineage.times import utc_text

LEVEL = 14
"""Of the subtree that is a range: 16,384 entries."""

AT_ONCE = 1024
"""Entries that one process holds at once."""

LONG = 100_000
"""Entries from which on the start of other processes is worth its second."""

PROCESSES = 8
"""At most; each has a connection of its own."""

Run = Callable[[Callable[[int], "Sound | None"], Iterable[int]], Iterator["Sound | None"]]


class Sound(NamedTuple):
    """A range in which everything is as it was written."""

    root: bytes
    first: str
    last: str
    rows: tuple[int, ...]


def verify_sound(
    reading: Session,
    checkpoints: Sequence[Checkpoint],
    keys: Sequence[dsse.PublicKey],
    *,
    level: int = LEVEL,
    run: Run | None = None,
    progress: Progress | None = None,
) -> Verification | None:
    """What `audit.verify` says of a ledger that is as it was written; None where it is not, or is short.

    With `run`, ranges are read as that maps them, however short the ledger is.
    """
    size = appending.tree_size(reading)
    if run is None:
        if size < LONG or (os.cpu_count() or 1) < 2:
            return None
        with _processes() as several:
            return verify_sound(reading, checkpoints, keys, level=level, run=several, progress=progress)
    engine = reading.get_bind()
    assert isinstance(engine, Engine)
    found = []
    for start, one in zip(
        starts := range(0, size, 1 << level), run(partial(_read_range, engine.url, level, size), starts), strict=True
    ):
        found += [one] if one else []
        if progress:
            progress(min(start + (1 << level), size), size)
    kept, unreadable = kept_checkpoints(reading)
    sound = (
        len(found) == -(-size >> level)
        and reading.scalar(select(func.count()).select_from(EntryRow)) == size
        and all(before.last <= after.first for before, after in pairwise(found))
        and _joins(reading, level, size, found)
        and not unreadable
        and not any(repeated_ids(reading))
        and not any(key_problems(checkpoints, keys))
        and all(_holds(reading, size, checkpoint) for checkpoint in (*kept, *checkpoints))
    )
    return Verification([], size, appending.head(reading).root) if sound else None


@contextmanager
def _processes() -> Iterator[Run]:
    """Without the collector of circles, of which reading makes none: it took a fourth of the time."""
    several, fresh = min(os.cpu_count() or 1, PROCESSES), multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(several, mp_context=fresh, initializer=gc.disable) as pool:
        yield pool.map


def _read_range(url: URL, level: int, size: int, start: int) -> Sound | None:
    """One range, from `start` to its end or that of the ledger; None where anything in it is amiss."""
    stop = min(start + (1 << level), size)
    frontier, leaves, first, last = merkle.Frontier(), list[bytes](), "", ""
    with session(_opened(url), write=False) as reading:
        copies = Copies(reading, before=start - 1 if start else None)
        for begin in range(start, stop, AT_ONCE):
            end = min(begin + AT_ONCE, stop)
            lines = raw_rows(reading, _LINES.where(EntryRow.seq >= begin, EntryRow.seq < end).order_by(EntryRow.seq))
            entries, last = _sound_lines(lines, begin, last)
            if len(entries) != end - begin or len(lines) != end - begin:
                return None
            first = first or entries[0].recorded_at
            leaves += [merkle.leaf_hash(line[4]) for line in lines]
            copies.compare(entries, end - 1)
            if not copies.agree or any(payload_problems(reading, entries)):
                return None
        made = frontier.add_all(leaves)
        copies.compare_tree((up, (start >> up) + place, row) for up, place, row in made)
        return Sound(frontier.root(), first, last, copies.rows) if copies.agree else None


def _sound_lines(lines: Iterable[tuple], begin: int, last: str) -> tuple[list[said.Entry], str]:
    """The entries up to the first that is amiss, and the time of the last of them; `last` is that of the one before."""
    entries = []
    for place, row in enumerate(lines, begin):
        line = line_of(*row)
        entry = line.entry
        if line.problem or entry is None or entry.seq != place:
            break
        if not max(entry.occurred_at, last) <= entry.recorded_at:
            break
        entries.append(entry)
        last = entry.recorded_at
    return entries, last


_LINES = select(EntryRow.seq, EntryRow.id, EntryRow.type, EntryRow.recorded_at, EntryRow.envelope)


def _opened(url: URL) -> Engine:
    return open_store(url.render_as_string(hide_password=False))


def _joins(reading: Session, level: int, size: int, found: Sequence[Sound]) -> bool:
    """Whether the tree above the ranges is theirs, and no copy holds more rows than follow from the entries."""
    above = merkle.Frontier()
    made = [node for one in found[: size >> level] for node in above.add(one.root)]
    upper = [(level + up, place, hash) for up, place, hash in made if up]
    stored = select(TreeRow.level, TreeRow.position, TreeRow.hash).where(TreeRow.level > level)
    rows = [sum(counts) for counts in zip(*(one.rows for one in found), strict=True)]
    return set(upper) == {tuple(row) for row in reading.execute(stored)} and Copies.totals(reading, len(upper)) == rows


def _holds(reading: Session, size: int, checkpoint: Checkpoint) -> bool:
    """Whether the ledger begins with what a checkpoint saw, at its time; for a tree that was found sound."""
    at = utc_text(checkpoint.at)
    times = select(EntryRow.seq, EntryRow.recorded_at).where(EntryRow.seq.in_((checkpoint.size - 1, checkpoint.size)))
    in_time = all(time <= at if seq < checkpoint.size else time >= at for seq, time in reading.execute(times))
    if not in_time or checkpoint.size > size:
        return False
    root = appending.over_tree(reading, lambda nodes: merkle.root_of(nodes, checkpoint.size))
    return root.hex() == checkpoint.root
