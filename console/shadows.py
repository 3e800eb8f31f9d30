"""A shadow beside the model that answered: how often they agree, and the predictions in which they do not."""

from starlette.requests import Request
from starlette.responses import Response

from console.pages import page, room_of
from lineage.graph import predictions_of

SITE_OF_SHADOWS = ""
"""What a shadow says stands for no site."""


def show_shadow(request: Request) -> Response:
    """What a model said as a shadow beside the answers that were given; raises Refused where it has said nothing
    yet."""
    digest = request.path_params["digest"]
    found = room_of(request).acts.shadow(digest)
    return page(request, "shadow", title="What it would have said", digest=digest, found=found)


def has_spoken(request: Request, digest: str) -> bool:
    """Whether a model has said anything as a shadow."""
    return bool(predictions_of(room_of(request).ledger, [digest], site=SITE_OF_SHADOWS, limit=1))
