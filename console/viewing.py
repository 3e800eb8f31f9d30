"""One recording, looked at: the page, the pieces of traces that it draws, what was said of it, and film or poses in step."""

import json
from dataclasses import asdict
from typing import Any

import numpy as np
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from console import display
from console.display import Shown, Tiles
from console.door import POLICY
from console.drawn import draw_view
from console.opened import Desk, Opened
from console.pages import number_in, page, room_of
from console.shelf import Reading, Stretch
from console.strips import SEEN_THROUGH, film_strip, pose_strip, said_instead
from console.views import GAINS_UV, PASSES_HZ, SECONDS, View, named, steps, view_asked
from data.outcomes import Refusal
from data.readers.edf_spans import EdfSpans

TOP_LEVEL = 14
COLUMNS = 600
FRAMES = 16
"""Pictures of a strip at most."""

SCRIPTED = POLICY + "; script-src 'self'; connect-src 'self'"
"""The one page with a script: our own file, which may ask this console and nobody else."""

SVG = "image/svg+xml"


def show_recording(request: Request) -> Response:
    """The page of one recording, looked up anew, and the only one with a script.

    Raises HTTPException 404 where there is no such recording, 400 where the address asks for a view that cannot be
    drawn; so do its pieces below.
    """
    opened = _asked(request, anew=True)
    view = view_asked(request.query_params, opened)
    shown = page(
        request,
        "recording",
        title=opened.recorded.shelved.name,
        wide=True,
        scripted=True,
        opened=opened,
        recorded=opened.recorded,
        view=view,
        about=json.dumps(_about(opened, view)),
        montages=opened.montages,
        seconds=SECONDS,
        gains=GAINS_UV,
        names=display.MONTAGES,
        passes=PASSES_HZ,
        steps=steps(opened, view),
        found=_found(opened),
        seen_through=SEEN_THROUGH,
    )
    shown.headers["Content-Security-Policy"] = SCRIPTED
    return shown


def send_traces(request: Request) -> Response:
    """A tile: (rows, bins, 2) float32, little-endian, lowest and highest µV of each column; see `display.Tiles`. Raises
    HTTPException 404 also for a recording without an EEG that can be read."""
    opened = _asked(request)
    spans, view = _spans(opened), view_asked(request.query_params, opened)
    level, number = _whole(request, "level", TOP_LEVEL), _whole(request, "tile", 1 << 40)
    made = _desk(request).tiles.tile(_key(opened, view), _shown(spans, view), level, number)
    content = np.ascontiguousarray(made, dtype="<f4").tobytes()
    return Response(content, media_type="application/octet-stream", headers={"Ictal-Rows": str(made.shape[0])})


def send_readings(request: Request) -> Response:
    """What was said of the recording: labels, experts, models, each with its stretches and its course."""
    opened = _asked(request)
    return JSONResponse([asdict(reading) for reading in opened.recorded.readings])


def send_view(request: Request) -> Response:
    """The view as a picture, for whoever runs no script, and to be printed."""
    opened = _asked(request)
    view = view_asked(request.query_params, opened)
    if opened.spans is None:
        return Response(draw_view(view, (), np.zeros((0, 0, 2)), 1.0, opened.recorded.readings), media_type=SVG)
    columns, column_s = _columns(_desk(request).tiles, opened, opened.spans, view)
    rows = display.montage_of(opened.spans.channels, view.montage).rows
    svg = draw_view(view, rows, columns, column_s, opened.recorded.readings)
    return Response(svg, media_type=SVG)


def send_strip(request: Request) -> Response:
    """Pictures of the film, or the pose, at even steps through the view: coarse, or in torso lengths. One that cannot
    be read says why in the picture's place; raises HTTPException 404 where there is no such film or pose."""
    opened = _asked(request)
    view, frames = (
        view_asked(request.query_params, opened),
        max(1, min(FRAMES, _whole(request, "frames", FRAMES) or FRAMES)),
    )
    times_s = view.start_s + view.seconds * (np.arange(frames) + 0.5) / frames
    kind, recorded = request.path_params["kind"], opened.recorded
    try:
        if kind == "pose" and recorded.pose:
            return Response(pose_strip(recorded.pose, recorded.pose_rate_hz, times_s), media_type=SVG)
        number = number_in(kind)
        if number is not None and number < len(recorded.views):
            return Response(film_strip(recorded.views[number], times_s), media_type="image/png")
    except Refusal as refusal:
        return Response(said_instead(f"not shown: {refusal.reason}"), media_type=SVG)
    raise HTTPException(404, "This recording has no such film or pose.")


def _asked(request: Request, *, anew: bool = False) -> Opened:
    return _desk(request).open(room_of(request), request.path_params["cohort"], request.path_params["name"], anew=anew)


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


def _spans(opened: Opened) -> EdfSpans:
    if opened.spans is None:
        raise HTTPException(404, "This recording has no EEG that can be read.")
    return opened.spans


def _whole(request: Request, name: str, most: int) -> int:
    number = number_in(request.query_params.get(name, "0"))
    if number is None or number > most:
        raise HTTPException(400, f"{name.capitalize()} is a whole number from 0 to {most}.")
    return number


def _shown(spans: EdfSpans, view: View) -> Shown:
    return Shown(spans, display.montage_of(spans.channels, view.montage), view.filters)


def _key(opened: Opened, view: View) -> tuple[object, ...]:
    return (opened.recorded.digests["eeg"], view.montage, view.filters)


def _columns(tiles: Tiles, opened: Opened, spans: EdfSpans, view: View) -> tuple[np.ndarray, float]:
    """(rows, columns, 2) of the view, at most twice as many columns as `COLUMNS`, and the seconds of each."""
    first, last = (round(s * spans.rate_hz) for s in (view.start_s, view.end_s))
    level = max(0, int(np.log2(max(1.0, (last - first) / COLUMNS))))
    size = display.BINS << level
    made = [
        tiles.tile(_key(opened, view), _shown(spans, view), level, number)
        for number in range(first // size, -(-last // size))
    ]
    begins = (first % size) >> level
    return np.concatenate(made, axis=1)[:, begins : begins + ((last - first) >> level)], (1 << level) / spans.rate_hz


def _about(opened: Opened, view: View) -> dict[str, Any]:
    """What the script has to know before it asks for anything."""
    spans, recorded = opened.spans, opened.recorded
    return {
        "address": recorded.shelved.address,
        "duration_s": opened.duration_s,
        "rate_hz": spans.rate_hz if spans else 0,
        "samples": spans.samples if spans else 0,
        "gaps": spans.gaps if spans else (),
        "bins": display.BINS,
        "top": TOP_LEVEL,
        "montages": {name: {"text": display.MONTAGES[name], "rows": m.rows} for name, m in opened.montages.items()},
        "seconds": SECONDS,
        "gains": GAINS_UV,
        "view": {
            "start": view.start_s, "seconds": view.seconds, "montage": view.montage, "gain": view.gain_uv,
            **{name: value or 0 for name, value in named(view.filters).items()},
        },
    }  # fmt: skip


def _found(opened: Opened) -> list[tuple[Reading, Stretch]]:
    """Every stretch with who says so, in the order of time."""
    said = [(reading, stretch) for reading in opened.recorded.readings for stretch in reading.stretches]
    return sorted(said, key=lambda pair: (pair[1].onset_s, pair[1].duration_s))
