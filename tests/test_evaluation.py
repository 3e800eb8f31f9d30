import json
import time

import numpy as np
import pandas as pd
import pytest

from data.events import Annotations, Event
from tests import SHARED, needs_shared
from validation.evaluation import MIN_SUBGROUP, evaluate, evidence, gather, id_lookup, label_oracle
from validation.gates import GateSettings, run_gates


def at_least_10_s(trend: np.ndarray, threshold: float) -> Annotations:
    """Runs of seconds at or above the threshold that last 10 s; what is not assessable is no detection."""
    made = Annotations.from_mask(np.nan_to_num(trend, nan=-1.0) >= threshold, 1.0)
    return Annotations(tuple(e for e in made.events if e.duration_s >= 10), made.duration_s)


def cohort(persons: int = 24, seconds: int = 600, skill: float = 1.5, seed: int = 0):
    """Predictions, hypotheses and references of two sites; two of three persons have three seizures each."""
    rng = np.random.default_rng(seed)
    seizures = (Event(100.0, 40.5), Event(300.0, 20.0), Event(450.3, 61.0))
    predictions, hypotheses, references = [], {}, {}
    for i in range(persons):
        name = f"sub-{i:03d}_task-eeg_run-01"
        reference = Annotations(seizures if i % 3 else (), float(seconds))
        labels = reference.to_mask(1.0).astype(int)
        noise = np.convolve(rng.normal(size=seconds), np.ones(9) / 9, "same")
        trend = 1 / (1 + np.exp(-3 * (noise + skill * labels - 0.7)))
        trend[:6] = np.nan
        hypotheses[name], references[name] = at_least_10_s(trend, 0.5), reference
        facts = {"recording": name, "patient": f"sub-{i:03d}", "person": f"p{i:03d}", "site": "AB"[i % 2]}
        predictions.append(pd.DataFrame(facts | {"second": range(seconds), "probability": trend, "label": labels}))
    return pd.concat(predictions, ignore_index=True), hypotheses, references


COHORT = cohort()
META = {
    "detector": "line_length",
    "regime": "patient",
    "simulated": True,
    "patients": {f"sub-{i:03d}": {"age_days": 3.0 if i < 18 else 400.0, "sex": "fm"[i % 2]} for i in range(24)},
}


@pytest.fixture(scope="module")
def made() -> dict:
    return evaluate(*COHORT, META, seed=1, to_events=at_least_10_s)


def test_the_result_is_plain_json_without_invented_numbers(made):
    assert json.loads(json.dumps(made, allow_nan=False)) == made


def test_an_evaluation_of_24_patients_with_2000_draws_takes_seconds():
    start = time.perf_counter()
    evaluate(*COHORT, META, seed=1, draws=2000, to_events=at_least_10_s)
    assert time.perf_counter() - start < 10


def test_the_same_predictions_and_seed_give_the_same_evaluation(made):
    shuffled = COHORT[0].sample(frac=1.0, random_state=0)
    assert evaluate(shuffled, *COHORT[1:], META, seed=1, to_events=at_least_10_s) == made


def test_a_changed_second_changes_the_digest_of_the_predictions(made):
    changed = COHORT[0].copy()
    changed.loc[100, "probability"] += 1e-9
    digests = evaluate(changed, *COHORT[1:], META, seed=1, to_events=at_least_10_s)["digests"]
    assert digests["predictions"] != made["digests"]["predictions"]
    assert digests["references"] == made["digests"]["references"]


def test_patients_seizures_hours_and_coverage_are_counted(made):
    counts = made["counts"]
    assert (counts["patients"], counts["persons"], counts["seizing_persons"], counts["seizures"]) == (24, 24, 16, 48)
    assert counts["hours"] == pytest.approx(24 * 600 / 3600)
    assert counts["coverage"] == pytest.approx(594 / 600)
    assert made["uncertainty"] == {"unit": "patient", "strata": "site", "draws": 2000, "seed": 1, "level": 0.95}


def intervals_of(value: object, path: str = "") -> list[tuple[str, dict]]:
    """Every interval in the result with its path."""
    found: list[tuple[str, dict]] = []
    if isinstance(value, dict):
        if "estimate" in value:
            found.append((path, value))
        for key, inner in value.items():
            found += intervals_of(inner, f"{path}/{key}")
    return found


def test_every_section_of_scores_names_its_scorer_with_version_code_and_policy(made):
    sections = [
        *made["szcore"].values(), made["clinical"], *made["overlap"].values(), made["operating_curve"],
        made["calibration"], *made["baselines"].values(),
    ]  # fmt: skip
    for section in sections:
        assert {"name", "version", "code_digest", "policy", "policy_digest"} == set(section["scorer"])
    names = {s["scorer"]["name"] for s in sections}
    assert names == {
        "szcore", "clinical", "any_overlap", "time_aligned", "operating_curve", "reliability", "label_oracle",
        "id_lookup",
    }  # fmt: skip


def test_every_interval_is_from_patients(made):
    intervals = intervals_of(made)
    assert len(intervals) > 30
    assert {value["unit"] for _, value in intervals} == {"patient"}
    assert all(value["n"] <= 24 for _, value in intervals)
    for path, value in intervals:
        if value["low"] is not None:
            assert value["low"] <= value["estimate"] + 1e-9 or "ece" in path  # noise only adds to ECE
            assert value["high"] >= value["estimate"] - 1e-9


def test_a_perfect_detector_is_perfect_and_its_label_oracle_is_nearly_so():
    predictions, _, references = cohort(8)
    predictions["probability"] = predictions["label"] * 0.9 + 0.05
    made = evaluate(predictions, references, references, {}, seed=0, to_events=at_least_10_s)
    assert made["clinical"]["auc_pooled"]["estimate"] == 1
    assert made["clinical"]["mcc_pooled"]["estimate"] == 1
    assert made["clinical"]["event_sensitivity"]["estimate"] == 1
    assert made["szcore"]["pooled"]["event"]["f1"]["estimate"] == 1
    assert [p["sensitivity"]["estimate"] for p in made["operating_curve"]["points"]] == [1, 1, 1, 1, 1]
    assert made["calibration"]["ece"]["estimate"] == pytest.approx(0.05)


def test_a_detector_without_skill_has_an_area_of_one_half():
    made = evaluate(*cohort(24, skill=0.0), {}, seed=0, to_events=at_least_10_s)
    assert made["clinical"]["auc_pooled"]["estimate"] == pytest.approx(0.5, abs=0.065)  # three standard deviations


def test_a_silent_detector_has_no_sensitivity_and_its_zero_alarms_are_bounded():
    predictions, _, references = cohort(6)
    silent = {name: Annotations((), r.duration_s) for name, r in references.items()}
    result = evaluate(predictions, silent, references, {}, seed=0, to_events=at_least_10_s)
    clinical = result["clinical"]
    assert clinical["event_sensitivity"]["estimate"] == 0
    assert clinical["zero_alarms_upper_per_24h"] == pytest.approx(3.689 / (6 * 594 / 3600) * 24, rel=1e-3)
    assert result["szcore"]["pooled"]["event"]["precision"]["estimate"] is None
    assert result["szcore"]["patient_mean"]["event"]["f1"]["estimate"] == 0
    assert result["szcore"]["legacy_patient_mean"]["event"]["f1"]["estimate"] is None  # everybody was dropped


def test_patients_without_seizures_are_not_evaluable_and_say_why(made):
    rows = {row["person"]: row for row in made["per_patient"]}
    assert len(rows) == 24
    assert rows["p000"]["auc"] is None and rows["p000"]["sensitivity"] is None
    assert rows["p000"]["not_evaluable"]["auc"] == "no seizures in this patient"
    assert rows["p000"]["false_per_hour"] is not None
    assert rows["p001"]["auc"] > 0.9 and rows["p001"]["not_evaluable"] == {}


def test_the_worst_decile_is_of_evaluable_patients_and_not_the_mean(made):
    worst = made["worst_decile"]["auc"]
    assert worst["evaluable"] == 16 and len(worst["persons"]) == 2  # a tenth of 16, rounded up
    areas = sorted(row["auc"] for row in made["per_patient"] if row["auc"] is not None)
    assert worst["mean"] == pytest.approx(np.mean(areas[:2]))


def test_subgroups_below_the_minimum_are_named_and_not_scored(made):
    groups = {(g["by"], g["group"]): g for g in made["subgroups"]}
    assert set(groups) == {
        ("site", "A"), ("site", "B"), ("age", "0–28 days"), ("age", "1–11 years"), ("sex", "f"), ("sex", "m"),
    }  # fmt: skip
    few = groups["age", "1–11 years"]
    assert few["seizing_persons"] == 4 < MIN_SUBGROUP
    assert few["not_evaluable"] == "4 persons with seizures, at least 5 are needed" and "auc_pooled" not in few
    assert groups["age", "0–28 days"]["auc_pooled"]["n"] == 18


def test_an_unknown_age_and_sex_are_groups_of_their_own():
    made = evaluate(*cohort(6), {}, seed=0, to_events=at_least_10_s)
    assert {(g["by"], g["group"]) for g in made["subgroups"] if g["by"] != "site"} == {
        ("age", "not given"), ("sex", "not given"),
    }  # fmt: skip


def test_one_person_under_two_ids_is_one_unit():
    predictions, hypotheses, references = cohort(8)
    predictions.loc[predictions["patient"] == "sub-002", "person"] = "p001"
    made = evaluate(predictions, hypotheses, references, {}, seed=0, to_events=at_least_10_s)
    assert (made["counts"]["patients"], made["counts"]["persons"]) == (8, 7)
    assert made["clinical"]["auc_pooled"]["n"] == 7


def test_a_recording_that_was_not_assessed_stays_in_the_count():
    predictions, hypotheses, references = cohort(6)
    first = "sub-001_task-eeg_run-01"
    predictions.loc[predictions["recording"] == first, "probability"] = np.nan
    hypotheses[first] = Annotations((), 600.0)
    made = evaluate(predictions, hypotheses, references, {}, seed=0, to_events=at_least_10_s)
    assert made["counts"]["abstained_recordings"] == 1 and made["counts"]["unassessable_seizures"] == 3
    assert made["counts"]["seizures"] == 12  # its three are still to be found
    assert made["clinical"]["event_sensitivity"]["estimate"] <= 9 / 12


def test_predictions_that_do_not_fit_are_refused():
    predictions, hypotheses, references = cohort(6)
    first = "sub-000_task-eeg_run-01"
    with pytest.raises(ValueError, match="1 recordings have no predictions"):
        gather(predictions[predictions["recording"] != first], hypotheses, references)
    with pytest.raises(ValueError, match="no hypothesis or no reference"):
        gather(predictions, {k: v for k, v in hypotheses.items() if k != first}, references)
    with pytest.raises(ValueError, match="599 seconds were predicted of a recording of 600 s"):
        gather(predictions.drop(index=5), hypotheses, references)
    with pytest.raises(ValueError, match="labels differ from the reference events in 600 s"):
        gather(predictions.assign(label=1 - predictions["label"]), hypotheses, references)


def test_evidence_for_the_gates_has_persons_in_one_order():
    made = evidence(*COHORT, to_events=at_least_10_s, strata={f"p{i:03d}": "adult" for i in range(24)})
    assert list(made.table.index) == sorted(made.table.index)
    assert np.array_equal(made.sweep.seizures, made.table["seizures"])
    assert np.array_equal(made.pairs.positives > 0, made.table["seizures"] > 0)
    assert made.sweep.hours * 3600 == pytest.approx(made.table["assessed_s"].to_numpy())


def test_a_detector_against_itself_is_neither_worse_nor_better_and_24_patients_are_too_few():
    same = evidence(*COHORT, to_events=at_least_10_s)
    outcomes = {g.name: g.outcome for g in run_gates(same, same, GateSettings())}
    assert outcomes["sensitivity_non_inferior"] == outcomes["calibration"] == outcomes["abstention"] == "pass"
    assert outcomes["superior"] == "fail"
    assert outcomes["floor:all"] == outcomes["false_alarms"] == "insufficient_evidence"


def as_predictions(labels: list[np.ndarray]) -> pd.DataFrame:
    rows = [
        pd.DataFrame({"recording": f"r{i}", "person": f"p{i}", "second": range(len(y)), "label": y})
        for i, y in enumerate(labels)
    ]
    return pd.concat(rows, ignore_index=True)


def test_the_label_oracle_sees_no_signal_and_wins_under_a_window_split():
    made = label_oracle(COHORT[0], seed=0)
    assert made["auc"] > 0.99 and made["f1"] > 0.95 and made["reportable"] is False


def test_the_label_oracle_knows_nothing_of_labels_without_neighbours():
    labels = [np.random.default_rng(i).integers(0, 2, 4000) for i in range(5)]
    assert label_oracle(as_predictions(labels), seed=0)["auc"] == pytest.approx(0.5, abs=0.02)


def test_the_id_lookup_ranks_patients_by_their_share_of_seizure():
    often, seldom = np.tile([1, 1, 1, 0], 100), np.tile([0, 0, 0, 1], 100)
    made = id_lookup(as_predictions([often, seldom]), seed=0)
    # Of 400 seizure and 400 other seconds, 300 of each lie in the patient in whom they are usual.
    # A little less than that, because a second left out of its patient's share speaks against itself.
    assert 0.75 * 0.75 < made["auc"] < 0.75 * 0.75 + (0.75 * 0.25 * 2) * 0.5
    assert made["f1"] == pytest.approx(0.75)


def test_the_id_lookup_knows_nothing_where_all_patients_are_alike():
    made = id_lookup(as_predictions([np.tile([1, 0], 500) for _ in range(6)]), seed=0)
    assert 0.4 < made["auc"] <= 0.5


@needs_shared
def test_the_label_oracle_reaches_the_headline_of_window_wise_studies_on_the_real_helsinki_labels():
    """AUC 0.9998 and F1 0.980 with no EEG at all: 2-s windows, random 5-fold, majority of three experts, 79 neonates."""
    from scipy.io import loadmat

    experts = loadmat(SHARED / "helsinki" / "annotations_2017.mat")["annotat_new"].ravel()
    predictions = as_predictions([(e.sum(axis=0) >= 2).astype(int) for e in experts])
    oracle = label_oracle(predictions, seed=0, folds=5, window_s=2)
    assert oracle["auc"] == pytest.approx(0.9998, abs=1e-4)
    assert oracle["f1"] == pytest.approx(0.980, abs=2e-3)
    assert id_lookup(predictions, seed=0)["auc"] == pytest.approx(0.906, abs=2e-3)
