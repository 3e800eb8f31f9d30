"""The way of a prediction back to raw bytes as a picture: boxes and lines, and the same things as rows of a table.

Things that hang alike share a box (“60 recordings”), so that a picture stays readable however much a model has learnt from.
Whether bytes are those that were registered stands in words and colour.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lineage.boxes import BOX_H, BOX_W, Hanging, Stroke, boxed, cut, place

MATCHES = "matches"


@dataclass(frozen=True)
class Thing:
    """One box: `many` things of a kind, what they are called, and of recordings how many have the registered bytes."""

    key: str
    kind: str
    label: str
    digest: str = ""
    many: int = 1
    matching: int | None = None

    @property
    def state(self) -> str:
        """`matches`, `differs`, or nothing where there are no bytes to hash."""
        if self.matching is None:
            return ""
        return MATCHES if self.matching == self.many else "differs"

    @property
    def name(self) -> str:
        """The label of a thing that is alone; of several, how many there are of the kind (`60 recordings`)."""
        return self.label if self.many == 1 else f"{self.many} {self.kind}s"

    @property
    def said(self) -> str:
        """What is found of its bytes, in words."""
        if self.matching is None:
            return ""
        if self.many == 1:
            return "✓ bytes match" if self.matching else "✗ bytes not found"
        missing = self.many - self.matching
        return f"✓ bytes of all {self.many} match" if not missing else f"✗ bytes of {missing} not found"


@dataclass(frozen=True)
class Chain:
    """Everything that a thing stands on. `start` is the key of the thing itself."""

    start: str
    things: Mapping[str, Thing]
    lines: tuple[Hanging, ...]

    @property
    def recordings(self) -> int:
        """How many recordings it stands on."""
        return sum(t.many for t in self.things.values() if t.matching is not None)

    @property
    def missing(self) -> int:
        """Of how many of them the registered bytes were not found."""
        return self.recordings - sum(t.matching or 0 for t in self.things.values())

    @property
    def sentence(self) -> str:
        """The picture in a sentence, for those who do not see it."""
        kinds = dict.fromkeys(t.kind for t in self.things.values() if t.key != self.start and t.matching is None)
        start, found = self.things[self.start], self.recordings - self.missing
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
    hashed = [bytes_[member.key] for member in members if member.key in bytes_]
    return replace(made, matching=sum(said.startswith(MATCHES) for said in hashed)) if hashed else made


def draw(chain: Chain) -> Picture:
    """Where everything of a chain is drawn."""
    drawn = place({key: thing.kind for key, thing in chain.things.items()}, chain.lines)
    boxes = tuple(Box(chain.things[key], *corner) for key, corner in drawn.corners.items())
    return Picture(drawn.width, drawn.height, boxes, drawn.strokes)
