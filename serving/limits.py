"""What stands around the service: who may come in, with what, how large, how many at once and for how long."""

import asyncio
import re
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from data.readers.apart import ReadLimits
from serving.auth import SiteKey, Unauthorised
from serving.jobs import JobLimits
from serving.naming import QUESTIONS
from serving.problems import KEY, Exchange, ProblemError, exchange, write_line
from serving.quotas import InFlight, LockOut, Quotas, Rate
from serving.stream import StreamLimits

PRIVATE = "/v1/"
JOBS, STREAM = "/v1/jobs", "/v1/stream"
STARTS = ("http.response.start", "websocket.accept", "websocket.http.response.start")
"""Messages that begin an answer."""
SCOPES_FOR = {
    "/v1/detect": {"detect"},
    **{f"/v1/{question}": {"detect"} for question in QUESTIONS},
    "/v1/windows": {"detect"},
    "/v1/jobs": {"detect"},
    "/v1/jobs/{id}": {"detect"},
    "/v1/stream": {"detect"},
    "/v1/predictions/{id}": {"detect", "verdict"},
    "/v1/predictions/{id}/receipt": {"detect", "verdict"},
    "/v1/predictions/{id}/verdict": {"verdict"},
    "/v1/models": {"models", "detect"},
}
"""Any of these scopes opens the route: who may send recordings may read what the model is for."""
ROUTES = ("/", "/livez", "/healthz", "/readyz", "/metrics", "/openapi.json", *SCOPES_FOR)
"""All that is served; what the frameworks would show besides (their own pages and schemas) is not."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
DECIDING = ("Authorization", "Content-Type", "Content-Encoding", "Transfer-Encoding", "Idempotency-Key")
"""Headers of which the second would be left out without a word, whatever it says."""
UPLOAD_TYPE = "multipart/form-data"
JSON_TYPE = "application/json"
WINDOWS = "/v1/windows"
READS = {"/v1/predictions/{id}/verdict": JSON_TYPE, WINDOWS: "application/octet-stream"}
"""The one content type that a route reads, where that is not an upload."""

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Frame-Options": "DENY",
}

_OURS = {name.lower().encode(): value.encode() for name, value in HEADERS.items()}

Authenticate = Callable[[str], Awaitable[SiteKey]]
Observe = Callable[[Exchange, str, int, float], None]
"""Called once for each request with (exchange, route, status, seconds)."""


@dataclass(frozen=True)
class Limits:
    """How much one request may bring and how long it may take; `analyses` run at once, the others wait.

    `concurrent` requests are taken in at once, which is more than one site may have, and of each site as many as are kept for
    it (`Quotas`).

    `take_in_s` is how long a file may take to arrive that is left with us (`jobs`), `stall_s` how long a sender may be silent.
    """

    upload_bytes: int = 128 * 2**20
    windows_bytes: int = 8 * 2**20
    json_bytes: int = 2 * 2**20
    concurrent: int = 64
    timeout_s: float = 120.0
    take_in_s: float = 900.0
    stall_s: float = 20.0
    analyses: int = 2
    jobs: JobLimits = field(default_factory=JobLimits)
    streams: StreamLimits = field(default_factory=StreamLimits)
    reading: ReadLimits = field(default_factory=ReadLimits)
    quotas: Quotas = field(default_factory=Quotas)

    def bytes_of(self, route: str) -> int:
        """How large a request's body may be, in bytes; what is left with us may be larger than what is answered at
        once."""
        if route == WINDOWS:
            return self.windows_bytes
        if route in READS:
            return self.json_bytes
        return self.jobs.upload_bytes if route == JOBS else self.upload_bytes

    def seconds_of(self, route: str) -> float:
        """How long a request may take, in seconds; one that leaves a file with us, longer."""
        return self.take_in_s if route == JOBS else self.timeout_s


class RequestLine:
    """Outermost: an id of our own for every request, headers for every answer, one line in the log, one count."""

    def __init__(self, app: ASGIApp, observe: Observe):
        self.app, self.observe = app, observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        this = scope[KEY] = Exchange(str(uuid.uuid4()))
        status, start_s = 0, time.monotonic()

        async def with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] in STARTS:
                status = message.get("status", 101)
                said = [header for header in message.get("headers", ()) if header[0].lower() not in _OURS]
                message["headers"] = [*said, *_OURS.items(), (b"x-request-id", this.request_id.encode())]
            await send(message)

        # RFC 9110, 9.3.2: HEAD is GET without the content, which the server that speaks HTTP leaves out.
        asked = {**scope, "method": "GET"} if scope.get("method") == "HEAD" else scope
        try:
            await self.app(asked, receive, with_headers)
        finally:
            self._note(scope, status, time.monotonic() - start_s)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        this, route, said = exchange(scope), route_of(scope["path"]) or "other", scope.get("method", "GET")
        method = said if said in METHODS else "other"
        self.observe(this, route, status, seconds)
        write_line(
            "request", request_id=this.request_id, method=method, route=route, status=status, site=this.site,
            ms=round(seconds * 1000, 1), outcome=this.outcome, code=this.code,
        )  # fmt: skip


class Admission:
    """Lets in what is served here, in a content type that is read, from a site whose key is in force.

    ProblemError where it does not: 404, 415, 400 for a header that is given twice, 401 for the key, 403 for a scope that
    it lacks, 429 beyond quotas.
    """

    def __init__(self, app: ASGIApp, authenticate: Authenticate, quotas: Quotas):
        self.app, self.authenticate = app, authenticate
        self.lock_out, self.rate = LockOut(quotas), Rate(quotas)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            _check_given_once(scope)
            _check_content_type(Headers(scope=scope), route_of(scope["path"]))
            if scope["path"].startswith(PRIVATE):
                await self._admit(scope)
            if not route_of(scope["path"]) or (scope["type"] == "websocket" and scope["path"] != STREAM):
                raise ProblemError(404, "there is nothing under this address: see /openapi.json for what there is")
        await self.app(scope, receive, send)

    async def _admit(self, scope: Scope) -> None:
        kind, _, key = Headers(scope=scope).get("authorization", "").partition(" ")
        route, peer = route_of(scope["path"]), (scope.get("client") or ("",))[0]
        enough, key = SCOPES_FOR.get(route, set()), key if kind.lower() == "bearer" else ""
        async with self.lock_out.looking(peer, key):
            found = await self._whose(peer, key)
        exchange(scope).site, exchange(scope).key_id = found.site, found.id
        if route != WINDOWS:
            self.rate.take(found.site)
        if enough and not enough & found.scopes:
            raise ProblemError(403, f"this key may not be used for that: it lacks the scope {' or '.join(enough)}")

    async def _whose(self, peer: str, key: str) -> SiteKey:
        try:
            found = await self.authenticate(key)
        except Unauthorised as error:
            self.lock_out.wrong(peer, key)
            what = str(error) if key else "no key was sent"
            how = "send `Authorization: Bearer ictal_…`"
            raise ProblemError(401, f"{what}; {how}", {"WWW-Authenticate": "Bearer"}) from None
        self.lock_out.right(key)
        return found


class Bounds:
    """Counts the bytes of a body whatever was announced, the requests at once, and the seconds.

    ProblemError beyond them: 413, 429 and 504; 400 for a Content-Length that is no number, 408 for a sender that is
    silent.
    """

    def __init__(self, app: ASGIApp, limits: Limits):
        self.app, self.limits, self.busy = app, limits, 0
        self.in_flight = InFlight(limits.quotas)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            with self.in_flight.request(exchange(scope).site, 0, "streams"):
                await self.app(scope, receive, send)
            return
        if scope["type"] != "http" or not scope["path"].startswith(PRIVATE):
            await self.app(scope, receive, send)
            return
        site, route = exchange(scope).site, route_of(scope["path"])
        most = self.limits.bytes_of(route)
        announced = _announced(Headers(scope=scope).get("content-length", "0"), most)
        if self.busy >= self.limits.concurrent and self.in_flight.has_kept(site):
            raise ProblemError(429, f"{self.busy} requests are being served: try again", {"Retry-After": "2"})
        self.busy += 1
        try:
            with self.in_flight.request(site, announced, "windows" if route == WINDOWS else "requests") as count:
                await self._in_time(scope, _counted(scope, receive, most, count, self.limits.stall_s), send)
        finally:
            self.busy -= 1

    async def _in_time(self, scope: Scope, receive: Receive, send: Send) -> None:
        """BentoML's own timer is never cancelled and keeps every finished request in memory until it fires."""
        started, seconds = False, self.limits.seconds_of(route_of(scope["path"]))

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            async with asyncio.timeout(seconds) as running:
                await self.app(scope, receive, noted)
        except TimeoutError:
            if started or not running.expired():
                raise
            late = f"not done within {seconds:g} s: send a shorter recording, or try again"
            raise ProblemError(504, late) from None


def route_of(path: str) -> str:
    """The route that a path belongs to, with `{id}` where an id stands in it; empty where nothing is served."""
    return (
        path if path in ROUTES and "{" not in path else next((r for r, p in _WITH_ID.items() if p.fullmatch(path)), "")
    )


_WITH_ID = {route: re.compile(route.replace("{id}", "[!-.0-~]+")) for route in ROUTES if "{id}" in route}


def _counted(scope: Scope, receive: Receive, most: int, count: Callable[[int], None], stall_s: float) -> Receive:
    """`receive`, which refuses what is too much, and a sender that falls silent before the end of its body."""
    seen, more = 0, True

    async def counted() -> Message:
        nonlocal seen, more
        try:
            async with asyncio.timeout(stall_s if more else None):
                message = await receive()
            seen, more = seen + len(message.get("body", b"")), message.get("more_body", False)
            if seen > most:
                raise _too_large(most)
            count(seen)
        except TimeoutError:
            late = f"nothing arrived for {stall_s:g} s: send the whole body without pause"
            exchange(scope).refusal = ProblemError(408, late, {"Connection": "close"})
            raise exchange(scope).refusal from None  # type: ignore[misc]
        except ProblemError as error:
            exchange(scope).refusal = error
            raise
        return message

    return counted


def _announced(content_length: str, most: int) -> int:
    if not (content_length.isascii() and content_length.isdecimal() and len(content_length) < 20):
        raise ProblemError(400, "Content-Length has to be a number of bytes")
    if int(content_length) > most:
        raise _too_large(most)
    return int(content_length)


def _too_large(most: int) -> ProblemError:
    return ProblemError(413, f"an upload has at most {most} bytes: send a shorter recording, or cut it")


def _check_given_once(scope: Scope) -> None:
    given = [name for name, _ in scope["headers"] if name in _DECIDING]
    if len(given) > len(set(given)):
        twice = next(_DECIDING[name] for name in given if given.count(name) > 1)
        raise ProblemError(400, f"{twice} is given twice, and nobody can tell which of the two counts: send it once")


_DECIDING = {name.lower().encode(): name for name in DECIDING}


def _check_content_type(headers: Headers, route: str) -> None:
    """Pickles are refused wherever they come; a body is read in one type only."""
    kind = headers.get("content-type", "").split(";")[0].strip().lower()
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    read = READS.get(route, UPLOAD_TYPE)
    if "pickle" in kind or (has_body and kind != read):
        raise ProblemError(415, f"only {read} is read here", {"Accept-Post": read})
    coded = headers.get("content-encoding", "identity").strip().lower() != "identity"
    if coded or headers.get("transfer-encoding", "chunked").strip().lower() != "chunked":
        raise ProblemError(415, "a body is read as it comes: send it uncompressed", {"Accept-Encoding": "identity"})
