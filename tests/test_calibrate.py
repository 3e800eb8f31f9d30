"""`ictal drift --calibrate`: the rule's own figures end in a page, in the ledger, and in the exit code."""

import json
from pathlib import Path
from typing import Any

import pytest

from flows import calibrate, records
from flows.workspace import Workspace
from tests.commands import ictal
from tests.patients import light_workspace
from tests.test_operating import as_stated, counted


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    workspace = light_workspace(tmp_path / "home")
    monkeypatch.setenv("ICTAL_HOME", str(workspace.root))
    return workspace


def counting(monkeypatch: pytest.MonkeyPatch, alarms: int) -> list[int]:
    """Months are counted by the test; how many were to be judged is noted."""
    asked: list[int] = []

    def judged(work: Any, items: Any, *_: Any) -> Any:
        asked.append(sum(block.runs for block in items))
        return counted(alarms, as_stated())

    monkeypatch.setattr(calibrate, "over", judged)
    return asked


def test_figures_as_stated_end_well_and_stand_in_page_and_ledger(
    here: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = counting(monkeypatch, alarms=16)
    said = ictal("drift", "--calibrate", "--runs", 40, "--json")
    assert said.code == 0 and said.json["kept"] and asked == [40 * 13]  # 8 kinds without drift, 5 numbers of patients
    folder = here.reports / "drift"
    assert "The rule works as it says." in (folder / "calibration.html").read_text()
    kept = json.loads((folder / "calibration.json").read_text())
    assert kept["runs"] == 40 and kept["settings"]["draws"] == here.params.drift.draws
    (line,) = [e for e in records.open_ledger(here).entries("evaluation.recorded") if e.subjects[0].kind == "study"]
    assert line.subjects[0].id == "rule of drift"


def test_a_broken_promise_is_exit_code_1_and_said(here: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    counting(monkeypatch, alarms=40)
    said = ictal("drift", "--calibrate")
    assert said.code == 1 and "BROKEN: at most 5% of months without drift raise an alarm" in said.out


def test_too_few_months_are_refused(here: Workspace) -> None:
    assert ictal("drift", "--calibrate", "--runs", 3).code == 2
