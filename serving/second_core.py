"""A process that looks at windows beside the one that serves, so that a second core takes part where many ask at once.

A thread would not do: half of a look are steps in Python, for which the threads of one process wait for each other.
"""

import asyncio
import json
import os
import signal
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np

from data.outcomes import Refusal
from data.processes import STARTING, child
from data.readers.apart import READERS
from models.bundle import Bundle
from models.together import Judged, judge_together
from serving.loader import Loaded
from serving.problems import where, write_line
from serving.store import stored_bundle

READY = b"r"
LENGTH = 8
"""Bytes that say how many follow."""
PATIENCE_S = 5.0
"""How long one look may take there: some hundred times what it takes."""
REST_S = 60.0
"""So long after a failure everything is looked at in the process that serves."""
Judgement = list[Judged | Refusal]


class Lost(Exception):
    """Nobody is at the other end any more, or nobody that could be understood."""


class SecondCore:
    """Judges stretches like `models.together.judge_together`, bit by bit; where the other process cannot now, in place.

    Nothing is started before stretches have arrived together, and with one core nothing ever is. `judge` belongs to the
    event loop, all else to one thread.
    """

    def __init__(self, home: Path, in_force: Callable[[], Loaded | None], cores: int | None = None):
        self._home, self._in_force = home, in_force
        self._has_cores = (cores or len(os.sched_getaffinity(0))) > 1
        self._second: _Second | None = None
        self._is_asked_for = False
        self._rests_until_s = float("-inf")

    async def judge(
        self, bundle: Bundle, signals: Sequence[np.ndarray], channels: tuple[str, ...], rate_hz: float
    ) -> Judgement:
        """One judgement for each of `signals` (channels, samples) in µV, which are all of one shape.

        What is alone is looked at in place while nothing else is: the way there and back takes a third of a look.
        """
        second = self._second
        is_busy = second is not None and second.asked > 0
        if self._has_cores and (len(signals) > 1 or is_busy):
            self._is_asked_for = True
            if second is not None:
                try:
                    ready = second.is_ready_for(bundle)
                    if ready and (found := await second.ask(np.stack(signals), channels, rate_hz)) is not None:
                        return found
                except (OSError, EOFError, Lost) as error:
                    second.is_lost = True  # an answer that comes later would be taken for that to another question
                    write_line("failure", request_id="", **where(error))
        return judge_together(bundle, signals, channels, rate_hz)

    def keep_up(self) -> None:
        """Have the process that is wanted for the model in force, and no other; to be called every second."""
        loaded = self._in_force() if self._is_asked_for else None
        second = self._second
        if second is not None and (second.is_lost or loaded is None or second.bundle != loaded.bundle.digest):
            self._second = None
            second.end()
            if second.is_lost:
                self._rests_until_s = time.monotonic() + REST_S
        if self._second is None and loaded is not None and time.monotonic() >= self._rests_until_s:
            self._rests_until_s = time.monotonic() + REST_S  # where it cannot be started, not each second anew
            self._second = _Second(stored_bundle(self._home, loaded.terms.pointer.tag), loaded.bundle.digest)
            self._rests_until_s = float("-inf")

    def close(self) -> None:
        """End the process, if there is one."""
        if self._second is not None:
            self._second.end()


class _Second:
    """The other process, which has one bundle in memory, and the line to it."""

    def __init__(self, folder: Path, bundle: str):
        self.bundle, self.asked, self.is_lost = bundle, 0, False
        self._is_ready, self._turn = False, asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None  # to which they belong
        self._line, there = socket.socketpair()
        self.process: Any = child(_serve, (there, folder, bundle), READERS)
        with STARTING:
            self.process.start()
        there.close()

    def is_ready_for(self, bundle: Bundle) -> bool:
        """Whether it has said that this bundle is in memory; does not wait for it."""
        if not self._is_ready and not self.is_lost:
            with suppress(BlockingIOError):
                self._is_ready = self._line.recv(len(READY), socket.MSG_DONTWAIT) == READY
                self.is_lost = not self._is_ready
        return self._is_ready and not self.is_lost and self.bundle == bundle.digest

    async def ask(self, signals: np.ndarray, channels: tuple[str, ...], rate_hz: float) -> Judgement | None:
        """What it says of (stretches, channels, samples), None where it failed; it answers in the order of asking."""
        head = json.dumps([signals.shape, signals.dtype.str, channels, rate_hz]).encode()
        self.asked += 1
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._ask(_framed(head) + _framed(signals.tobytes()))
        finally:
            self.asked -= 1

    async def _ask(self, sent: bytes) -> Judgement | None:
        if self._streams is None:
            async with self._turn:
                if self._streams is None:
                    self._loop = asyncio.get_running_loop()
                    self._streams = await asyncio.open_unix_connection(sock=self._line)
        reader, writer = self._streams
        writer.write(sent)
        async with self._turn:
            if self.is_lost:
                raise Lost
            return _heard(await reader.readexactly(int.from_bytes(await reader.readexactly(LENGTH))))

    def end(self) -> None:
        with STARTING:
            self.process.kill()
            self.process.join()
            self.process.close()
        if self._streams is None or self._loop is None:
            self._line.close()
        else:
            self._loop.call_soon_threadsafe(self._streams[1].close)


def _serve(line: socket.socket, folder: Path, digest: str) -> None:
    """Runs in the other process, for as long as somebody is at the other end."""
    from models.engines import ONNX_RUNTIME
    from models.typing import load_model

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who ends the service at a terminal ends it by the service
    bundle = load_model(folder, ONNX_RUNTIME)
    if not isinstance(bundle, Bundle) or bundle.digest != digest:
        return
    line.sendall(READY)
    with suppress(ConnectionError), line, line.makefile("rb") as asked:
        while head := _read(asked):
            line.sendall(_framed(_said(bundle, head, _read(asked))))


def _said(bundle: Bundle, head: bytes, body: bytes) -> bytes:
    """The judgement as JSON, which has every bit of a number; null where it fails: then it is tried in place, and the failure
    is that of the process that serves."""
    shape, kind, channels, rate_hz = json.loads(head)
    signals = list(np.frombuffer(body, kind).reshape(shape))
    try:
        found = judge_together(bundle, signals, tuple(channels), rate_hz)
    except Exception:
        return b"null"
    return json.dumps([_told(one) for one in found]).encode()


def _told(one: Judged | Refusal) -> list[Any]:
    if isinstance(one, Refusal):
        return [one.code, one.reason]
    return [[array.dtype.str, array.tolist()] for array in (one.onset_s, one.probability)]


def _heard(said: bytes) -> Judgement | None:
    found = json.loads(said)
    return None if found is None else [_one_of(*told) for told in found]


def _one_of(first: Any, second: Any) -> Judged | Refusal:
    if isinstance(first, str):
        return Refusal(first, second)
    (kind, onset_s), (other, probability) = first, second
    return Judged(np.array(onset_s, kind), np.array(probability, other))


def _framed(content: bytes) -> bytes:
    return len(content).to_bytes(LENGTH) + content


def _read(stream: BufferedReader) -> bytes:
    """What comes next, empty where nobody is there any more."""
    return stream.read(int.from_bytes(stream.read(LENGTH)))
