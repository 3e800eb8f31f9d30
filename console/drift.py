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
    """What the last comparison came to at each site, or that none was made; and the ledger's lines about drift."""
    room = room_of(request)
    found, report = page_of_lines(room.ledger, Wanted(LINES), **place_of(request)), last_report(room)
    return page(
        request,
        "drift",
        title="Drift across sites",
        report=report,
        doubts=_doubts(report) if report else (),
        summary=f"/reports/{FOLDER}/index.html" if (room.reports / FOLDER / "index.html").exists() else "",
        pages=_pages(room),
        found=found,
        turn=turn(request, found),
    )


def last_report(room: Room) -> dict[str, Any] | None:
    """What the last `ictal drift` said, as reports/drift/drift.json has it; None where none was made."""
    path = room.reports / FOLDER / "drift.json"
    if not path.exists():
        return None
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def _doubts(report: dict[str, Any]) -> list[str]:
    """Why no retraining was begun for sites in alarm."""
    doubted = [site for site in report["sites"] if site.get("doubt")]
    return [f"{s['site']}: not yet confirmed, so that no retraining was begun: {s['doubt']}." for s in doubted]


def _pages(room: Room) -> dict[str, str]:
    """Site → address of the page with its distributions in the last week."""
    report = last_report(room)
    week = f"{FOLDER}/{report['period']}" if report else FOLDER
    listed = room.reports / week / "sites.json"
    named = json.loads(listed.read_text())["pages"] if listed.exists() else {}
    return {site: f"/reports/{week}/{file}" for site, file in named.items()}
