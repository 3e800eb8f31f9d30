"""Stages run in forks of one process that has imported what they need, as they would in a process of their own."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows import fresh, warm
from flows.stages import NAMES
from flows.workspace import make_workspace

ASKS = "import sys; from flows.warm import run_there; sys.exit(run_there(sys.argv[1], sys.argv[2:]))"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="stages are forked on Linux alone")


def asked(folder: Path, *stage: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, **warm.place()}
    command = [sys.executable, "-c", ASKS, *stage]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def test_a_refusal_of_a_stage_reaches_whoever_asked_with_its_exit_code(tmp_path: Path) -> None:
    said = asked(tmp_path, "train", "nobody", "patient")
    assert said.returncode == 2
    assert said.stderr.startswith("ictal: there is no workspace yet")


def test_a_stage_works_in_the_folder_where_it_was_asked_for_and_a_failure_shows_its_traceback(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "ws", "demo")
    said = asked(workspace.root, "train", "line_length", "patient")
    assert said.returncode == 1
    assert "Traceback" in said.stderr and "split.json" in said.stderr, "nothing was split here yet"


def test_dvc_runs_in_a_fork_and_its_stages_in_others_and_both_say_what_they_would_say_alone(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "ws", "demo")
    said = [
        warm.run(
            ["dvc", "repro", "--single-item", "split@detection"], workspace.root, {**workspace.environment(), **place}
        )
        for place in ({}, warm.place())
    ]
    assert said[0].returncode == said[1].returncode != 0
    assert "No such file" in said[0].stderr and said[0].stderr == said[1].stderr
    version = warm.run(["dvc", "config", "core.remote"], workspace.root, {**workspace.environment(), **warm.place()})
    assert (version.returncode, version.stdout) == (0, "local\n")


def test_the_command_hands_a_stage_over_before_it_imports_anything(tmp_path: Path) -> None:
    code = (
        "import sys; from flows.command import main; sys.argv = ['ictal', 'stage', 'dream']\n"
        "try: main()\nexcept SystemExit as ended: print(ended.code, 'typer' in sys.modules)"
    )
    environment = {**os.environ, **warm.place()}
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert said.stdout == "2 False\n"


def test_a_stage_that_does_not_exist_ends_alone(tmp_path: Path) -> None:
    make_workspace(tmp_path / "ws", "demo")
    assert asked(tmp_path / "ws", "dream").returncode == 2
    assert asked(tmp_path / "ws", "dream").returncode == 2, "the warm process lives on"


def test_without_a_warm_process_the_caller_runs_the_stage_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(warm.PLACE, raising=False)
    assert warm.run_there("split", ["detection"]) is None
    monkeypatch.setenv(warm.PLACE, "/nonexistent/stages")
    assert warm.run_there("split", ["detection"]) is None


def test_it_ends_with_whoever_started_it() -> None:
    starts = "from flows import warm; warm.place(); print(warm._started[0][1].pid)"
    pid = int(subprocess.run([sys.executable, "-c", starts], capture_output=True, text=True, check=True).stdout)
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists():
            return
        time.sleep(0.1)
    raise AssertionError("it outlives the command")


def test_every_stage_says_what_it_needs() -> None:
    assert set(warm.NEEDED) == set(NAMES)


def test_what_the_demo_has_imported_ahead_are_stages_and_a_stage_runs_after_it(tmp_path: Path) -> None:
    assert set(fresh.STAGES) <= set(NAMES)
    starts = (
        "import sys, time; from flows import warm; where = warm.place(ahead=['simulate', 'split']); time.sleep(2); "
    )
    asks = "import os; os.environ |= where; sys.exit(warm.run_there('train', ['nobody', 'patient']))"
    said = subprocess.run(
        [sys.executable, "-c", starts + asks], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert said.returncode == 2 and said.stderr.startswith("ictal: there is no workspace yet")
