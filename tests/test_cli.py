"""The command line: every answer typed, every refusal one sentence with exit code 2, nothing about a patient shown."""

import json
import os
import socket
from pathlib import Path

import pytest
import typer.main

from flows.cli import PANELS, app
from flows.workspace import Workspace, make_workspace
from models import detectors
from serving.schema import EXAMPLE
from tests import SHARED, needs_shared
from tests.commands import ictal, ictal_process
from tests.robustness import FILES, patient_text


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_workspace(tmp_path_factory.mktemp("real") / "home", "real")


@pytest.fixture
def at_real(real: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("ICTAL_HOME", str(real.root))
    return real


@pytest.mark.parametrize("command", ["demo", "check", "predict", "train", "evaluate", "approve", "audit", "drift"])
def test_help_names_every_verb(command: str) -> None:
    assert f" {command} " in ictal("--help").out


def test_every_command_stands_under_one_heading_and_every_heading_names_commands_that_there_are() -> None:
    listed = [name for names in PANELS.values() for name in names]
    shown = {name for name, command in typer.main.get_group(app).commands.items() if not command.hidden}
    assert sorted(listed) == sorted(shown)
    said = ictal("--help").out
    at = [said.index(f" {panel} ") for panel in PANELS]
    assert at == sorted(at) and said.index("evaluate ") < said.index(" approve ") < said.index(" audit ")


def test_every_command_has_help_with_an_example() -> None:
    for command in ("demo", "init", "check", "predict", "train", "evaluate", "candidates", "approve", "serve", "drift"):
        said = ictal(command, "--help")
        assert said.code == 0 and "Example" in said.out, command


@pytest.mark.parametrize("command", [["nonsense"], ["predict"], ["serve", "--port", "0"], ["check", "x", "--jsn"]])
def test_a_misspelt_command_ends_with_exit_code_2_and_how_to_use_it(command: list[str]) -> None:
    said = ictal(*command)
    assert said.code == 2 and "Usage" in said.err and said.out == ""


def test_detectors_are_listed_as_json_with_what_they_are_for() -> None:
    said = ictal("detectors", "--json")
    assert said.code == 0
    assert (
        [row["name"] for row in said.json]
        == detectors.names()
        == [
            "line_length", "da_stnet", "band_power", "seizurenet", "joint_speed", "sta_gunet", "motion_energy",
            "gestures", "recent_motion", "forecaster",
        ]
    )  # fmt: skip
    assert all(row["intended_use"] and row["title"] and row["ages"] for row in said.json)


def test_detectors_are_listed_for_people() -> None:
    lines = ictal("detectors").out.splitlines()
    assert [line.split()[0] for line in lines] == detectors.names()


@needs_shared
@pytest.mark.parametrize("name", FILES)
def test_checking_any_file_ends_in_a_typed_outcome_that_tells_nothing_about_the_person(name: str) -> None:
    path = SHARED / name
    said = ictal("check", path, "--json")
    assert said.code in (0, 2) and "Traceback" not in said.err
    assert said.json["outcome"] in ("completed", "not_evaluable")
    if said.json["outcome"] == "not_evaluable":
        assert said.json["code"] and len(said.json["reason"]) > 20
    assert not [text for text in patient_text(path) if text in said.out + said.err]


@needs_shared
def test_a_good_recording_is_found_good_and_a_film_is_found_to_be_one() -> None:
    good = ictal("check", SHARED / "neonatal_edf" / "eeg_burst_eg.edf", "--json").json
    assert good["outcome"] == "completed"
    assert (good["facts"]["channels"], good["facts"]["rate_hz"], good["facts"]["duration_s"]) == (19, 256, 211)
    video = ictal("check", SHARED / "video_files" / "bigbuckbunny.mp4", "--json").json
    assert (video["outcome"], video["modality"]) == ("completed", "video")


@pytest.mark.parametrize("content", [b"", b"0", b"0       " * 40, bytes(range(256)) * 8])
def test_rubbish_ends_in_a_typed_outcome(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "Miller_Anna.edf"
    path.write_bytes(content)
    said = ictal("check", path, "--json")
    assert said.json["outcome"] == "not_evaluable" and "Miller" not in said.out + said.err


WITHOUT_WORKSPACE = [
    ["train"], ["evaluate"], ["candidates"], ["candidates", "--propose"], ["drift"], ["audit", "verify"],
    ["audit", "why", "x"], ["key", "issue", "--site", "a"], ["check", "simulated"], ["serve"],
    ["approvals"], ["person", "list"], ["key", "list"], ["key", "rotate-platform"],
]  # fmt: skip


@pytest.mark.parametrize("command", WITHOUT_WORKSPACE, ids=" ".join)
def test_without_a_workspace_every_command_says_how_to_make_one(command: list[str]) -> None:
    said = ictal(*command)
    assert said.code == 2 and "ictal demo" in said.err and "ictal init" in said.err and said.out == ""


def test_without_a_workspace_nothing_is_made_in_its_place() -> None:
    ictal("check", "simulated")
    assert not Path(os.environ["ICTAL_HOME"]).exists()


def test_init_makes_a_real_workspace_in_an_empty_folder_and_says_what_comes_next(tmp_path: Path) -> None:
    said = ictal_process("init", environment={**os.environ, "ICTAL_HOME": str(tmp_path)})
    assert said.code == 0 and "ictal cohort import" in said.out, said.err
    assert json.loads((tmp_path / "workspace.json").read_text())["kind"] == "real"
    made = (tmp_path / "workspace.json").read_text()
    again = ictal_process("init", environment={**os.environ, "ICTAL_HOME": str(tmp_path)})
    assert again.code == 0 and "already: nothing was changed" in again.out
    assert (tmp_path / "workspace.json").read_text() == made


def test_init_takes_no_demo_and_no_folder_of_something_else_for_a_workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ICTAL_HOME", str(tmp_path))
    (tmp_path / "letter.txt").write_text("")
    assert ictal("init").code == 2 and "not empty" in ictal("init").err
    (tmp_path / "workspace.json").write_text('{"kind": "demo"}')
    assert ictal("init").code == 2 and "the demo's workspace is there" in ictal("init").err


def test_a_file_that_is_not_there_is_named(at_real: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ICTAL_HOME", str(at_real.root))
    for command in (("predict", "no.edf"), ("audit", "receipt", "no.json")):
        said = ictal(*command)
        assert said.code == 2 and "no such file" in said.err and command[-1] in said.err
    said = ictal("cohort", "import", "/nonexistent", "--name", "ward")
    assert said.code == 2 and "there is no such folder" in said.err
    (tmp_path / "baby.edf").write_text("")
    said = ictal("estimator", "install", tmp_path / "baby.edf")
    assert said.code == 2 and "a pose estimator is a model (.onnx)" in said.err and "another kind of file" in said.err


def test_a_service_on_a_port_that_is_taken_says_so_and_not_that_it_serves(at_real: Workspace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = ictal_process("serve", "--port", port, environment={**os.environ, "ICTAL_HOME": str(at_real.root)})
    assert (said.code, said.out) == (2, "")
    assert f"port {port} cannot be used here" in said.err and "--port" in said.err


@pytest.mark.parametrize("command", [["train", "line_lenght"], ["evaluate", "line_lenght"]])
def test_a_misspelt_detector_is_answered_with_did_you_mean(at_real: Workspace, command: list[str]) -> None:
    said = ictal(*command)
    assert said.code == 2 and "did you mean line_length?" in said.err


@pytest.mark.parametrize("names", [[], ["line_length"]])
def test_an_unknown_preset_is_refused_and_not_written_down(at_real: Workspace, names: list[str]) -> None:
    before = (at_real.root / "params.yaml").read_bytes()
    said = ictal("train", *names, "--preset", "papr")
    assert said.code == 2 and "it has" in said.err and "paper" in said.err
    assert (at_real.root / "params.yaml").read_bytes() == before


def test_an_unknown_cohort_is_refused_with_the_one_in_use(at_real: Workspace) -> None:
    said = ictal("check", "helsinky")
    assert said.code == 2 and "simulated" in said.err


@pytest.mark.parametrize("name", ["../../elsewhere", "simulated", "Upper"])
def test_a_cohort_cannot_be_imported_under_a_name_that_lies_elsewhere_or_is_taken(
    at_real: Workspace, tmp_path: Path, name: str
) -> None:
    before = sorted(at_real.root.rglob("*"))
    said = ictal("cohort", "import", tmp_path, "--name", name)
    assert said.code == 2 and "Traceback" not in said.err
    assert sorted(at_real.root.rglob("*")) == before


def test_a_folder_that_is_no_bids_cohort_is_refused(at_real: Workspace, tmp_path: Path) -> None:
    said = ictal("cohort", "import", tmp_path, "--name", "nursery")
    assert said.code == 2 and "dataset_description.json" in said.err
    assert not (at_real.raw / "nursery").exists()


def test_predict_refuses_a_missing_file_and_an_age_that_cannot_be_read(at_real: Workspace, tmp_path: Path) -> None:
    assert ictal("predict", tmp_path / "none.edf").code == 2
    (tmp_path / "some.edf").write_bytes(b"0")
    said = ictal("predict", tmp_path / "some.edf", "--age", "three days")
    assert said.code == 2 and "3d" in said.err


def test_predict_asks_for_the_site_outside_the_demo(at_real: Workspace, tmp_path: Path) -> None:
    (tmp_path / "some.edf").write_bytes(b"0")
    said = ictal("predict", tmp_path / "some.edf", "--age", "3d")
    assert said.code == 2 and "--site" in said.err


def test_predict_says_that_a_service_cannot_be_reached(tmp_path: Path) -> None:
    (tmp_path / "some.edf").write_bytes(b"0")
    said = ictal("predict", tmp_path / "some.edf", "--url", "http://127.0.0.1:9", "--key", "k")
    assert said.code == 2 and "cannot be reached" in said.err


@pytest.mark.parametrize("question", ["detection", "spasms"])
@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--url", "http://127.0.0.1:9", "--detector", "da_stnet"], "leave --detector out"),
        (["--url", "http://127.0.0.1:9", "--site", "hospital-1"], "leave --site out"),
        (["--key", "k"], "name it with --url"),
        (["--job"], "name it with --url"),
    ],
)
def test_predict_refuses_what_whoever_answers_would_not_heed(
    at_real: Workspace, tmp_path: Path, options: list[str], says: str, question: str
) -> None:
    (tmp_path / "some.edf").write_bytes(b"0")
    said = ictal("predict", tmp_path / "some.edf", "--question", question, *options)
    assert said.code == 2 and says in said.err


def test_a_key_that_waits_in_the_environment_asks_for_no_service(
    at_real: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ICTAL_KEY", "k")
    (tmp_path / "some.edf").write_bytes(b"0")
    said = ictal("predict", tmp_path / "some.edf", "--age", "3d")
    assert said.code == 2 and "--site" in said.err


def test_an_event_without_a_confidence_is_listed_without_one() -> None:
    from flows.predict import _in_words

    [event] = EXAMPLE["events"]
    assert "12.0 s    41.0 s  confidence 0.93" in _in_words(EXAMPLE)
    assert "coverage 99.8 %" in _in_words(EXAMPLE) and "coverage 100 %" in _in_words({**EXAMPLE, "coverage": 1.0})
    assert "coverage 99.9 %" in _in_words({**EXAMPLE, "coverage": 0.99999})
    assert "12.0 s    41.0 s\n" in _in_words({**EXAMPLE, "events": [{**event, "confidence": None}]})


@pytest.mark.parametrize("options", [("--author", "a"), ("--for", "spasms")])
def test_what_belongs_to_a_proposal_is_refused_where_candidates_are_listed(
    at_real: Workspace, options: tuple[str, str]
) -> None:
    said = ictal("candidates", *options)
    assert said.code == 2 and "belong to --propose" in said.err and not said.out


def test_a_site_key_is_shown_once_and_kept_only_as_a_hash(at_real: Workspace) -> None:
    said = ictal("key", "issue", "--site", "hospital-1", "--json")
    key = said.json["key"]
    assert said.code == 0 and said.json["site"] == "hospital-1" and len(key) > 30
    kept = b"".join(p.read_bytes() for p in at_real.root.rglob("*") if p.is_file() and ".git" not in p.parts)
    assert key.encode() not in kept and b"hospital-1" in kept


def test_an_answer_from_the_demos_workspace_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_workspace(tmp_path / "demo-home", "demo")
    monkeypatch.setenv("ICTAL_HOME", str(made.root))
    said = ictal("candidates")
    assert said.code == 0 and "demo workspace" in said.err and "demo workspace" not in said.out
