"""Sites that get no answers for now: the ledger is asked every second, so that a stop needs no restart."""

import threading
import time
from collections.abc import Awaitable, Callable, Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from lineage.ledger import Ledger
from lineage.stops import stopped
from serving.problems import ProblemError, exchange, write_line

POLL_S = 1.0
AGAIN_S = 60
"""When it is worth asking again whether a site goes on."""
ASKED_AGAIN = "/v1/predictions/"
"""What was answered before is read, and judged, also by a site that is stopped."""


class Stops:
    """Which sites are stopped, and why. May be used from several threads; a ledger that cannot be read stops nobody and
    answers nobody, since no answer could be written down."""

    def __init__(self, ledger: Ledger, clock: Callable[[], float] = time.monotonic):
        self._ledger, self._clock, self._lock = ledger, clock, threading.Lock()
        self._found: Mapping[str, str] = {}
        self._looked_s = float("-inf")

    def now(self) -> Mapping[str, str]:
        """Stopped sites with their reasons, at most `POLL_S` old."""
        with self._lock:
            if self._clock() - self._looked_s >= POLL_S:
                found = stopped(self._ledger)
                for site in found.keys() ^ self._found.keys():
                    write_line("site", site=site, stopped=site in found)
                self._found, self._looked_s = found, self._clock()
            return self._found

    def check(self, site: str) -> None:
        """Return only where the site is served; ProblemError 503 says why not."""
        reason = self.now().get(site)
        if reason is not None:
            raise ProblemError(503, f"{in_words(reason)}; jobs that were accepted wait", {"Retry-After": str(AGAIN_S)})


class InService:
    """Turns away, before its body is read, whatever would be answered to a site that is stopped."""

    def __init__(self, app: ASGIApp, check: Callable[[str], Awaitable[None]]):
        self.app, self.check = app, check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and exchange(scope).site and _wants_an_answer(scope):
            await self.check(exchange(scope).site)
        await self.app(scope, receive, send)


def in_words(reason: str) -> str:
    """Why a site is not served, as it reads it."""
    return f"this site was stopped by whoever runs the service: {reason}"


def _wants_an_answer(scope: Scope) -> bool:
    return scope["type"] == "websocket" or (
        scope["method"] not in ("GET", "HEAD", "DELETE") and not scope["path"].startswith(ASKED_AGAIN)
    )
