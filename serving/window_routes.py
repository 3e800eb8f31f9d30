"""The route for software that cuts windows itself. Its headers are read by our own hand: that is most of its time."""

from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.fields import AGE, age_days_of
from serving.limits import READS, WINDOWS
from serving.problems import ProblemError, Problems, exchange
from serving.schema import WindowsAnswer
from serving.windows import WINDOWS_EXAMPLE, Asked, read_samples

if TYPE_CHECKING:
    from serving.desk import Desk

HEADERS = [
    {"name": name, "in": "header", "required": required, "description": what, "schema": {"type": kind}}
    for name, required, kind, what in (
        ("X-Channels", True, "string", "names of the channels, with commas between them"),
        ("X-Rate-Hz", True, "number", "samples per second"),
        ("X-Sample-Format", False, "string", "float32 (µV, the default) or int16, little-endian"),
        ("X-Scale-uV", False, "number", "microvolts of one step of an int16"),
        ("X-Age", False, "string", AGE),
    )
]
NAMES = frozenset(str(header["name"]).lower().encode() for header in HEADERS)
BINARY = {"schema": {"type": "string", "format": "binary"}}


class Beside:
    """Passes windows by BentoML and FastAPI: what they do around a request takes as long as the answer to a window."""

    def __init__(self, app: ASGIApp, api: ASGIApp, desk: "Desk"):
        self.app, self.api, self.desk = app, api, desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != WINDOWS:
            await self.app(scope, receive, send)
        elif scope["method"] != "POST":
            await self.api(scope, receive, send)
        else:
            response = await _answered(Request(scope, receive), self.desk)
            await response(scope, receive, send)


async def _answered(request: Request, desk: "Desk") -> Response:
    body, headers, this = await request.body(), request.headers, exchange(request.scope)
    given = [name for name, _ in request.scope["headers"] if name in NAMES]
    if len(given) > len(set(given)):
        raise ProblemError(400, "a header that says what was sent is given once: nobody can tell which of two counts")
    sent = read_samples(body, headers, age_days_of(headers.get("x-age")))
    said, text = await desk.windows(Asked(body, sent, this.site, this.key_id))
    this.outcome, this.code = said.outcome, said.code or ""
    return Response(text, media_type="application/json")


def add_windows(api: FastAPI, desk: "Desk", key: Any, problems: Problems) -> None:
    """The route as the document has it; requests go by it (`Beside`)."""
    schema = {"parameters": HEADERS, "requestBody": {"required": True, "content": {READS[WINDOWS]: BINARY}}}
    example: Problems = {200: {"content": {"application/json": {"example": WINDOWS_EXAMPLE}}}}

    @api.post(
        WINDOWS,
        dependencies=[key],
        response_model=WindowsAnswer,
        responses={**example, **problems},
        openapi_extra=schema,
    )
    async def windows(request: Request) -> Response:
        """A gapless stretch of at most a minute, channel after channel, for software that has windows of its own.

        Answered is the probability of each whole window, of that window alone: no recording, no event, no finding.
        """
        return await _answered(request, desk)
