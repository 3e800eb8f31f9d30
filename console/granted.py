"""The approvals: who signed what, for whom, until when, in spite of what, and what speaks against each now."""

from starlette.requests import Request
from starlette.responses import Response

from console.lines import place_of, turn
from console.pages import page, room_of
from lineage.browsing import Wanted
from lineage.browsing import page as page_of_lines

ACTS_OF_PEOPLE = ("approval.signed", "approval.rejected", "approval.revoked", "model.retired", "candidate.proposed")
"""Types of lines that say what people decided of models."""


def show_approvals(request: Request) -> Response:
    """All approvals ever signed, the candidates that wait for a signature now, and the lines of what people decided."""
    room = room_of(request)
    found = page_of_lines(room.ledger, Wanted(ACTS_OF_PEOPLE), **place_of(request))
    return page(
        request,
        "approvals",
        title="Approvals",
        approvals=room.acts.approvals(),
        waiting=[c for c in room.acts.candidates(room.clock()) if c.waits],
        found=found,
        turn=turn(request, found),
    )
