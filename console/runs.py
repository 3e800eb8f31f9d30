"""The runs: what ran, when, with which code, what came of it; where a Prefect server keeps them, each leads there."""

from starlette.requests import Request
from starlette.responses import Response

from console.pages import page, room_of

SHOWN = 200


def show_runs(request: Request) -> Response:
    """The newest `SHOWN` runs, all or those in the state that is asked for, and how many runs there are."""
    room = room_of(request)
    runs, asked = room.acts.runs(), request.query_params.get("state", "").strip()
    return page(
        request,
        "runs",
        title="Runs",
        runs=[r for r in runs if asked in ("", r.state)][:SHOWN],
        many=len(runs),
        asked=asked,
        states=sorted({r.state for r in runs}),
        server=room.run_server,
    )
