"""Signing: first what would be signed, exactly and in full; then who, shown anew by passphrase and six-digit code.

The record that is signed has to be the one whose digest was shown. Nothing of the secrets is kept or shown again.
"""

from datetime import datetime
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from console.acts import Candidate, Proof, Room, Wish
from console.door import read_form
from console.pages import page, room_of, tokens_of
from lineage.approvals import AuthenticationFailed, Deviation
from lineage.refused import Refused

DEVIATION = "deviation:"
"""How the field of a gate's justification is called, before the gate's name."""


def ask_what(request: Request) -> Response:
    """First step: the gates that did not pass, each with room for why the model may be used nevertheless.

    HTTPException 404 where there is no such candidate, 409 where no signature of it is waited for; so in every step.
    """
    return _first_step(request, _waiting(request))


async def show_record(request: Request) -> Response:
    """Second step: the record with its digest, and the form that asks who signs; the first again, with 409, where such
    a record is refused."""
    form = await _own_form(request)
    return await run_in_threadpool(_show_record, request, form)


async def sign(request: Request) -> Response:
    """Third step: what came of it, in a sentence. The second again, with 403, where passphrase or code is wrong; the
    first, with 409, where it is refused for another reason. HTTPException 400 for a form that names no record."""
    form = await _own_form(request)
    return await run_in_threadpool(_sign, request, form)


def _show_record(request: Request, form: dict[str, str]) -> Response:
    room, candidate = room_of(request), _waiting(request)
    wish = _wish(candidate, form, room.clock())
    try:
        return _second_step(request, candidate, wish)
    except Refused as refused:
        return _first_step(request, candidate, form, fault=str(refused), status=409)


def _sign(request: Request, form: dict[str, str]) -> Response:
    room, candidate = room_of(request), _waiting(request)
    wish = _wish(candidate, form, _begins(form))
    proof = Proof(form.get("person", "").strip(), form.get("passphrase", ""), form.get("code", "").strip())
    try:
        signed = room.acts.sign(wish, proof, form.get("record", ""))
    except AuthenticationFailed as refused:
        return _second_step(request, candidate, wish, proof.person, fault=str(refused), status=403)
    except Refused as refused:
        return _first_step(request, candidate, form, fault=str(refused), status=409)
    now = room.acts.candidate(candidate.digest, room.clock())
    return page(request, "signed", title="Signed", signed=signed, candidate=now)


def _first_step(
    request: Request, candidate: Candidate, form: dict[str, str] | None = None, fault: str = "", status: int = 200
) -> Response:
    form = form or {}
    return page(
        request,
        "sign",
        title=f"Sign {candidate.name}",
        status=status,
        candidate=candidate,
        meaning=form.get("meaning", candidate.next_meaning),
        written={name.removeprefix(DEVIATION): text for name, text in form.items() if name.startswith(DEVIATION)},
        fault=fault,
    )


def _second_step(
    request: Request, candidate: Candidate, wish: Wish, person: str = "", fault: str = "", status: int = 200
) -> Response:
    record = room_of(request).acts.record(wish)
    return page(
        request,
        "record",
        title=f"Sign {candidate.name}",
        status=status,
        candidate=candidate,
        wish=wish,
        record=record,
        why={deviation.gate: deviation.justification for deviation in record.deviations},
        person=person,
        fault=fault,
    )


def _waiting(request: Request) -> Candidate:
    """The candidate asked for; 404 where there is none, 409 where no signature is waited for."""
    room: Room = room_of(request)
    candidate = room.acts.candidate(request.path_params["digest"], room.clock())
    if candidate is None:
        raise HTTPException(404, "There is no candidate with this digest.")
    if candidate.next_meaning is None:
        raise HTTPException(409, f"{candidate.name} is {candidate.state}: no signature is waited for.")
    return candidate


async def _own_form(request: Request) -> dict[str, str]:
    form = await read_form(request)
    tokens_of(request).refuse_foreign(request, form)
    return form


def _wish(candidate: Candidate, form: dict[str, str], begins: datetime) -> Wish:
    """Justifications are taken for the gates that did not pass; what was signed already stays as it is."""
    written = {name.removeprefix(DEVIATION): text.strip() for name, text in form.items() if name.startswith(DEVIATION)}
    named = [Deviation(g["name"], written[g["name"]]) for g in candidate.open_gates if written.get(g["name"])]
    return Wish(candidate.digest, form.get("meaning", ""), begins, tuple(named) if candidate.approval is None else ())


def _begins(form: dict[str, Any]) -> datetime:
    try:
        begins = datetime.fromisoformat(form.get("begins", ""))
    except ValueError:
        begins = None
    if begins is None or begins.tzinfo is None:
        raise HTTPException(400, "The form does not say which record was shown; begin again.")
    return begins
