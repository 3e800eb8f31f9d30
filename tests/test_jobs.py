"""Work that a site leaves with the service: accepted once, done once, whoever dies meanwhile, and seen by nobody else."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, inspect

from lineage.entries import uuid7
from lineage.store import open_store
from serving.jobs import JobRow, Jobs, LeaseLost, OtherBody, Task, TooManyJobs
from tests.databases import Place
from tests.queues import FILE, LIMITS, TASK, claimed, finish, left, state
from tests.served import NOW


@pytest.fixture
def jobs(place: Place) -> Iterator[Jobs]:
    """An empty queue, in SQLite and in PostgreSQL."""
    queue = Jobs(place, LIMITS)
    yield queue
    if isinstance(place, Path):
        queue.engine.dispose()


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
    assert claimed(jobs, "w1") and claimed(jobs, "w2")
    assert jobs.depth(NOW + timedelta(seconds=62)) == ({"running": 2}, 0.0)  # what is worked on no longer waits


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
