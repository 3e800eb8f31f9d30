"""Seizure events and what is read from them: masks, burden, coverage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.events import Annotations, Event

GRID = 8  # samples per second; multiples of 1/8 s are exact numbers
SPANS = st.lists(st.tuples(st.integers(0, 300 * GRID - 1), st.integers(1, 60 * GRID)), max_size=6)


def annotations(spans: list[tuple[int, int]]) -> Annotations:
    """Events that may overlap, on the grid and inside 300 s."""
    events = tuple(Event(a / GRID, min(n, 300 * GRID - a) / GRID) for a, n in spans)
    return Annotations(events, 300.0)


def separate(spans: list[tuple[int, int]]) -> Annotations:
    return Annotations.from_mask(annotations(spans).to_mask(GRID), GRID)


@settings(max_examples=40, deadline=None)
@given(SPANS)
def test_separate_events_survive_the_way_to_a_mask_and_back(spans: list[tuple[int, int]]) -> None:
    found = separate(spans)
    assert Annotations.from_mask(found.to_mask(GRID), GRID) == found


@settings(max_examples=40, deadline=None)
@given(st.lists(st.booleans(), max_size=200))
def test_a_mask_survives_the_way_to_events_and_back(mask: list[bool]) -> None:
    assert Annotations.from_mask(mask, 4.0).to_mask(4.0).tolist() == mask


@settings(max_examples=40, deadline=None)
@given(SPANS, st.integers(0, 100 * GRID))
def test_shifting_there_and_back_changes_nothing(spans: list[tuple[int, int]], by: int) -> None:
    found = annotations(spans)
    later = found.shifted(by / GRID)
    assert later.shifted(-by / GRID) == found
    assert later.total_s() == found.total_s()
    assert later.duration_s == found.duration_s + by / GRID


@settings(max_examples=40, deadline=None)
@given(SPANS, st.randoms(use_true_random=False))
def test_burden_is_the_mask_sum_whatever_the_order_or_overlap(spans: list[tuple[int, int]], shuffle: object) -> None:
    found = annotations(spans)
    in_seizure_s = found.to_mask(GRID).sum() / GRID
    assert found.total_s() == pytest.approx(in_seizure_s)
    assert found.burden_min_per_h() == pytest.approx(in_seizure_s / 60 / (300 / 3600))
    shuffle.shuffle(spans)  # type: ignore[attr-defined]
    assert annotations(spans) == found


@settings(max_examples=40, deadline=None)
@given(SPANS, st.integers(1, 10))
def test_coverage_of_windows_adds_up_to_the_time_in_seizures(spans: list[tuple[int, int]], window_s: int) -> None:
    found = annotations(spans)
    onsets = np.arange(0, 300, window_s)
    share = found.covered(onsets, window_s)
    assert ((share >= 0) & (share <= 1)).all()
    assert share.sum() * window_s == pytest.approx(found.total_s())


def test_burden_counts_seizure_minutes_per_hour_analysed() -> None:
    found = Annotations((Event(0, 60), Event(30, 60), Event(1000, 30)), 7200.0)  # 90 s + 30 s in 2 h
    assert found.total_s() == 120
    assert found.burden_min_per_h() == 1.0
    assert found.burden_min_per_h(analysed_s=3600) == 2.0
    assert np.isnan(Annotations((), 0.0).burden_min_per_h())


def test_the_highest_hour_is_found_wherever_it_lies() -> None:
    early, late = (
        Event(1800, 600),
        Event(5000, 900),
    )  # both within 1900–5500 s: 500 s + 500 s; within 2300–5900 s: 100 + 900
    assert Annotations((early, late), 9000.0).max_hourly_burden_min() == pytest.approx(1000 / 60)
    assert Annotations((Event(10, 120),), 600.0).max_hourly_burden_min() == 2.0
    assert Annotations((Event(0, 7200),), 7200.0).max_hourly_burden_min() == 60.0


def test_edges_of_a_mask_are_rounded_to_the_nearest_sample() -> None:
    assert np.flatnonzero(Annotations((Event(1.4, 2.2),), 6.0).to_mask()).tolist() == [1, 2, 3]
    assert np.flatnonzero(Annotations((Event(1.6, 2.2),), 6.0).to_mask()).tolist() == [2, 3]
    assert len(Annotations((), 6.4).to_mask(10)) == 64


def test_masks_are_those_of_the_reference_scorer() -> None:
    from timescoring.annotations import Annotation

    rng = np.random.default_rng(0)
    spans = [
        (a, a + n) for a, n in zip(rng.uniform(0, 280, 40).round(1), rng.uniform(0.5, 20, 40).round(1), strict=True)
    ]
    ours = Annotations(tuple(Event(a, b - a) for a, b in spans), 300.0)
    for rate_hz in (1, 10):
        theirs = Annotation([(e.onset_s, e.end_s) for e in ours.events], rate_hz, 300 * rate_hz)
        np.testing.assert_array_equal(ours.to_mask(rate_hz), theirs.mask)


NAN = float("nan")


@pytest.mark.parametrize(
    "event", [Event(-1, 5), Event(95, 6), Event(5, 0), Event(5, -1), Event(101, 1), Event(NAN, 1), Event(1, NAN)]
)
def test_events_lie_inside_the_recording_and_last(event: Event) -> None:
    with pytest.raises(ValueError, match="event"):
        Annotations((event,), 100.0)


@pytest.mark.parametrize("duration_s", [-1.0, float("nan"), float("inf")])
def test_a_recording_has_a_finite_duration(duration_s: float) -> None:
    with pytest.raises(ValueError, match="duration"):
        Annotations((), duration_s)


def test_events_that_only_touch_do_not_overlap() -> None:
    assert Event(0, 5).overlaps(Event(4.9, 1))
    assert not Event(0, 5).overlaps(Event(5, 1))
    assert not Event(5, 1).overlaps(Event(0, 5))
