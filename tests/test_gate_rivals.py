"""Whom a candidate is held against: the champion, the floor in its stead and beside it, never itself."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from flows.change_plan import GateParams
from flows.stages import report
from tests.gated import BETTER, CHAMPION, FLOOR, SETTINGS, VIDEO, evidence, forecast, typed, with_table
from validation.gates import Evidence, Gate, passed, run_gates


def test_without_a_champion_the_floor_detector_is_compared_with():
    gates = run_gates(BETTER, None, SETTINGS, FLOOR)
    assert passed(gates) and "beats_floor" not in {g.name for g in gates}, "every paired gate asks for that already"
    assert outcomes(FLOOR, None, BETTER)["superior"] == "fail"


def test_a_champion_worse_than_the_floor_is_not_followed_by_another_that_is_worse():
    """The floor finds 90 % of the seizures, the champion 72 %, the challenger 80 %: better than the one is not enough."""
    fallen, floor = evidence(sensitivity=0.72, separation=1.5), evidence(sensitivity=0.9, separation=2.5)
    found = outcomes(CHAMPION, fallen, floor)
    assert {name for name, outcome in found.items() if outcome != "pass"} == {"beats_floor"}
    assert found["beats_floor"] == "fail"
    assert passed(run_gates(evidence(sensitivity=0.97, separation=3.0), fallen, SETTINGS, floor))


@pytest.mark.parametrize(
    ("candidate", "floor"),
    [
        (BETTER, FLOOR), (CHAMPION, BETTER), (CHAMPION, replace(CHAMPION)), (evidence(alarms=2.0), FLOOR),
        (evidence(n=6), evidence(sensitivity=0.7, n=6)), (with_table(BETTER, assessed_s=float("nan")), FLOOR),
        (typed(0.9), typed(0.5)), (typed(0.5), typed(0.9)), (forecast(0.9, 0.9), forecast(0.6)),
            (forecast(), forecast()),
    ],
)  # fmt: skip
def test_the_floor_is_to_be_beaten_beside_a_champion_as_it_is_without_one(candidate, floor):
    """As the worst of the gates that compare with it while nobody reigns; the reason names each that does not pass."""
    worst = ("fail", "unknown", "insufficient_evidence", "pass")
    paired = [g for g in run_gates(candidate, None, VIDEO, floor) if not alone(g)]
    beside = named(run_gates(candidate, candidate, VIDEO, floor), "beats_floor")
    assert beside.outcome == min((g.outcome for g in paired), key=worst.index)
    assert all((g.reason in beside.reason) == (g.outcome != "pass") for g in paired)


def test_beside_a_champion_without_a_floor_nothing_passes():
    gates = run_gates(BETTER, CHAMPION, SETTINGS)
    assert named(gates, "beats_floor").reason == "the floor detector was not scored on these recordings"
    assert [g.name for g in gates if g.outcome != "pass"] == ["beats_floor"] and not passed(gates)


def test_the_floor_does_not_stand_in_for_a_champion_that_cannot_be_compared_with():
    gates = run_gates(BETTER, None, SETTINGS, FLOOR, vacant=False)
    assert {g.name for g in gates if g.reason.startswith("the model in force was not scored")} == PAIRED_ALONE
    assert named(gates, "beats_floor").outcome == "pass" and not passed(gates)


def test_of_the_model_in_force_the_page_says_whether_it_beats_the_floor():
    assert outcomes(CHAMPION, replace(CHAMPION), BETTER, in_force=True)["beats_floor"] == "fail"
    assert outcomes(CHAMPION, replace(CHAMPION), FLOOR, in_force=True)["beats_floor"] == "pass"


PAIRED_ALONE = {"sensitivity_non_inferior", "false_alarms", "superior", "sites", "calibration", "abstention"}


@pytest.mark.parametrize(
    ("gates", "why"),
    [
        (run_gates(CHAMPION, None, SETTINGS, floor=CHAMPION), "not applicable: it is the floor itself"),
        (
            run_gates(CHAMPION, replace(CHAMPION), SETTINGS, in_force=True),
            "not applicable: it is the model in force itself",
        ),
    ],
)
def test_nobody_is_compared_with_itself(gates, why):
    assert {g.name for g in gates if (g.outcome, g.reason) == ("unknown", why)} == PAIRED_ALONE
    assert not any("0.000 to 0.000" in g.reason for g in gates) and not passed(gates)


def test_a_floor_is_compared_with_a_champion_like_anybody_else():
    gates = run_gates(CHAMPION, BETTER, SETTINGS, floor=CHAMPION)
    assert next(g for g in gates if g.name == "superior").outcome == "fail"
    assert passed(run_gates(BETTER, CHAMPION, SETTINGS, floor=BETTER)), "and is not held against itself"


def test_without_anybody_to_compare_with_the_paired_gates_are_unknown():
    gates = run_gates(BETTER, None, SETTINGS)
    assert {g.name for g in gates if g.outcome == "unknown"} == PAIRED_ALONE
    assert not passed(gates)


def test_evidence_from_other_recordings_is_refused():
    with pytest.raises(ValueError, match="not scored on the same recordings"):
        run_gates(BETTER, with_table(CHAMPION, seizures=11), SETTINGS)
    with pytest.raises(ValueError, match="not scored on the same recordings"):
        run_gates(BETTER, CHAMPION, SETTINGS, with_table(FLOOR, seizures=11))


def test_detectors_of_two_tasks_are_not_compared():
    with pytest.raises(ValueError, match="a detector for typing cannot be compared with one for forecasting"):
        run_gates(typed(), forecast(), VIDEO)


@pytest.mark.parametrize("comparable", [True, False])
def test_the_report_holds_a_challenger_against_the_floor_of_its_own_evaluation(monkeypatch, comparable):
    """`da_stnet` is in force; a newly trained one, and the floor beside it, were evaluated now."""
    kept = Path("store/champions/abc")
    fakes = {
        "champion": lambda workspace: ("da_stnet", kept), "is_comparable": lambda folder, now: comparable,
        "circumstances": lambda *_: {}, "development": lambda _: [], "reigns": lambda *_: False,
        "_evidence": lambda workspace, name, truth, folder: {kept: CHAMPION}[folder],
    }  # fmt: skip
    for name, fake in fakes.items():
        monkeypatch.setattr(report, name, fake)
    plan = GateParams(max_cost_s_per_eeg_hour=30.0)
    workspace = SimpleNamespace(params=SimpleNamespace(gates=plan))
    gates = report._gates(workspace, {"line_length": FLOOR, "da_stnet": BETTER}, {})
    assert named(gates["da_stnet"], "beats_floor").outcome == "pass" and passed(gates["da_stnet"]) == comparable
    assert named(gates["da_stnet"], "superior").outcome == ("pass" if comparable else "unknown")
    gates = report._gates(workspace, {"da_stnet": BETTER}, {})
    assert named(gates["da_stnet"], "beats_floor").outcome == "unknown"


def named(gates: list[Gate], name: str) -> Gate:
    return next(g for g in gates if g.name == name)


def outcomes(candidate: Evidence, champion: Evidence | None, floor: Evidence, in_force: bool = False) -> dict[str, str]:
    return {g.name: g.outcome for g in run_gates(candidate, champion, SETTINGS, floor, in_force)}


def alone(gate: Gate) -> bool:
    """Whether it asks nothing of a rival."""
    return gate.name.split(":")[0] in ("floor", "baselines", "leakage_audit", "cost", "envelope")
