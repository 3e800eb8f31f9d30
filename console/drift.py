"""Drift: what the last comparison of sites came to, with its pages, and the alarms that the ledger holds."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from console.acts import Room
from console.lines import place_of, turn
from console.pages import page, room_of
from lineage.browsing import Wanted
from lineage.browsing import page as page_of_lines

FOLDER = "drift"
LINES = ("drift.alarm", "drift.closed", "retrain.triggered", "retrain.skipped")


def show_drift(request: Request) -> Response:
    room = room_of(request)
    found = page_of_lines(room.ledger, Wanted(LINES), **place_of(request))
    return page(
        request,
        "drift",
        title="Drift across sites",
        report=last_report(room),
        summary=f"/reports/{FOLDER}/index.html" if (room.reports / FOLDER / "index.html").exists() else "",
        pages=_pages(room),
        found=found,
        turn=turn(request, found),
    )


def last_report(room: Room) -> dict[str, Any] | None:
    """What the last comparison said; None where none was made."""
    path = room.reports / FOLDER / "drift.json"
    if not path.exists():
        return None
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def _pages(room: Room) -> dict[str, str]:
    """Site → address of the page with its distributions in the last week."""
    report = last_report(room)
    week = f"{FOLDER}/{report['period']}" if report else FOLDER
    listed = room.reports / week / "sites.json"
    named = json.loads(listed.read_text())["pages"] if listed.exists() else {}
    return {site: f"/reports/{week}/{file}" for site, file in named.items()}
