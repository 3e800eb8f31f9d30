"""`ictal oracle`: labels alone are scored in the workspace, kept with their digest, and take the place of recorded figures."""

from pathlib import Path

import numpy as np
import pytest

from flows.records import open_ledger
from flows.stages.files import read_json
from flows.stages.report import _labels_alone
from flows.workspace import Workspace
from lineage.digest import sha256_file
from tests.commands import ictal
from tests.test_helsinki import written
from validation.labels_alone import HERE, NOT_HERE, recorded


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    made = Workspace(tmp_path / "home")
    (made.root / "ledger").mkdir(parents=True)
    (made.root / "workspace.json").write_text('{"kind": "real"}')
    (made.root / "params.yaml").write_text("")
    monkeypatch.setenv("ICTAL_HOME", str(made.root))
    return made


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Six newborns whom all three experts mark alike, half a minute in four."""
    marks = np.tile((np.arange(240) // 30 == 3).astype(np.uint8), (3, 1))
    return written(tmp_path / "labels.mat", *[np.roll(marks, 20 * n, axis=1) for n in range(6)])


def test_figures_are_kept_with_the_digest_of_the_labels_and_a_line_in_the_ledger_once(workspace, labels):
    said = ictal("oracle", labels, "--json")
    assert said.code == 0, said.err
    kept = workspace.store / "oracles" / "helsinki.json"
    assert read_json(kept)["sha256"] == said.json["sha256"] == sha256_file(labels)
    assert said.json["newborns"] == 6 and said.json["windows"] == 720
    assert ictal("oracle", labels).code == 0
    (entry,) = open_ledger(workspace).entries("research.recorded")
    assert entry.subjects[0].digest == sha256_file(kept)


def test_the_command_says_whether_these_are_the_labels_that_the_recorded_figures_are_of(workspace, labels):
    said = ictal("oracle", labels)
    assert "NOT those that Ictal's recorded figures are of" in said.out and "non-reportable" in said.out
    assert "label of the nearest window, babies apart: AUC 0.5000" in said.out


def test_the_report_shows_recorded_figures_until_they_are_computed_here(workspace, labels):
    before = _labels_alone(workspace, "da_stnet")
    assert before == {**(recorded("helsinki") or {}), "where": NOT_HERE}
    assert ictal("oracle", labels).code == 0
    after = _labels_alone(workspace, "da_stnet")
    assert after is not None and after["where"] == HERE and after["sha256"] == sha256_file(labels)
    assert _labels_alone(workspace, "line_length") is None, "a detector without a published headline needs none"


@pytest.mark.parametrize("content", [None, b"onset\tduration\n"], ids=["absent", "text"])
def test_what_is_no_file_of_labels_is_refused_and_changes_nothing(workspace, tmp_path, content):
    path = tmp_path / "annotations_2017.mat"
    if content:
        path.write_bytes(content)
    said = ictal("oracle", path)
    assert said.code == 2 and "annotations_2017.mat" in said.err and "Traceback" not in said.err
    assert not (workspace.store / "oracles").exists() and open_ledger(workspace).entries() == []
