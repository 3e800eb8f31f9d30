"""The streams of one service: begun, lost and found again by a token, and ended for those who never come back.

What was acknowledged is on disk, so that a service which was killed over a stream goes on with it when it is started again:
it hears once more what the one before heard, and comes to the same.
"""

import asyncio
import hashlib
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from serving.asking import answering_code
from serving.fields import age_days_of
from serving.journal import Journal
from serving.loader import ForSites
from serving.orders import Orders
from serving.past import Past
from serving.problems import ProblemError, where, write_line
from serving.schema import Answer, Answered
from serving.stream import Hello, LiveStream, Part, Resume, StreamLimits
from serving.stream_files import StreamFile, StreamFiles
from serving.threads import Made, in_thread

HEARD_AT_ONCE = 2
ENDED_KEPT = 8
"""Ended streams of a site that are kept for whoever lost the answer, for each one that it may have open."""
AGAIN_S, TRIES = 30.0, 120
"""So often an answer that could not be written down is tried again, before it gives its site's place free."""
CLOSING_PAUSE_S, CLOSING_TRIES = 0.5, 3
"""The same where the service stops, which cannot wait long."""
CHECK_S = 1.0
"""So often a stream asks whether its model may still answer."""
OTHER_MODEL = (
    "the service was started again, with another model in force or other code than this stream began with: begin another "
    "stream, and send the recording from its first sample"
)


@dataclass
class Held:
    """A stream with the connection that it is on, if any.

    `lock` is held by the thread that works on the stream: a request that is cut off leaves its thread at work.
    """

    stream: LiveStream
    name: str
    """The hash of its token: the token itself is known to the site alone, and to the connection."""
    file: StreamFile
    token: str = ""
    connection: object | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    expiry: asyncio.TimerHandle | None = None
    checked_s: float = float("-inf")
    ended_s: float | None = None
    """When its answer was counted (monotonic)."""
    tries: int = 0
    """How often its answer could not be written down, since nobody came back."""
    let_go: Callable[[], Any] = lambda: None
    """Has the present connection closed, since another goes on."""


class StreamDesk:
    """Keeps streams in this process's memory, and what they brought in `folder`: one that goes on has to come back to the
    same process while that lives, and to any other of the same workspace afterwards."""

    def __init__(
        self,
        loader: ForSites,
        journal: Journal,
        limits: StreamLimits,
        clock: Callable[[], datetime],
        done: Callable[[Answered], None],
        orders: Orders,
        past: Past,
        folder: Path,
    ):
        self.loader, self.journal, self.limits, self.clock, self.done = loader, journal, limits, clock, done
        self.orders, self.past, self.files = orders, past, StreamFiles(folder)
        self._taking_up: dict[str, asyncio.Task[Held | None]] = {}
        self._seen: set[str] = set()
        """Streams on disk that this process has, or gave up: it does not take them up by itself."""
        self._next_look: asyncio.TimerHandle | None = None
        self._held: dict[str, Held] = {}
        self._beginning: Counter[str] = Counter()
        self._pool = ThreadPoolExecutor(HEARD_AT_ONCE, "stream")
        self._ending: set[asyncio.Task[Any]] = set()

    def open(self) -> None:
        """Take up what a service that was killed has left, now and whenever one beside this may have been; in the loop."""
        self.files.remove_begun()
        for name in set(self.files.names()) - self._seen:
            self._taken_up(name)
        self._next_look = asyncio.get_running_loop().call_later(self.limits.resume_s, self.open)

    async def begin(self, hello: Hello, site: str, key_id: str) -> Held:
        """A new stream. ProblemError 429 where the site has too many open, 503 where all sites have or the disk refuses
        it, 400 for what is no age."""
        going = [held for held in self._held.values() if held.stream.answer is None]
        mine = sum(held.stream.site == site for held in going) + self._beginning[site]
        if mine >= self.limits.at_once_per_site:
            raise ProblemError(
                429, f"{mine} streams of this site are open: end one first, or wait", {"Retry-After": "30"}
            )
        if mine and len(going) + self._beginning.total() >= self.limits.at_once:
            raise ProblemError(503, "too many streams are open: begin this one later", {"Retry-After": "30"})
        self._forget_ended(site)
        token = secrets.token_urlsafe(32)
        age_days = age_days_of(hello.age)
        self._beginning[site] += 1
        self._seen.add(_name(token))
        try:
            held = await in_thread(self._pool, self._begun, hello, age_days, site, key_id, token)
        except OSError as error:
            write_line("stream failure", **where(error))
            raise ProblemError(503, "this stream cannot be kept now: begin it later", {"Retry-After": "30"}) from None
        finally:
            self._beginning[site] -= 1
        self._held[held.name] = held
        self.detach(held, None)
        return held

    async def find(self, resume: Resume, site: str) -> Held:
        """The stream with this token. ProblemError 404 alike for one of another site and for none, 503 where it cannot
        be looked for."""
        name = _name(resume.token)
        held = self._held.get(name) or await asyncio.shield(self._taken_up(name))
        if held is None or held.stream.site != site:
            raise ProblemError(
                404, "there is no such stream any more: begin another, and send the recording from its first sample"
            )
        held.token = resume.token
        return held

    def attach(self, held: Held, connection: object, let_go: Callable[[], Any]) -> None:
        """From here on the stream is on this connection; the one before is let go of."""
        if held.expiry:
            held.expiry.cancel()
        held.let_go()
        held.connection, held.let_go, held.expiry = connection, let_go, None

    def detach(self, held: Held, connection: object | None) -> None:
        """The connection is gone; the stream waits a while for another."""
        if held.connection is not connection:
            return
        held.connection, held.let_go = None, lambda: None
        self._give_up_in(self.limits.resume_s, held)

    async def take(self, held: Held, seq: int, part: Part) -> list[dict[str, Any]]:
        """What became final with a part of a stream, as `LiveStream.take` says it; ProblemError as there, and 503 where
        the part cannot be kept."""
        said = await self._alone(held, held.stream.take, seq, part, self.journal, self.clock())
        self._count(held)
        return said

    async def so_far(self, held: Held, have_s: int, have_events: int) -> dict[str, Any]:
        """What was given already, once all that came over an earlier connection is heard."""
        return await self._alone(held, held.stream.so_far, have_s, have_events)

    async def settle(self, held: Held) -> Answer | None:
        """The answer, if the stream is over: because it was ended, since no model may answer any more, or the site was stopped."""
        now_s = asyncio.get_running_loop().time()
        if now_s - held.checked_s >= CHECK_S:
            held.checked_s = now_s
            await self._alone(held, self._check, held.stream)
        if held.stream.is_over and held.stream.answer is None:
            await self._alone(held, held.stream.finish, self.journal, self.clock())
        self._count(held)
        return held.stream.answer

    def close(self) -> None:
        """End all streams where they are: what was said of them until then stands in the ledger."""
        if self._next_look:
            self._next_look.cancel()
        self._pool.shutdown()
        unwritten = list(self._held.values())
        for left in reversed(range(CLOSING_TRIES)):
            failed = [(held, error) for held in unwritten if (error := self._finish(held))]
            for held in unwritten:
                self._count(held)
            unwritten = [held for held, _ in failed]
            if unwritten and left:
                time.sleep(CLOSING_PAUSE_S)
        for held, error in failed:
            self._complain("stream left", held, error)
            self._leave(held)
        for held in list(self._held.values()):
            self._forget(held)

    def _begun(self, hello: Hello, age_days: float | None, site: str, key_id: str, token: str) -> Held:
        name, now = _name(token), self.clock()
        stream = LiveStream(hello, age_days, self.loader, self.limits, now, site=site, key_id=key_id)
        about = {"hello": hello.model_dump(mode="json"), "site": site, "key_id": key_id}
        file = self.files.begin(name, about | {"prediction_id": stream.prediction_id, "made_by": _made_by(stream)})
        stream.keep = partial(_keep, file)
        return Held(stream, name, file, token)

    def _taken_up(self, name: str) -> "asyncio.Task[Held | None]":
        """Looks once at a time for a stream that another process has left."""
        if name not in self._taking_up:
            self._taking_up[name] = asyncio.get_running_loop().create_task(self._take_up(name))
            self._kept_alive(self._taking_up[name])
        return self._taking_up[name]

    async def _take_up(self, name: str) -> Held | None:
        try:
            held = await in_thread(self._pool, self._heard_again, name)
        except Exception as error:
            write_line("stream failure", **where(error))
            raise ProblemError(503, "this stream cannot be taken up now: try again", {"Retry-After": "5"}) from None
        finally:
            del self._taking_up[name]
        if held is not None:
            self._seen.add(name)
            self._held[name] = held
            self.detach(held, None)
        return held

    def _heard_again(self, name: str) -> Held | None:
        """A stream as it was when the process that had it was killed; with the answer, if that had been written down."""
        file = self.files.take_up(name)
        if file is None:
            return None
        try:
            return self._as_it_was(name, file)
        except ProblemError as problem:
            if problem.status != 410:
                file.close()
                raise
            file.remove()  # what the answer said was erased
            return None
        except BaseException:
            file.close()
            raise

    def _as_it_was(self, name: str, file: StreamFile) -> Held:
        about, now = file.about, self.clock()
        hello, of = Hello.model_validate(about["hello"]), {k: about[k] for k in ("site", "key_id", "prediction_id")}
        answered = self.past.find(about["prediction_id"], about["site"], now)
        stream = LiveStream(hello, age_days_of(hello.age), self.loader, self.limits, now, **of)
        if answered is not None:
            stream.answer = Answer.model_validate(answered)
            return Held(stream, name, file, ended_s=time.monotonic())
        if _made_by(stream) != about["made_by"]:
            stream.refuse(OTHER_MODEL)
        stream.hear_again(file.parts(len(hello.channels)), self.journal, now)
        stream.keep = partial(_keep, file)
        return Held(stream, name, file)

    def _check(self, stream: LiveStream) -> None:
        reason = self.orders.why_stopped(stream.site)
        if reason is not None:
            stream.refuse(reason)
        stream.check_terms(self.clock())

    def _forget_ended(self, site: str) -> None:
        """Of each site's ended streams the latest are kept; those of another site never have to go for them."""
        ended = [held for held in self._held.values() if held.stream.site == site and held.stream.answer is not None]
        ended.sort(key=lambda held: held.ended_s or 0.0, reverse=True)
        for held in ended[ENDED_KEPT * self.limits.at_once_per_site :]:
            self._forget(held)

    def _forget(self, held: Held) -> Held:
        held.file.remove()
        return self._leave(held)

    def _leave(self, held: Held) -> Held:
        """Give a stream up, but leave what is on disk of it."""
        if held.expiry:
            held.expiry.cancel()
        held.file.close()
        return self._held.pop(held.name)

    def _waits(self, held: Held) -> bool:
        """Whether a stream is kept although it is on no connection."""
        return held.connection is None and held.name in self._held

    def _give_up_in(self, wait_s: float, held: Held) -> None:
        if self._waits(held):
            held.expiry = asyncio.get_running_loop().call_later(wait_s, self._give_up, held)

    def _give_up(self, held: Held) -> None:
        self._kept_alive(asyncio.get_running_loop().create_task(self._end(held)))

    def _kept_alive(self, task: "asyncio.Task[Any]") -> None:
        """Until it is done: the loop itself would forget it. What it raises is for those who wait for it, if any do."""
        self._ending.add(task)
        task.add_done_callback(self._done_with)

    def _done_with(self, task: "asyncio.Task[Any]") -> None:
        self._ending.discard(task)
        if not task.cancelled():
            task.exception()

    async def _end(self, held: Held) -> None:
        """A stream goes only when its answer is written down; who comes back until then finds it."""
        if not self._waits(held):
            return
        error = await in_thread(self._pool, self._finish, held)
        self._count(held)
        if not self._waits(held):
            return
        if error is None:
            self._forget(held)
            return
        held.tries += 1
        if held.tries < TRIES:
            self._complain("stream failure", held, error)
            self._give_up_in(AGAIN_S, held)
        else:
            self._complain("stream left", held, error)
            self._leave(held)

    def _finish(self, held: Held) -> Exception | None:
        """Write down the answer of a stream of which anything was heard; what prevented it, if anything did."""
        try:
            with held.lock:
                if held.stream.now_s > 0:
                    self._check(held.stream)  # nobody has asked since the connection went
                    held.stream.finish(self.journal, self.clock())
                    held.file.let_go_of_samples()
        except Exception as error:
            return error
        return None

    def _complain(self, event: str, held: Held, error: Exception) -> None:
        write_line(event, prediction=held.stream.prediction_id, **where(error))

    def _count(self, held: Held) -> None:
        answer = held.stream.answer
        if answer is not None and held.ended_s is None:
            held.ended_s = time.monotonic()
            write_line("stream", site=held.stream.site, outcome=answer.outcome, code=answer.code or "")
            self.done(answer)

    async def _alone(self, held: Held, act: Callable[..., Made], *arguments: object) -> Made:
        def alone() -> Made:
            with held.lock:
                made = act(*arguments)
                if held.stream.answer is not None:
                    held.file.let_go_of_samples()
                return made

        return await in_thread(self._pool, alone)


def _keep(file: StreamFile, seq: int, part: Part) -> None:
    try:
        file.keep(seq, part)
    except OSError as error:
        write_line("stream failure", **where(error))
        raise ProblemError(503, f"part {seq} cannot be kept now: go on with the token, from this part on") from None


def _made_by(stream: LiveStream) -> str | None:
    """What a stream is heard with: another model or other code might give other seconds than those that were given."""
    return f"{stream.model.digest} {answering_code()}" if stream.model else None


def _name(token: str) -> str:
    """Tokens are looked up by their hash, so that how long that takes says nothing of their characters."""
    return hashlib.sha256(token.encode()).hexdigest()
