import json
import pickle
from dataclasses import replace

import numpy as np
import pytest

from validation.leakage import (
    FITTED,
    GUARDS,
    BrokenPromise,
    Disclosure,
    Features,
    Fingerprints,
    FittedOn,
    GuardOutcome,
    HoldoutUse,
    Leak,
    LeakageAudit,
    Windows,
    audit,
    fingerprint,
    inspect,
)
from validation.splits import (
    INNER_VALID,
    TEST,
    TRAIN,
    Fold,
    Member,
    Split,
    gap_split,
    nested_patient_split,
    seizure_split,
    site_split,
    window_split,
)

NAMES = tuple(f"sub-{i:02d}" for i in range(12))
ENTRIES = tuple(Member(name, name, f"person-{name}", "AB"[i % 2], i < 6, f"sha-{name}") for i, name in enumerate(NAMES))
SPLIT = nested_patient_split(ENTRIES, folds=3, seed=0)


def honest(split: Split = SPLIT) -> list[FittedOn]:
    """Everything fitted on the training side of its own fold; early stopping and threshold on inner validation."""
    tuned = ("early_stopping", "threshold", "calibration")
    return [
        FittedOn(number, what, fold.inner_valid if what in tuned else fold.train)
        for number, fold in enumerate(split.folds)
        for what in FITTED
    ]


def noise(name: str, seconds: float = 30.0) -> np.ndarray:
    """Six channels of noise at 128 Hz, another one for every name, in µV."""
    return 20 * np.random.default_rng([ord(c) for c in name]).standard_normal((6, round(128 * seconds)))


def pattern(name: str) -> np.ndarray:
    """A person's pattern over ten channels in twelve pieces: their own level per channel, and what varies."""
    rng = np.random.default_rng([ord(c) for c in name])
    return rng.standard_normal(10) + 0.3 * rng.standard_normal((12, 10))


def features() -> Features:
    """Forty windows of a recording, half of them seizure, and four numbers that are a little higher there."""
    rng = np.random.default_rng(0)
    label = np.tile([0, 1], 20 * len(NAMES))
    return Features(np.repeat(NAMES, 40), rng.standard_normal((len(label), 4)) + 0.8 * label[:, None], label)


PRINTS: dict[str, Fingerprints] = {name: fingerprint(noise(name), 128.0) for name in NAMES}
OPEN = Disclosure((), HoldoutUse(0), PRINTS, features(), {name: pattern(name) for name in NAMES})
"""All is disclosed: nothing was pre-trained, there is no hold-out, nothing stands twice, labels are not read."""


def changed(name: str, **facts: object) -> tuple[Member, ...]:
    return tuple(replace(m, **facts) if m.recording == name else m for m in ENTRIES)


def with_fold(number: int, fold: Fold) -> Split:
    return replace(SPLIT, folds=tuple(fold if i == number else f for i, f in enumerate(SPLIT.folds)))


def outcome_of(guard: str, found) -> str:
    return next(o.outcome for o in found.outcomes if o.guard == guard)


def said_by(guard: str, found: LeakageAudit) -> tuple[str, str]:
    return next((o.outcome, o.reason) for o in found.outcomes if o.guard == guard)


def test_an_honest_study_passes_every_guard():
    found = audit(SPLIT, ENTRIES, honest(), disclosed=OPEN)
    assert found.clean and {o.outcome for o in found.outcomes} == {"pass"}
    assert [o.guard for o in found.outcomes] == [g.name for g in GUARDS]


def test_leak_of_a_person_under_two_ids_is_blocked_and_the_pair_named():
    tested, trained = SPLIT.folds[0].test[0], SPLIT.folds[0].train[0]
    with pytest.raises(Leak, match=f"{trained} and {tested} are one person") as caught:
        audit(SPLIT, changed(tested, person=f"person-{trained}"), honest())
    assert caught.value.guard == "same_person"
    assert isinstance(caught.value, BrokenPromise)
    assert caught.value.audit is not None and not caught.value.audit.clean


def test_a_leak_survives_the_way_out_of_a_worker_process():
    leak = pickle.loads(pickle.dumps(Leak("same_bytes", "a and b")))
    assert str(leak) == "same_bytes: a and b" and leak.guard == "same_bytes"


def test_leak_of_a_person_tested_in_two_folds_is_blocked():
    twice = replace(SPLIT, folds=(SPLIT.folds[0], SPLIT.folds[0]))
    with pytest.raises(Leak, match="tested in folds 0 and 1"):
        audit(twice, ENTRIES, honest(twice))


def test_leak_of_the_same_bytes_under_another_name_is_blocked():
    tested, trained = SPLIT.folds[1].test[0], SPLIT.folds[1].train[0]
    with pytest.raises(Leak, match="same bytes") as caught:
        audit(SPLIT, changed(tested, digest=f"sha-{trained}"), honest())
    assert caught.value.guard == "same_bytes" and trained in str(caught.value) and tested in str(caught.value)


def test_leak_of_a_recording_in_two_roles_is_blocked():
    fold = SPLIT.folds[0]
    split = with_fold(0, replace(fold, train=(*fold.train, fold.test[0])))
    cut = [Windows(name, np.arange(100) * 2.0, 2.0) for name in NAMES]
    for windows in ([], cut):
        found = inspect(split, ENTRIES, honest(), windows)
        assert outcome_of("overlapping_windows", found) == "leak"


def test_leak_through_overlapping_windows_is_blocked_and_windows_apart_are_not():
    split = window_split(ENTRIES, folds=3, seed=0)
    overlapping = [Windows(name, np.arange(100) * 1.0, 2.0) for name in NAMES]  # 2-s windows every second
    apart = [Windows(name, np.arange(100) * 2.0, 2.0) for name in NAMES]
    roles = split.roles(NAMES[0], np.arange(100) * 1.0, 0, 2.0)
    first = int(np.flatnonzero(np.diff(roles))[0])
    a, b = ({TRAIN: "training", INNER_VALID: "inner validation", TEST: "test"}[int(roles[first + k])] for k in (0, 1))
    named = f"windows of {NAMES[0]} at {first} s ({a}) and {first + 1} s ({b}) overlap in fold 0"
    assert said_by("overlapping_windows", inspect(split, ENTRIES, windows=overlapping)) == ("leak", named)
    assert outcome_of("overlapping_windows", inspect(split, ENTRIES, windows=apart)) == "pass"


def test_leak_guard_finds_overlap_in_windows_of_any_order():
    split = window_split(ENTRIES, folds=3, seed=0)
    shuffled = np.random.default_rng(0).permutation(np.arange(100) * 1.0)
    found = inspect(split, ENTRIES, windows=[Windows(NAMES[0], shuffled, 2.0)])
    assert outcome_of("overlapping_windows", found) == "leak"
    apart = inspect(split, ENTRIES, windows=[Windows(name, 2 * shuffled, 2.0) for name in NAMES])
    assert outcome_of("overlapping_windows", apart) == "pass"


def test_windows_that_were_not_given_are_unknown_where_windows_are_dealt():
    given = [Windows(name, np.arange(100) * 2.0, 2.0) for name in NAMES[1:]]
    found = inspect(window_split(ENTRIES), ENTRIES, windows=given)
    assert said_by("overlapping_windows", found) == (
        "unknown",
        f"{NAMES[0]} stands in the split and has no windows (and 0 more)",
    )
    assert outcome_of("overlapping_windows", inspect(SPLIT, ENTRIES, windows=given)) == "pass"  # whole recordings apart


@pytest.mark.parametrize("split", [SPLIT, window_split(ENTRIES), gap_split(ENTRIES)], ids=lambda s: s.regime)
def test_windows_of_a_recording_that_stands_in_no_fold_are_unknown(split):
    given = [Windows(name, np.arange(100) * 2.0, 2.0) for name in (*NAMES, "sub-99")]
    found = inspect(split, ENTRIES, windows=given)
    assert said_by("overlapping_windows", found) == ("unknown", "sub-99 has windows and stands in no fold (and 0 more)")


def test_clips_of_seizures_are_looked_at_where_it_is_said_in_which_seizure_each_lies():
    """Four clips of 10 s, one each 10 s, in two seizures; then one each 5 s, the seizures dealt apart in some fold."""
    split, event = seizure_split(ENTRIES), np.array([0, 0, 1, 1])
    apart = [Windows(name, np.arange(4) * 10.0, 10.0, event) for name in NAMES]
    assert outcome_of("overlapping_windows", inspect(split, ENTRIES, windows=apart)) == "pass"
    overlapping = [replace(cut, onsets_s=cut.onsets_s / 2) for cut in apart]
    assert outcome_of("overlapping_windows", inspect(split, ENTRIES, windows=overlapping)) == "leak"
    unstated = [replace(cut, event=None) for cut in apart]
    found = inspect(split, ENTRIES, windows=unstated)
    assert said_by("overlapping_windows", found) == (
        "unknown",
        f"nothing is stated about the seizures that windows of {NAMES[0]} lie in",
    )


def test_windows_of_stretches_with_a_gap_do_not_overlap():
    overlapping = [Windows(name, np.arange(600) * 1.0, 2.0) for name in NAMES]
    assert outcome_of("overlapping_windows", inspect(gap_split(ENTRIES), ENTRIES, windows=overlapping)) == "pass"


def test_a_person_of_two_sites_may_be_tested_at_both_by_models_that_do_not_know_them():
    north, south = NAMES[0], NAMES[1]
    entries = changed(south, person=f"person-{north}")
    assert outcome_of("same_person", inspect(site_split(entries), entries)) == "pass"
    split = site_split(ENTRIES)  # drawn as if they were two people
    assert outcome_of("same_person", inspect(split, entries)) == "leak"


def test_overlapping_windows_of_one_role_are_no_leak():
    windows = [Windows(name, np.arange(100) * 1.0, 2.0) for name in NAMES]
    assert audit(SPLIT, ENTRIES, honest(), windows, OPEN).clean


def test_leak_of_an_inner_validation_person_into_the_test_is_blocked():
    fold = SPLIT.folds[2]
    found = inspect(SPLIT, changed(fold.test[0], person=f"person-{fold.inner_valid[0]}"), honest())
    assert outcome_of("inner_validation", found) == "leak"


def test_leak_of_an_inner_validation_person_into_the_training_is_blocked():
    fold = SPLIT.folds[2]
    found = inspect(SPLIT, changed(fold.train[0], person=f"person-{fold.inner_valid[0]}"), honest())
    assert outcome_of("inner_validation", found) == "leak"
    assert outcome_of("same_bytes", found) == "pass"


@pytest.mark.parametrize("what", FITTED)
def test_leak_of_anything_fitted_on_the_test_is_blocked(what):
    tested = SPLIT.folds[1].test[0]
    leaky = [replace(f, recordings=(*f.recordings, tested)) if (f.fold, f.what) == (1, what) else f for f in honest()]
    with pytest.raises(Leak, match=f"the {what} of fold 1 was fitted on {tested}, which stands on its test side"):
        audit(SPLIT, ENTRIES, leaky)


def test_what_nobody_states_is_unknown_and_not_clean():
    unstated = audit(SPLIT, ENTRIES, [f for f in honest() if (f.fold, f.what) != (2, "threshold")])
    said = "nothing is stated about the threshold of fold 2 (and 0 more)"
    assert said_by("fitted_on", unstated) == ("unknown", said) and not unstated.clean and not unstated.leaking
    assert outcome_of("fitted_on", audit(SPLIT, ENTRIES)) == "unknown"


def test_recordings_without_a_digest_or_outside_the_cohort_are_unknown():
    assert outcome_of("same_bytes", audit(SPLIT, changed(NAMES[0], digest=""), honest())) == "unknown"
    without = [m for m in ENTRIES if m.recording != NAMES[0]]
    assert outcome_of("same_person", audit(SPLIT, without, honest())) == "unknown"


def test_something_fitted_under_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="unknown fitted thing 'normalizer'"):
        FittedOn(0, "normalizer", ())


def test_the_window_split_is_found_to_leak_and_never_clean():
    found = inspect(window_split(ENTRIES), ENTRIES)
    assert {outcome_of(guard, found) for guard in ("same_person", "same_bytes", "inner_validation")} == {"leak"}
    with pytest.raises(Leak):
        audit(window_split(ENTRIES), ENTRIES)


def test_an_audit_is_json_bound_to_its_split_by_digest():
    found = audit(SPLIT, ENTRIES, honest(), disclosed=OPEN)
    written = json.loads(json.dumps(found.to_json()))
    assert written["digest"] == found.digest and written["split_digest"] == SPLIT.digest
    assert found.digest != audit(SPLIT, ENTRIES).digest


def test_an_audit_in_which_one_guard_looked_is_not_clean():
    alone = LeakageAudit("split", (GuardOutcome("same_person", "pass", ""),))
    assert not alone.clean and not alone.leaking
    everybody = tuple(GuardOutcome(guard.name, "pass", "") for guard in GUARDS)
    assert LeakageAudit("split", everybody).clean and not LeakageAudit("split", everybody[:-1]).clean
