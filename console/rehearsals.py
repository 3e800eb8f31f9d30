"""Rehearsals of drift: which faults a site could bring in unnoticed, which would be found, by what, and how soon."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from console.acts import Candidate, Room
from console.pages import page, room_of
from lineage.digest import Digest
from lineage.graph import Node, hanging, things
from lineage.refused import Refused
from monitoring.rehearsal import LONGEST, NOTICED
from monitoring.rehearsal_page import headline
from validation.pages import SIMULATED, Headline

KIND = "rehearsal"
"""Kind of subject of the ledger's lines about rehearsals; the subject's id is the site."""

LABELS, AXIS, ROW, TOP = 110.0, 260.0, 26.0, 36.0
"""Of a picture: widths of the names and of the axis, height of a row, and where the first begins."""


@dataclass(frozen=True)
class Rehearsed:
    """One rehearsal: of which site, on which cohort, when it was recorded, the models that name it, and its table; `refused`
    says why there is none to be shown."""

    site: str
    digest: Digest
    at: datetime
    cohort: str
    models: tuple[Candidate, ...]
    table: Mapping[str, Any] | None
    refused: str = ""

    @property
    def measured(self) -> list[Mapping[str, Any]]:
        """The faults that could be put in."""
        return [row for row in self.table["faults"] if row["state"] == "measured"] if self.table else []

    @property
    def noticed(self) -> int:
        """How many of `measured` are noticed in at least the share `NOTICED` of the weeks; 0 without a table."""
        return sum(row["power"] >= NOTICED for row in self.measured)

    @property
    def said(self) -> Headline:
        """What the report's headline says, in the same words; KeyError where there is no table."""
        return headline(self.table or {})


class Strip(NamedTuple):
    """One fault as it is drawn: the place of a dot (None: beyond the panel), and of the line's two ends and upright stroke."""

    name: str
    y: float
    dot: float | None
    line: tuple[float, float] | None
    stroke: float | None
    is_open: bool
    is_noticed: bool


class Panel(NamedTuple):
    """One of two pictures over the same rows: what its axis means, where its ticks stand, and a dashed limit (None: none)."""

    name: str
    title: str
    strips: list[Strip]
    ticks: list[tuple[float, str]]
    limit: float | None
    width: float = LABELS + AXIS + 25
    top: float = TOP

    @property
    def height(self) -> float:
        """Of the whole picture, in units of the SVG: rows, and room for the heading above and the ticks below."""
        return TOP + ROW * len(self.strips) + 26


def show_rehearsals(request: Request) -> Response:
    """Every rehearsal in the ledger, newest first; one whose table is gone or was changed says so, without figures."""
    room = room_of(request)
    candidates, cohorts = room.acts.candidates(room.clock()), _cohorts(room)
    found = [_rehearsed(room, node, candidates, cohorts) for node in things(room.ledger, KIND)]
    newest = sorted(found, key=lambda one: one.at, reverse=True)
    return page(request, "rehearsals", title="Rehearsals of drift", rehearsals=newest, noticed=NOTICED)


def show_rehearsal(request: Request) -> Response:
    """The figures of one. Raises HTTPException 404 where the ledger knows of none, and Refused, without a figure, where
    its table is gone or was changed."""
    room, digest = room_of(request), request.path_params["digest"]
    known = next((node for node in things(room.ledger, KIND) if node.digest == digest), None)
    if known is None:
        raise HTTPException(404, "The ledger knows of no rehearsal with this digest.")
    one = _rehearsed(room, known, room.acts.candidates(room.clock()), _cohorts(room))
    if one.table is None:
        raise Refused(one.refused)
    rows = _rows(one.table)
    return page(
        request,
        "rehearsal",
        title=f"Drift rehearsed at {one.site}",
        simulated=SIMULATED if one.table["simulated"] or room.demo else "",
        one=one,
        panels=draw(rows),
        rows=rows,
        longest=LONGEST,
        noticed=NOTICED,
    )


def _cohorts(room: Room) -> dict[Digest, str]:
    """The name of the cohort that each rehearsal was on."""
    return {
        rehearsal.digest: dataset.label
        for dataset in things(room.ledger, "dataset")
        for _, rehearsal in hanging(room.ledger, dataset.digest, ("rehearsed_on",))
    }


def _rehearsed(room: Room, node: Node, candidates: Sequence[Candidate], cohorts: Mapping[Digest, str]) -> Rehearsed:
    table, refused = None, ""
    try:
        table = room.acts.rehearsal(node.digest)
    except Refused as error:
        refused = str(error)
    at = room.ledger.entries("evaluation.recorded", node.digest)[-1].recorded_at
    naming = tuple(c for c in candidates if node.digest in c.rehearsals.values())
    return Rehearsed(node.label, node.digest, at, cohorts.get(node.digest, ""), naming, table, refused)


def _rows(table: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The controls first, which carry no fault."""
    return [*table["controls"], *table["faults"]]


def draw(rows: Sequence[Mapping[str, Any]]) -> tuple[Panel, Panel]:
    """Of every fault that could be measured (`rows` of an `ictal.rehearsal/1`): its power with the interval, and the
    weeks until its alarm is confirmed. Places are in units of the SVG."""
    measured = [row for row in rows if row["state"] == "measured"]
    shares = [(_at(share), f"{100 * share:.0f}\u00a0%") for share in (0, 0.25, 0.5, 0.75, 1)]
    weeks = [(_at(week / LONGEST), str(week)) for week in range(0, LONGEST + 1, 2)]
    powers = [_power(row, place) for place, row in enumerate(measured)]
    waits = [_wait(row, place) for place, row in enumerate(measured)]
    return (
        Panel("power", "Share of weeks in which it is noticed", powers, shares, _at(NOTICED)),
        Panel("wait", "Weeks until an alarm, and confirmed", waits, weeks, None),
    )


def _at(share: float) -> float:
    return round(LABELS + AXIS * share, 1)


def _power(row: Mapping[str, Any], place: int) -> Strip:
    low, high = row["interval"]
    return Strip(*_named(row, place), _at(row["power"]), (_at(low), _at(high)), None, False, row["power"] >= NOTICED)


def _wait(row: Mapping[str, Any], place: int) -> Strip:
    """From the first alarm to the upright stroke of its confirmation, or open to the panel's end."""
    alarm, sure = (row[when]["median_periods"] for when in ("to_alarm", "to_confirmed"))
    dot, stroke = (None if weeks is None else _at(min(weeks, LONGEST) / LONGEST) for weeks in (alarm, sure))
    line = None if dot is None else (dot, _at(1) if stroke is None else stroke)
    return Strip(*_named(row, place), dot, line, stroke, stroke is None, row["power"] >= NOTICED)


def _named(row: Mapping[str, Any], place: int) -> tuple[str, float]:
    return row["fault"].replace("_", " "), TOP + ROW * (place + 0.5)
