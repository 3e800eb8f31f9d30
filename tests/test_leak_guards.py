"""Leaks planted one by one: each is caught by its guard, seen to pass without it, and never passes as clean."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import SHARED, needs_shared
from tests.test_leakage import ENTRIES, NAMES, OPEN, SPLIT, changed, honest, noise, pattern, with_fold
from validation.leakage import (
    FITTED,
    GUARDS,
    Disclosure,
    Features,
    Fingerprints,
    FittedOn,
    GuardOutcome,
    HoldoutUse,
    Leak,
    LeakageAudit,
    Opening,
    Pretraining,
    Windows,
    audit,
    copies,
    fingerprint,
    identity_embedding,
    inspect,
    likeness,
    sample_features,
)
from validation.leakage.audit import Guard
from validation.leakage.fingerprints import unit
from validation.splits import Member, Split, draw_split, window_split

INNER = {name for fold in SPLIT.folds for name in fold.inner_valid}
TRAINED, TESTED = next(
    (a, b) for a in SPLIT.folds[0].train for b in SPLIT.folds[0].test if a not in INNER and b not in INNER
)
"""On two sides of fold 0, and neither ever tunes."""


@dataclass(frozen=True)
class Planted:
    """One leak in an otherwise honest study. `also`: guards that see the same leak from their own side."""

    guard: str
    named: tuple[str, ...]
    split: Split = SPLIT
    entries: tuple[Member, ...] = ENTRIES
    fitted_on: tuple[FittedOn, ...] = tuple(honest())
    windows: tuple[Windows, ...] = ()
    disclosed: dict[str, Any] = field(default_factory=dict)
    also: tuple[str, ...] = ()

    def audit(self, guards: tuple[Guard, ...]) -> LeakageAudit:
        disclosed = replace(OPEN, **self.disclosed)
        return audit(self.split, self.entries, self.fitted_on, self.windows, disclosed, guards)


def fitted_on_test(what: str) -> Planted:
    """`what` of fold 0 was fitted on its training side and on one recording that it tests."""
    leaky = [replace(f, recordings=(*f.recordings, TESTED)) if (f.fold, f.what) == (0, what) else f for f in honest()]
    return Planted("fitted_on", (what, "fold 0", TESTED), fitted_on=tuple(leaky))


def pasted(piece: np.ndarray) -> Planted:
    """Ten seconds of what was trained on, altered, stand in what is tested from 12 s on."""
    host = noise(TESTED)
    host[:, 1536 : 1536 + piece.shape[1]] = piece
    prints = {**(OPEN.fingerprints or {}), TESTED: fingerprint(host, 128.0)}
    return Planted("near_duplicates", (TRAINED, TESTED, "same signal"), disclosed={"fingerprints": prints})


def label_as_feature() -> Planted:
    assert OPEN.features is not None
    x = np.column_stack([OPEN.features.x, OPEN.features.label + 0.01 * OPEN.features.x[:, 0]])
    names = ("power", "slope", "line length", "correlation", "is_artefact")
    made = replace(OPEN.features, x=x, names=names)
    return Planted("label_derived", ("is_artefact", NAMES[0], NAMES[1]), disclosed={"features": made})


def one_person_with_two_keys() -> Planted:
    rng = np.random.default_rng(1)
    again = pattern(TRAINED).mean(axis=0) + 0.3 * rng.standard_normal((12, 10))
    embeddings = {**(OPEN.embeddings or {}), TESTED: again}
    return Planted("identity_probe", (TRAINED, TESTED, "two keys"), disclosed={"embeddings": embeddings})


def opened_twice() -> Planted:
    looks = (Opening("reviewer", "2026-03-01", "registration"), Opening("author", "2026-03-09", "one more look"))
    return Planted(
        "holdout_budget",
        ("opening 2 ", "author", "2026-03-09", "one more look"),
        disclosed={"holdout": HoldoutUse(1, looks)},
    )


def pretrained(**known: frozenset[str]) -> Planted:
    stated = (Pretraining("foundation-eeg", **known),)
    return Planted("pretraining", ("foundation-eeg", TESTED), disclosed={"pretrained_on": stated})


def pretrained_on_a_copy() -> Planted:
    """Ten seconds of what is tested, amplified, under another name and key in what was learnt from beforehand."""
    host = noise("elsewhere")
    host[:, 640:1920] = -1.7 * noise(TESTED)[:, 1000:2280]
    stated = (Pretraining("foundation-eeg", frozenset({"person-x"}), recordings=frozenset({"other"})),)
    prints = {**(OPEN.fingerprints or {}), "other": fingerprint(host, 128.0)}
    told = {"pretrained_on": stated, "fingerprints": prints}
    return Planted("pretraining", ("foundation-eeg", TESTED, "the same signal as other"), disclosed=told)


CLIP = noise(TRAINED)[:, 1000:2280]
FOLD = SPLIT.folds[0]
RANDOM = window_split(ENTRIES)

LEAKS = {
    "one person under two ids": Planted(
        "same_person", (TRAINED, TESTED), entries=changed(TESTED, person=f"person-{TRAINED}")
    ),
    "one person tested in two folds": Planted(
        "same_person",
        (FOLD.test[0], "tested in folds 0 and 1"),
        split=with_fold(1, FOLD),
        fitted_on=tuple(honest(with_fold(1, FOLD))),
    ),
    "same bytes under two names": Planted(
        "same_bytes", (TRAINED, TESTED), entries=changed(TESTED, digest=f"sha-{TRAINED}")
    ),
    "overlapping windows": Planted(
        "overlapping_windows",
        (NAMES[0], "overlap in fold 0"),
        split=RANDOM,
        fitted_on=tuple(honest(RANDOM)),
        windows=tuple(Windows(name, np.arange(60) * 1.0, 2.0) for name in NAMES),
        also=("same_person", "same_bytes", "inner_validation"),  # a recording on both sides is its own person
    ),
    "inner validation person also trained on": Planted(
        "inner_validation",
        (FOLD.inner_valid[0], "inner validation", "training"),
        split=with_fold(0, replace(FOLD, inner_valid=FOLD.inner_valid[:1], train=(*FOLD.train, *FOLD.inner_valid[1:]))),
        entries=changed(FOLD.inner_valid[0], person=f"person-{FOLD.inner_valid[1]}"),
        also=("same_person",),  # elsewhere the two stand on two sides
    ),
    "segment with another gain": pasted(1.7 * CLIP),
    "segment turned over": pasted(-1.7 * CLIP),
    "segment with an offset and noise": pasted(CLIP + 40 + 2 * np.random.default_rng(2).standard_normal(CLIP.shape)),
    "segment shifted by half a sample": pasted((noise(TRAINED)[:, 1000:2280] + noise(TRAINED)[:, 1001:2281]) / 2),
    "normaliser fitted on all": fitted_on_test("normaliser"),
    "threshold tuned on test": fitted_on_test("threshold"),
    "early stopping on test": fitted_on_test("early_stopping"),
    "calibration on test": fitted_on_test("calibration"),
    "network trained on test": fitted_on_test("network"),
    "pre-training on a test person": pretrained(persons=frozenset({f"person-{TESTED}"})),
    "pre-training on test bytes": pretrained(digests=frozenset({f"sha-{TESTED}"})),
    "pre-training on a copy of a test recording": pretrained_on_a_copy(),
    "feature made from the label": label_as_feature(),
    "one person with two keys": one_person_with_two_keys(),
    "hold-out opened beyond its budget": opened_twice(),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_leak_is_blocked_by_its_guard_and_the_pair_is_named(leak):
    planted = LEAKS[leak]
    with pytest.raises(Leak) as caught:
        planted.audit(tuple(g for g in GUARDS if g.name not in planted.also))
    assert caught.value.guard == planted.guard
    assert all(name in str(caught.value) for name in planted.named), str(caught.value)
    assert caught.value.audit is not None and caught.value.audit.leaking


@pytest.mark.parametrize("leak", LEAKS)
def test_leak_passes_once_its_guard_is_left_out_and_then_the_audit_is_not_clean(leak):
    planted = LEAKS[leak]
    found = planted.audit(tuple(g for g in GUARDS if g.name not in (planted.guard, *planted.also)))
    assert not found.leaking and not found.clean
    assert GuardOutcome(planted.guard, "unknown", "this guard was left out") in found.outcomes


def test_every_guard_has_a_planted_leak():
    assert {planted.guard for planted in LEAKS.values()} == {guard.name for guard in GUARDS}


@pytest.mark.parametrize("guard", GUARDS, ids=lambda g: g.name)
def test_no_honest_study_is_clean_with_a_guard_left_out_or_replaced(guard):
    others = tuple(g for g in GUARDS if g != guard)
    blind = Guard(guard.name, lambda study: None)
    for guards in (others, (*others, blind)):
        found = audit(SPLIT, ENTRIES, honest(), disclosed=OPEN, guards=guards)
        assert [o.guard for o in found.outcomes if o.outcome == "unknown"] == [guard.name] and not found.clean
    assert audit(SPLIT, ENTRIES, honest(), disclosed=OPEN, guards=(*others, guard)).clean


def test_leak_audit_of_nothing_is_not_clean():
    assert not LeakageAudit("split", ()).clean


@pytest.mark.parametrize(
    ("guard", "withheld"),
    [
        ("pretraining", {"pretrained_on": None}),
        ("pretraining", {"pretrained_on": (Pretraining("foundation-eeg"),)}),
        ("holdout_budget", {"holdout": None}),
        ("near_duplicates", {"fingerprints": None}),
        ("near_duplicates", {"fingerprints": {n: p for n, p in (OPEN.fingerprints or {}).items() if n != NAMES[3]}}),
        (
            "near_duplicates",
            {"fingerprints": {**(OPEN.fingerprints or {}), NAMES[3]: fingerprint(noise("x")[:4], 128)}},
        ),
        ("label_derived", {"features": None}),
        ("label_derived", {"features": Features(np.array([NAMES[0]]), np.zeros((1, 4)), np.array([1]))}),
        ("identity_probe", {"embeddings": None}),
        ("identity_probe", {"embeddings": {name: pattern(name) for name in NAMES[1:]}}),
    ],
)
def test_leak_guard_that_did_not_get_its_evidence_is_unknown_and_the_audit_not_clean(guard, withheld):
    found = audit(SPLIT, ENTRIES, honest(), disclosed=replace(OPEN, **withheld))
    assert [o.guard for o in found.outcomes if o.outcome != "pass"] == [guard]
    assert not found.clean and not found.leaking


def test_pre_training_of_one_fold_concerns_that_fold_only():
    own = tuple(
        Pretraining(f"encoder {k}", frozenset(f"person-{n}" for n in fold.train), fold=k)
        for k, fold in enumerate(SPLIT.folds)
    )
    assert audit(SPLIT, ENTRIES, honest(), disclosed=replace(OPEN, pretrained_on=own)).clean
    everywhere = replace(OPEN, pretrained_on=tuple(replace(p, fold=None) for p in own))
    with pytest.raises(Leak, match="encoder 0 has seen"):
        audit(SPLIT, ENTRIES, honest(), disclosed=everywhere)


def test_pre_training_on_other_signals_and_on_some_without_a_print_is_no_leak():
    others = {"other": fingerprint(noise("elsewhere"), 128.0), "still": fingerprint(np.zeros((6, 3840)), 128.0)}
    stated = (Pretraining("foundation-eeg", frozenset({"person-x"}), recordings=frozenset({*others, "not looked at"})),)
    disclosed = replace(OPEN, pretrained_on=stated, fingerprints={**(OPEN.fingerprints or {}), **others})
    assert not len(others["still"]) and audit(SPLIT, ENTRIES, honest(), disclosed=disclosed).clean
    tested = sorted({*SPLIT.folds[0].test} - INNER)[:2]  # one stands in the other, and neither was learnt from
    twice = {**disclosed.fingerprints, tested[1]: fingerprint(noise(tested[0]), 128.0)}
    assert audit(SPLIT, ENTRIES, honest(), disclosed=replace(disclosed, fingerprints=twice)).clean
    some = {name: prints for name, prints in twice.items() if name != NAMES[3]}
    found = audit(SPLIT, ENTRIES, honest(), disclosed=replace(disclosed, fingerprints=some))
    assert [o.guard for o in found.outcomes if o.outcome == "unknown"] == ["near_duplicates"]


def test_a_hold_out_opened_within_its_budget_is_no_leak():
    use = HoldoutUse(1, (Opening("reviewer", "2026-03-01", "registration"),))
    assert audit(SPLIT, ENTRIES, honest(), disclosed=replace(OPEN, holdout=use)).clean


@pytest.mark.parametrize("fold", [-1, 3, 7])
def test_something_fitted_in_a_fold_that_does_not_exist_is_unknown(fold):
    found = inspect(SPLIT, ENTRIES, [*honest(), FittedOn(fold, FITTED[0], NAMES)], disclosed=OPEN)
    assert {o.guard: o.outcome for o in found.outcomes}["fitted_on"] == "unknown"
    assert not found.clean and not found.leaking


def test_a_copy_on_one_side_of_every_fold_is_no_leak():
    tested = [{n for n in NAMES if n in fold.test} for fold in SPLIT.folds]
    one, other = sorted(tested[0] - INNER)[:2]
    prints = {**(OPEN.fingerprints or {}), other: fingerprint(noise(one), 128.0)}
    assert len(copies(prints)) == 1
    assert audit(SPLIT, ENTRIES, honest(), disclosed=replace(OPEN, fingerprints=prints)).clean


@settings(max_examples=12, deadline=None)
@given(
    gain=st.floats(0.3, 5).flatmap(lambda g: st.sampled_from([g, -g])),
    start=st.integers(0, 2000),
    place=st.integers(0, 2500),
)
def test_ten_seconds_are_found_again_wherever_they_are_pasted_and_however_amplified(gain, start, place):
    source, host = noise("source"), noise("host")
    host[:, place : place + 1280] = gain * source[:, start : start + 1280] + 30
    found = copies({"source": fingerprint(source, 128.0), "host": fingerprint(host, 128.0)})
    assert [(c.first, c.second) for c in found] == [("host", "source")]
    assert (found[0].first_s - found[0].second_s) == pytest.approx((place - start) / 128, abs=0.01)


def test_a_copy_is_found_at_another_sampling_rate():
    from scipy.signal import resample_poly

    source = noise("source")
    copy = resample_poly(-3 * source[:, 640:2560], 25, 16, axis=1)  # 128 Hz → 200 Hz
    found = copies({"a": fingerprint(source, 128.0), "b": fingerprint(copy, 200.0)})
    assert found[0].first_s - found[0].second_s == pytest.approx(5.0, abs=0.01)


@pytest.mark.parametrize("delay", [0.2, 0.5, 0.8])
def test_a_signal_later_by_a_part_of_a_sample_has_its_moments_later_by_that_and_the_same_prints(delay):
    """Sixty rhythms of 1.5 to 7 Hz in each of six channels, at 64 Hz."""
    rng = np.random.default_rng(0)
    rate_hz, phase = rng.uniform(1.5, 7, (6, 60, 1)), rng.uniform(0, 2 * np.pi, (6, 60, 1))
    t = np.arange(30 * 64) / 64
    first, later = (
        fingerprint(10 * np.sin(2 * np.pi * rate_hz * (t - by / 64) + phase).sum(axis=1), 64.0) for by in (0, delay)
    )
    apart = 64 * (later.at_s - first.at_s[:, None])
    same, again = np.nonzero(np.abs(apart) < 2)
    assert len(same) >= 15 and apart[same, again] == pytest.approx(delay, abs=0.03)
    assert ((unit(first.prints[same]) * unit(later.prints[again])).sum(axis=1) > 0.999).all()


def test_fingerprints_of_stretches_count_time_from_the_recording_s_start():
    whole = noise("a", 60.0)
    parts = [fingerprint(whole[:, :3840], 128.0), fingerprint(whole[:, 3840:], 128.0, onset_s=30.0)]
    joined, alone = Fingerprints.join(parts), fingerprint(whole, 128.0)
    assert set(np.round(joined.at_s, 2)) <= set(np.round(alone.at_s, 2)) and len(joined) > 0.8 * len(alone)


MUTE = {
    "flat": lambda t, rng: np.zeros((6, len(t))),
    "mains": lambda t, rng: rng.uniform(10, 60, (6, 1)) * np.sin(2 * np.pi * 50 * t),
    "calibration pulses": lambda t, rng: np.tile(50 * np.sign(np.sin(np.pi * t)), (6, 1)),
    "one rhythm over the scalp": lambda t, rng: np.arange(1, 7)[:, None] * 10 * np.sin(2 * np.pi * 2 * t),
}


@pytest.mark.parametrize("what", MUTE)
def test_what_every_recording_has_is_nobody_s_copy(what):
    t = np.arange(30 * 128) / 128
    signals = {}
    for number, name in enumerate("ab"):
        rng = np.random.default_rng(number)
        signals[name] = MUTE[what](t + 0.3 * number, rng) + 0.1 * rng.standard_normal((6, len(t)))
    assert copies({name: fingerprint(x, 128.0) for name, x in signals.items()}) == ()


def test_moments_beside_missing_samples_are_left_out_and_slow_recordings_refused():
    signal = noise("a")
    signal[2, 1500:1600] = np.nan
    at_s = fingerprint(signal, 128.0).at_s
    assert len(at_s) and not ((at_s > 1500 / 128 - 2) & (at_s < 1600 / 128 + 2)).any()
    assert len(fingerprint(noise("a", 3.0), 128.0)) == 0
    assert len(fingerprint(noise("a"), 32.0))
    with pytest.raises(ValueError, match="≥ 32 Hz, got 16 Hz"):
        fingerprint(signal, 16.0)


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_a_recording_of_few_channels_is_told_by_its_prints_and_a_stretch_too_short_for_any_joins_it(channels):
    whole, short = fingerprint(noise("a")[:channels], 128.0), fingerprint(noise("b", 3.0)[:channels], 128.0)
    assert len(whole) > 15 and (np.abs(whole.prints.astype(int)).max(axis=1) == 127).all()
    joined_up = Fingerprints.join([short, whole])
    assert len(short) == 0 and len(joined_up) == len(whole)
    pasted_in = noise("c")[:channels]
    pasted_in[:, 1000:2280] = -2 * noise("a")[:channels, 2000:3280]
    assert len(copies({"a": joined_up, "c": fingerprint(pasted_in, 128.0)})) == 1


@pytest.mark.parametrize("channels", [2, 6])
def test_what_is_the_same_in_all_channels_or_a_mere_rhythm_is_no_moment_of_anybody(channels):
    t, own = np.arange(30 * 128) / 128, 0.1 * noise("b")[:channels]
    pulse = np.tile(3 * noise("a")[:1], (channels, 1))
    rhythm = 60 * np.sin(2 * np.pi * 3 * t + np.arange(channels)[:, None])
    assert len(fingerprint(pulse + 0.1 * own, 128.0)) == len(fingerprint(rhythm + own, 128.0)) == 0


def test_ten_seconds_of_a_simulated_newborn_are_found_in_another_and_nothing_else():
    from data.frontend import FrontEnd
    from data.simulator.patient import PatientSettings, draw_patient, render
    from data.simulator.site import SITES

    settings = PatientSettings(minutes=1.0)
    babies = {
        f"sub-{n}": FrontEnd().prepare(render(draw_patient(np.random.default_rng(n), SITES[n % 3], settings)))
        for n in range(6)
    }
    signals = {name: baby.segments[0].signal.copy() for name, baby in babies.items()}
    assert copies({name: fingerprint(x, 128.0) for name, x in signals.items()}) == ()
    signals["sub-4"][:, 3000:4280] = 1.7 * signals["sub-1"][:, 2000:3280]
    found = copies({name: fingerprint(x, 128.0) for name, x in signals.items()})
    assert [(c.first, c.second) for c in found] == [("sub-1", "sub-4")]


@needs_shared
def test_real_eeg_is_no_copy_of_other_real_eeg_and_its_copy_is_found():
    from data.frontend import FrontEnd
    from data.readers.edf import read_edf

    preterm = FrontEnd().prepare(read_edf(SHARED / "neonatal_edf" / "eeg_burst_eg.edf")).segments[0].signal
    half = preterm.shape[1] // 2
    files = sorted((SHARED / "chbmit").glob("*ictal*/*.npy"))
    assert len(files) == 14
    parts = {f.stem: fingerprint(np.load(f)[:18], 256.0) for f in files}
    parts |= {"preterm 1": fingerprint(preterm[:, :half], 128.0), "preterm 2": fingerprint(preterm[:, half:], 128.0)}
    assert copies(parts) == ()
    copied = preterm[:, half:].copy()
    copied[:, 5000:6280] = -1.7 * preterm[:, 3000:4280]
    assert len(copies({**parts, "preterm 2": fingerprint(copied, 128.0)})) == 1


def test_a_sample_of_features_has_both_labels_evenly_and_examples_flattened():
    label = (np.arange(300) >= 200).astype(int)
    sampled = sample_features("a", np.arange(300.0)[:, None, None] * np.ones((1, 2, 3)), label)
    assert sampled.x.shape == (80, 6) and sampled.label.sum() == 40
    assert sampled.x[0, 0] == 0 and sampled.x[-1, 0] == 299 and set(sampled.recording) == {"a"}
    types = sample_features("a", np.arange(150.0)[:, None], np.repeat([0, 1, 2], [90, 50, 10]))
    assert np.bincount(types.label).tolist() == [40, 40, 10] and len(set(types.x[:, 0])) == 90
    named = replace(types, names=("power",))
    assert Features.join([named]).name(0) == Features.join([named, named]).name(0) == "power"


@pytest.mark.parametrize("strength", [0.8, 2.0, 4.0])
def test_a_strong_feature_is_no_label(strength):
    """Normal values d apart have AUC Φ(d / √2): 0.714, 0.921 and 0.998 for 0.8, 2 and 4."""
    assert OPEN.features is not None
    strong = replace(OPEN.features, x=OPEN.features.x + (strength - 0.8) * OPEN.features.label[:, None])
    assert audit(SPLIT, ENTRIES, honest(), disclosed=replace(OPEN, features=strong)).clean


def test_leak_of_a_label_that_is_perfect_in_all_but_one_person_is_not_claimed():
    planted = label_as_feature().disclosed["features"]
    x = planted.x.copy()
    x[planted.recording == NAMES[5], -1] = 0
    assert audit(SPLIT, ENTRIES, honest(), disclosed=replace(OPEN, features=replace(planted, x=x))).clean


def test_the_identity_probe_rarely_accuses_different_people():
    """At a level of 1 % per cohort, 200 cohorts of 24 give 2 alarms on average; more than 7 in 1 of 900 runs."""
    rng = np.random.default_rng(0)
    keys = {f"sub-{i:02d}": f"person-{i}" for i in range(24)}
    alarms = 0
    for _ in range(200):
        people = {k: rng.standard_normal(8) + 0.3 * rng.standard_normal((10, 8)) for k in keys}
        found = likeness(people, keys)
        alarms += bool(found) and found[0].chance < 0.01
    assert alarms <= 7


def people_of(recordings: list[int], one_human: bool, seed: int) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Embeddings of recordings and their keys: so many of each key, and with `one_human` the first two keys are one."""
    rng = np.random.default_rng(seed)
    own = rng.standard_normal((len(recordings), 19))
    if one_human:
        own[1] = own[0]
    keys = {f"sub-{k:02d}_run-{r}": f"person-{k:02d}" for k, count in enumerate(recordings) for r in range(count)}
    sessions = {name: own[int(key[-2:])] + 0.05 * rng.standard_normal(19) for name, key in keys.items()}
    return {name: session + 0.3 * rng.standard_normal((12, 19)) for name, session in sessions.items()}, keys


@pytest.mark.parametrize(
    "recordings",
    [[1] * 24, [2] + [1] * 23, [3] + [1] * 23, [4, 4] + [1] * 22, [5] * 8, [3, 1, 2, 4] * 5],
    ids=["one each", "two of the first", "three of the first", "four of both", "five each", "one to four"],
)
def test_one_person_with_two_keys_is_found_however_many_recordings_stand_under_each(recordings):
    """Of different people a cohort in a hundred is accused: of 40, more than 3 in 1 of 1000 runs."""
    for seed in range(10):
        found = likeness(*people_of(recordings, True, seed))
        assert (found[0].first[:6], found[0].second[:6]) == ("sub-00", "sub-01") and found[0].chance < 0.01
        assert all(pair.chance > 0.01 for pair in found[1:])
    assert sum(likeness(*people_of(recordings, False, seed))[0].chance < 0.01 for seed in range(40)) <= 3


def test_many_recordings_of_few_persons_do_not_say_how_alike_people_are():
    people = [replace(entry, person=f"person-{number % 7}") for number, entry in enumerate(ENTRIES)]
    found = inspect(SPLIT, people, honest(), disclosed=OPEN)
    reason = {o.guard: (o.outcome, o.reason) for o in found.outcomes}["identity_probe"]
    assert reason == ("unknown", "7 persons are too few to know how alike people are: 8")
    eight = [replace(entry, person=f"person-{number % 8}") for number, entry in enumerate(ENTRIES)]
    found = inspect(SPLIT, eight, honest(), disclosed=OPEN)
    assert {o.guard: o.outcome for o in found.outcomes}["identity_probe"] == "pass"


def test_recordings_of_one_piece_do_not_say_how_much_a_person_varies():
    """Nothing varies within them, so that nobody looked like anybody: even a copy under another key passed."""
    single = {name: pattern(name)[:1] for name in NAMES} | {TESTED: pattern(TRAINED)[:1]}
    found = inspect(SPLIT, ENTRIES, honest(), disclosed=replace(OPEN, embeddings=single))
    outcome = {o.guard: o for o in found.outcomes}["identity_probe"]
    assert outcome.outcome == "unknown" and "no recording has two pieces" in outcome.reason


def test_one_key_is_never_accused_of_being_itself():
    people = {name: pattern(name) for name in NAMES}
    people[TESTED] = people[TRAINED] + 0.001
    keys = {name: f"person-{name}" for name in NAMES}
    assert likeness(people, keys)[0].chance < 0.01
    apart = likeness(people, {**keys, TESTED: f"person-{TRAINED}"})
    assert all({pair.first, pair.second} != {TRAINED, TESTED} for pair in apart)


def test_an_embedding_is_the_loudness_of_each_channel_beside_the_others():
    gains = np.array([1.0, 2.0, 4.0])[:, None]
    rows = identity_embedding(gains * noise("a", 60.0)[:3], 128.0)
    assert rows.shape == (2, 4)
    assert np.median(rows, axis=0)[:3] == pytest.approx([-2 * np.log(2), 0, 2 * np.log(2)], abs=0.3)


def typed_features(leaking: bool) -> Features:
    """Three types of 30 clips each in nine recordings; the last feature parts one type only, the first all if it leaks."""
    rng = np.random.default_rng(0)
    label = np.repeat([0, 1, 2], 30).astype(np.int8)
    x = rng.normal(size=(90, 5))
    x[:, 4] += 100 * (label == 2)
    if leaking:
        x[:, 0] = np.array([5.0, -3.0, 1.0])[label] + rng.normal(0, 0.01, 90)
    return Features(np.array([f"rec-{i % 9}" for i in range(90)]), x, label)


def test_a_feature_made_from_the_type_leaks_and_one_that_knows_a_single_type_does_not() -> None:
    split = draw_split("patient", [Member(f"rec-{i}", f"s{i}", f"p{i}", "a", True) for i in range(9)], 3, 0.25, 0)
    found = {}
    for leaking in (True, False):
        made = inspect(split, (), disclosed=Disclosure(features=typed_features(leaking)))
        found[leaking] = {o.guard: o for o in made.outcomes}["label_derived"]
    assert found[True].outcome == "leak" and "feature 0 alone tells 3 types apart" in found[True].reason
    assert found[False].outcome == "pass"


def windows_of(seizure: int, background: int, persons: int = 12, seed: int = 0) -> Features:
    """Three numbers that know nothing, of so many windows of either label in each of the first persons."""
    label = np.tile(np.repeat([0, 1], [background, seizure]), persons)
    x = np.random.default_rng(seed).normal(size=(len(label), 3))
    return Features(np.repeat(NAMES[:persons], seizure + background), x, label)


def joined(*parts: Features) -> Features:
    return Features.join(parts)


def told(made: Features, column: int, values: np.ndarray) -> Features:
    """The same, with these values in a column."""
    x = made.x.copy()
    x[:, column] = values
    return replace(made, x=x)


def label_guard(made: Features) -> tuple[str, str]:
    found = inspect(SPLIT, ENTRIES, disclosed=Disclosure(features=made))
    return {o.guard: (o.outcome, o.reason) for o in found.outcomes}["label_derived"]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("each", [25, 4])
def test_a_feature_made_from_the_label_leaks_upwards_and_downwards_also_where_a_value_is_missing(sign, each):
    """Of 25 windows of either label in every person, and of 4, which are looked at together. The first of the other
    numbers is never known."""
    honest_one = told(windows_of(each, each), 0, np.full(24 * each, np.nan)) if each == 4 else windows_of(each, each)
    assert label_guard(honest_one) == ("pass", "")
    values = sign * honest_one.label + 0.01 * honest_one.x[:, 2]
    values[-1] = np.nan
    outcome, reason = label_guard(told(honest_one, 1, values))
    assert outcome == "leak" and reason.startswith("feature 1 alone tells seizure from background")
    assert f"all {12} " in reason


def test_looked_at_together_a_feature_is_judged_where_it_is_known_and_being_known_is_one_too():
    made = windows_of(4, 4)
    answer = made.label.astype(float)
    answer[-1] = np.nan  # a seizure's
    outcome, reason = label_guard(told(made, 1, answer))
    assert outcome == "leak" and "feature 1 alone" in reason and "AUC ≥ 1.0000" in reason
    few = np.where(made.label > 0, answer, np.nan)
    few[:19] = made.label[:19]
    assert label_guard(told(made, 1, few))[0] == "pass", "12 windows of background are too few to tell"
    for seen in (made.label > 0, made.label == 0):
        outcome, reason = label_guard(told(made, 2, np.where(seen, made.x[:, 0], np.nan)))
        assert outcome == "leak" and "whether feature 2 is known alone" in reason


def nearly_parted(labels: int, persons: int, wrong: int, each: int) -> Features:
    """Of every person `each` windows, first 50 of background and then 40 of every other label: the first feature rises
    with the label but for `wrong` of the 2000 pairs of the first two labels, the second knows nothing."""
    label = np.repeat(np.arange(labels), [50, *[40] * (labels - 1)])
    value = 100.0 * label + np.linspace(0, 1, len(label))
    value[50] = value[50 - wrong] - 0.001
    x = np.stack([value, np.random.default_rng(0).normal(size=len(label))], axis=1)
    copies_of_it = persons * each // len(label)
    return Features(np.repeat(NAMES[:persons], each), np.tile(x, (copies_of_it, 1)), np.tile(label, copies_of_it))


@pytest.mark.parametrize(("wrong", "outcome"), [(1, "leak"), (2, "pass")])
def test_a_label_that_is_wrong_in_one_pair_of_2000_is_still_one_and_in_two_it_is_not(wrong, outcome):
    """AUC 1 - 1 / 2000 = 0.9995 and 0.9990: in every person, over all persons together, and between types."""
    in_each = nearly_parted(2, 3, wrong, 90)
    together = nearly_parted(2, 6, wrong, 15)
    types = nearly_parted(3, 1, wrong, 130)
    assert [label_guard(made)[0] for made in (in_each, together, types)] == [outcome] * 3


def test_windows_of_a_label_are_counted_over_all_recordings_of_a_person():
    """Of six persons one recording is background and the next seizure; a recording with seizures is named."""
    people = [replace(entry, person=f"person-{number // 2}") for number, entry in enumerate(ENTRIES)]
    label = np.tile(np.repeat([0, 1], 25), 6)
    noisy = np.random.default_rng(0).normal(size=len(label))
    made = Features(np.repeat(NAMES, 25), np.stack([noisy, label + 0.01 * noisy], axis=1), label)
    found = {o.guard: o for o in inspect(SPLIT, people, disclosed=Disclosure(features=made)).outcomes}["label_derived"]
    said = "feature 1 alone tells seizure from background in sub-01, sub-03 and all 6 seizing persons"
    assert found.outcome == "leak" and found.reason.startswith(said)


def test_persons_without_seizures_hide_no_feature_made_from_the_label():
    seizing, others = windows_of(25, 25, 6), windows_of(0, 50, 12)
    made = joined(seizing, Features(others.recording[300:], others.x[300:], others.label[300:]))
    outcome, reason = label_guard(told(made, 1, made.label))
    assert outcome == "leak" and "all 6 seizing persons" in reason


def test_a_feature_is_judged_in_each_person_and_in_one_direction():
    """A label on top of each person's own level parts nobody's windows from another's and still is a label; a number that
    rises in some and falls in others is none."""
    made = windows_of(25, 25)
    person = np.repeat(np.arange(12), 50)
    assert label_guard(told(made, 2, made.label + 7.0 * person))[0] == "leak"
    three = windows_of(25, 25, 3)
    assert label_guard(told(three, 2, three.label + 7.0 * person[:150]))[0] == "leak"
    assert label_guard(told(made, 2, made.label * np.where(person % 2, 1, -1)))[0] == "pass"


@pytest.mark.parametrize(
    ("made", "missing"),
    [
        (
            joined(windows_of(25, 25, 2), windows_of(0, 25)),
            "50 windows of seizure of 2 persons and 350 of background of 12",
        ),
        (
            joined(windows_of(25, 25, 2), windows_of(25, 0)),
            "350 windows of seizure of 12 persons and 50 of background of 2",
        ),
        (windows_of(6, 25, 3), "18 windows of seizure of 3 persons and 75 of background of 3"),
        (windows_of(25, 6, 3), "75 windows of seizure of 3 persons and 18 of background of 3"),
        (windows_of(0, 25, 3), "0 windows of seizure of 0 persons and 75 of background of 3"),
        (windows_of(7, 7, 3), None),  # 21 of either, of three persons
        (windows_of(5, 5, 4), None),
        (windows_of(20, 20, 3), None),
    ],
)
def test_twenty_windows_of_either_label_of_three_persons_each_are_needed(made, missing):
    said = ("unknown", f"there are {missing}, 20 of 3 are needed of both") if missing else ("pass", "")
    assert label_guard(made) == said


def test_three_types_of_twenty_clips_are_needed_and_a_clip_with_a_missing_value_is_left_out():
    made = typed_features(True)
    few = Features(made.recording[:61], made.x[:61], made.label[:61])
    assert label_guard(few) == ("unknown", "2 types have 20 windows, 3 are needed")
    twenty = Features(made.recording[:80], made.x[:80].copy(), made.label[:80])
    assert label_guard(twenty)[0] == "leak"
    twenty.x[5, 0] = np.nan
    assert label_guard(twenty)[0] == "leak"


def test_an_embedding_hears_8_to_30_hz_and_nothing_else():
    t = np.arange(60 * 128) / 128
    plain = identity_embedding(noise("a", 60.0), 128.0)
    for rate_hz, heard in ((4, False), (6.5, False), (10, True), (20, True), (28, True), (33, False), (50, False)):
        sounding = noise("a", 60.0)
        sounding[0] += 300 * np.sin(2 * np.pi * rate_hz * t)
        louder = (identity_embedding(sounding, 128.0) - plain)[:, 0]
        assert (louder > 0.5).all() if heard else (np.abs(louder) < 0.2).all(), rate_hz


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(8, 20), st.floats(0.01, 100))
def test_the_chance_of_a_pair_is_that_of_the_exponential_law_and_no_channel_weighs_more_for_being_louder(seed, n, gain):
    """Points that vary alike in both directions, so that their distance is the plain one. P(gap > g) is (1 + g / Σ) ** −m
    with the sum of the m other gaps, of the smaller gap of the two, times the n / 2 pairs there can be."""
    points = np.random.default_rng(seed).normal(size=(n, 2))
    around = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    names = [f"sub-{i:02d}" for i in range(n)]
    keys = {name: name for name in names}
    found = likeness({name: point + around for name, point in zip(names, points, strict=True)}, keys)
    apart = np.linalg.norm(points[:, None] - points[None], axis=2) + np.diag(np.full(n, np.inf))
    nearest, ends = apart.argmin(axis=1), np.sort(apart, axis=1)
    gap = np.log(ends[:, 1] / ends[:, 0])
    pairs = {(i, int(j)) for i, j in enumerate(nearest) if nearest[j] == i and i < j}
    assert {(names.index(pair.first), names.index(pair.second)) for pair in found} == pairs
    for pair in found:
        i, j = names.index(pair.first), names.index(pair.second)
        chance = (1 + min(gap[i], gap[j]) / (gap.sum() - gap[i] - gap[j])) ** -(n - 2) * n / 2
        assert pair.chance == pytest.approx(min(1.0, chance))
    assert [p.chance for p in found] == sorted(p.chance for p in found)
    louder = {name: (point + around) * [gain, 1] for name, point in zip(names, points, strict=True)}
    assert [p.chance for p in likeness(louder, keys)] == pytest.approx([p.chance for p in found])


def test_a_piece_in_which_a_channel_misses_samples_is_left_out():
    signal = noise("a", 90.0)
    signal[2, 40 * 128 : 41 * 128] = np.nan
    whole = identity_embedding(noise("a", 90.0), 128.0)
    np.testing.assert_allclose(identity_embedding(signal, 128.0), whole[[0, 2]])


def test_one_recording_of_a_single_piece_keeps_nobody_from_being_compared():
    short = {**(OPEN.embeddings or {}), NAMES[0]: pattern(NAMES[0])[:1]}
    assert audit(SPLIT, ENTRIES, honest(), disclosed=replace(OPEN, embeddings=short)).clean
