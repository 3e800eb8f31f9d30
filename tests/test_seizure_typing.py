"""Types of seizures are counted by patients, and stand beside what names them without any EEG."""

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flows.stages import files, report_types
from flows.stages.files import read_json, write_json
from flows.stages.questions.asked import Shown
from flows.workspace import Workspace
from validation.gates import GateSettings, run_gates
from validation.seizure_typing import (
    Answer,
    TypingDossier,
    confusions,
    evaluate_typing,
    read_answers,
    table_of,
    typing_card,
    typing_evidence,
    typing_page,
    write_answers,
)
from validation.seizure_typing.answers import AnswersRefused
from validation.seizure_typing.baselines import baseline_tables
from validation.seizure_typing.figures import focal_together, regime_difference, weighted_f1
from validation.stretch_page import StretchDossier

CLASSES = ("FNSZ", "GNSZ", "CPSZ", "TNSZ")
PATIENTS = {"FNSZ": 8, "GNSZ": 6, "CPSZ": 5, "TNSZ": 2}


def certain(name: str) -> tuple[float, ...]:
    return tuple(0.97 if c == name else 0.01 for c in CLASSES)


def cohort(right: float, seed: int = 0, variant: str = "answer", regime: str = "patient") -> pd.DataFrame:
    """Patients of one type with three seizures each, of which a share is called right and the rest FNSZ."""
    rng = np.random.default_rng(seed)
    answers, number = [], 0
    for kind, patients in PATIENTS.items():
        for _ in range(patients):
            fold = number % 3
            for event in range(3):
                said = kind if rng.random() < right else "FNSZ"
                tested = event if regime == "seizure" else fold
                site = "north" if number % 2 else "south"
                row = (f"rec-{number}", f"sub-{number}", f"p{number}", site, event, 60.0 * event, kind, tested)
                answers.append(Answer(*row, variant, 5, "", certain(said)))
            number += 1
    return table_of(answers, CLASSES)


def evaluated(table: pd.DataFrame, regime: str = "patient") -> dict:
    costs = {"answer": {"parameters": 1234, "megabytes": 0.5, "ms_per_clip": 1.5}}
    meta = {"regime": regime, "reportable": regime == "patient", "costs": costs}
    dealt = {(r, e): e for r, e in zip(table["recording"], table["event"], strict=True)}
    return evaluate_typing(table, CLASSES, meta, 0, answer="answer", over_seizures=dealt)


def test_a_perfect_detector_scores_one_and_a_type_of_two_patients_is_not_evaluable() -> None:
    found = evaluated(cohort(1.0))
    assert found["answer"]["macro_f1"]["estimate"] == 1.0
    per_class = found["answer"]["per_class"]
    assert per_class["TNSZ"] == {
        "patients": 2, "seizures": 6, "not_evaluable": "2 patients had it, 5 are needed",
    }  # fmt: skip
    assert [row["evaluable"] for row in found["classes"]] == [True, True, True, False]
    assert found["counts"]["persons"] == 21 and found["counts"]["seizures"] == 63


def test_weighted_f1_is_that_of_the_literature() -> None:
    """Worked by hand: 6 A all right; of 4 B two right, two called A. F1: A 12/14, B 4/6; weights 6 and 4."""
    confusion = np.array([[[6, 0, 0], [2, 2, 0]]])
    assert weighted_f1(np.ones((1, 1)), confusion)[0] == pytest.approx((6 * 12 / 14 + 4 * 4 / 6) / 10)


def test_a_seizure_without_an_answer_counts_as_wrong() -> None:
    table = cohort(1.0)
    silent = table["recording"] == "rec-0"
    table.loc[silent, list(CLASSES)] = np.nan
    table.loc[silent, "code"] = "age_out_of_scope"
    found = evaluated(table)
    assert found["counts"]["not_answered"] == {"age_out_of_scope": 3} and found["counts"]["answered"] == 60
    assert found["answer"]["accuracy"]["estimate"] == pytest.approx(60 / 63)
    assert found["answer"]["rests_on"]["coverage"] == pytest.approx(60 / 63)
    assert found["answer"]["confusion"][0] == [21, 0, 0, 0, 3]


def test_fault_silence_states_every_type_alike_in_the_brier_score() -> None:
    table = cohort(right=1.0)
    silent = table["recording"] == "rec-0"
    table.loc[silent, list(CLASSES)] = np.nan
    table.loc[silent, "code"] = "age_out_of_scope"
    said = evaluated(cohort(right=1.0))["probabilities"]["brier"]
    expected = silent.mean() * (1 - 1 / len(CLASSES)) + (~silent).mean() * said
    assert evaluated(table)["probabilities"]["brier"] == pytest.approx(expected, abs=1e-3)


def test_looking_up_the_patient_is_perfect_under_folds_over_seizures_and_worthless_with_patients_apart() -> None:
    leaky, honest = (evaluated(cohort(0.5, regime=r), r)["baselines"] for r in ("seizure", "patient"))
    assert leaky["id_lookup"]["weighted_f1"]["estimate"] == leaky["label_oracle"]["weighted_f1"]["estimate"] == 1.0
    assert honest["id_lookup"] == honest["majority"]
    assert honest["majority"]["reportable"] is False
    beside = evaluated(cohort(0.5))["baselines_over_seizures"]
    assert beside["id_lookup"] == leaky["id_lookup"] and beside["label_oracle"] == leaky["label_oracle"]


def test_a_baseline_never_sees_the_fold_that_it_is_asked_about() -> None:
    """Were its own type known, the only patient of a type would be found."""
    table = cohort(1.0)
    alone = table[table["recording"].isin(["rec-0", "rec-1", "rec-2", "rec-8"])]
    called = baseline_tables(alone, CLASSES)["id_lookup"]
    assert (called.loc[called["recording"] == "rec-8", "FNSZ"] == 1.0).all()


def test_the_nearest_known_seizure_tells_the_type() -> None:
    rows = [Answer("r", "s", "p", "n", i, at, kind, i % 2, "answer", 1, "", certain("FNSZ"))
            for i, (at, kind) in enumerate([(0.0, "GNSZ"), (10.0, "FNSZ"), (100.0, "FNSZ"), (105.0, "GNSZ")])]  # fmt: skip
    called = baseline_tables(table_of(rows, CLASSES), CLASSES)["label_oracle"]
    said = called[list(CLASSES)].to_numpy().argmax(axis=1)
    assert [CLASSES[i] for i in said] == ["FNSZ", "GNSZ", "GNSZ", "FNSZ"]


def test_focal_types_together_are_one_class() -> None:
    confusion = np.zeros((1, 4, 5), dtype=int)
    confusion[0, 0, 2] = confusion[0, 2, 0] = 3  # FNSZ and CPSZ taken for each other
    confusion[0, 1, 1] = confusion[0, 3, 4] = 1
    merged = focal_together(confusion, CLASSES)
    assert merged.tolist() == [[[6, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]]


def test_parts_are_compared_patient_by_patient() -> None:
    both = pd.concat([cohort(1.0), cohort(0.4, variant="student (plain)")])
    found = evaluated(both)
    assert set(found["variants"]) == {"student (plain)"}
    change = found["differences"]["student (plain)"]["macro_f1"]
    assert change["low"] > 0 and change["estimate"] == pytest.approx(
        found["answer"]["macro_f1"]["estimate"] - found["variants"]["student (plain)"]["macro_f1"]["estimate"]
    )


def ends(differences: dict) -> list[float]:
    """Estimates and bounds of all differences that could be measured."""
    found = [own for own in differences.values() if isinstance(own, dict) and own.get("estimate") is not None]
    assert found
    return [own[name] for own in found for name in ("estimate", "low", "high")]


def test_what_a_split_is_worth_is_measured_on_the_same_seizures() -> None:
    leaky, honest = cohort(1.0, regime="seizure"), cohort(0.5)
    found = regime_difference(leaky, honest, CLASSES, 0, 2000)
    assert found["weighted_f1"]["low"] > 0
    silent = leaky.copy()
    silent.loc[::3, list(CLASSES)] = np.nan
    assert all(v == 0 for v in ends(regime_difference(leaky, silent, CLASSES, 0, 2000))), "refusing is no other split"
    with pytest.raises(ValueError, match="same stretches of the same patients"):
        regime_difference(leaky, honest[honest["recording"] != "rec-0"], CLASSES, 0, 2000)


def test_kept_answers_that_were_changed_are_refused(tmp_path: Path) -> None:
    table = cohort(0.7)
    digests = write_answers(tmp_path, table)
    back, stated = read_answers(tmp_path)
    pd.testing.assert_frame_equal(back, table)
    assert stated == digests
    table.loc[0, "FNSZ"] = 0.5
    table.to_parquet(tmp_path / "answers.parquet", index=False)
    with pytest.raises(AnswersRefused, match="changed after"):
        read_answers(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [("answers.json", b"{"), ("answers.json", b"\xff\xfe"), ("answers.json", b"[]"), ("answers.json", b"{}"),
     ("answers.parquet", b"PAR1")],
)  # fmt: skip
def test_kept_answers_that_are_damaged_are_refused(tmp_path: Path, name: str, content: bytes) -> None:
    write_answers(tmp_path, cohort(0.7))
    (tmp_path / name).write_bytes(content)
    with pytest.raises(AnswersRefused, match="run `ictal evaluate` again"):
        read_answers(tmp_path)


def test_the_confusion_counts_every_seizure_once() -> None:
    table = cohort(0.3)
    persons, counts = confusions(table, CLASSES)
    assert counts.sum() == len(table) and len(persons) == 21
    assert set(persons["site"]) == {"north", "south"}


def dossier(**more: object) -> TypingDossier:
    both = pd.concat([cohort(0.8), cohort(0.5, variant="member 1")])
    results = {
        "seizurenet": {"patient": evaluated(both), "seizure": evaluated(cohort(0.9, regime="seizure"), "seizure")}
    }
    evidence = [typing_evidence(cohort(share), CLASSES, None, 1.0) for share in (0.8, 0.4)]
    settings = {
        "gates": run_gates(evidence[0], None, GateSettings(), floor=evidence[1]),
        "floor": "band_power",
        "inflation": regime_difference(cohort(0.9, regime="seizure"), cohort(0.8), CLASSES, 0, 2000),
        "published": {
            "weighted_f1_seizures": 0.94, "weighted_f1_patients": 0.59, "protocol": "k folds", "source": "a paper",
        },
    }  # fmt: skip
    return TypingDossier(
        "seizurenet", results, {"dataset (SHA-256)": "0" * 64}, **{"simulated": True, **settings, **more}
    )


def test_the_page_says_what_cannot_be_known() -> None:
    page = typing_page(dossier())
    for said in (
        "drawn from one and the same pattern",
        "not evaluable",
        "leaky control: non-reportable",
        "0.94",
        "always the most common type",
        "the same patient&#39;s usual type",
        "TNSZ not evaluable, with fewer than 5 patients",
        "1,234",
    ):
        assert said in page, said
    assert "drawn from one and the same pattern" not in typing_page(dossier(simulated=False))


def test_a_fold_of_which_nothing_says_how_well_it_learnt_is_told_on_the_page_and_in_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(tmp_path, "typing")
    runs = [{"fold": number, "inner_auc": auc} for number, auc in enumerate((0.7, None, 0.9))]
    for regime, own in {"patient": runs, "seizure": runs[:1]}.items():
        write_json(files.training_of(workspace, "seizurenet", regime) / "log.json", {"runs": own})
    monkeypatch.setattr(files, "results", lambda *_: dossier().results["seizurenet"])
    why = files.unjudged(workspace, "seizurenet")
    assert list(why) == ["patient"] and "1 of 3 folds (fold 1) show one class only" in why["patient"]
    settings = {field.name: getattr(dossier(unjudged=why), field.name) for field in fields(StretchDossier)}
    report_types._write(tmp_path / "out", Shown(**settings, task="typing"), ("index",))
    said = read_json(tmp_path / "out" / "seizurenet.json")
    assert said["not_evaluable"] == {"inner AUC, patient": why["patient"]}
    assert f"AUC of inner patients: not evaluable, {why['patient']}." in (tmp_path / "out" / "index.html").read_text()


def test_the_card_is_filled_from_what_was_measured() -> None:
    card = typing_card("# SeizureNet", dossier())
    assert card == typing_card("# SeizureNet", dossier())
    assert "| TNSZ | 2 | 6 | not evaluable: 2 patients had it, 5 are needed |" in card
    assert "Simulated data" in card and "envelope" in card


def test_no_page_without_patients_apart() -> None:
    with pytest.raises(ValueError, match="patients apart"):
        TypingDossier("seizurenet", {"seizurenet": {"seizure": evaluated(cohort(0.9), "seizure")}}, {}, False)


def test_a_result_is_plain_json() -> None:
    found = evaluated(cohort(0.6))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
