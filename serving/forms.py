"""The forms in which an answer can be read: JSON as it was given, and what clinical systems and reviewers take in."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from data.events import Annotations, Event
from data.readers.bids import events_table
from data.readers.edf_writer import annotations_edf
from serving.fhir import as_fhir
from serving.problems import ProblemError
from serving.schema import EXAMPLE


@dataclass(frozen=True)
class Form:
    """How an answer (as JSON values, see `serving.schema`) is written; `file_name` is what a browser calls it. One that `is_slow`
    takes milliseconds for each event."""

    media_type: str
    make: Callable[[dict[str, Any]], bytes]
    file_name: str = ""
    is_slow: bool = False


def form_of(name: str | None, accept: str) -> Form:
    """The form that is named, or the one that an Accept header likes best (the first of several) of those that there are, JSON
    where it likes none; ProblemError 406 for other names."""
    if name is not None:
        if name not in FORMS:
            raise ProblemError(406, f"the forms of an answer are {', '.join(FORMS)}")
        return FORMS[name]
    kinds = [
        (kind.strip(), _weight(more)) for kind, _, more in (part.partition(";") for part in accept.lower().split(","))
    ]
    liked = [(form, weight) for kind, weight in kinds for form in FORMS.values() if form.media_type == kind and weight]
    return max(liked, key=lambda one: one[1])[0] if liked else FORMS["json"]


def _weight(parameters: str) -> float:
    """How much a kind is liked (RFC 9110, 12.4.2), 1 where nothing is said of it."""
    found = re.search(r"(?:^|;)\s*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*(?:;|$)", parameters)
    return float(found[1]) if found else 1.0


def as_table(said: dict[str, Any]) -> bytes:
    """The seizures as SzCORE's events.tsv. ProblemError 406 for what was not evaluated, and for no detection.

    A table without seizures says that there were none where somebody looked: it has background rows there and nowhere
    else, and what could not be evaluated has no table.
    """
    if "events" not in said:
        raise ProblemError(406, "only detections have a table of events: ask for json, fhir or edf")
    if said["events"] is None:
        raise ProblemError(406, f"not evaluable ({said['code']}): a table would read as if there were no seizure")
    events = tuple(
        Event(e["onset_s"], e["duration_s"], confidence=e["confidence"], channels=tuple(e["channels"]))
        for e in said["events"]
    )
    return events_table(Annotations(events, said["duration_s"]), looked_at=tuple(_looked_at(said))).encode()


def _looked_at(said: dict[str, Any]) -> Iterator[tuple[float, float]]:
    """The stretches between those that were not assessed."""
    at_s = 0.0
    for span in sorted(said["not_assessed"], key=lambda span: span["onset_s"]):
        if span["onset_s"] > at_s:
            yield at_s, span["onset_s"] - at_s
        at_s = max(at_s, span["onset_s"] + span["duration_s"])
    if at_s < said["duration_s"]:
        yield at_s, said["duration_s"] - at_s


def as_edf(said: dict[str, Any]) -> bytes:
    """Remarks in EDF+, to lay beside the recording in any viewer: what was found, and where nobody looked."""
    return annotations_edf(sorted(_remarks(said), key=lambda remark: remark[0]))


def _remarks(said: dict[str, Any]) -> Iterator[tuple[float, float | None, str]]:
    model = said["model"]
    by = f"{model['name']} {model['digest'][:12]}" if model else "no model"
    yield 0.0, None, f"Ictal ({by}): review required"
    if said["outcome"] == "not_evaluable":
        yield 0.0, said["duration_s"] or None, f"not evaluable: {said['code']}"
    for event in said.get("events") or ():
        sure = "" if event["confidence"] is None else f" ({event['confidence']:.2f})"
        yield event["onset_s"], event["duration_s"], f"sz{sure}"
    for name, text in (("not_assessed", "not assessed"), ("abstained", "undecided")):
        for span in said.get(name) or () if said["outcome"] != "not_evaluable" else ():
            yield span["onset_s"], span["duration_s"], text
    for stretch in said.get("stretches") or ():
        what = f"not evaluable: {stretch['code']}" if stretch["code"] else _named(stretch)
        yield stretch["onset_s"], stretch["duration_s"], what


def _named(stretch: dict[str, Any]) -> str:
    return f"{stretch['name']} ({stretch['probabilities'][stretch['name']]:.2f})"


def _as_json(said: dict[str, Any]) -> bytes:
    return json.dumps(said, allow_nan=False).encode()


FORMS = {
    "json": Form("application/json", _as_json),
    "fhir": Form("application/fhir+json", as_fhir, is_slow=True),
    "tsv": Form("text/tab-separated-values", as_table, "events.tsv"),
    "edf": Form("application/edf", as_edf, "annotations.edf"),
}


def examples() -> dict[str, Any]:
    """An example of every form that is a text, by media type: all of the one example of an answer."""
    bundle = json.loads(as_fhir(EXAMPLE))
    texts = {"json": EXAMPLE, "fhir": bundle, "tsv": as_table(EXAMPLE).decode()}
    shown: dict[str, Any] = {FORMS[name].media_type: {"example": example} for name, example in texts.items()}
    return shown | {FORMS["edf"].media_type: {"schema": {"type": "string", "format": "binary"}}}
