"""Where the boxes of a picture stand: what came from what runs downwards, no line crosses a box.

A layered drawing (Sugiyama, Tagawa and Toda 1981): each thing stands one row below the lowest thing that came from it,
lines that pass rows in between get a place of their own there, and every row is ordered by the middle of its neighbours.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

Line = tuple[str, str]
_Place = tuple[str, ...]
"""A box (its key alone), or the place where a line passes a row (both ends and the row)."""

SWEEPS = 12
STRAIGHT = 20
"""How much harder than others the only line between two places pulls them under each other."""


@dataclass(frozen=True)
class Layout:
    """`at` gives the middle and the row of each box; `routes` the middles of the rows that a line passes, both ends in."""

    at: Mapping[str, tuple[float, int]]
    routes: Mapping[Line, tuple[float, ...]]
    width: float
    rows: int


def lay_out(lines: Sequence[Line], *, box: float, gap: float, level: Collection[str] = ()) -> Layout:
    """Places for all ends of `lines` (upper, lower), which must hold no circle; boxes are `box` wide, `gap` apart.

    What is named in `level` stands in one row, unless one of it came from another.
    """
    rank = _ranks(lines)
    deepest = max((rank[key] for key in level if key in rank), default=0)
    rank = _ranks(lines, dict.fromkeys(level, deepest))
    routes = {line: _places(line, rank) for line in dict.fromkeys(lines)}
    rows = _ordered(_rows(routes.values(), rank), routes.values())
    x = _spread(rows, routes.values(), box, gap)
    left = min(x[place] - _width(place, box) / 2 for place in x)
    right = max(x[place] + _width(place, box) / 2 for place in x)
    at = {key: (x[(key,)] - left, row) for key, row in rank.items()}
    middles = {line: tuple(x[place] - left for place in places) for line, places in routes.items()}
    return Layout(at, middles, right - left, len(rows))


def least_moved(wanted: Sequence[float], apart: Sequence[float]) -> list[float]:
    """The positions nearest to those wanted (least squares) that keep order and distance: neighbour i+1 stands at least
    `apart[i]` to the right of i. Pool adjacent violators."""
    shift = [0.0]
    for distance in apart:
        shift.append(shift[-1] + distance)
    blocks: list[tuple[float, int]] = []  # mean and how many
    for value, moved in zip(wanted, shift, strict=True):
        mean, count = value - moved, 1
        while blocks and blocks[-1][0] > mean:
            before, many = blocks.pop()
            mean, count = (before * many + mean * count) / (many + count), many + count
        blocks.append((mean, count))
    flat = [mean for mean, count in blocks for _ in range(count)]
    return [value + moved for value, moved in zip(flat, shift, strict=True)]


def _ranks(lines: Sequence[Line], at_least: Mapping[str, int] | None = None) -> dict[str, int]:
    """The row of each end: one below the lowest of what stands above it, and no higher than `at_least`."""
    floor = at_least or {}
    below: dict[str, list[str]] = defaultdict(list)
    waiting: dict[str, int] = {}
    for upper, lower in dict.fromkeys(lines):
        below[upper].append(lower)
        waiting[lower] = waiting.get(lower, 0) + 1
        waiting.setdefault(upper, 0)
    rank = {key: floor.get(key, 0) for key in waiting}
    ready = [key for key, count in waiting.items() if not count]
    while ready:
        upper = ready.pop()
        for lower in below[upper]:
            rank[lower] = max(rank[lower], rank[upper] + 1)
            waiting[lower] -= 1
            if not waiting[lower]:
                ready.append(lower)
    rows = {row: place for place, row in enumerate(sorted(set(rank.values())))}  # none without a box
    return {key: rows[row] for key, row in rank.items()}


def _places(line: Line, rank: Mapping[str, int]) -> tuple[_Place, ...]:
    upper, lower = line
    passed = [(upper, lower, str(row)) for row in range(rank[upper] + 1, rank[lower])]
    return ((upper,), *passed, (lower,))


def _rows(routes: Collection[tuple[_Place, ...]], rank: Mapping[str, int]) -> list[list[_Place]]:
    """The places of each row, in the order in which the lines first meet them."""
    rows: list[dict[_Place, None]] = [{} for _ in range(max(rank.values()) + 1)]
    for places in routes:
        for row, place in enumerate(places, start=rank[places[0][0]]):
            rows[row].setdefault(place)
    return [list(row) for row in rows]


def _ordered(rows: list[list[_Place]], routes: Collection[tuple[_Place, ...]]) -> list[list[_Place]]:
    """The order with the fewest crossings that sweeps down and up the rows come to."""
    above, below = _neighbours(routes)
    best, fewest = rows, _crossings(rows, below)
    for sweep in range(SWEEPS):
        rows = _swept(rows, above) if sweep % 2 == 0 else _swept(rows[::-1], below)[::-1]
        if (crossed := _crossings(rows, below)) < fewest:
            best, fewest = rows, crossed
    return _switched(best, below)


def _switched(rows: list[list[_Place]], below: Mapping[_Place, list[_Place]]) -> list[list[_Place]]:
    """The same with neighbours switched wherever lines then cross less."""
    fewest = _crossings(rows, below)
    for row, places in enumerate(rows):
        for left in range(len(places) - 1):
            swapped = [*places[:left], places[left + 1], places[left], *places[left + 2 :]]
            tried = [*rows[:row], swapped, *rows[row + 1 :]]
            if _crossings(tried, below) < fewest:
                return _switched(tried, below)
    return rows


def _swept(rows: list[list[_Place]], near: Mapping[_Place, list[_Place]]) -> list[list[_Place]]:
    """Each row but the first in the order of the middles of its neighbours in the row before."""
    swept = [rows[0]]
    for row in rows[1:]:
        before = {place: i for i, place in enumerate(swept[-1])}
        middle = {p: _middle([before[n] for n in near[p] if n in before], float(i)) for i, p in enumerate(row)}
        swept.append(sorted(row, key=lambda p, at=middle: at[p]))  # type: ignore[misc]
    return swept


def _crossings(rows: list[list[_Place]], below: Mapping[_Place, list[_Place]]) -> int:
    crossed = 0
    for upper, lower in pairwise(rows):
        place = {p: i for i, p in enumerate(lower)}
        ends = [(i, place[n]) for i, p in enumerate(upper) for n in below[p]]
        crossed += sum(a < c and b > d for a, b in ends for c, d in ends)
    return crossed


def _spread(
    rows: list[list[_Place]], routes: Collection[tuple[_Place, ...]], box: float, gap: float
) -> dict[_Place, float]:
    above, below = _neighbours(routes)
    apart = [[(_width(a, box) + _width(b, box)) / 2 + gap for a, b in pairwise(row)] for row in rows]
    x: dict[_Place, float] = {}
    for row, distances in zip(rows, apart, strict=True):
        x.update(zip(row, least_moved([0.0] * len(row), distances), strict=True))
    for sweep in range(SWEEPS * 4):
        for at in range(len(rows)) if sweep % 2 == 0 else reversed(range(len(rows))):
            wanted = [_pulled(p, above, below, x) for p in rows[at]]
            x.update(zip(rows[at], least_moved(wanted, apart[at]), strict=True))
    return x


def _pulled(
    place: _Place,
    above: Mapping[_Place, list[_Place]],
    below: Mapping[_Place, list[_Place]],
    x: Mapping[_Place, float],
) -> float:
    """Where the neighbours pull a place. A line between two that have no other line there wants to be straight."""
    pulls = [(x[n], STRAIGHT if len(below[n]) == 1 and len(above[place]) == 1 else 1) for n in above[place]]
    pulls += [(x[n], STRAIGHT if len(above[n]) == 1 and len(below[place]) == 1 else 1) for n in below[place]]
    return sum(at * weight for at, weight in pulls) / sum(weight for _, weight in pulls) if pulls else x[place]


def _neighbours(
    routes: Collection[tuple[_Place, ...]],
) -> tuple[dict[_Place, list[_Place]], dict[_Place, list[_Place]]]:
    above: dict[_Place, list[_Place]] = defaultdict(list)
    below: dict[_Place, list[_Place]] = defaultdict(list)
    for places in routes:
        for upper, lower in pairwise(places):
            above[lower].append(upper)
            below[upper].append(lower)
    return above, below


def _middle(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _width(place: _Place, box: float) -> float:
    return box if len(place) == 1 else 0.0
