"""The prediction API of a hospital site: a recording in, one answer out, at once.

Run it with `python -m uvicorn --factory serving.service:app_from_environment --http serving.connections:Connection --host
127.0.0.1`.
"""

import asyncio
import logging
import os
import resource
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, BinaryIO

from fastapi import Depends, FastAPI, Form, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.security import HTTPBearer
from sqlalchemy.exc import OperationalError
from starlette.routing import Match
from starlette.types import ASGIApp

from lineage.entries import Software
from serving.desk import Desk
from serving.fields import (
    AGE,
    DURATION,
    FIELDS,
    FILM_FIELDS,
    ONSET,
    SECOND_VIEW,
    SHA256,
    STRETCH_FIELDS,
    BoundedForm,
    age_days_of,
    check_fields,
    marked_of,
    shown,
)
from serving.job_routes import add_jobs
from serving.limits import Admission, Bounds, Limits, RequestLine
from serving.naming import FILMED, QUESTIONS
from serving.past_routes import add_past
from serving.problems import (
    DETAILS,
    MEDIA_TYPE,
    OneErrorShape,
    ProblemError,
    Problems,
    exchange,
    problem_for,
    problem_response,
    where,
    write_line,
)
from serving.schema import BANNER, EXAMPLE, Answer, Answered, Models, NamedAnswer, Problem
from serving.statements import MODELS_EXAMPLE, NAMED_EXAMPLE
from serving.stops import InService
from serving.store import quiet_bentoml
from serving.stream_routes import add_stream
from serving.window_routes import Beside, add_windows

TITLE = "Ictal prediction API"
MOST_FILES = 65_536
Age = Annotated[str | None, Form(description=AGE)]
Sha256 = Annotated[str | None, Form(description=SHA256)]
Onset = Annotated[float | None, Form(description=ONSET, ge=0)]
Duration = Annotated[float | None, Form(description=DURATION, gt=0)]
PROBLEMS: Problems = {
    status: {"description": what, "content": {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}}
    for status, what in {
        400: "the request cannot be read",
        401: "no key that is in force",
        403: "the key lacks the scope",
        408: "nothing arrived for too long",
        413: "the upload is too large",
        415: "another content type",
        429: "too many requests, bytes or wrong keys: `Retry-After` says when",
        500: "the service failed",
        503: "not now (the disk or the queue is full, the store is away, the site was stopped): `Retry-After` says when",
        504: "not done in time",
    }.items()
}
# Without a default FastAPI announces a 422, which is never sent.
PROBLEMS["default"] = PROBLEMS[500] | {"description": "any other problem, in the same form"}


def create_app(
    home: Path,
    allow_demo: bool = False,
    *,
    limits: Limits | None = None,
    software: Software | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> ASGIApp:
    """The service of a workspace: BentoML's application inside our own door.

    The door stands outside, so that BentoML's own errors pass through it too. FileNotFoundError where the workspace has
    no platform key.
    """
    limits = limits or Limits()
    desk = Desk(home, allow_demo, limits, software, clock)
    with quiet_bentoml():
        api = _api(desk)
        inner = Beside(_bento(desk, api), api, desk)
    bounded = Bounds(inner, limits)
    admitted = Admission(InService(bounded, desk.check_in_service), desk.authenticate, limits.quotas)
    return RequestLine(OneErrorShape(admitted), desk.metrics.observe)


def app_from_environment() -> ASGIApp:
    """The service of the workspace ICTAL_HOME; ICTAL_ALLOW_DEMO=1 accepts demo signers, in a demo workspace.

    ICTAL_COMMIT and ICTAL_LOCK name the code that runs, for the ledger, which takes it for changed unless
    ICTAL_DIRTY=0. KeyError without ICTAL_HOME.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # two analyses side by side, one core each
    _log_to_stdout()
    _open_many_files()
    names = os.environ.get("ICTAL_COMMIT", "unknown"), os.environ.get("ICTAL_LOCK", "unknown")
    software = Software(*names, dirty=os.environ.get("ICTAL_DIRTY", "1") != "0")
    return create_app(Path(os.environ["ICTAL_HOME"]), os.environ.get("ICTAL_ALLOW_DEMO", "0") == "1", software=software)


def document() -> dict[str, Any]:
    """The OpenAPI document that every service gives under /openapi.json, without a workspace: no route is asked."""
    nobody: Any = SimpleNamespace(jobs=None, past=None, streams=None, authenticate=None)
    return _api(nobody).openapi()


def _api(desk: Desk) -> FastAPI:
    """The routes of ours. The interactive pages are off: they would load scripts from elsewhere."""
    api = FastAPI(title=TITLE, version="1", description=BANNER, docs_url=None, redoc_url=None)
    api.router.route_class = BoundedForm
    api.add_exception_handler(ProblemError, _say)
    api.add_exception_handler(OperationalError, _say_failure)
    api.add_exception_handler(OSError, _say_failure)
    api.add_exception_handler(RequestValidationError, _say_what_is_missing)
    api.add_exception_handler(405, partial(_say_which_methods, api))
    key = Depends(HTTPBearer(auto_error=False, description="a site's key: ictal_…"))

    @api.post(
        "/v1/detect",
        dependencies=[key],
        response_model=Answer,
        responses={200: {"content": {"application/json": {"example": EXAMPLE}}}, **PROBLEMS},
    )
    async def detect(
        request: Request,
        recording: UploadFile,
        age: Age = None,
        sha256: Sha256 = None,
    ) -> Response:
        """One EDF, EDF+, BDF or BDF+ recording, answered at once. Also what cannot be evaluated is an answer (200)."""
        await check_fields(request, FIELDS)
        this = exchange(request.scope)
        asked = desk.detect(recording.file, sha256, age_days_of(age), this.site, this.key_id)
        return await _given(asked, request, desk)

    add_windows(api, desk, key, PROBLEMS)
    for question in QUESTIONS:
        _add_question(api, desk, key, question)
    add_jobs(api, desk.jobs, key, PROBLEMS)
    add_past(api, desk.past, key, PROBLEMS)
    add_stream(api, desk.streams, desk.authenticate, key, PROBLEMS)

    @api.get(
        "/v1/models",
        dependencies=[key],
        responses={200: {"content": {"application/json": {"example": MODELS_EXAMPLE}}}, **PROBLEMS},
    )
    async def models(request: Request) -> Models:
        """The model in force for the asking site, with its intended use and its card."""
        return await desk.models(exchange(request.scope).site)

    @api.get("/metrics", include_in_schema=False)
    def metrics() -> Response:
        return Response(desk.metrics_text(), media_type=desk.metrics.content_type)

    @api.get("/", include_in_schema=False)
    def landing() -> JSONResponse:
        return JSONResponse({"service": TITLE, "openapi": "/openapi.json", "banner": BANNER})

    return api


def _add_question(api: FastAPI, desk: Desk, key: Any, question: str) -> None:
    """The route of one question about stretches of a recording."""

    async def answer(
        request: Request,
        views: list[BinaryIO],
        age: str | None,
        sha256: str | None,
        onset_s: float | None,
        duration_s: float | None,
    ) -> Response:
        marked, this = marked_of(onset_s, duration_s), exchange(request.scope)
        asked = desk.name(question, views, sha256, age_days_of(age), marked, this.site, this.key_id)
        return await _given(asked, request, desk)

    async def name(
        request: Request,
        recording: UploadFile,
        age: Age = None,
        sha256: Sha256 = None,
        onset_s: Onset = None,
        duration_s: Duration = None,
    ) -> Response:
        """One recording (EDF or pose track, or film of which poses are estimated), answered at once."""
        await check_fields(request, STRETCH_FIELDS)
        return await answer(request, [recording.file], age, sha256, onset_s, duration_s)

    async def name_film(
        request: Request,
        recording: UploadFile,
        second_view: Annotated[UploadFile | None, Form(description=SECOND_VIEW)] = None,
        age: Age = None,
        sha256: Sha256 = None,
        onset_s: Onset = None,
        duration_s: Duration = None,
    ) -> Response:
        """One film with up to two views, answered at once."""
        await check_fields(request, FILM_FIELDS)
        views = [recording.file, *([second_view.file] if second_view else [])]
        return await answer(request, views, age, sha256, onset_s, duration_s)

    route = api.post(
        f"/v1/{question}",
        dependencies=[key],
        response_model=NamedAnswer,
        responses={200: {"content": {"application/json": {"example": NAMED_EXAMPLE}}}, **PROBLEMS},
        name=question,
    )
    route(name_film if question in FILMED else name)


async def _given(asked: Awaitable[Answered], request: Request, desk: Desk) -> Response:
    """The answer as it is sent; where the other end hangs up before there is one, it is owed."""
    this = exchange(request.scope)
    gone = asyncio.ensure_future(request.receive())  # all of the body is there: nothing else can come
    try:
        said = await asked
        if gone.done():
            desk.not_given(said)
    finally:
        gone.cancel()
    this.outcome, this.code = said.outcome, said.code or ""
    return Response(said.model_dump_json(), media_type="application/json")


def _bento(desk: Desk, api: FastAPI) -> ASGIApp:
    """BentoML's application around the routes: life cycle, liveness and readiness are its own."""
    import bentoml
    from bentoml._internal.server.http.traffic import TimeoutMiddleware

    class Ictal:
        def __init__(self) -> None:
            desk.open()

        async def __is_ready__(self) -> bool:
            why = await desk.why_not()
            if why:
                exchange(bentoml.Context().request.scope).refusal = ProblemError(503, f"no approved model: {why}")
            return why is None

        @bentoml.on_shutdown
        def close(self) -> None:
            desk.close()

    quiet = {"metrics": {"enabled": False}, "logging": {"access": {"enabled": False}}}
    service = bentoml.service(name="ictal", **quiet)(bentoml.asgi_app(api)(Ictal))
    inner = service.to_asgi()
    # Its timer is never cancelled and keeps every request in memory until it fires: `Bounds` has the one that counts.
    inner.user_middleware = [m for m in inner.user_middleware if m.cls is not TimeoutMiddleware]
    return inner


def _say(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return problem_response(error, exchange(request.scope).request_id)


def _say_failure(request: Request, error: Exception) -> Response:
    write_line("failure", request_id=exchange(request.scope).request_id, **where(error))
    return _say(request, problem_for(error))


def _say_which_methods(api: FastAPI, request: Request, error: Exception) -> Response:
    """All methods of an address: the framework names those of one route, and an address has a route for each method."""
    here = [route for route in api.routes if route.matches(request.scope)[0] is not Match.NONE]
    methods = {method for route in here for method in getattr(route, "methods", ())}
    methods |= {"HEAD"} if "GET" in methods else set()
    return _say(request, ProblemError(405, DETAILS[405], {"Allow": ", ".join(sorted(methods))}))


def _say_what_is_missing(request: Request, error: Exception) -> Response:
    """Names fields, never what stood in them."""
    assert isinstance(error, RequestValidationError)
    if any(fault["type"] == "json_invalid" for fault in error.errors()):
        return _say(request, ProblemError(400, "the body is no JSON: see /openapi.json for its form"))
    wrong = {_field(fault["loc"]): _wrong(fault) for fault in error.errors()}
    detail = "; ".join(f"the field {field} {what}" for field, what in sorted(wrong.items())) + ": see /openapi.json"
    if "recording" in wrong:
        detail = "the field `recording` has to be a file with a file name; texts and addresses are not fetched"
    return _say(request, ProblemError(400, detail))


def _wrong(fault: Mapping[str, Any]) -> str:
    """What is wrong with a field, in words of ours; of a choice, the words that there are."""
    if fault["type"] == "missing":
        return "is missing"
    if fault["type"] == "extra_forbidden":
        return "is not one of this body"
    return f"is one of {fault['ctx']['expected']}" if fault["type"] == "literal_error" else "has the wrong form"


def _field(place: Sequence[str | int]) -> str:
    """The last name in a place such as ("body", "events", 0, "channels", 2); the body itself where it has none."""
    return next((shown(part) for part in reversed(place) if isinstance(part, str)), "body")


def _open_many_files() -> None:
    """As many as the system lets this process have, within reason: every connection and every upload takes one."""
    may, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if most == resource.RLIM_INFINITY else min(MOST_FILES, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(may, wanted), most))


def _log_to_stdout() -> None:
    """Our own lines of JSON, and none of uvicorn's access log, which would hold addresses with their queries."""
    log = logging.getLogger("ictal.serving")
    log.setLevel(logging.INFO)
    log.propagate = False
    if not log.handlers:
        log.addHandler(logging.StreamHandler(sys.stdout))
    access = logging.getLogger("uvicorn.access")
    access.handlers, access.propagate = [], False
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # its warnings tell of bytes that were sent
