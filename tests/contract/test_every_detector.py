"""What every detector of the index keeps, whatever it answers and looks at: a new one is covered without a new test."""

import pytest

from data.ages import parse_age
from models import detectors
from models.detector import Pretrained, TypingDetector
from validation.gates.plan import FURTHER, GateSettings

NAMES = detectors.names()


@pytest.mark.parametrize("name", NAMES)
def test_its_card_states_what_its_code_is(name: str) -> None:
    facts, detector = detectors.facts(name), detectors.build(name)
    stated = (facts["task"], facts["modality"], tuple(facts["classes"]), facts["montage"])
    assert stated == (detector.task, detector.modality, detector.classes, detector.contract.montage)
    assert detectors.task_of(name) == detector.task and detector.name == name
    assert facts["intended_use"] and facts["source"] and len(detectors.card_of(name)) > 400


@pytest.mark.parametrize("name", [n for n in NAMES if detectors.task_of(n) != "detection"])
def test_the_card_of_what_names_stretches_says_what_is_strange_to_it_and_what_it_does_not_know(name: str) -> None:
    limits = " ".join(detectors.card_of(name).split("**Limits.**")[1].split())
    assert "It refuses as strange (`ood`) a" in limits
    assert any(part in limits for part in ("does not know", "gets the name of a type", "gets a name"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("preset", ["demo", "paper"])
def test_both_presets_build_and_read_at_the_rate_that_the_change_plan_names(name: str, preset: str) -> None:
    detector = detectors.build(name, preset=preset)
    envelope = FURTHER.get(detector.task, GateSettings().envelope)
    assert detector.rate_hz in envelope.rates_hz
    assert detector.contract.montage in envelope.montages and set(detector.classes) <= set(envelope.classes)
    assert detectors.facts(name)["intended_use"].split() in [use.split() for use in envelope.intended_use]
    assert envelope.age_days[0] <= detector.contract.age_days[0] <= detector.contract.age_days[1]
    assert detector.contract.age_days[1] <= envelope.age_days[1]
    assert len(detector.front_end.digest) == 64


@pytest.mark.parametrize("task", FURTHER)
def test_the_envelope_of_a_task_is_no_wider_than_what_its_detectors_ask_for(task: str) -> None:
    own = [name for name in NAMES if detectors.task_of(name) == task]
    asking = [detectors.build(name, preset=preset) for name in own for preset in ("demo", "paper")]
    youngest, oldest = zip(*(detector.contract.age_days for detector in asking), strict=True)
    assert FURTHER[task].age_days == (min(youngest), max(oldest))
    assert set(FURTHER[task].rates_hz) == {detector.rate_hz for detector in asking}
    assert set(FURTHER[task].montages) == {detector.contract.montage for detector in asking}
    assert set(FURTHER[task].classes) == {kind for detector in asking for kind in detector.classes}


@pytest.mark.parametrize("name", [n for n in NAMES if detectors.task_of(n) != "detection"])
def test_what_names_stretches_says_what_it_asks_about(name: str) -> None:
    detector = detectors.build(name)
    assert isinstance(detector, TypingDetector)
    asked = detector.asked(40.0)
    assert asked and all(0 <= one.onset_s < one.end_s <= 40.0 + 1e-9 for one in asked)
    assert all(one.label is None for one in asked)
    assert isinstance(detector, Pretrained) == (name in ("gestures", "forecaster"))


@pytest.mark.parametrize("task", detectors.TASKS)
def test_the_first_of_a_task_is_its_floor_and_a_deep_one_states_what_was_published(task: str) -> None:
    floor, *others = detectors.names(task)
    assert others and "floor" in detectors.facts(floor)["title"]
    assert all(detectors.facts(name).get("published") for name in others if task != "detection")
    assert parse_age("3d") == 3
