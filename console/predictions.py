"""The predictions: what was answered to whom, and each one followed back to raw bytes as a picture."""

import time
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console.acts import Room
from console.answers import told, verdicts
from console.lines import place_of, turn
from console.pages import page, room_of
from console.picture import chain, draw
from console.spelling import PREDICTIONS, subject
from lineage.browsing import Wanted
from lineage.browsing import page as page_of_lines
from lineage.graph import PREDICTION, find, node
from lineage.ledger import Entry
from lineage.records import Signature

MOST = 200
"""Rows of one table of an answer; the answer itself holds them all."""


def show_predictions(request: Request) -> Response:
    """A page of answers, newest first; “not evaluable”, with its reason, is an answer too. With an `id`, or as much of its
    beginning as tells it from others, the way to that answer; 404 and the page with a sentence where there is none."""
    room, asked = room_of(request), request.query_params.get("id", "").strip()
    called = [n for n in find(room.ledger, asked) if n.kind == PREDICTION] if asked else []
    if len(called) == 1:
        return RedirectResponse(f"/predictions/{quote(called[0].label, safe='')}", 303)
    found = page_of_lines(room.ledger, Wanted(PREDICTIONS), **place_of(request))
    return page(
        request,
        "predictions",
        title="Predictions",
        status=404 if asked else 200,
        asked=asked,
        fault=_not_found(len(called)) if asked else "",
        found=found,
        turn=turn(request, found),
    )


def _not_found(called: int) -> str:
    if called:
        return f"{called} predictions begin so: give more of the id."
    return "The ledger knows of no prediction with this id. It stands in every answer as prediction_id."


def show_prediction(request: Request) -> Response:
    """The answer with what readers made of it, and what it stands on.

    The bytes are hashed while the page is made: it says what is on the disk now. Raises HTTPException 404 for an id
    that the ledger does not know.
    """
    room = room_of(request)
    entry = _entry(room, request.path_params["id"])
    said = room.ledger.payload(entry.payload_digest)
    started = time.perf_counter()
    found = room.acts.why(subject(entry, "prediction").digest)
    seconds = time.perf_counter() - started
    signatures = _signatures(room, entry)
    stands_on = chain(found, {approval: [_shown(s) for s in signed] for approval, signed in signatures.items()})
    return page(
        request,
        "prediction",
        title="One prediction, back to raw bytes",
        entry=entry,
        said=said,
        answer=told(said) if said else None,
        verdicts=verdicts(room.ledger, subject(entry, "prediction").digest),
        most=MOST,
        problems=found["problems"],
        chain=stands_on,
        picture=draw(stands_on),
        signatures=[one for signed in signatures.values() for one in signed],
        seconds=seconds,
        seen=_where_seen(room, entry),
    )


def _entry(room: Room, id: str) -> Entry:
    found = page_of_lines(room.ledger, Wanted(PREDICTIONS, id), size=1).entries
    if not found or subject(found[0], "prediction").id != id:
        raise HTTPException(404, "The ledger knows of no prediction with this id.")
    return found[0]


def _where_seen(room: Room, entry: Entry) -> str:
    """The address at which the recording can be looked at; empty where it is in no cohort here."""
    recording = subject(entry, "recording")
    if recording is None:
        return ""
    return room.acts.seen(recording.digest, node(room.ledger, recording.digest).label)


def _signatures(room: Room, entry: Entry) -> dict[str, list[Signature]]:
    """The signatures under the approval by which it was answered; none where no model answered."""
    approval = subject(entry, "approval")
    if approval is None:
        return {}
    payloads = [room.ledger.payload(e.payload_digest) for e in room.ledger.entries("approval.signed", approval.digest)]
    return {approval.digest: [Signature(**payload["signature"]) for payload in payloads if payload]}


def _shown(signature: Signature) -> str:
    return f"{signature.printed_name}: {signature.meaning}"
