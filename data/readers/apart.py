"""Files read in a process of their own, so that one which makes a decoder hang, blow up or crash takes nothing with it.

Who serves others says `with reading_apart():`; then every reader that is marked `may_run_apart` runs in a child process
with limits on memory and time, and hands its arrays back through shared memory. Everybody else reads in place.
"""

import json
import os
import resource
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from mmap import MAP_PRIVATE, mmap
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle, send_handle
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np

from data.outcomes import Refusal
from data.processes import STARTING, child
from data.readers.handover import packed, unpacked

P = ParamSpec("P")
Made = TypeVar("Made")

READERS = ("data.readers.edf", "data.readers.pose", "data.readers.video")
ENDS_S = 5.0
"""How long a child may take to end once it has said what it read."""
ALIGNED = 64
"""Bytes: arrays begin where NumPy would have put them, or sums would be made in another order."""


@dataclass(frozen=True)
class ReadLimits:
    """What reading may take: `cpu_s` of processor time, `wall_s` in all, and `memory_bytes` beyond what the process begins
    with, each the more the larger the files (per MiB, and per byte)."""

    cpu_s: float = 30.0
    cpu_s_per_mib: float = 0.25
    wall_s: float = 100.0
    memory_bytes: int = 2 << 30
    memory_per_byte: float = 8.0


FAILURES = {
    kind.__name__: kind
    for kind in (
        ValueError,
        TypeError,
        LookupError,
        KeyError,
        IndexError,
        AttributeError,
        ArithmeticError,
        ZeroDivisionError,
    )
}
"""Failures of ours that a child may name: what it says is never looked up anywhere else."""


class NotRead(OSError):
    """Reading was not done in time, or the process was ended from outside: it may work later."""


_LIMITS: ContextVar[ReadLimits | None] = ContextVar("reading apart", default=None)


@contextmanager
def reading_apart(limits: ReadLimits | None = None) -> Iterator[None]:
    """What this thread reads until the end of the block is read in processes of their own."""
    token = _LIMITS.set(limits or ReadLimits())
    try:
        yield
    finally:
        _LIMITS.reset(token)


def prepare() -> None:
    """Start the process that the others are forked from (1–2 s), before somebody waits for it."""
    _in_child(len, (), ReadLimits(), ((),), {})


def may_run_apart(read: Callable[P, Made]) -> Callable[P, Made]:
    """A reader that runs apart where that is asked for: a module's own function, whose first argument names its files.

    Apart, a crash and too much processor time are refused as `corrupt`, too much memory as `unsupported_format`; `NotRead`
    where it was not the file's fault for sure.
    """

    @wraps(read)
    def reading(*given: P.args, **named: P.kwargs) -> Made:
        limits = _LIMITS.get()
        if limits is None:
            return read(*given, **named)
        made: Made = _in_child(reading, _files(given[0]), limits, given, named)
        return made

    return reading


def _files(named: Any) -> list[Path]:
    """The files that a path, several paths, or a view stand for."""
    if isinstance(named, str | os.PathLike):
        return [Path(named)]
    return [Path(one) for one in named] if isinstance(named, Sequence) else [Path(named.path)]


def _in_child(
    act: Callable[..., Any], files: Sequence[Path], limits: ReadLimits, given: Sequence[Any], named: dict[str, Any]
) -> Any:
    size = sum(file.stat().st_size for file in files if file.is_file())
    cpu_s = limits.cpu_s + limits.cpu_s_per_mib * size / 2**20
    memory = limits.memory_bytes + int(limits.memory_per_byte * size)
    with _started(act, given, named, cpu_s, memory) as (pipe, end):
        if not pipe.poll(limits.wall_s):
            raise NotRead(f"reading was not done within {limits.wall_s:g} s")
        try:
            how, said = json.loads(pipe.recv_bytes())
            return _arrived(how, said, pipe, memory)
        except (EOFError, ConnectionResetError):
            raise _fell(end(), cpu_s) from None


@contextmanager
def _started(
    act: Callable[..., Any], given: Sequence[Any], named: dict[str, Any], cpu_s: float, memory: int
) -> Iterator[tuple[Connection, Callable[[], int | None]]]:
    """A child that reads, as the pipe to it and a way to have it ended; it has ended when the block has."""
    here, there = Pipe()
    reader = child(_child, (there, act, given, named, cpu_s, memory), READERS)
    with STARTING:
        reader.start()
    there.close()

    def end(patience_s: float = ENDS_S) -> int | None:
        with STARTING:
            reader.join(patience_s)
            reader.kill()  # does nothing where it has ended
            reader.join()
            return reader.exitcode

    try:
        yield here, end
    except NotRead:
        end(0)
        raise
    finally:
        end()
        with STARTING:
            reader.close()
        here.close()


def _arrived(how: str, said: list[Any], pipe: Connection, memory: int) -> Any:
    match how:
        case "made":
            return _received(pipe, *said)
        case "refused":
            raise Refusal(*said)
        case "memory":
            raise Refusal(
                "unsupported_format",
                f"reading this file takes more than {memory >> 20} MiB of memory: cut the recording, or scale the film",
            )
        case "unreadable":
            raise OSError(*said)
        case _:
            kind, place = said
            raise FAILURES.get(kind, RuntimeError)(place)


def _fell(code: int | None, cpu_s: float) -> Exception:
    """What it means that a child ended without a word."""
    if code == -signal.SIGXCPU:
        return Refusal("corrupt", f"reading took more than {cpu_s:.0f} s: export the recording again, or cut it")
    if code in (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT):
        return NotRead("reading was ended from outside")
    return Refusal("corrupt", "the decoder fell over this file: export or transfer the recording again")


def _child(
    pipe: Connection,
    act: Callable[..., Any],
    given: Sequence[Any],
    named: dict[str, Any],
    cpu_s: float,
    memory: int,
) -> None:
    """Runs in the child: says nothing but what it sends, since decoders complain with text from the file."""
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silence, stream)
    _bound(cpu_s, memory)
    try:
        _send(pipe, act(*given, **named))
    except Refusal as refusal:
        _say(pipe, "refused", refusal.code, refusal.reason)
    except MemoryError:
        _say(pipe, "memory")
    except OSError as error:
        _say(pipe, "unreadable", error.errno, "the recording cannot be read")
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        _say(pipe, "failed", type(error).__name__, f"{Path(last.filename).name}:{last.lineno}")


def _say(pipe: Connection, how: str, *said: Any) -> None:
    pipe.send_bytes(json.dumps((how, said)).encode())


def _bound(cpu_s: float, memory: int) -> None:
    begun_with = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    seconds = max(1, round(cpu_s))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (begun_with + memory, begun_with + memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))


def _send(pipe: Connection, made: Any) -> None:
    """An object, its arrays beside it in shared memory."""
    said, arrays = packed(made)
    with os.fdopen(os.memfd_create("read"), "wb") as shared:
        places = []
        for array in arrays:
            shared.seek(-(-shared.tell() // ALIGNED) * ALIGNED)
            places.append((shared.tell(), array.nbytes))
            shared.write(array.reshape(-1).view(np.uint8).data)
        shared.flush()
        _say(pipe, "made", said, places, os.fstat(shared.fileno()).st_size)
        send_handle(pipe, shared.fileno(), os.getppid())


def _received(pipe: Connection, said: Any, places: list[tuple[int, int]], size: int) -> Any:
    handle = recv_handle(pipe)
    try:
        shared = memoryview(mmap(handle, size, flags=MAP_PRIVATE)) if size else memoryview(bytearray())
    finally:
        os.close(handle)
    return unpacked(said, [shared[at : at + length] for at, length in places])
