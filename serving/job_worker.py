"""Does the jobs: takes one after another, keeps its lease while it works, and stops at the next step when it has to."""

import threading
import time
import uuid
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from lineage.digest import sha256_file
from lineage.store import has_no_room
from serving.answering import Stages
from serving.job_files import JobFiles, remove_left
from serving.jobs import RETRYABLE, JobRow, Jobs, LeaseLost, Task, task_of
from serving.journal import Act
from serving.problems import where, write_line
from serving.schema import Answered

POLL_S = 1.0
NOTE_EVERY = 0.05
"""Share of the work after which progress is written down."""
ROOM_S = 5.0
"""How long a job waits that could not be done since the disk was full."""
SWEEP_S = 600.0


class LeftForLater(Exception):
    """The service is being stopped, or the site was: what is not done waits as if it had never been begun."""


class Do(Protocol):
    """Answers a task about files, tells how far it is, and writes the answer down together with `act`."""

    def __call__(
        self, task: Task, files: Sequence[Path], *, site: str, key_id: str, told: Stages, act: Act
    ) -> Answered: ...


class Workers:
    """Threads that work until `close`; `done` is told of every job that ended with an answer. `beside` are the other folders
    in which a killed service may have left files of patients.

    Jobs of `paused` sites wait; one that is being worked on is put back at its next step.
    """

    def __init__(
        self,
        jobs: Jobs,
        files: JobFiles,
        do: Do,
        clock: Callable[[], datetime],
        done: Callable[[Answered], None] = lambda answer: None,
        paused: Callable[[], Collection[str]] = tuple,
        beside: Sequence[Path] = (),
    ):
        self.beside = beside
        self.jobs, self.files, self.do, self.clock, self.done, self.paused = jobs, files, do, clock, done, paused
        self._at_work = dict[str, float]()
        """Attempts, and when each has told something last (monotonic)."""
        self._owed = dict[str, Callable[[], None]]()
        """Attempts that are over, and what lets their jobs go: until the store takes it, nothing else is begun."""
        self._news, self._closing, self._closed = threading.Event(), threading.Event(), threading.Event()
        self._workers = [threading.Thread(target=self._work, name="jobs") for _ in range(jobs.limits.at_once)]
        self._keepers = [threading.Thread(target=act, name="jobs-keeper") for act in (self._keep_leases, self._sweep)]

    def start(self) -> None:
        """Start the threads; once."""
        for thread in (*self._workers, *self._keepers):
            thread.start()

    def wake(self) -> None:
        """There is something to do."""
        self._news.set()

    def close(self) -> None:
        """Stop after the step that each job is at; jobs that are not done are queued again, as if never begun. Also where
        nothing was started."""
        self._closing.set()
        self._news.set()
        _join(self._workers)
        self._closed.set()
        _join(self._keepers)

    def _work(self) -> None:
        while not self._closing.is_set():
            self._news.clear()
            attempt = str(uuid.uuid4())
            row = _tried(lambda attempt=attempt: self._claimed(attempt))
            if row is None:
                self._news.wait(POLL_S)
            else:
                self._at_work[attempt] = time.monotonic()
                _tried(lambda row=row, attempt=attempt: self._do(row, attempt))
                self._at_work.pop(attempt)  # whatever was left undone: the lease lapses, and another takes it
                self._news.set()

    def _claimed(self, attempt: str) -> JobRow | None:
        self._pay()
        for ended in self.jobs.take_back(self.clock()):
            self.files.remove(ended)
        return self.jobs.claim(attempt, self.clock(), self.paused())

    def _do(self, row: JobRow, attempt: str) -> None:
        """One attempt, and what follows from how it ends."""
        try:
            answer = self._answered(row, attempt)
        except LeftForLater:
            self._let_go(row, attempt, counts=False)
        except LeaseLost:
            self._let_go(row, attempt, counts=True)
        except Exception as error:
            write_line("job failure", job=row.id, **where(error))
            full = has_no_room(error)
            if full:
                self._closing.wait(ROOM_S)  # then it is as if it had never been begun: it is not the recording's fault
            last = RETRYABLE if isinstance(error, OSError | DBAPIError) else "failed_permanent"
            self._let_go(row, attempt, counts=not full, why=_FAILED, last=last)
        else:
            write_line("job", job=row.id, site=row.site, outcome=answer.outcome, code=answer.code or "")
            self.done(answer)
        if row.id not in self.jobs.waiting():
            self.files.remove(row.id)

    def _let_go(self, row: JobRow, attempt: str, *, counts: bool, why: str = "", last: str = "") -> None:
        """As `Jobs.let_go`, now or as soon as the store takes it: a lease that lapsed meanwhile would be one more attempt."""

        def let_go() -> None:
            self.jobs.let_go(row.id, attempt, self.clock(), counts=counts, why=why, last=last)

        self._owed[attempt] = let_go
        self._pay()

    def _pay(self) -> None:
        for attempt, let_go in tuple(self._owed.items()):
            let_go()  # done twice it changes nothing, as by two workers at once
            self._owed.pop(attempt, None)

    def _answered(self, row: JobRow, attempt: str) -> Answered:
        task, files = task_of(row), self.files.of(row.id)
        if tuple(sha256_file(file) for file in files) != task.files:
            raise FilesLost
        noted = ("", -1.0)

        def tell(stage: str, share: float) -> None:
            nonlocal noted
            self._at_work[attempt] = time.monotonic()
            if self._closing.is_set() or row.site in self.paused():
                raise LeftForLater
            if stage != noted[0] or share - noted[1] >= NOTE_EVERY:
                self.jobs.note(row.id, attempt, stage, share)
                noted = stage, share

        def finish(writing: Session, answer: Answered) -> None:
            self.jobs.finish(writing, row.id, attempt, answer.prediction_id, answer.outcome, self.clock())

        return self.do(task, files, site=row.site, key_id=row.key_id, told=tell, act=finish)

    def _keep_leases(self) -> None:
        """One that has told nothing for long is left to others, whatever its thread is stuck in."""
        while not self._closed.wait(self.jobs.limits.lease_s / 4):
            since_s = time.monotonic() - self.jobs.limits.stuck_s
            alive = tuple(attempt for attempt, told_s in tuple(self._at_work.items()) if told_s > since_s)
            _tried(lambda alive=alive: self.jobs.renew(alive, self.clock()))

    def _sweep(self) -> None:
        while True:
            _tried(self._remove_old)
            if self._closed.wait(SWEEP_S):
                return

    def _remove_old(self) -> None:
        self.jobs.forget(self.clock())
        remove_left(self.files.folder, self.jobs.waiting())
        for folder in self.beside:
            remove_left(folder)


_FAILED = "the service failed over this recording; report the job's id to whoever runs it"


class FilesLost(OSError):
    """The files of a job are not those that were accepted."""


def _join(threads: Sequence[threading.Thread]) -> None:
    for thread in threads:
        if thread.is_alive():
            thread.join()


def _tried(act: Callable[[], JobRow | None] | Callable[[], None]) -> JobRow | None:
    """A store that does not answer now may do so in a second; a worker never dies of it."""
    try:
        return act()
    except Exception as error:
        write_line("job failure", **where(error))
        return None
