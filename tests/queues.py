"""A queue of small jobs in tests, and what is done with one: left, claimed, finished."""

from datetime import timedelta

from lineage.entries import uuid7
from lineage.store import session
from serving.jobs import JobLimits, Jobs, Task
from tests.served import NOW

LIMITS = JobLimits(
    at_once_per_site=1, waiting=6, waiting_per_site=4, waiting_bytes=10_000, waiting_bytes_per_site=6_000, lease_s=8,
    attempts=3,
)  # fmt: skip
FILE = "a" * 64
TASK = Task("detection", (FILE,), 3.0)


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
