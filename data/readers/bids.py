"""Expert annotations in SzCORE's events.tsv, and JSON sidecars, read without repairing anything in silence.

The columns are those of SzCORE (Dan et al. 2024): onset, duration, eventType, confidence, channels, dateTime,
recordingDuration; one row `bckg` says that there was no seizure.
"""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import Any

from data.events import Annotations, Event
from data.outcomes import Refusal
from data.seizure_types import seizure_type

COLUMNS = ("onset", "duration", "eventType", "confidence", "channels", "dateTime", "recordingDuration")
TYPE_COLUMNS = ("eventType", "trial_type")
"""SzCORE's name for the type of an event, and that of BIDS."""
ROUNDING_S = 1.0
"""How far an event may reach past the recording's end: clocks written in whole seconds do."""
_MISSING = ("", "n/a", "N/A", "NaN", "nan")


@dataclass(frozen=True)
class EventTable:
    """An events.tsv as read: the seizures, impedance checks (onset_s, duration_s), and what was wrong with it.

    `defects` has one sentence for every row that could not be taken as written; no seizure is ever among those left
    out, because a seizure that cannot be read refuses the file.
    """

    annotations: Annotations
    impedance: tuple[tuple[float, float], ...] = ()
    defects: tuple[str, ...] = ()


def read_events(path: Path, duration_s: float | None = None) -> Annotations:
    """The seizures of one recording; see `read_event_table` for what is refused."""
    return read_event_table(path, duration_s).annotations


def read_event_table(path: Path, duration_s: float | None = None) -> EventTable:
    """Read an events.tsv; `duration_s` is the recording's length where the table does not state it.

    Refuses with `corrupt` (not a table, no number where one must be, a seizure of no duration or outside the
    recording, one that stands there twice, contradictory recording lengths) and `unsupported_format` (missing columns,
    an event type that is not known, no recording length).
    """
    return parse_events(_text(path), duration_s)


def read_rows(path: Path) -> tuple[list[dict[str, str | None]], str]:
    """The rows of an events.tsv as they were written (None: a cell that is not there), and which column holds the type.

    Refuses what is no table in UTF-8 (`corrupt`) or lacks columns (`unsupported_format`).
    """
    return _rows(_text(path))


def parse_events(table: str, duration_s: float | None = None) -> EventTable:
    """`read_event_table` of text that was read already."""
    rows, type_column = _rows(table)
    length_s = _recording_length_s(rows, duration_s)
    events: list[Event] = []
    marked: dict[tuple[float, float], int] = {}
    impedance: list[tuple[float, float]] = []
    defects: list[str] = []
    for number, row in enumerate(rows, start=2):
        kind = row[type_column] or ""
        if kind == "bckg":
            continue
        onset_s, lasting_s = (_number(row, column, number) for column in ("onset", "duration"))
        if kind == "impd" and (lasting_s <= 0 or onset_s < 0 or onset_s + lasting_s > length_s + ROUNDING_S):
            defects.append(f"row {number}: impedance check at {onset_s:g} s for {lasting_s:g} s left out")
        elif kind == "impd":
            impedance.append((onset_s, lasting_s))
        else:
            _once(marked.setdefault((onset_s, lasting_s), number), number, onset_s, lasting_s)
            event = Event(onset_s, lasting_s, _known_type(kind, number), _confidence(row, number), _channels(row))
            events.append(_inside(event, length_s, number, defects))
    return EventTable(Annotations(tuple(events), length_s), tuple(impedance), tuple(defects))


def write_events(path: Path, annotations: Annotations, start: datetime = datetime(2000, 1, 1)) -> None:
    """Write an events.tsv that `read_events` reads back exactly, where no seizure stands twice; see `events_table`."""
    path.write_text(events_table(annotations, start), "utf-8")


def events_table(
    annotations: Annotations,
    start: datetime = datetime(2000, 1, 1),
    looked_at: Sequence[tuple[float, float]] | None = None,
) -> str:
    """Events as the text of an events.tsv. Inverse of `parse_events`.

    Where there is none, a `bckg` row for each stretch (onset_s, duration_s) that was looked at, all of it unless told. Types that could not be read back are a ValueError.
    """
    unknown = sum(seizure_type(e.type) is None for e in annotations.events)
    if unknown:
        raise ValueError(f"{unknown} events have a type that is no seizure type of HED-SCORE")
    lines, length_s = ["\t".join(COLUMNS)], float(annotations.duration_s)
    tail = f"{start:%Y-%m-%d %H:%M:%S}\t{length_s!r}"
    for e in annotations.events:
        confidence = "n/a" if e.confidence is None else repr(float(e.confidence))
        channels = ",".join(e.channels) or "n/a"
        lines.append(f"{float(e.onset_s)!r}\t{float(e.duration_s)!r}\t{e.type}\t{confidence}\t{channels}\t{tail}")
    if not annotations.events:
        stretches = ((0.0, length_s),) if looked_at is None else looked_at
        lines += [f"{float(at)!r}\t{float(long)!r}\tbckg\tn/a\tn/a\t{tail}" for at, long in stretches]
    return "\n".join(lines) + "\n"


def read_json(path: Path) -> dict[str, Any]:
    """A JSON sidecar; `corrupt` where it is no JSON object in UTF-8."""
    try:
        content = json.loads(path.read_text("utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise Refusal("corrupt", f"a JSON sidecar of type {path.name.split('_')[-1]} cannot be read: correct it")
    return content


def positive(stated: object) -> float | None:
    """A number above 0 as a sidecar states it; None for everything else, which JSON also allows to stand there."""
    known = isinstance(stated, int | float) and not isinstance(stated, bool) and isfinite(stated) and stated > 0
    return float(stated) if known else None  # type: ignore[arg-type]


def plain_number(text: str) -> float:
    """The number that a cell holds; NaN for any other text, and for `1_0`, which Python would take for 10."""
    try:
        return float("" if "_" in text else text)
    except ValueError:
        return float("nan")


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise Refusal("corrupt", "the events file is not UTF-8 text: export it as tab-separated text") from None


def _rows(table: str) -> tuple[list[dict[str, str | None]], str]:
    """The table's rows and the name of the column that holds the type."""
    reader = csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE)
    names = reader.fieldnames or ()
    type_column = next((c for c in TYPE_COLUMNS if c in names), None)
    if type_column is None or not {"onset", "duration"} <= set(names):
        raise Refusal(
            "unsupported_format", "the events file lacks columns: needed are onset, duration and eventType, by tabs"
        )
    named = [name for name in names if name]
    if len(set(named)) < len(named):
        raise Refusal("corrupt", "the events file names a column twice: which one is meant cannot be known")
    try:
        rows = [{k: v.strip() if isinstance(v, str) else None for k, v in row.items() if k} for row in reader]
    except csv.Error:
        raise Refusal(
            "corrupt", "the events file is no table of short cells: export it as tab-separated text"
        ) from None
    return rows, type_column


def _recording_length_s(rows: list[dict[str, str | None]], duration_s: float | None) -> float:
    stated = {
        _number(row, "recordingDuration", number)
        for number, row in enumerate(rows, start=2)
        if row.get("recordingDuration") not in (*_MISSING, None)
    }
    if len(stated) > 1 or any(s <= 0 for s in stated):
        raise Refusal("corrupt", f"the events file states {len(stated)} recording lengths or one of 0 s: correct it")
    if not stated and duration_s is None:
        raise Refusal("unsupported_format", "the events file states no recordingDuration in seconds: add the column")
    return stated.pop() if stated else float(duration_s or 0.0)


def _number(row: dict[str, str | None], column: str, number: int) -> float:
    value = plain_number(row.get(column) or "")
    if not isfinite(value):
        raise Refusal("corrupt", f"row {number} of the events file has no number of seconds as {column}: correct it")
    return value


def _known_type(kind: str, number: int) -> str:
    known = seizure_type(kind)
    if known is None:
        raise Refusal(
            "unsupported_format",
            f"row {number} of the events file has a type that is not known: use sz, sz_foc_…, sz_gen_…, sz_uo_…, bckg "
            "or impd",
        )
    return known


def _confidence(row: dict[str, str | None], number: int) -> float | None:
    if (row.get("confidence") or "") in _MISSING:
        return None
    confidence = _number(row, "confidence", number)
    if not 0 <= confidence <= 1:
        raise Refusal("corrupt", f"row {number} of the events file has confidence {confidence:g}, expected 0 to 1")
    return confidence


def _channels(row: dict[str, str | None]) -> tuple[str, ...]:
    stated = row.get("channels") or ""
    return () if stated in _MISSING else tuple(c.strip() for c in stated.split(","))


def _once(first: int, number: int, onset_s: float, lasting_s: float) -> None:
    """A seizure that is marked again, as for another channel, would count as two wherever events are counted."""
    if first != number:
        raise Refusal(
            "corrupt",
            f"rows {first} and {number} of the events file mark the same time, {lasting_s:g} s from {onset_s:g} s: leave "
            "one row, with all its channels",
        )


def _inside(event: Event, length_s: float, number: int, defects: list[str]) -> Event:
    """The event, cut at the recording's end where it passes it by at most a second; anything worse is refused."""
    if event.duration_s <= 0 or event.onset_s < 0 or event.end_s > length_s + ROUNDING_S or event.onset_s >= length_s:
        raise Refusal(
            "corrupt",
            f"row {number} of the events file: a seizure at {event.onset_s:g} s for {event.duration_s:g} s does not "
            f"lie in a recording of {length_s:g} s: correct it",
        )
    if event.end_s <= length_s:
        return event
    defects.append(f"row {number}: seizure cut by {event.end_s - length_s:g} s at the recording's end")
    return Event(event.onset_s, length_s - event.onset_s, event.type, event.confidence, event.channels)
