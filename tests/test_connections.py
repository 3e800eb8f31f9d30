"""Connections that ask for nothing are ended, the one that has waited longest first; who asks is answered."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPResponse

import httpx
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from serving.connections import MOST_HEAD, Connection
from tests.served import free_port
from tests.services import problem

MOST = 5
BIG = 32 * 2**20
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HALF_A_HEAD = b"GET / HTTP/1.1\r\nHo"
HALF_A_BODY = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nhalf"


class Few(Connection):
    most_waiting = MOST
    unread_s = 0.5


class App:
    """Answers at once, without reading a body unless it `reads`; under /slow when it is told to."""

    reads = False

    def __init__(self) -> None:
        self.go_on, self.asked = threading.Event(), threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/slow":
            self.asked.set()
            while not self.go_on.is_set():
                await asyncio.sleep(0.01)
        said = str(await counted(receive)).encode() if scope["method"] == "POST" and self.reads else b"ok"
        said *= BIG if scope["path"] == "/big" else 1
        length = (b"content-length", str(len(said)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": said})


async def counted(receive: Receive) -> int:
    """How many bytes a body has."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message["body"]), message["more_body"]
    return size


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def port(app: App) -> Iterator[int]:
    port = free_port()
    config = uvicorn.Config(app, port=port, http=Few, lifespan="off", log_level="error", timeout_keep_alive=600)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            thread.join(0.01)
        yield port
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def waiting(port: int, sent: bytes, count: int) -> Iterator[list[socket.socket]]:
    """Connections that have sent something and then say nothing more."""
    with ExitStack() as stack:
        yield [stack.enter_context(begun(port, sent)) for _ in range(count)]


def begun(port: int, sent: bytes) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", port), timeout=10)
    made.sendall(sent)
    return made


def is_ended(connection: socket.socket) -> bool:
    """Whether the other end has closed it, after all that it may have answered."""
    connection.settimeout(0.2)
    try:
        while connection.recv(1000):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


@pytest.mark.parametrize("sent", [b"", HALF_A_HEAD, HALF_A_BODY, GET], ids=["nothing", "head", "body", "all"])
def test_of_many_that_wait_the_latest_are_kept_and_who_asks_is_answered(port: int, sent: bytes) -> None:
    with waiting(port, sent, 3 * MOST) as held:
        assert httpx.get(f"http://127.0.0.1:{port}/", trust_env=False).text == "ok"
        kept = [connection for connection in held if not is_ended(connection)]
        assert len(kept) <= MOST and kept == held[len(held) - len(kept) :]
    assert not Connection._waiting or len(Connection._waiting) <= MOST


def test_who_is_being_answered_is_never_ended_for_others(port: int, app: App) -> None:
    with begun(port, GET.replace(b"/ ", b"/slow ")) as slow:
        assert app.asked.wait(10)
        with waiting(port, HALF_A_HEAD, 3 * MOST):
            assert httpx.get(f"http://127.0.0.1:{port}/", trust_env=False).text == "ok"
            app.go_on.set()
            assert slow.recv(1000).endswith(b"ok")


def test_several_requests_sent_at_once_over_one_connection_are_answered_in_order(port: int, app: App) -> None:
    app.go_on.set()
    with begun(port, GET.replace(b"/ ", b"/slow ") + GET + GET) as connection:
        assert connection.recv(1000)
        with waiting(port, HALF_A_HEAD, MOST - 1):
            assert not is_ended(connection)
    assert connection not in Connection._waiting


def test_who_does_not_read_what_was_asked_for_is_cut_off(port: int) -> None:
    with begun(port, GET.replace(b"/ ", b"/big ")) as connection:
        time.sleep(3 * Few.unread_s)
        got, expected = 0, len(b"ok") * BIG
        with suppress(ConnectionError):
            while part := connection.recv(1 << 20):
                got += len(part)
        assert got < expected


def test_who_reads_slowly_is_not(port: int) -> None:
    with begun(port, GET.replace(b"/ ", b"/big ")) as connection:
        got, began_s = 0, time.monotonic()
        while got < len(b"ok") * BIG:
            got += len(part := connection.recv(1 << 18))
            assert part
            if time.monotonic() - began_s < 3 * Few.unread_s:
                time.sleep(Few.unread_s / 10)


def test_a_websocket_that_begins_with_no_get_is_a_request_like_others(port: int) -> None:
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AA==\r\n"
    with begun(port, b"POST / HTTP/1.1\r\nHost: a\r\n" + upgrade + b"\r\n") as connection:
        assert connection.recv(1000).endswith(b"ok")


NO_REQUESTS = {
    "a method that there is not": (b"FOO / HTTP/1.1\r\nHost: a\r\n\r\n", "cannot be read as a request"),
    "two lengths": (GET[:-2] + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "cannot be read as a request"),
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03", "cannot be read as a request"),
    "a head too long": (b"GET / HTTP/1.1\r\nX: " + b"a" * 2 * MOST_HEAD, f"at most {MOST_HEAD} bytes"),
}


@pytest.mark.parametrize("what", NO_REQUESTS)
def test_what_is_no_request_is_answered_with_a_problem_too(port: int, what: str) -> None:
    sent, words = NO_REQUESTS[what]
    with begun(port, sent) as connection:
        answer = HTTPResponse(connection)
        answer.begin()
        found = httpx.Response(answer.status, headers=answer.getheaders(), content=answer.read())
        assert words in problem(found, 400) and found.headers["connection"] == "close"
        assert is_ended(connection)


CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
ENDLESS = {
    "a header": (b"GET / HTTP/1.1\r\nX: ", b"a" * 4096),
    "many headers": (b"GET / HTTP/1.1\r\n", b"X: a\r\n" * 512),
    "an address": (b"GET /", b"a" * 4096),
    "what follows a body": (CHUNKED + b"0\r\n", b"X: a\r\n" * 512),
    "what goes with a part of a body": (CHUNKED + b"1;", b"a" * 4096),
}


@pytest.mark.parametrize("what", ENDLESS)
def test_nothing_is_kept_that_comes_without_end_before_it_is_whole(port: int, what: str) -> None:
    first, more = ENDLESS[what]
    with begun(port, first) as connection, pytest.raises(ConnectionError):
        for _ in range(4096):  # 16 MiB; what was sent in vain is told with some delay
            connection.sendall(more)


def test_a_body_of_any_length_and_in_any_parts_is_passed_on(port: int, app: App) -> None:
    app.reads = True
    parts = [b"a" * 65_537, b"", b"a" * 300_000, b"a"] * 3
    for content in (b"".join(parts), iter(parts)):
        said = httpx.post(f"http://127.0.0.1:{port}/", content=content, trust_env=False)
        assert said.json() == sum(map(len, parts))
