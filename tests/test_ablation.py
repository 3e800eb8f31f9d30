"""What a part is worth is measured on the same patients; what was fitted is reused only where it is the same."""

import json
import pickle
import shutil
from dataclasses import replace
from itertools import pairwise
from math import comb
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from data.cohorts.synthetic import SimulationSettings, simulate_cohort
from data.events import Annotations, Event
from data.montage import ELECTRODES, derive
from data.outcomes import Refusal
from data.simulator.injection import AWAY_S, LENGTH_S, draw_injections, injected, sharing
from flows.ablation import detection, runs
from flows.ablation.runs import missing, study_of
from flows.stages.audits import members
from flows.stages.files import write_json
from flows.workspace import ROOT, Workspace
from lineage.refused import Refused
from models import detectors
from models.ablations import FULL, Ablations, BadAblation, Variant, read_ablations
from tests.commands import ictal
from tests.contract.signals import recording
from tests.test_lab import cohort
from validation.ablation.attention import Disturbed, Focus, chance_of_a_hit, hits, on_artefacts, on_foci
from validation.ablation.identity import GAP_S, PER_HALF, Features, compare, halves, legible
from validation.ablation.page import ablation_page, headline, lines
from validation.ablation.paired import change, figures
from validation.scaling import scaled
from validation.splits import Fold, Member, draw_split

# --- what is declared -------------------------------------------------------------------------------------------------

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


# --- more people ------------------------------------------------------------------------------------------------------


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


# --- figures ----------------------------------------------------------------------------------------------------------


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


# --- who is it? -------------------------------------------------------------------------------------------------------


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
    found = compare({"whole": [seen(3.0)], "without": [seen(0.0)]}, SITES, seed=0)
    assert found["chance"] == pytest.approx(1 / 6) and found["babies"] == 6
    assert found["accuracy"]["whole"]["estimate"] > 0.95
    assert found["accuracy"]["without"]["low"] < 1 / 6 < found["accuracy"]["without"]["high"] + 0.03
    assert found["difference"]["low"] > 0.5
    same = compare({"whole": [seen(1.0)], "without": [seen(1.0)]}, SITES, seed=0)
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
    assert "not_evaluable" in compare({"whole": [alone], "without": [alone]}, SITES, seed=0)


def test_halves_are_a_gap_apart_hold_background_only_and_are_no_longer_than_asked() -> None:
    onset_s, background = np.arange(0.0, 598.0), np.ones(598, dtype=bool)
    background[100:150] = False
    half = halves(onset_s, background, 2.0, 600.0)
    first, second = onset_s[half == 0], onset_s[half == 1]
    assert second.min() - (first.max() + 2.0) >= GAP_S
    assert len(first) == len(second) == PER_HALF and not ((first >= 100) & (first < 150)).any()


# --- where it looks -----------------------------------------------------------------------------------------------------


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
    at = on_foci([focus(n, 3, True) for n in range(8)], seed=0)
    assert at["attention"]["hit"]["estimate"] == 1 and at["attention"]["hits_of_three"]["estimate"] == 3
    assert at["attention"]["above_chance"]["low"] > 0 and at["loudest"]["hit"]["estimate"] == 0
    assert at["mass"]["estimate"] == pytest.approx(0.6) and at["mass_to_equal"]["estimate"] == pytest.approx(
        0.6 / (3 / 18)
    )
    off = on_foci([focus(n, 3, False) for n in range(8)], seed=0)
    assert off["attention"]["hit"]["estimate"] == 0 and off["attention"]["above_chance"]["high"] < 0


def test_chance_follows_the_width_of_each_focus() -> None:
    made = on_foci([focus(0, 2, True), focus(1, 6, True)], seed=0)
    assert made["hit_by_chance"]["estimate"] == pytest.approx((chance_of_a_hit(2, 18) + chance_of_a_hit(6, 18)) / 2)
    assert made["hits_of_three_by_chance"]["estimate"] == pytest.approx((3 * 2 / 18 + 3 * 6 / 18) / 2)
    assert on_foci([], seed=0)["not_evaluable"] == "no seizure states its derivations"


def test_weight_drawn_by_an_artefact_is_told_from_weight_that_was_there_before() -> None:
    equal, pulled = np.full(18, 1 / 18), np.full(18, 0.5 / 16)
    pulled[:2] = 0.25
    rows = [Disturbed(f"p{n}", "A", "emg", equal, pulled, np.arange(18) < 2, (0.1, 0.3)) for n in range(6)]
    rows += [Disturbed(f"p{n}", "A", "pop", equal, equal, np.arange(18) < 2, (0.1, 0.1)) for n in range(6)]
    made = on_artefacts(rows, seed=0)
    assert made["emg"]["difference"]["estimate"] == pytest.approx(0.5 - 2 / 18)
    assert made["emg"]["after_to_equal"]["estimate"] == pytest.approx(0.5 / (2 / 18))
    assert made["emg"]["probability_difference"]["estimate"] == pytest.approx(0.2)
    assert made["pop"]["difference"]["estimate"] == 0 and made["pop"]["before_to_equal"]["estimate"] == pytest.approx(1)


# --- artefacts put in ---------------------------------------------------------------------------------------------------

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


# --- what is kept, and what is made anew ---------------------------------------------------------------------------------

REPEATS = 2
TINY = {"epochs": 1, "windows_per_epoch": 128}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Six simulated babies of two minutes, checked and divided in two folds: what `ictal ablate` starts from."""
    made = Workspace(tmp_path_factory.mktemp("ablation"))
    (made.root / "workspace.json").write_text('{"kind": "real"}')
    (made.root / "params.yaml").write_text("split: {folds: 2}\n")
    small = SimulationSettings(patients_per_site=3, minutes=2.0, surveillance_per_site=0, broken=0, transferred=0)
    simulated = simulate_cohort(made.raw / "simulated", small, workers=1)
    write_json(made.interim / "checks" / "accepted.json", [e.name for e in simulated.entries])
    split = draw_split("patient", members(made), folds=2, inner_share=0.25, seed=7)
    write_json(made.interim / "split.json", {"patient": split.to_json()})
    for folder in ("code", "tmp", "store", "reports"):
        (made.root / folder).mkdir()
    (made.root / "code" / "ablate.txt").write_text("code of today\n")
    return made


def variants(**changed: object) -> list[Variant]:
    numbers = {**detectors.params_of("da_stnet", "demo"), **TINY, **changed}
    document = {"ablations": {"no_reversal": {"meaning": "none", "params": {"reversal": False}}}, "scaling": [0.4]}
    return list(read_ablations("da_stnet", document, numbers).variants)


PROBES = {"identity": "no_reversal", "attention": True}


def here(work, items, what, show, needs=()) -> list:
    """`flows.parallel.over` without worker processes."""
    show(what, 0, len(items))
    return [work(item) for item in items]


@pytest.fixture(scope="module")
def made(workspace: Workspace):
    """The three variants fitted on both folds, and how many fits each call made."""
    told: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(detection, "over", here)
        patch.setattr(runs, "over", here)
        show = lambda what, done, total: told.append(what)  # noqa: E731
        study = study_of(workspace, "da_stnet", variants(), REPEATS)
        names = [v.name for v in variants()]
        scratch = workspace.root / "tmp" / "scratch"
        scratch.mkdir()
        counts = [detection.make_runs(study, [FULL, "no_reversal"], PROBES, scratch, show)]
        counts.append(detection.make_runs(study, names, PROBES, scratch, show))
        counts.append(detection.make_runs(study, names, PROBES, scratch, show))
        yield study, detection.result(study, PROBES, 11, 2000), counts, told


def test_what_was_fitted_is_kept_and_a_stopped_run_goes_on_where_it_stood(made) -> None:
    _, _, counts, told = made
    assert counts == [2 * 2 * REPEATS, 1 * 2 * REPEATS, 0]  # variants times folds times seeds; then nothing is missing
    assert set(told) == {"da_stnet: windows of recordings", "da_stnet: variants trained, fold by fold"}


def test_every_test_patient_is_predicted_second_by_second_by_every_variant(made, workspace: Workspace) -> None:
    study, found, _, _ = made
    assert list(found["variants"]) == [FULL, "no_reversal", "share_40"]
    for own in found["variants"].values():
        assert own["rests_on"]["persons"] == 9 and own["rests_on"]["coverage"] == pytest.approx(119 / 120)
        assert own["auc"]["draws"] == 2000 and own["auc"]["n"] == 9
    assert found["variants"][FULL]["change"] is None and found["variants"]["share_40"]["change"]["n"] == 9
    assert all(own["fits"] == len(own["auc"]["each_fit"]) == REPEATS for own in found["variants"].values())
    learnt = {v: [len(r.fold.train) for r in study.of(v)] for v in (FULL, "share_40")}
    assert all(few < many for few, many in zip(learnt["share_40"], learnt[FULL], strict=True))


def test_probes_looked_into_babies_learnt_from_and_never_seen_and_into_every_focus(made, workspace: Workspace) -> None:
    study, found, _, _ = made
    identity, attention = found["probes"]["identity"], found["probes"]["attention"]
    assert identity["variant"] == "no_reversal"
    assert set(identity["train"]["accuracy"]) == {FULL, "no_reversal", "input"}
    stated = sum(bool(e.channels) for own in study.truth.values() for e in own.events)
    assert attention["foci"]["seizures"] == stated > 0 and attention["foci"]["derivations"] == 18
    assert set(attention["artefacts"]) - {"scorer"} <= {"emg", "pop"} and len(attention["artefacts"]) > 1


def test_nothing_is_kept_that_could_be_registered(made, workspace: Workspace) -> None:
    kept = {p.name for p in (workspace.store / "ablations").rglob("*") if p.is_file()}
    assert kept == {"run.json", "windows.parquet", "train.npz", "test.npz", "attention.json"}
    assert not list((workspace.root / "tmp").glob("*.pt"))


def _other_numbers(workspace: Workspace) -> list[Variant]:
    return variants(lstm=8)


def _other_code(workspace: Workspace) -> list[Variant]:
    (workspace.root / "code" / "ablate.txt").write_text("code of tomorrow\n")
    return variants()


def _other_seed(workspace: Workspace) -> list[Variant]:
    (workspace.root / "params.yaml").write_text("split: {folds: 2}\ntrain: {seed: 8}\n")
    return variants()


def _other_marks(workspace: Workspace) -> list[Variant]:
    marked = [p for p in sorted(workspace.raw.glob("simulated/sub-*/eeg/*_events.tsv")) if "\tsz\t" in p.read_text()]
    marked[0].write_text(marked[0].read_text().replace("\tsz\t", "\tsz_foc\t"))
    return variants()


@pytest.mark.parametrize("meddle", [_other_numbers, _other_code, _other_seed, _other_marks])
def test_a_result_is_not_reused_once_anything_it_rests_on_has_changed(
    made, workspace: Workspace, tmp_path: Path, meddle
) -> None:
    copied = Workspace(tmp_path / "copy")
    shutil.copytree(workspace.root, copied.root)
    assert missing(study_of(copied, "da_stnet", variants(), REPEATS), [FULL]) == []
    assert len(missing(study_of(copied, "da_stnet", meddle(copied), REPEATS), [FULL])) == 2 * REPEATS


def test_a_result_under_anothers_name_is_not_taken_for_it(made, workspace: Workspace, tmp_path: Path) -> None:
    copied = Workspace(tmp_path / "copy")
    shutil.copytree(workspace.root, copied.root)
    study = study_of(copied, "da_stnet", variants(), REPEATS)
    whole, other = study.of(FULL)[0], study.of("share_40")[0]
    shutil.rmtree(whole.folder)
    shutil.copytree(other.folder, whole.folder)
    assert [(r.number, r.repeat) for r in missing(study, [FULL])] == [(0, 0)] and list(study.kept(FULL)) == [1]


def test_the_first_seed_of_every_variant_comes_before_the_second_of_any(workspace: Workspace) -> None:
    study = study_of(workspace, "da_stnet", variants(lstm=4), REPEATS)
    order = [r.repeat for r in missing(study, [v.name for v in variants()])]
    assert order == [0] * 6 + [1] * 6 and len({(r.number, r.seed) for r in study.runs}) == 2 * REPEATS


def test_a_variant_that_reads_other_windows_is_refused_before_anything_is_fitted(
    workspace: Workspace, tmp_path: Path
) -> None:
    whole, other = variants()[0], replace(variants()[0], name="other", params={**variants()[0].params, "stft_hop": 32})
    study = study_of(workspace, "da_stnet", [replace(whole, params={**whole.params, "lstm": 4}), other])
    with pytest.raises(BadAblation, match="other reads other windows"):
        detection.make_runs(study, ["other"], {}, tmp_path, lambda *_: None)


# --- the page and the command ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def document(made) -> dict:
    from flows.ablate import _document

    study, found, _, _ = made
    planned = [*variants(), *[v for v in detectors.ablations_of("da_stnet", "demo").variants if v.name == "no_lstm"]]
    whole = _document(study, Ablations(tuple(planned), PROBES, REPEATS), found)
    return json.loads(json.dumps(whole, allow_nan=False, default=float))


def test_the_page_speaks_of_the_simulator_loads_nothing_and_holds_every_figure(document: dict) -> None:
    page = ablation_page(document)
    assert "these figures speak about the simulator" in page
    assert "<script" not in page and "src=" not in page and 'href="http' not in page
    for heading in (
        "What each part is worth",
        "More people to learn from",
        "Who is it?",
        "Where it looks",
        "How to read this",
    ):
        assert heading in page
    shown = document["variants"][1]["result"]["auc"]["estimate"]
    assert f"{shown:.3f}" in page and "not run" in page
    assert ablation_page(document) == page


def test_the_verb_writes_page_figures_and_one_line_in_the_ledger_for_each_that_differ(
    made, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows import ablate
    from flows.records import open_ledger

    copied = Workspace(tmp_path / "copy")
    shutil.copytree(workspace.root, copied.root)
    monkeypatch.setattr(detectors, "ablations_of", lambda name, preset: Ablations(tuple(variants()), PROBES, REPEATS))
    monkeypatch.setattr(ablate, "run_stage", lambda home, stage: "skipped")
    monkeypatch.setattr(ablate, "refresh_code", lambda workspace: None)

    def run() -> tuple[dict, list]:
        said = ablate.ablate.fn(str(copied.root), "da_stnet")
        return said, list(open_ledger(copied).entries("evaluation.recorded"))

    said, entries = run()
    page = copied.reports / "ablation" / "da_stnet"
    written = json.loads(page.with_suffix(".json").read_text())
    assert said["runs_made"] == 0 and written["schema"] == "ictal.ablation/1" and page.with_suffix(".html").exists()
    assert [v["name"] for v in written["variants"]] == [FULL, "no_reversal", "share_40"]
    payload = open_ledger(copied).payload(entries[0].payload_digest)
    assert payload and payload["figures"][FULL] == written["variants"][0]["result"]["auc"]["estimate"]
    assert len(entries) == len(run()[1]) == 1  # the same again is no new evidence
    (copied.root / "params.yaml").write_text("split: {folds: 2}\nevaluate: {seed: 12}\n")
    assert len(run()[1]) == 2


def test_a_difference_is_named_in_the_verdict_only_where_its_interval_excludes_zero(document: dict) -> None:
    def said(low: float, high: float) -> str:
        changed = json.loads(json.dumps(document))
        changed["variants"][1]["result"]["change"] |= {"estimate": (low + high) / 2, "low": low, "high": high}
        return headline(changed).sentence

    assert "changes with no_reversal" in said(-0.05, -0.01) and "changes with no_reversal" in said(0.01, 0.05)
    assert "no part that was taken away makes a difference that can be seen" in said(-0.05, 0.01)


def test_the_printed_table_names_every_variant_even_one_that_was_not_run(document: dict) -> None:
    text = "\n".join(lines(document))
    assert all(v["name"] in text for v in document["variants"]) and "not run" in text
    assert "speak about the simulator" in text and "Attention:" in text


def test_the_page_of_a_cohort_without_foci_says_so(document: dict) -> None:
    bare = json.loads(json.dumps(document))
    bare["probes"]["attention"] = {"foci": on_foci([], 0), "artefacts": on_artefacts([], 0)}
    bare["probes"]["identity"] = {"not_evaluable": "no_reversal was not run", "variant": "no_reversal"}
    bare["simulated"] = False
    page = ablation_page(bare)
    assert "not evaluable, no seizure states its derivations" in page and "no_reversal was not run" in page
    assert "speak about the simulator" not in page


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["line_length"], "line_length declares nothing to take away"),
        (["da_stnett"], "did you mean da_stnet"),
        (["da_stnet", "--only", "no_lstmm"], "did you mean no_lstm"),
    ],
)
def test_what_cannot_be_ablated_is_refused_in_one_sentence(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    monkeypatch.setenv("ICTAL_HOME", str(workspace.root))
    said = ictal("ablate", *arguments)
    assert said.code == 2 and says in said.err and not said.out


def test_a_task_that_nothing_scores_is_refused(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows import ablate

    monkeypatch.setenv("ICTAL_HOME", str(workspace.root))
    monkeypatch.setattr(ablate, "TASKS", {"typing": "nowhere"})
    with pytest.raises(Refused, match="made for detection, for which nothing scores variants yet"):
        ablate.ablate_detector("da_stnet", None)


def test_the_help_has_an_example() -> None:
    assert "Example" in ictal("ablate", "--help").out


def test_a_run_is_plain_enough_to_be_handed_to_another_process(made) -> None:
    study = made[0]
    assert pickle.loads(pickle.dumps(study.runs[0])) == study.runs[0]
