"""What must be true of seizure annotations: inside their recording, in order, with types that everybody knows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from data.events import Annotations
from data.outcomes import Refusal
from data.readers.bids import ROUNDING_S, plain_number, read_rows
from data.seizure_types import seizure_type
from validation.checks.suites import Expectation, Suite

COLUMNS = (
    "recording", "event", "onset_s", "duration_s", "end_s", "known_type", "recording_s", "after_previous_s",
)  # fmt: skip

NOT_SEIZURES = ("bckg", "impd")
"""Rows of an SzCORE file that mark no seizure: background, and time that cannot be judged."""


@dataclass(frozen=True)
class AnnotationLimits:
    """Seconds. A seizure of a newborn lasts 10 s by definition; shorter marks are worth a look, not a refusal.

    `marked` is what the events are. `tolerance_s` is what an evaluation allows for as well: whatever passes here can be evaluated.
    """

    tolerance_s: float = ROUNDING_S
    warn_shorter_s: float = 1.0
    warn_longer_s: float = 4 * 3600.0
    marked: str = "Seizures"


SPASMS = AnnotationLimits(warn_shorter_s=0.2, warn_longer_s=2.0, marked="Spasms")
"""An epileptic spasm is longer than a myoclonus and shorter than a tonic seizure."""


def events_table(recordings: Mapping[str, Annotations]) -> pd.DataFrame:
    """One row per event, from annotations that were already read; `recordings` by name."""
    rows = [
        _row(name, n, e.onset_s, e.duration_s, e.type, a.duration_s)
        for name, a in recordings.items()
        for n, e in enumerate(a.events, 1)
    ]
    return _with_order(rows)


def events_as_written(files: Mapping[str, Path], durations_s: Mapping[str, float]) -> pd.DataFrame:
    """One row per seizure event of SzCORE files (`events.tsv`), unread and uncorrected; both by recording name.

    Only whether a type is known is kept, not its text: people type it and may name somebody. `durations_s` are those of
    the signal. Of a file that is no table there is no row: whoever reads the labels is told why.
    """
    rows = [row for name, path in files.items() for row in _rows_of_file(name, path, durations_s[name])]
    return _with_order(rows)


def lengths_table(stated_s: Mapping[str, float], recorded_s: Mapping[str, float]) -> pd.DataFrame:
    """One row per recording of which labels state a length and the signal has one, with seizures or without; in seconds."""
    both = [(name, stated_s[name], recorded_s[name]) for name in stated_s if name in recorded_s]
    table = pd.DataFrame(both, columns=["recording", "stated_recording_s", "recording_s"])
    return table.assign(length_differs_s=(table["stated_recording_s"] - table["recording_s"]).abs().astype(float))


def annotation_suite(limits: AnnotationLimits) -> Suite:
    """What a table of events (`events_table`) is held to: where each event lies in its recording, then what it says."""
    return Suite("annotations", ("recording", "event"), _place() + _meaning(limits))


def length_suite(limits: AnnotationLimits) -> Suite:
    """What `lengths_table` is held to: labels that state another length belong to another recording."""
    return Suite("lengths of annotations", ("recording",), _length(limits))


def _place() -> tuple[Expectation, ...]:
    return (
        Expectation(
            "onset_inside", "DQ-ANN-01", "critical", "annotation_outside",
            "No event begins before its recording.",
            "ExpectColumnValuesToBeBetween", {"column": "onset_s", "min_value": 0.0}, "onset_s", "≥ 0 s",
            "Event {event} begins at {value} s, before the recording.",
        ),
        Expectation(
            "end_inside", "DQ-ANN-02", "critical", "annotation_outside",
            "No event ends after its recording.",
            "ExpectColumnPairValuesAToBeGreaterThanB",
            {"column_A": "recording_s", "column_B": "end_s", "or_equal": True, "ignore_row_if": "either_value_is_missing"},
            "end_s", "inside the recording", "Event {event} ends at {value} s; the recording lasts {recording_s} s.",
        ),
        Expectation(
            "duration_positive", "DQ-ANN-03", "critical", "annotation_unreadable",
            "Every event lasts longer than 0 s.",
            "ExpectColumnValuesToBeBetween", {"column": "duration_s", "min_value": 0.0, "strict_min": True},
            "duration_s", "> 0 s", "Event {event} lasts {value} s.",
        ),
        Expectation(
            "times_given", "DQ-ANN-04", "critical", "annotation_unreadable",
            "Every event has an onset and a duration.",
            "ExpectColumnValuesToNotBeNull", {"column": "end_s"}, "end_s", "given",
            "Event {event} has no readable onset or duration.",
        ),
    )  # fmt: skip


def _length(limits: AnnotationLimits) -> tuple[Expectation, ...]:
    return (
        Expectation(
            "same_length", "DQ-ANN-05", "critical", "annotation_mismatch",
            f"Annotations state the recording's own length within {limits.tolerance_s:g} s.",
            "ExpectColumnValuesToBeBetween", {"column": "length_differs_s", "max_value": limits.tolerance_s},
            "length_differs_s", f"≤ {limits.tolerance_s:g} s",
            "The annotations speak of a recording of {stated_recording_s} s, this one lasts {recording_s} s: "
            "do they belong together?",
        ),
    )  # fmt: skip


def _meaning(limits: AnnotationLimits) -> tuple[Expectation, ...]:
    return (
        Expectation(
            "type_known", "DQ-ANN-06", "critical", "annotation_unknown_type",
            "Every event has a seizure type of HED-SCORE.",
            "ExpectColumnValuesToBeInSet", {"column": "known_type", "value_set": [True]}, "known_type",
            "a HED-SCORE type", "Event {event} has a type that is not {limit}.",
        ),
        Expectation(
            "ordered", "DQ-ANN-07", "warning", "annotation_order",
            "Events stand in order of time and do not overlap.",
            "ExpectColumnValuesToBeBetween", {"column": "after_previous_s", "min_value": 0.0},
            "after_previous_s", "≥ 0 s",
            "Event {event} begins {value} s after the end of the one before it (limit {limit}).",
        ),
        Expectation(
            "duration_plausible", "DQ-ANN-08", "warning", "annotation_duration",
            f"{limits.marked} last {_lasting(limits.warn_shorter_s)} to {_lasting(limits.warn_longer_s)}.",
            "ExpectColumnValuesToBeBetween",
            {"column": "duration_s", "min_value": limits.warn_shorter_s, "max_value": limits.warn_longer_s},
            "duration_s", f"{_lasting(limits.warn_shorter_s)} to {_lasting(limits.warn_longer_s)}",
            "Event {event} lasts {value} s, expected {limit}.",
        ),
    )  # fmt: skip


def _lasting(seconds: float) -> str:
    return f"{seconds / 3600:g} h" if seconds >= 3600 else f"{seconds:g} s"


def _rows_of_file(name: str, path: Path, duration_s: float) -> list[dict[str, object]]:
    try:
        rows, type_column = read_rows(path)
    except Refusal:
        return []
    events = [(number, row, row[type_column] or "") for number, row in enumerate(rows, 1)]
    return [
        _row(name, number, plain_number(row["onset"] or ""), plain_number(row["duration"] or ""), kind, duration_s)
        for number, row, kind in events
        if kind not in NOT_SEIZURES
    ]


def _row(name: str, number: int, onset_s: float, duration_s: float, kind: str, recording_s: float) -> dict[str, object]:
    end_s = onset_s + duration_s
    # times are written with few digits, so an end may lie a little behind the last sample
    inside_s = min(end_s, recording_s) if end_s - recording_s <= 0.01 else end_s
    values = (name, number, onset_s, duration_s, inside_s, seizure_type(kind) is not None, recording_s)
    return dict(zip(COLUMNS, values, strict=False))


def _with_order(rows: Iterable[dict[str, object]]) -> pd.DataFrame:
    table = pd.DataFrame(list(rows), columns=list(COLUMNS))
    previous = table.groupby("recording")["end_s"].shift()
    numbers = ["onset_s", "duration_s", "end_s", "recording_s"]
    table[numbers] = table[numbers].astype(float)
    table["after_previous_s"] = (table["onset_s"] - previous.astype(float)).astype(float)
    return table
