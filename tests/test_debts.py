"""An answer that stands and was not given is owed, whatever process wrote it down; one that was given is not given again."""

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import Popen
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from lineage.ledger import Actor
from lineage.store import session
from serving import answering, desk
from serving.client import Client, ServiceRefused
from serving.debts import Debts, OwedRow
from serving.journal import Journal, verify_answer
from serving.limits import Limits
from serving.schema import Answer
from tests.served import NOW, free_port, people_and_keys, running, write_recording
from tests.services import home_with_key, said, served_home, serving
from tests.test_running_service import until

SITE = Actor("site-key:k", role="site", site="demo-north", auth_method="api key")


def answer(id: str, recording: str = "a") -> Answer:
    return Answer(prediction_id=id, outcome="not_evaluable", code="corrupt", recording_digest=recording * 64)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    people_and_keys(tmp_path)
    return tmp_path


@pytest.fixture
def process(home: Path) -> Iterator[Callable[[], Journal]]:
    """Journals that know nothing of each other, as those of processes one after another."""
    made: list[Journal] = []

    def begin() -> Journal:
        made.append(Journal(home))
        return made[-1]

    yield begin
    for journal in made:
        journal.ledger.engine.dispose()


def lines(journal: Journal) -> list[str]:
    return [entry.subjects[0].id for entry in journal.ledger.entries("prediction.not_evaluable")]


def owed(journal: Journal) -> set[str]:
    with session(journal.ledger.engine, write=False) as reading:
        return set(reading.scalars(select(OwedRow.prediction_id)))


def away(*_: object) -> None:
    raise OSError("the ledger is away")


def test_what_one_process_wrote_down_and_could_not_give_another_gives(
    process: Callable[[], Journal], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken, pytest.raises(OSError, match="away"):
        broken.setattr(Journal, "receipt", away)
        process().record(answer("first"), SITE, NOW)
    later = process()
    assert later.record(answer("other recording", "b"), SITE, NOW).prediction_id == "other recording"
    assert (
        later.record(answer("another key"), Actor("site-key:l", role="site", site="demo-north"), NOW).prediction_id
        == "another key"
    )
    given = later.record(answer("second"), SITE, NOW)
    assert given.prediction_id == "first" and given.receipt
    assert later.record(answer("third"), SITE, NOW).prediction_id == "third"
    assert lines(later) == ["first", "other recording", "another key", "third"]


def test_ten_thousand_debts_are_as_good_as_one(home: Path, process: Callable[[], Journal]) -> None:
    journal = process()
    with session(journal.ledger.engine) as writing:
        writing.add_all(OwedRow(prediction_id=f"{n}", asked=f"{n}") for n in range(10_001))
    debts = Debts(journal.ledger.engine)
    assert [debts.of(f"{n}") for n in (0, 9_999, 10_000)] == ["0", "9999", "10000"]


def test_what_was_given_is_taken_out_with_the_next_answer_and_at_the_end(process: Callable[[], Journal]) -> None:
    journal = process()
    for number in range(3):
        journal.record(answer(str(number)), SITE, NOW)
        assert owed(journal) == {str(number)}, "it may be on its way still"
    journal.close()
    assert owed(process()) == set()


def test_what_was_not_written_down_is_not_owed(process: Callable[[], Journal], monkeypatch: pytest.MonkeyPatch) -> None:
    journal = process()
    with monkeypatch.context() as broken, pytest.raises(OSError, match="away"):
        broken.setattr("lineage.appending.append", away)
        journal.record(answer("first"), SITE, NOW)
    assert journal.record(answer("second"), SITE, NOW).prediction_id == "second"
    assert lines(journal) == ["second"]


def test_two_that_ask_the_same_at_once_are_given_an_answer_each(
    process: Callable[[], Journal], monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, real, both = process(), Journal.receipt, threading.Barrier(2, timeout=10)

    def together(self: Journal, *given: object) -> object:
        both.wait()
        return real(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(Journal, "receipt", together)
    asking = [threading.Thread(target=journal.record, args=(answer(id), SITE, NOW)) for id in ("one", "two")]
    for one in asking:
        one.start()
    for one in asking:
        one.join()
    assert sorted(lines(journal)) == ["one", "two"]


def test_who_works_on_this_machine_has_a_new_line_for_each_answer(process: Callable[[], Journal]) -> None:
    journal = process()
    for number in range(2):
        journal.record(answer(str(number)), Actor("local", role="operator"), NOW)
    assert lines(journal) == ["0", "1"] and not owed(journal)


def test_an_announced_answer_that_stands_is_given_under_its_own_id(
    process: Callable[[], Journal], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(Journal, "receipt", away)
        for record in (
            lambda: process().record(answer("of nobody"), SITE, NOW),
            lambda: process().record(answer("mine"), SITE, NOW, announced=True),
        ):
            with pytest.raises(OSError, match="away"):
                record()
    given = process().record(answer("mine"), SITE, NOW, announced=True)
    assert given.prediction_id == "mine" and lines(process()) == ["of nobody", "mine"]


def left_alone(home: Path, port: int, key: str, file: Path) -> str:
    """The id of an answer whose asker has hung up before it came."""
    journal = Journal(home)
    before = len(journal.ledger.entries("prediction.issued"))
    request = httpx.Request(
        "POST", "http://a/v1/detect", files={"recording": ("a", file.read_bytes())}, data={"age": "3d"}
    )
    head = "".join(
        f"{name}: {value}\r\n" for name, value in {**request.headers, "Authorization": f"Bearer {key}"}.items()
    )
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(f"POST /v1/detect HTTP/1.1\r\n{head}\r\n".encode() + request.read())
    end = time.monotonic() + 30
    while len(found := journal.ledger.entries("prediction.issued")) == before:
        assert time.monotonic() < end
        time.sleep(0.02)
    journal.ledger.engine.dispose()
    time.sleep(0.5)  # until the service has seen that nobody is there
    return found[-1].subjects[0].id


def test_an_answer_that_came_too_late_is_given_when_it_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told 504, a site asks again: it would have two lines for one answer."""
    go_on, late = threading.Event(), list[Answer]()

    def slow(*given: Any, **asked: Any) -> Answer:
        go_on.wait(20)
        late.append(answering.answer(*given, **asked))
        return late[-1]

    monkeypatch.setattr(desk, "answer", slow)
    home = served_home(tmp_path / "home")
    recording = write_recording(tmp_path / "a.edf", 40, (10, 30)).read_bytes()
    with serving(home, recording, limits=Limits(timeout_s=0.5)) as served:
        assert served.detect().status_code == 504
        go_on.set()
        while not late:
            time.sleep(0.01)
        time.sleep(0.2)
        assert said(served.detect())["prediction_id"] == late[0].prediction_id
        assert said(served.detect())["prediction_id"] != late[0].prediction_id


DIES = """
import os, runpy, signal
from {module} import {owner}
{owner}.{name} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
runpy.run_module("uvicorn", run_name="__main__", alter_sys=True)
"""
AT_A_RECEIPT = DIES.format(module="serving.journal", owner="Journal", name="receipt")
BEFORE_IT_IS_SENT = DIES.format(module="serving.metrics", owner="Metrics", name="looked")


def has_died(service: "Popen[bytes]") -> bool:
    return service.wait(30) == -signal.SIGKILL


def test_a_site_gets_the_answers_that_stood_when_the_service_was_killed_before_it_had_them(tmp_path: Path) -> None:
    """Killed as a job's answer has been written down, and as the answer of a request is about to be sent."""
    home, port = tmp_path / "home", free_port()
    key, log, file = home_with_key(home), home / "service.log", write_recording(tmp_path / "a.edf", 40, (10, 30))
    with Client(f"http://127.0.0.1:{port}", key) as client:
        with running(home, port, ("-c", AT_A_RECEIPT)) as service:
            until(client, [], lambda found: True, log)
            id = client.submit(file, age="3d")["job_id"]
            assert has_died(service)
        with running(home, port, ("-c", BEFORE_IT_IS_SENT)) as service:
            [job] = until(client, [id], lambda found: found[0]["state"] == "done", log)
            with pytest.raises(ServiceRefused, match="is it running"):
                client.detect(file, age="3d")
            assert has_died(service)
        with running(home, port):
            until(client, [], lambda found: True, log)
            again, later = client.detect(file, age="3d"), client.detect(file, age="3d")
            left = left_alone(home, port, key, file)
            assert client.detect(file, age="3d")["prediction_id"] == left
    journal = Journal(home)
    by_job, standing, new, last = [entry.subjects[0].id for entry in journal.ledger.entries("prediction.issued")]
    assert last == left
    assert (job["attempts"], job["prediction_id"]) == (1, by_job)
    assert (again["prediction_id"], later["prediction_id"]) == (standing, new)
    assert all(verify_answer(said, (home / "keys" / "platform.pub").read_bytes()).ok for said in (again, job["result"]))
    assert not owed(journal)
    journal.close()
