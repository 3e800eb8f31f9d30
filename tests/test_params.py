"""params.yaml is read as written or not at all; what is misspelt, out of range or looser than the design is said so."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.params import BadParams, Params, read_params, refuse_cohort_name, set_params
from flows.workspace import ROOT
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
    "floor_sensitivity": 0.69,
    "min_patients_per_stratum": 59,
    "site_margin": 0.11,
}
TIGHTER = {
    "sensitivity_margin": 0.04,
    "alarms_margin_per_24h": 0.4,
    "floor_sensitivity": 0.75,
    "min_patients_per_stratum": 90,
    "site_margin": 0.05,
}


@pytest.mark.parametrize(("gate", "value"), LOOSER.items())
def test_a_gate_looser_than_the_design_is_refused(path: Path, gate: str, value: float) -> None:
    write(path, "gates", gate, value)
    with pytest.raises(BadParams, match=rf"gates\.{gate}: .*got {value}"):
        read_params(path)


@pytest.mark.parametrize(("gate", "value"), TIGHTER.items())
def test_a_tighter_gate_is_allowed(path: Path, gate: str, value: float) -> None:
    write(path, "gates", gate, value)
    assert getattr(read_params(path).gates, gate) == value


def test_the_gates_of_the_parameters_are_those_of_the_gates_themselves() -> None:
    assert GateSettings(**Params().gates.model_dump()) == GateSettings()
    assert set(LOOSER) == set(TIGHTER) == set(Params().gates.model_dump())


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


def test_set_params_leaves_the_file_as_it_was_where_the_change_is_refused(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(BadParams, match=r"evaluate\.draws"):
        set_params(path, {"evaluate.draws": 5})
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "A", "-x", ".hidden", "a b"])
def test_a_cohort_cannot_be_named_so_that_it_lies_elsewhere(name: str) -> None:
    with pytest.raises(BadParams, match=r"cohort\.name"):
        refuse_cohort_name(name)
