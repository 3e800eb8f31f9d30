"""What stands between a browser and the pages: who may ask, what a form must bring, what the browser may do with it.

The console has no log-in, so the door keeps other web pages out: it answers to names of this machine only (no DNS
rebinding) and takes forms from its own pages only (no cross-site request).
"""

import hashlib
import hmac
import secrets
import sys
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.problems import where

NAMES = {"127.0.0.1", "localhost", "[::1]"}
COOKIE = "ictal_console"
FIELD = "token"
FORM_BYTES = 64 * 1024
FORM_TYPE = "application/x-www-form-urlencoded"

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""No script at all, nothing from elsewhere."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with `no-referrer` browsers send `Origin: null` with our own forms
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


class Door:
    """ASGI wrapper: refuses what was not asked of this machine by name, and puts `HEADERS` on every answer."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if _host(scope) not in NAMES:
            refused = PlainTextResponse("this console answers as 127.0.0.1 or localhost only\n", 421)
            await refused(scope, receive, send_with_headers)
            return
        try:
            await self.app(scope, receive, send_with_headers)
        except Exception as error:  # the page that says so is out already; what the error says may quote a form
            print(f"ictal console: a page failed: {where(error)}", file=sys.stderr, flush=True)


class Tokens:
    """Proof that a form came with one of our pages: a keyed hash of a random cookie that only this console sets."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def visitor(self, request: Request) -> str:
        """The visitor's cookie, or a new one."""
        return request.cookies.get(COOKIE) or secrets.token_urlsafe(24)

    def token(self, visitor: str) -> str:
        """What a form has to bring in `FIELD` if it is this visitor's: 64 hex digits, worthless after a restart."""
        return hmac.new(self._key, visitor.encode(), hashlib.sha256).hexdigest()

    def give(self, response: Response, visitor: str) -> None:
        """Set the visitor's cookie: not to be read by scripts, and not sent with what pages of other sites ask."""
        response.set_cookie(COOKIE, visitor, httponly=True, samesite="strict", path="/")

    def refuse_foreign(self, request: Request, form: Mapping[str, str]) -> None:
        """Raise HTTPException 403 unless the form came from a page of this console, opened in this browser."""
        origin = request.headers.get("origin")
        foreign = origin is not None and urlsplit(origin).netloc != request.headers["host"]
        expected = self.token(request.cookies.get(COOKIE, ""))
        given = form.get(FIELD, "").encode()
        if foreign or COOKIE not in request.cookies or not hmac.compare_digest(given, expected.encode()):
            raise HTTPException(403, "This form did not come from a page of this console, or the page is too old.")


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a posted form, the last of those that were sent more than once.

    Refuses (HTTPException) other content (415), more than 64 KiB (413), and what is not UTF-8 or has over 200 fields
    (400).
    """
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != FORM_TYPE:
        raise HTTPException(415, "Only the forms of these pages are read here.")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES:
            raise HTTPException(413, f"A form may have {FORM_BYTES // 1024} KiB, and this one has more.")
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=200)
    except ValueError as error:
        raise HTTPException(400, "The form could not be read.") from error
    return dict(pairs)


def _host(scope: Scope) -> str:
    host = Headers(scope=scope).get("host", "")
    return host if host.endswith("]") else host.rsplit(":", 1)[0]
