"""Simulated readers: drawn first, marked after; unlike each other as much as real experts are."""

import json
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from data.cohorts.helsinki import read_labels
from data.events import Annotations, Event
from data.simulator.experts import QUANTILES, READERS, Reading, draw_readings, marks_of
from tests import SHARED, needs_shared
from validation.kappa import fleiss_kappa, kappa_per_person, rating_counts

few = settings(max_examples=40, deadline=None)
TRUTH = Annotations((Event(60, 20), Event(200, 45.5), Event(400.25, 100)), 600.0)
SEEN = Reading("expert-1", (True,) * 3, (0.0,) * 3, (0.0,) * 3, ())


def spans(annotations: Annotations) -> list[tuple[float, float]]:
    return [(e.onset_s, e.end_s) for e in annotations.events]


@st.composite
def truths(draw) -> Annotations:
    times = draw(st.lists(st.tuples(st.floats(0, 280), st.floats(0.5, 60)), max_size=4))
    return Annotations(tuple(Event(a, min(n, 300.5 - a)) for a, n in times), 300.5)


def test_a_reader_marks_what_was_drawn_in_whole_seconds():
    assert spans(marks_of(SEEN, TRUTH)) == [(60, 80), (200, 246), (400, 500)]
    late = replace(SEEN, seen=(True, False, True), onset_shift_s=(2.6, 0.0, -10.0), end_shift_s=(-3.0, 0.0, 200.0))
    assert spans(marks_of(late, TRUTH)) == [(63, 77), (390, 600)]


def test_marks_end_where_the_recording_does_and_last_at_least_a_second():
    early = replace(SEEN, onset_shift_s=(-70.0, 0.0, 0.0), seen=(True, False, False))
    assert spans(marks_of(early, TRUTH)) == [(0, 80)]
    last = Annotations((Event(599.7, 0.3),), 600.0)
    assert spans(marks_of(Reading("expert-1", (True,), (0.0,), (0.0,), ()), last)) == [(599, 600)]


def test_marks_that_meet_become_one_and_false_marks_are_added():
    wide = replace(SEEN, end_shift_s=(130.0, 0.0, 0.0), false_marks=((550.0, 12.0),))
    assert spans(marks_of(wide, TRUTH)) == [(60, 246), (400, 500), (550, 562)]


def readings_from(drawn: list[dict[str, Any]]) -> tuple[Reading, ...]:
    """Drawn readings as a cohort keeps them, read back from JSON."""
    return tuple(
        Reading(
            d["reader"], tuple(d["seen"]), tuple(d["onset_shift_s"]), tuple(d["end_shift_s"]),
            tuple((onset_s, duration_s) for onset_s, duration_s in d["false_marks"]),
        )
        for d in drawn
    )  # fmt: skip


@few
@given(truths(), st.integers(0, 2**32))
def test_readings_are_inside_the_recording_and_come_back_from_json(truth, seed):
    drawn = draw_readings(np.random.default_rng(seed), truth)
    assert readings_from(json.loads(json.dumps([asdict(r) for r in drawn]))) == drawn
    assert [r.reader for r in drawn] == [h.reader for h in READERS]
    for reading in drawn:
        assert len(reading.seen) == len(truth.events)
        assert marks_of(reading, truth).duration_s == truth.duration_s
        assert marks_of(reading, truth) == marks_of(reading, truth)


GAP_THAT_JUST_FITS = Annotations(
    (Event(0.0, 1.0), Event(0.0, 1.0), Event(15.966917155941516, 2.0), Event(158.1149080308185, 3.0)), 300.5
)


@few
@example(GAP_THAT_JUST_FITS, 56035)
@given(truths(), st.integers(0, 2**32))
def test_false_marks_lie_where_nothing_was_put_in(truth, seed):
    for reading in draw_readings(np.random.default_rng(seed), truth):
        for onset_s, duration_s in reading.false_marks:
            assert duration_s >= 10 and onset_s >= 0 and onset_s + duration_s <= truth.duration_s + 1e-6
            assert not any(e.onset_s < onset_s + duration_s - 1e-6 and onset_s + 1e-6 < e.end_s for e in truth.events)


@few
@given(truths(), st.integers(0, 2**32))
def test_at_least_a_third_of_a_seizure_that_is_seen_stays_marked(truth, seed):
    for reading in draw_readings(np.random.default_rng(seed), truth):
        edges = zip(truth.events, reading.onset_shift_s, reading.end_shift_s, strict=True)
        assert all(onset_s - end_s <= 2 / 3 * event.duration_s + 1e-6 for event, onset_s, end_s in edges)


def test_the_same_seed_reads_the_same_and_another_otherwise():
    one, same, other = (draw_readings(np.random.default_rng(seed), TRUTH) for seed in (1, 1, 2))
    assert one == same != other


@pytest.mark.parametrize(("length_s", "column"), [(15.0, 0), (45.0, 1), (90.0, 2)])
def test_seizures_are_missed_as_often_as_the_reader_misses_such(length_s, column):
    events = tuple(Event(a * 100.0, length_s) for a in range(2000))
    readings = draw_readings(np.random.default_rng(0), Annotations(events, 200_000.0))
    for reading, habits in zip(readings, READERS, strict=True):
        assert 1 - np.mean(reading.seen) == pytest.approx(habits.missed[column], abs=0.04)


def test_false_marks_are_as_frequent_as_the_readers():
    hours = 400.0
    for truth in (Annotations((), hours * 3600), Annotations((Event(50, 30),), hours * 3600)):
        for reading, habits in zip(draw_readings(np.random.default_rng(1), truth), READERS, strict=True):
            rate = habits.false_per_h_seizing if truth.events else habits.false_per_h_free
            assert len(reading.false_marks) / hours == pytest.approx(rate, abs=4 * (rate / hours) ** 0.5)


def test_shifts_have_the_readers_quantiles():
    events = tuple(Event(a * 1000.0, 300.0) for a in range(3000))
    readings = draw_readings(np.random.default_rng(2), Annotations(events, 3e6))
    for reading, habits in zip(readings, READERS, strict=True):
        for drawn, quantiles in (
            (reading.onset_shift_s, habits.onset_shift_s),
            (reading.end_shift_s, habits.end_shift_s),
        ):
            below = [np.mean(np.array(drawn) < q) for q in quantiles[1:4]]
            assert below == pytest.approx(QUANTILES[1:4], abs=0.03)


def overlapping(one: tuple[float, float], others: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return [o for o in others if o[0] < one[1] and one[0] < o[1]]


@needs_shared
def test_misses_and_false_marks_are_those_measured_on_the_helsinki_labels():
    newborns = read_labels(SHARED / "helsinki" / "annotations_2017.mat")
    for reader, habits in enumerate(READERS):
        missed: list[list[bool]] = [[], [], []]
        false, hours = [0, 0], [0.0, 0.0]
        for newborn in newborns:
            others = np.delete(newborn.masks, reader, axis=0)
            agreed, own = Annotations.from_mask(others.all(axis=0), 1.0), list(newborn.experts.values())[reader]
            for event in agreed.events:
                touched = overlapping((event.onset_s, event.end_s), spans(own))
                missed[int(np.digitize(event.duration_s, (30, 60)))].append(not touched)
            seizing = bool(agreed.events)
            hours[seizing] += agreed.duration_s / 3600
            false[seizing] += sum(not others[:, int(a) : int(b)].any() for a, b in spans(own))
        assert habits.missed == pytest.approx([np.mean(m) for m in missed], abs=0.006)
        measured = (false[0] / hours[0], false[1] / hours[1])
        assert (habits.false_per_h_free, habits.false_per_h_seizing) == pytest.approx(measured, abs=0.006)


@needs_shared
def test_shifts_are_those_measured_on_the_167_seizures_that_each_expert_marked_as_one():
    alike = []
    for newborn in read_labels(SHARED / "helsinki" / "annotations_2017.mat"):
        all_marks = [spans(a) for a in newborn.experts.values()]
        for first in all_marks[0]:
            met = [overlapping(first, marks) for marks in all_marks]
            if all(len(m) == 1 for m in met):
                trio = [m[0] for m in met]
                if all(len(overlapping(one, marks)) == 1 for one in trio for marks in all_marks):
                    alike.append(trio)
    edges = np.array(alike)
    shifts = edges - edges.mean(axis=1, keepdims=True)
    assert len(edges) == 167
    for reader, habits in enumerate(READERS):
        onset, end = np.quantile(shifts[:, reader], QUANTILES, axis=0).T
        assert habits.onset_shift_s == pytest.approx(onset, abs=0.06)
        assert habits.end_shift_s == pytest.approx(end, abs=0.06)


@needs_shared
def test_simulated_readers_of_the_helsinki_majority_agree_about_as_real_experts_do():
    """Real experts: Fleiss' κ 0.756 (0.65 to 0.83). The readers' rates were taken from the same labels, not their κ."""
    newborns = read_labels(SHARED / "helsinki" / "annotations_2017.mat")
    rng = np.random.default_rng(0)
    masks = []
    for truth in (n.marked_by(2) for n in newborns):
        masks.append([np.stack([marks_of(r, truth).to_mask() for r in draw_readings(rng, truth)])])
    counts = rating_counts(masks, 3)
    assert 0.65 < fleiss_kappa(range(3))(np.ones((1, 79)), counts)[0] < 0.85
    assert np.nanmedian(kappa_per_person(counts, fleiss_kappa(range(3)))) < 0.6
