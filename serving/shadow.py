"""A model that is asked beside the one that answered: after the answer, of a copy of the files, and written down for us alone."""

import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from data.readers.apart import ReadLimits, reading_apart
from models.pose_estimator import PoseEstimator
from serving.comparing import difference
from serving.journal import Journal
from serving.loader import Loader, NoApprovedModel
from serving.naming import Span, said_of
from serving.orders import Orders
from serving.problems import where, write_line
from serving.schema import Answered

WAITING = 8
"""Recordings that wait for the shadow at most; what comes beyond is left out, for answers come first."""
NICENESS = 10


class Shadow:
    """Asks the shadow of each task, one recording at a time and with little claim on the processor.

    A shadow needs all that a model in force needs (signature, two people, scope, time): it reads patients' recordings. `noted`
    is told how each ended: `agrees`, the part in which it differs, `left_out`, `not_approved` or `failed`.
    """

    def __init__(
        self,
        home: Path,
        loaders: Mapping[str, Loader],
        orders: Orders,
        journal: Journal,
        estimator: PoseEstimator | None,
        reading: ReadLimits,
        clock: Callable[[], datetime],
        noted: Callable[[str, str], None],
    ):
        self.loaders, self.orders, self.journal = loaders, orders, journal
        self.estimator, self.reading, self.clock, self.noted = estimator, reading, clock, noted
        self.folder = home / "jobs" / "shadow"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock, self._waiting, self._kept = threading.Lock(), 0, set[Path]()
        self._pool = ThreadPoolExecutor(1, "shadow", _step_back)

    def offer(
        self,
        question: str,
        files: Sequence[Path],
        age_days: float | None,
        marked: Sequence[Span],
        site: str,
        given: Answered,
    ) -> None:
        """Let the shadow see what was just answered, if it is its share; returns at once and never raises."""
        counted = False
        try:
            trial = self.orders.trial("shadow", question)
            if trial is None or given.model is None or given.model.digest == trial.bundle:
                return
            if not falls_to(given.prediction_id, trial.share):
                return
            with self._lock:
                counted = self._waiting < WAITING
                self._waiting += counted
            if not counted:
                self.noted(question, "left_out")
                return
            kept = self._keep(files, given.prediction_id)
            self._pool.submit(self._ask, question, kept, age_days, marked, site, given, trial.bundle)
        except Exception as error:  # the site has its answer, whatever becomes of the shadow
            with self._lock:
                self._waiting -= counted
            self._remove(self.folder / given.prediction_id)
            self.noted(question, "failed")
            write_line("shadow failure", prediction=given.prediction_id, **where(error))

    def close(self) -> None:
        """What waits is left out."""
        self._pool.shutdown(cancel_futures=True)
        for own in tuple(self._kept):
            self._remove(own)

    def _remove(self, own: Path) -> None:
        shutil.rmtree(own, ignore_errors=True)
        self._kept.discard(own)

    def _keep(self, files: Sequence[Path], id: str) -> list[Path]:
        """Second names for the files, which are removed under their first ones meanwhile."""
        own = self.folder / id
        own.mkdir()
        self._kept.add(own)
        kept = [own / f"{place}" for place in range(len(files))]
        for file, second in zip(files, kept, strict=True):
            os.link(file, second)
        return kept

    def _ask(
        self,
        question: str,
        files: Sequence[Path],
        age_days: float | None,
        marked: Sequence[Span],
        site: str,
        given: Answered,
        bundle: str,
    ) -> None:
        ended = "failed"
        try:
            loaded = self.loaders[question].for_site(site, self.clock())
            if loaded.bundle.digest == bundle:
                with reading_apart(self.reading):
                    said = said_of(files, age_days, marked, loaded, self.clock(), self.estimator)
                said = self.journal.record_beside(said, given, self.clock())
                ended = difference(given.statement(), said.statement()) or "agrees"
                write_line("shadow", prediction=said.prediction_id, beside=given.prediction_id, ended=ended)
            else:
                ended = "not_approved"
        except NoApprovedModel:
            ended = "not_approved"
        except Exception as error:
            write_line("shadow failure", prediction=given.prediction_id, **where(error))
        finally:
            self._remove(files[0].parent)
            with self._lock:
                self._waiting -= 1
            self.noted(question, ended)


def falls_to(id: str, share: float) -> bool:
    """Whether the request with this id is among a share (0–1) of all; by its hash, so that the same is said again."""
    return int.from_bytes(hashlib.sha256(id.encode()).digest()[:8]) < share * 2**64


def _step_back() -> None:
    """Linux schedules each thread by a niceness of its own."""
    if hasattr(os, "setpriority") and hasattr(os, "SCHED_OTHER"):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
