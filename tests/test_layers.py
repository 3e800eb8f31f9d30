"""The boxes of a picture: every line runs downwards, no box stands upon another, no line runs through one."""

import random
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.layers import lay_out, least_moved

WIDTH, GAP = 100.0, 20.0


@st.composite
def downwards(draw: st.DrawFn) -> list[tuple[str, str]]:
    """Lines among a few things, each from an earlier to a later one: there is no circle."""
    pairs = list(combinations("abcdefgh", 2))
    return draw(st.lists(st.sampled_from(pairs), min_size=1, max_size=14, unique=True))


@given(downwards())
def test_every_line_runs_downwards_and_boxes_of_a_row_stand_apart(lines: list[tuple[str, str]]) -> None:
    placed = lay_out(lines, box=WIDTH, gap=GAP)
    assert set(placed.at) == {end for line in lines for end in line}
    assert all(placed.at[upper][1] < placed.at[lower][1] for upper, lower in lines)
    for row in range(placed.rows):
        middles = sorted(x for x, at in placed.at.values() if at == row)
        assert middles and all(b - a >= WIDTH + GAP - 1e-6 for a, b in pairwise(middles))
    assert all(WIDTH / 2 - 1e-6 <= x <= placed.width - WIDTH / 2 + 1e-6 for x, _ in placed.at.values())


@given(downwards())
def test_a_line_passes_the_boxes_of_the_rows_between(lines: list[tuple[str, str]]) -> None:
    placed = lay_out(lines, box=WIDTH, gap=GAP)
    for (upper, _), route in placed.routes.items():
        for row, x in list(enumerate(route, start=placed.at[upper][1]))[1:-1]:
            boxes = [middle for middle, at in placed.at.values() if at == row]
            assert all(abs(x - middle) >= WIDTH / 2 + GAP - 1e-6 for middle in boxes)


@given(downwards(), st.sets(st.sampled_from("abcdefgh")))
def test_what_is_to_stand_level_does_unless_one_of_it_came_from_another(
    lines: list[tuple[str, str]], level: set[str]
) -> None:
    placed = lay_out(lines, box=WIDTH, gap=GAP, level=level)
    reached = set(lines)
    for _ in lines:
        reached |= {(a, d) for a, b in reached for c, d in lines if b == c}
    related = any((a, b) in reached for a in level for b in level)
    rows = {placed.at[key][1] for key in level if key in placed.at}
    assert len(rows) <= 1 or related


@given(st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(1, 20)), min_size=1, max_size=8), st.floats(0, 50))
def test_places_keep_their_distance_and_stay_where_they_want_to_be_if_they_can(
    wanted: list[tuple[float, float]], apart: float
) -> None:
    values, weights = zip(*wanted, strict=True)
    distances = [apart] * (len(wanted) - 1)
    found = least_moved(values, distances, weights)
    assert all(b - a >= apart - 1e-6 for a, b in pairwise(found))
    free = [i * (apart + 1) for i in range(len(wanted))]
    assert least_moved(free, distances, weights) == pytest.approx(free)


def test_of_two_that_want_the_same_place_the_heavier_moves_less() -> None:
    assert least_moved([0.0, 0.0], [40.0], [3.0, 1.0]) == pytest.approx([-10.0, 30.0])


def test_two_lines_that_need_not_cross_do_not() -> None:
    placed = lay_out([("a", "x"), ("a", "y"), ("x", "p"), ("y", "q"), ("a", "q")], box=WIDTH, gap=GAP)
    assert (placed.at["x"][0] < placed.at["y"][0]) == (placed.at["p"][0] < placed.at["q"][0])


def test_a_way_down_beside_another_is_straight() -> None:
    """The two ends stand 120 apart, the line beside the way's boxes 70: of these 50 each of ten steps takes a little."""
    lines = [("p", "a"), ("p", "m"), ("p", "r"), ("a", "s"), ("a", "t"), ("a", "m"), *pairwise("mxyzq")]
    placed = lay_out(lines, box=WIDTH, gap=GAP, level="qr")
    middles = [placed.at[key][0] for key in "mxyzq"]
    assert max(middles) - min(middles) < 50


def test_hundreds_of_boxes_are_placed() -> None:
    """The passes over the rows are bounded: an order that improved without end once took minutes."""
    drawn = random.Random(0)
    lines = [
        (f"{row} {i}", f"{row + 1} {drawn.randrange(30)}") for row in range(9) for i in range(30) for _ in range(2)
    ]
    placed = lay_out(lines, box=WIDTH, gap=GAP)
    for row in range(placed.rows):
        middles = sorted(x for x, at in placed.at.values() if at == row)
        assert all(b - a >= WIDTH + GAP - 1e-6 for a, b in pairwise(middles))
