"""Ages as people write them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.ages import DAYS, describe_age, describe_ages, parse_age
from data.outcomes import Refusal


@pytest.mark.parametrize(
    ("written", "days"),
    [("3d", 3.0), ("2w", 14.0), ("5mo", 5 * 30.4375), ("34y", 34 * 365.25), (" 1.5 Y ", 1.5 * 365.25), ("0d", 0.0)],
)
def test_ages_are_read_in_days_weeks_months_and_years(written: str, days: float) -> None:
    assert parse_age(written) == days


@pytest.mark.parametrize("written", ["", "3", "3m", "d", "-3d", "3dd", "3d 2w", "three days", "1e3d", "nan", "3,5y"])
def test_anything_else_is_refused_with_the_forms_that_are_read(written: str) -> None:
    with pytest.raises(Refusal, match=r"age_unknown.*3d, 2w, 5mo or 34y"):
        parse_age(written)


def test_a_refusal_repeats_only_the_beginning_of_what_was_typed() -> None:
    with pytest.raises(Refusal) as caught:
        parse_age("born to Joan Smith of Cork")
    assert "Smith" not in caught.value.reason


@pytest.mark.parametrize(
    ("days", "said"),
    [(0, "0 days"), (1, "1 day"), (3, "3 days"), (13, "13 days"), (14, "14 days"), (60, "60 days"), (61, "2 months"),
     (730, "24 months"), (731, "2 years"), (34 * 365.25, "34 years")],
)  # fmt: skip
def test_an_age_is_said_in_the_largest_unit_that_counts_two(days: float, said: str) -> None:
    assert describe_age(days) == said


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(DAYS)), st.integers(2, 100))
def test_what_is_said_comes_from_what_was_written(unit: str, count: int) -> None:
    number, name = describe_age(parse_age(f"{count}{unit}")).split()
    spoken = {"day": "d", "month": "mo", "year": "y"}[name.rstrip("s")]
    assert float(number) * DAYS[spoken] == pytest.approx(count * DAYS[unit], abs=DAYS[spoken] / 2)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(0, 28, "0 to 28 days"), (365, 43830, "1 to 120 years"), (0, 1096, "0 to 3 years"), (30, 400, "30 days to 13 months"),
     (0, 200, "0 days to 7 months")],
)  # fmt: skip
def test_a_range_of_ages_is_said_in_one_unit_where_one_gives_both_ends(low: float, high: float, said: str) -> None:
    assert describe_ages(low, high) == said
