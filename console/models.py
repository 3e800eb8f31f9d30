"""The models: each with its gates, who signed it for what, where it is in force, what it came from and what it answered."""

from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from console import spelling
from console.acts import Room
from console.cards import read_card
from console.lines import place_of, turn
from console.pages import page, room_of
from console.picture import chain, draw
from console.shadows import has_spoken
from console.spelling import PREDICTIONS
from lineage.browsing import Wanted
from lineage.browsing import page as page_of_lines
from lineage.graph import UnknownNode, hanging, node, things

SHOWN_PREDICTIONS = 20

HANGS = {
    "evaluates": "evaluated by",
    "approves": "approved by",
    "exported_from": "run as",
    "signs": "sealed by",
    "proposes": "proposed in",
    "serves": "put in force by",
    "revokes": "revoked by",
}
"""What may hang on a model, besides its predictions, and how that reads from the model's side."""


def show_models(request: Request) -> Response:
    """Every model that was proposed, and the others that the ledger knows, each with whether it was ever evaluated."""
    room = room_of(request)
    candidates = room.acts.candidates(room.clock())
    proposed = {candidate.digest for candidate in candidates}
    others = [
        (other, bool(hanging(room.ledger, other.digest, ["evaluates"])))
        for other in things(room.ledger, "model")
        if other.digest not in proposed
    ]
    return page(request, "models", title="Models", candidates=candidates, others=others)


def show_model(request: Request) -> Response:
    """One model: gates, signatures, the way back to raw bytes (hashed now), what hangs on it, and its predictions.

    Raises HTTPException 404 for a digest that the ledger does not know or that is of another thing.
    """
    room = room_of(request)
    digest = _known_model(room, request.path_params["digest"])
    candidate = room.acts.candidate(digest, room.clock())
    found = room.acts.why(digest)
    stands_on = chain(found)
    about = Wanted(PREDICTIONS, digest)
    predictions = page_of_lines(room.ledger, about, **place_of(request), size=SHOWN_PREDICTIONS)
    return page(
        request,
        "model",
        title=found["subject"]["label"],
        digest=digest,
        candidate=candidate,
        open_gates=[_gate_in_words(gate) for gate in candidate.open_gates] if candidate else [],
        as_shadow=has_spoken(request, digest),
        problems=found["problems"],
        chain=stands_on,
        picture=draw(stands_on),
        hangs=[(HANGS[relation], thing) for relation, thing in hanging(room.ledger, digest, list(HANGS))],
        predictions=predictions,
        turn=turn(request, predictions),
    )


def show_card(request: Request) -> Response:
    """A model's card as it was signed, header and text. Raises HTTPException 404 where it has none."""
    room = room_of(request)
    digest = request.path_params["digest"]
    card = room.acts.card(digest)
    if card is None:
        raise HTTPException(404, "There is no card of such a model.")
    read = read_card(card)
    return page(request, "card", title=read.facts.get("title", "Card"), digest=digest, card=read)


def _gate_in_words(gate: Mapping[str, Any]) -> str:
    figures = f"value {spelling.number(gate['value'])}, limit {spelling.number(gate['limit'])}"
    return f"{spelling.plain(gate['name'])}: {spelling.gate(gate['outcome'])}, {figures}; {gate['reason']}"


def _known_model(room: Room, digest: str) -> str:
    try:
        known: Any = node(room.ledger, digest)
    except UnknownNode as error:
        raise HTTPException(404, "The ledger knows of no model with this digest.") from error
    if known.kind != "model":
        raise HTTPException(404, "The thing with this digest is no model.")
    return digest
