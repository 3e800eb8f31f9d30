"""The counter for work that is left with us: takes it in, says how far it is, calls it off, and gives the answer."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy.exc import OperationalError

from data.readers.apart import ReadLimits, reading_apart
from lineage.digest import sha256_file
from lineage.entries import uuid7
from lineage.place import ledger_place
from models.pose_estimator import PoseEstimator
from serving.answering import Stages
from serving.fields import check_sha256
from serving.job_files import JobFiles
from serving.job_worker import Workers
from serving.jobs import ENDED, JobLimits, JobRow, Jobs, OtherBody, Task, TooManyJobs, task_of
from serving.journal import Act, Journal
from serving.loader import ForSites
from serving.naming import ask
from serving.orders import Orders
from serving.past import Past
from serving.problems import ProblemError
from serving.schema import Answered
from serving.shadow import Shadow
from serving.statements import JobStatement
from serving.threads import in_thread

TAKEN_IN_AT_ONCE = 4


class JobDesk:
    """Jobs of one service. What is slow runs in threads: those that take work in are not those that do it."""

    def __init__(
        self,
        home: Path,
        loaders: Mapping[str, ForSites],
        journal: Journal,
        estimator: PoseEstimator | None,
        limits: JobLimits,
        reading: ReadLimits,
        clock: Callable[[], datetime],
        done: Callable[[Answered], None],
        orders: Orders,
        shadow: Shadow,
        past: Past,
    ):
        self.loaders, self.journal, self.estimator, self.clock = loaders, journal, estimator, clock
        self.jobs, self.reading = Jobs(ledger_place(home), limits), reading
        self.files = JobFiles(home / "jobs" / "accepted")
        self.orders, self.shadow, self.past = orders, shadow, past
        beside = (home / "jobs" / "uploads", shadow.folder)
        self.workers = Workers(self.jobs, self.files, self._do, clock, done, orders.stopped, beside)
        self._pool = ThreadPoolExecutor(TAKEN_IN_AT_ONCE, "take-in")

    def open(self) -> None:
        """Begin to work, also on what was accepted before this service was started."""
        self.workers.start()

    def close(self) -> None:
        """Stop after the step that each job is at; what is not done is left for the next service."""
        self._pool.shutdown()
        self.workers.close()
        self.jobs.engine.dispose()

    async def take_in(
        self,
        question: str,
        uploads: Sequence[BinaryIO],
        sha256: str | None,
        age_days: float | None,
        marked: Sequence[tuple[float, float]],
        site: str,
        key_id: str,
        idempotency_key: str | None,
    ) -> JobStatement:
        """Accept work: what this has returned is done, whatever happens to the service.

        ProblemError where it is not: 400 for a file with another SHA-256 than was announced, 409 for an Idempotency-Key
        that was used for something else, 429 where the site has too much waiting, 503 where the queue is full.
        """
        task = partial(Task, question, age_days=age_days, marked=tuple(marked))
        return await in_thread(self._pool, self._take_in, task, uploads, sha256, site, key_id, idempotency_key)

    async def state(self, id: str, site: str) -> JobStatement:
        """How far a job is, with its answer if it is done. ProblemError 404 alike for those of others and those that
        are none, 410 where what the answer said was erased."""
        return await in_thread(self._pool, self._state, id, site)

    async def call_off(self, id: str, site: str) -> JobStatement:
        """Cancel a job of the site: at once while it waits, after the present step while it runs. ProblemError 404 as
        of `state`, 409 once it is done or has failed."""
        return await in_thread(self._pool, self._call_off, id, site)

    def _take_in(
        self,
        task_of_files: Callable[[tuple[str, ...]], Task],
        uploads: Sequence[BinaryIO],
        sha256: str | None,
        site: str,
        key_id: str,
        idempotency_key: str | None,
    ) -> JobStatement:
        id, now = uuid7(self.clock()), self.clock()
        accepted = ""
        try:
            files = self.files.keep(id, uploads)
            task = task_of_files(tuple(sha256_file(file) for file in files))
            check_sha256(task.files[0], sha256)
            size = sum(file.stat().st_size for file in files)
            row = self._accepted(id, task, site, key_id, size, now, idempotency_key)
            accepted = row.id
        finally:
            if accepted != id and not self._is_in(id, site):  # refused, or known already
                self.files.remove(id)
        self.workers.wake()
        return self._said(row)

    def _is_in(self, id: str, site: str) -> bool:
        """Whether a job was accepted although nothing came of it here, or may have been: then its files are left, to be swept up
        once nobody wants them."""
        try:
            return self.jobs.of_site(id, site) is not None
        except OperationalError:
            return True

    def _accepted(
        self, id: str, task: Task, site: str, key_id: str, size: int, now: datetime, idempotency_key: str | None
    ) -> JobRow:
        try:
            return self.jobs.accept(
                id, task, site=site, key_id=key_id, size=size, now=now, idempotency_key=idempotency_key
            )
        except OtherBody:
            raise ProblemError(
                409, "this Idempotency-Key was used for another recording or question: send a new key"
            ) from None
        except TooManyJobs as full:
            if full.of_site:
                detail = f"at most {full.limit} of a site wait at once: cancel some, or send this one later"
                raise ProblemError(429, detail, {"Retry-After": "30"}) from None
            raise ProblemError(503, "the queue is full: send this one later", {"Retry-After": "60"}) from None

    def _state(self, id: str, site: str) -> JobStatement:
        return self._said(_there(self.jobs.of_site(id, site)))

    def _call_off(self, id: str, site: str) -> JobStatement:
        row = _there(self.jobs.cancel(id, site, self.clock()))
        if row.state in ("done", "failed"):
            raise ProblemError(409, f"this job is {row.state}, and can no longer be cancelled")
        if row.state == "cancelled":
            self.files.remove(id)
        return self._said(row)

    def _said(self, row: JobRow) -> JobStatement:
        result: dict[str, Any] | None = None
        stopped = self.orders.why_stopped(row.site) if row.state == "queued" else None
        if row.prediction_id is not None:
            result = self.past.answer(row.prediction_id, row.site, self.clock())
        return JobStatement(
            job_id=row.id,
            question=task_of(row).question,
            state=row.state,
            stage=row.stage,
            progress=min(1.0, row.share),
            ahead=self.jobs.ahead(row) if row.state == "queued" else 0,
            cancelling=row.cancelling and row.state not in ENDED,
            attempts=row.attempts,
            accepted_at=row.accepted_at,
            started_at=row.started_at,
            ended_at=row.ended_at,
            outcome=row.outcome,
            reason=stopped or row.reason,
            prediction_id=row.prediction_id,
            result=result,
        )

    def _do(self, task: Task, files: Sequence[Path], *, site: str, key_id: str, told: Stages, act: Act) -> Answered:
        asked: dict[str, Any] = {"site": site, "age_days": task.age_days, "key_id": key_id, "now": self.clock()}
        asked |= {"loader": self.loaders[task.question], "journal": self.journal.together_with(act), "told": told}
        with reading_apart(self.reading):
            said = ask(files, marked=task.marked, estimator=self.estimator, **asked)
        self.shadow.offer(task.question, files, task.age_days, task.marked, site, said)
        return said


def _there(row: JobRow | None) -> JobRow:
    if row is None:
        raise ProblemError(404, "this site has no such job: jobs are forgotten some weeks after they ended")
    return row
