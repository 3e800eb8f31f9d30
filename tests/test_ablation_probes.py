"""Probes find what is there and nothing where nothing is; artefacts are put in where they are said to be."""

from dataclasses import replace
from itertools import pairwise
from math import comb

import numpy as np
import pytest

from data.events import Annotations, Event
from data.montage import ELECTRODES, derive
from data.outcomes import Refusal
from data.simulator.injection import AWAY_S, LENGTH_S, draw_injections, injected, sharing
from tests.contract.signals import recording
from validation.ablation.attention import Disturbed, Focus, chance_of_a_hit, hits, on_artefacts, on_foci
from validation.ablation.identity import GAP_S, PER_HALF, Features, compare, halves, legible


def seen(per_baby: float, babies: int = 6, windows: int = 40, seed: int = 0) -> Features:
    """Noise, and in each baby's windows its own constant vector of length about `per_baby`."""
    rng = np.random.default_rng(seed)
    own = per_baby * rng.standard_normal((babies, 8))
    who = np.repeat(np.arange(babies), 2 * windows)
    half = np.tile(np.repeat([0, 1], windows), babies)
    x = rng.standard_normal((len(who), 8)) + own[who]
    return Features(x, np.array([f"b{n}" for n in who]), half)


SITES = {f"b{n}": "AB"[n % 2] for n in range(6)}


def test_the_probe_finds_identity_in_features_that_carry_it_and_not_in_noise() -> None:
    found = compare({"whole": [[seen(3.0)]], "without": [[seen(0.0)]]}, SITES, seed=0)
    assert found["chance"] == pytest.approx(1 / 6) and found["babies"] == 6
    assert found["accuracy"]["whole"]["estimate"] > 0.95
    assert found["accuracy"]["without"]["low"] < 1 / 6 < found["accuracy"]["without"]["high"] + 0.03
    assert found["difference"]["low"] > 0.5
    twice = compare({"whole": [[seen(3.0)], [seen(0.0)]], "without": [[seen(0.0)], [seen(3.0)]]}, SITES, seed=0)
    assert twice["difference"]["low"] < -0.5 and twice["difference"]["high"] > 0.5  # chance in training, no difference
    same = compare({"whole": [[seen(1.0)]], "without": [[seen(1.0)]]}, SITES, seed=0)
    assert [same["difference"][k] for k in ("estimate", "low", "high")] == [0, 0, 0]


def test_what_holds_in_one_half_only_is_not_read_in_the_other() -> None:
    """A probe that were asked about the windows it learnt from would find this."""
    made = seen(3.0)
    rng = np.random.default_rng(1)
    drifted = np.where(made.half[:, None] == 1, rng.standard_normal(made.x.shape), made.x)
    assert np.mean(list(legible(replace(made, x=drifted)).values())) < 0.35


def test_a_baby_with_too_little_background_is_left_out_and_two_are_needed() -> None:
    made = seen(3.0)
    few = (made.baby != "b0") | ((made.half == 0) | (np.arange(len(made.baby)) % 40 < 5))
    kept = Features(made.x[few], made.baby[few], made.half[few])
    assert set(legible(kept)) == {f"b{n}" for n in range(1, 6)}
    one = made.baby == "b0"
    alone = Features(made.x[one], made.baby[one], made.half[one])
    assert legible(alone) == {}
    assert "not_evaluable" in compare({"whole": [[alone]], "without": [[alone]]}, SITES, seed=0)


def test_halves_are_a_gap_apart_hold_background_only_and_are_no_longer_than_asked() -> None:
    onset_s, background = np.arange(0.0, 598.0), np.ones(598, dtype=bool)
    background[100:150] = False
    half = halves(onset_s, background, 2.0, 600.0)
    first, second = onset_s[half == 0], onset_s[half == 1]
    assert second.min() - (first.max() + 2.0) >= GAP_S
    assert len(first) == len(second) == PER_HALF and not ((first >= 100) & (first < 150)).any()


def test_chance_of_a_hit_is_exact() -> None:
    """Of 5 derivations 2 are ictal: of the 10 threes only {c, d, e} holds none."""
    assert chance_of_a_hit(2, 5) == pytest.approx(1 - 1 / 10)
    assert chance_of_a_hit(2, 18) == pytest.approx(1 - comb(16, 3) / comb(18, 3))
    assert (chance_of_a_hit(0, 18), chance_of_a_hit(16, 18)) == (0, 1)
    rng = np.random.default_rng(0)
    ictal = np.arange(18) < 4
    blind = np.mean([hits(rng.random(18), ictal) > 0 for _ in range(4000)])
    assert blind == pytest.approx(chance_of_a_hit(4, 18), abs=0.03)


def test_hits_by_a_worked_example() -> None:
    ictal = np.array([True, False, True, False, False])
    assert hits(np.array([0.4, 0.3, 0.2, 0.1, 0.0]), ictal) == 2  # of a, b, c are a and c ictal
    assert hits(np.array([0.0, 0.3, 0.1, 0.4, 0.2]), ictal) == 0  # d, b, e


def focus(person: int, ictal: int, looks: bool) -> Focus:
    """18 derivations of which the first are ictal; looked at are the ictal ones, or the last."""
    weights = np.full(18, 0.4 / 15)
    weights[: 3 if looks else 0] = 0.2
    weights[15 if not looks else 18 :] = 0.2
    return Focus(f"p{person}", "AB"[person % 2], weights, -weights, np.arange(18) < ictal)


def test_attention_on_every_focus_is_above_chance_and_attention_elsewhere_is_not() -> None:
    at = on_foci([[focus(n, 3, True) for n in range(8)]], seed=0)
    assert at["attention"]["hit"]["estimate"] == 1 and at["attention"]["hits_of_three"]["estimate"] == 3
    assert at["attention"]["above_chance"]["low"] > 0 and at["loudest"]["hit"]["estimate"] == 0
    assert at["mass"]["estimate"] == pytest.approx(0.6) and at["mass_to_equal"]["estimate"] == pytest.approx(
        0.6 / (3 / 18)
    )
    off = on_foci([[focus(n, 3, False) for n in range(8)]], seed=0)
    assert off["attention"]["hit"]["estimate"] == 0 and off["attention"]["above_chance"]["high"] < 0


def test_fits_that_look_elsewhere_widen_the_interval() -> None:
    made = on_foci([[focus(n, 3, True) for n in range(8)], [focus(n, 3, False) for n in range(8)]], seed=0)
    assert made["seizures"] == 8 and made["attention"]["hit"]["each_fit"] == [1, 0]
    assert [made["attention"]["hit"][k] for k in ("estimate", "low", "high")] == [0.5, 0, 1]


def test_chance_follows_the_width_of_each_focus() -> None:
    made = on_foci([[focus(0, 2, True), focus(1, 6, True)]], seed=0)
    assert made["hit_by_chance"]["estimate"] == pytest.approx((chance_of_a_hit(2, 18) + chance_of_a_hit(6, 18)) / 2)
    assert made["hits_of_three_by_chance"]["estimate"] == pytest.approx((3 * 2 / 18 + 3 * 6 / 18) / 2)
    assert on_foci([], seed=0)["not_evaluable"] == "no seizure states its derivations"


def test_weight_drawn_by_an_artefact_is_told_from_weight_that_was_there_before() -> None:
    equal, pulled = np.full(18, 1 / 18), np.full(18, 0.5 / 16)
    pulled[:2] = 0.25
    rows = [Disturbed(f"p{n}", "A", "emg", equal, pulled, np.arange(18) < 2, (0.1, 0.3)) for n in range(6)]
    rows += [Disturbed(f"p{n}", "A", "pop", equal, equal, np.arange(18) < 2, (0.1, 0.1)) for n in range(6)]
    made = on_artefacts([rows], seed=0)
    assert made["emg"]["difference"]["estimate"] == pytest.approx(0.5 - 2 / 18)
    assert made["emg"]["after_to_equal"]["estimate"] == pytest.approx(0.5 / (2 / 18))
    assert made["emg"]["probability_difference"]["estimate"] == pytest.approx(0.2)
    assert made["pop"]["difference"]["estimate"] == 0 and made["pop"]["before_to_equal"]["estimate"] == pytest.approx(1)


TRUTH = Annotations((Event(50.0, 40.0),), 240.0)


def test_injections_stay_away_from_seizures_and_from_each_other() -> None:
    for seed in range(20):
        drawn = draw_injections(np.random.default_rng(seed), TRUTH, ("emg", "pop"))
        assert drawn and all(len(a.electrodes) == 1 and a.duration_s == LENGTH_S for a in drawn)
        spans = [(a.onset_s, a.onset_s + LENGTH_S) for a in drawn]
        assert all(end + AWAY_S <= 50 or start - AWAY_S >= 90 for start, end in spans)
        assert all(b[0] - a[1] >= AWAY_S for a, b in pairwise(spans))
    assert draw_injections(np.random.default_rng(0), Annotations((Event(5, 110),), 120.0), ("emg",)) == ()


def test_an_injection_changes_its_electrode_in_its_time_and_nothing_else() -> None:
    clean = recording(0, 240)
    drawn = draw_injections(np.random.default_rng(0), TRUTH, ("pop",), per_kind=1)
    made = injected(clean, drawn)
    changed = made.segments[0].signal != clean.segments[0].signal
    row, start = ELECTRODES.index(drawn[0].electrodes[0]), round(drawn[0].onset_s * 256)
    assert changed[row, start : start + round(LENGTH_S * 256)].mean() > 0.9
    changed[row, start : start + round(LENGTH_S * 256)] = False
    assert not changed.any() and made.digest == ""


def test_a_disturbed_electrode_is_in_every_derivation_that_shares_it() -> None:
    weights = derive(ELECTRODES).weights
    for column, name in enumerate(ELECTRODES):
        told = tuple(np.array(derive(ELECTRODES).channels)[weights[:, column] != 0])
        assert sharing(name) == told and told


def test_a_recording_of_derivations_only_has_no_electrode_to_disturb() -> None:
    made = recording(0, 240)
    bipolar = replace(
        made, channels=tuple(f"{a}-{b}" for a, b in zip(ELECTRODES, ELECTRODES[1:] + ELECTRODES[:1], strict=True))
    )
    with pytest.raises(Refusal, match="no channel of electrode"):
        injected(bipolar, draw_injections(np.random.default_rng(0), TRUTH, ("emg",)))
