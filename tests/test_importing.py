"""An import that is stopped, wherever that happens, is finished by the same command, and takes nothing from what was there."""

from pathlib import Path
from typing import Any

import pytest

from data.cohorts import bids
from flows import ingest, records
from flows.workspace import Workspace, make_workspace
from lineage.refused import Refused
from tests.commands import ictal
from tests.test_bids import folder  # noqa: F401
from tests.test_withdrawing_killed import killed

POINTS: dict[str, tuple[Any, str, int, bool]] = {
    "one file is copied": (bids, "_take", 1, False),
    "all is copied and lies beside its place": (ingest, "import_cohort", 0, True),
    "it lies in its place": (ingest, "_copy", 0, True),
    "DVC knows it": (ingest, "dvc", 0, True),
    "it lies in the remote": (ingest, "dvc", 1, True),
    "the parameters name it": (ingest, "set_params", 0, True),
    "the commit is made": (ingest, "keep", 0, True),
    "the ledger knows it": (ingest, "run_flow", 0, True),
}
"""What is killed or stopped: where the function stands, its name, which call of it, and whether after it or before."""


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """An empty one, in which DVC is asked nothing: what it is told stands in its folder `told`."""
    made = make_workspace(tmp_path / "home", "real")
    monkeypatch.setenv("ICTAL_HOME", str(made.root))

    def told(workspace: Workspace, *arguments: str, **_: Any) -> str:
        (workspace.root / "log" / f"{arguments[0]}.told").write_text(" ".join(arguments))
        return ""

    monkeypatch.setattr(ingest, "dvc", told)
    monkeypatch.setattr(ingest, "run_flow", lambda *_, **__: records.record_cohort(made))
    return made


def test_an_import_that_is_stopped_anywhere_is_finished_by_the_same_command(
    workspace: Workspace,
    folder: Path,  # noqa: F811
) -> None:
    for number, (said, point) in enumerate(POINTS.items()):
        name = f"clinic-{number}"

        def act(name: str = name) -> object:
            return ingest.import_into_workspace(folder, name)

        assert killed(act, point) == -9, said
        assert act() == {"cohort": name, "recordings": 2, "patients": 2, "not_read": {}}, said
        assert workspace.cohort_name == name and (workspace.root / "log" / "push.told").exists()
        assert records.knows_recordings(workspace, workspace.cohort)
        assert [p.name for p in workspace.raw.glob(".clinic*")] == [], said
        assert len(records.open_ledger(workspace).entries("recording.registered")) == 2
        with pytest.raises(Refused, match="has a cohort"):
            act()


def test_an_import_tells_of_files_in_formats_that_are_not_read(
    workspace: Workspace,
    folder: Path,  # noqa: F811
) -> None:
    for patient in ("sub-003", "sub-004"):
        (folder / patient / "eeg").mkdir(parents=True)
        for ending in (".vhdr", ".vmrk", ".eeg"):
            (folder / patient / "eeg" / f"{patient}_task-eeg_run-01_eeg{ending}").write_text("Brain Vision")
    said = ictal("cohort", "import", folder, "--name", "clinic")
    assert said.code == 0 and "imported 2 recordings of 2 patients as clinic; left behind" in said.out
    assert "2 .eeg, 2 .vhdr, 2 .vmrk: export them anew" in said.out
    again = ictal("cohort", "import", folder, "--name", "ward", "--json")
    assert again.json["not_read"] == {".eeg": 2, ".vhdr": 2, ".vmrk": 2}


def test_ctrl_c_in_an_import_leaves_what_was_there_and_the_name_free(
    workspace: Workspace,
    folder: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ingest.import_into_workspace(folder, "before")
    with monkeypatch.context() as patch:
        patch.setattr(ingest, "set_params", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            ingest.import_into_workspace(folder, "clinic")
    assert workspace.cohort_name == "before" and bids.read_cohort(workspace.cohort).entries
    (folder / "README").write_text("what is imported now is another state of the folder")
    ingest.import_into_workspace(folder, "clinic")
    assert workspace.cohort_name == "clinic" and (workspace.cohort / "README").exists()
    assert bids.read_cohort(workspace.raw / "before").entries


def test_a_cohort_that_was_not_being_imported_is_never_replaced(
    workspace: Workspace,
    folder: Path,  # noqa: F811
) -> None:
    assert killed(lambda: ingest.import_into_workspace(folder, "clinic"), POINTS["it lies in its place"]) == -9
    (workspace.raw / "clinic").rename(workspace.raw / "elsewhere")
    (workspace.raw / "clinic").mkdir()
    with pytest.raises(Refused, match="has a cohort"):
        ingest.import_into_workspace(folder, "clinic")


def test_an_import_that_is_killed_before_its_last_act_is_whole_and_its_name_is_taken(
    workspace: Workspace,
    folder: Path,  # noqa: F811
) -> None:
    ingest.import_into_workspace(folder, "clinic")
    inode = (workspace.raw / "clinic").stat().st_ino
    (workspace.raw / ".clinic.importing").write_text(f"{inode} another")
    with pytest.raises(Refused, match="has a cohort"):
        ingest.import_into_workspace(folder, "clinic")
    assert bids.read_cohort(workspace.cohort).entries and not list(workspace.raw.glob(".clinic*"))
