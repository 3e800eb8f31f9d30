"""Lineage as a picture: what a thing came from above it, what was decided about it below, as one SVG."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from lineage.digest import Digest
from lineage.entries import Edge
from lineage.graph import Node

BOX_W, BOX_H, GAP_X, GAP_Y, MARGIN = 244, 66, 30, 58, 24
"""In SVG units, which are CSS pixels at full size."""

LETTERS = 26
"""How much of a label fits into a box."""

MANY = 3
"""So many things of one kind from which the same was made, and more, are drawn as one stack."""

COLOURS = {
    "recording": ("#e8f1fa", "#2b6ca3"), "dataset": ("#e8f1fa", "#2b6ca3"), "split": ("#e8f1fa", "#2b6ca3"),
    "run": ("#f0f2f4", "#55616e"), "validation": ("#eef8f2", "#00684e"), "evaluation": ("#eef8f2", "#00684e"),
    "report": ("#eef8f2", "#00684e"), "approval": ("#fff8e5", "#8a5a00"), "candidate": ("#fff8e5", "#8a5a00"),
    "signature": ("#fff8e5", "#8a5a00"), "revocation": ("#fdf1ef", "#b3261e"), "deployment": ("#f3eefa", "#5b3a91"),
    "prediction": ("#f3eefa", "#5b3a91"),
}  # fmt: skip
"""Fill and border: data blue, work grey, judgement green, people amber, use violet."""

OTHER = ("#f0f2f4", "#55616e")
SUBJECT = ("#12355b", "#12355b")


Point = tuple[float, float]


@dataclass(frozen=True)
class _Box:
    """One thing, or a stack of `count` things of a kind."""

    key: Digest
    kind: str
    label: str
    count: int = 1


@dataclass(frozen=True)
class _Bend:
    """Where an arrow passes a row between other boxes, so that it is not hidden behind one."""

    line: Edge
    row: int


Spot = Digest | _Bend


def draw(about: Digest, nodes: Iterable[Node], edges: Iterable[Edge]) -> str:
    """The SVG, the same bytes for the same lineage. Arrows lead from a thing to what it came from."""
    boxes, lines = _stacked({n.digest: n for n in nodes}, sorted(edges))
    rows, above = _rows(boxes, lines)
    widths = [sum(_width(spot) + GAP_X for spot in row) - GAP_X for row in rows]
    width, height = MARGIN * 2 + max(widths), MARGIN * 2 + len(rows) * (BOX_H + GAP_Y) - GAP_Y
    corner = _corners(rows, widths, width)
    subject = boxes[about]
    told = f"Lineage of the {subject.kind} {subject.label}: {len(boxes)} boxes in {len(rows)} rows"
    parts = [*_arrows(lines, above, corner), *(_drawn(box, *corner[key], key == about) for key, box in boxes.items())]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{escape(told)}" font-family="system-ui, \'Segoe UI\', Roboto, Arial, sans-serif">\n'
        f"<title>{escape(told)}</title>\n"
        f'<rect width="{width}" height="{height}" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _stacked(nodes: Mapping[Digest, Node], edges: Sequence[Edge]) -> tuple[dict[Digest, _Box], list[Edge]]:
    """Many things of a kind that nothing is known of but what was made from them become one box."""
    made_from = defaultdict(set)
    for edge in edges:
        made_from[edge.parent].add((edge.relation, edge.child))
    has_parents = {edge.child for edge in edges}
    alike = defaultdict(list)
    for digest, node in nodes.items():
        if digest not in has_parents:
            alike[node.kind, tuple(sorted(made_from[digest]))].append(digest)
    stacks = {d: group for group in alike.values() if len(group) >= MANY for d in group}
    boxes = {}
    for digest, node in nodes.items():
        group = stacks.get(digest, [digest])
        label = f"{len(group)} {node.kind}s" if len(group) > 1 else node.label
        if digest == group[0]:
            boxes[digest] = _Box(digest, node.kind, label, len(group))
    return boxes, [edge for edge in edges if edge.parent in boxes and edge.child in boxes]


def _rows(boxes: Mapping[Digest, _Box], lines: Sequence[Edge]) -> tuple[list[list[Spot]], dict[Spot, list[Spot]]]:
    """Every box one row below the lowest of what it came from, and what each spot hangs on in the row above it.

    In a row, spots stand in the order of what they hang on.
    """
    depth = _depths(boxes, lines)
    rows: list[list[Spot]] = [[] for _ in range(1 + max(depth.values()))]
    for key in boxes:
        rows[depth[key]].append(key)
    above: dict[Spot, list[Spot]] = defaultdict(list)
    for line in lines:
        bends = [_Bend(line, row) for row in range(depth[line.parent] + 1, depth[line.child])]
        for bend in bends:
            rows[bend.row].append(bend)
        way: list[Spot] = [line.parent, *bends, line.child]
        for upper, lower in pairwise(way):
            above[lower].append(upper)
    at: dict[Spot, float] = {}
    for row in rows:
        row.sort(key=lambda spot: sum(at[up] for up in above[spot]) / len(above[spot]) if above[spot] else 0.0)
        at |= {spot: place - (len(row) - 1) / 2 for place, spot in enumerate(row)}
    return rows, above


def _depths(boxes: Iterable[Digest], lines: Sequence[Edge]) -> dict[Digest, int]:
    """The row of each box. What came from nothing known stands right above the first thing made from it."""
    parents, children = defaultdict(list), defaultdict(list)
    for line in lines:
        parents[line.child].append(line.parent)
        children[line.parent].append(line.child)
    depth: dict[Digest, int] = {}

    def deepen(key: Digest) -> int:
        if key not in depth:
            depth[key] = 1 + max(map(deepen, parents[key]), default=-1)
        return depth[key]

    for key in boxes:
        deepen(key)
    sources = [key for key in depth if not parents[key]]
    return depth | {key: min((depth[c] for c in children[key]), default=1) - 1 for key in sources}


def _width(spot: Spot) -> int:
    return 12 if isinstance(spot, _Bend) else BOX_W


def _corners(rows: Sequence[Sequence[Spot]], widths: Sequence[int], width: int) -> dict[Spot, Point]:
    """Left upper corner of every spot; rows are centred."""
    corner: dict[Spot, Point] = {}
    for number, row in enumerate(rows):
        x = (width - widths[number]) / 2
        for spot in row:
            corner[spot] = x, float(MARGIN + number * (BOX_H + GAP_Y))
            x += _width(spot) + GAP_X
    return corner


def _arrows(lines: Sequence[Edge], above: Mapping[Spot, list[Spot]], corner: Mapping[Spot, Point]) -> list[str]:
    """From the top of a box to the bottom of what it came from, side by side in the order of where they lead."""
    bends = defaultdict(list)
    for spot in corner:
        if isinstance(spot, _Bend):
            bends[spot.line].append(spot)
    passed = {line: sorted(bends[line], key=lambda bend: bend.row) for line in lines}
    ways: dict[Edge, list[Spot]] = {line: [line.parent, *passed[line], line.child] for line in lines}
    starts = _ports({line: (line.child, corner[way[-2]]) for line, way in ways.items()}, corner)
    ends = _ports({line: (line.parent, corner[way[1]]) for line, way in ways.items()}, corner)
    return [
        _arrow(
            line.relation,
            (starts[line], corner[line.child][1]),
            [(corner[bend][0] + 6, corner[bend][1]) for bend in reversed(passed[line])],
            (ends[line], corner[line.parent][1] + BOX_H),
        )
        for line in lines
    ]


def _ports(meeting: Mapping[Edge, tuple[Digest, Point]], corner: Mapping[Spot, Point]) -> dict[Edge, float]:
    """Where along a box's edge each arrow touches it, in the order of where the arrows lead."""
    at = defaultdict(list)
    for line, (key, towards) in meeting.items():
        at[key].append((towards, line.relation, line))
    return {
        line: corner[key][0] + BOX_W * number / (len(touching) + 1)
        for key, touching in at.items()
        for number, (*_, line) in enumerate(sorted(touching), start=1)
    }


def _arrow(relation: str, start: Point, bends: Sequence[Point], end: Point) -> str:
    (x, y), path = start, f"M{start[0]:.1f} {start[1]:.1f}"
    for at_x, top in [*bends, (end[0], end[1] + 7)]:
        bottom = top + BOX_H if (at_x, top) in bends else top
        half = (y - bottom) / 2
        path += f"C{x:.1f} {y - half:.1f} {at_x:.1f} {bottom + half:.1f} {at_x:.1f} {bottom:.1f}V{top:.1f}"
        x, y = at_x, top
    name = escape(relation.replace("_", " "))
    return (
        f'<path d="{path}" fill="none" stroke="#8793a0" stroke-width="1.4"/>'
        f'<path d="M{end[0]:.1f} {end[1]:.1f}l-4.5 8h9z" fill="#8793a0"/>'
        f'<text x="{start[0]:.1f}" y="{start[1] - 7:.1f}" text-anchor="middle" font-size="12" font-style="italic" '
        f'fill="#3d4854" stroke="#fff" stroke-width="4" paint-order="stroke">{name}</text>'
    )


def _drawn(box: _Box, x: float, y: float, is_subject: bool) -> str:
    fill, border = SUBJECT if is_subject else COLOURS.get(box.kind, OTHER)
    ink, quiet = ("#fff", "#cfe0f2") if is_subject else ("#1d2733", "#55616e")
    frame = f'width="{BOX_W}" height="{BOX_H}" rx="7" fill="{fill}" stroke="{border}" stroke-width="1.5"'
    behind = "".join(f'<rect x="{x + s:.1f}" y="{y - s:.1f}" {frame}/>' for s in (8, 4)) if box.count > 1 else ""
    label = box.label if len(box.label) <= LETTERS else box.label[: LETTERS - 1] + "…"
    below = "the digest of each is in graph.json" if box.count > 1 else box.key[:12]
    family = "" if box.count > 1 else " font-family=\"ui-monospace, Menlo, Consolas, 'Liberation Mono', monospace\""
    return (
        f'{behind}<rect x="{x:.1f}" y="{y:.1f}" {frame}/>'
        f'<text x="{x + 12:.1f}" y="{y + 19:.1f}" font-size="11" letter-spacing=".6" fill="{quiet}">{escape(box.kind.upper())}</text>'
        f'<text x="{x + 12:.1f}" y="{y + 37:.1f}" font-size="14" font-weight="600" fill="{ink}">{escape(label)}</text>'
        f'<text x="{x + 12:.1f}" y="{y + 55:.1f}" font-size="11.5" fill="{quiet}"{family}>{below}</text>'
    )
