"""The way of a prediction back to raw bytes as a picture: boxes and lines, and the same things as rows of a table.

Things of one kind that hang in the same way on the same things become one box (“60 recordings”), so that a picture
stays readable however much a model has learnt from. Whether bytes are those that were registered stands in words and colour.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, NamedTuple

from console.layers import Line, lay_out

BOX = (232, 66)
"""Width and height of a box, in the units of the picture (pixels at full size)."""

GAP, BETWEEN, MARGIN = 26, 58, 8
"""Between boxes of a row, between rows, around everything."""

LEAVING, ARRIVING = 64, 16
"""Distance between lines that leave a box, each with its relation beside it, and between those that end at one."""

RELATION_AT = ((0.16, 0.3), (0.57, 0.54))
"""Where on its first curve a line's relation stands, across and down: by turns, so that neighbours do not collide."""

LETTERS = 25
"""Of a label, as many as fit into a box."""

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
class Hanging:
    """`upper` came from `lower`, or by right of it, in the way that `relation` says."""

    upper: str
    relation: str
    lower: str


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
    """A thing where it is drawn: its upper left corner."""

    thing: Thing
    x: float
    y: float

    @property
    def title(self) -> str:
        name = self.thing.name
        return name if len(name) <= LETTERS else name[: LETTERS - 1] + "…"


@dataclass(frozen=True)
class Stroke:
    """A line as an SVG path, and where its relation is written."""

    path: str
    relation: str
    x: float
    y: float


@dataclass(frozen=True)
class Picture:
    width: float
    height: float
    boxes: tuple[Box, ...]
    strokes: tuple[Stroke, ...]
    box_width: float = BOX[0]
    box_height: float = BOX[1]


@dataclass
class _Met:
    """What is known of a thing while a walk is read."""

    kind: str
    label: str
    hangs: set[tuple[str, str]] = field(default_factory=set)


def chain(found: Mapping[str, Any], signers: Mapping[str, Sequence[str]] | None = None) -> Chain:
    """The answer of `why` as things and lines; `signers` are the names under each approval, by its digest."""
    subject, bytes_ = found["subject"], found["raw_bytes"]
    met = {subject["digest"]: _Met(subject["kind"], subject["label"])}
    for step in found["steps"]:
        met.setdefault(step["digest"], _Met(step["kind"], step["label"])).hangs.add((step["at"], step["relation"]))
    for approval, names in (signers or {}).items():
        for name in names if approval in met else ():
            met.setdefault(name, _Met("signature", name)).hangs.add((approval, "signed_by"))
    key_of = _grouped(met)
    members: dict[str, list[str]] = defaultdict(list)
    for digest, key in key_of.items():
        members[key].append(digest)
    things = {key: _thing(alike, met, bytes_) for key, alike in members.items()}
    place = {digest: i for i, digest in enumerate(met)}
    hangs = sorted((place[at], place[d], relation) for d, thing in met.items() for at, relation in thing.hangs)
    names = list(met)
    lines = dict.fromkeys(Hanging(key_of[names[a]], r.replace("_", " "), key_of[names[b]]) for a, b, r in hangs)
    return Chain(subject["digest"], things, tuple(lines))


def _grouped(met: Mapping[str, _Met]) -> dict[str, str]:
    """Of each thing the first of those that share its box: of one kind, hanging in the same ways on the same boxes."""
    key_of = {digest: digest for digest in met}
    while True:
        first: dict[Any, str] = {}
        again = {}
        for digest, thing in met.items():
            alone = digest if thing.kind == "signature" else ""  # who signed is to be read
            hangs = frozenset((key_of[at], relation) for at, relation in thing.hangs)
            again[digest] = first.setdefault((thing.kind, alone, hangs), digest)
        if again == key_of:
            return key_of
        key_of = again


def _thing(members: Sequence[str], met: Mapping[str, _Met], bytes_: Mapping[str, str]) -> Thing:
    first = met[members[0]]
    made = Thing(members[0], first.kind, first.label, "" if first.kind == "signature" else members[0], len(members))
    if len(members) > 1:
        made = replace(made, label=", ".join(met[m].label for m in members[:2]) + ", …" * (len(members) > 2), digest="")
    hashed = [bytes_[m] for m in members if m in bytes_]
    return replace(made, matching=sum(said.startswith(MATCHES) for said in hashed)) if hashed else made


def draw(chain: Chain) -> Picture:
    """Where everything of a chain is drawn. A chain of one thing is one box."""
    width, height = BOX
    if not chain.lines:
        only = Box(chain.things[chain.start], MARGIN, MARGIN)
        return Picture(width + 2 * MARGIN, height + 2 * MARGIN, (only,), ())
    ends: dict[Line, list[str]] = defaultdict(list)
    for line in chain.lines:
        ends[line.upper, line.lower].append(line.relation)
    recordings = [t.key for t in chain.things.values() if t.kind == "recording"]
    placed = lay_out(list(ends), box=width, gap=GAP, level=recordings)
    boxes = [
        Box(chain.things[key], MARGIN + middle - width / 2, MARGIN + row * (height + BETWEEN))
        for key, (middle, row) in placed.at.items()
    ]
    leaving, arriving = _ports(placed.routes, first=True), _ports(placed.routes, first=False)
    strokes = [
        _stroke(route, placed.at[line[0]][1], leaving[line], arriving[line], ", ".join(ends[line]))
        for line, route in placed.routes.items()
    ]
    rows = placed.rows
    return Picture(
        placed.width + 2 * MARGIN,
        rows * height + (rows - 1) * BETWEEN + 2 * MARGIN,
        tuple(boxes),
        tuple(strokes),
    )


class Port(NamedTuple):
    """Where a line meets a side of a box: how far from its middle, and the how-manieth there from the left."""

    apart: float
    place: int


def _ports(routes: Mapping[Line, Sequence[float]], *, first: bool) -> dict[Line, Port]:
    """Where each line leaves its upper box (or ends at its lower one), in the order of where it goes to (comes from)."""
    meeting: dict[str, list[tuple[float, Line]]] = defaultdict(list)
    for line, route in routes.items():
        meeting[line[0 if first else 1]].append((route[1] if first else route[-2], line))
    ports: dict[Line, Port] = {}
    for lines in meeting.values():
        step = min(LEAVING if first else ARRIVING, (BOX[0] - 40) / len(lines))
        for place, (_, line) in enumerate(sorted(lines)):
            ports[line] = Port((place - (len(lines) - 1) / 2) * step, place)
    return ports


def _stroke(route: Sequence[float], row: int, leaving: Port, arriving: Port, relation: str) -> Stroke:
    """A line down through the rows: curved between them, straight beside the boxes of those that it passes."""
    height = BOX[1]
    xs = [MARGIN + x for x in route]
    xs[0], xs[-1] = xs[0] + leaving.apart, xs[-1] + arriving.apart
    y = MARGIN + row * (height + BETWEEN) + height
    path = f"M{xs[0]:.1f},{y:.1f}"
    across, down = RELATION_AT[leaving.place % 2]
    beside = xs[0] + across * (xs[1] - xs[0]), y + down * BETWEEN
    for place, (left, right) in enumerate(pairwise(xs)):
        half = y + BETWEEN / 2
        path += f" C{left:.1f},{half:.1f} {right:.1f},{half:.1f} {right:.1f},{y + BETWEEN:.1f}"
        y += BETWEEN
        if place < len(xs) - 2:
            y += height
            path += f" V{y:.1f}"
    return Stroke(path, relation, *beside)
