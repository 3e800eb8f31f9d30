"""The service as a process of its own: killed over its work, and cut off from a stream."""

import json
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from data.montage import ELECTRODES
from data.readers.edf import read_edf
from lineage.ledger import Ledger
from lineage.place import ledger_place
from lineage.receipts import verify_receipt
from serving.client import Client, ServiceRefused
from serving.journal import verify_answer
from serving.stream_client import Stream
from tests.commands import ictal
from tests.databases import Server
from tests.served import RATE_HZ, free_port, running, write_recording
from tests.services import home_with_key

JOBS = 2


def until(client: Client, ids: list[str], holds: Any, log: Path) -> list[dict[str, Any]]:
    end = time.monotonic() + 90
    while not client.ready() or not holds(found := [client.job(id) for id in ids]):
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.05)
    return found


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Server | None:
    """Where all that the service keeps in tables lies: in files of the workspace, or in a server (of which it is given)."""
    if request.param == "sqlite":
        return None
    server: Server = request.getfixturevalue("server")
    monkeypatch.setenv("ICTAL_LEDGER", server.new_database())
    return server


def test_jobs_that_were_accepted_are_done_once_although_the_service_is_killed_meanwhile(
    tmp_path: Path, database: Server | None
) -> None:
    """Also answers, verdicts and receipts; and a database that has hung up on everybody is called again."""
    home = tmp_path / "home"
    key = home_with_key(home)
    short, file = write_recording(tmp_path / "short.edf"), write_recording(tmp_path / "long.edf", seconds=1800)
    port, log = free_port(), home / "service.log"
    with Client(f"http://127.0.0.1:{port}", key) as client:
        with running(home, port) as service:
            until(client, [], lambda found: True, log)
            answer = client.detect(short, age="3d")
            ids = [client.submit(file, age="3d", idempotency_key=f"key-{n}")["job_id"] for n in range(JOBS)]
            until(client, ids, lambda found: any(job["state"] == "running" for job in found), log)
            service.kill()
            service.wait()
        with running(home, port):
            found = until(client, ids, lambda found: all(job["state"] == "done" for job in found), log)
            if database is not None:
                database.hang_up()
            again = client.submit(file, age="3d", idempotency_key="key-0")
            judged = client.verdict(answer["prediction_id"], "confirm", "neonatologist")
            kept = client.prediction(answer["prediction_id"])
    assert again["job_id"] == ids[0]
    assert max(job["attempts"] for job in found) == 2  # one was being worked on
    ledger = Ledger(ledger_place(home))
    written = [entry.subjects[0].id for entry in ledger.entries("prediction.issued")]
    by_job = [job["prediction_id"] for job in found]
    assert sorted(written) == sorted([answer["prediction_id"], *by_job]) and len(set(written)) == 1 + JOBS
    assert [entry.subjects[0].id for entry in ledger.entries("verdict.recorded")] == [judged["verdict_id"]]
    assert ledger.verify().ok
    ledger.engine.dispose()
    assert [job["result"]["outcome"] for job in found] == JOBS * ["completed"]
    public = (home / "keys" / "platform.pub").read_bytes()
    for said in (answer, kept, *(job["result"] for job in found)):
        assert verify_answer(said, public).ok
    assert verify_receipt(json.dumps(judged["receipt"]), public).ok
    files = {path.name for path in home.rglob("*.db")} - {
        "reauthentication.db"
    }  # beside the key files of those who sign
    assert files == (set() if database else {"ledger.db", "serving.db"})


def test_a_job_needs_a_service(tmp_path: Path) -> None:
    said = ictal("predict", write_recording(tmp_path / "a.edf", 1, (0, 1)), "--job")
    assert said.code == 2 and "--url" in said.err


def test_a_stream_whose_connection_is_cut_again_and_again_ends_in_the_answer_of_the_file(tmp_path: Path) -> None:
    home, port = tmp_path / "home", free_port()
    key, url = home_with_key(home), f"http://127.0.0.1:{port}"
    file = write_recording(tmp_path / "short.edf")
    [segment] = read_edf(file, age_days=3.0).segments
    heard: list[dict[str, Any]] = []
    with running(home, port), Client(url, key) as client:
        until(client, [], lambda found: True, home / "service.log")
        with Stream(url, key, channels=ELECTRODES, rate_hz=RATE_HZ, age="3d", told=heard.append) as stream:
            for second in range(0, 120, 4):
                stream.send(segment.signal[:, second * 256 : (second + 4) * 256])
                if second % 20 == 0:
                    stream._connection.socket.shutdown(socket.SHUT_RDWR)
            answer = stream.finish()
        batch = client.detect(file, age="3d")
        left = ictal("predict", file, "--age", "3d", "--url", url, "--key", key, "--job", "--json")
        assert (left.code, left.json["trend_1hz"]) == (0, batch["trend_1hz"]), left.err
        with pytest.raises(ServiceRefused, match="key is not one that is in force"):
            Stream(url, "ictal_x", channels=ELECTRODES, rate_hz=RATE_HZ)
        with pytest.raises(ServiceRefused, match="rate_hz has the wrong form"):
            Stream(url, key, channels=ELECTRODES, rate_hz=-1)
        assert client.prediction(stream.prediction_id)["events"] == batch["events"]
    assert same(answer, batch)
    trend = [p for one in heard for p in one["trend_1hz"]]
    assert trend == batch["trend_1hz"][: len(trend)] and len(trend) >= 118
    assert [e for one in heard for e in one["events"]] == batch["events"]
    with pytest.raises(ServiceRefused, match="is it running"):
        Stream(url, key, channels=ELECTRODES, rate_hz=RATE_HZ)


def same(answer: dict[str, Any], batch: dict[str, Any]) -> bool:
    """Whether a stream has the answer of the file."""
    other = {"prediction_id", "receipt", "asked", "recording_digest"}
    return {k: v for k, v in answer.items() if k not in other} == {k: v for k, v in batch.items() if k not in other}


def test_a_stream_over_which_the_service_is_killed_twice_ends_in_the_answer_of_the_file(tmp_path: Path) -> None:
    home, port = tmp_path / "home", free_port()
    key, url, log = home_with_key(home), f"http://127.0.0.1:{port}", home / "service.log"
    file = write_recording(tmp_path / "short.edf")
    [segment] = read_edf(file, age_days=3.0).segments
    heard: list[dict[str, Any]] = []
    with ExitStack() as services, Client(url, key) as client:
        service = services.enter_context(running(home, port))
        until(client, [], lambda found: True, log)
        hello: dict[str, Any] = {"channels": ELECTRODES, "rate_hz": RATE_HZ, "age": "3d"}
        stream = Stream(url, key, **hello, told=heard.append, patience_s=150)
        for second in range(0, 120, 4):
            stream.send(segment.signal[:, second * 256 : (second + 4) * 256])
            if second in (40, 80):  # before the seizure, and in the middle of it
                service.kill()
                service.wait()
                service = services.enter_context(running(home, port))
        answer = stream.finish()
        batch = client.detect(file, age="3d")
        kept = client.prediction(stream.prediction_id)
    assert same(answer, batch) and len(batch["events"]) == 1
    trend = [p for one in heard for p in one["trend_1hz"]]
    assert trend == batch["trend_1hz"][: len(trend)] and len(trend) >= 118
    assert [e for one in heard for e in one["events"]] == batch["events"] == kept["events"]
    assert not list((home / "jobs" / "streams").glob("*/parts")), "nothing of the patient is left"
