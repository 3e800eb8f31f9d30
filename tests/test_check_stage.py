"""The check of a task's cohort: by the task's montage; of a cohort that is blocked nothing is used, and the ledger knows."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.cohorts.bids import read_cohort
from data.montage import TCP_20
from data.readers.edf import write_edf
from flows import check, export, records, watch
from flows.params import set_params
from flows.stages import check as stage
from flows.stages import files
from flows.stages.check import CohortBlocked, measure
from flows.stages.files import accepted, read_json, write_json
from flows.workspace import MARKER, ROOT, TASKS, Workspace
from lineage.refused import Refused
from models import detectors
from tests.test_checks_of_labels import labels_of, root  # noqa: F401
from validation.checks.cohort import CohortLimits
from validation.checks.verdicts import Limits


@pytest.fixture
def workspace(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:  # noqa: F811
    """One whose cohort of six patients of 70 s each is sound, and too short to be used as a whole."""
    home = tmp_path / "home"
    write_json(home / MARKER, {"kind": "real"})
    shutil.copyfile(ROOT / "params.yaml", home / "params.yaml")
    shutil.copytree(root, home / "data" / "raw" / "ward", ignore=shutil.ignore_patterns("home"))
    set_params(home / "params.yaml", {"cohort.name": "ward", "cohort.spasms": "ward"})
    monkeypatch.setenv("ICTAL_HOME", str(home))
    monkeypatch.setattr(check, "refresh_code", lambda *_: None)
    monkeypatch.setattr(check, "keep", lambda *_: None)
    monkeypatch.setattr(check, "refusals_of", refusals_of)
    records.record_cohort(Workspace(home))
    return Workspace(home)


def refusals_of(home: str, stages: list[str]) -> dict[str, Refused]:
    """As the engine's, in this process."""
    refused: dict[str, Refused] = {}
    for name in stages:
        try:
            stage.run(Workspace(Path(home)).of(name.removeprefix("check@")))
        except Refused as why:
            refused[name] = why
    return refused


def lines(workspace: Workspace) -> dict[str, int]:
    ledger = records.open_ledger(workspace)
    kinds = ("dataset.frozen", "validation.passed", "validation.failed", "recording.quarantined")
    return {kind: found for kind in kinds if (found := len(ledger.entries(kind)))}


def test_a_blocked_cohort_has_no_accepted_recording_for_anybody(workspace: Workspace) -> None:
    with pytest.raises(
        CohortBlocked, match=r"cannot be used: Hours recorded in the cohort: 0\.11, needed are ≥ 0\.5 h$"
    ):
        stage.run(workspace)
    verdicts = read_json(workspace.interim / "checks" / "verdicts.json")
    assert [v["outcome"] for v in verdicts] == ["accepted"] * 6
    assert accepted(workspace, "development") == []
    with pytest.raises(
        Refused, match=r"through: Hours recorded in the cohort: 0\.11, needed are ≥ 0\.5 h\. See `ictal check ward`"
    ):
        files.refuse_unchecked(workspace)
    with pytest.raises(Refused, match="no cohort that its checks let through has recordings of the period"):
        watch.watched_tasks(workspace)


def test_what_blocked_a_cohort_stands_in_the_ledger_once_and_nothing_is_frozen(workspace: Workspace) -> None:
    labels_of(workspace.cohort).unlink()
    for _ in range(2):
        with pytest.raises(Refused, match=r"^ward \(detection\): the cohort cannot be used"):
            check.check.fn(str(workspace.root))
    assert lines(workspace) == {"validation.failed": 1, "recording.quarantined": 1}
    (line,) = records.open_ledger(workspace).entries("validation.failed")
    assert "the cohort: 5, needed are ≥ 6" in line.reason and "the cohort: 0.09, needed are ≥ 0.5 h" in line.reason
    said = records.open_ledger(workspace).payload(line.payload_digest)
    assert said["accepted"] == 0 and [r["code"] for r in said["blocked"]] == ["cohort_small", "cohort_short"]


def test_a_check_that_was_not_carried_out_is_no_failed_one(workspace: Workspace) -> None:
    (workspace.cohort / "participants.tsv").write_text("participant_id\tage\nsub-1\told\n")
    with pytest.raises(Refused, match=r"not a number of years.* \(in data/raw/ward, then run `ictal check ward`\)"):
        check.check.fn(str(workspace.root))
    assert lines(workspace) == {}


def test_nothing_is_asked_of_a_cohort_that_was_not_checked(workspace: Workspace) -> None:
    with pytest.raises(Refused, match="no cohort of detection has been checked here: run `ictal check` first"):
        files.holdout(workspace)


def test_a_cohort_that_passes_is_frozen(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "limits_of", lambda *_: Limits(cohort=CohortLimits(min_hours=0.1)))
    assert check.check.fn(str(workspace.root))["accepted"] == 6
    assert lines(workspace) == {"dataset.frozen": 1, "validation.passed": 1}


def test_every_cohort_is_judged_where_some_are_blocked_and_all_of_those_are_told(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is sound, one has a patient too few, and where poses are looked for lies EEG."""
    monkeypatch.setattr(stage, "limits_of", lambda *_: Limits(cohort=CohortLimits(min_hours=0.09)))
    shutil.copytree(workspace.cohort, workspace.cohort.with_name("small"))
    set_params(workspace.root / "params.yaml", {"cohort.typing": "small"})
    labels_of(workspace.of("typing").cohort).unlink()
    with pytest.raises(Refused) as told:
        check.check_all.fn(str(workspace.root))
    assert "small (typing): the cohort cannot be used: Patients in the cohort: 5, needed are ≥ 6" in str(told.value)
    assert re.search(r"ward \(spasms\): .*no pose tracks", str(told.value))
    assert "(detection)" not in str(told.value)
    assert lines(workspace) == {
        "dataset.frozen": 1, "validation.passed": 1, "validation.failed": 1, "recording.quarantined": 1
    }  # fmt: skip
    assert len(accepted(workspace, "development")) == 6


def test_nothing_of_a_blocked_cohort_is_exported(workspace: Workspace, tmp_path: Path) -> None:
    spasms = workspace.of("spasms")
    with pytest.raises(Refused, match="no cohort of spasms has been checked"):
        export.export_poses(tmp_path / "out", "features")
    write_json(spasms.interim / "checks" / "accepted.json", [])
    write_json(spasms.interim / "checks" / "gx.json", {"blocked": []})
    with pytest.raises(
        Refused, match=r"let no recording of the cohort of spasms through: each was put aside\. See `ictal check ward`"
    ):
        export.export_poses(tmp_path / "out", "features")


def test_every_detector_of_eeg_reads_the_montage_that_is_asked_of_its_cohort() -> None:
    for task in ("detection", "typing"):
        built = [detectors.build(name, preset="demo") for name in detectors.names(task)]
        assert {d.contract.montage for d in built} == {TASKS[task].montage}


def test_each_task_asks_for_the_derivations_that_its_detectors_read(tmp_path: Path, root: Path) -> None:  # noqa: F811
    """What was recorded as the derivations of the TUH corpus has no Fz and no Pz, which no detector of types reads."""
    entry = read_cohort(root).entries[0]
    signal = np.random.default_rng(0).normal(0, 20, (len(TCP_20), 70 * 128))
    write_edf(tmp_path / "bipolar.edf", signal, TCP_20, 128.0)
    missing = {}
    for task in ("detection", "typing"):
        facts = measure(replace(entry, path=tmp_path / "bipolar.edf"), montage=TASKS[task].montage)
        assert isinstance(facts, pd.DataFrame)
        missing[task] = facts["missing_derivations"].iloc[0]
    assert missing == {"detection": "Fz-Cz, Cz-Pz", "typing": ""}


def test_the_stage_of_a_task_asks_for_its_montage(workspace: Workspace) -> None:
    set_params(workspace.root / "params.yaml", {"cohort.typing": "ward"})
    for edf in workspace.cohort.rglob("*.edf"):
        signal = np.random.default_rng(0).normal(0, 20, (len(TCP_20), 70 * 128))
        write_edf(edf, signal, TCP_20, 128.0)
    found = {}
    for task in ("detection", "typing"):
        own = workspace.of(task)
        with pytest.raises(CohortBlocked):
            stage.run(own)
        verdicts = read_json(own.interim / "checks" / "verdicts.json")
        found[task] = {r["expectation"] for v in verdicts for r in v["reasons"]} & {"montage_complete"}
    assert found == {"detection": {"montage_complete"}, "typing": set()}
