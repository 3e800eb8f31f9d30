"""A site that was stopped is turned away at the door, with the reason, before it has sent its recording."""

from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from serving.orders import Orders
from serving.problems import ProblemError, exchange

AGAIN_S = 60
"""When it is worth asking again whether a site goes on."""
ANSWERED_BEFORE = "/v1/predictions/"
"""What was answered before is read, and judged, also by a site that is stopped."""


class InService:
    """Lets through what is not to be answered anew, and the sites for which `check` returns; what it raises turns the
    request away."""

    def __init__(self, app: ASGIApp, check: Callable[[str], Awaitable[None]]):
        self.app, self.check = app, check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and exchange(scope).site and _wants_an_answer(scope):
            await self.check(exchange(scope).site)
        await self.app(scope, receive, send)


def check_in_service(orders: Orders, site: str) -> None:
    """Return only where the site is served; ProblemError 503 says why not."""
    reason = orders.why_stopped(site)
    if reason is not None:
        raise ProblemError(503, f"{reason}; jobs that were accepted wait", {"Retry-After": str(AGAIN_S)})


def _wants_an_answer(scope: Scope) -> bool:
    return scope["type"] == "websocket" or (
        scope["method"] not in ("GET", "HEAD", "DELETE") and not scope["path"].startswith(ANSWERED_BEFORE)
    )
