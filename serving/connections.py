"""Connections of which nobody knows yet whose they are: their number and what they hold are bounded, since uvicorn bounds neither.

Run uvicorn with `--http serving.connections:Connection`. What a site's requests take is bounded by `limits.Bounds`.
"""

import uuid
from asyncio import BaseTransport, TimerHandle
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.limits import HEADERS
from serving.problems import ProblemError, problem_response

MOST_WAITING = 512
"""Connections on which nothing is being answered. Each takes a file of the process, of which systems often allow 1024."""
MOST_HEAD = 65_536
"""Bytes of a head, or of what else comes between two parts of a body, before it is whole (roughly: a read may hold more)."""
LONG_HEAD = f"the head of a request has at most {MOST_HEAD} bytes: leave out headers and queries that nobody reads"
NO_REQUEST = "this cannot be read as a request of HTTP/1.1: see /openapi.json for what there is"
UNREAD_S = 20.0
"""How long a client may read nothing of an answer that does not fit on the way to it."""


class Connection(HttpToolsProtocol):
    """uvicorn's, which ends the one that has waited longest where more than `most_waiting` wait: for the head of a request, or for
    the rest of a body that is not read any more; and one whose client does not read. uvicorn itself waits for all of these
    without end."""

    most_waiting: ClassVar = MOST_WAITING
    unread_s: ClassVar = UNREAD_S
    _waiting: ClassVar[dict["Connection", None]] = {}
    """In the order in which they began to wait."""
    _unread: TimerHandle | None = None
    _held = 0
    """Bytes that came since a head was whole or a part of a body was passed on: uvicorn's parser keeps them."""

    def connection_made(self, transport: BaseTransport) -> None:  # type: ignore[override]
        """It waits for the head of its first request."""
        super().connection_made(transport)  # type: ignore[arg-type]
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """It waits for nothing any more."""
        self._read_on()
        self._waiting.pop(self, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """What comes in; a head without end is answered 400, and the connection ended."""
        self._held += len(data)
        super().data_received(data)
        if self._held > MOST_HEAD and not self.transport.is_closing():
            self.send_400_response("")

    def send_400_response(self, msg: str) -> None:
        """What is no request is answered as every other fault is, with a problem, and the connection ended."""
        id = str(uuid.uuid4())
        headers = {"Connection": "close", "X-Request-Id": id, **HEADERS}
        response = problem_response(ProblemError(400, LONG_HEAD if self._held > MOST_HEAD else NO_REQUEST, headers), id)
        lines = [b"HTTP/1.1 400 Bad Request", *(b": ".join(header) for header in response.raw_headers), b"", b""]
        self.transport.write(b"\r\n".join(lines) + bytes(response.body))
        self.transport.close()

    def _should_upgrade(self) -> bool:
        """A WebSocket begins with a GET; to anything else the handshake would never say a word."""
        return self.parser.get_method() == b"GET" and super()._should_upgrade()

    def on_headers_complete(self) -> None:
        """It waits no longer: a request is being answered."""
        self._held = 0
        self._waiting.pop(self, None)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of a body is passed on, or left out where nobody reads it any more."""
        self._held = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request has come in as a whole."""
        self._held = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """It waits again, unless the next request has come already."""
        last = not self.pipeline
        super().on_response_complete()
        if last and not self.transport.is_closing():
            self._wait()

    def pause_writing(self) -> None:
        """What was answered waits for its reader, but not for long."""
        super().pause_writing()
        self._look_again_at(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Its reader reads on."""
        self._read_on()
        super().resume_writing()

    def _look_again_at(self, left: int) -> None:
        self._unread = self.loop.call_later(self.unread_s, self._check_read, left)

    def _check_read(self, before: int) -> None:
        left = self.transport.get_write_buffer_size()
        if left < before:
            self._look_again_at(left)
        else:
            self.transport.abort()

    def _read_on(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _wait(self) -> None:
        self._waiting[self] = None
        if len(self._waiting) > self.most_waiting:
            longest = next(iter(self._waiting))
            del self._waiting[longest]
            longest.transport.abort()  # to close it would wait for whoever does not read
