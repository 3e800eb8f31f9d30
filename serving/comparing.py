"""Where two answers to the same recording differ in what a reader would see."""

from collections.abc import Mapping, Sequence
from typing import Any

Said = Mapping[str, Any]
"""An answer as JSON values."""

PARTS = ("outcome", "events", "stretches")


def difference(one: Said, other: Said) -> str:
    """The first of `PARTS` in which two answers differ; empty where they agree. Symmetric.

    Outcomes differ also by their codes. Events agree where each of either answer overlaps one of the other's: another
    onset is no disagreement, a seizure that only one has found is. Stretches agree where they have the same names.
    """
    if (one["outcome"], one["code"]) != (other["outcome"], other["code"]):
        return "outcome"
    mine, theirs = one.get("events") or (), other.get("events") or ()
    if not (_all_met(mine, theirs) and _all_met(theirs, mine)):
        return "events"
    return "" if _names(one) == _names(other) else "stretches"


def _all_met(events: Sequence[Said], others: Sequence[Said]) -> bool:
    return all(any(_overlap(event, other) for other in others) for event in events)


def _overlap(one: Said, other: Said) -> bool:
    end_s, other_end_s = one["onset_s"] + one["duration_s"], other["onset_s"] + other["duration_s"]
    return bool(one["onset_s"] < other_end_s and other["onset_s"] < end_s)


def _names(said: Said) -> list[tuple[float, float, str | None]]:
    return [(s["onset_s"], s["duration_s"], s["name"]) for s in said.get("stretches") or ()]
