"""Approvals and candidates as the terminal lists them: every reason once, and columns that stand below each other."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.approvals import terms_in_words
from flows.terminal import in_columns

FEW = "few patients"
SIGNATURES = [
    {"person_id": "reviewer-1", "meaning": "review", "shown": "review by R. One"},
    {"person_id": "reviewer-2", "meaning": "approval", "shown": "approval by R. Two"},
]


def terms(**deviations: str) -> dict[str, Any]:
    return {
        "scope": {"sites": ["demo-*"], "age_days": [0.0, 28.0], "montages": ["neonatal_18"]},
        "not_before": "2026-03-01T12:00:00Z",
        "not_after": "2026-03-02T12:00:00Z",
        "author": "engineer-1",
        "signatures": SIGNATURES,
        "deviations": [{"gate": gate, "justification": why} for gate, why in deviations.items()],
    }


def test_a_reason_that_is_given_for_several_gates_and_who_signed_it_are_printed_once() -> None:
    lines = terms_in_words(terms(sensitivity=FEW, cost="an old machine", floor=FEW))
    assert lines[2:5] == [
        "3 deviations, signed by reviewer-1 (review), reviewer-2 (approval):",
        "  sensitivity, floor: few patients",
        "  cost: an old machine",
    ]
    assert lines[5:] == ["review by R. One", "approval by R. Two"]


@pytest.mark.parametrize(("deviations", "said"), [({}, 0), ({"cost": FEW}, 1)])
def test_without_a_deviation_none_is_spoken_of(deviations: dict[str, str], said: int) -> None:
    assert sum("deviation" in line for line in terms_in_words(terms(**deviations))) == said


CELL = st.text("abc", min_size=1, max_size=9)


@given(st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=5))
def test_cells_of_a_column_begin_at_the_same_place(rows: list[tuple[str, str, str]]) -> None:
    lines = in_columns(rows)
    first, second = (max(len(row[at]) for row in rows) for at in (0, 1))
    for line, row in zip(lines, rows, strict=True):
        assert line[: len(row[0])] == row[0] and line[first + 2 :].startswith(row[1])
        assert line[first + second + 4 :] == row[2]


def test_no_rows_are_no_lines() -> None:
    assert in_columns([]) == []
