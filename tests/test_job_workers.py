"""Workers do what was left, once: with its line in the ledger, tried again where it fails, and left to another where stuck."""

import errno
import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lineage.digest import sha256_bytes
from lineage.entries import uuid7
from lineage.ledger import Actor, Ledger
from serving import job_worker
from serving.job_files import JobFiles
from serving.job_worker import Workers
from serving.jobs import Jobs, Task
from serving.journal import Journal
from serving.schema import Answer
from tests.databases import Place
from tests.queues import FILE, LIMITS, claimed, state
from tests.served import NOW, people_and_keys

SAID = Answer(prediction_id="p-1", outcome="completed", recording_digest=FILE, events=(), duration_s=60.0)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    people_and_keys(tmp_path)
    return tmp_path


def accepted(jobs: Jobs, files: JobFiles, home: Path, content: bytes = b"eeg") -> str:
    (home / "upload").write_bytes(content)
    id = uuid7(NOW)
    with open(home / "upload", "rb") as upload:
        files.keep(id, [upload])
    task = Task("detection", (sha256_bytes(content),), 3.0)
    jobs.accept(id, task, site="north", key_id="k", size=len(content), now=NOW)
    return id


def worked(
    home: Path, jobs: Jobs, files: JobFiles, id: str, do: object, clock: Callable[[], datetime] = lambda: NOW
) -> str:
    """Let workers do `do` until the job has ended; gives its state."""
    workers = Workers(jobs, files, do, clock)  # type: ignore[arg-type]
    workers.start()
    ended = threading.Event()
    for _ in range(200):
        row = jobs.of_site(id, "north")
        if row is None or (row.state in ("done", "failed", "cancelled") and not files.of(id)):
            break
        ended.wait(0.05)
    workers.close()
    return state(jobs, id)


def predictions(home: Path) -> int:
    ledger = Ledger(home / "ledger" / "ledger.db")
    count = len(ledger.entries("prediction.issued"))
    ledger.engine.dispose()
    return count


def test_a_job_and_its_line_in_the_ledger_are_one_step(
    home: Path, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is written by whoever lost the job meanwhile: neither of them stands anywhere."""
    monkeypatch.setenv("ICTAL_LEDGER", str(place))
    journal, jobs = Journal(home), Jobs(place, LIMITS)
    files = JobFiles(home / "jobs")
    id = accepted(jobs, files, home)

    def do(task, paths, *, site, key_id, told, act):  # type: ignore[no-untyped-def]
        assert paths[0].read_bytes() == b"eeg" and site == "north"
        told("reading", 0.0)
        if jobs.cancel(id, "north", NOW).state == "running":  # type: ignore[union-attr]
            return journal.together_with(act).record(SAID, Actor("n"), NOW)
        raise AssertionError

    assert worked(home, jobs, files, id, do) == "cancelled"
    assert journal.ledger.entries("prediction.issued") == []


def test_a_job_that_is_done_gives_its_prediction_and_keeps_no_file(home: Path) -> None:
    journal = Journal(home)
    jobs, files = Jobs(home / "ledger" / "ledger.db", LIMITS), JobFiles(home / "jobs")
    id, shares = accepted(jobs, files, home), list[float]()

    def do(task, paths, *, site, key_id, told, act):  # type: ignore[no-untyped-def]
        for share in (0.0, 0.01, 0.5, 1.0):
            told("analysing", share)
            row = jobs.of_site(id, "north")
            assert row is not None
            shares.append(row.share)
        return journal.together_with(act).record(SAID, Actor("n"), NOW)

    assert worked(home, jobs, files, id, do) == "done"
    row = jobs.of_site(id, "north")
    assert row is not None and (row.prediction_id, row.outcome, row.attempts) == ("p-1", "completed", 1)
    assert shares == [0.0, 0.0, 0.5, 1.0]  # written down when there is news
    assert predictions(home) == 1 and files.of(id) == []


def test_what_fails_is_tried_three_times_and_no_text_of_the_failure_is_said(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    jobs, files = Jobs(home / "ledger" / "ledger.db", LIMITS), JobFiles(home / "jobs")
    id, tried = accepted(jobs, files, home), list[int]()

    def do(task, paths, *, site, key_id, told, act):  # type: ignore[no-untyped-def]
        tried.append(1)
        raise RuntimeError("NAME-OF-NOBODY")

    with caplog.at_level("INFO"):
        assert worked(home, jobs, files, id, do) == "failed"
    row = jobs.of_site(id, "north")
    assert row is not None and (len(tried), row.outcome) == (3, "failed_permanent")
    assert "NAME-OF-NOBODY" not in str(row.reason) + caplog.text
    assert json.loads(caplog.records[0].message)["error"] == "RuntimeError"


def test_a_job_that_for_want_of_room_cannot_even_be_put_back_has_had_no_attempt(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Room comes and goes on a disk that others fill: three leases that lapsed so would be the end of the job."""
    monkeypatch.setattr(job_worker, "ROOM_S", 0.0)
    journal, files, now = Journal(home), JobFiles(home / "jobs"), [NOW]
    jobs = Jobs(home / "ledger" / "ledger.db", LIMITS)
    id, tried, refused = accepted(jobs, files, home), list[int](), list[int]()
    let_go = jobs.let_go

    def full(*given: Any, **named: Any) -> None:
        if len(refused) < len(tried):
            refused.append(1)
            now[0] += timedelta(seconds=LIMITS.lease_s + 1)
            raise OSError(errno.ENOSPC, "no room")
        let_go(*given, **named)

    def do(task, paths, *, site, key_id, told, act):  # type: ignore[no-untyped-def]
        tried.append(1)
        if len(tried) <= 2 * LIMITS.attempts:
            raise OSError(errno.ENOSPC, "no room")
        return journal.together_with(act).record(SAID, Actor("n"), NOW)

    monkeypatch.setattr(jobs, "let_go", full)
    assert worked(home, jobs, files, id, do, lambda: now[0]) == "done"
    row = jobs.of_site(id, "north")
    assert row is not None and (row.attempts, len(refused)) == (1, 2 * LIMITS.attempts)


def test_files_that_are_not_those_accepted_are_not_analysed(home: Path) -> None:
    jobs, files = Jobs(home / "ledger" / "ledger.db", LIMITS), JobFiles(home / "jobs")
    id = accepted(jobs, files, home)
    files.of(id)[0].write_bytes(b"other")
    assert worked(home, jobs, files, id, lambda *_, **__: pytest.fail("analysed")) == "failed"
    row = jobs.of_site(id, "north")
    assert row is not None and row.outcome == "failed_retryable"


def test_a_job_that_is_stuck_is_left_to_another_and_done_once(home: Path) -> None:
    """Its thread lives, and so does the process that would keep its lease for ever."""
    journal, files = Journal(home), JobFiles(home / "jobs")
    limits = replace(LIMITS, at_once=2, lease_s=0.3, stuck_s=0.2)
    jobs, go_on, begun = Jobs(home / "ledger" / "ledger.db", limits), threading.Event(), list[int]()
    id = accepted(jobs, files, home)

    def do(task, paths, *, site, key_id, told, act):  # type: ignore[no-untyped-def]
        begun.append(1)
        if len(begun) == 1:
            go_on.wait(20)
        return journal.together_with(act).record(SAID, Actor("n"), NOW)

    workers = Workers(jobs, files, do, lambda: datetime.now(UTC))  # type: ignore[arg-type]
    workers.start()
    until = time.monotonic() + 20
    while state(jobs, id) != "done" and time.monotonic() < until:
        time.sleep(0.02)
    go_on.set()
    workers.close()
    row = jobs.of_site(id, "north")
    assert row is not None and (row.state, row.attempts, len(begun)) == ("done", 2, 2)
    assert predictions(home) == 1


def test_an_attempt_that_lost_its_lease_does_nothing_to_a_later_one_of_the_same_service(home: Path) -> None:
    journal, files, now = Journal(home), JobFiles(home / "jobs"), [NOW]
    jobs = Jobs(home / "ledger" / "ledger.db", replace(LIMITS, at_once=2, lease_s=60))
    id, begun, ended = accepted(jobs, files, home), [threading.Event(), threading.Event()], threading.Event()

    def do(task, paths, *, site, key_id, told, act):  # type: ignore[no-untyped-def]
        number = 0 if not begun[0].is_set() else 1
        begun[number].set()
        try:
            assert (begun[1] if number == 0 else ended).wait(20)
            told("analysing", 0.5)
            said = SAID.model_copy(update={"prediction_id": f"p-{number}"})
            return journal.together_with(act).record(said, Actor("n"), NOW)
        finally:
            ended.set()

    workers = Workers(jobs, files, do, lambda: now[0])  # type: ignore[arg-type]
    workers.start()
    assert begun[0].wait(20)
    now[0] += timedelta(seconds=61)  # and nobody has renewed the lease
    workers.wake()
    until = time.monotonic() + 20
    while state(jobs, id) != "done" and time.monotonic() < until:
        time.sleep(0.02)
    workers.close()
    row = jobs.of_site(id, "north")
    assert row is not None and (row.state, row.attempts, row.prediction_id) == ("done", 2, "p-1")
    assert predictions(home) == 1


def test_the_files_of_a_job_that_killed_the_service_too_often_go_at_once(home: Path) -> None:
    jobs, files = Jobs(home / "ledger" / "ledger.db", LIMITS), JobFiles(home / "jobs")
    id = accepted(jobs, files, home)
    for attempt in range(LIMITS.attempts):
        claimed(jobs, f"killed {attempt}", at_s=10 * attempt - 60)  # the last lease ends before the workers begin
    assert worked(home, jobs, files, id, lambda *_, **__: pytest.fail("analysed")) == "failed"
    assert files.of(id) == []
