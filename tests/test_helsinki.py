"""The published labels of three experts, read as published; what is damaged is refused."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from data.cohorts.helsinki import VARIABLE, facts, read_labels
from data.outcomes import Refusal
from tests import SHARED, needs_shared

LABELS = SHARED / "helsinki" / "annotations_2017.mat"


def written(path: Path, *newborns: np.ndarray, name: str = VARIABLE) -> Path:
    cells = np.empty((1, len(newborns)), dtype=object)
    for place, marks in enumerate(newborns):
        cells[0, place] = marks
    savemat(path, {name: cells})
    return path


def refusal_of(path: Path) -> Refusal:
    with pytest.raises(Refusal) as caught:
        read_labels(path)
    return caught.value


MARKS = np.array([[0, 1, 1, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 0]], dtype=np.uint8)


@needs_shared
def test_the_labels_amount_to_what_was_published():
    """Stevenson 2019: 79 neonates, median 74 min, 460 seizures per expert, 39 seizing and 22 free by consensus."""
    found = facts(read_labels(LABELS))
    assert (found.newborns, found.seizing, found.free, found.seizing_by_majority) == (79, 39, 22, 46)
    assert found.seizures_per_expert == pytest.approx((402 + 429 + 548) / 3)
    assert found.hours == pytest.approx(111.9, abs=0.05)
    assert found.median_min == pytest.approx(74.5, abs=0.05)


@needs_shared
def test_as_many_experts_mark_each_newborn_as_the_clinical_table_says():
    with (SHARED / "helsinki" / "clinical_information.csv").open(encoding="utf-8-sig") as file:
        stated = {row["EEG file"]: row["Number of Reviewers Annotating Seizure"] for row in csv.DictReader(file)}
    read = {n.recording: str(sum(bool(a.events) for a in n.experts.values())) for n in read_labels(LABELS)}
    assert read == stated


def test_each_expert_gets_their_own_events_and_the_majority_those_of_two(tmp_path):
    newborn = read_labels(written(tmp_path / "a.mat", MARKS))[0]
    assert newborn.recording == "eeg1"
    assert [[(e.onset_s, e.end_s) for e in a.events] for a in newborn.experts.values()] == [[(1, 3)], [(2, 4)], []]
    np.testing.assert_array_equal(newborn.masks, MARKS.astype(bool))
    assert [newborn.marked_by(n).total_s() for n in (1, 2, 3)] == [3, 1, 0]


def test_facts_count_consensus_second_by_second(tmp_path):
    silent, together = np.zeros((3, 5), np.uint8), np.ones((3, 5), np.uint8)
    found = facts(read_labels(written(tmp_path / "a.mat", MARKS, silent, together)))
    assert (found.newborns, found.seizing, found.seizing_by_majority, found.free) == (3, 1, 2, 1)


@pytest.mark.parametrize(
    "marks",
    [MARKS[:2], MARKS[:, :0], MARKS[0], MARKS * 2, np.where(MARKS, np.nan, 0.0), np.array([["a"] * 5] * 3)],
    ids=["two experts", "no second", "one row", "twos", "gaps", "letters"],
)
def test_labels_that_are_no_three_rows_of_nought_and_one_are_refused(tmp_path, marks):
    refusal = refusal_of(written(tmp_path / "a.mat", MARKS, marks))
    assert refusal.code == "corrupt" and "newborn 2" in refusal.reason


def test_what_is_no_file_of_labels_is_refused_by_type(tmp_path):
    (tmp_path / "b.mat").write_bytes(b"onset\tduration\n")
    assert refusal_of(tmp_path / "b.mat").code == "unsupported_format"
    assert VARIABLE in refusal_of(written(tmp_path / "c.mat", MARKS, name="annotat")).reason
    savemat(tmp_path / "d.mat", {VARIABLE: MARKS})
    assert refusal_of(tmp_path / "d.mat").code == "unsupported_format"
    with pytest.raises(FileNotFoundError):
        read_labels(tmp_path / "absent.mat")


@settings(max_examples=40, deadline=None)
@given(st.floats(0.05, 0.999), st.booleans(), st.integers(0, 255))
@example(0.43, False, 9)  # over these scipy's reader falls, with the process that it runs in
@example(0.716, False, 8)
def test_a_damaged_file_is_refused_or_read_never_crashed_on(tmp_path_factory, where, cut, byte):
    path = written(tmp_path_factory.mktemp("labels") / "a.mat", MARKS, MARKS)
    content = bytearray(path.read_bytes())
    place = max(10, int(where * len(content)))
    content[place:] = content[place:][:0] if cut else bytes([byte]) + content[place + 1 :]
    path.write_bytes(content)
    try:
        assert len(read_labels(path)) in (1, 2)
    except Refusal as refusal:
        assert refusal.code in ("corrupt", "unsupported_format")


@needs_shared
def test_a_file_of_labels_that_breaks_off_is_refused(tmp_path):
    (tmp_path / "a.mat").write_bytes(LABELS.read_bytes()[:6000])
    assert refusal_of(tmp_path / "a.mat").code == "corrupt"
