"""Seizure lists of the Siena database as people typed them: read as typed, believed only where they can be true."""

import re
from dataclasses import dataclass

from data.cohorts.clock import DAY_S, after_s, clock_s
from data.outcomes import Refusal
from data.readers.bids import ROUNDING_S

CLOCKS_APART_S = 2.0
"""How far the registration's start in the text may lie from the start in the EDF: both are whole seconds."""
LONGEST_S = 1800.0
"""Longer than this is no seizure of this cohort (most last about a minute), but an hour typed wrongly."""

_FIELDS = {
    "file name": "file",
    "registration start time": "registration",
    "registration end time": "registration_end",
    "seizure start time": "start",
    "start time": "start",
    "seizure end time": "end",
    "end time": "end",
}
RECORDING = r"PN\d\d-\d+(\.\d+)*\.edf"
_LASTING = ("file", "registration", "registration_end")


@dataclass(frozen=True)
class Listed:
    """One seizure as a text lists it, every field as typed; `number` is its place in the text, from 1."""

    number: int
    file: str = ""
    registration: str = ""
    registration_end: str = ""
    start: str = ""
    end: str = ""


def read_list(text: str) -> tuple[Listed, ...]:
    """The seizures of a `Seizures-list-PNxx.txt`, as typed; file and registration hold until others are named.

    Refuses with `unsupported_format` a text that lists no seizure.
    """
    found: list[dict[str, str]] = []
    lasting: dict[str, str] = {}
    for line in text.splitlines():
        if re.match(r"\s*seizure\s*n?\s*\d", line, re.IGNORECASE):
            found.append(dict(lasting))
            continue
        name, _, value = (part.strip() for part in line.partition(":"))
        what = _FIELDS.get(" ".join(name.lower().split()))
        if what is None:
            continue
        open_ones = [f for f in found[-1:] if "end" not in f]
        if what == "file" and value != lasting.get("file"):
            for fields in (lasting, *open_ones):
                fields.clear()
        for fields in ([lasting] if what in _LASTING else []) + open_ones:
            fields[what] = value
    if not found:
        raise Refusal("unsupported_format", "the text lists no seizure: give Seizures-list-PNxx.txt as published")
    return tuple(Listed(number, **fields) for number, fields in enumerate(found, 1))


@dataclass(frozen=True)
class Begun:
    """When a recording began (time of day) and how long it lasts, from its EDF or, without one, from the text."""

    starts_s: float
    duration_s: float


def span_of(listed: Listed, begun: Begun) -> tuple[float, float]:
    """Onset and duration in seconds of a listed seizure in its recording; `corrupt` where the times cannot be true."""
    start_s, end_s = (_time(getattr(listed, edge), edge) for edge in ("start", "end"))
    stated = clock_s(listed.registration)
    if stated is not None and clocks_apart_s(stated, begun.starts_s) > CLOCKS_APART_S:
        raise Refusal(
            "corrupt",
            f"the text has the registration start at {listed.registration}, the recording itself "
            f"{clocks_apart_s(stated, begun.starts_s):g} s away from that",
        )
    onset_s, duration_s = after_s(begun.starts_s, start_s), after_s(start_s, end_s)
    ends_s = onset_s + duration_s
    inside = onset_s < begun.duration_s and ends_s <= begun.duration_s + ROUNDING_S
    if not 0 < duration_s <= LONGEST_S or not inside:
        raise Refusal(
            "corrupt",
            f"from {listed.start} to {listed.end} it would last {duration_s:g} s (at most {LONGEST_S:g} s are believed), "
            f"from {onset_s:g} to {ends_s:g} s of a recording of {begun.duration_s:g} s",
        )
    return onset_s, min(duration_s, begun.duration_s - onset_s)


def _time(text: str, edge: str) -> float:
    """The one time of day in a field; a remark in brackets may follow it."""
    seconds = clock_s(re.sub(r"\([^)]*\)\s*$", "", text))
    if seconds is None:
        raise Refusal("corrupt", f"its {edge} is typed as {text[:60]!r}, which is not one time of day")
    return seconds


def clocks_apart_s(one_s: float, other_s: float) -> float:
    """Seconds between two times of day the shorter way round, over midnight if need be: half a day at most."""
    return min(after_s(one_s, other_s), DAY_S - after_s(one_s, other_s))
