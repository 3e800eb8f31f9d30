"""A site's side of a stream, against a service that hangs, goes away and comes back."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from serving import stream_client
from serving.client import Client, ServiceRefused
from serving.stream_client import Stream

WELCOME = {
    "type": "welcome",
    "token": "t",
    "next_seq": 0,
    "prediction_id": "p",
    "limits": {"chunk_bytes": 2**20, "ahead": 64, "ahead_bytes": 2**20},
}
Play = Callable[["Ends"], None]


class Ends:
    """The service's end of one connection."""

    def __init__(self, connection: ServerConnection, gone: threading.Event):
        self.connection, self.gone = connection, gone

    def say(self, message: dict[str, Any]) -> None:
        self.connection.send(json.dumps(message))

    def hear(self) -> Any:
        return self.connection.recv(10)

    def is_left(self) -> None:
        """Wait until the site closes the connection."""
        for _ in self.connection:
            pass
        self.gone.set()


@contextmanager
def playing(*acts: Play) -> Iterator[tuple[str, list[threading.Event]]]:
    """A service whose connections go one after another as in `acts`; its address, and which were closed by the site."""
    left, gone = list(acts), [threading.Event() for _ in acts]

    def handle(connection: ServerConnection) -> None:
        turn = len(acts) - len(left)
        left.pop(0)(Ends(connection, gone[turn]))

    with serve(handle, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.socket.getsockname()[1]}", gone
        finally:
            server.shutdown()
            thread.join()


def stream(url: str, patience_s: float = 10) -> Stream:
    return Stream(url, "k", channels=("Cz",), rate_hz=256, patience_s=patience_s)


def welcomes(ends: Ends) -> None:
    ends.hear()
    ends.say(WELCOME)
    ends.is_left()


@pytest.mark.parametrize("shape", [(2, 256), (1,), (0, 256), (1, 2, 256)])
def test_samples_of_other_than_the_named_channels_are_not_sent(shape: tuple[int, ...]) -> None:
    """Twice as many rows would be read as twice as many samples."""
    with playing(welcomes) as (url, _), stream(url) as sending:
        with pytest.raises(ServiceRefused, match=r"each channel that was named \(1\), got"):
            sending.send(np.zeros(shape))
        assert sending._seq == 0


def test_windows_of_other_than_the_named_channels_are_not_asked_for() -> None:
    with Client("http://127.0.0.1:9") as client, pytest.raises(ServiceRefused, match=r"named \(2\), got \(4, 256\)"):
        client.windows(np.zeros((4, 256)), ("Cz", "C3"), 256.0)


def says_nothing(ends: Ends) -> None:
    ends.hear()
    ends.is_left()


def goes_away(ends: Ends) -> None:
    ends.hear()
    ends.connection.close(1001)


def was_idle(ends: Ends) -> None:
    ends.hear()
    ends.say({"type": "problem", "problem": {"status": 408, "detail": "nothing came"}})
    ends.is_left()


def welcomes_and_goes_away(ends: Ends) -> None:
    ends.hear()
    ends.say(WELCOME)
    ends.connection.close(1001)


def welcomes_and_is_idle(ends: Ends) -> None:
    ends.hear()
    ends.say(WELCOME)
    ends.hear()
    ends.say({"type": "problem", "problem": {"status": 408, "detail": "nothing came"}})
    ends.is_left()


def welcomes_late(ends: Ends) -> None:
    ends.hear()
    time.sleep(0.4)
    with suppress(ConnectionClosed):
        ends.say(WELCOME)
    ends.is_left()


def answers(ends: Ends) -> None:
    assert json.loads(ends.hear())["type"] == "resume"
    ends.say(WELCOME)
    while not (isinstance(message := ends.hear(), str) and json.loads(message)["type"] == "end"):
        pass
    ends.say({"type": "answer", "answer": {"outcome": "completed"}})
    ends.is_left()


@pytest.mark.parametrize("act", [says_nothing, goes_away, was_idle])
def test_a_service_that_does_not_welcome_is_said_to_be_away_and_left(
    act: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_client, "OPEN_S", 0.2)
    with playing(act) as (url, gone):
        with pytest.raises(ServiceRefused, match="no welcome") as refused:
            stream(url)
        assert refused.value.status == 0
        assert act is goes_away or gone[0].wait(10)


def test_a_welcome_that_comes_too_late_is_a_lost_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_client, "OPEN_S", 0.2)
    monkeypatch.setattr(stream_client, "PAUSE_S", 0.0)
    with playing(welcomes_and_goes_away, welcomes_late, goes_away, answers) as (url, gone):
        with stream(url) as site:
            site.send(np.zeros((1, 256), np.float32))
            assert site.finish() == {"outcome": "completed"}
        assert gone[1].wait(10) and gone[3].wait(10)


def test_the_connection_before_is_closed_when_a_stream_goes_on() -> None:
    with playing(welcomes_and_is_idle, answers) as (url, gone), stream(url) as site:
        site.send(np.zeros((1, 256), np.float32))
        assert site.finish() == {"outcome": "completed"}
        assert gone[0].wait(10)
