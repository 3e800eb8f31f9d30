"""The drawing of a lineage, on a page or in an evidence pack: what shares a box, where boxes stand, how lines run."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from lineage.layers import Line, lay_out

BOX_W, BOX_H = 244, 66
"""Width and height of a box, in the units of the picture (pixels at full size)."""

GAP, BETWEEN, MARGIN = 28, 58, 12
"""Between boxes of a row, between rows, around everything."""

LEAVING, ARRIVING = 64, 16
"""Distance between lines that leave a box, each with its relation beside it, and between those that end at one."""

RELATION_AT = ((0.16, 0.3), (0.57, 0.54))
"""Where on its first curve a line's relation stands, across and down: by turns, so that neighbours do not collide."""

LETTERS = 26
"""Of a name, as many as fit into a box."""

MANY = 3
"""So many alike things, and more, share a box."""


@dataclass(frozen=True)
class Hanging:
    """`upper` came from `lower`, or by right of it, in the way that `relation` says."""

    upper: str
    relation: str
    lower: str


@dataclass(frozen=True)
class Stroke:
    """A line as an SVG path that ends where its tip is, and where its relation is written."""

    path: str
    relation: str
    x: float
    y: float


@dataclass(frozen=True)
class Drawn:
    """`corners` are the upper left ones of the boxes."""

    width: float
    height: float
    rows: int
    corners: Mapping[str, tuple[float, float]]
    strokes: tuple[Stroke, ...]


def boxed(
    kinds: Mapping[str, str], hangings: Iterable[Hanging], alone: Collection[str] = ()
) -> tuple[dict[str, list[str]], list[Hanging]]:
    """What shares each box, by the first of it, and the lines between boxes, each once; all in the order of `kinds`.

    `MANY` or more of one kind share one if the same came from them in the same ways. What is `alone`, and that from which
    nothing came, has a box of its own.
    """
    lines = list(hangings)
    box_of = _alike(kinds, lines, alone)
    members: dict[str, list[str]] = defaultdict(list)
    for key, box in box_of.items():
        members[box].append(key)
    order = {key: i for i, key in enumerate(kinds)}
    lines.sort(key=lambda line: (order[line.upper], order[line.lower], line.relation))
    return members, list(dict.fromkeys(Hanging(box_of[o.upper], o.relation, box_of[o.lower]) for o in lines))


def place(kinds: Mapping[str, str], hangings: Iterable[Hanging], *, upwards: bool = False) -> Drawn:
    """Boxes and lines of a lineage, recordings in one row. `upwards`: what a thing came from stands above it instead."""
    relations: dict[Line, list[str]] = defaultdict(list)
    for line in hangings:
        relations[line.upper, line.lower].append(line.relation.replace("_", " "))
    recordings = [key for key, kind in kinds.items() if kind == "recording"]
    laid = lay_out(list(relations), box=BOX_W, gap=GAP, level=recordings, alone=list(kinds))
    height = laid.rows * (BOX_H + BETWEEN) - BETWEEN + 2 * MARGIN
    corners = {
        key: (MARGIN + middle - BOX_W / 2, _row_y(laid.rows - 1 - row if upwards else row))
        for key, (middle, row) in laid.at.items()
    }
    leaving, arriving = _ports(laid.routes, first=True), _ports(laid.routes, first=False)
    strokes = [
        _stroke(route, laid.at[line[0]][1], leaving[line], arriving[line], ", ".join(relations[line]), height * upwards)
        for line, route in laid.routes.items()
    ]
    return Drawn(laid.width + 2 * MARGIN, height, laid.rows, corners, tuple(strokes))


def cut(name: str) -> str:
    """As much of a name as fits into a box."""
    return name if len(name) <= LETTERS else name[: LETTERS - 1] + "…"


def _alike(kinds: Mapping[str, str], hangings: Sequence[Hanging], alone: Collection[str]) -> dict[str, str]:
    """Of each thing the first of those that share its box. What hangs alike on one box may share one in turn."""
    hangs: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for line in hangings:
        hangs[line.lower].add((line.upper, line.relation))
    box_of = {key: key for key in kinds}
    while True:
        groups: dict[tuple[str, frozenset[tuple[str, str]]], list[str]] = defaultdict(list)
        for key in kinds:
            if hangs[key] and key not in alone:
                groups[kinds[key], frozenset((box_of[upper], how) for upper, how in hangs[key])].append(key)
        shared = {key: group[0] for group in groups.values() if len(group) >= MANY for key in group}
        again = {key: shared.get(key, key) for key in kinds}
        if again == box_of:
            return box_of
        box_of = again


def _row_y(row: int) -> float:
    return float(MARGIN + row * (BOX_H + BETWEEN))


class _Port(NamedTuple):
    """Where a line meets a side of a box: how far from its middle, and the how-manieth there from the left."""

    apart: float
    place: int


def _ports(routes: Mapping[Line, Sequence[float]], *, first: bool) -> dict[Line, _Port]:
    """Where each line leaves its upper box (or ends at its lower one), in the order of where it goes to (comes from)."""
    meeting: dict[str, list[tuple[float, Line]]] = defaultdict(list)
    for line, route in routes.items():
        meeting[line[0 if first else 1]].append((route[1] if first else route[-2], line))
    ports: dict[Line, _Port] = {}
    for lines in meeting.values():
        step = min(LEAVING if first else ARRIVING, (BOX_W - 40) / len(lines))
        for number, (_, line) in enumerate(sorted(lines)):
            ports[line] = _Port((number - (len(lines) - 1) / 2) * step, number)
    return ports


def _stroke(
    route: Sequence[float], row: int, leaving: _Port, arriving: _Port, relation: str, turned_at: float
) -> Stroke:
    """A line through the rows: curved between them, straight beside the boxes of those that it passes.

    `turned_at`: the height of a picture that is read upwards, else 0.
    """

    def turn(y: float) -> float:
        return turned_at - y if turned_at else y

    xs = [MARGIN + x for x in route]
    xs[0], xs[-1] = xs[0] + leaving.apart, xs[-1] + arriving.apart
    y = _row_y(row) + BOX_H
    path = f"M{xs[0]:.1f} {turn(y):.1f}"
    across, down = RELATION_AT[leaving.place % 2]
    beside = xs[0] + across * (xs[1] - xs[0]), turn(y + down * BETWEEN)
    for left, right in pairwise(xs):
        half, end = turn(y + BETWEEN / 2), turn(y + BETWEEN)
        path += f"C{left:.1f} {half:.1f} {right:.1f} {half:.1f} {right:.1f} {end:.1f}"
        y += BETWEEN + BOX_H
        path += f"V{turn(y):.1f}"
    return Stroke(path.rpartition("V")[0], relation, *beside)
