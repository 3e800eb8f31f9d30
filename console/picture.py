"""The way of a prediction back to raw bytes as a picture: boxes and lines, and the same things as rows of a table.

Things that hang alike share a box (“60 recordings”), so that a picture stays readable however much a model has learnt from.
Whether bytes are those that were registered stands in words and colour.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lineage.boxes import BOX_H, BOX_W, Hanging, Stroke, boxed, cut, place

MATCHES, NOT_KEPT, ERASED, OTHER_BYTES, MISSING = "matches", "not kept", "erased", "other bytes", "missing"
STATES = (MATCHES, NOT_KEPT, ERASED, OTHER_BYTES, MISSING)
"""How what is found of a recording's bytes begins, from what is well to what is not: those that were registered; a site's
upload, which nobody keeps; gone with a consent; other ones where they stood; gone."""

AMISS = (OTHER_BYTES, MISSING)
MARKS = {MATCHES: "✓", NOT_KEPT: "·", ERASED: "·", OTHER_BYTES: "✗", MISSING: "✗"}


@dataclass(frozen=True)
class Thing:
    """One box: `many` things of a kind, what they are called, and of recordings how many are in which of `STATES`."""

    key: str
    kind: str
    label: str
    digest: str = ""
    many: int = 1
    bytes_: Mapping[str, int] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """`differs` where bytes are amiss, `matches` where all are those that were registered; nothing where none were
        hashed, or none can be here."""
        if any(self.bytes_.get(state) for state in AMISS):
            return "differs"
        return MATCHES if self.bytes_.get(MATCHES) else ""

    @property
    def name(self) -> str:
        """The label of a thing that is alone; of several, how many there are of the kind (`60 recordings`)."""
        return self.label if self.many == 1 else f"{self.many} {self.kind}s"

    @property
    def said(self) -> str:
        """What is found of its bytes, in words; the worst first."""
        return ", ".join(
            f"{MARKS[state]} {_in_words(state, self.bytes_[state], self.many)}"
            for state in reversed(STATES)
            if self.bytes_.get(state)
        )


def _in_words(state: str, count: int, many: int) -> str:
    whose = "" if many == 1 else f" of all {many}" if count == many else f" of {count}"
    return {
        MATCHES: f"bytes{whose} match",
        NOT_KEPT: f"bytes{whose} not kept, as intended",
        ERASED: f"bytes{whose} erased",
        OTHER_BYTES: f"other bytes{whose} here",
        MISSING: f"bytes{whose} missing",
    }[state]


@dataclass(frozen=True)
class Chain:
    """Everything that a thing stands on. `start` is the key of the thing itself."""

    start: str
    things: Mapping[str, Thing]
    lines: tuple[Hanging, ...]

    @property
    def recordings(self) -> int:
        """How many recordings it stands on."""
        return sum(self.bytes_.values())

    @property
    def bytes_(self) -> dict[str, int]:
        """How many of them are in which of `STATES`; those in which none is are left out."""
        found = Counter[str]()
        for thing in self.things.values():
            found.update(thing.bytes_)
        return dict(found)

    @property
    def amiss(self) -> list[str]:
        """What is wrong with bytes that should be here, in sentences."""
        of = f"Of {self.recordings} recording{'' if self.recordings == 1 else 's'}"
        told = {OTHER_BYTES: "other bytes stand where those of {} stood", MISSING: "the bytes of {} are missing"}
        return [f"{of}, {told[state].format(self.bytes_[state])}" for state in AMISS if state in self.bytes_]

    @property
    def not_here(self) -> list[str]:
        """Bytes that are not here, and are not meant to be, in sentences."""
        told = {
            NOT_KEPT: "{} sent by a site and not kept, as intended: only the digest was written down",
            ERASED: "{} erased, as consent was withdrawn",
        }
        found = [(state, self.bytes_[state]) for state in told if state in self.bytes_]
        return [
            told[state].format(
                "The recording was" if self.recordings == n == 1 else f"{n} recording{' was' if n == 1 else 's were'}"
            )
            for state, n in found
        ]

    @property
    def sentence(self) -> str:
        """The picture in a sentence, for those who do not see it."""
        kinds = dict.fromkeys(t.kind for t in self.things.values() if t.key != self.start and not t.bytes_)
        start, found = self.things[self.start], self.bytes_.get(MATCHES, 0)
        bytes_ = f"; of {self.recordings} recordings, the bytes of {found} are those that were registered"
        return f"{start.kind} {start.label} stands on: {', '.join(kinds)}{bytes_}."


@dataclass(frozen=True)
class Box:
    """A thing where it is drawn: its upper left corner, in units of the SVG."""

    thing: Thing
    x: float
    y: float

    @property
    def title(self) -> str:
        """The thing's name, cut off with `…` where the box is too narrow for it."""
        return cut(self.thing.name)


@dataclass(frozen=True)
class Picture:
    """A chain as it is drawn, in units of the SVG; all boxes are of one size."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    strokes: tuple[Stroke, ...]
    box_width: float = BOX_W
    box_height: float = BOX_H


def chain(found: Mapping[str, Any], signers: Mapping[str, Sequence[str]] | None = None) -> Chain:
    """The answer of `why` (`ictal audit why --json`) as things and lines; `signers` are the names under each approval,
    by its digest."""
    subject, bytes_ = found["subject"], found["raw_bytes"]
    met = {subject["digest"]: Thing(subject["digest"], subject["kind"], subject["label"], subject["digest"])}
    hangings = []
    for step in found["steps"]:
        met.setdefault(step["digest"], Thing(step["digest"], step["kind"], step["label"], step["digest"]))
        hangings.append(Hanging(step["at"], step["relation"].replace("_", " "), step["digest"]))
    for approval, names in (signers or {}).items():
        for name in names if approval in met else ():
            met.setdefault(name, Thing(name, "signature", name))
            hangings.append(Hanging(approval, "signed by", name))
    signatures = [key for key, thing in met.items() if thing.kind == "signature"]  # who signed is to be read
    members, lines = boxed({key: thing.kind for key, thing in met.items()}, hangings, alone=signatures)
    things = {key: _thing([met[m] for m in alike], bytes_) for key, alike in members.items()}
    return Chain(subject["digest"], things, tuple(lines))


def _thing(members: Sequence[Thing], bytes_: Mapping[str, str]) -> Thing:
    made = members[0]
    if len(members) > 1:
        label = ", ".join(member.label for member in members[:2]) + ", …"
        made = replace(made, label=label, digest="", many=len(members))
    said = [bytes_[member.key] for member in members if member.key in bytes_]
    return replace(made, bytes_=Counter(next(state for state in STATES if one.startswith(state)) for one in said))


def draw(chain: Chain) -> Picture:
    """Where everything of a chain is drawn."""
    drawn = place({key: thing.kind for key, thing in chain.things.items()}, chain.lines)
    boxes = tuple(Box(chain.things[key], *corner) for key, corner in drawn.corners.items())
    return Picture(drawn.width, drawn.height, boxes, drawn.strokes)
