"""A workspace is its own Git and DVC repository, made over nothing and reporting to nobody."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flows.workspace import (
    ROOT,
    CommandFailed,
    Workspace,
    WorkspaceRefused,
    dvc,
    git,
    home,
    keep,
    make_workspace,
    open_workspace,
    refresh_code,
)
from tests.commands import changed_in_checkout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_workspace(tmp_path_factory.mktemp("made") / "home", "real")


@pytest.fixture
def copied(made: Workspace, tmp_path: Path) -> Workspace:
    """A copy to be changed."""
    shutil.copytree(made.root, tmp_path / "copy")
    return Workspace(tmp_path / "copy")


def test_a_new_workspace_is_a_repository_of_its_own_with_nothing_left_to_commit(made: Workspace) -> None:
    assert git(made, "status", "--porcelain") == ""
    assert git(made, "rev-parse", "--show-toplevel").strip() == str(made.root)
    assert git(made, "log", "--format=%s").strip() == "Make the workspace"
    assert not git(made, "remote")


def test_a_new_workspace_is_a_dvc_repository_with_a_local_remote_and_no_telemetry(made: Workspace) -> None:
    assert dvc(made, "remote", "list").split()[0] == "local"
    assert dvc(made, "config", "core.analytics").strip() == "false"
    assert "train@da_stnet" in dvc(made, "stage", "list", "--all")


def test_a_new_workspace_starts_with_the_checkouts_stages_and_parameters(made: Workspace) -> None:
    for name in ("dvc.yaml", "params.yaml", "models/detectors/index.yaml"):
        assert (made.root / name).read_bytes() == (ROOT / name).read_bytes()
    assert made.marker["kind"] == "real" and not made.is_demo


def test_making_and_using_a_workspace_leaves_the_checkout_clean(copied: Workspace) -> None:
    before = changed_in_checkout()
    (copied.root / "note.txt").write_text("x")
    keep(copied, "A note")
    assert changed_in_checkout() == before
    assert git(copied, "log", "--format=%s").splitlines()[0] == "A note"


def test_keeping_again_makes_no_empty_commit(copied: Workspace) -> None:
    assert keep(copied, "Nothing") == git(copied, "rev-parse", "HEAD").strip() == keep(copied, "Nothing")
    assert "Nothing" not in git(copied, "log", "--format=%s")


def test_recordings_keys_and_ledger_are_never_committed(copied: Workspace) -> None:
    for path in ("data/raw/c/x.edf", "keys/person.pem", "ledger/ledger.db", "store/b/weights", "jobs/serving.db"):
        (copied.root / path).parent.mkdir(parents=True, exist_ok=True)
        (copied.root / path).write_text("secret")
    keep(copied, "All")
    assert not git(copied, "ls-files", "data", "keys", "ledger", "store", "jobs").strip()


def test_a_workspace_is_never_made_over_something(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(WorkspaceRefused, match="not empty"):
        make_workspace(tmp_path, "real")
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_without_a_marker_is_no_workspace(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceRefused, match="ictal demo"):
        open_workspace(tmp_path)


def test_ictal_home_says_where_the_workspace_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ICTAL_HOME", str(tmp_path / "x" / ".." / "y"))
    assert home() == tmp_path / "y"
    monkeypatch.delenv("ICTAL_HOME")
    assert home() == ROOT / ".ictal"


def test_the_marker_says_from_which_code_it_was_made(made: Workspace) -> None:
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    known = head.stdout.strip() if head.returncode == 0 else "unknown"
    assert made.marker["checkout"]["commit"] == known
    assert isinstance(made.marker["checkout"]["dirty"], bool)


def test_unchanged_code_leaves_its_digests_alone_and_changed_code_does_not(copied: Workspace) -> None:
    stamps = {p.name: p.stat().st_mtime_ns for p in (copied.root / "code").iterdir()}
    refresh_code(copied)
    assert {p.name: p.stat().st_mtime_ns for p in (copied.root / "code").iterdir()} == stamps
    (copied.root / "code" / "train.txt").write_text("the digest of older code\n")
    refresh_code(copied)
    assert "older" not in (copied.root / "code" / "train.txt").read_text()


def test_a_command_that_fails_says_why(made: Workspace) -> None:
    with pytest.raises(CommandFailed, match="no-such-stage"):
        dvc(made, "repro", "no-such-stage")


def _is_tried_again(made: Workspace, stage: str) -> bool:
    from flows.engine import _locked

    with pytest.raises(CommandFailed) as failed:
        dvc(made, "repro", "--single-item", stage)

    class Ended:
        def result(self) -> None:
            raise failed.value

    return _locked(None, None, Ended())


def test_a_stage_is_tried_again_where_dvc_is_locked_and_not_where_it_failed(made: Workspace) -> None:
    temporary = made.root / ".dvc" / "tmp"
    temporary.mkdir(exist_ok=True)
    with (temporary / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert _is_tried_again(made, "split@detection")
    holder = {"pid": os.getpid(), "cmd": "dvc repro"}
    (temporary / "rwlock").write_text(json.dumps({"write": {str(made.root): holder}}))
    assert _is_tried_again(made, "split@detection")
    (temporary / "rwlock").unlink()
    assert not _is_tried_again(made, "a-padlock"), "there is no such stage"


def test_nothing_is_reported_from_a_workspace_to_anybody(made: Workspace) -> None:
    environment = made.environment()
    assert environment["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false" == environment["GX_ANALYTICS_ENABLED"]
    assert environment["BENTOML_DO_NOT_TRACK"] == "True" and environment["DO_NOT_TRACK"] == "1"
    assert environment["ICTAL_HOME"] == str(made.root) and environment["PREFECT_HOME"].startswith(str(made.root))


def test_a_flow_finds_prefect_in_its_workspace_with_reporting_off(made: Workspace) -> None:
    """Prefect reads its settings at its first import, so whichever flow comes first has to have made them."""
    ours = ("PREFECT_", "GX_", "BENTOML_", "DVC_", "DO_NOT_TRACK", "ICTAL_")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    program = (
        "import flows.check; from prefect.settings import get_current_settings as now; s = now(); "
        "print(s.home, s.server.analytics_enabled, s.logging.level)"
    )
    said = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**clean, "ICTAL_HOME": str(made.root), "HOME": str(made.root / "tmp")}, capture_output=True, text=True,
    )  # fmt: skip
    assert said.stdout.split() == [f"{made.root}/prefect", "False", "CRITICAL"], said.stderr


def test_every_flow_takes_prefect_from_the_engine() -> None:
    for path in (ROOT / "flows").glob("*.py"):
        if path.name != "engine.py":
            lines = path.read_text().splitlines()
            assert not [line for line in lines if line.startswith(("from prefect", "import prefect"))], path.name
