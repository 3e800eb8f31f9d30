"""Work that a site leaves with the service: accepted once, done once, whoever dies meanwhile, and seen by nobody else."""

import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, inspect

from lineage.digest import sha256_bytes
from lineage.entries import uuid7
from lineage.ledger import Actor, Ledger
from lineage.store import open_store, session
from serving.job_files import ORPHANED_S, JobFiles, remove_left
from serving.job_worker import Workers
from serving.jobs import JobLimits, JobRow, Jobs, LeaseLost, OtherBody, Task, TooManyJobs
from serving.journal import Journal
from serving.schema import Answer
from tests.databases import Place
from tests.served import NOW, people_and_keys

LIMITS = JobLimits(
    at_once_per_site=1, waiting=6, waiting_per_site=4, waiting_bytes=10_000, waiting_bytes_per_site=6_000, lease_s=8,
    attempts=3,
)  # fmt: skip
FILE = "a" * 64
TASK = Task("detection", (FILE,), 3.0)


@pytest.fixture
def jobs(place: Place) -> Iterator[Jobs]:
    """An empty queue, in SQLite and in PostgreSQL."""
    queue = Jobs(place, LIMITS)
    yield queue
    if isinstance(place, Path):
        queue.engine.dispose()


def left(jobs: Jobs, site: str = "north", at_s: float = 0, key: str | None = None, task: Task = TASK) -> str:
    now = NOW + timedelta(seconds=at_s)
    return jobs.accept(uuid7(now), task, site=site, key_id="k", size=100, now=now, idempotency_key=key).id


def claimed(jobs: Jobs, worker: str = "w", at_s: float = 60) -> str | None:
    jobs.take_back(NOW + timedelta(seconds=at_s))
    row = jobs.claim(worker, NOW + timedelta(seconds=at_s))
    return row and row.id


def state(jobs: Jobs, id: str, site: str = "north") -> str:
    row = jobs.of_site(id, site)
    assert row is not None
    return row.state


def finish(jobs: Jobs, id: str, worker: str = "w", at_s: float = 61) -> None:
    with session(jobs.engine) as writing:
        jobs.finish(writing, id, worker, "p", "completed", NOW + timedelta(seconds=at_s))


def test_jobs_of_a_site_are_done_in_the_order_in_which_they_came(jobs: Jobs) -> None:
    came = [left(jobs, at_s=second) for second in range(3)]
    done = []
    for second in range(3):
        id = claimed(jobs, at_s=60 + second)
        assert id is not None
        finish(jobs, id, at_s=60 + second)
        done.append(id)
    assert done == came and claimed(jobs) is None


def test_a_site_that_sends_many_jobs_leaves_room_for_another_that_sends_one(jobs: Jobs) -> None:
    first = [left(jobs, "north", at_s=second) for second in range(4)]
    late = left(jobs, "south", at_s=30)
    assert claimed(jobs, "w1") == first[0]
    assert claimed(jobs, "w2") == late
    assert claimed(jobs, "w3") is None  # one of each site at once
    finish(jobs, first[0], "w1")
    assert claimed(jobs, "w1", at_s=62) == first[1]


def test_jobs_of_paused_sites_wait_and_keep_their_turn(jobs: Jobs) -> None:
    north, south = left(jobs, "north"), left(jobs, "south", at_s=30)
    assert jobs.claim("w1", NOW + timedelta(seconds=60), {"north"}) is not None
    assert (state(jobs, north), state(jobs, south, "south")) == ("queued", "running")
    assert jobs.claim("w2", NOW + timedelta(seconds=60), {"north"}) is None
    assert claimed(jobs, "w2") == north


def test_the_depth_and_the_age_of_the_queue_are_of_what_has_not_ended(jobs: Jobs) -> None:
    assert jobs.depth(NOW) == ({}, 0.0)
    first, _, _ = [left(jobs, site, at_s=second) for second, site in enumerate(("north", "south", "east"))]
    assert jobs.depth(NOW + timedelta(seconds=10)) == ({"queued": 3}, 10.0)
    assert claimed(jobs) == first
    assert jobs.depth(NOW + timedelta(seconds=61)) == ({"queued": 2, "running": 1}, 60.0)  # accepted at 1 s
    finish(jobs, first)
    assert jobs.depth(NOW + timedelta(seconds=62)) == ({"queued": 2}, 61.0)


def test_of_two_sites_that_wait_the_one_goes_first_whose_turn_was_longest_ago(jobs: Jobs) -> None:
    north = [left(jobs, "north", at_s=second) for second in range(2)]
    south = [left(jobs, "south", at_s=10 + second) for second in range(2)]
    order = []
    for second in range(4):
        id = claimed(jobs, at_s=60 + second)
        assert id is not None
        finish(jobs, id, at_s=60 + second)
        order.append(id)
    assert order == [north[0], south[0], north[1], south[1]]


def test_two_workers_never_have_one_job(jobs: Jobs) -> None:
    for number in range(4):
        left(jobs, f"site-{number}", at_s=number)
    got: list[str | None] = []
    start = threading.Barrier(4)

    def work(worker: str) -> None:
        start.wait()
        got.append(claimed(jobs, worker))

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(got)) == 4 and None not in got


def test_who_has_lost_the_lease_can_no_longer_finish(jobs: Jobs) -> None:
    id = left(jobs)
    assert claimed(jobs, "dead", at_s=0) == id
    assert claimed(jobs, "heir", at_s=7.9) is None  # the lease lasts 8 s
    assert claimed(jobs, "heir", at_s=8.1) == id
    with pytest.raises(LeaseLost):
        jobs.note(id, "dead", "analysing", 0.5)
    with pytest.raises(LeaseLost):
        finish(jobs, id, "dead")
    finish(jobs, id, "heir")
    assert state(jobs, id) == "done"


def test_a_lease_that_is_renewed_is_kept(jobs: Jobs) -> None:
    id, other = left(jobs), left(jobs, "south")
    assert claimed(jobs, "w", at_s=0) == id and claimed(jobs, "w2", at_s=0) == other
    jobs.renew(["w"], NOW + timedelta(seconds=7))
    assert claimed(jobs, "heir", at_s=9) == other  # of which nobody works any more
    assert claimed(jobs, "heir", at_s=9) is None
    finish(jobs, id)


def test_a_job_over_which_the_service_dies_again_and_again_has_failed_and_stops_nobody(jobs: Jobs) -> None:
    id, second = left(jobs), left(jobs, at_s=1)
    for attempt in range(3):
        assert claimed(jobs, f"w{attempt}", at_s=10 * attempt) == id
    assert claimed(jobs, "w3", at_s=30) == second
    row = jobs.of_site(id, "north")
    assert row is not None
    assert (row.state, row.outcome, row.attempts) == ("failed", "failed_permanent", 3)
    assert "stopped 3 times" in str(row.reason)


def test_jobs_that_end_when_they_are_taken_back_are_named_so_that_their_files_go(jobs: Jobs) -> None:
    cancelled, other = left(jobs), left(jobs, "south")
    assert claimed(jobs, "w1", at_s=0) == cancelled and claimed(jobs, "w2", at_s=0) == other
    jobs.cancel(cancelled, "north", NOW)
    assert jobs.take_back(NOW + timedelta(seconds=7)) == []
    assert jobs.take_back(NOW + timedelta(seconds=9)) == [cancelled]
    assert (state(jobs, cancelled), state(jobs, other, "south")) == ("cancelled", "queued")
    assert jobs.take_back(NOW + timedelta(seconds=9)) == []


def test_the_files_of_a_job_that_killed_the_service_too_often_go_at_once(home: Path) -> None:
    jobs, files = Jobs(home / "ledger" / "ledger.db", LIMITS), JobFiles(home / "jobs")
    id = accepted(jobs, files, home)
    for attempt in range(LIMITS.attempts):
        claimed(jobs, f"killed {attempt}", at_s=10 * attempt - 60)  # the last lease ends before the workers begin
    assert worked(home, jobs, files, id, lambda *_, **__: pytest.fail("analysed")) == "failed"
    assert files.of(id) == []


def test_a_service_that_is_stopped_in_order_has_made_no_attempt(jobs: Jobs) -> None:
    id = left(jobs)
    for second in range(5):
        assert claimed(jobs, at_s=second) == id
        jobs.let_go(id, "w", NOW, counts=False)
    assert state(jobs, id) == "queued"


def test_a_waiting_job_is_cancelled_at_once_and_a_running_one_at_its_next_step(jobs: Jobs) -> None:
    running, waiting = left(jobs), left(jobs, at_s=1)
    assert claimed(jobs) == running
    for id in (running, waiting):
        assert jobs.cancel(id, "north", NOW) is not None
    assert (state(jobs, waiting), state(jobs, running)) == ("cancelled", "running")
    with pytest.raises(LeaseLost):
        jobs.note(running, "w", "analysing", 0.5)
    with pytest.raises(LeaseLost):
        finish(jobs, running)
    jobs.let_go(running, "w", NOW, counts=True)
    assert state(jobs, running) == "cancelled"
    assert claimed(jobs, at_s=100) is None


def test_a_cancelled_job_of_a_killed_worker_is_not_begun_again(jobs: Jobs) -> None:
    id = left(jobs)
    claimed(jobs, at_s=0)
    jobs.cancel(id, "north", NOW)
    assert claimed(jobs, "heir", at_s=20) is None
    assert state(jobs, id) == "cancelled"


def test_the_same_key_with_the_same_task_is_the_same_job_and_with_another_is_refused(jobs: Jobs) -> None:
    id = left(jobs, key="k")
    assert left(jobs, at_s=5, key="k") == id
    for other in (Task("detection", ("b" * 64,), 3.0), Task("typing", (FILE,), 3.0), Task("detection", (FILE,), 4.0)):
        with pytest.raises(OtherBody):
            left(jobs, key="k", task=other)
    assert left(jobs, "south", key="k") != id  # each site has keys of its own
    assert left(jobs, key=None) != left(jobs, key=None)


def test_the_same_key_gives_the_job_after_it_has_ended_too(jobs: Jobs) -> None:
    id = left(jobs, key="k")
    claimed(jobs)
    finish(jobs, id)
    assert left(jobs, at_s=100, key="k") == id and claimed(jobs, at_s=101) is None


def test_the_same_key_gives_the_job_that_was_cancelled_or_has_failed_for_good(jobs: Jobs) -> None:
    cancelled, failed = left(jobs, key="c"), left(jobs, key="f")
    jobs.cancel(cancelled, "north", NOW)
    fail(jobs, failed, "failed_permanent")
    assert (left(jobs, key="c"), left(jobs, key="f")) == (cancelled, failed)


def test_the_same_key_is_a_new_job_where_the_one_before_is_worth_sending_again(jobs: Jobs) -> None:
    first = left(jobs, key="k")
    fail(jobs, first, "failed_retryable")
    with pytest.raises(OtherBody):
        left(jobs, key="k", task=Task("typing", (FILE,), 3.0))
    second = left(jobs, at_s=1, key="k")
    assert second != first and left(jobs, at_s=2, key="k") == second
    assert (state(jobs, first), state(jobs, second)) == ("failed", "queued")
    assert claimed(jobs) == second


def fail(jobs: Jobs, id: str, outcome: str) -> None:
    """Have the next job, which is this one, fail at every attempt."""
    for attempt in range(LIMITS.attempts):
        assert claimed(jobs, str(attempt)) == id
        jobs.let_go(id, str(attempt), NOW, counts=True, why="it failed", last=outcome)


def test_the_queue_is_bounded_for_a_site_for_all_and_in_bytes(jobs: Jobs) -> None:
    for second in range(4):
        left(jobs, at_s=second)
    with pytest.raises(TooManyJobs) as caught:
        left(jobs, at_s=5)
    assert (caught.value.of_site, caught.value.limit) == (True, "4 jobs")
    left(jobs, "south")
    left(jobs, "east")
    with pytest.raises(TooManyJobs) as caught:
        left(jobs, "south")
    assert (caught.value.of_site, caught.value.limit) == (False, "6 jobs")


def test_a_job_whose_attempt_is_gone_is_taken_up_although_the_clock_was_set_back(jobs: Jobs) -> None:
    """Its lease would last for as long as the clock was ahead, and of its site nothing else would be done."""
    id = left(jobs)
    assert claimed(jobs, "gone", at_s=3600) == id
    assert claimed(jobs, "heir", at_s=3600 - 59) is None  # so much may two machines' clocks differ
    assert claimed(jobs, "heir", at_s=60) == id


def test_a_site_that_has_no_job_in_leaves_one_however_full_the_others_have_made_the_queue(jobs: Jobs) -> None:
    for site in ("south", "east"):
        jobs.accept(uuid7(NOW), TASK, site=site, key_id="k", size=4_800, now=NOW)
    for site in ("south", "south", "south", "west"):
        left(jobs, site)
    id = left(jobs, "north")
    with pytest.raises(TooManyJobs):
        left(jobs, "north")
    jobs.cancel(id, "north", NOW)
    left(jobs, "north")


def test_one_site_fills_no_more_than_its_share_of_the_bytes(jobs: Jobs) -> None:
    def large(site: str, size: int) -> None:
        jobs.accept(uuid7(NOW), TASK, site=site, key_id="k", size=size, now=NOW)

    for size in (4_000, 2_000):
        large("north", size)
    with pytest.raises(TooManyJobs) as caught:
        large("north", 1)
    assert (caught.value.of_site, caught.value.limit) == (True, "6000 bytes of files")
    large("south", 3_900)
    with pytest.raises(TooManyJobs) as caught:
        large("south", 101)
    assert (caught.value.of_site, caught.value.limit) == (False, "10000 bytes of files")
    large("south", 100)


def test_a_job_of_another_site_is_no_job(jobs: Jobs) -> None:
    id = left(jobs)
    assert jobs.of_site(id, "south") is jobs.of_site("none", "south") is None
    assert jobs.cancel(id, "south", NOW) is jobs.cancel("none", "south", NOW) is None
    assert state(jobs, id) == "queued"


def test_looking_for_anothers_job_asks_the_store_the_same_as_for_none(jobs: Jobs) -> None:
    """No difference in what is done, so none in how long it takes."""
    asked: list[list[str]] = []

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        asked[-1].append(statement)

    id = left(jobs)
    event.listen(jobs.engine, "before_cursor_execute", note)
    for one in (id, "none"):
        asked.append([])
        jobs.of_site(one, "south")
        jobs.cancel(one, "south", NOW)
    event.remove(jobs.engine, "before_cursor_execute", note)
    assert asked[0] == asked[1] and any("serving_job" in statement for statement in asked[0])


def test_jobs_that_ended_are_not_looked_through_for_those_that_wait(tmp_path: Path) -> None:
    """Kept for thirty days they are a hundred thousand, and every worker asks every second."""
    jobs = Jobs(tmp_path / "jobs.db", LIMITS)
    asked: list[tuple[str, Any]] = []

    def note(connection: object, cursor: object, statement: str, parameters: Any, *_: object) -> None:
        asked.append((statement, parameters))

    for site in ("north", "south"):
        left(jobs, site)
    event.listen(jobs.engine, "before_cursor_execute", note)
    last = left(jobs)
    assert claimed(jobs)
    jobs.depth(NOW)
    jobs.waiting()
    jobs.forget(NOW)
    assert jobs.cancel(last, "north", NOW)
    event.remove(jobs.engine, "before_cursor_execute", note)
    with jobs.engine.connect() as reading:
        plans = {
            (statement, row[3])
            for statement, parameters in asked
            if "serving_job" in statement
            for row in reading.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        }
    assert len(plans) > 10
    assert [plan for plan in plans if plan[1].startswith("SCAN serving_job")] == []


def test_a_queue_of_an_earlier_release_gets_the_indexes_that_it_lacks(place: Place) -> None:
    engine = open_store(place, JobRow)
    wanted = {index.name for index in JobRow.metadata.tables["serving_job"].indexes}
    with engine.begin() as writing:
        for name in wanted:
            writing.exec_driver_sql(f"DROP INDEX {name}")
    jobs = Jobs(place, LIMITS)
    assert wanted <= {index["name"] for index in inspect(jobs.engine).get_indexes("serving_job")}
    id = left(jobs)
    assert claimed(jobs) == id


def test_ended_jobs_are_forgotten_after_their_days_and_waiting_ones_never(jobs: Jobs) -> None:
    old, waiting = left(jobs), left(jobs, at_s=1)
    claimed(jobs)
    finish(jobs, old, at_s=61)
    days = timedelta(days=LIMITS.kept_days, seconds=61)
    assert jobs.forget(NOW + days) == []
    assert jobs.forget(NOW + days + timedelta(seconds=1)) == [old]
    assert jobs.forget(NOW + timedelta(days=365)) == []
    assert jobs.of_site(old, "north") is None and state(jobs, waiting) == "queued"


def test_files_of_a_job_are_on_disk_and_go_with_it(tmp_path: Path) -> None:
    files = JobFiles(tmp_path / "accepted")
    (tmp_path / "a").write_bytes(b"first")
    (tmp_path / "b").write_bytes(b"second")
    with open(tmp_path / "a", "rb") as one, open(tmp_path / "b", "rb") as two:
        kept = files.keep("id", [one, two])
    assert [path.read_bytes() for path in kept] == [b"first", b"second"]
    files.remove("id")
    assert files.of("id") == []


def test_no_file_of_a_job_is_left_out_without_a_word(tmp_path: Path) -> None:
    files = JobFiles(tmp_path / "accepted")
    with pytest.raises(ValueError):
        files.keep("id", [BytesIO(b"a"), BytesIO(b"b"), BytesIO(b"c")])


def test_files_and_their_folders_are_on_the_disk_before_a_job_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []

    def sync(handle: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{handle}")).relative_to(tmp_path).as_posix())

    monkeypatch.setattr(os, "fsync", sync)
    (tmp_path / "a").write_bytes(b"eeg")
    with open(tmp_path / "a", "rb") as upload:
        JobFiles(tmp_path / "accepted").keep("id", [upload])
    assert synced == ["accepted/id/recording", "accepted/id", "accepted"]


def test_an_upload_that_was_never_accepted_is_removed_once_it_is_old(tmp_path: Path) -> None:
    for id in ("wanted", "fresh", "left"):
        (tmp_path / id).mkdir()
    (tmp_path / "upload").write_bytes(b"x")
    long_ago = os.stat(tmp_path).st_mtime - ORPHANED_S - 1
    for id in ("wanted", "left", "upload"):
        os.utime(tmp_path / id, (long_ago, long_ago))
    remove_left(tmp_path, {"wanted"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fresh", "wanted"]


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


def worked(home: Path, jobs: Jobs, files: JobFiles, id: str, do: object) -> str:
    """Let workers do `do` until the job has ended; gives its state."""
    workers = Workers(jobs, files, do, lambda: NOW)  # type: ignore[arg-type]
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
