"""What a person's data went into, should they withdraw consent. Looking changes nothing; withdrawing is a command."""

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from console.door import read_form
from console.pages import page, room_of, tokens_of
from lineage.refused import Refused

TITLE = "If somebody withdraws consent"


def ask_impact(request: Request) -> Response:
    """The form that asks for a patient's pseudonym; nothing is looked up before it is sent."""
    return page(request, "impact", title=TITLE, patient="", found=None, fault="")


async def show_impact(request: Request) -> Response:
    """What a patient's data went into. The pseudonym comes in the form's body, so that it stands in no address and no
    log.

    400 without one, 404 where it is refused; HTTPException 403, 413 or 415 for a form that is not one of these pages'.
    """
    form = await read_form(request)
    tokens_of(request).refuse_foreign(request, form)
    patient = form.get("patient", "").strip()
    found: dict[str, Any] | None = None
    fault = "" if patient else "Give the pseudonym of a patient, as in sub-004."
    if patient:
        try:
            found = await run_in_threadpool(room_of(request).acts.impact, patient)
        except Refused as refused:
            fault = str(refused)
    status = 400 if not patient else 404 if fault else 200
    return page(request, "impact", title=TITLE, status=status, patient=patient, found=found, fault=fault)
