"""One site leaves room for the others, and who tries keys is stopped without stopping anybody else."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Scope

from serving import quotas
from serving.auth import SiteKey, Unauthorised, issue_key, key_id, open_keys, revoke_key
from serving.limits import HEADERS, Admission, Bounds, Limits
from serving.problems import KEY, Exchange, ProblemError, exchange
from serving.quotas import InFlight, LockOut, Quotas, Rate
from tests.faults import sound
from tests.served import NOW
from tests.services import Served, key_of, problem, said, served_home, serving


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def refusal(act: Any, *given: Any) -> ProblemError:
    with pytest.raises(ProblemError) as caught:
        act(*given)
    assert caught.value.status == 429
    return caught.value


def test_a_site_may_ask_so_often_and_another_is_not_held_up_by_it() -> None:
    time = Time()
    rate = Rate(Quotas(per_s=2, burst=3), time)
    for _ in range(3):
        rate.take("north")
    assert refusal(rate.take, "north").headers == {"Retry-After": "1"}
    rate.take("south")
    time.now = 0.5  # one of two a second has come back
    rate.take("north")
    refusal(rate.take, "north")
    time.now = 1000
    for _ in range(3):  # and never more than the burst
        rate.take("north")
    refusal(rate.take, "north")


def test_a_site_is_told_to_wait_until_one_request_has_come_back() -> None:
    time = Time()
    rate = Rate(Quotas(per_s=0.1, burst=1), time)
    rate.take("north")
    time.now = 4.0  # of the ten seconds for one
    assert refusal(rate.take, "north").headers == {"Retry-After": "6"}


def test_the_places_that_are_kept_for_a_site_are_of_requests_and_windows_together() -> None:
    flight = InFlight(Quotas(kept=2))
    with flight.request("north", 0), flight.request("north", 0, "streams"), flight.request("south", 0):
        assert not flight.has_kept("north")
        with flight.request("north", 0, "windows"):
            assert flight.has_kept("north") and not flight.has_kept("south")


def test_what_a_site_has_in_flight_is_counted_until_it_is_answered() -> None:
    flight = InFlight(Quotas(at_once=2, windows_at_once=1, bytes_in_flight=100))
    with flight.request("north", 60) as count, flight.request("south", 100):
        count(60)
        refusal(flight.request("north", 50).__enter__)
        with flight.request("north", 0) as other:
            refusal(flight.request("north", 0).__enter__)
            with flight.request("north", 10, "windows"), flight.request("north", 0, "streams"):
                refusal(flight.request("north", 0).__enter__)
                assert "1 windows" in refusal(flight.request("north", 0, "windows").__enter__).detail
            refusal(flight.request("north", 41, "windows").__enter__)
            other(40)
            refusal(other, 41)
            refusal(count, 61)
    with flight.request("north", 100):
        pass
    assert not flight._bytes and not any(flight._held.values())


def test_a_peer_that_tries_keys_is_locked_out_for_a_while_and_nobody_else_is() -> None:
    time = Time()
    lock = LockOut(Quotas(wrong_keys=3, wrong_for_s=10, locked_for_s=60), time)
    lock.right("of the site")
    for n in range(3):
        lock.check("10.0.0.1", f"guess {n}")
        lock.wrong("10.0.0.1", f"guess {n}")
    assert refusal(lock.check, "10.0.0.1", "guess 4").headers == {"Retry-After": "60"}
    lock.check("10.0.0.2", "guess 4")
    lock.check("10.0.0.1", "of the site")  # behind the same proxy
    time.now = 60
    lock.check("10.0.0.1", "guess 4")


def test_wrong_keys_now_and_then_lock_nobody_out() -> None:
    time = Time()
    lock = LockOut(Quotas(wrong_keys=3, wrong_for_s=10), time)
    for _ in range(20):
        lock.wrong("10.0.0.1", "stale")
        lock.check("10.0.0.1", "stale")
        time.now += 6


def test_a_key_that_ended_is_no_longer_let_past_the_lock() -> None:
    lock = LockOut(Quotas(wrong_keys=2), Time())
    lock.right("revoked")
    for _ in range(2):
        lock.wrong("10.0.0.1", "revoked")
    refusal(lock.check, "10.0.0.1", "revoked")


def test_of_keys_that_are_looked_at_together_each_counts_until_it_is_known() -> None:
    async def come() -> None:
        lock = LockOut(Quotas(wrong_keys=3), Time())
        looked_at = [lock.looking("10.0.0.1", f"guess {n}") for n in range(3)]
        for one in looked_at:
            await one.__aenter__()
        lock.wrong("10.0.0.1", "guess 0")
        await looked_at[0].__aexit__(None, None, None)
        refusal(lock.check, "10.0.0.1", "guess 3")  # one was wrong, and two may be
        for one in looked_at[1:]:
            await one.__aexit__(None, None, None)
        lock.check("10.0.0.1", "guess 3")

    asyncio.run(come())


def test_so_many_peers_and_keys_are_remembered_and_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "MOST_PEERS", 3)
    lock = LockOut(Quotas(wrong_keys=1), Time())
    for n in range(4):
        lock.wrong(f"10.0.0.{n}", "guess")
    lock.check("10.0.0.0", "guess")
    for n in range(1, 4):
        refusal(lock.check, f"10.0.0.{n}", "guess")
    for n in range(4):
        lock.right(f"key {n}")
    lock.check("10.0.0.3", "key 3")
    refusal(lock.check, "10.0.0.3", "key 0")


class Burst:
    """Requests that come at once from one address, to a door that lets in three wrong keys a minute; each of their keys is
    looked at until nothing more happens."""

    def __init__(self, right: str = "right"):
        self.right, self.looked_at, self.go_on = right, list[str](), asyncio.Event()
        self.door = Admission(nothing, self.authenticate, Quotas(wrong_keys=3))

    async def authenticate(self, key: str) -> SiteKey:
        self.looked_at.append(key)
        await self.go_on.wait()
        if key != self.right:
            raise Unauthorised("wrong")
        return SiteKey("id", "demo-north", frozenset({"detect"}), NOW)

    async def ask(self, key: str) -> int:
        headers = [(b"authorization", f"Bearer {key}".encode())]
        scope = {"type": "http", "path": "/v1/detect", "client": ("10.0.0.1", 1), "headers": headers}
        try:
            await self.door({**scope, KEY: Exchange("id")}, nothing, nothing)
        except ProblemError as refused:
            return refused.status
        return 200

    async def answered(self, *keys: str) -> Counter[int]:
        asked = [asyncio.create_task(self.ask(key)) for key in keys]
        for _ in range(10):
            await asyncio.sleep(0)
        self.go_on.set()
        return Counter(await asyncio.gather(*asked))


async def nothing(*_: Any) -> Any: ...


def test_a_burst_of_wrong_keys_is_refused_before_more_are_looked_at_than_may_be_wrong() -> None:
    burst = Burst()
    assert asyncio.run(burst.answered(*(f"guess {n}" for n in range(50)))) == {401: 3, 429: 47}
    assert len(burst.looked_at) == 3
    again = Burst()
    assert asyncio.run(again.answered(*["the same guess"] * 50)) == {401: 3, 429: 47}
    assert len(again.looked_at) == 3


def test_a_site_behind_the_address_of_a_burst_is_let_in_with_the_key_that_it_used_before() -> None:
    async def come() -> Counter[int]:
        burst = Burst()
        assert await burst.answered("right") == {200: 1}
        burst.go_on.clear()
        return await burst.answered(*(f"guess {n}" for n in range(50)), "right", "right")

    assert asyncio.run(come()) == {200: 2, 401: 3, 429: 47}


def test_a_site_whose_key_was_not_seen_yet_may_ask_as_often_at_once_as_it_likes() -> None:
    assert asyncio.run(Burst().answered(*["right"] * 50)) == {200: 50}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return served_home(tmp_path_factory.mktemp("quotas"))


TIGHT = Quotas(per_s=1e-6, burst=12, wrong_keys=5)


@pytest.fixture
def served(home: Path) -> Iterator[Served]:
    with serving(home, sound(), limits=Limits(stall_s=0.3, quotas=TIGHT)) as ready:
        yield ready


def test_a_site_that_asks_too_often_is_told_when_and_another_is_served(served: Served, home: Path) -> None:
    answers = [served.client.get("/v1/models", headers=served.headers) for _ in range(13)]
    assert [a.status_code for a in answers] == [200] * 12 + [429]
    assert "12 times at once" in problem(answers[-1], 429) and int(answers[-1].headers["retry-after"]) > 0
    assert {name: answers[-1].headers[name] for name in HEADERS} == HEADERS
    assert served.client.get("/v1/models", headers=key_of(home, "demo-south")).status_code == 200
    assert served.client.get("/readyz").status_code == 200


def test_who_tries_keys_is_locked_out_and_the_site_beside_it_is_not(served: Served, home: Path) -> None:
    def ask(headers: dict[str, str]) -> httpx.Response:
        return served.client.get("/v1/models", headers=headers)

    assert ask(served.headers).status_code == 200
    guesses = [ask({"Authorization": f"Bearer ictal_{n:016x}_{'0' * 48}"}) for n in range(6)]
    assert [g.status_code for g in guesses] == [401] * 5 + [429]
    assert "too many wrong keys" in problem(guesses[-1], 429) and guesses[-1].headers["retry-after"] == "60"
    assert ask(served.headers).status_code == 200
    problem(ask(key_of(home, "demo-north")), 429)  # not seen before: has to wait a minute


def test_a_key_is_exchanged_without_a_gap_and_the_site_keeps_what_it_asked(served: Served, home: Path) -> None:
    id = said(served.detect())["prediction_id"]
    new = key_of(home, "demo-north")
    for headers in (served.headers, new):
        assert served.client.get(f"/v1/predictions/{id}", headers=headers).status_code == 200
    engine = open_keys(home)
    revoke_key(engine, key_id(served.key), NOW)
    engine.dispose()
    problem(served.client.get("/v1/models", headers=served.headers), 401)
    assert served.client.get(f"/v1/predictions/{id}", headers=new).status_code == 200


class Door:
    """A service in which every request that is let in stays until its site gives it up."""

    def __init__(self, limits: Limits):
        self.let_in = Counter[str]()
        self.bounds = Bounds(self.stay, limits)
        self.tasks: dict[str, list[asyncio.Task[bool]]] = {}

    async def stay(self, scope: Scope, *_: Any) -> None:
        self.let_in[exchange(scope).site] += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.let_in[exchange(scope).site] -= 1

    async def come(self, site: str, kind: str, path: str) -> bool:
        """Whether it was let in; it stays there."""
        before = self.let_in[site]
        scope = {"type": kind, "path": path, "method": "POST", "headers": [], KEY: Exchange("id", site)}
        task = asyncio.create_task(self.ask(scope))
        self.tasks.setdefault(site, []).append(task)
        for _ in range(3):
            await asyncio.sleep(0)
        return self.let_in[site] > before

    async def ask(self, scope: Scope) -> bool:
        try:
            await self.bounds(scope, nothing, nothing)
        except ProblemError as refused:
            assert refused.status == 429
        return True

    async def go(self, site: str, which: int) -> None:
        """One of its requests is given up."""
        staying = [task for task in self.tasks.get(site, ()) if not task.done()]
        if staying:
            staying[which % len(staying)].cancel()
            await asyncio.sleep(0)

    async def close(self) -> None:
        for tasks in self.tasks.values():
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


FEW = Limits(concurrent=4, quotas=Quotas(at_once=3, windows_at_once=3, kept=2))
WAYS = st.sampled_from(
    [("http", "/v1/detect"), ("http", "/v1/windows"), ("http", "/v1/jobs"), ("websocket", "/v1/stream")]
)
OTHERS = st.sampled_from(["south", "east", "west", "far"])
COME = st.tuples(OTHERS, WAYS)
GO = st.tuples(OTHERS, st.integers(0, 9))


@given(st.lists(st.one_of(COME, GO), max_size=40), st.lists(WAYS, min_size=2, max_size=2))
@settings(deadline=None)
def test_whatever_other_sites_do_a_site_has_the_places_that_are_kept_for_it(
    theirs: list[tuple[str, Any]], mine: list[tuple[str, str]]
) -> None:
    """Any number of sites, any order of coming and going; and what is taken in stays bounded."""

    async def run() -> None:
        door = Door(FEW)
        for site, what in theirs:
            await (door.go(site, what) if isinstance(what, int) else door.come(site, *what))
            assert door.bounds.busy <= FEW.concurrent + 5 * FEW.quotas.kept
        for kind, path in mine:
            assert await door.come("north", kind, path)
        await door.close()
        assert door.bounds.busy == 0 and not any(door.bounds.in_flight._held.values())

    asyncio.run(run())


Messages = list[dict[str, Any]]


async def sent_by_hand(served: Served, path: str, kind: str, receive: Any) -> Messages:
    """What is answered to a request whose body comes as `receive` gives it."""
    answers: Messages = []

    async def send(message: dict[str, Any]) -> None:
        answers.append(message)

    headers = {**served.headers, "Content-Type": kind, "Content-Length": "1000"}
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "path": path,
        "raw_path": path.encode(), "query_string": b"", "root_path": "", "scheme": "http", "server": ("a", 80),
        "client": ("10.0.0.9", 1), "headers": [(n.lower().encode(), v.encode()) for n, v in headers.items()],
    }  # fmt: skip
    async with asyncio.timeout(10):
        await served.client.app(scope, receive, send)  # type: ignore[arg-type]
    return answers


def test_a_fault_sender_who_falls_silent_is_cut_off_in_bounded_time(served: Served) -> None:
    sent: list[int] = []

    async def receive() -> dict[str, Any]:
        if not sent:
            sent.append(1)
            return {"type": "http.request", "body": b"--x\r\n", "more_body": True}
        await asyncio.sleep(600)
        raise AssertionError

    assert served.client.portal is not None
    start, body = served.client.portal.call(
        sent_by_hand, served, "/v1/detect", "multipart/form-data; boundary=x", receive
    )
    assert start["status"] == 408 and b"nothing arrived for 0.3 s" in body["body"]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/v1/detect", "multipart/form-data; boundary=x"),
        ("/v1/jobs", "multipart/form-data; boundary=x"),
        ("/v1/windows", "application/octet-stream"),
        ("/v1/predictions/a/verdict", "application/json"),
    ],
)
def test_who_hangs_up_in_the_middle_of_a_body_is_no_failure_of_ours(
    served: Served, caplog: pytest.LogCaptureFixture, path: str, kind: str
) -> None:
    came = [{"type": "http.request", "body": b"--x\r\n", "more_body": True}]

    async def receive() -> dict[str, Any]:
        return came.pop() if came else {"type": "http.disconnect"}

    assert served.client.portal is not None
    with caplog.at_level("INFO", logger="ictal.serving"):
        start, *_ = served.client.portal.call(sent_by_hand, served, path, kind, receive)
    assert start["status"] == 400 and "failure" not in caplog.text


def test_a_site_that_sends_its_windows_slowly_leaves_room_for_another(home: Path) -> None:
    limits = Limits()
    with serving(home, sound()) as served:
        assert served.client.portal is not None
        ended = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await ended.wait()
            return {"type": "http.disconnect"}

        ask = (sent_by_hand, served, "/v1/windows", "application/octet-stream", receive)
        slow = [served.client.portal.start_task_soon(*ask) for _ in range(limits.concurrent)]
        try:
            south = served.client.get("/v1/models", headers=key_of(home, "demo-south"))
        finally:
            served.client.portal.call(ended.set)
        refused = [one.result()[0]["status"] for one in slow].count(429)
    assert (south.status_code, refused) == (200, limits.concurrent - limits.quotas.windows_at_once)


def test_keys_of_one_site_share_its_quota(served: Served, home: Path) -> None:
    engine = open_keys(home)
    keys = [issue_key(engine, "demo-east", ("models",), NOW, 1) for _ in range(2)]
    engine.dispose()
    for n in range(12):
        headers = {"Authorization": f"Bearer {keys[n % 2]}"}
        assert served.client.get("/v1/models", headers=headers).status_code == 200
    problem(served.client.get("/v1/models", headers={"Authorization": f"Bearer {keys[0]}"}), 429)
