import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.cohorts.bids import read_cohort
from validation.splits import (
    INNER_VALID,
    OUT,
    TEST,
    TRAIN,
    CannotSplit,
    Member,
    Split,
    members,
    nested_patient_split,
    window_fold,
    window_split,
)


def listed(number: int, site: str = "A", seizing: bool = True, person: str = "") -> Member:
    return Member(
        f"sub-{number:03d}_eeg", f"sub-{number:03d}", person or f"p{number}", site, seizing, f"digest{number}"
    )


@st.composite
def cohorts(draw) -> list[Member]:
    """6 to 24 persons at 1 to 3 sites, each with 1 to 3 recordings under one or more patient ids."""
    entries: list[Member] = []
    for person in range(draw(st.integers(6, 24))):
        site, seizing = draw(st.sampled_from("ABC")), draw(st.booleans())
        for _ in range(draw(st.integers(1, 3))):
            entries.append(listed(len(entries), site, seizing, f"person{person}"))
    return entries


def person_of(entries: list[Member]) -> dict[str, str]:
    return {m.recording: m.person for m in entries}


@settings(deadline=None, max_examples=60)
@given(cohorts(), st.integers(0, 99))
def test_every_recording_is_tested_once_and_no_person_has_two_roles(entries, seed):
    split = nested_patient_split(entries, folds=3, seed=seed)
    assert sorted(name for fold in split.folds for name in fold.test) == sorted(m.recording for m in entries)
    for fold in split.folds:
        roles = [{person_of(entries)[n] for n in names} for names in (fold.train, fold.inner_valid, fold.test)]
        assert len(set.union(*roles)) == sum(len(r) for r in roles) == len({m.person for m in entries})


@settings(deadline=None, max_examples=60)
@given(cohorts(), st.integers(0, 99))
def test_persons_and_seizing_persons_per_fold_differ_by_at_most_one(entries, seed):
    seizing = {m.person for m in entries if any(o.has_seizure for o in entries if o.person == m.person)}
    tested = [{person_of(entries)[n] for n in fold.test} for fold in nested_patient_split(entries, seed=seed).folds]
    assert np.ptp([len(t) for t in tested]) <= 1
    assert np.ptp([len(t & seizing) for t in tested]) <= 1


@settings(deadline=None, max_examples=40)
@given(cohorts())
def test_each_site_is_spread_over_the_folds(entries):
    for site in "ABC":
        here = {m.person for m in entries if m.site == site}
        tested = [
            len({person_of(entries)[n] for n in fold.test} & here) for fold in nested_patient_split(entries).folds
        ]
        assert np.ptp(tested) <= 2  # seizing and seizure-free persons are dealt apart, each to within one


@settings(deadline=None, max_examples=30)
@given(cohorts(), st.integers(0, 9), st.randoms())
def test_the_order_of_the_entries_does_not_matter(entries, seed, random):
    shuffled = list(entries)
    random.shuffle(shuffled)
    assert nested_patient_split(shuffled, seed=seed) == nested_patient_split(entries, seed=seed)


def test_inner_validation_holds_a_quarter_of_the_training_persons_with_seizures_among_them():
    entries = [listed(i, "AB"[i % 2], seizing=i < 12) for i in range(24)]
    for fold in nested_patient_split(entries, folds=3, inner_share=0.25, seed=4).folds:
        assert len(fold.test) == 24 / 3
        assert len(fold.inner_valid) == (24 - 8) / 4
        assert sum(int(name[4:7]) < 12 for name in fold.inner_valid) == (12 - 4) / 4


def test_one_seed_gives_one_split_and_another_seed_another():
    entries = [listed(i) for i in range(12)]
    assert nested_patient_split(entries, seed=1).digest == nested_patient_split(entries, seed=1).digest
    assert nested_patient_split(entries, seed=1).digest != nested_patient_split(entries, seed=2).digest


def test_a_split_survives_json_with_its_digest():
    split = nested_patient_split([listed(i) for i in range(12)], seed=3)
    again = Split.from_json(json.loads(json.dumps(split.to_json())))
    assert again == split and again.digest == split.digest


def test_one_person_under_two_ids_at_two_sites_stays_together():
    entries = [listed(i) for i in range(10)] + [listed(10, "A", person="twice"), listed(11, "B", person="twice")]
    for fold in nested_patient_split(entries, seed=0).folds:
        assert ("sub-010_eeg" in fold.test) == ("sub-011_eeg" in fold.test)
        assert ("sub-010_eeg" in fold.inner_valid) == ("sub-011_eeg" in fold.inner_valid)


def test_too_few_persons_are_refused_with_the_number_needed():
    with pytest.raises(CannotSplit, match="6 persons, got 5 persons"):
        nested_patient_split([listed(i) for i in range(5)], folds=3)
    with pytest.raises(CannotSplit, match="at least 2 folds"):
        nested_patient_split([listed(i) for i in range(5)], folds=1)


def test_only_the_patient_split_may_be_registered():
    entries = [listed(i) for i in range(12)]
    assert nested_patient_split(entries).reportable
    assert not window_split(entries).reportable
    assert window_split(entries).to_json()["reportable"] is False


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 500), st.integers(2, 6), st.integers(0, 50))
def test_window_folds_are_balanced_and_repeatable(n_windows, folds, seed):
    fold = window_fold(n_windows, "sub-001_eeg", folds, seed)
    assert fold.shape == (n_windows,) and np.issubdtype(fold.dtype, np.integer)
    assert np.ptp(np.bincount(fold, minlength=folds)) <= 1
    assert np.array_equal(fold, window_fold(n_windows, "sub-001_eeg", folds, seed))


def test_window_folds_differ_between_recordings_and_seeds():
    first = window_fold(200, "sub-001_eeg", 3, 0)
    assert not np.array_equal(first, window_fold(200, "sub-002_eeg", 3, 0))
    assert not np.array_equal(first, window_fold(200, "sub-001_eeg", 3, 1))


def test_the_window_split_tests_every_window_once_and_tunes_on_a_share_of_the_rest():
    split = window_split([listed(i) for i in range(6)], folds=3, inner_share=0.25, seed=5)
    roles = np.stack([split.roles("sub-002_eeg", 300, fold) for fold in range(3)])
    assert np.array_equal((roles == TEST).sum(axis=0), np.ones(300))
    assert np.array_equal((roles == INNER_VALID).sum(axis=1), [50, 50, 50])  # a quarter of 200
    assert np.array_equal((roles == TRAIN).sum(axis=1), [150, 150, 150])


def test_roles_of_a_patient_split_are_one_for_all_windows_and_out_for_a_stranger():
    split = nested_patient_split([listed(i) for i in range(12)], seed=0)
    for number, fold in enumerate(split.folds):
        assert set(split.roles(fold.test[0], 7, number)) == {TEST}
        assert set(split.roles(fold.inner_valid[0], 7, number)) == {INNER_VALID}
        assert set(split.roles(fold.train[0], 7, number)) == {TRAIN}
        assert set(split.roles("stranger", 7, number)) == {OUT}
    assert set(window_split([listed(1)]).roles("stranger", 7, 0)) == {OUT}


def test_members_of_a_cohort_carry_person_seizures_and_raw_bytes(tmp_path):
    (tmp_path / "dataset_description.json").write_text('{"Name": "two", "BIDSVersion": "1.8.0"}')
    (tmp_path / "participants.tsv").write_text("participant_id\tsite\tperson\nsub-1\tA\tk\nsub-2\tB\tk\n")
    for patient, kind in (("sub-1", "sz"), ("sub-2", "bckg")):
        folder = tmp_path / patient / "eeg"
        folder.mkdir(parents=True)
        (folder / f"{patient}_task-eeg_run-01_eeg.edf").write_bytes(b"the same bytes")
        (folder / f"{patient}_task-eeg_run-01_events.tsv").write_text(
            f"onset\tduration\teventType\tconfidence\tchannels\tdateTime\trecordingDuration\n"
            f"5\t20\t{kind}\tn/a\tn/a\t2000-01-01 00:00:00\t60\n"
        )
    first, second = members(read_cohort(tmp_path))
    assert (first.recording, first.patient, first.person, first.site) == ("sub-1_task-eeg_run-01", "sub-1", "k", "A")
    assert (first.has_seizure, second.has_seizure) == (True, False)
    assert first.digest == second.digest and len(first.digest) == 64
