"""Each gate of detectors that name types: it passes where it should, and it has been seen to fail."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.gated import DECLARED, TYPES, VIDEO, typed
from validation.gates import TypingEvidence, TypingPlan, passed, run_gates
from validation.gates.seizure_types import f1_of
from validation.leakage import GuardOutcome, LeakageAudit


def test_a_better_namer_of_types_passes_every_gate():
    gates = run_gates(typed(0.95), typed(0.75), VIDEO, typed(0.4))
    assert passed(gates), [g for g in gates if g.outcome != "pass"]
    assert {g.name for g in gates} == {
        "macro_f1", "superior", "beats_floor", "floor:focal", "floor:focal to bilateral", "floor:unknown onset",
        "leakage_audit", "cost", "envelope",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "candidate"),
    [
        ("macro_f1", typed(0.7)),
        ("macro_f1", typed(0.8, silent=0.3)),  # silence is not taken for knowledge
        ("superior", typed(0.8)),
        ("floor:unknown onset", typed(0.3)),
        ("leakage_audit", typed(0.95, audit=LeakageAudit("split", (GuardOutcome("same_person", "leak", "a and b"),)))),
        ("envelope", replace(typed(0.95), declared=DECLARED)),
    ],
)
def test_each_gate_of_typing_must_fail(name, candidate):
    gates = run_gates(candidate, typed(0.8), VIDEO, typed(0.4))
    assert next(g for g in gates if g.name == name).outcome == "fail" and not passed(gates)


def test_macro_f1_is_the_mean_of_the_types_and_is_written_out():
    """One site of 10 patients, two types of 5, one clip each. Said rightly: 5 of 5 and 3 of 5, the other two as the
    first type. F1: 10/(5 + 7) = 0.833 and 6/(5 + 3) = 0.75, mean 0.792."""
    confusion = np.zeros((10, 2, 3), int)
    confusion[:5, 0, 0], confusion[5:8, 1, 1], confusion[8:, 1, 0] = 1, 1, 1
    table = pd.DataFrame({"site": "A"}, index=range(10))
    ours = TypingEvidence(table, ("x", "y"), confusion)
    none = TypingEvidence(
        table, ("x", "y"), np.stack([0 * confusion[:, :, 0], 0 * confusion[:, :, 0], confusion.sum(2)], 2)
    )
    made = next(g for g in run_gates(ours, none, VIDEO) if g.name == "macro_f1")
    assert made.reason.startswith("Δ macro-F1 0.792 (")
    floors = [g.reason[:8] for g in run_gates(ours, none, VIDEO) if g.name.startswith("floor")]
    assert floors == ["F1 0.833", "F1 0.750"]


def test_f1_of_a_type_exists_in_draws_that_have_a_clip_of_it_and_in_no_other():
    """One patient with one clip of x, named rightly; another with one of y, named x. Both: 2 · 1 / (1 + 2)."""
    confusion = np.array([[[1, 0, 0], [0, 0, 0]], [[0, 0, 0], [1, 0, 0]]])
    found = f1_of(0)(np.array([[1, 1], [2, 0], [0, 2]]), confusion)
    assert found.tolist() == pytest.approx([2 / 3, 1.0, np.nan], nan_ok=True)


def test_a_type_that_four_patients_had_is_not_evaluable_and_keeps_the_candidate_from_passing():
    gates = {g.name: g for g in run_gates(typed(0.95, rare=4), typed(0.75, rare=4), VIDEO, typed(0.4, rare=4))}
    assert gates["floor:unknown onset"].reason == "4 patients with this type, 5 are needed"
    assert gates["floor:unknown onset"].outcome == "insufficient_evidence"
    assert "without unknown onset: too few patients" in gates["macro_f1"].reason
    assert not passed(list(gates.values()))


def test_a_confusion_table_without_a_column_for_no_answer_is_refused():
    made = typed()
    with pytest.raises(ValueError, match=r"must be \(60, 3, 4\) \(no answer last\), got \(60, 3, 3\)"):
        TypingEvidence(made.table, TYPES, made.confusion[:, :, :3])


def test_two_patients_of_four_in_whom_a_type_is_named_better_show_no_more_than_a_quarter():
    """(1/2)², as a sign test of two; of each type two patients, and of each of them one clip is named better."""
    right, wrong = np.zeros((4, 2, 3), int), np.zeros((4, 2, 3), int)
    right[:2, 0, 0] = right[2:, 1, 1] = 5
    wrong[:] = right
    wrong[0, 0], wrong[2, 1] = [4, 1, 0], [0, 4, 1]
    ours, theirs = (TypingEvidence(pd.DataFrame({"site": "A"}, index=range(4)), ("x", "y"), c) for c in (right, wrong))
    plan = replace(VIDEO, typing=TypingPlan(min_patients_per_class=1))
    assert next(g for g in run_gates(ours, theirs, plan) if g.name == "superior").value == 0.25
