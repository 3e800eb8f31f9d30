"""What the change plan is about: what lies outside of it, or was not declared, never passes."""

from dataclasses import replace

import pytest

from tests.gated import BETTER, CHAMPION, DECLARED, SETTINGS, USE, gate
from validation.gates import Declared, Envelope, ForecastingPlan, GateSettings, run_gates
from validation.gates.envelope import envelope_gate
from validation.gates.plan import FURTHER, KINDS


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"task": "typing"}, "task typing, planned are detection"),
        ({"modality": "video"}, "modality video, planned are eeg"),
        ({"montage": "neonatal_8"}, "montage neonatal_8, planned are neonatal_18"),
        ({"rate_hz": 256.0}, "rate 256.0, planned are 128.0"),
        ({"age_days": (0, 365)}, "ages 0–365 days, the plan's are 0–28"),
        ({"age_days": (float("nan"), 28)}, "the plan's are 0–28"),
        ({"classes": ("background", "seizure", "artefact")}, "class artefact, planned are background, seizure"),
        ({"classes": ()}, "class none"),
        ({"intended_use": "Alarms at the bedside."}, "an intended use that the plan does not name"),
    ],
)
def test_what_lies_outside_of_the_declared_envelope_is_refused_with_what_differs(changed, said):
    made = gate("envelope", replace(BETTER, declared=replace(DECLARED, **changed)), CHAMPION)
    assert made.outcome == "fail" and said in made.reason


def test_a_challenger_for_other_ages_or_another_use_than_the_champions_is_refused_inside_the_envelope_too():
    narrow = replace(CHAMPION, declared=replace(DECLARED, age_days=(0, 14)))
    assert "the champion's are 0–14" in gate("envelope", BETTER, narrow).reason
    assert gate("envelope", narrow, CHAMPION).outcome == "pass"
    yardstick = "A yardstick for neonatal seizure detectors. Not for clinical use."
    other = replace(CHAMPION, declared=replace(DECLARED, intended_use=yardstick))
    assert "another intended use than the champion's" in gate("envelope", BETTER, other).reason
    assert all(g.outcome == "pass" for g in run_gates(BETTER, None, SETTINGS, floor=other)), "the floor is no champion"


def test_a_challenger_that_reads_at_another_rate_than_the_champion_is_refused_inside_the_envelope_too():
    both = replace(SETTINGS, envelope=Envelope(rates_hz=(128.0, 256.0)))
    faster = replace(BETTER, declared=replace(DECLARED, rate_hz=256.0))
    made = gate("envelope", faster, CHAMPION, both)
    assert (made.outcome, made.reason) == ("fail", "outside the plan: another rate than the champion's")
    assert gate("envelope", faster, replace(CHAMPION, declared=faster.declared), both).outcome == "pass"
    unstated = replace(CHAMPION, declared=replace(DECLARED, rate_hz=None))
    assert gate("envelope", faster, unstated, both).reason == "not declared: the champion's rate"


@pytest.mark.parametrize("task", FURTHER)
def test_every_other_task_has_an_envelope_of_its_own_which_nothing_widens(task):
    planned, kind = FURTHER[task], KINDS[task]
    declared = Declared(
        task, planned.modalities[0], planned.montages[0], planned.age_days, planned.classes, planned.intended_use[0],
        planned.rates_hz[0],
    )  # fmt: skip

    def outcome(scored: str, changed: Declared) -> str:
        return envelope_gate(scored, changed, None, Envelope(), False).outcome

    assert outcome(kind, declared) == "pass"
    youngest, oldest = planned.age_days
    for changed in (
        {"modality": "audio"}, {"montage": "neonatal_18"}, {"rate_hz": 64.0}, {"age_days": (youngest, oldest + 1)},
        {"classes": (*planned.classes, "more")}, {"intended_use": "Alarms at the bedside."},
    ):  # fmt: skip
        assert outcome(kind, replace(declared, **changed)) == "fail"
    for other in {"detection", "typing", "forecasting"} - {kind}:
        assert outcome(other, declared) == "fail", "scored as something else"


def test_what_is_not_declared_is_unknown():
    silent = replace(CHAMPION, declared=None)
    assert gate("envelope", replace(BETTER, declared=None), CHAMPION).outcome == "unknown"
    assert gate("envelope", BETTER, silent).outcome == "unknown"
    assert gate("envelope", replace(BETTER, declared=replace(DECLARED, rate_hz=None)), CHAMPION).outcome == "unknown"


def test_a_line_break_in_a_sentence_is_no_other_use():
    broken = replace(DECLARED, intended_use=USE.replace(" in ", "\n  in "))
    assert gate("envelope", replace(BETTER, declared=broken), CHAMPION).outcome == "pass"


def test_every_gate_states_the_plan_and_another_number_is_another_plan():
    assert {g.plan for g in run_gates(BETTER, CHAMPION, SETTINGS)} == {SETTINGS.digest}
    others = [
        replace(SETTINGS, ece_margin=0.01),
        replace(SETTINGS, forecasting=ForecastingPlan(brier_margin=0.005)),
        replace(SETTINGS, envelope=Envelope(age_days=(0, 27))),
    ]
    assert len({SETTINGS.digest, *(o.digest for o in others)}) == 4


def test_an_endpoint_nobody_knows_is_refused():
    with pytest.raises(ValueError, match="endpoints must be some of"):
        GateSettings(endpoints=("accuracy",))
    with pytest.raises(ValueError, match="got none"):
        GateSettings(endpoints=())
    for endpoints in (("auc",), ("brier", "accuracy"), ()):
        with pytest.raises(ValueError, match="endpoints must be some of balanced_accuracy, warnings_per_h, brier"):
            ForecastingPlan(endpoints=endpoints)
