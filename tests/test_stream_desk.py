"""What becomes of a stream when nobody is on the other end of it."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi import Depends, FastAPI
from starlette.types import Message

from lineage.ledger import Actor, Ledger
from serving import stream_desk
from serving.auth import SiteKey
from serving.journal import Journal, Made
from serving.loader import Loader
from serving.orders import Orders
from serving.past import Past
from serving.problems import KEY, Exchange, ProblemError
from serving.schema import Answered
from serving.stream import End, Hello, StreamLimits
from serving.stream_desk import ENDED_KEPT, Held, StreamDesk
from serving.stream_routes import add_stream
from tests.served import NOW
from tests.services import HELLO, served_home

SITE, OTHER = "demo-north", "demo-south"
SECOND = np.zeros((19, 256), np.float32)


class Busy(Journal):
    """A ledger into which nothing can be written for a while."""

    def __init__(self, home: Path):
        super().__init__(home)
        self.refusals, self.tried = 0, 0

    def record(self, answer: Made, actor: Actor, now: datetime, *_: Any, announced: bool = False) -> Made:
        self.tried += 1
        if self.tried <= self.refusals:
            raise OSError("the ledger is busy")
        return super().record(answer, actor, now, announced=announced)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return served_home(tmp_path_factory.mktemp("served"))


@pytest.fixture
def journal(home: Path) -> Iterator[Busy]:
    journal = Busy(home)
    yield journal
    journal.ledger.engine.dispose()


@pytest.fixture
def desk_of(home: Path, journal: Busy) -> Callable[..., StreamDesk]:
    def make(done: Callable[[Answered], None] = lambda answer: None, **limits: Any) -> StreamDesk:
        loader = Loader(home, allow_demo=True)
        orders, folder = Orders(journal.ledger), home / "jobs" / "streams"
        return StreamDesk(loader, journal, StreamLimits(**limits), lambda: NOW, done, orders, Past(journal), folder)

    return make


def hello() -> Hello:
    return Hello.model_validate(HELLO)


async def heard(desk: StreamDesk, site: str = SITE) -> Held:
    """A stream of a second whose connection is gone."""
    held = await desk.begin(hello(), site, "k")
    desk.attach(held, held, lambda: None)
    await desk.take(held, 0, SECOND)
    return held


async def ended(desk: StreamDesk, site: str = SITE) -> Held:
    held = await heard(desk, site)
    await desk.take(held, 1, End(type="end", seq=1))
    desk.detach(held, held)
    return held


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.01)


def written(home: Path) -> list[str]:
    """Ids of all answers in the ledger."""
    ledger = Ledger(home / "ledger" / "ledger.db")
    kinds = ("prediction.issued", "prediction.not_evaluable", "prediction.abstained")
    found = [entry.subjects[0].id for kind in kinds for entry in ledger.entries(kind)]
    ledger.engine.dispose()
    return found


def is_found(desk: StreamDesk, held: Held) -> bool:
    return desk._held.get(held.name) is held


def dropped(desk: StreamDesk, first: dict[str, Any], after: int) -> Awaitable[None]:
    """A connection to the route whose other end is gone when the `after`-th message is sent."""
    api, sent = FastAPI(), 0
    add_stream(api, desk, known, Depends(lambda: None), {})
    came: list[Message] = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": json.dumps(first)}]

    async def receive() -> Message:
        return came.pop(0)

    async def send(message: Message) -> None:
        nonlocal sent
        if message["type"] == "websocket.send":
            sent += 1
            if sent == after:
                raise OSError("the other end is gone")

    scope = {"type": "websocket", "path": "/v1/stream", "headers": [], "query_string": b"", "subprotocols": []}
    return api({**scope, KEY: Exchange("1", SITE, "k")}, receive, send)


async def known(key: str) -> SiteKey:
    raise AssertionError("asked for a key although nothing came")


def test_a_client_that_is_gone_at_the_welcome_leaves_a_stream_that_expires(desk_of: Callable[..., StreamDesk]) -> None:
    async def run() -> None:
        desk = desk_of(resume_s=0.02, at_once_per_site=1)
        await dropped(desk, HELLO, after=1)
        with pytest.raises(ProblemError, match="streams of this site"):
            await desk.begin(hello(), SITE, "k")  # it can still be found for a while
        await until(lambda: not desk._held)
        desk.close()

    asyncio.run(run())


@pytest.mark.parametrize("after", [1, 2])
def test_a_client_that_is_gone_when_it_goes_on_leaves_a_stream_that_expires(
    desk_of: Callable[..., StreamDesk], home: Path, after: int
) -> None:
    """At the `welcome`, and at what was heard so far."""

    async def run() -> None:
        desk = desk_of(resume_s=0.02)
        held = await heard(desk)
        await dropped(desk, {"type": "resume", "token": held.token}, after)
        await until(lambda: not is_found(desk, held))
        assert held.stream.prediction_id in written(home)
        desk.close()

    asyncio.run(run())


def test_an_answer_that_nobody_came_back_for_is_written_down_when_the_ledger_can_be_written(
    desk_of: Callable[..., StreamDesk], journal: Busy, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_desk, "AGAIN_S", 0.01)
    counted: list[Answered] = []

    async def run() -> None:
        desk = desk_of(counted.append, resume_s=0.01)
        held = await heard(desk)
        journal.refusals = 3
        desk.detach(held, held)
        await until(lambda: journal.tried == 3)
        assert is_found(desk, held)
        await until(lambda: not is_found(desk, held))
        assert written(home).count(held.stream.prediction_id) == 1
        assert [answer.prediction_id for answer in counted] == [held.stream.prediction_id]
        desk.close()

    asyncio.run(run())


def test_fault_a_stream_without_a_connection_is_answered_for_no_site_that_was_stopped_meanwhile(
    desk_of: Callable[..., StreamDesk], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        desk = desk_of(resume_s=0.01)
        held = await heard(desk)
        monkeypatch.setattr(desk.orders, "why_stopped", lambda site: "electrodes are being changed")
        desk.detach(held, held)
        await until(lambda: not is_found(desk, held))
        answer = held.stream.answer
        assert answer and (answer.outcome, answer.code) == ("not_evaluable", "no_approved_model")
        desk.close()

    asyncio.run(run())


def test_an_answer_that_could_not_be_written_down_is_the_same_at_the_next_try(
    desk_of: Callable[..., StreamDesk], journal: Busy
) -> None:
    async def run() -> None:
        desk = desk_of()
        first, second = await heard(desk), await heard(desk)
        journal.refusals = 1
        assert desk._finish(first) and first.stream.answer is None
        assert await desk.take(first, 1, SECOND) == [], "what is concluded hears nothing more"
        assert (await desk.settle(first)) == first.stream.answer
        assert desk._finish(second) is None
        assert first.stream.answer and second.stream.answer
        assert first.stream.answer.recording_digest == second.stream.answer.recording_digest
        assert first.stream.answer.trend_1hz == second.stream.answer.trend_1hz
        desk.close()

    asyncio.run(run())


def test_an_answer_that_stands_in_the_ledger_without_its_receipt_is_given_at_the_next_try(
    desk_of: Callable[..., StreamDesk], journal: Busy, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise OSError("the ledger is away")

    async def run() -> None:
        desk = desk_of()
        held = await heard(desk)
        with monkeypatch.context() as broken:
            broken.setattr(journal, "receipt", away)
            for _ in range(2):
                with pytest.raises(OSError, match="away"):
                    await desk.take(held, 1, End(type="end", seq=1))
                    await desk.settle(held)
        answer = await desk.settle(held)
        assert answer and answer.receipt and answer.prediction_id == held.stream.prediction_id
        assert written(home).count(answer.prediction_id) == 1
        desk.close()

    asyncio.run(run())


def test_what_can_never_be_written_down_gives_its_place_free_in_the_end(
    desk_of: Callable[..., StreamDesk], journal: Busy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_desk, "AGAIN_S", 0.0)
    monkeypatch.setattr(stream_desk, "TRIES", 3)

    async def run() -> None:
        desk = desk_of(resume_s=0.0)
        held = await heard(desk)
        journal.refusals = 100
        desk.detach(held, held)
        await until(lambda: not is_found(desk, held))
        assert journal.tried == 3
        desk.close()

    asyncio.run(run())


def test_a_service_that_stops_tries_again_to_write_down_what_was_said(
    desk_of: Callable[..., StreamDesk], journal: Busy, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_desk, "CLOSING_PAUSE_S", 0.0)

    async def run() -> None:
        desk = desk_of()
        both = [await heard(desk), await heard(desk)]
        journal.refusals = 3
        desk.close()
        assert {held.stream.prediction_id for held in both} <= set(written(home))

    asyncio.run(run())


def test_ended_streams_of_one_site_shut_no_other_out_and_its_latest_are_kept(
    desk_of: Callable[..., StreamDesk],
) -> None:
    async def run() -> None:
        desk = desk_of(at_once=1, at_once_per_site=1)
        theirs = await ended(desk, OTHER)
        mine = [await ended(desk) for _ in range(ENDED_KEPT + 2)]
        (await desk.begin(hello(), OTHER, "k"))
        assert [is_found(desk, held) for held in mine] == [False] + [True] * (ENDED_KEPT + 1)
        assert is_found(desk, theirs)
        desk.close()

    asyncio.run(run())


def test_a_site_without_a_stream_begins_one_however_many_the_others_have(desk_of: Callable[..., StreamDesk]) -> None:
    async def run() -> None:
        desk = desk_of(at_once=2, at_once_per_site=2)
        for _ in range(2):
            await desk.begin(hello(), OTHER, "k")
        await desk.begin(hello(), SITE, "k")
        with pytest.raises(ProblemError, match="too many streams"):
            await desk.begin(hello(), SITE, "k")
        desk.close()

    asyncio.run(run())
