"""Work that a site may leave with us: jobs in the ledger's own store, so that a job and its answer end in one step.

A job is queued, then running, then done, failed or cancelled. Each attempt at one has a name of its own and holds a lease
that has to be renewed; one that lost it can no longer write the answer down. So a job is done once, however often begun.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Index, UniqueConstraint, delete, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineage.digest import Digest, digest_of
from lineage.store import Base, add_indexes, open_store, session
from lineage.times import read_utc, utc_text

State = Literal["queued", "running", "done", "failed", "cancelled"]
ENDED = ("done", "failed", "cancelled")
WAITING: tuple[State, ...] = ("queued", "running")
"""Those that did not end; asked for by name, since the store has an index of states but none of what a state is not."""
RETRYABLE = "failed_retryable"
"""Outcome of a job that failed for reasons which are not its recording's."""
CLOCKS_S = 60.0
"""How much the clocks of two machines may differ."""


@dataclass(frozen=True)
class JobLimits:
    """How much may wait, and how much of it is done at once.

    A service does `at_once` jobs at once; all services together `at_once_per_site` of one site, so that a site which
    sends a hundred leaves room for others. `waiting` jobs may be in, with `waiting_bytes` of files; of one site
    `waiting_per_site`, with `waiting_bytes_per_site`. A site that has none in may always leave one. A lease that is not
    renewed for `lease_s` is lost, and it is not renewed for a job that has told nothing for `stuck_s`; after `attempts` a
    job has failed. Ended jobs are forgotten after `kept_days`. One request brings `upload_bytes` at most.
    """

    at_once: int = 2
    at_once_per_site: int = 1
    waiting: int = 200
    waiting_per_site: int = 40
    waiting_bytes: int = 32 * 2**30
    waiting_bytes_per_site: int = 8 * 2**30
    upload_bytes: int = 2 * 2**30
    lease_s: float = 8.0
    stuck_s: float = 900.0
    attempts: int = 3
    kept_days: float = 30.0


@dataclass(frozen=True)
class Task:
    """What a job is about: a question, the digests of its files, the age as declared (None: not), and the stretches
    (onset_s, duration_s) that are marked."""

    question: str
    files: tuple[Digest, ...]
    age_days: float | None = None
    marked: tuple[tuple[float, float], ...] = ()

    @property
    def digest(self) -> Digest:
        """By which two submissions are the same one: SHA-256 over question, files, age and marked stretches."""
        return digest_of(vars(self) | {"marked": [list(span) for span in self.marked], "files": list(self.files)})


class JobRow(Base):
    """A job in the store. `no` counts them as they were accepted, `bytes` sizes its files, `share` its progress (0–1).

    Times are UTC as text, but `lease_until`, in seconds since 1970. `worker` names the attempt that has the lease; `outcome`
    and `reason` say how it ended.
    """

    __tablename__ = "serving_job"
    __table_args__ = (
        UniqueConstraint("site", "idempotency_key"),
        Index("serving_job_waiting", "state", "site", "no"),
        Index("serving_job_turn", "site", "started_at"),
        Index("serving_job_ended", "ended_at"),
    )
    id: Mapped[str] = mapped_column(primary_key=True)
    no: Mapped[int] = mapped_column(unique=True)
    site: Mapped[str]
    key_id: Mapped[str]
    idempotency_key: Mapped[str | None]
    task: Mapped[str]
    task_digest: Mapped[str]
    bytes: Mapped[int]
    state: Mapped[str]
    stage: Mapped[str]
    share: Mapped[float]
    attempts: Mapped[int]
    cancelling: Mapped[bool]
    accepted_at: Mapped[str]
    started_at: Mapped[str | None]
    ended_at: Mapped[str | None]
    worker: Mapped[str | None]
    lease_until: Mapped[float | None]
    prediction_id: Mapped[str | None]
    outcome: Mapped[str | None]
    reason: Mapped[str | None]


class TooManyJobs(Exception):
    """The queue is full: of this site (`of_site`), or of all; `limit` is how many jobs, or bytes of files, it holds."""

    def __init__(self, of_site: bool, limit: str):
        super().__init__(limit)
        self.of_site, self.limit = of_site, limit


class OtherBody(Exception):
    """The idempotency key was used before, for something else."""


class LeaseLost(Exception):
    """The job is no longer this attempt's: cancelled, or taken over."""


class Jobs:
    """The queue in the store at `place`; used by several threads and processes at once. Time comes as `now`."""

    def __init__(self, place: str | Path, limits: JobLimits | None = None):
        self.engine = open_store(place, JobRow)
        add_indexes(self.engine, JobRow)
        self.limits = limits or JobLimits()

    def accept(
        self,
        id: str,
        task: Task,
        *,
        site: str,
        key_id: str,
        size: int,
        now: datetime,
        idempotency_key: str | None = None,
    ) -> JobRow:
        """Queue a job whose files, of `size` bytes, are kept; what is returned survives a power cut. Raises TooManyJobs
        where there is no room, and OtherBody for an idempotency key that was used for another task.

        It is an earlier job, with another id, where the site used the idempotency key before for the same task; unless that
        one is worth sending again (`failed_retryable`): then it stays as it ended, and the key is the new job's.
        """
        row = JobRow(
            id=id, site=site, key_id=key_id, idempotency_key=idempotency_key, task=json.dumps(vars(task)),
            task_digest=task.digest, bytes=size, state="queued", stage="waiting", share=0.0, attempts=0,
            cancelling=False, accepted_at=utc_text(now),
        )  # fmt: skip
        with session(self.engine) as writing:
            known = _earlier(writing, site, idempotency_key, task)
            if known is not None and known.outcome != RETRYABLE:
                return known
            self._check_room(writing, site, size)
            if known is not None:
                known.idempotency_key = None
                writing.flush()  # before the new one is written, since the store holds a key once
            row.no = (writing.scalar(select(func.max(JobRow.no))) or 0) + 1
            writing.add(row)
        return row

    def of_site(self, id: str, site: str) -> JobRow | None:
        """A site's job, or None. One of another site is looked for in the very same way as one that there is not."""
        with session(self.engine, write=False) as reading:
            return reading.scalar(select(JobRow).where(JobRow.id == id, JobRow.site == site))

    def ahead(self, row: JobRow) -> int:
        """How many jobs of the same site wait before this one."""
        before = (JobRow.site == row.site) & (JobRow.state == "queued") & (JobRow.no < row.no)
        with session(self.engine, write=False) as reading:
            return reading.scalar(select(func.count()).where(before)) or 0

    def cancel(self, id: str, site: str, now: datetime) -> JobRow | None:
        """End a queued job now, and have a running one end at its next step; ended ones stay as they are. Returns the
        job as it is then, None where the site has no such."""
        with session(self.engine) as writing:
            row = writing.scalar(select(JobRow).where(JobRow.id == id, JobRow.site == site))
            if row is not None and row.state == "queued":
                row.state, row.stage, row.ended_at = "cancelled", "cancelled", utc_text(now)
            elif row is not None and row.state == "running":
                row.cancelling = True
            return row

    def claim(self, attempt: str, now: datetime, paused: Collection[str] = ()) -> JobRow | None:
        """The next job, with a lease for this attempt, whose name nobody used before; None where nothing may be done now.

        Next is the oldest job of the site with the fewest jobs running, and of those the one whose turn was longest ago.
        Jobs of `paused` sites wait.
        """
        with session(self.engine, write=False) as reading:
            if self._next(reading, now, paused) is None:
                return None  # without the writer's lock, since every worker asks once a second
        with session(self.engine) as writing:
            row = self._next(writing, now, paused)
            if row is not None:
                row.state, row.worker, row.attempts = "running", attempt, row.attempts + 1
                row.stage, row.share, row.started_at = "starting", 0.0, utc_text(now)
                row.lease_until = now.timestamp() + self.limits.lease_s
            return row

    def take_back(self, now: datetime) -> list[str]:
        """Queue the jobs again whose attempt is gone: killed, cut off, or stuck. Gives the ids of those that ended with it,
        since they were cancelled, or had their last attempt."""
        with session(self.engine, write=False) as reading:
            if reading.scalar(select(JobRow.id).where(*self._out(now)).limit(1)) is None:
                return []
        why = f"the service was stopped {self.limits.attempts} times while it worked on this: cut the recording"
        with session(self.engine) as writing:
            rows = writing.scalars(select(JobRow).where(*self._out(now))).all()
            for row in rows:
                self._end_or_queue(row, now, why, "failed_permanent")
        return [row.id for row in rows if row.state in ENDED]

    def renew(self, attempts: Collection[str], now: datetime) -> None:
        """Keep the leases of these attempts, where they are not lost yet."""
        if attempts:
            kept = now.timestamp() + self.limits.lease_s
            mine = update(JobRow).where(JobRow.worker.in_(attempts), JobRow.state == "running")
            with session(self.engine) as writing:
                writing.execute(mine.values(lease_until=kept))

    def note(self, id: str, attempt: str, stage: str, share: float) -> None:
        """Say how far a job is; LeaseLost where it was cancelled or is another's by now."""
        with session(self.engine) as writing:
            mine = update(JobRow).where(JobRow.id == id, *_held(attempt), ~JobRow.cancelling)
            if not _changed(writing, mine.values(stage=stage, share=share)):
                raise LeaseLost(id)

    def finish(self, writing: Session, id: str, attempt: str, prediction_id: str, outcome: str, now: datetime) -> None:
        """A job is done; called inside the transaction that writes its answer down, which LeaseLost undoes."""
        mine = update(JobRow).where(JobRow.id == id, *_held(attempt), ~JobRow.cancelling)
        ended = {"state": "done", "stage": "done", "share": 1.0, "ended_at": utc_text(now), "lease_until": None}
        if not _changed(writing, mine.values(prediction_id=prediction_id, outcome=outcome, **ended)):
            raise LeaseLost(id)

    def let_go(self, id: str, attempt: str, now: datetime, *, counts: bool, why: str = "", last: str = "") -> None:
        """A job was not done: it is cancelled if that was wished, queued again, or failed after too many attempts.

        `counts` says whether this was an attempt; `why` and `last` are reason and outcome if it was the last one.
        """
        with session(self.engine) as writing:
            row = writing.scalar(select(JobRow).where(JobRow.id == id, *_held(attempt)))
            if row is not None:
                row.attempts -= not counts
                self._end_or_queue(row, now, why, last or "failed_permanent")

    def forget(self, now: datetime) -> list[str]:
        """Delete the jobs that ended more than `kept_days` ago; gives their ids."""
        old = JobRow.ended_at < utc_text(now - timedelta(days=self.limits.kept_days))
        with session(self.engine) as writing:
            gone = list(writing.scalars(select(JobRow.id).where(old)))
            writing.execute(delete(JobRow).where(old))
        return gone

    def depth(self, now: datetime) -> tuple[dict[str, int], float]:
        """How many jobs are queued and running, and for how many seconds the oldest queued one has waited (0 without)."""
        counts = select(JobRow.state, func.count(), func.min(JobRow.accepted_at)).where(JobRow.state.in_(WAITING))
        with session(self.engine, write=False) as reading:
            rows = reading.execute(counts.group_by(JobRow.state)).tuples().all()
        first = next((read_utc(at) for state, _, at in rows if state == "queued"), now)
        return {state: count for state, count, _ in rows}, max(0.0, (now - first).total_seconds())

    def waiting(self) -> set[str]:
        """Jobs whose files are still needed."""
        with session(self.engine, write=False) as reading:
            return set(reading.scalars(select(JobRow.id).where(JobRow.state.in_(WAITING))))

    def _check_room(self, writing: Session, site: str, size: int) -> None:
        waits = select(func.count(), func.coalesce(func.sum(JobRow.bytes), 0)).where(JobRow.state.in_(WAITING))
        limits, of_site = self.limits, waits.where(JobRow.site == site)
        if _check(writing, True, of_site, size, limits.waiting_per_site, limits.waiting_bytes_per_site):
            _check(writing, False, waits, size, limits.waiting, limits.waiting_bytes)

    def _next(self, reading: Session, now: datetime, paused: Collection[str]) -> JobRow | None:
        queued = select(JobRow.site, func.min(JobRow.no)).where(JobRow.state == "queued").group_by(JobRow.site)
        oldest = [(site, no) for site, no in reading.execute(queued).tuples() if site not in paused]
        if not oldest:
            return None
        alive = (JobRow.state == "running") & ~self._lapsed(now)
        running: dict[str, int] = dict(
            reading.execute(select(JobRow.site, func.count()).where(alive).group_by(JobRow.site)).tuples().all()
        )
        free = [
            (running.get(site, 0), _last_turn(reading, site), no)
            for site, no in oldest
            if running.get(site, 0) < self.limits.at_once_per_site
        ]
        return reading.scalar(select(JobRow).where(JobRow.no == min(free)[-1])) if free else None

    def _out(self, now: datetime) -> tuple[Any, Any]:
        return JobRow.state == "running", self._lapsed(now)

    def _lapsed(self, now: datetime) -> Any:
        """Also of a lease that reaches further than any is given for: the clock was set back, and its attempt may be gone."""
        latest = now.timestamp() + self.limits.lease_s + CLOCKS_S
        return (JobRow.lease_until < now.timestamp()) | (JobRow.lease_until > latest)

    def _end_or_queue(self, row: JobRow, now: datetime, why: str, last: str) -> None:
        row.worker, row.lease_until = None, None
        if row.cancelling:
            row.state, row.stage, row.ended_at = "cancelled", "cancelled", utc_text(now)
        elif row.attempts >= self.limits.attempts:
            row.state, row.stage, row.ended_at, row.outcome, row.reason = "failed", "failed", utc_text(now), last, why
        else:
            row.state, row.stage, row.share = "queued", "waiting", 0.0


def task_of(row: JobRow) -> Task:
    """What a job is about, read back; law: `task_of(row).digest == row.task_digest`."""
    said = json.loads(row.task)
    marked = tuple((float(onset_s), float(length_s)) for onset_s, length_s in said["marked"])
    return Task(said["question"], tuple(said["files"]), said["age_days"], marked)


def _earlier(reading: Session, site: str, idempotency_key: str | None, task: Task) -> JobRow | None:
    if idempotency_key is None:
        return None
    same = select(JobRow).where(JobRow.site == site, JobRow.idempotency_key == idempotency_key)
    row = reading.scalar(same)
    if row is not None and row.task_digest != task.digest:
        raise OtherBody
    return row


def _check(writing: Session, of_site: bool, waits: Any, size: int, jobs: int, most_bytes: int) -> int:
    """How many jobs wait; TooManyJobs where one more with files of `size` bytes is too much."""
    count, held = writing.execute(waits).one()
    if count >= jobs:
        raise TooManyJobs(of_site, f"{jobs} jobs")
    if held + size > most_bytes:
        raise TooManyJobs(of_site, f"{most_bytes} bytes of files")
    return int(count)


def _last_turn(reading: Session, site: str) -> str:
    """When a job of the site was last begun; empty where none ever was."""
    return reading.scalar(select(func.max(JobRow.started_at)).where(JobRow.site == site)) or ""


def _held(attempt: str) -> tuple[Any, Any]:
    return JobRow.worker == attempt, JobRow.state == "running"


def _changed(writing: Session, statement: Any) -> bool:
    result: Any = writing.execute(statement)
    return bool(result.rowcount)
