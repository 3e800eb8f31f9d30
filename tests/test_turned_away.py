"""Who and what is turned away before anything is looked at: keys, addresses, types, and what is too much."""

import asyncio
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving import desk
from serving.auth import issue_key, key_id, open_keys, revoke_key
from serving.limits import HEADERS, READS, ROUTES, Bounds, Limits, RequestLine, route_of
from serving.problems import KEY, Exchange, ProblemError
from serving.quotas import Quotas
from serving.schema import Answer
from tests.served import NOW
from tests.services import PART, Served, problem, serving

pytest_plugins = ["tests.one_service"]

PICKLE = "application/vnd.bentoml+pickle"


def test_without_a_key_in_force_nothing_is_answered(served: Served) -> None:
    engine = open_keys(served.home)
    ended = issue_key(engine, "demo-north", ("detect",), NOW - timedelta(days=2), 1)
    revoked = issue_key(engine, "demo-north", ("detect",), NOW, 1)
    revoke_key(engine, key_id(revoked), NOW)
    engine.dispose()
    wrong = served.key[:-1] + ("0" if served.key[-1] != "0" else "1")
    headers = [{}, {"Authorization": served.key}, {"Authorization": f"Basic {served.key}"}]
    headers += [{"Authorization": f"Bearer {key}"} for key in ("", "x", wrong, ended, revoked)]
    details = []
    for header in headers:
        for method, path in (("POST", "/v1/detect"), ("GET", "/v1/models"), ("GET", "/v1/predictions/1")):
            response = served.client.request(method, path, headers=header)
            details.append(problem(response, 401))
            assert response.headers["www-authenticate"] == "Bearer"
    none, others = set(details[: 4 * 3]), set(details[4 * 3 :])
    assert len(none) == len(others) == 1 and "no key was sent" in none.pop() and "no key" not in others.pop()


def test_a_key_opens_only_what_it_is_for(served: Served) -> None:
    engine = open_keys(served.home)
    keys = {scope: issue_key(engine, "demo-north", (scope,), NOW, 1) for scope in ("models", "detect")}
    engine.dispose()
    for key in keys.values():
        assert served.client.get("/v1/models", headers={"Authorization": f"Bearer {key}"}).status_code == 200
    headers = {"Authorization": f"Bearer {keys['models']}"}
    files = {"recording": ("a.edf", b"")}
    assert "scope detect" in problem(served.client.post("/v1/detect", headers=headers, files=files), 403)


@pytest.mark.parametrize("path", [*ROUTES, "/elsewhere"])
def test_no_route_reads_a_pickle_or_any_other_type(served: Served, path: str) -> None:
    read = READS.get(path, "multipart/form-data")
    for method in ("GET", "POST"):
        for kind in (PICKLE, PICKLE.upper(), "application/x-python-pickle; charset=x"):
            response = served.client.request(method, path, headers={**served.headers, "Content-Type": kind})
            assert read in problem(response, 415)
    others = "application/json", "application/octet-stream", "application/x-www-form-urlencoded", "text/plain", ""
    for kind in {*others, "multipart/form-data"} - {read}:
        headers = {**served.headers, "Content-Type": kind}
        problem(served.client.post(path, headers=headers, content=b"{}"), 415)


@pytest.mark.parametrize(
    "path", ["/v1/jobs/%00", "/v1/predictions/a%00b", "/v1/predictions/%00/receipt", "/v1/jobs/%0a"]
)
def test_what_is_no_text_is_no_address(served: Served, path: str) -> None:
    """PostgreSQL knows no text with a zero in it, and would fail."""
    assert "nothing under this address" in problem(served.client.get(path, headers=served.headers), 404)


def test_what_is_not_served_here_is_not_found_whatever_the_frameworks_would_show(served: Served) -> None:
    for path in (
        "/docs",
        "/redoc",
        "/docs.json",
        "/schema.json",
        "/static_content/index.css",
        "/v1/detect/",
        "/%2Fv1/models",
    ):
        problem(served.client.get(path, headers=served.headers), 404)
    assert problem(served.client.put("/v1/detect", headers=served.headers), 405)
    assert served.client.post("/livez").headers["allow"]


@pytest.mark.parametrize("path", ["/v1/detect", "/v1/windows", "/v1/jobs", "/v1/predictions/a/verdict"])
def test_a_body_that_was_compressed_is_refused_and_not_read_as_samples(served: Served, path: str) -> None:
    kind = {"Content-Type": READS.get(route_of(path), "multipart/form-data; boundary=x"), "Content-Encoding": "gzip"}
    sent = served.client.post(path, headers=served.headers | kind, content=bytes(76))
    assert "send it uncompressed" in problem(sent, 415)


def test_too_large_an_upload_is_refused_announced_or_not(other_home: Path, recording: bytes) -> None:
    with serving(other_home, recording, limits=Limits(upload_bytes=len(recording) + 1000)) as service:
        assert service.detect().status_code == 200
        assert "at most" in problem(service.detect(recording + bytes(1000)), 413)
        kind = {**service.headers, "Content-Type": "multipart/form-data; boundary=x"}
        pieces = iter([PART, *(bytes(100_000) for _ in range(len(recording) // 100_000 + 2)), b"\r\n--x--\r\n"])
        response = service.client.post("/v1/detect", headers=kind, content=pieces)
        assert "content-length" not in response.request.headers
        assert "at most" in problem(response, 413)
        for number in ("-1", "+5", "1_0", "five", "9" * 20):
            sent = service.client.post("/v1/detect", headers={**kind, "Content-Length": number}, content=b"")
            assert "a number of bytes" in problem(sent, 400)


def test_more_requests_than_can_be_served_are_sent_away_and_slow_ones_end(
    other_home: Path, recording: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, release = threading.Event(), threading.Event()

    def slow(*_: Any, **__: Any) -> Answer:
        begun.set()
        release.wait(10)
        raise AssertionError("nobody waits for this answer any more")

    monkeypatch.setattr(desk, "answer", slow)
    with serving(other_home, recording, limits=Limits(concurrent=1, timeout_s=0.8, quotas=Quotas(kept=1))) as service:
        responses: list[httpx.Response] = []
        first = threading.Thread(target=lambda: responses.append(service.detect()))
        first.start()
        assert begun.wait(5)
        crowded = service.client.get("/v1/models", headers=service.headers)
        assert crowded.headers["retry-after"] == "2"
        assert "try again" in problem(crowded, 429)
        assert service.client.get("/livez").status_code == 200
        first.join(5)
        assert "not done within 0.8 s" in problem(responses[0], 504)
        assert service.client.get("/v1/models", headers=service.headers).status_code == 200
        release.set()


def test_what_the_frameworks_say_in_a_header_of_ours_gives_way_to_ours() -> None:
    answers: list[Any] = []

    async def framework(scope: Any, receive: Any, send: Any) -> None:
        said = [(b"Cache-Control", b"public"), (b"x-frame-options", b"SAMEORIGIN"), (b"etag", b"1")]
        await send({"type": "http.response.start", "status": 200, "headers": said})

    async def send(message: Any) -> None:
        answers.append(message)

    line = RequestLine(framework, lambda *_: None)
    asyncio.run(line({"type": "http", "method": "GET", "path": "/livez", "headers": []}, None, send))  # type: ignore[arg-type]
    said = [(name.decode().lower(), value.decode()) for name, value in answers[0]["headers"]]
    assert len(said) == len(dict(said)), "no header is given twice"
    ours = {name.lower(): value for name, value in HEADERS.items()}
    assert {name: value for name, value in said if name != "x-request-id"} == {**ours, "etag": "1"}


@pytest.mark.parametrize(("announced", "taken_in"), [(10, True), (11, False)])
def test_what_is_announced_too_large_is_refused_before_any_of_it_is_taken_in(announced: int, taken_in: bool) -> None:
    taken: list[int] = []

    async def take(scope: Any, receive: Any, send: Any) -> None:
        taken.append(announced)

    bounds = Bounds(take, Limits(upload_bytes=10))
    scope = {"type": "http", "path": "/v1/detect", "headers": [(b"content-length", b"%d" % announced)]}
    asked = bounds({**scope, KEY: Exchange("id")}, None, None)  # type: ignore[arg-type]
    if taken_in:
        asyncio.run(asked)
    else:
        with pytest.raises(ProblemError) as refused:
            asyncio.run(asked)
        assert refused.value.status == 413
    assert bool(taken) == taken_in
