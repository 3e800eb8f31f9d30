"""Where the boxes of a picture stand: what came from what runs downwards, no line crosses a box.

A layered drawing (Sugiyama, Tagawa and Toda 1981): each thing stands one row below the lowest thing that leads to it, or,
where nothing does, right above the first that it leads to; lines that pass rows in between get a place of their own there,
and every row is ordered by the middle of its neighbours.
"""

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

Line = tuple[str, str]
_Key = TypeVar("_Key")
_Place = tuple[str, ...]
"""A box (its key alone), or the place where a line passes a row (both ends and the row)."""

SWEEPS = 12
"""So often at most are rows put in order, and neighbours switched."""

SPREADS, SETTLED = 100, 0.2
"""So often at most is every row moved to where the lines pull it, until none of its places moves by as much any more."""

STRAIGHT = 20
"""How much harder than others the only line between two places pulls them under each other."""


@dataclass(frozen=True)
class Layout:
    """`at` gives the middle and the row of each box; `routes` the middles of the rows that a line passes, both ends in.

    Middles and `width` are in the unit of `lay_out`'s `box`, from the left edge on; row 0 is the uppermost.
    """

    at: Mapping[str, tuple[float, int]]
    routes: Mapping[Line, tuple[float, ...]]
    width: float
    rows: int


def lay_out(
    lines: Sequence[Line], *, box: float, gap: float, level: Collection[str] = (), alone: Collection[str] = ()
) -> Layout:
    """Places for all ends of `lines` (upper, lower), which must hold no circle; boxes are `box` wide, `gap` apart.

    What is named in `level` stands in one row, unless one of it came from another. `alone`: boxes that may have no line.
    """
    rank = _ranks(lines, alone)
    deepest = max((rank[key] for key in level if key in rank), default=0)
    rank = _ranks(lines, alone, dict.fromkeys(level, deepest))
    routes = {line: _places(line, rank) for line in dict.fromkeys(lines)}
    rows = _ordered(_rows(routes.values(), rank), routes.values())
    x = _spread(rows, routes.values(), box, gap)
    left = min(x[place] - _width(place, box) / 2 for place in x)
    right = max(x[place] + _width(place, box) / 2 for place in x)
    at = {key: (x[(key,)] - left, row) for key, row in rank.items()}
    middles = {line: tuple(x[place] - left for place in places) for line, places in routes.items()}
    return Layout(at, middles, right - left, len(rows))


def least_moved(wanted: Sequence[float], apart: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The positions nearest to those wanted (weighted least squares) that keep order and distance: neighbour i+1 stands at
    least `apart[i]` to the right of i. Pool adjacent violators."""
    shift = [0.0]
    for distance in apart:
        shift.append(shift[-1] + distance)
    blocks: list[tuple[float, float, int]] = []  # mean, weight and how many
    for value, moved, weight in zip(wanted, shift, weights, strict=True):
        mean, heavy, count = value - moved, weight, 1
        while blocks and blocks[-1][0] > mean:
            before, weighed, many = blocks.pop()
            mean = (before * weighed + mean * heavy) / (weighed + heavy)
            heavy, count = heavy + weighed, count + many
        blocks.append((mean, heavy, count))
    flat = [mean for mean, _, count in blocks for _ in range(count)]
    return [value + moved for value, moved in zip(flat, shift, strict=True)]


def _ranks(lines: Sequence[Line], alone: Iterable[str], at_least: Mapping[str, int] | None = None) -> dict[str, int]:
    """The row of each box: one below the lowest of what stands above it, and no higher than `at_least`."""
    floor = at_least or {}
    above, below = _neighbours(dict.fromkeys(lines))
    waiting = {key: len(above[key]) for key in dict.fromkeys([*(end for line in lines for end in line), *alone])}
    rank = {key: floor.get(key, 0) for key in waiting}
    ready = [key for key, count in waiting.items() if not count]
    tops = [key for key in ready if below[key] and key not in floor]
    while ready:
        upper = ready.pop()
        for lower in below[upper]:
            rank[lower] = max(rank[lower], rank[upper] + 1)
            waiting[lower] -= 1
            if not waiting[lower]:
                ready.append(lower)
    rank |= {key: min(rank[lower] for lower in below[key]) - 1 for key in tops}
    rows = {row: place for place, row in enumerate(sorted(set(rank.values())))}  # none without a box
    return {key: rows[row] for key, row in rank.items()}


def _places(line: Line, rank: Mapping[str, int]) -> tuple[_Place, ...]:
    upper, lower = line
    passed = [(upper, lower, str(row)) for row in range(rank[upper] + 1, rank[lower])]
    return ((upper,), *passed, (lower,))


def _rows(routes: Collection[tuple[_Place, ...]], rank: Mapping[str, int]) -> list[list[_Place]]:
    """The places of each row, in the order in which the lines first meet them; then what has no line."""
    rows: list[dict[_Place, None]] = [{} for _ in range(max(rank.values()) + 1)]
    for places in [*routes, *(((key,),) for key in rank)]:
        for row, place in enumerate(places, start=rank[places[0][0]]):
            rows[row].setdefault(place)
    return [list(row) for row in rows]


def _ordered(rows: list[list[_Place]], routes: Collection[tuple[_Place, ...]]) -> list[list[_Place]]:
    """The order with the fewest crossings that sweeps down and up the rows come to, and then switching neighbours."""
    above, below = _neighbours(_steps(routes))
    best, fewest = rows, _crossings(rows, below)
    for sweep in range(SWEEPS):
        rows = _swept(rows, above) if sweep % 2 == 0 else _swept(rows[::-1], below)[::-1]
        if (crossed := _crossings(rows, below)) < fewest:
            best, fewest = rows, crossed
    for _ in range(SWEEPS):
        switched = _switched(best, above, below)
        if switched == best:
            break
        best = switched
    return best


def _switched(
    rows: list[list[_Place]], above: Mapping[_Place, list[_Place]], below: Mapping[_Place, list[_Place]]
) -> list[list[_Place]]:
    """The same with neighbours switched wherever their lines then cross less: one pass, down the rows and along each."""
    rows = [row.copy() for row in rows]
    place = {p: i for row in rows for i, p in enumerate(row)}

    def ends(p: _Place) -> tuple[list[int], list[int]]:
        return sorted(place[n] for n in above[p]), sorted(place[n] for n in below[p])

    for row in rows:
        reached = [ends(p) for p in row]
        for i in range(len(row) - 1):
            left, right = reached[i : i + 2]
            if sum(map(_inverted, right, left)) < sum(map(_inverted, left, right)):
                row[i : i + 2], reached[i : i + 2] = [row[i + 1], row[i]], [right, left]
        place |= {p: i for i, p in enumerate(row)}
    return rows


def _inverted(left: Sequence[int], right: Sequence[int]) -> int:
    """How many lines of a place cross how many of its right neighbour's; both by where they end, ascending."""
    return sum(bisect_left(right, end) for end in left)


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
        seen: list[int] = []  # where the lines further left end
        for p in upper:
            ends = [place[n] for n in below[p]]
            crossed += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return crossed


def _spread(
    rows: list[list[_Place]], routes: Collection[tuple[_Place, ...]], box: float, gap: float
) -> dict[_Place, float]:
    """The middles of all places with which lines run straightest: the weighted sum of squares of what they go aside."""
    above, below = _neighbours(_steps(routes))
    apart = [[(_width(a, box) + _width(b, box)) / 2 + gap for a, b in pairwise(row)] for row in rows]
    x: dict[_Place, float] = {}
    for row, distances in zip(rows, apart, strict=True):
        x.update(zip(row, least_moved([0.0] * len(row), distances, [1.0] * len(row)), strict=True))
    pulls = {place: _pulls(place, above, below) for place in x}
    weights = [[sum(weight for _, weight in pulls[p]) or 1 for p in row] for row in rows]
    for sweep in range(SPREADS):
        moved = 0.0
        for at in range(len(rows)) if sweep % 2 == 0 else reversed(range(len(rows))):
            wanted = [_pulled(pulls[p], x, x[p]) for p in rows[at]]
            found = least_moved(wanted, apart[at], weights[at])
            moved = max(moved, *(abs(x[p] - new) for p, new in zip(rows[at], found, strict=True)))
            x.update(zip(rows[at], found, strict=True))
        if moved < SETTLED:
            break
    return x


def _pulls(
    place: _Place, above: Mapping[_Place, list[_Place]], below: Mapping[_Place, list[_Place]]
) -> list[tuple[_Place, int]]:
    """What pulls a place, and how hard. A line between two that have no other line there wants to be straight."""
    pulls = [(n, STRAIGHT if len(below[n]) == 1 and len(above[place]) == 1 else 1) for n in above[place]]
    return pulls + [(n, STRAIGHT if len(above[n]) == 1 and len(below[place]) == 1 else 1) for n in below[place]]


def _pulled(pulls: Sequence[tuple[_Place, int]], x: Mapping[_Place, float], otherwise: float) -> float:
    """The middle of what pulls a place, each by its weight."""
    return sum(x[n] * weight for n, weight in pulls) / sum(weight for _, weight in pulls) if pulls else otherwise


def _steps(routes: Iterable[tuple[_Place, ...]]) -> Iterable[tuple[_Place, _Place]]:
    return (step for places in routes for step in pairwise(places))


def _neighbours(steps: Iterable[tuple[_Key, _Key]]) -> tuple[dict[_Key, list[_Key]], dict[_Key, list[_Key]]]:
    above: dict[_Key, list[_Key]] = defaultdict(list)
    below: dict[_Key, list[_Key]] = defaultdict(list)
    for upper, lower in steps:
        above[lower].append(upper)
        below[upper].append(lower)
    return above, below


def _middle(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _width(place: _Place, box: float) -> float:
    return box if len(place) == 1 else 0.0
