"""`/v1/jobs`: leave a recording, ask how far it is, fetch the answer, or call it off."""

from typing import Annotated, Any

from fastapi import FastAPI, Form, Header, Request, UploadFile
from fastapi.responses import Response

from serving.fields import (
    AGE,
    DURATION,
    FILM_FIELDS,
    JOB_KEY,
    ONSET,
    SECOND_VIEW,
    SHA256,
    age_days_of,
    check_fields,
    check_idempotency_key,
    marked_of,
)
from serving.job_desk import JobDesk
from serving.jobs import ENDED
from serving.naming import DETECTION, FILMED, QUESTIONS
from serving.problems import ProblemError, Problems, exchange
from serving.statements import DONE_EXAMPLE, JOB_EXAMPLE, JobStatement

QUESTION = f"what is asked: {DETECTION}, {', '.join(QUESTIONS)}"
AGAIN_S = 2
"""When it is worth asking again how far a job is."""


def add_jobs(api: FastAPI, desk: JobDesk, key: Any, problems: Problems) -> None:
    """The routes of jobs."""
    missing: Problems = {404: problems[400] | {"description": "this site has no such job"}, **problems}
    accepted = {
        "description": "accepted: it will be answered; or the job that this Idempotency-Key is of, as it stands",
        "content": _json(JOB_EXAMPLE | {"state": "queued"}),
    }
    other: Problems = {409: problems[400] | {"description": "the Idempotency-Key was used for another body"}}

    @api.post(
        "/v1/jobs",
        dependencies=[key],
        response_model=JobStatement,
        status_code=202,
        responses={202: accepted, **other, **problems},
    )
    async def leave(
        request: Request,
        recording: UploadFile,
        question: Annotated[str, Form(description=QUESTION)] = DETECTION,
        second_view: Annotated[UploadFile | None, Form(description=SECOND_VIEW)] = None,
        age: Annotated[str | None, Form(description=AGE)] = None,
        sha256: Annotated[str | None, Form(description=SHA256)] = None,
        onset_s: Annotated[float | None, Form(description=ONSET, ge=0)] = None,
        duration_s: Annotated[float | None, Form(description=DURATION, gt=0)] = None,
        idempotency_key: Annotated[str | None, Header(description=JOB_KEY)] = None,
    ) -> Response:
        """One recording (EDF, EDF+, BDF, pose track, or film), kept on disk until it is answered, whatever happens here."""
        await check_fields(request, {*FILM_FIELDS, "question"})
        marked = marked_of(onset_s, duration_s)
        _check(question, second_view is not None, bool(marked), idempotency_key)
        views = [recording.file, *([second_view.file] if second_view else [])]
        this = exchange(request.scope)
        said = await desk.take_in(
            question, views, sha256, age_days_of(age), marked, this.site, this.key_id, idempotency_key
        )
        return _answer(said, 202)

    @api.get(
        "/v1/jobs/{id}",
        dependencies=[key],
        response_model=JobStatement,
        responses={200: {"content": _json(DONE_EXAMPLE)}, **missing},
    )
    async def ask(request: Request, id: str) -> Response:
        """How far a job is; `result` has the answer when it is done."""
        return _answer(await desk.state(id, exchange(request.scope).site), 200)

    @api.delete(
        "/v1/jobs/{id}",
        dependencies=[key],
        response_model=JobStatement,
        responses={
            200: {"content": _json(JOB_EXAMPLE | {"state": "cancelled", "stage": "cancelled"})},
            202: {"description": "it runs, and ends after the present step"},
            409: problems[400] | {"description": "it has ended"},
            **missing,
        },
    )
    async def call_off(request: Request, id: str) -> Response:
        """Cancel a job: at once while it waits, after the present step while it runs."""
        said = await desk.call_off(id, exchange(request.scope).site)
        return _answer(said, 202 if said.cancelling else 200)


def _answer(said: JobStatement, status: int) -> Response:
    headers = {} if said.state in ENDED else {"Retry-After": str(AGAIN_S)}
    headers |= {"Location": f"/v1/jobs/{said.job_id}"} if status == 202 else {}
    return Response(said.model_dump_json(), status, headers, "application/json")


def _check(question: str, has_second_view: bool, is_marked: bool, idempotency_key: str | None) -> None:
    if question not in (DETECTION, *QUESTIONS):
        raise ProblemError(400, QUESTION)
    if question == DETECTION and (has_second_view or is_marked):
        raise ProblemError(400, "detection looks at one whole recording: leave out second_view, onset_s and duration_s")
    if has_second_view and question not in FILMED:
        raise ProblemError(
            400, f"{question} looks at one file: leave out second_view, which {' and '.join(FILMED)} take"
        )
    check_idempotency_key(idempotency_key)


def _json(example: Any) -> dict[str, Any]:
    return {"application/json": {"example": example}}
