"""A benchmark case: the same work done by Ictal and in the obvious way, at one or several sizes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Work:
    """The least that has to be done: bytes that are read or written once, FLOP of convolutions and matrix products."""

    bytes: float = 0.0
    flop: float = 0.0


@dataclass(frozen=True)
class Case:
    """`make(size)` gives the data of both; `same` is told both answers and says in a sentence how they differ, or "".

    The alternative runs at sizes up to `theirs_up_to`, and may do only a share of the work where all of it would take
    minutes: `theirs_share(size)` of it, and its time is divided by that. `target`: limits at the largest size, some of
    `ratio` (times faster, at least), `cpu_seconds` (of one thread: what it takes on a core of its own, whoever shares the
    machine), `peak_mib`, `mib_per_unit` (what the work adds to the process at its peak, by size), `excess_over_n` and
    `excess_over_n_log_n` (of the exponent with which it grows), at most; judged in a full run.

    `figures` makes further ones of the answers of all rounds at a size (ours, theirs). The target names those of one size,
    and the ratio there, with it: `p99_over_p50@8`; what begins with `ratio` is to be at least, all else at most.

    Both ways may use `threads` threads. The ratio is of CPU seconds, which a busy machine hardly moves, or with `clock`
    of wall seconds, where threads are to be worth something; then other work on the machine is in it.

    `least` says of the data what has to be done at least, for the estimate of how fast any way of doing it could be here.

    Each run has a process of its own, unless the work is done by servers: they are started once, and both are warm.
    """

    name: str
    claim: str
    alternative: str
    sizes: tuple[float, ...]
    quick_sizes: tuple[float, ...]
    make: Callable[[Any], Any]
    ours: Callable[[Any], Any]
    theirs: Callable[[Any], Any]
    same: Callable[[Any, Any], str]
    unit: str = "recordings"
    rounds: int = 5
    theirs_up_to: float = 10**9
    theirs_share: Callable[[float], float] = lambda size: 1.0
    target: dict[str, float] = field(default_factory=dict)
    figures: Callable[[Sequence[Any], Sequence[Any]], dict[str, float]] = lambda ours, theirs: {}
    threads: int = 1
    clock: Literal["cpu_seconds", "seconds"] = "cpu_seconds"
    apart: bool = True
    least: Callable[[Any], Work] | None = None


@dataclass(frozen=True)
class Run:
    """One run in a process of its own: its answer, what it took, the process's peak memory with the data in it, and by
    how much that lies above what it held when the work began (what was imported, and data that was made)."""

    answer: Any
    seconds: float
    cpu_seconds: float
    peak_mib: float
    added_mib: float
    least: Work | None = None
