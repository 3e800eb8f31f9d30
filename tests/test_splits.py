import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from validation.splits import (
    INNER_VALID,
    OUT,
    REGIMES,
    TEST,
    TRAIN,
    CannotSplit,
    Member,
    Split,
    draw_split,
    gap_split,
    nested_patient_split,
    recording_split,
    site_split,
    window_split,
)
from validation.window_roles import GAP_S, window_fold


def listed(number: int, site: str = "A", seizing: bool = True, person: str = "") -> Member:
    return Member(
        f"sub-{number:03d}_eeg", f"sub-{number:03d}", person or f"p{number}", site, seizing, f"digest{number}"
    )


@st.composite
def cohorts(draw) -> list[Member]:
    """6 to 24 persons at 1 to 3 sites, each with 1 to 3 recordings, with seizures or not, under one or more patient ids."""
    entries: list[Member] = []
    for person in range(draw(st.integers(6, 24))):
        site = draw(st.sampled_from("ABC"))
        for seizing in draw(st.lists(st.booleans(), min_size=1, max_size=3)):
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
@given(cohorts(), st.integers(0, 99))
def test_persons_of_one_stratum_are_spread_over_the_folds(entries, seed):
    typed = [replace(m, stratum="xyz"[int(m.person.removeprefix("person")) % 3]) for m in entries]
    stratum = {m.person: m.stratum for m in typed}
    tested = [{person_of(typed)[n] for n in fold.test} for fold in nested_patient_split(typed, seed=seed).folds]
    for one in "xyz":
        assert np.ptp([sum(stratum[p] == one for p in persons) for persons in tested]) <= 1


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


@settings(deadline=None, max_examples=40)
@given(cohorts(), st.integers(0, 99), st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]))
def test_of_those_with_seizures_and_of_those_without_a_share_tunes_and_never_nobody_or_all(entries, seed, share):
    """At least one of two, and one is left to train on, however small or large a share is asked for."""
    seizing = {m.person for m in entries if m.has_seizure}
    for fold in nested_patient_split(entries, inner_share=share, seed=seed).folds:
        train, tuning = ({person_of(entries)[n] for n in names} for names in (fold.train, fold.inner_valid))
        for inside in (lambda p: p in seizing, lambda p: p not in seizing):
            n, tune = sum(map(inside, train | tuning)), sum(map(inside, tuning))
            assert tune == (0 if n < 2 else min(max(1, round(share * n)), n - 1))


def test_one_seed_gives_one_split_and_another_seed_another():
    entries = [listed(i) for i in range(12)]
    assert nested_patient_split(entries, seed=1).digest == nested_patient_split(entries, seed=1).digest
    assert nested_patient_split(entries, seed=1).digest != nested_patient_split(entries, seed=2).digest


@pytest.mark.parametrize("regime", ["window", "gap", "seizure"])
def test_recordings_are_divided_into_two_folds_or_more_as_persons_are(regime):
    """One fold would test every window and learn from none."""
    for folds in (0, 1):
        with pytest.raises(CannotSplit, match=f"got {folds} folds and 6 recordings"):
            draw_split(regime, [listed(i) for i in range(6)], folds, 0.25, 0)
    with pytest.raises(CannotSplit, match="got 3 folds and 0 recordings"):
        draw_split(regime, [], 3, 0.25, 0)
    assert len(draw_split(regime, [listed(0)], 2, 0.25, 0).folds) == 2


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
    with pytest.raises(CannotSplit, match="at least 2 folds and 6 persons, got 5 persons"):
        nested_patient_split([listed(i) for i in range(5)], folds=3)
    with pytest.raises(CannotSplit, match="at least 2 folds"):
        nested_patient_split([listed(i) for i in range(5)], folds=1)
    for folds in (2, 3):
        enough = nested_patient_split([listed(i) for i in range(2 * folds)], folds=folds)
        assert all(fold.train and fold.test for fold in enough.folds) and len(enough.folds) == folds


def test_only_splits_by_patient_and_by_site_may_be_registered():
    entries = [listed(i, "AB"[i % 2]) for i in range(12)]
    reportable = {regime: draw_split(regime, entries, 3, 0.25, 0).reportable for regime in REGIMES}
    assert reportable == {"patient": True, "site": True, "recording": False, "gap": False, "window": False}
    assert window_split(entries).to_json()["reportable"] is False


@settings(deadline=None, max_examples=40)
@given(cohorts(), st.integers(0, 9))
def test_a_site_is_tested_by_a_model_that_knows_none_of_its_persons(entries, seed):
    sites = {m.site for m in entries}
    everyone = {m.person for m in entries}
    try:
        split = site_split(entries, seed=seed)
    except CannotSplit:
        reached = [{m.person for m in entries if m.site == site} for site in sites]
        assert len(sites) < 2 or everyone in reached
        return
    site_of = {m.recording: m.site for m in entries}
    assert [{site_of[n] for n in fold.test} for fold in split.folds] == [{site} for site in sorted(sites)]
    assert sorted(n for fold in split.folds for n in fold.test) == sorted(site_of)
    for fold in split.folds:
        train, inner, test = (
            {person_of(entries)[n] for n in names} for names in (fold.train, fold.inner_valid, fold.test)
        )
        assert not train & test and not inner & test and not train & inner


def test_a_person_recorded_at_two_sites_is_learned_from_at_neither_when_one_of_them_is_tested():
    entries = [listed(i, "AB"[i % 2]) for i in range(8)] + [listed(8, "A", person="p1")]
    for fold in site_split(entries).folds:
        assert not {"sub-001_eeg", "sub-008_eeg"} & {*fold.train, *fold.inner_valid}


def test_one_site_cannot_be_left_out():
    with pytest.raises(CannotSplit, match="at least 2 sites, got 1"):
        site_split([listed(i) for i in range(8)])
    with pytest.raises(CannotSplit, match="without A: every person was recorded there"):
        site_split([listed(0, "A"), listed(1, "B", person="p0")])


def test_recordings_apart_may_hold_one_person_on_both_sides():
    entries = [listed(i, person=f"p{i // 4}") for i in range(24)]
    split = recording_split(entries, seed=1)
    assert sorted(n for fold in split.folds for n in fold.test) == sorted(m.recording for m in entries)
    person = person_of(entries)
    assert any({person[n] for n in fold.test} & {person[n] for n in fold.train} for fold in split.folds)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 400), st.integers(2, 5), st.integers(0, 99), st.sampled_from([0.5, 1.0, 2.0]), st.randoms())
def test_with_a_gap_every_window_is_tested_once_and_no_other_role_comes_near(n, folds, seed, hop_s, random):
    onset_s = np.arange(n) * hop_s
    random.shuffle(onset_s)
    split = gap_split([listed(2)], folds=folds, seed=seed)
    roles = np.stack([split.roles("sub-002_eeg", onset_s, fold, 2.0) for fold in range(folds)])
    assert ((roles == TEST).sum(axis=0) == 1).all()
    for own in roles:
        for a, b in ((TEST, TRAIN), (TEST, INNER_VALID), (TRAIN, INNER_VALID)):
            apart_s = np.abs(onset_s[own == a][:, None] - onset_s[own == b][None])
            assert apart_s.size == 0 or apart_s.min() >= 2.0 + GAP_S


def test_with_a_gap_a_ten_minute_recording_keeps_most_of_its_windows():
    split = gap_split([listed(2)], folds=3, inner_share=0.25, seed=5)
    for fold in range(3):
        roles = split.roles("sub-002_eeg", np.arange(600.0), fold, 1.0)
        assert (roles == TEST).sum() == 200
        assert (roles == OUT).sum() <= 4 * 31
        assert (roles == INNER_VALID).sum() >= 80


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
    roles = np.stack([split.roles("sub-002_eeg", np.arange(300.0), fold, 1.0) for fold in range(3)])
    assert np.array_equal((roles == TEST).sum(axis=0), np.ones(300))
    assert np.array_equal((roles == INNER_VALID).sum(axis=1), [50, 50, 50])  # a quarter of 200
    assert np.array_equal((roles == TRAIN).sum(axis=1), [150, 150, 150])


def test_roles_of_a_patient_split_are_one_for_all_windows_and_out_for_a_stranger():
    split = nested_patient_split([listed(i) for i in range(12)], seed=0)
    for number, fold in enumerate(split.folds):
        assert set(split.roles(fold.test[0], np.arange(7), number, 1.0)) == {TEST}
        assert set(split.roles(fold.inner_valid[0], np.arange(7), number, 1.0)) == {INNER_VALID}
        assert set(split.roles(fold.train[0], np.arange(7), number, 1.0)) == {TRAIN}
        assert set(split.roles("stranger", np.arange(7), number, 1.0)) == {OUT}
    assert set(window_split([listed(1)]).roles("stranger", np.arange(7), 0, 1.0)) == {OUT}


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 8), max_size=40), st.integers(2, 4), st.integers(0, 20))
def test_clips_of_one_seizure_have_one_role_and_each_seizure_is_tested_once(event, folds, seed):
    split, numbers = draw_split("seizure", [listed(2)], folds, 0.25, seed), np.array(event, dtype=int)
    onset_s = np.arange(len(event)) * 10.0
    roles = np.stack([split.roles("sub-002_eeg", onset_s, fold, 10.0, numbers) for fold in range(folds)])
    assert ((roles == TEST).sum(axis=0) == 1).all() and set(np.unique(roles)) <= {TRAIN, INNER_VALID, TEST}
    assert all(len(np.unique(roles[:, numbers == one], axis=1).T) == 1 for one in np.unique(numbers))
    assert set(split.roles("stranger", onset_s, 0, 10.0, numbers)) <= {OUT}
    with pytest.raises(ValueError, match="in which one each window lies"):
        split.roles("sub-002_eeg", onset_s, 0, 10.0)
