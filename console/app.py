"""The application: which address shows which room, and one shape for everything that cannot be shown."""

import socket
import threading
from http import HTTPStatus
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from console.acts import Room
from console.deployed import show_deployments
from console.door import Door, Tokens
from console.drift import show_drift
from console.granted import show_approvals
from console.impact import ask_impact, show_impact
from console.lines import show_ledger, show_line
from console.models import show_card, show_model, show_models
from console.opened import Desk
from console.overview import Verifier, show_overview, verify
from console.pages import LONGEST, page, room_of
from console.predictions import show_prediction, show_predictions
from console.recordings import show_recordings
from console.rehearsals import show_rehearsal, show_rehearsals
from console.runs import show_runs
from console.shadows import show_shadow
from console.signing import ask_what, show_record, sign
from console.viewing import send_readings, send_strip, send_traces, send_view, show_recording
from data.outcomes import Refusal
from lineage.ledger import LedgerBroken
from lineage.refused import Refused

HERE = "127.0.0.1"
STATIC = Path(__file__).parent / "static"

REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""Reports of the workspace bring their style inside; scripts are as forbidden there as here."""

DRAWN_POLICY = (
    "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:; "
    "font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Evidently draws its pages by script. They run in a box of their own: no origin, so that they can neither ask this console
for anything nor send a form, and nothing is loaded from anywhere."""

DRAWN_REPORTS = ("drift/*/site-*.html",)

SHOWN_REPORTS = {
    ".html": "text/html",
    ".md": "text/plain",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}


class _Counted(IntegerConvertor):
    """A number in a path; one that is longer than `number_in` reads leads nowhere."""

    regex = f"[0-9]{{1,{LONGEST}}}"


register_url_convertor("counted", _Counted())

ROUTES = (
    Route("/", show_overview),
    Route("/recordings", show_recordings),
    Route("/recordings/{cohort}/{name}", show_recording),
    Route("/recordings/{cohort}/{name}/traces", send_traces),
    Route("/recordings/{cohort}/{name}/readings.json", send_readings),
    Route("/recordings/{cohort}/{name}/view.svg", send_view),
    Route("/recordings/{cohort}/{name}/strip/{kind}", send_strip),
    Route("/runs", show_runs),
    Route("/approvals", show_approvals),
    Route("/deployments", show_deployments),
    Route("/drift", show_drift),
    Route("/rehearsals", show_rehearsals),
    Route("/rehearsals/{digest}", show_rehearsal),
    Route("/models", show_models),
    Route("/models/{digest}", show_model),
    Route("/models/{digest}/card", show_card),
    Route("/models/{digest}/shadow", show_shadow),
    Route("/models/{digest}/sign", ask_what, methods=["GET"]),
    Route("/models/{digest}/sign", sign, methods=["POST"]),
    Route("/models/{digest}/sign/record", show_record, methods=["POST"]),
    Route("/predictions", show_predictions),
    Route("/predictions/{id}", show_prediction),
    Route("/ledger", show_ledger),
    Route("/ledger/verify", verify, methods=["POST"]),
    Route("/ledger/{seq:counted}", show_line),
    Route("/impact", ask_impact, methods=["GET"]),
    Route("/impact", show_impact, methods=["POST"]),
)


def create_app(room: Room) -> ASGIApp:
    """The console of one workspace, as an ASGI application.

    Whatever a page raises ends in one shape: HTTPException with its status, Refused and Refusal as 409, LedgerBroken
    and all else as 500.
    """
    app = Starlette(
        routes=[
            *ROUTES,
            Route("/models/{digest}/evaluation/{name}", show_evaluation),
            Route("/reports/{path:path}", show_report),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        exception_handlers=dict.fromkeys((HTTPException, Refused, Refusal, Exception), _say),
    )
    app.state.room, app.state.tokens, app.state.verifier, app.state.desk = room, Tokens(), Verifier(), Desk()
    return Door(app)


def serve(room: Room, port: int) -> None:
    """Serve on this machine alone until stopped; port 0 takes a free one. Refuses (Refused) a port that is taken.

    No line is written about requests: addresses hold names of recordings.
    """
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HERE, port))
        listening.listen()
    except OSError as error:
        raise Refused(f"port {port} cannot be used here ({error.strerror}); name another with --port") from error
    print(f"the console is at http://{HERE}:{listening.getsockname()[1]} (stop it with Ctrl-C)", flush=True)
    config = uvicorn.Config(create_app(room), log_level="warning", access_log=False, server_header=False)
    threading.Thread(target=warm, daemon=True).start()
    uvicorn.Server(config).run(sockets=[listening])


def warm() -> None:
    """Import what the first recording would wait for: SciPy's filters take a second."""
    import pyarrow.parquet  # noqa: F401
    import scipy.signal  # noqa: F401


def show_evaluation(request: Request) -> Response:
    """The evaluation of a model as its signers were shown it, whatever was evaluated since. Raises HTTPException 404 for
    any other page, Refused for one that was changed."""
    digest, name = request.path_params["digest"], request.path_params["name"]
    content = room_of(request).acts.evaluation(digest, name)
    kind = SHOWN_REPORTS.get(Path(name).suffix)
    if content is None or kind is None:
        raise HTTPException(
            404, "This was not kept with the evaluation of a model; Models leads to the last evaluation."
        )
    return Response(content, media_type=kind, headers={"Content-Security-Policy": REPORT_POLICY})


def show_report(request: Request) -> Response:
    """A page of the workspace's reports, or a file beside one. Raises HTTPException 404 for what lies elsewhere, is of
    another kind (`SHOWN_REPORTS`), or is not there."""
    folder = room_of(request).reports.resolve()
    try:
        path = (folder / request.path_params["path"]).resolve()
        is_there = path.is_relative_to(folder) and path.is_file()
    except (OSError, ValueError) as error:  # a name that no file can have
        raise HTTPException(404) from error
    kind = SHOWN_REPORTS.get(path.suffix)
    if kind is None or not is_there:
        raise HTTPException(404)
    drawn = any(path.relative_to(folder).match(pattern) for pattern in DRAWN_REPORTS)
    policy = DRAWN_POLICY if drawn else REPORT_POLICY
    return FileResponse(path, media_type=kind, headers={"Content-Security-Policy": policy})


def _say(request: Request, error: Exception) -> Response:
    """What cannot be shown, in one shape. What an unforeseen failure says stays out of the page: it may quote secrets."""
    status, title, detail = 500, "This page could not be made", "It failed; the terminal of the console says where."
    if isinstance(error, HTTPException):
        status, title = error.status_code, HTTPStatus(error.status_code).phrase
        detail = "" if error.detail == title else error.detail
        title = "There is nothing here" if status == 404 else title
    elif isinstance(error, LedgerBroken):
        title, detail = "The ledger does not hold what was written", str(error)
    elif isinstance(error, Refused):
        status, title, detail = 409, "This is refused", str(error)
    elif isinstance(error, Refusal):
        status, title, detail = 409, "This cannot be shown", error.reason
    return page(request, "problem", title=title, status=status, detail=detail)
