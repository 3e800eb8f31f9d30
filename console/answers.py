"""An answer as people read it: what was found and when, where nothing is said and why, and what readers made of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from console.shelf import Stretch
from lineage.digest import Digest
from lineage.ledger import Entry, Ledger
from models import forecasting, spasms

MEANS_NOTHING = {"spasms": spasms.CLASSES[0], "forecasting": forecasting.CLASSES[0]}
"""The class of a task that says that nothing was found; no stretch is drawn or listed for it."""

NOT_ASSESSED, ABSTAINED = "not assessed", "abstained"
"""Where nobody could look, and where the model looked and does not commit itself."""


@dataclass(frozen=True)
class Told:
    """What an answer says of its recording: `found`, in the order of time, and `silent`, the stretches of which it says nothing.

    `found` is None where the outcome is `not_evaluable`. `passed_over` counts stretches that were looked at and called what
    means nothing (no spasm, no warning). `views` holds name (empty where none was sent) and digest of each film, of two or more.
    `frames_lost` counts frames of film that could not be decoded (of a film too long to be decoded whole, those looked at),
    `frames_after_lost` those between such a one and the next key frame, `frames_missing` those that are not there between the
    times of the others. `length_stated` is False where the file of a view does not state its length.
    """

    question: str
    found: tuple[Stretch, ...] | None
    silent: tuple[Stretch, ...]
    passed_over: int = 0
    views: tuple[tuple[str, Digest], ...] = ()
    frames_lost: int = 0
    frames_after_lost: int = 0
    frames_missing: int = 0
    length_stated: bool = True

    @property
    def not_assessed_s(self) -> float:
        """Seconds in which nobody could look."""
        return sum(s.duration_s for s in self.silent if s.text != ABSTAINED)

    @property
    def abstained_s(self) -> float:
        """Seconds in which the model looked and does not commit itself."""
        return sum(s.duration_s for s in self.silent if s.text == ABSTAINED)

    @property
    def sentence(self) -> str:
        """What was found, in one line."""
        if self.found is None:
            return "Nothing can be said of this recording"
        many = len(self.found)
        if self.question == "detection":
            return (
                f"{many} seizure{'' if many == 1 else 's'} found"
                if many
                else "No seizure found in what could be assessed"
            )
        names = ", ".join(dict.fromkeys(stretch.text for stretch in self.found))
        if self.question not in MEANS_NOTHING:
            return f"Named {names}" if names else "No name was given"
        of = f"{many + self.passed_over} stretches"
        return f"{many} of {of} named {names}" if many else f"None of {of} shows anything"


def told(said: Mapping[str, Any]) -> Told:
    """An answer as the ledger keeps it (`serving.schema`), read for people; KeyError for what is none."""
    return replace(
        _told(said),
        views=_views(said),
        frames_lost=_of_frames(said, "frames_lost"),
        frames_after_lost=_of_frames(said, "frames_after_lost"),
        frames_missing=sum(said.get("frames_missing", ())),
        length_stated=all(said.get("length_stated", ())),
    )


def _of_frames(said: Mapping[str, Any], count: str) -> int:
    """As counted in whole films; else as each stretch counts them, where one that two stretches share counts in both."""
    whole = said.get(count, ())
    looked_at = [s.get(count, 0) for s in said.get("stretches") or ()]
    known = sum(n or 0 for n in whole)
    return max(known, sum(looked_at)) if None in whole else known


def _told(said: Mapping[str, Any]) -> Told:
    question = str(said.get("question") or "detection")
    silent = tuple(
        Stretch(s["onset_s"], s["duration_s"], text)
        for key, text in (("not_assessed", NOT_ASSESSED), ("abstained", ABSTAINED))
        for s in said.get(key) or ()
    )
    if said["outcome"] == "not_evaluable":
        return Told(question, None, silent)
    if said.get("stretches") is None:
        return Told(question, tuple(_event(e) for e in said.get("events") or ()), silent)
    named = [s for s in said["stretches"] if s["name"] is not None]
    found = tuple(_named(s) for s in named if s["name"] != MEANS_NOTHING.get(question))
    unsaid = tuple(_unsaid(s) for s in said["stretches"] if s["name"] is None)
    return Told(question, found, unsaid, len(named) - len(found))


def _views(said: Mapping[str, Any]) -> tuple[tuple[str, Digest], ...]:
    asked = said.get("asked") or {}
    files = asked.get("files", ())
    return tuple(zip(asked.get("views") or [""] * len(files), files, strict=True)) if len(files) > 1 else ()


def _event(one: Mapping[str, Any]) -> Stretch:
    return Stretch(one["onset_s"], one["duration_s"], "sz", one["confidence"], _drivers(one))


def _named(one: Mapping[str, Any]) -> Stretch:
    name = one["name"]
    return Stretch(one["onset_s"], one["duration_s"], name, one["probabilities"][name], _drivers(one))


def _unsaid(one: Mapping[str, Any]) -> Stretch:
    return Stretch(one["onset_s"], one["duration_s"], f"{NOT_ASSESSED} ({one['code']}): {one['reason']}")


def _drivers(one: Mapping[str, Any]) -> tuple[tuple[str, float], ...]:
    """Channels with the share (0–1) by which each drove an event or a name; empty where the model does not tell."""
    drivers = one.get("drivers") or {}
    return tuple((c["channel"], c["share"]) for c in drivers.get("channels", ()))


@dataclass(frozen=True)
class Judged:
    """A reader's verdict on an answer: its line in the ledger, and what it says; None where that was erased."""

    entry: Entry
    said: Mapping[str, Any] | None

    @property
    def instead(self) -> tuple[Stretch, ...] | None:
        """What an edit says that the answer should have been; None of a verdict on the answer as a whole."""
        said = self.said or {}
        if "stretches" in said:
            return tuple(Stretch(s["onset_s"], s["duration_s"], s["name"]) for s in said["stretches"])
        if "events" in said:
            return tuple(Stretch(e["onset_s"], e["duration_s"], e["type"]) for e in said["events"])
        return None


def verdicts(ledger: Ledger, prediction: Digest) -> list[Judged]:
    """What readers made of a prediction, the first verdict first; each stays."""
    lines = ledger.entries("verdict.recorded", prediction)
    return [Judged(line, ledger.payload(line.payload_digest)) for line in lines]
