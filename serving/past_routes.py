"""`/v1/predictions`: what was answered, in the form that is asked for, its receipt, and what readers make of it."""

from typing import Annotated, Any

from fastapi import FastAPI, Header, Query, Request
from fastapi.responses import JSONResponse, Response

from serving.answering import actor_of
from serving.fields import IDEMPOTENCY_KEY, check_idempotency_key
from serving.forms import FORMS, examples, form_of
from serving.past import PastDesk
from serving.problems import Problems, exchange
from serving.schema import Answer, NamedAnswer
from serving.statements import (
    GIVEN_EXAMPLE,
    RECEIPT_EXAMPLE,
    VERDICT_EXAMPLE,
    VERDICTS_EXAMPLE,
    ReceiptStatement,
    VerdictGiven,
    VerdictsStatement,
    VerdictStatement,
)

FORMAT = f"one of {', '.join(FORMS)}; left out, the Accept header decides, and JSON where that names none of them"


def add_past(api: FastAPI, desk: PastDesk, key: Any, problems: Problems) -> None:
    """The routes of what was answered before."""
    missing = {
        404: problems[400] | {"description": "this site has no such prediction"},
        406: problems[400] | {"description": "there is no such form of this prediction"},
        410: problems[400] | {"description": "what it said was erased"},
        **problems,
    }
    other: Problems = {409: problems[400] | {"description": "the Idempotency-Key was used for another verdict"}}

    @api.get(
        "/v1/predictions/{id}",
        dependencies=[key],
        response_model=Answer | NamedAnswer,
        responses={200: {"content": examples()}, **missing},
    )
    async def read(
        request: Request, id: str, format: Annotated[str | None, Query(description=FORMAT)] = None
    ) -> Response:
        """An answer as it was given: as JSON, as FHIR R4B, as SzCORE's table of events, or as annotations in EDF+."""
        form = form_of(format, request.headers.get("accept", ""))
        content = await desk.answer(id, exchange(request.scope).site, form)
        name = {"Content-Disposition": f'attachment; filename="{form.file_name}"'} if form.file_name else {}
        return Response(content, media_type=form.media_type, headers=name)

    @api.get(
        "/v1/predictions/{id}/receipt",
        dependencies=[key],
        response_model=ReceiptStatement,
        responses={200: {"content": {"application/json": {"example": RECEIPT_EXAMPLE}}}, **missing},
    )
    async def receipt(request: Request, id: str) -> Response:
        """Proof that the answer stands in the ledger, under its present head; also after what it said was erased."""
        return JSONResponse(await desk.receipt(id, exchange(request.scope).site))

    @api.get(
        "/v1/predictions/{id}/verdict",
        dependencies=[key],
        response_model=VerdictsStatement,
        responses={200: {"content": {"application/json": {"example": VERDICTS_EXAMPLE}}}, **missing},
    )
    async def verdicts(request: Request, id: str) -> Response:
        """What this site's readers made of an answer, the first verdict first; the answer itself stays as it was given."""
        said = await desk.verdicts(id, exchange(request.scope).site)
        found = VerdictsStatement(prediction_id=id, verdicts=tuple(said))
        return Response(found.model_dump_json(exclude_none=True), media_type="application/json")

    @api.post(
        "/v1/predictions/{id}/verdict",
        dependencies=[key],
        response_model=VerdictStatement,
        status_code=201,
        responses={201: {"content": {"application/json": {"example": GIVEN_EXAMPLE}}}, **other, **missing},
        openapi_extra={"requestBody": {"content": {"application/json": {"example": VERDICT_EXAMPLE}}}},
    )
    async def judge(
        request: Request,
        id: str,
        given: VerdictGiven,
        idempotency_key: Annotated[str | None, Header(description=IDEMPOTENCY_KEY)] = None,
    ) -> Response:
        """What a reader makes of an answer. Several may be given; each stays."""
        check_idempotency_key(idempotency_key)
        this = exchange(request.scope)
        said = await desk.judge(id, given, actor_of(this.site, this.key_id), idempotency_key)
        return Response(said.model_dump_json(exclude_none=True), 201, media_type="application/json")
