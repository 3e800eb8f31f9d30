"""Each gate of detectors that warn ahead: it passes where it should, and it has been seen to fail."""

from dataclasses import replace

import numpy as np
import pytest

from tests.gated import DECLARED, TIME, VIDEO, forecast
from validation.gates import ForecastEvidence, ForecastingPlan, passed, run_gates
from validation.leakage import GuardOutcome, LeakageAudit


def answering(share: float) -> ForecastEvidence:
    """A forecaster that is better than the champion in this share of the film, and says nothing in the rest."""
    better = forecast(0.9, 0.9, 1.2)
    return replace(better, table=better.table.assign(answered_s=share * better.table["observed_s"]))


def test_a_better_forecaster_passes_every_gate():
    gates = run_gates(forecast(0.9, 0.9, 1.2), forecast(), VIDEO, forecast(0.6, 0.6))
    assert passed(gates), [g for g in gates if g.outcome != "pass"]
    assert {g.name for g in gates} == {
        "balanced_accuracy", "warnings", "time_in_warning", "brier", "abstention", "superior", "beats_floor",
        "floor:balanced_accuracy", "baselines", "leakage_audit", "cost", "envelope",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "candidate"),
    [
        ("balanced_accuracy", forecast(foreseen=0.6)),
        ("warnings", forecast(silent=0.6)),
        ("time_in_warning", forecast(warned=0.2)),
        ("brier", forecast(sharp=0.8)),
        ("abstention", answering(0.9)),
        ("superior", forecast()),
        ("floor:balanced_accuracy", forecast(foreseen=1.1, silent=-0.1)),  # always warning is exactly chance
        ("baselines", forecast(0.9, 0.9, 1.2, told_by_time=0.95)),
        ("leakage_audit", forecast(audit=LeakageAudit("split", (GuardOutcome("same_person", "leak", "a and b"),)))),
        ("envelope", replace(forecast(0.9, 0.9, 1.2), declared=DECLARED)),
    ],
)
def test_each_gate_of_forecasting_must_fail(name, candidate):
    gates = run_gates(candidate, forecast(), VIDEO, forecast(0.6, 0.6))
    assert next(g for g in gates if g.name == name).outcome == "fail" and not passed(gates)


def test_the_gate_names_the_best_of_what_looks_at_no_film_and_by_how_much_it_is_better():
    """Two patients in turn, 24 of them, 10 clips of either kind each. Time is right of all 240 clips before a seizure and of
    half of the others: (1 + 0.5) / 2 = 0.75. Never to warn is right of the others alone: 0.5. The forecaster is right of 9
    in 10: 0.9 − 0.75 = 0.15 in every draw."""
    ten = np.full(24, 10)
    made = forecast(patients=24)
    table = made.table.assign(ahead=10, foreseen=9, quiet=10, silent=9, judged=20)
    blind = {
        "never a warning": np.stack([0 * ten, ten, ten, ten], axis=1),
        TIME: np.stack([ten, ten, ten - 5, ten], axis=1),
    }
    found = {g.name: g for g in run_gates(replace(made, table=table, blind=blind), None, VIDEO)}["baselines"]
    assert found.outcome == "pass" and found.value == pytest.approx(0.15)
    assert found.reason == (
        "Δ balanced accuracy to the best that looks at no film 0.150 (95 % 0.150 to 0.150, 24 patients), lower bound must be "
        "> 0; how far the film has come reached 0.750, the forecaster 0.900"
    )
    equal = replace(made, table=table.assign(foreseen=10, silent=5), blind=blind)
    assert {g.name: g for g in run_gates(equal, None, VIDEO)}["baselines"].outcome == "fail", (
        "to be as good is too little"
    )


def test_a_better_baseline_among_other_patients_counts_in_each_draw():
    """Half of the patients are told by time alone, half by the patient; each baseline reaches 0.75 of all, the forecaster
    0.8. Where a draw has more of one half, its baseline reaches more, so that the bound is lower than against either."""
    twenty, half = np.full(40, 20), np.arange(40) % 2
    made = forecast(patients=40)
    table = made.table.assign(foreseen=16, silent=16)
    told = [np.stack([10 + 10 * own, twenty, 10 + 10 * own, twenty], axis=1) for own in (half, 1 - half)]
    made = replace(made, table=table.assign(site="A"))
    alone, together = (
        {g.name: g for g in run_gates(replace(made, blind=blind), None, VIDEO)}["baselines"]
        for blind in ({"a": told[0]}, {"a": told[0], "b": told[1]})
    )
    assert together.value < alone.value < 0.05 and together.outcome == "insufficient_evidence"


def test_without_baselines_nobody_knows_whether_a_forecaster_beats_them():
    made = replace(forecast(0.9, 0.9, 1.2), blind={})
    found = {g.name: g for g in run_gates(made, forecast(), VIDEO, forecast(0.6, 0.6))}
    assert found["baselines"].outcome == "unknown" and not passed(list(found.values()))


def test_clips_without_an_answer_count_as_not_foreseen_and_as_knowing_nothing():
    """Of 40 clips a quarter is not answered: 10 × 0.25 = 2.5 is added to the squared error."""
    made = forecast()
    quiet = replace(made, table=made.table.assign(judged=30, squared_error=0.0))
    assert quiet.errors[0].tolist() == [2.5, 40.0]
    gates = {g.name: g.outcome for g in run_gates(quiet, made, VIDEO)}
    assert gates["balanced_accuracy"] == "pass"
    unanswered = replace(made, table=made.table.assign(foreseen=0, silent=0, judged=0, squared_error=0.0))
    gates = {g.name: g.outcome for g in run_gates(unanswered, made, VIDEO)}
    assert gates["balanced_accuracy"] == gates["brier"] == gates["floor:balanced_accuracy"] == "fail"


def test_few_patients_and_few_hours_are_insufficient_evidence_for_a_forecaster():
    few = {g.name: g for g in run_gates(forecast(0.9, 0.9, 1.2, patients=12), forecast(patients=12), VIDEO)}
    too_few = "12 patients with a seizure to foresee, 24 are needed"
    assert few["floor:balanced_accuracy"].reason == too_few
    assert few["baselines"].reason.startswith(f"{too_few}; {TIME} reached 0.") and few["baselines"].outcome == (
        "insufficient_evidence"
    )
    short, champion = (
        replace(e, table=e.table.assign(answered_s=360.0, warning_s=0.0, false_warnings=0))
        for e in (forecast(0.9, 0.9), forecast())
    )
    made = next(g for g in run_gates(short, champion, VIDEO) if g.name == "warnings")
    assert made.reason == "8.0 h answered, 20 h are needed for one warning to be seen"


@pytest.mark.parametrize(("persons", "outcome"), [(23, "insufficient_evidence"), (24, "pass")])
def test_who_had_no_seizure_or_was_not_filmed_is_no_patient_of_a_gate(persons, outcome):
    """30 patients; one clip ahead of a seizure, or one hour of film, makes one count."""
    ours, theirs = forecast(0.9, 0.9, 1.2, patients=30), forecast(patients=30)
    had = np.arange(30) < persons
    seizing = [replace(e, table=e.table.assign(ahead=1 * had, foreseen=1 * had)) for e in (ours, theirs)]
    film = {"false_warnings": 0, "warning_s": 360.0 * had, "answered_s": 3600.0 * had, "observed_s": 3600.0 * had}
    filmed = [replace(e, table=e.table.assign(**film)) for e in (ours, theirs)]
    of_seizures = {g.name: g for g in run_gates(*seizing, VIDEO)}
    of_film = {g.name: g for g in run_gates(*filmed, VIDEO)}
    assert of_seizures["floor:balanced_accuracy"].outcome == of_film["time_in_warning"].outcome == outcome
    if persons < 24:
        said = "23 patients with a seizure to foresee, 24 are needed"
        assert all(of_seizures[name].reason.startswith(said) for name in ("balanced_accuracy", "baselines"))
        hourly = ("warnings", "time_in_warning", "brier", "abstention")
        assert {of_film[name].reason for name in hourly} == {"23 patients, 24 are needed"}


@pytest.mark.parametrize(
    ("endpoint", "column", "by"),
    [
        ("balanced_accuracy", "foreseen", 1),
        ("balanced_accuracy", "silent", 1),
        ("warnings_per_h", "false_warnings", -1),
        ("brier", "squared_error", -0.5),
    ],
)
def test_two_patients_of_three_who_improve_show_no_more_than_a_quarter(endpoint, column, by):
    """(1/2)², as a sign test of two, whatever is drawn; one clip, or one warning, is an improvement."""
    champion = forecast(patients=3)
    ours = replace(champion, table=champion.table.assign(**{column: champion.table[column] + by * np.array([1, 1, 0])}))
    plan = replace(VIDEO, forecasting=ForecastingPlan(endpoints=(endpoint,)))
    assert {g.name: g for g in run_gates(ours, champion, plan)}["superior"].value == 0.25
