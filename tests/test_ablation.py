"""What a detector declares, who is learnt from, and what a difference is."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.workspace import ROOT
from models import detectors
from models.ablations import BadAblation, read_ablations
from tests.test_lab import cohort
from validation.ablation.paired import change, excludes_zero, figures
from validation.ablation.redraws import Redraws
from validation.scaling import scaled
from validation.splits import Fold, Member
from validation.uncertainty import mean_over_patients

NUMBERS = {"lstm": 16, "attention": 16, "reversal": True}


def declared(**document: object):
    return read_ablations("some", document, NUMBERS)


def test_the_variants_are_the_whole_the_parts_and_the_shares() -> None:
    made = declared(ablations={"no_lstm": {"meaning": "no LSTM", "params": {"lstm": 0}}}, scaling=[0.5, 1.0])
    assert [v.name for v in made.variants] == ["full", "no_lstm", "share_50"]
    assert dict(made.variants[1].params) == {**NUMBERS, "lstm": 0} and made.variants[2].share == 0.5
    assert [v.name for v in made.named(["share_50"])] == ["full", "share_50"] and made.repeats == 1


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({}, "declares nothing to take away"),
        ({"ablations": {"a": {"meaning": "x", "params": {"lsmt": 0}}}}, "did you mean lstm"),
        ({"ablations": {"a": {"meaning": "x", "params": {"lstm": 16}}}}, "changes nothing"),
        ({"ablations": {"full": {"meaning": "x", "params": {"lstm": 0}}}}, "kept for the house"),
        ({"scaling": [0.2], "seeds": 0}, "at least 1, got 0"),
        ({"scaling": [0.2, 20]}, "above 0 and up to 1, got 20"),
        ({"scaling": [0.2], "probes": {"identity": "no_reversal"}}, "no ablation of it"),
    ],
)
def test_a_declaration_that_cannot_be_meant_is_refused(document: dict, says: str) -> None:
    with pytest.raises(BadAblation, match=says):
        declared(**document)


def test_what_a_detector_declares_can_be_built_and_probed() -> None:
    for name in detectors.names():
        document = yaml.safe_load((ROOT / "models" / "detectors" / name / "params.yaml").read_text())
        if not document.get("ablations"):
            continue
        for preset in document["presets"]:
            for variant in detectors.ablations_of(name, preset).variants:
                detector = detectors.build(name, dict(variant.params))
        probes = document.get("probes") or {}
        for probe, method in (("identity", "features"), ("attention", "attention")):
            assert not probes.get(probe) or callable(getattr(detector, method))


def people(count: int, seizing: int) -> tuple[Fold, list[Member]]:
    listed = [Member(f"r{n:02d}", f"s{n}", f"p{n}", "A", n < seizing) for n in range(count)]
    listed.append(replace(listed[0], recording="r99"))  # one person twice
    return Fold(tuple(m.recording for m in listed), ("i1",), ("t1",)), listed


def persons(fold: Fold) -> set[str]:
    return {"p0" if name == "r99" else f"p{int(name[1:])}" for name in fold.train}


@given(st.integers(2, 20), st.data())
@settings(max_examples=40, deadline=None)
def test_a_smaller_share_is_part_of_every_larger_one(count: int, data: st.DataObject) -> None:
    fold, listed = people(count, data.draw(st.integers(0, count)))
    seed = data.draw(st.integers(0, 99))
    shares = [0.2, 0.4, 0.6, 0.8, 1.0]
    drawn = [scaled(fold, data.draw(st.permutations(listed)), share, seed) for share in shares]
    assert all(persons(a) <= persons(b) for a, b in pairwise(drawn))
    assert drawn[-1].train == tuple(sorted(fold.train))
    assert all((d.inner_valid, d.test) == (fold.inner_valid, fold.test) for d in drawn)
    assert all(len({"r00", "r99"} & set(d.train)) in (0, 2) for d in drawn)  # a person comes whole
    kinds = {m.has_seizure for m in listed}
    assert all({m.has_seizure for m in listed if m.recording in d.train} == kinds for d in drawn)


def test_a_share_is_of_persons_and_another_seed_draws_others() -> None:
    fold, listed = people(20, 10)
    assert len(persons(scaled(fold, listed, 0.2, 0))) == round(0.2 * 20)
    assert len({scaled(fold, listed, 0.2, seed).train for seed in range(5)}) > 1
    with pytest.raises(ValueError, match="above 0 and up to 1, got 0"):
        scaled(fold, listed, 0, 0)


def test_a_variant_that_says_the_same_changes_nothing() -> None:
    made = change({0: cohort(0.5)}, {0: cohort(0.5)}, seed=1)
    assert [made[k] for k in ("estimate", "low", "high")] == [0, 0, 0]


def test_a_worse_variant_lies_below_zero_and_the_change_is_that_of_the_figures() -> None:
    weak, strong = {0: cohort(0.2)}, {0: cohort(0.9)}
    made = change(weak, strong, seed=1)
    own, whole = (figures(c, seed=1)["auc"] for c in (weak, strong))
    assert made["high"] < 0 and made["unit"] == "patient and fit" and made["draws"] == 2000 and made["n"] == 12
    assert made["estimate"] == pytest.approx(own["estimate"] - whole["estimate"])
    assert change(strong, weak, seed=1)["estimate"] == pytest.approx(-made["estimate"])


def test_pairing_makes_a_small_change_visible_that_two_intervals_hide() -> None:
    """Everybody a little worse: the intervals of both figures overlap, that of the change excludes 0."""
    whole = cohort(0.5)
    worse = [replace(c, trend=c.trend - 0.08 * c.labels) for c in whole]
    a, b = (figures({0: c}, seed=1)["auc"] for c in (worse, whole))
    assert a["high"] > b["low"] and change({0: worse}, {0: whole}, seed=1)["high"] < 0


def test_a_figure_is_the_mean_over_fits_and_its_interval_knows_of_them() -> None:
    """One fit is good and one is bad: an interval over patients alone would not reach either of them."""
    good, bad = cohort(0.9), cohort(0.1)
    alone = [figures({0: c}, seed=1)["auc"] for c in (good, bad)]
    both = figures({0: good, 1: bad}, seed=1)["auc"]
    assert both["each_fit"] == pytest.approx([a["estimate"] for a in alone])
    assert both["estimate"] == pytest.approx(np.mean(both["each_fit"]))
    assert both["low"] < alone[1]["high"] and both["high"] > alone[0]["low"]


def test_chance_in_training_alone_is_no_difference() -> None:
    """The variant has the same good and bad fits at other seeds: seed by seed it differs, over all of them it does not."""
    good, bad = cohort(0.9), cohort(0.1)
    made = change({0: good, 1: bad}, {0: bad, 1: good}, seed=1)
    assert made["estimate"] == pytest.approx(0, abs=1e-9) and made["low"] < -0.2 and made["high"] > 0.2


@pytest.mark.parametrize("fits", [2, 3, 5])
def test_parts_without_any_effect_are_called_a_change_as_seldom_as_their_intervals_say(fits: int) -> None:
    """300 parts that change nothing but the chance of a fit; 5 % are meant, redrawn fits had 47, 24 and 17 %."""
    rng, patients = np.random.default_rng(fits), 10
    redraws, found = Redraws.of(["A"] * patients, 1, 2000), 0
    for _ in range(300):
        values = [rng.normal(scale=0.06) + 1e-6 * rng.normal(size=patients) for _ in range(fits)]
        found += excludes_zero(redraws.interval(values, mean_over_patients))
    assert found / 300 < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)


def test_only_fits_of_the_same_seed_are_compared() -> None:
    good, bad = cohort(0.9), cohort(0.1)
    assert change({0: good, 1: bad}, {0: good}, seed=1)["estimate"] == 0
    with pytest.raises(ValueError, match="share no seed"):
        change({1: good}, {0: good}, seed=1)


def test_silence_counts_as_not_knowing() -> None:
    silent = [replace(c, trend=np.full(len(c.trend), np.nan)) if c.person == "p3" else c for c in cohort(0.9)]
    made = figures({0: silent}, seed=1)
    assert made["rests_on"]["coverage"] == pytest.approx(11 / 12)
    assert 0.5 < made["auc_all_seconds"]["estimate"] < made["auc"]["estimate"]
