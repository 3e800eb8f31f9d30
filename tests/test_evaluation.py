import json

import numpy as np
import pandas as pd
import pytest

from data.ages import check_age
from data.events import Annotations, Event
from data.outcomes import Refusal
from validation.evaluation import evaluate, evidence, gather
from validation.gates import Envelope, GateSettings, run_gates
from validation.subgroups import MIN_SUBGROUP, age_band


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


WITHOUT_A_SCORER = {"of", "uncertainty"}
"""What was evaluated and how draws were made: settings, not figures."""


def numbers_without(value: object, key: str, path: str = "") -> list[str]:
    """Paths of the numbers above which nothing has `key` in the same or an outer block."""
    if isinstance(value, dict):
        if key in value:
            return []
        return [found for k, inner in value.items() for found in numbers_without(inner, key, f"{path}/{k}")]
    if isinstance(value, list):
        return [found for k, inner in enumerate(value) for found in numbers_without(inner, key, f"{path}/{k}")]
    return [path] if isinstance(value, int | float) and not isinstance(value, bool) else []


def figures_of(result: dict) -> dict:
    return {name: block for name, block in result.items() if name not in WITHOUT_A_SCORER}


def test_no_number_stands_without_its_scorer(made):
    assert numbers_without(figures_of(made), "scorer") == []


def test_every_scorer_is_named_with_version_code_and_policy(made):
    scorers = [s for _, s in blocks_with(made, "scorer")]
    assert len(scorers) > 20
    for scorer in scorers:
        assert set(scorer) == {"name", "version", "code_digest", "policy", "policy_digest"}
        assert len(scorer["code_digest"]) == len(scorer["policy_digest"]) == 64 and scorer["version"]
    assert {s["name"] for s in scorers} == {
        "szcore", "clinical", "any_overlap", "time_aligned", "operating_curve", "reliability", "subgroups",
        "label_oracle", "id_lookup", "agreement", "burden",
    }  # fmt: skip


BLOCKS = (
    "counts", "szcore", "clinical", "overlap", "operating_curve", "calibration", "per_patient", "worst_decile",
    "subgroups", "baselines", "agreement", "burden", "szcore_per_person",
)  # fmt: skip


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_that_lost_its_scorer_is_found_out(made, name):
    assert numbers_without({name: without(made[name], "scorer")}, "scorer")


def without(value: object, key: str) -> object:
    if isinstance(value, dict):
        return {k: without(v, key) for k, v in value.items() if k != key}
    return [without(v, key) for v in value] if isinstance(value, list) else value


def blocks_with(value: object, key: str, path: str = "") -> list[tuple[str, dict]]:
    """What is kept under `key` anywhere in the result, with its path."""
    if isinstance(value, list):
        return [found for k, inner in enumerate(value) for found in blocks_with(inner, key, f"{path}/{k}")]
    if not isinstance(value, dict):
        return []
    here = [(path, value[key])] if key in value else []
    return here + [found for k, inner in value.items() for found in blocks_with(inner, key, f"{path}/{k}")]


STATES_ITSELF = {"counts", "per_patient"}
"""Blocks that have coverage and persons among their figures: of the whole cohort, and of one person each."""


def test_beside_every_figure_stands_how_many_persons_and_how_much_of_their_time_it_rests_on(made):
    figures = {name: block for name, block in figures_of(made).items() if name not in STATES_ITSELF}
    without_scorers = without(figures, "scorer")
    assert numbers_without(without_scorers, "rests_on") == []
    rests = blocks_with(without_scorers, "rests_on")
    assert len(rests) > 15
    for path, resting in rests:
        assert set(resting) - {"recordings"} == {"persons", "coverage", "assessed_hours"}, path
        assert 0 < resting["persons"] <= 24 and resting["assessed_hours"] > 0
        assert resting["coverage"] == pytest.approx(1 if "baselines" in path else 594 / 600), path
    assert {"coverage", "persons"} <= set(made["counts"])
    assert all(row["coverage"] == pytest.approx(0.99) for row in made["per_patient"])


def test_coverage_beside_a_figure_is_that_of_its_own_persons():
    predictions, hypotheses, references = cohort(24)
    blind = (predictions["site"] == "B") & (predictions["second"] < 300)
    predictions.loc[blind, "probability"] = np.nan
    made = evaluate(predictions, hypotheses, references, {}, seed=0, to_events=at_least_10_s)
    groups = {(g["by"], g["group"]): g["rests_on"] for g in made["subgroups"]}
    assert groups["site", "A"] == {"persons": 12, "coverage": 594 / 600, "assessed_hours": 12 * 594 / 3600}
    assert groups["site", "B"] == {"persons": 12, "coverage": 300 / 600, "assessed_hours": 12 * 300 / 3600}
    sites = made["calibration"]["sites"]
    assert {name: part["rests_on"]["coverage"] for name, part in sites.items()} == {"A": 594 / 600, "B": 300 / 600}
    whole = {"persons": 24, "coverage": (594 + 300) / 1200, "assessed_hours": 12 * (594 + 300) / 3600}
    assert made["clinical"]["rests_on"] == made["calibration"]["rests_on"] == pytest.approx(whole)


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


@pytest.mark.parametrize(
    ("days", "band"),
    [(0, "0–28 days"), (28, "0–28 days"), (29, "29 days–1 year"), (365, "29 days–1 year"), (12 * 365.25, "12–17 years"),
     (18 * 365.25, "18 years and older"), (None, "not given"), (float("nan"), "not given")],
)  # fmt: skip
def test_an_age_lies_in_the_band_that_names_it(days, band):
    assert age_band(days) == band


@pytest.mark.parametrize("days", [0.0, 27.9, 28.0, 28.1, 29.0])
def test_newborns_of_a_report_are_those_whom_the_plan_and_its_detectors_accept(days):
    low, high = Envelope().age_days
    try:
        check_age(days, (low, high))
        accepted = True
    except Refusal:
        accepted = False
    assert accepted == (age_band(days) == "0–28 days")


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
    with pytest.raises(ValueError, match="599 rows for the seconds 0 to 599"):
        gather(predictions.drop(index=5), hypotheses, references)
    with pytest.raises(ValueError, match="599 seconds were predicted of a recording of 600 s"):
        gather(predictions.drop(index=599), hypotheses, references)
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
    assert outcomes["calibration"] == outcomes["abstention"] == "pass"
    assert outcomes["superior"] == "fail"
    undecided = {outcomes[name] for name in ("sensitivity_non_inferior", "floor:all", "false_alarms")}
    assert undecided == {"insufficient_evidence"}
