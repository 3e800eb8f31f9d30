"""The route for software that cuts windows itself. Its headers are read by our own hand: that is most of its time."""

from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.fields import AGE, age_days_of
from serving.limits import READS, WINDOWS
from serving.problems import Problems, exchange
from serving.schema import WindowsAnswer
from serving.windows import WINDOWS_EXAMPLE, read_samples

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
BINARY = {"schema": {"type": "string", "format": "binary"}}


class Beside:
    """Passes windows by BentoML: what it does around a request takes as long as the answer to a window."""

    def __init__(self, app: ASGIApp, api: ASGIApp):
        self.app, self.api = app, api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        direct = scope["type"] == "http" and scope["path"] == WINDOWS
        await (self.api if direct else self.app)(scope, receive, send)


def add_windows(api: FastAPI, desk: "Desk", key: Any, problems: Problems) -> None:
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
        body = await request.body()
        sent = read_samples(body, request.headers, age_days_of(request.headers.get("x-age")))
        this = exchange(request.scope)
        said, text = desk.windows(body, sent, this.site, this.key_id)
        this.outcome, this.code = said.outcome, said.code or ""
        return Response(text, media_type="application/json")
