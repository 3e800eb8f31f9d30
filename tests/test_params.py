"""params.yaml is read as written or not at all; what is misspelt, out of range or looser than the design is said so."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.params import BadParams, Params, changed_in_words, read_params, refuse_cohort_name, set_params
from flows.workspace import ROOT
from lineage.digest import digest_of
from validation.gates import GateSettings


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A copy of the parameters that every workspace starts with."""
    made = tmp_path / "params.yaml"
    made.write_text((ROOT / "params.yaml").read_text())
    return made


def write(path: Path, block: str, name: str, value: Any) -> None:
    document = yaml.safe_load(path.read_text())
    document.setdefault(block, {})[name] = value
    path.write_text(yaml.safe_dump(document))


def test_the_checkouts_parameters_are_the_schemas_own_defaults(path: Path) -> None:
    assert read_params(path) == Params()


def test_every_parameter_of_the_schema_stands_in_the_file(path: Path) -> None:
    assert yaml.safe_load(path.read_text()) == Params().model_dump()


@pytest.mark.parametrize(
    ("block", "name", "hint"),
    [
        ("evaluate", "drawz", "did you mean draws?"),
        ("train", "shuffel_labels", "did you mean shuffle_labels?"),
        ("gates", "zzz", "known are sensitivity_margin"),
    ],
)
def test_an_unknown_key_is_answered_with_did_you_mean(path: Path, block: str, name: str, hint: str) -> None:
    write(path, block, name, 1)
    with pytest.raises(BadParams, match=rf"{block}\.{name} is not a setting.*{hint.replace('?', '[?]')}"):
        read_params(path)


def test_an_unknown_block_is_answered_with_did_you_mean(path: Path) -> None:
    write(path, "simulatoin", "seed", 1)
    with pytest.raises(BadParams, match="simulatoin is not a setting; did you mean simulation"):
        read_params(path)


LOOSER = {
    "sensitivity_margin": 0.06,
    "alarms_margin_per_24h": 0.6,
    "endpoints": ["auc"],
    "floor_sensitivity": 0.69,
    "min_patients_per_stratum": 59,
    "site_margin": 0.11,
    "ece_margin": 0.021,
    "abstention_margin": 0.03,
    "max_cost_s_per_eeg_hour": 361.0,
    "min_patients": 4,
    "one_sided_confidence": 0.95,
    "power_alternative": 0.2,
    "draws": 1999,
    "seed": 1,
    "typing.macro_f1_margin": 0.04,
    "typing.floor_f1": 0.49,
    "typing.min_patients_per_class": 4,
    "forecasting.balanced_accuracy_margin": 0.04,
    "forecasting.warnings_margin_per_h": 0.06,
    "forecasting.time_in_warning_margin": 0.06,
    "forecasting.brier_margin": 0.02,
    "forecasting.endpoints": ["brier"],
    "forecasting.floor_balanced_accuracy": 0.49,
    "forecasting.baseline_margin": -0.01,
    "forecasting.min_patients": 23,
    "envelope.tasks": ["detection", "typing"],
    "envelope.modalities": [],
    "envelope.montages": ["neonatal_18", "neonatal_8"],
    "envelope.rates_hz": [128.0, 256.0],
    "envelope.age_days": [0, 29],
    "envelope.classes": ["background", "seizure", "artefact"],
    "envelope.intended_use": ["Alarms at the bedside."],
}
STRICTER = {
    "sensitivity_margin": 0.04,
    "alarms_margin_per_24h": 0.4,
    "floor_sensitivity": 0.75,
    "min_patients_per_stratum": 90,
    "site_margin": 0.05,
    "ece_margin": 0.01,
    "abstention_margin": 0.01,
    "max_cost_s_per_eeg_hour": 60.0,
    "min_patients": 10,
    "one_sided_confidence": 0.99,
    "power_alternative": 0.05,
    "draws": 5000,
    "typing.macro_f1_margin": 0.02,
    "typing.floor_f1": 0.6,
    "typing.min_patients_per_class": 10,
    "forecasting.balanced_accuracy_margin": 0.02,
    "forecasting.warnings_margin_per_h": 0.01,
    "forecasting.time_in_warning_margin": 0.01,
    "forecasting.brier_margin": 0.005,
    "forecasting.floor_balanced_accuracy": 0.6,
    "forecasting.baseline_margin": 0.05,
    "forecasting.min_patients": 60,
    "envelope.age_days": [1, 14],
    "envelope.classes": ["seizure"],
    "envelope.intended_use": [Params().gates.envelope.intended_use[1]],
}
FIXED = {
    "endpoints", "seed", "forecasting.endpoints",
    "envelope.tasks", "envelope.modalities", "envelope.montages", "envelope.rates_hz",
}  # fmt: skip
"""What no value is stricter than; an envelope of one entry cannot be narrowed."""


def declare(path: Path, gate: str, value: Any) -> None:
    """Write one number of the change plan, in a block of its own where the key has a dot."""
    document = yaml.safe_load(path.read_text())
    *block, name = gate.split(".")
    (document["gates"][block[0]] if block else document["gates"])[name] = value
    path.write_text(yaml.safe_dump(document))


def plan_keys(declared: dict[str, Any]) -> set[str]:
    """Every number of the plan, by the names used above."""
    blocks = {name for name, value in declared.items() if isinstance(value, dict)}
    return {n for n in declared if n not in blocks} | {f"{b}.{n}" for b in blocks for n in declared[b]}


@pytest.mark.parametrize(("gate", "value"), LOOSER.items())
def test_a_gate_looser_than_the_design_is_refused(path: Path, gate: str, value: Any) -> None:
    declare(path, gate, value)
    with pytest.raises(BadParams, match=rf"gates\.{gate}: .*got {re.escape(str(value))}"):
        read_params(path)


@pytest.mark.parametrize(("gate", "value"), STRICTER.items())
def test_a_stricter_gate_is_allowed(path: Path, gate: str, value: Any) -> None:
    declare(path, gate, value)
    found: Any = read_params(path).gates
    for part in gate.split("."):
        found = getattr(found, part)
    assert found == value


@pytest.mark.parametrize("gate", ["max_cost_s_per_eeg_hour", "floor_sensitivity", "envelope", "typing"])
def test_a_gate_cannot_be_switched_off(path: Path, gate: str) -> None:
    declare(path, gate, None)
    with pytest.raises(BadParams, match=rf"gates\.{gate}"):
        read_params(path)


def test_an_unknown_key_of_a_plans_block_is_answered_with_did_you_mean(path: Path) -> None:
    declare(path, "envelope.montage", ["neonatal_8"])
    with pytest.raises(BadParams, match=r"gates\.envelope\.montage is not a setting; did you mean montages"):
        read_params(path)


def test_the_gates_of_the_parameters_are_those_of_the_gates_themselves() -> None:
    assert GateSettings(**Params().gates.model_dump()) == GateSettings()
    declared = plan_keys(Params().gates.model_dump())
    assert set(LOOSER) == declared == set(STRICTER) | FIXED


def test_the_digest_of_the_plan_is_that_of_its_block_in_params_yaml(path: Path) -> None:
    written = yaml.safe_load(path.read_text())["gates"]
    assert GateSettings(**read_params(path).gates.model_dump()).digest == digest_of(written)


def test_more_newborns_than_a_site_has_cannot_be_transferred(path: Path) -> None:
    write(path, "simulation", "transferred", 9)
    with pytest.raises(BadParams, match=r"simulation: .*at most patients_per_site \(8\), got 9"):
        read_params(path)


@pytest.mark.parametrize(
    ("block", "name", "value"),
    [
        ("evaluate", "draws", 100),
        ("split", "folds", 1),
        ("split", "inner_share", 1.0),
        ("promote", "hours", 0),
        ("simulation", "minutes", "ten"),
        ("cohort", "name", "../elsewhere"),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_value(path: Path, block: str, name: str, value: Any) -> None:
    write(path, block, name, value)
    with pytest.raises(BadParams, match=rf"{block}\.{name}: .*got {str(value)!r}|{block}\.{name}: .*got {value}"):
        read_params(path)


@pytest.mark.parametrize("text", ["a: [1,", "\t- x: :", "cohort: {name: 'x"])
def test_what_is_no_yaml_is_refused_without_a_traceback(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(BadParams, match="not YAML"):
        read_params(path)


@pytest.mark.parametrize("text", ["- a\n- b\n", "seventeen", "cohort: 3"])
def test_yaml_that_is_no_table_of_settings_is_refused(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(BadParams):
        read_params(path)


def test_an_empty_file_means_the_defaults(path: Path) -> None:
    path.write_text("")
    assert read_params(path) == Params()


def test_set_params_changes_what_it_is_told_and_nothing_else(path: Path) -> None:
    before = read_params(path).model_dump()
    after = set_params(path, {"train.preset": "paper", "evaluate.draws": 3000}).model_dump()
    before["train"]["preset"], before["evaluate"]["draws"] = "paper", 3000
    assert after == before == read_params(path).model_dump()
    assert path.read_text().startswith("# Every number a run may change.")


def test_what_was_written_is_told_with_what_stood_there_before_and_nothing_else(path: Path) -> None:
    before = read_params(path)
    after = set_params(path, {"train.shuffle_labels": True, "lab.regimes": ["patient", "gap"], "train.preset": "demo"})
    assert changed_in_words(before, after) == [
        "params.yaml now says train.shuffle_labels: true (before: false); later commands follow it too",
        "params.yaml now says lab.regimes: [patient, gap] (before: [patient, window]); later commands follow it too",
    ]
    assert changed_in_words(after, after) == []


def test_set_params_leaves_the_file_as_it_was_where_the_change_is_refused(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(BadParams, match=r"evaluate\.draws"):
        set_params(path, {"evaluate.draws": 5})
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "A", "-x", ".hidden", "a b"])
def test_a_cohort_cannot_be_named_so_that_it_lies_elsewhere(name: str) -> None:
    with pytest.raises(BadParams, match=r"cohort\.name"):
        refuse_cohort_name(name)


def test_the_regimes_that_may_be_asked_for_are_those_of_the_splits():
    from typing import get_args

    from flows.params import Regime
    from validation.splits import REGIMES

    assert get_args(Regime) == REGIMES


def test_patients_apart_cannot_be_left_out(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("lab: {regimes: [window]}\n")
    with pytest.raises(BadParams, match="patients apart"):
        read_params(path)
