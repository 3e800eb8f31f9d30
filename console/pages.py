"""One base page for all rooms: every value is escaped, every form carries its token, a demo says so everywhere."""

from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from console import spelling
from console.acts import Room
from console.door import Tokens
from data.ages import describe_age, describe_ages
from validation.pages import SIMULATED

NAVIGATION = {
    "Overview": "/",
    "Recordings": "/recordings",
    "Runs": "/runs",
    "Models": "/models",
    "Approvals": "/approvals",
    "Deployments": "/deployments",
    "Predictions": "/predictions",
    "Drift": "/drift",
    "Rehearsals": "/rehearsals",
    "Ledger": "/ledger",
    "Consent": "/impact",
}

_DEFAULTS: dict[str, Any] = {"lead": "", "kind": "Console", "wide": False, "scripted": False}


def room_of(request: Request) -> Room:
    """The workspace that this console looks at."""
    room: Room = request.app.state.room
    return room


def tokens_of(request: Request) -> Tokens:
    """What gives this console's forms their tokens, and checks them when a form comes back."""
    tokens: Tokens = request.app.state.tokens
    return tokens


LONGEST = 18
"""Digits of a number that an address may hold: nothing here counts so far, a database cannot, and Python refuses to read
thousands of them."""


def number_in(text: str) -> int | None:
    """The whole number that a part of an address is; None where it is none, or of more digits than `LONGEST`."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= LONGEST else None


def page(request: Request, template: str, *, title: str, status: int = 200, **context: Any) -> Response:
    """The page of `templates/<template>.html.j2`. What a template names and nobody gave is an error, never a gap."""
    room, tokens = room_of(request), tokens_of(request)
    visitor = tokens.visitor(request)
    around = {
        "title": title,
        "here": _heading_of(request.url.path),
        "navigation": NAVIGATION,
        "demo": room.demo,
        "simulated": SIMULATED if room.demo else "",
        "token": tokens.token(visitor),
    }
    html = render(f"{template}.html", **{**_DEFAULTS, **around, **context})
    response = HTMLResponse(html, status)
    tokens.give(response, visitor)
    return response


def render(template: str, **context: Any) -> str:
    """The text of `templates/<template>.j2`."""
    return _environment().get_template(f"{template}.j2").render(context)


def _heading_of(path: str) -> str:
    """The navigation's entry under which a page stands."""
    first = "/" + path.strip("/").split("/")[0]
    return first if first in NAVIGATION.values() else ""


@lru_cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "when": spelling.when, "local": spelling.local, "digest": spelling.digest, "whole": spelling.whole,
        "plain": spelling.plain, "who": spelling.who, "outcome": spelling.outcome, "gate": spelling.gate,
        "subject": spelling.subject, "number": spelling.number, "clipped": spelling.clipped, "sentence": spelling.sentence,
        "clock": spelling.clock, "percent": spelling.percent, "line_type": spelling.line_type, "age": describe_age,
        "ages": lambda days: describe_ages(*days), "counted": spelling.counted,
    }  # fmt: skip
    return environment
