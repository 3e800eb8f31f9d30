"""A stream as seen from a site: samples in, seconds and events out, and a connection that finds its way back."""

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import numpy as np

from serving.client import AGAIN, LOOPBACK, ServiceRefused, check_rows
from serving.stream import HEADER, SAMPLE, chunk_of

OPEN_S, CLOSE_S = 30.0, 2.0
ANSWER_BYTES = 64 * 2**20
PAUSE_S = 0.5
HELD_S = 5.0
"""A connection that held for so long has gone on, also where nothing was sent over it."""
LOST = 408
"""Status of a problem after which the stream goes on over another connection, as it does after those of `AGAIN` once it has
begun: what the service could not keep now is sent again."""

Told = Callable[[dict[str, Any]], None]


class Stream:
    """Sends a recording while it is made. Use as a context; `told` hears each `heard` message once, in order.

    What was not acknowledged is kept (at most as much as the service lets wait) and sent again after a lost connection;
    for `patience_s` it is tried to find the service again. Raises ServiceRefused where it refuses. For one thread;
    `age` as 3d, 2w, 5mo or 34y.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        channels: tuple[str, ...],
        rate_hz: float,
        age: str | None = None,
        told: Told = lambda heard: None,
        patience_s: float = 60.0,
    ):
        parts = urlsplit(url)
        scheme = "wss" if parts.scheme == "https" else "ws"
        self._url = urlunsplit((scheme, parts.netloc, "/v1/stream", "", ""))
        self._is_local = parts.hostname in LOOPBACK
        self._key, self._told, self._patience_s = key, told, patience_s
        self._rows = len(channels)
        self._unheard: dict[int, bytes | str] = {}
        self._seq, self._have_s, self._have_events = 0, 0, 0
        self._stuck_since_s: float | None = None
        """When the connection was lost, while it is not known since whether the stream goes on (monotonic)."""
        self._found_s = time.monotonic()
        self._last_heard = ""
        """Why the service could not go on, as it said last."""
        self.answer: dict[str, Any] | None = None
        self._open = ExitStack()
        first = {"type": "hello", "channels": list(channels), "rate_hz": rate_hz, "unit": "uV", "age": age}
        try:
            self.welcome = self._begin(first)
        except _Lost as lost:
            raise ServiceRefused(0, "no welcome came from the service: is it running, or busy?") from lost

    @property
    def prediction_id(self) -> str:
        """Under which the answer will stand, whatever happens to the connection."""
        return str(self.welcome["prediction_id"])

    def send(self, signal: np.ndarray) -> None:
        """The next samples (channels, any number) in µV, a row for each channel that was named. Waits while too much of
        what was sent is not heard."""
        check_rows(signal, self._rows)
        room = (self.welcome["limits"]["chunk_bytes"] - HEADER) // (self._rows * SAMPLE.itemsize)
        for at in range(0, signal.shape[1], room):
            self._number(chunk_of(self._seq, signal[:, at : at + room]))

    def gap(self, seconds: float) -> None:
        """Nothing was recorded for so long."""
        self._number(json.dumps({"type": "gap", "seq": self._seq, "seconds": seconds}))

    def finish(self, duration_s: float | None = None) -> dict[str, Any]:
        """The recording is over: the answer, with its receipt. May be called again, and gives the same. `duration_s`
        where the recording's clock ran on after the last sample."""
        if self.answer is None:
            self._number(json.dumps({"type": "end", "seq": self._seq, "duration_s": duration_s}))
        while self.answer is None:
            self._hear(None)
        return self.answer

    def close(self) -> None:
        """Close the connection and leave the stream as it is: it may be found again."""
        self._open.close()

    def __enter__(self) -> "Stream":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _number(self, message: bytes | str) -> None:
        limits = self.welcome["limits"]
        if self._has_held():
            self._goes_on()
        self._unheard[self._seq] = message
        self._seq += 1
        self._try(lambda: self._connection.send(message))
        while self.answer is None and self._is_full(limits["ahead"], limits["ahead_bytes"]):
            self._hear(None)
        while self.answer is None and self._hear(0.0):
            pass

    def _is_full(self, most: int, most_bytes: int) -> bool:
        return len(self._unheard) >= most or sum(map(len, self._unheard.values())) > most_bytes

    def _hear(self, wait_s: float | None) -> bool:
        """Take in one message, if one comes within `wait_s` (None: however long it takes)."""

        def one() -> bool:
            try:
                message = self._receive(wait_s)
            except TimeoutError:
                return False
            return self._take(message)

        return bool(self._try(one))

    def _take(self, message: dict[str, Any]) -> bool:
        kind = message["type"]
        if kind == "ack":
            self._stuck_since_s, self._last_heard = None, ""
            for seq in [seq for seq in self._unheard if seq < message["next_seq"]]:
                del self._unheard[seq]
        elif kind == "heard":
            self._have_s = message["first_s"] + len(message["trend_1hz"])
            self._have_events += len(message["events"])
            self._told(message)
        elif kind == "answer":
            self.answer = message["answer"]
        elif message["problem"]["status"] in AGAIN:
            self._last_heard = message["problem"]["detail"]
            raise _Lost
        else:
            if message["problem"]["status"] == LOST:  # it was well until then
                self._goes_on()
            self._refuse(message["problem"])
        return True

    def _has_held(self) -> bool:
        return time.monotonic() - self._found_s >= HELD_S

    def _goes_on(self) -> None:
        """Nothing is amiss, unless something that was sent waits for being heard."""
        if not self._unheard:
            self._stuck_since_s, self._last_heard = None, ""

    def _try(self, act: Callable[[], Any]) -> Any:
        """Do it; after a lost connection go on over a new one, on which everything that was not heard is sent again."""
        from websockets.exceptions import ConnectionClosed

        try:
            return act()
        except ConnectionClosed:
            if self._has_held():
                self._goes_on()
        except _Lost:
            pass
        if self.answer is None:
            self._go_on()
        return True

    def _go_on(self) -> None:
        from websockets.exceptions import ConnectionClosed

        if self._stuck_since_s is not None:  # it was found again, and did not go on
            self._pause(self._stuck_since_s)
        since_s = self._stuck_since_s = self._stuck_since_s or time.monotonic()
        while True:
            try:
                have = {"have_s": self._have_s, "have_events": self._have_events}
                welcome = self._begin({"type": "resume", "token": self.welcome["token"], **have})
                self._check_kept(welcome["next_seq"])
                for seq, message in sorted(self._unheard.items()):
                    if seq >= welcome["next_seq"]:
                        self._connection.send(message)
                self._found_s = time.monotonic()
                return
            except (ConnectionClosed, _Lost):
                pass
            except ServiceRefused as refused:
                if refused.status not in AGAIN:
                    raise
                self._last_heard = refused.detail
            self._pause(since_s)

    def _pause(self, since_s: float) -> None:
        if time.monotonic() - since_s > self._patience_s:
            heard = f"; last heard: {self._last_heard}" if self._last_heard else ""
            within = f"within {self._patience_s:g} s"
            raise ServiceRefused(0, f"the service was not found again, or could not go on, {within}{heard}")
        time.sleep(PAUSE_S)

    def _check_kept(self, next_seq: int) -> None:
        """What was acknowledged is kept here no longer: only the service could still have it."""
        if next_seq < min(self._unheard, default=self._seq):
            raise ServiceRefused(
                0,
                f"the service asks for part {next_seq}, which it had acknowledged: begin another stream, and send the "
                "recording from its first sample",
            )

    def _begin(self, first: dict[str, Any]) -> dict[str, Any]:
        """The answer to the first message of a new connection; the one before is closed, and this one where it fails."""
        self.close()
        self._connect()
        try:
            return self._welcomed(first)
        except BaseException:
            self.close()
            raise

    def _connect(self) -> None:
        from websockets.exceptions import InvalidHandshake, InvalidStatus
        from websockets.sync.client import connect

        headers = {"Authorization": f"Bearer {self._key}"}
        options: dict[str, Any] = {"open_timeout": OPEN_S, "close_timeout": CLOSE_S, "max_size": ANSWER_BYTES}
        if self._is_local:
            options["proxy"] = None  # what stays on this machine never goes through a proxy
        try:
            self._connection = self._open.enter_context(connect(self._url, additional_headers=headers, **options))
        except InvalidStatus as error:
            self._refuse(_problem(error.response.body, error.response.status_code))
        except (OSError, InvalidHandshake) as error:
            raise ServiceRefused(
                0, f"the service cannot be reached ({type(error).__name__}): is it running?"
            ) from error

    def _welcomed(self, first: dict[str, Any]) -> dict[str, Any]:
        from websockets.exceptions import ConnectionClosed

        try:
            self._connection.send(json.dumps(first))
            welcome = self._receive(OPEN_S)
        except (ConnectionClosed, TimeoutError) as error:
            raise _Lost from error
        if welcome["type"] != "welcome":
            self._refuse(welcome["problem"])
        return welcome

    def _receive(self, wait_s: float | None) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._connection.recv(wait_s))
        return message

    def _refuse(self, problem: dict[str, Any]) -> None:
        if problem["status"] == LOST:
            raise _Lost
        raise ServiceRefused(problem["status"], problem["detail"], problem.get("instance", ""))


class _Lost(Exception):
    """The connection is of no more use; the service keeps the stream."""


def _problem(body: bytes | bytearray | None, status: int) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(body or b"")
        return {"status": status, "detail": str(found["detail"]), "instance": str(found.get("instance", ""))}
    except (ValueError, KeyError, TypeError):
        return {"status": status, "detail": "the answer is not this service's: check the address"}
