"""The check of a task's cohort: by the task's montage."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.cohorts.bids import read_cohort
from data.montage import TCP_20
from data.readers.edf import write_edf
from flows import check, records
from flows.params import set_params
from flows.stages import check as stage
from flows.stages.check import CohortBlocked, measure
from flows.stages.files import read_json, write_json
from flows.workspace import MARKER, ROOT, TASKS, Workspace
from models import detectors
from tests.test_checks_of_labels import labels_of, root  # noqa: F401


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
    monkeypatch.setattr(check, "run_stages", lambda *_: stage.run(Workspace(home)))
    records.record_cohort(Workspace(home))
    return Workspace(home)


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
