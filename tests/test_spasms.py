"""Spasms counted as a ward counts: alarms in an hour, spasms and clusters found, patients apart, and what needs no movement."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.events import Annotations, Event
from data.spasms import clips_of
from models import detectors
from models.detector import Examples
from models.typing import stretch_examples
from models.typing_ablation import FoldClips, fit_variant
from tests.infants import infant
from validation.seizure_typing import Answer, table_of
from validation.spasms import SpasmDossier, evaluate_spasms, regime_difference, spasm_page
from validation.spasms.watched import COUNTS, Watched, watched

CLASSES = ("other", "spasm")
CLIPS = 24
"""Of 5 s: two minutes."""


def truth(*onsets_s: float) -> Annotations:
    return Annotations(tuple(Event(at, 1.0, "sz_uo_m_spasms") for at in onsets_s), 5.0 * CLIPS)


def recording(said: dict[int, float], marked: Annotations, silent: tuple[int, ...] = ()) -> Watched:
    """Clips of which some were given a probability, some none, and all others 0."""
    probability = np.array([said.get(n, 0.0) for n in range(CLIPS)])
    probability[list(silent)] = np.nan
    spasm = np.array([clip.spasm for clip in clips_of(marked, 5.0)])
    return Watched("r", "p", "north", 5.0, 5.0 * np.arange(CLIPS), spasm, probability, marked)


def counted(one: Watched, threshold: float = 0.5) -> dict[str, float]:
    return dict(zip(COUNTS, one.counts(threshold), strict=True))


def test_neighbouring_positive_clips_are_one_alarm_and_false_without_a_spasm() -> None:
    """Clips 2 and 3 hold one spasm between them, 7 and 8 none; 10 alone none: three alarms, two false."""
    found = counted(recording({2: 0.9, 3: 0.9, 7: 0.9, 8: 0.6, 10: 0.5}, truth(11.0)))
    assert (found["alarms"], found["false_alarms"]) == (3, 2)
    assert found["hours"] == pytest.approx(CLIPS * 5 / 3600)
    assert (found["tp"], found["fp"], found["fn"], found["tn"]) == (1, 4, 0, 19)


def test_who_alarms_without_end_alarms_every_half_minute() -> None:
    """All of two minutes positive, one spasm in the first half minute: four alarms, three false."""
    found = counted(recording(dict.fromkeys(range(CLIPS), 0.9), truth(11.0)))
    assert (found["alarms"], found["false_alarms"], found["spasms_found"]) == (4, 3, 1)


def test_a_spasm_on_a_border_is_found_by_either_of_its_clips_and_alarms_are_then_not_false() -> None:
    """14.6–15.6 s: 0.4 s of it lie in clip 2, which is “other” by its greater part, and raises a true alarm."""
    found = counted(recording({2: 0.9}, truth(14.6)))
    assert (found["spasms_found"], found["false_alarms"], found["fp"], found["fn"]) == (1, 0, 1, 1)


def test_a_cluster_is_found_if_one_of_its_spasms_is() -> None:
    """Three spasms within a minute are a cluster; the last, 62 s later, stands alone and is none."""
    found = counted(recording({2: 0.9}, truth(11.0, 26.0, 51.0, 114.0)))
    assert (found["spasms"], found["spasms_found"], found["clusters"], found["clusters_found"]) == (4, 1, 1, 1)


def test_a_clip_without_an_answer_raises_no_alarm_and_its_spasm_is_missed() -> None:
    found = counted(recording({2: 0.9, 4: 0.9}, truth(11.0), silent=(2, 3)))
    assert (found["silent_spasm"], found["silent_other"], found["spasms_found"]) == (1, 1, 0)
    assert found["hours"] == pytest.approx((CLIPS - 2) * 5 / 3600) and found["false_alarms"] == 1


def test_silence_parts_two_alarms() -> None:
    assert counted(recording({7: 0.9, 8: 0.9, 9: 0.9}, truth(), silent=(8,)))["alarms"] == 2


# A cohort.

PATIENTS = 12


def cohort(right: float, variant: str = "answer", leaky: bool = False, seed: int = 0) -> tuple[pd.DataFrame, dict]:
    """Two of three patients have five spasms; a share of all clips is called right."""
    rng = np.random.default_rng(seed)
    answers, truths = [], {}
    for patient in range(PATIENTS):
        marked = truth(*(11.0, 21.0, 33.0, 46.0, 61.0)) if patient % 3 else truth()
        truths[f"rec-{patient}"] = marked
        for clip in clips_of(marked, 5.0):
            sure = rng.uniform(0.55, 0.95)
            chance = sure if clip.spasm == (rng.random() < right) else 1 - sure
            fold = clip.number % 3 if leaky else patient % 4
            place = (f"rec-{patient}", f"sub-{patient}", f"p{patient:02d}", "north" if patient % 2 else "south")
            kind = CLASSES[int(clip.spasm)]
            said = (1 - chance, chance)
            answers.append(Answer(*place, clip.number, clip.onset_s, kind, fold, variant, 1, "", said))
    return table_of(answers, CLASSES), truths


def evaluated(table: pd.DataFrame, truths: dict, **more: object) -> dict:
    return evaluate_spasms(table, truths, {"regime": "patient"}, 0, 2000, **more)  # type: ignore[arg-type]


def test_a_perfect_detector_finds_all_and_alarms_falsely_never() -> None:
    found = evaluated(*cohort(1.0))
    answer = found["answer"]
    assert all(answer[name]["estimate"] == 1.0 for name in ("accuracy", "precision", "recall", "f1", "auroc"))
    assert answer["spasms_found"]["estimate"] == answer["clusters_found"]["estimate"] == 1.0
    assert answer["false_alarms_per_hour"]["estimate"] == 0.0
    assert found["counts"] == {
        "persons": 12, "persons_with_spasms": 8, "recordings": 12, "sites": ["north", "south"], "clips": 288,
        "spasm_clips": 40, "answered": 288, "spasms": 40, "clusters": 8, "assessed_hours": pytest.approx(0.4),
        "not_answered": {},
    }  # fmt: skip
    json.dumps(found)


def test_fault_who_says_nothing_is_not_specific() -> None:
    """Of the clips without a spasm a quarter has no answer: no more than three quarters can be said to be right."""
    table, truths = cohort(1.0)
    others = table.index[table["truth"] == "other"]
    quiet = table.assign(spasm=table["spasm"].where(~table.index.isin(others[::4]), np.nan))
    said, silent = (evaluated(one, truths)["answer"]["specificity"]["estimate"] for one in (table, quiet))
    assert said == 1.0 and silent == pytest.approx(1 - len(others[::4]) / len(others))


def test_fault_silence_is_no_skill_in_the_ranking_nor_in_the_brier_score() -> None:
    table, truths = cohort(right=0.7)
    wrong = (table["spasm"] >= 0.5) != (table["truth"] == "spasm")
    hidden = table.assign(spasm=table["spasm"].mask(wrong), other=table["other"].mask(wrong))
    said = evaluated(hidden, truths)
    assert 0.5 < said["answer"]["auroc"]["estimate"] < 1
    assert said["probabilities"]["brier"] >= 0.25 * wrong.mean()


def test_figures_by_clips_are_those_of_the_confusion() -> None:
    table, truths = cohort(0.8)
    answer = evaluated(table, truths)["answer"]
    said, spasm = table["spasm"] >= 0.5, table["truth"] == "spasm"
    tp, fp, fn = (said & spasm).sum(), (said & ~spasm).sum(), (~said & spasm).sum()
    assert answer["precision"]["estimate"] == pytest.approx(tp / (tp + fp))
    assert answer["f1"]["estimate"] == pytest.approx(2 * tp / (2 * tp + fp + fn))
    assert answer["accuracy"]["estimate"] == pytest.approx((said == spasm).mean())
    assert answer["accuracy"]["low"] < answer["accuracy"]["estimate"] < answer["accuracy"]["high"]
    assert answer["counted"]["tp"] == tp


def test_patients_without_spasms_are_a_block_of_their_own() -> None:
    found = evaluated(*cohort(0.9))
    assert found["spasm_free"]["rests_on"]["persons"] == 4 and found["spasm_free"]["counted"]["spasms"] == 0
    assert found["spasm_free"]["false_alarms_per_hour"]["estimate"] > 0 and "recall" not in found["spasm_free"]


def test_sites_are_told_apart_and_one_never_trained_on_stands_by_itself() -> None:
    table, truths = cohort(0.9)
    others, phones = cohort(0.7, seed=1)
    others = others.assign(
        recording="phone-" + others["recording"], person="phone-" + others["person"], site="phone"
    )  # fmt: skip
    truths |= {f"phone-{name}": marked for name, marked in phones.items()}
    found = evaluated(table, truths, external=others)
    assert {site: block["rests_on"]["persons"] for site, block in found["sites"].items()} == {"north": 6, "south": 6}
    assert found["external"]["told"]["sites"] == ["phone"] and found["counts"]["persons"] == 12
    assert found["external"]["accuracy"]["estimate"] < found["answer"]["accuracy"]["estimate"]
    assert evaluated(*cohort(0.9))["external"]["not_evaluable"]


def test_what_needs_no_movement_finds_no_spasm_with_patients_apart() -> None:
    table, truths = cohort(0.9)
    dealt = {(r, e): int(e) % 3 for r, e in zip(table["recording"], table["event"], strict=True)}
    found = evaluated(table, truths, over_clips=dealt)
    for name in ("majority", "id_lookup", "label_oracle"):
        assert found["baselines"][name]["spasms_found"]["estimate"] == 0
        assert found["baselines"][name]["accuracy"]["estimate"] == pytest.approx(248 / 288)
        assert found["baselines_over_clips"][name]["reportable"] is False


def test_a_variant_is_compared_patient_by_patient_and_one_that_says_the_same_differs_by_nothing() -> None:
    table, truths = cohort(0.95)
    worse, same = cohort(0.7, "no_graph")[0], table.assign(variant="no_unet")
    found = evaluated(pd.concat([table, worse, same]), truths)["differences"]
    assert found["no_graph"]["f1"]["low"] > 0
    assert all(found["no_unet"][name][end] == 0 for name in ("f1", "auroc") for end in ("estimate", "low", "high"))


def test_what_a_split_is_worth_is_measured_on_the_same_clips() -> None:
    leaky, truths = cohort(1.0, leaky=True)
    honest = cohort(0.8)[0]
    assert regime_difference(leaky, honest, truths, 0)["f1"]["low"] > 0
    silent = leaky.copy()
    silent.loc[::3, ["other", "spasm"]] = np.nan
    same = regime_difference(leaky, silent, truths, 0)["f1"]
    assert same["estimate"] == same["low"] == same["high"] == 0, "refusing is no other split"
    with pytest.raises(ValueError, match="same stretches of the same patients"):
        regime_difference(leaky, honest[honest["recording"] != "rec-0"], truths, 0)


def test_the_operating_curve_ends_with_every_spasm_found() -> None:
    curve = evaluated(*cohort(0.8))["operating"]["curve"]
    assert curve[-1]["spasms_found"] == 1.0
    assert [p["threshold"] for p in curve] == sorted((p["threshold"] for p in curve), reverse=True)
    found = [p["spasms_found"] for p in curve]
    assert found == sorted(found)


def test_answers_are_read_in_the_order_of_time() -> None:
    table, truths = cohort(1.0)
    shuffled = table.sample(frac=1.0, random_state=0)
    for one, other in zip(watched(table, truths, 5.0), watched(shuffled, truths, 5.0), strict=True):
        assert np.array_equal(one.onset_s, other.onset_s) and np.array_equal(one.probability, other.probability)


def test_the_page_says_verdict_alarms_sites_and_that_it_is_simulated() -> None:
    table, truths = cohort(0.9)
    floor = cohort(0.7)[0]
    leaky = cohort(1.0, leaky=True)[0]
    results = {
        "sta_gunet": {"patient": evaluated(table, truths), "seizure": evaluated(leaky, truths)},
        "joint_speed": {"patient": evaluated(floor, truths)},
    }
    ablation = evaluated(pd.concat([table, cohort(0.8, "no_graph")[0]]), truths)
    dossier = SpasmDossier(
        "sta_gunet", results, {"code": "0" * 64}, True, floor="joint_speed",
        inflation=regime_difference(leaky, table, truths, 0), undivided={"site": "two sites"}, unjudged={"patient": "one class only"}, ablation=ablation,
        meanings={"no_graph": "no skeleton"},
    )  # fmt: skip
    page = spasm_page(dossier)
    assert "Not answered" not in page
    for words in (
        "Simulated data", "false alarms per hour", "leaky control", "Clusters found", "no skeleton", "held-out",
        "0.931", "Patient by patient", "Sites apart: not evaluable", "joint_speed",
        "Patients apart, AUC of inner patients: not evaluable, one class only.",
    ):  # fmt: skip
        assert words in page, words
    assert page == spasm_page(dossier) and "<script" not in page
    table.loc[table.index[:3], ["spasm", "other", "code"]] = np.nan, np.nan, "ood"
    results["sta_gunet"]["patient"] = evaluated(table, truths)
    assert "Not answered: 3 as ood." in spasm_page(dossier)
    with pytest.raises(ValueError, match="patients apart"):
        SpasmDossier("sta_gunet", {"sta_gunet": {"seizure": {}}}, {}, True)


# What each part is worth.


def clips(*seeds: int) -> Examples:
    detector = detectors.build("sta_gunet")
    parts = []
    for seed in seeds:
        track, marked = infant(seed, 30.0, 2)
        part = stretch_examples(detector, detector.prepare(track), marked, f"rec-{seed}", f"sub-{seed}")  # type: ignore[arg-type, attr-defined]
        assert part is not None
        parts.append(part)
    return Examples.join(parts)


def test_every_part_taken_away_answers_the_same_clips_of_the_same_patients() -> None:
    declared = detectors.ablations_of("sta_gunet", "demo")
    quick = {"epochs": 1, "windows_per_epoch": 32}
    variants = [replace(v, params={**v.params, **quick}) for v in declared.variants]
    fold = FoldClips(clips(0, 1), clips(2), clips(3))
    said = {v.name: fit_variant("sta_gunet", v, fold, seed=0)[0] for v in variants}
    assert said.keys() == {"full", "no_attention", "no_graph", "no_unet"}
    places = {name: [(s.recording, s.event) for s in own] for name, own in said.items()}
    assert all(own == places["full"] and len(own) == 6 for own in places.values())
    assert len({str([s.probabilities for s in own]) for own in said.values()}) == 4
    with pytest.raises(ValueError, match="keep patients apart"):
        fit_variant("sta_gunet", variants[0], replace(fold, valid=clips(3)), seed=0)
