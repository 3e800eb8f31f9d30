"""The cohorts: what was recorded where, what the checks said, and what was put aside, by name and reason."""

from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from console.lines import Turn
from console.pages import number_in, page, room_of

SHOWN = 200
"""Recordings on a page."""


def show_recordings(request: Request) -> Response:
    """The cohorts, and `SHOWN` recordings of the one asked for (else the first), those put aside first.

    Raises HTTPException 404 where there is no such cohort.
    """
    shelves = room_of(request).acts.shelves()
    asked = {name: request.query_params.get(name, "").strip() for name in ("cohort", "verdict", "site")}
    chosen = next((s for s in shelves if asked["cohort"] in ("", s.cohort)), None)
    if asked["cohort"] and chosen is None:
        raise HTTPException(404, "There is no such cohort here.")
    everything = chosen.recordings if chosen else ()
    found = [r for r in everything if asked["verdict"] in ("", r.verdict) and asked["site"] in ("", r.site)]
    found.sort(key=lambda r: (r.verdict != "quarantined", r.name))
    asked["cohort"] = chosen.cohort if chosen else ""
    begins = number_in(request.query_params.get("from", "")) or 0
    return page(
        request,
        "recordings",
        title="Recordings",
        wide=True,
        shelves=shelves,
        asked=asked,
        sites=sorted({r.site for r in everything}),
        found=len(found),
        shown=found[begins : begins + SHOWN],
        turn=_turn(asked, begins, len(found)),
    )


def _turn(asked: dict[str, str], begins: int, many: int) -> Turn:
    """Where the neighbouring pages are, under the same filters."""

    def address(first: int) -> str:
        return "?" + urlencode({**{n: v for n, v in asked.items() if v}, "from": max(0, first)})

    return Turn(address(begins - SHOWN) if begins > 0 else "", address(begins + SHOWN) if begins + SHOWN < many else "")
