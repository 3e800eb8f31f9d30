"""The first page: what this workspace is, what is in force, what happened last, and whether the ledger still holds."""

import time
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from console.door import read_form
from console.drift import last_report
from console.pages import page, room_of, tokens_of
from console.spelling import PREDICTIONS
from lineage.browsing import Wanted
from lineage.browsing import page as page_of_lines
from lineage.deployments import deployments

LAST = 8
"""Lines and predictions that the first page shows."""


@dataclass(frozen=True)
class Verified:
    """What hashing the whole ledger again came to, when, and how long it took."""

    found: dict[str, Any]
    at: datetime
    seconds: float


class Verifier:
    """Verifies one at a time, and remembers the last outcome for as long as this console runs."""

    def __init__(self) -> None:
        self.last: Verified | None = None
        self._busy = Lock()

    def run(self, verify: Any, now: datetime) -> Verified:
        """Call `verify` and remember what it found, how long it took, and `now` as its time. May be called from several
        threads: HTTPException 409 while another runs. What `verify` raises goes on, and the last outcome stays."""
        if not self._busy.acquire(blocking=False):
            raise HTTPException(409, "The ledger is being verified already; wait until that is done.")
        try:
            started = time.perf_counter()
            self.last = Verified(verify(), now, time.perf_counter() - started)
            return self.last
        finally:
            self._busy.release()


def show_overview(request: Request) -> Response:
    """The first page: what is in force or waits for signatures, what was put aside, stopped or in alarm, and the
    ledger's last lines and last verification."""
    room = room_of(request)
    candidates = room.acts.candidates(room.clock())
    drifted = last_report(room)
    in_force = [s for s in candidates if s.in_force]
    return page(
        request,
        "overview",
        title="What this workspace did, and on whose word",
        put_aside=room.acts.put_aside(),
        alarmed=drifted["alarmed"] if drifted else None,
        stopped=sorted(deployments(room.ledger).stopped),
        made=room.made,
        in_force=in_force,
        despite=[s for s in in_force if s.open_gates],
        despite_said=[f"{s.name}: {s.despite}, signed as deviations by two people" for s in in_force if s.open_gates],
        pointed_at=[s for s in candidates if s.pointed_at and not s.in_force],
        by_gates=[s for s in candidates if s.stopped],
        waiting=[s for s in candidates if s.waits],
        head=room.ledger.head(),
        lines=page_of_lines(room.ledger, Wanted(), size=LAST).entries,
        predictions=page_of_lines(room.ledger, Wanted(PREDICTIONS), size=LAST).entries,
        verified=request.app.state.verifier.last,
    )


async def verify(request: Request) -> Response:
    """The button: hash everything again and show what was found. HTTPException 409 while it is being done already, 403,
    413 or 415 for a form that is not one of these pages'."""
    tokens_of(request).refuse_foreign(request, await read_form(request))
    room = room_of(request)
    verified = await run_in_threadpool(request.app.state.verifier.run, room.acts.verify, room.clock())
    title = "The ledger is as it was written" if verified.found["ok"] else "The ledger was changed"
    return page(request, "verified", title=title, verified=verified)
