"""Behind the counter: model, ledger, keys and counters of one service, and threads for all that takes long."""

import gc
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO

from data.readers.apart import NotRead, prepare, reading_apart
from data.threads import using
from lineage.digest import sha256_file
from lineage.entries import Software
from serving.answering import answer, model_card
from serving.auth import AcceptedKeys, SiteKey, VerifiedKeys, open_keys, site_of
from serving.choice import Choice
from serving.fields import check_sha256
from serving.gathering import Gathering
from serving.job_desk import JobDesk
from serving.journal import Journal
from serving.limits import Limits
from serving.loader import POLL_S, Loaded, Loader, NoApprovedModel
from serving.metrics import Metrics
from serving.naming import DETECTION, QUESTIONS, Span, estimator_of, name_stretches
from serving.orders import Orders
from serving.past import Past, PastDesk
from serving.problems import ProblemError, where, write_line
from serving.schema import Answer, Answered, Models, NamedAnswer, WindowsAnswer
from serving.second_core import SecondCore
from serving.shadow import Shadow
from serving.stops import check_in_service
from serving.stream_desk import StreamDesk
from serving.threads import in_thread
from serving.turns import Turns
from serving.windows import TOGETHER_S, Asked, WindowBook, answer_windows

KEY_CHECKS = 4
"""Keys that are hashed at once: each takes 16 MiB for some hundredths of a second."""
MOST_CORES = 4
"""For one analysis: with more the threads wait for each other."""
TURNS = 2
"""Of windows at once: while the second core looks at some, the next are on their way to it."""
PATIENCE_S = 3 * POLL_S
"""How long windows are answered by the model that was last known, while a thread loads the next one."""


class Desk:
    """All that the service needs while it runs. Nothing here runs in the event loop, which only passes bytes on."""

    def __init__(
        self, home: Path, allow_demo: bool, limits: Limits, software: Software | None, clock: Callable[[], datetime]
    ):
        self.clock = clock
        self.metrics = Metrics()
        self.estimator = estimator_of(home)
        self.journal = Journal(home, software)
        self.orders = Orders(self.journal.ledger)

        def loader(task: str, place: str) -> Loader:
            return Loader(home, task, place=place, allow_demo=allow_demo, on_change=partial(self._changed, task, place))

        self.answering = {
            task: Choice(loader(task, "in_force"), loader(task, "canary"), self.orders)
            for task in (DETECTION, *QUESTIONS)
        }
        self.loader = self.answering[DETECTION]
        self.keys, self.verified = open_keys(home), VerifiedKeys()
        self.accepted = AcceptedKeys(self.keys)
        self.book = WindowBook(self.journal)
        self.second_core = SecondCore(home, lambda: self.loader.in_force.loaded)
        self.gathered = Gathering(self._windows, lambda asked: asked.seconds, TOGETHER_S, TURNS)
        self._closing = threading.Event()
        self._every_second = threading.Thread(target=self._keep_up, name="every-second", daemon=True)
        beside = {task: loader(task, "shadow") for task in self.answering}
        self.shadow = Shadow(
            home, beside, self.orders, self.journal, self.estimator, limits.reading, clock, self.metrics.shadow
        )
        done, reading, past = self.metrics.answered, limits.reading, Past(self.journal)
        self.jobs = JobDesk(
            home,
            self.answering,
            self.journal,
            self.estimator,
            limits.jobs,
            reading,
            clock,
            done,
            self.orders,
            self.shadow,
            past,
        )
        folder = home / "jobs" / "streams"
        self.streams = StreamDesk(self.loader, self.journal, limits.streams, clock, done, self.orders, past, folder)
        self.past = PastDesk(past, clock)
        self.reading = limits.reading
        self.uploads = home / "jobs" / "uploads"
        self.uploads.mkdir(parents=True, exist_ok=True)
        # An analysis that timed out keeps its thread until it ends, so that never more than `analyses` run.
        self.analyses = ThreadPoolExecutor(limits.analyses, "analysis")
        self.turns = Turns(self.analyses, limits.analyses)
        self.checks = ThreadPoolExecutor(KEY_CHECKS, "key-check")
        self._cores = Cores()

    async def authenticate(self, key: str) -> SiteKey:
        """Whose key this is; looked up again whenever the store has changed, so that a revoked key ends at once. Raises
        Unauthorised for one that is not in force."""
        if known := self.accepted.get(key, self.clock()):
            return known
        version = self.accepted.version()
        found = await in_thread(self.checks, site_of, self.keys, key, self.clock(), self.verified)
        self.accepted.add(key, found, version)
        return found

    async def check_in_service(self, site: str) -> None:
        """ProblemError 503 where the site was stopped."""
        if self.orders.is_known():
            check_in_service(self.orders, site)  # in the event loop: a thread and back takes longer
        else:
            await in_thread(self.checks, check_in_service, self.orders, site)

    async def detect(
        self, upload: BinaryIO, sha256: str | None, age_days: float | None, site: str, key_id: str
    ) -> Answer:
        """The answer about the seizures in a recording, in one of the threads for analyses; it stands in the ledger.

        ProblemError 400 where the upload has not the SHA-256 that was announced, 504 where it was not read in time.
        """
        return await self.turns(site, self._detect, upload, sha256, age_days, site, key_id, left=self.not_given)

    async def name(
        self,
        task: str,
        uploads: Sequence[BinaryIO],
        sha256: str | None,
        age_days: float | None,
        marked: Sequence[Span],
        site: str,
        key_id: str,
    ) -> NamedAnswer:
        """What the stretches of a recording are (`task` is one of `naming.QUESTIONS`), in one of the threads for
        analyses; it stands in the ledger.

        `uploads` are the files of one recording; `sha256` is that of the first. ProblemError 400 and 504 as of
        `detect`.
        """
        asked = task, uploads, sha256, age_days, marked, site, key_id
        return await self.turns(site, self._name, *asked, left=self.not_given)

    def not_given(self, said: Answered) -> None:
        """Nobody was there any more to take an answer: it is given to the site when it asks the same again."""
        self.journal.debts.not_given(said.prediction_id)

    async def windows(self, asked: Asked) -> tuple[WindowsAnswer, bytes]:
        """The answer, and its JSON. In the event loop: a millisecond's work, and a thread and back would take as long.

        ProblemError 503 while what was answered before cannot be written down.
        """
        return await self.gathered(asked)

    async def models(self, site: str) -> Models:
        """Cards of the models that answer a site (a canary among them), of every question that has one."""
        return await in_thread(self.checks, self._models, site)

    def metrics_text(self) -> bytes:
        """All counts, and the queue as it is now, in Prometheus' text format."""
        self.metrics.queue(*self.jobs.jobs.depth(self.clock()))
        return self.metrics.text()

    async def why_not(self) -> str | None:
        """Why nothing can be answered; None where a model for any question is in force."""
        return await in_thread(self.checks, self._why_not)

    def open(self) -> None:
        """Load the model before the first request, and go on with jobs and streams that were left; once, in the event
        loop."""
        self._every_second.start()
        self.analyses.submit(prepare)
        self.loader.why_not(self.clock())
        self.jobs.open()
        self.streams.open()

    def close(self) -> None:
        """Wait for the analyses that run, then let go of threads and files. Jobs are left for the next service. Also where
        it was never opened."""
        self._closing.set()
        if self._every_second.is_alive():
            self._every_second.join()
        self.streams.close()
        self.jobs.close()
        self.past.close()
        self.analyses.shutdown()
        self.shadow.close()  # after all that may offer it something
        self.checks.shutdown()
        self.accepted.version.close()
        self.keys.dispose()
        self.journal.close()

    def _keep_up(self) -> None:
        """Every second: look whether another model is in force, and write down what windows were answered."""
        while not self._closing.wait(POLL_S):
            self._look()
            self._keep_second_core()
            self._write_book()
        self._write_book()
        self.second_core.close()

    async def _windows(self, asked: Sequence[Asked]) -> list[tuple[WindowsAnswer, bytes]]:
        """All of them are answered and counted, or none."""
        now = self.clock()
        self.book.refuse_behind(now)
        models = [self._model_for(one.site, now) for one in asked]
        answers = await answer_windows([one.sent for one in asked], models, now, self.second_core.judge)
        said = [(answer, answer.model_dump_json().encode()) for answer in answers]
        for one, model, (spoken, text) in zip(asked, models, said, strict=True):
            loaded = None if isinstance(model, str) else model
            self.book.add(one.site, one.key_id, loaded, spoken, one.body, text, now)
        return said

    def _model_for(self, site: str, now: datetime) -> Loaded | str:
        """The model that answers a site's windows, or why none does."""
        try:
            return self.loader.for_site(site, now, PATIENCE_S)
        except NoApprovedModel as error:
            return error.reason

    def _look(self) -> None:
        try:
            self.loader.look(self.clock())
        except Exception as error:  # a ledger that does not answer now: requests ask it themselves, and are refused
            write_line("failure", request_id="", **where(error))

    def _keep_second_core(self) -> None:
        try:
            self.second_core.keep_up()
        except Exception as error:  # windows are looked at in place until it may be tried again
            write_line("failure", request_id="", **where(error))

    def _write_book(self) -> None:
        try:
            self.book.write(self.clock())
        except Exception as error:  # the next time may do; `refuse_behind` stops what would be lost
            write_line("failure", request_id="", **where(error))

    def _detect(self, upload: BinaryIO, sha256: str | None, age_days: float | None, site: str, key_id: str) -> Answer:
        with self._kept([upload], sha256) as (path,):
            said = answer(
                path,
                site=site,
                age_days=age_days,
                loader=self.loader,
                journal=self.journal,
                now=self.clock(),
                key_id=key_id,
            )
            self.metrics.looked(said)
            self.shadow.offer(DETECTION, [path], age_days, (), site, said)
            return said

    def _name(
        self,
        task: str,
        uploads: Sequence[BinaryIO],
        sha256: str | None,
        age_days: float | None,
        marked: Sequence[Span],
        site: str,
        key_id: str,
    ) -> NamedAnswer:
        with self._kept(uploads, sha256) as paths:
            said = name_stretches(
                paths,
                site=site,
                age_days=age_days,
                marked=marked,
                loader=self.answering[task],
                journal=self.journal,
                now=self.clock(),
                key_id=key_id,
                estimator=self.estimator,
            )
            self.shadow.offer(task, paths, age_days, marked, site, said)
            return said

    @contextmanager
    def _kept(self, uploads: Sequence[BinaryIO], sha256: str | None) -> Iterator[list[Path]]:
        """The uploads as files, for as long as the block lasts; they are read in processes of their own."""
        with ExitStack() as stack, _in_time(), reading_apart(self.reading), self._cores.share():
            paths = []
            for upload in uploads:
                kept = stack.enter_context(tempfile.NamedTemporaryFile(dir=self.uploads))
                shutil.copyfileobj(upload, kept, 1 << 20)
                kept.flush()
                paths.append(Path(kept.name))
            if sha256 is not None:
                check_sha256(sha256_file(paths[0]), sha256)
            yield paths

    def _why_not(self) -> str | None:
        first, *others = (choice.why_not(self.clock()) for choice in self.answering.values())
        return None if first is None or None in others else first

    def _models(self, site: str) -> Models:
        """Of every question the model in force; why there is none is said of detection only."""
        cards, reason = [], None
        for loader in self.answering.values():
            try:
                cards.append(model_card(loader.for_site(site, self.clock())))
            except NoApprovedModel as error:
                reason = reason or (error.reason if loader is self.loader else None)
        return Models(models=tuple(cards), reason=None if cards else reason)

    def _changed(self, task: str, place: str, loaded: Loaded | None, reason: str) -> None:
        self.metrics.model(task, place, loaded)
        name, digest = (loaded.bundle.name, loaded.bundle.digest) if loaded else ("", "")
        write_line("model", task=task, place=place, name=name, digest=digest, reason=reason)
        gc.collect()
        gc.freeze()  # a full collection over torch and the model would stop every request for 0.1–0.2 s


class Cores:
    """The machine's cores for the analyses that run: one that is alone has them all, up to `MOST_CORES`."""

    def __init__(self, count: int | None = None):
        self._count = min(MOST_CORES, count or len(os.sched_getaffinity(0)))
        self._lock, self._running = threading.Lock(), 0

    @contextmanager
    def share(self) -> Iterator[None]:
        """One analysis, on as many threads as are its share when it begins."""
        with self._lock:
            self._running += 1
            mine = max(1, self._count // self._running)
        try:
            with using(mine):
                yield
        finally:
            with self._lock:
                self._running -= 1


@contextmanager
def _in_time() -> Iterator[None]:
    try:
        yield
    except NotRead:
        raise ProblemError(504, "the recording was not read in time: try again, or send a shorter one") from None
