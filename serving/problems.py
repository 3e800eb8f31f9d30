"""Every error of the service in one shape (RFC 9457), whatever part of it failed, and never with its inner workings."""

import json
import logging
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from sqlalchemy.exc import OperationalError
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lineage.store import has_no_room
from serving.schema import Problem

MEDIA_TYPE = "application/problem+json"
Problems = dict[int | str, dict[str, Any]]
"""Which problems a route may answer with, as its description says."""
LOG = logging.getLogger("ictal.serving")

DETAILS = {
    400: "the request could not be read: see /openapi.json for its form",
    404: "there is nothing under this address: see /openapi.json for what there is",
    405: "this address does not serve that method: see /openapi.json",
    500: "the service failed; report `instance` to whoever runs it",
    503: "the service cannot answer now",
}


CUT_OFF = "the connection ended before the body did: send the whole of it again"
AWAY = "what the service keeps cannot be reached now: try again"
FULL = "the service has no room now for what it has to keep: try again later"


class ProblemError(Exception):
    """A request that is not served, with the HTTP `status` that says so; `detail` is shown to whoever sent it."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None):
        super().__init__(f"{status}: {detail}")
        self.status, self.detail, self.headers = status, detail, dict(headers or {})


@dataclass
class Exchange:
    """What is known about one request while it is served; travels in the ASGI scope under `KEY`."""

    request_id: str
    site: str = ""
    key_id: str = ""
    outcome: str = ""
    code: str = ""
    refusal: ProblemError | None = field(default=None)
    """Why the rest of the body was refused: known only to the reader of the body, deep inside other frameworks."""


KEY = "ictal"


def exchange(scope: Scope) -> Exchange:
    """What is known about the request of this scope, which the service's outermost layer put there."""
    found: Exchange = scope[KEY]
    return found


def problem_of(error: ProblemError, request_id: str) -> Problem:
    """The error as its sender sees it (RFC 9457): status and its phrase, detail, and the request's id as `instance`."""
    title = HTTPStatus(error.status).phrase
    return Problem(title=title, status=error.status, detail=error.detail, instance=f"urn:uuid:{request_id}")


def problem_response(error: ProblemError, request_id: str) -> Response:
    """The same as an answer of the type `MEDIA_TYPE`, with the error's own headers."""
    return JSONResponse(problem_of(error, request_id).model_dump(), error.status, error.headers, MEDIA_TYPE)


def problem_for(failure: Exception) -> ProblemError:
    """What a sender is told of a failure of ours: to try again, where the disk is full or the store does not answer now."""
    if has_no_room(failure):
        return ProblemError(503, FULL, {"Retry-After": "30"})
    if isinstance(failure, OperationalError):
        return ProblemError(503, AWAY, {"Retry-After": "5"})
    return ProblemError(500, DETAILS[500])


class OneErrorShape:
    """ASGI wrapper: answers of other frameworks with status 400 and above, and exceptions, become problems."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        reply = _Reply(scope, send)
        try:
            await self.app(scope, receive, reply.send)
        except ProblemError as error:
            await reply.fail(error)
        except ClientDisconnect:
            # Nobody reads this; it is said so that the log and the counts do not call it our failure.
            await reply.fail(ProblemError(400, CUT_OFF))
        except Exception as error:
            write_line("failure", request_id=exchange(scope).request_id, **where(error))
            await reply.fail(problem_for(error))

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A connection that is refused is answered as any request; one that was taken is closed."""
        taken = False

        async def noted(message: Message) -> None:
            nonlocal taken
            taken = taken or message["type"] == "websocket.accept"
            await send(message)

        try:
            await self.app(scope, receive, noted)
        except Exception as error:
            if not isinstance(error, ProblemError):
                write_line("failure", request_id=exchange(scope).request_id, **where(error))
            problem = error if isinstance(error, ProblemError) else problem_for(error)
            if taken:
                await send({"type": "websocket.close", "code": 1011})
            elif "websocket.http.response" in scope.get("extensions", {}):
                await problem_response(problem, exchange(scope).request_id)(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})


class _Reply:
    """Passes good answers on untouched and replaces bad ones; a problem is sent at most once."""

    def __init__(self, scope: Scope, send: Send):
        self.scope, self.pass_on = scope, send
        self.started = self.replaced = False

    async def send(self, message: Message) -> None:
        if self.replaced:
            return
        if message["type"] == "http.response.start" and _is_foreign_error(message):
            known = exchange(self.scope).refusal
            await self.fail(known or ProblemError(message["status"], _detail(message["status"]), _allow(message)))
            return
        self.started = True
        await self.pass_on(message)

    async def fail(self, error: ProblemError) -> None:
        if self.replaced:
            return
        if self.started:
            raise error from None  # too late for another answer: the connection is cut, and the client sees that
        self.replaced = True
        response = problem_response(error, exchange(self.scope).request_id)
        await response(self.scope, _nothing, self.pass_on)


def write_line(event: str, **fields: Any) -> None:
    """One line of JSON in the service's log; callers give it no names, no header text and no file names."""
    LOG.info(json.dumps({"event": event, **fields}))


def where(error: BaseException) -> dict[str, Any]:
    """Kind and place of a failure. Its text stays out of the log: it may quote what a patient's file holds."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    place = f"{Path(last[0].filename).name}:{last[0].lineno}" if last else ""
    return {"error": type(error).__name__, "at": place}


def _is_foreign_error(message: Message) -> bool:
    kind = dict(message.get("headers", ())).get(b"content-type", b"")
    return message["status"] >= 400 and not kind.startswith(MEDIA_TYPE.encode())


def _detail(status: int) -> str:
    return DETAILS.get(status, HTTPStatus(status).description or HTTPStatus(status).phrase)


def _allow(message: Message) -> dict[str, str]:
    methods = [value.decode() for name, value in message.get("headers", ()) if name == b"allow"]
    return {"Allow": ", ".join(methods)} if methods else {}


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
