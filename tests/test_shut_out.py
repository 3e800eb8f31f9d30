"""A real service that others try to fill: with connections, with slow uploads, with open streams. Who behaves is served."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.montage import ELECTRODES
from serving import answering, desk
from serving.auth import issue_key, open_keys
from serving.client import Client, ServiceRefused
from serving.connections import MOST_WAITING
from serving.limits import Limits
from serving.schema import Answer
from serving.stream_client import Stream
from tests.served import RATE_HZ, free_port, people_and_keys, put_in_force, running, write_recording
from tests.services import key_of, served_home, serving

OTHERS = ("demo-south", "demo-east", "demo-west", "demo-far")
PART = b'--x\r\nContent-Disposition: form-data; name="recording"; filename="x"\r\n\r\n'
HELLO = {"channels": ELECTRODES, "rate_hz": RATE_HZ, "age": "3d"}


class Site:
    def __init__(self, port: int, key: str):
        self.port, self.key = port, key
        self.url = f"http://127.0.0.1:{port}"

    def opened(self, sent: str, more: bytes = b"") -> socket.socket:
        """A connection that has sent this much."""
        made = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        made.sendall(sent.format(key=self.key).encode() + more)
        return made

    def half_an_upload(self) -> socket.socket:
        kind = "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 100000"
        return self.opened(
            "POST /v1/detect HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n" + kind + "\r\n\r\n", PART
        )

    def half_a_window(self) -> socket.socket:
        kind = "Content-Type: application/octet-stream\r\nContent-Length: 100000"
        return self.opened(
            "POST /v1/windows HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n" + kind + "\r\n\r\n", b"a"
        )

    def socket_without_hello(self) -> socket.socket:
        way = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
        return self.opened("GET /v1/stream HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n" + way + "\r\n\r\n")


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, list[Site]]]:
    """A site that behaves, and others; they share a service of their own process."""
    home, now, port = tmp_path_factory.mktemp("shut-out"), datetime.now(UTC), free_port()
    people_and_keys(home, now)
    put_in_force(home, now=now)
    engine = open_keys(home)
    mine, *theirs = [issue_key(engine, site, ("detect", "models"), now, 1) for site in ("demo-north", *OTHERS)]
    engine.dispose()
    with running(home, port), Client(f"http://127.0.0.1:{port}") as client:
        start_s = time.monotonic()
        while not client.ready():
            assert time.monotonic() - start_s < 90, (home / "service.log").read_text()
            time.sleep(0.2)
        yield Site(port, mine), [Site(port, key) for key in theirs]


def is_served(site: Site, file: Path) -> None:
    """One thing after another, as a site that behaves does."""
    minute = np.random.default_rng(1).normal(0, 10, (len(ELECTRODES), 8 * int(RATE_HZ)))
    with Client(site.url, site.key, timeout_s=30) as client:
        assert client.models()["models"]
        assert client.windows(minute, ELECTRODES, RATE_HZ, "3d")["outcome"] == "completed"
        assert client.detect(file, age="3d")["outcome"] == "completed"
        assert client.submit(file, age="3d")["state"]


def test_a_site_is_served_while_all_others_send_as_much_as_they_can_as_slowly_as_they_can(
    sites: tuple[Site, list[Site]], tmp_path: Path
) -> None:
    mine, theirs = sites
    file, quotas = write_recording(tmp_path / "a.edf", 40, (10, 30)), Limits().quotas
    with ExitStack() as stack:
        for site in theirs:
            stack.enter_context(Client(site.url, site.key)).models()  # its key is known
            for _ in range(quotas.at_once):
                stack.enter_context(site.half_an_upload())
            for _ in range(quotas.windows_at_once):
                stack.enter_context(site.half_a_window())
        time.sleep(1)
        with pytest.raises(ServiceRefused, match="429"), Client(theirs[0].url, theirs[0].key) as other:
            other.models()
        is_served(mine, file)


def test_a_site_is_served_whatever_comes_without_a_key(sites: tuple[Site, list[Site]], tmp_path: Path) -> None:
    mine, _ = sites
    file, stranger = write_recording(tmp_path / "a.edf", 40, (10, 30)), Site(mine.port, "ictal_" + "0" * 65)
    with ExitStack() as stack:
        held = [stack.enter_context(stranger.opened("POST /v1/detect HTTP/1.1\r\nHo")) for _ in range(MOST_WAITING)]
        held += [stack.enter_context(stranger.half_an_upload()) for _ in range(100)]
        is_served(mine, file)
        assert held[0].recv(1) == b"", "the one that has waited longest is ended"


def test_a_site_begins_a_stream_however_many_the_others_have_open(sites: tuple[Site, list[Site]]) -> None:
    mine, theirs = sites
    signal = np.random.default_rng(1).normal(0, 10, (len(ELECTRODES), 40 * int(RATE_HZ)))
    with ExitStack() as stack:
        for site in theirs:
            for _ in range(Limits().streams.at_once_per_site):
                stack.enter_context(Stream(site.url, site.key, **HELLO))
            held = [stack.enter_context(site.socket_without_hello()) for _ in range(Limits().quotas.at_once)]
            assert b" 429 " in held[-1].recv(1000) and b" 101 " in held[0].recv(1000)
        with Stream(mine.url, mine.key, **HELLO) as stream:
            stream.send(signal)
            assert stream.finish()["outcome"] == "completed"


def test_however_many_recordings_a_site_has_sent_the_next_one_looked_at_is_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at, begun, go_on = list[str](), threading.Event(), threading.Event()

    def slow(path: Path, *, site: str, **asked: Any) -> Answer:
        looked_at.append(site)
        begun.set()
        assert go_on.wait(20)
        return answering.answer(path, site=site, **asked)

    monkeypatch.setattr(desk, "answer", slow)
    home, limits = served_home(tmp_path / "home"), Limits(analyses=1)
    recording = write_recording(tmp_path / "a.edf", 40, (10, 30)).read_bytes()
    with serving(home, recording, limits=limits) as served, ThreadPoolExecutor(9) as senders:

        def send(headers: dict[str, str]) -> int:
            files, age = {"recording": ("a", recording)}, {"age": "3d"}
            return served.client.post("/v1/detect", headers=headers, files=files, data=age).status_code

        other = key_of(home, "demo-south")
        sent = [senders.submit(send, other) for _ in range(8)]
        assert begun.wait(20)
        time.sleep(0.3)
        sent.append(senders.submit(send, served.headers))
        time.sleep(0.3)
        go_on.set()
        assert [one.result() for one in sent] == [200] * 9
    assert looked_at[:2] == ["demo-south", "demo-north"]
