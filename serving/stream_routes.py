"""`GET /v1/stream`: a WebSocket over which a recording is answered while it is made. The messages: docs/streaming.md."""

import asyncio
import json
from typing import Annotated, Any

from fastapi import FastAPI, WebSocket
from pydantic import Field, TypeAdapter, ValidationError
from sqlalchemy.exc import OperationalError
from starlette.responses import Response
from starlette.websockets import WebSocketDisconnect, WebSocketState

from lineage.store import has_no_room
from serving.auth import Unauthorised
from serving.limits import Authenticate
from serving.problems import AWAY as STORE_AWAY
from serving.problems import ProblemError, Problems, exchange, problem_for, problem_of, where, write_line
from serving.schema import BANNER
from serving.stream import End, Gap, Hello, Resume
from serving.stream_desk import Held, StreamDesk

DONE, AWAY, REFUSED, TOO_LARGE, TAKEN_OVER = 1000, 1001, 1008, 1009, 4409
"""Codes with which a connection is closed (RFC 6455, 7.4)."""
CHECK_S = 2.0
"""So often it is asked whether the key is still in force; the model: `stream_desk.CHECK_S`."""
QUIET_S = 1.0
"""While nothing comes it is asked so often whether the stream may go on."""
TEXT_BYTES = 16_384

_BY_TYPE = Field(discriminator="type")
_FIRST: TypeAdapter[Hello | Resume] = TypeAdapter(Annotated[Hello | Resume, _BY_TYPE])
_LATER: TypeAdapter[Gap | End] = TypeAdapter(Annotated[Gap | End, _BY_TYPE])


def add_stream(api: FastAPI, desk: StreamDesk, authenticate: Authenticate, key: Any, problems: Problems) -> None:
    """The route of streams, and its place in the interface's description. A plain GET is refused (ProblemError 426)."""

    @api.websocket("/v1/stream")
    async def stream(socket: WebSocket) -> None:
        await socket.accept()
        await _Connection(socket, desk, authenticate).serve()

    @api.get("/v1/stream", dependencies=[key], responses={101: {"description": _DESCRIPTION}, **problems})
    async def upgrade() -> Response:
        """A recording while it is being made, over a WebSocket: chunks in, seconds and events out as they are final."""
        raise ProblemError(426, "this is a WebSocket: see docs/streaming.md", {"Upgrade": "websocket"})


_DESCRIPTION = (
    "A WebSocket. First `{type: hello, channels, rate_hz, unit, age}` or `{type: resume, token, have_s, have_events}`; the "
    "service answers `welcome` with token and next_seq. Then binary chunks (8 bytes of number, lowest first, and 32-bit "
    "floats, sample by sample), `{type: gap, seq, seconds}` and at last `{type: end, seq}`. The service says `ack`, `heard` "
    "and at last `answer`, which is that of /v1/detect for the same samples; `problem` before it closes for another reason."
)
_FIELDS = {name for kind in (Hello, Resume, Gap, End) for name in kind.model_fields} - {"type"}


class _Connection:
    """One connection; the stream may outlive it."""

    def __init__(self, socket: WebSocket, desk: StreamDesk, authenticate: Authenticate):
        self.socket, self.desk, self.authenticate = socket, desk, authenticate
        self.this = exchange(socket.scope)
        self._checked_s = self._now_s()
        self._held: Held | None = None
        """The stream that is on this connection, from the moment it is."""

    async def serve(self) -> None:
        try:
            await self._go_on(await self._begin())
        except ProblemError as problem:
            await self._refuse(problem)
        except WebSocketDisconnect:
            pass
        except (OperationalError, OSError) as error:  # the stream is kept: it goes on, or is answered, later
            write_line("stream failure", **where(error))
            await self._refuse(problem_for(error) if has_no_room(error) else ProblemError(503, STORE_AWAY))
        finally:
            if self._held is not None:
                self.desk.detach(self._held, self)

    async def _begin(self) -> Held:
        first = _read(_FIRST, await self._received())
        if isinstance(first, Hello):
            held = await self.desk.begin(first, self.this.site, self.this.key_id)
            self._attach(held)
            await self._welcome(held)
        else:
            held = await self.desk.find(first, self.this.site)
            self._attach(held)
            so_far = await self.desk.so_far(held, first.have_s, first.have_events)
            await self._welcome(held)
            await self._say(so_far)
        return held

    def _attach(self, held: Held) -> None:
        loop = asyncio.get_running_loop()
        self.desk.attach(held, self, lambda: loop.create_task(self._close(TAKEN_OVER)))
        self._held = held

    async def _welcome(self, held: Held) -> None:
        stream, limits = held.stream, self.desk.limits
        bounds = {"chunk_bytes": limits.chunk_bytes, "ahead": limits.ahead, "ahead_bytes": limits.ahead_bytes}
        bounds["kept_bytes"] = limits.kept_bytes
        times = {"idle_s": limits.idle_s, "resume_s": limits.resume_s, "hours": limits.hours}
        model = stream.model.model_dump(mode="json") if stream.model else None
        said = {"token": held.token, "next_seq": stream.next_seq, "prediction_id": stream.prediction_id, "model": model}
        words = {"banner": BANNER, "notice": stream.notice}
        await self._say({"type": "welcome", **said, **words, "limits": bounds | times})

    async def _go_on(self, held: Held) -> None:
        while not await self._answered(held):
            message = await self._next(held)
            if held.connection is not self:
                return
            if message is None:
                continue
            await self._check_key()
            if isinstance(message, bytes):
                seq, part = held.stream.samples(message)
                said = await self.desk.take(held, seq, part)
            else:
                event = _read(_LATER, message)
                said = await self.desk.take(held, event.seq, event)
            await self._say({"type": "ack", "next_seq": held.stream.next_seq})
            for one in said:
                await self._say(one)

    async def _answered(self, held: Held) -> bool:
        answer = await self.desk.settle(held)
        if answer is None:
            return False
        await self._say({"type": "answer", "answer": answer.model_dump(mode="json")})
        await self._close(DONE)
        return True

    async def _next(self, held: Held) -> bytes | str | None:
        """The next message; None where the stream was ended while nobody said anything: whose model, key or site may no longer
        be answered is told at once, and not when it speaks again."""
        receiving = asyncio.ensure_future(self._received())
        try:
            while not (await asyncio.wait({receiving}, timeout=QUIET_S))[0]:
                if await self.desk.settle(held) is not None:
                    return None
                await self._check_key()
            return receiving.result()
        finally:
            receiving.cancel()

    async def _received(self) -> bytes | str:
        try:
            message = await asyncio.wait_for(self.socket.receive(), self.desk.limits.idle_s)
        except TimeoutError:
            idle = self.desk.limits.idle_s
            raise ProblemError(408, f"nothing came for {idle:g} s: go on with the token, or begin again") from None
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", AWAY))
        content: bytes | str = message["bytes"] if message.get("bytes") is not None else message["text"]
        if len(content) > (TEXT_BYTES if isinstance(content, str) else self.desk.limits.chunk_bytes):
            raise ProblemError(413, "this message is too large: a chunk may have as many bytes as `limits` says")
        return content

    async def _check_key(self) -> None:
        """A key that was revoked meanwhile ends the connection."""
        if self._now_s() - self._checked_s < CHECK_S:
            return
        self._checked_s = self._now_s()
        _, _, key = self.socket.headers.get("authorization", "").partition(" ")
        try:
            await self.authenticate(key)
        except Unauthorised as error:
            raise ProblemError(401, str(error)) from None

    async def _refuse(self, problem: ProblemError) -> None:
        body = problem_of(problem, self.this.request_id)
        await self._say({"type": "problem", "problem": body.model_dump()})
        await self._close(TOO_LARGE if problem.status == 413 else AWAY if problem.status == 408 else REFUSED)

    async def _say(self, message: dict[str, Any]) -> None:
        if self.socket.application_state is WebSocketState.CONNECTED:
            try:
                await self.socket.send_text(json.dumps(message, allow_nan=False))
            except RuntimeError as error:  # it was closed from the other side meanwhile
                raise WebSocketDisconnect(AWAY) from error

    async def _close(self, code: int) -> None:
        if self.socket.application_state is WebSocketState.CONNECTED:
            try:
                await self.socket.close(code)
            except RuntimeError:
                return

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()


def _read(kinds: TypeAdapter[Any], message: bytes | str) -> Any:
    if isinstance(message, bytes):
        raise ProblemError(400, "a connection begins with a text: hello or resume")
    try:
        return kinds.validate_json(message)
    except ValidationError as error:
        faults = {str(part) for fault in error.errors() for part in fault["loc"]}
        fields = ", ".join(sorted(faults & _FIELDS)) or "it"
        raise ProblemError(
            400, f"this message cannot be read, {fields} has the wrong form: see docs/streaming.md"
        ) from None
