"""A disk without room: a site is told to come again, nothing half-kept stays, and what was accepted is done once there is room."""

import errno
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from psycopg.errors import DiskFull
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import Pool
from starlette.websockets import WebSocketDisconnect

from data.readers.edf import read_edf
from lineage.ledger import Ledger
from lineage.store import has_no_room
from serving import job_worker, stream_client
from serving.client import ServiceRefused
from serving.journal import Journal
from serving.stream import chunk_of
from serving.stream_files import StreamFiles
from tests.served import write_recording
from tests.services import HELLO, Served, ended, leave, problem, said, served_home, serving
from tests.test_stream_client import WELCOME, Ends, answers, playing, stream

ANY_SIZE = 4_294_967_294


class Store:
    """SQLite files that may not grow while they are full: the library itself says that there is no room."""

    def __init__(self) -> None:
        self.most = ANY_SIZE

    def __call__(self, connection: Any, record: Any, proxy: Any) -> None:
        connection.execute(f"PRAGMA max_page_count = {self.most}")

    @contextmanager
    def full(self) -> Iterator[None]:
        self.most = 1  # at least as much as there is
        try:
            yield
        finally:
            self.most = ANY_SIZE


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    store = Store()
    event.listen(Pool, "checkout", store)
    yield store
    event.remove(Pool, "checkout", store)


@pytest.fixture(scope="module")
def served(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = served_home(tmp_path_factory.mktemp("served"))
    with serving(home, write_recording(home / "recording.edf").read_bytes()) as ready:
        yield ready


def no_room(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, "no room", "/path/of/a/patient")


def in_store(cause: Exception) -> OperationalError:
    return OperationalError("INSERT", (), cause)


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, ""), True),
        (OSError(errno.EDQUOT, ""), True),
        (OSError(errno.EMFILE, ""), True),
        (OSError(errno.ENOENT, ""), False),
        (OSError("no number"), False),
        (in_store(DiskFull()), True),
        (in_store(sqlite3.OperationalError("database is locked")), False),
        (ValueError(errno.ENOSPC), False),
    ],
)
def test_only_want_of_room_is_taken_for_it(error: Exception, full: bool) -> None:
    assert has_no_room(error) == full


def kept(home: Path) -> list[str]:
    """What the service holds of patients beside its stores."""
    folders = (home / "jobs" / name for name in ("uploads", "accepted", "shadow", "streams"))
    return [path.name for folder in folders for path in folder.rglob("*")]


def refused(response: httpx.Response) -> None:
    assert "no room now" in problem(response, 503) and "patient" not in response.text
    assert response.headers["retry-after"] == "30"


PLACES = {"while it arrives": "tempfile.SpooledTemporaryFile.rollover", "while it is kept": "shutil.copyfileobj"}
KEPT_FOR_GOOD = {"while its folder is written": "os.fsync"}
"""Of jobs alone: what is answered at once has to survive nothing."""


@pytest.mark.parametrize(
    ("place", "route"), [*product(PLACES, ("detect", "typing", "jobs")), *product(KEPT_FOR_GOOD, ("jobs",))]
)
def test_an_upload_for_which_there_is_no_room_is_refused_until_there_is(
    served: Served, monkeypatch: pytest.MonkeyPatch, place: str, route: str
) -> None:
    def send() -> httpx.Response:
        files = {"recording": ("a.edf", served.recording)}
        return served.client.post(f"/v1/{route}", headers=served.headers, files=files, data={"age": "3d"})

    with monkeypatch.context() as full:
        full.setattr((PLACES | KEPT_FOR_GOOD)[place], no_room)
        refused(send())
    assert kept(served.home) == []
    again = send()
    assert again.is_success
    if route == "jobs":
        assert ended(served, again.headers["location"])["state"] == "done"


def test_what_a_full_store_cannot_hold_is_not_said_and_is_said_once_there_is_room(served: Served, store: Store) -> None:
    read = said(served.detect())["prediction_id"]
    verdict: dict[str, Any] = {"headers": served.headers, "json": {"verdict": "confirm", "reader": "nurse"}}
    with store.full():
        refused(served.detect())
        for _ in range(40):  # pages that have room take some more
            given = served.client.post(f"/v1/predictions/{read}/verdict", **verdict)
            if given.status_code != 201:
                break
        refused(given)
        assert kept(served.home) == []
        assert served.client.get(f"/v1/predictions/{read}", headers=served.headers).status_code == 200
    assert said(served.detect())["outcome"] == "completed"
    assert served.client.post(f"/v1/predictions/{read}/verdict", **verdict).status_code == 201
    ledger = Ledger(served.home / "ledger" / "ledger.db")
    assert ledger.verify().ok
    ledger.engine.dispose()


def test_a_job_waits_for_room_however_often_there_is_none(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_worker, "ROOM_S", 0.01)
    tried, append = 0, Ledger.append

    def full(*given: Any, **named: Any) -> Any:
        nonlocal tried
        tried += 1
        return append(*given, **named) if tried > 5 else no_room()

    monkeypatch.setattr(Ledger, "append", full)
    body = ended(served, leave(served).headers["location"])
    assert (body["state"], body["outcome"], body["attempts"]) == ("done", "completed", 1)


@contextmanager
def streaming(served: Served, first: dict[str, Any]) -> Iterator[Any]:
    with served.client.websocket_connect("/v1/stream", headers=served.headers) as socket:
        socket.send_text(json.dumps(first))
        yield socket


def refusal(socket: Any) -> dict[str, Any]:
    """The problem that a stream is told, before it is closed."""
    while (message := json.loads(socket.receive_text()))["type"] in ("ack", "heard"):
        pass
    with pytest.raises(WebSocketDisconnect):
        socket.receive_text()
    found: dict[str, Any] = message["problem"]
    return found


@pytest.mark.parametrize(
    ("cause", "words"), [(errno.ENOSPC, "no room now"), (errno.ESTALE, "cannot be reached now")], ids=["full", "away"]
)
def test_a_stream_whose_answer_cannot_be_written_down_is_told_so_and_gives_it_later(
    served: Served, monkeypatch: pytest.MonkeyPatch, cause: int, words: str
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(cause, "not written", "/path/of/a/patient")

    signal = read_edf(served.home / "recording.edf", age_days=3.0).segments[0].signal
    with streaming(served, HELLO) as socket, monkeypatch.context() as full:
        full.setattr(Journal, "record", refuse)
        welcome = json.loads(socket.receive_text())
        socket.send_bytes(chunk_of(0, signal))
        socket.send_text(json.dumps({"type": "end", "seq": 1}))
        problem = refusal(socket)
        assert (problem["status"], words in problem["detail"]) == (503, True)
    with streaming(served, {"type": "resume", "token": welcome["token"]}) as socket:
        while (message := json.loads(socket.receive_text()))["type"] != "answer":
            pass
    assert message["answer"]["outcome"] == "completed"
    assert message["answer"]["prediction_id"] == welcome["prediction_id"]


@pytest.mark.parametrize("place", ["json.dumps", "serving.stream_files.sync_folder"])
def test_a_stream_that_cannot_be_begun_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    files = StreamFiles(tmp_path / "streams")
    with monkeypatch.context() as full:
        full.setattr(place, no_room)
        with pytest.raises(OSError, match="no room"):
            files.begin("0" * 64, {})
    assert list(files.folder.iterdir()) == []
    files.begin("0" * 64, {}).close()


def says_that_it_is_full(ends: Ends) -> None:
    ends.hear()
    ends.say({"type": "problem", "problem": {"status": 503, "detail": "no room"}})
    ends.is_left()


def keeps_no_part(ends: Ends) -> None:
    ends.hear()
    ends.say(WELCOME)
    says_that_it_is_full(ends)


def test_a_site_goes_on_with_its_stream_where_a_part_could_not_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_client, "PAUSE_S", 0.01)
    acts = (keeps_no_part, says_that_it_is_full, keeps_no_part, answers)
    with playing(*acts) as (url, _), stream(url) as site:
        site.send(np.zeros((1, 256), np.float32))
        assert site.finish() == {"outcome": "completed"}


def test_a_site_gives_up_a_stream_for_which_there_is_no_room_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_client, "PAUSE_S", 0.01)
    long = pytest.raises(ServiceRefused, match=r"could not go on, within 0\.3 s; last heard: no room")
    with playing(*[keeps_no_part] * 1000) as (url, _), stream(url, patience_s=0.3) as site, long:
        for _ in range(3):
            site.send(np.zeros((1, 256), np.float32))
        site.finish()


def cannot_write_the_answer_down(ends: Ends) -> None:
    ends.hear()
    ends.say(WELCOME)
    ends.hear()  # the end of the stream, the first time
    ends.say({"type": "ack", "next_seq": 1})
    ends.say({"type": "problem", "problem": {"status": 503, "detail": "no room"}})
    ends.is_left()


def still_cannot_write_it_down(ends: Ends) -> None:
    ends.hear()
    ends.say(WELCOME | {"next_seq": 1})
    ends.say({"type": "problem", "problem": {"status": 503, "detail": "no room"}})
    ends.is_left()


def test_a_site_waits_between_its_tries_for_an_answer_and_gives_up_after_its_patience(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All that it sent was heard: only the answer cannot be written down."""
    monkeypatch.setattr(stream_client, "PAUSE_S", 0.05)
    acts, tried = [cannot_write_the_answer_down, *[still_cannot_write_it_down] * 200], []

    def noted(act: Any) -> Any:
        return lambda ends: (tried.append(act), act(ends))

    gives_up = pytest.raises(ServiceRefused, match="could not go on, within")
    with playing(*map(noted, acts)) as (url, _), stream(url, patience_s=0.5) as site, gives_up:
        site.finish()
    assert len(tried) <= 13, "ten pauses in half a second, or fewer"


def is_idle(ends: Ends) -> None:
    ends.hear()
    ends.say(WELCOME)
    time.sleep(0.2)
    ends.say({"type": "problem", "problem": {"status": 408, "detail": "nothing came"}})
    ends.is_left()


def is_cut_off(ends: Ends) -> None:
    ends.hear()
    ends.say(WELCOME)
    time.sleep(0.2)
    ends.connection.close(1001)


@pytest.mark.parametrize("idle", [is_idle, is_cut_off], ids=["told so", "cut off by a proxy"])
def test_a_site_that_has_nothing_to_send_for_long_never_gives_up(monkeypatch: pytest.MonkeyPatch, idle: Any) -> None:
    monkeypatch.setattr(stream_client, "PAUSE_S", 0.01)
    monkeypatch.setattr(stream_client, "HELD_S", 0.1)
    with playing(*[idle] * 4, answers) as (url, _), stream(url, patience_s=0.3) as site:
        for _ in range(4):
            assert site._hear(None)
        assert site.finish() == {"outcome": "completed"}
