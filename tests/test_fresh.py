"""The demo replaces only what the demo made, and stopping it leaves what stood there before."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from flows import fresh
from flows.fresh import refuse_real
from flows.workspace import MARKER, Workspace, WorkspaceRefused
from tests.commands import ICTAL, ictal


@pytest.mark.parametrize("kind", ["real", "something else"])
def test_the_demo_does_not_replace_a_workspace_that_is_not_the_demos(tmp_path: Path, kind: str) -> None:
    (tmp_path / MARKER).write_text(json.dumps({"kind": kind}))
    with pytest.raises(WorkspaceRefused, match="never touches"):
        refuse_real(tmp_path)


def test_the_demo_does_not_replace_a_folder_that_it_does_not_know(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(WorkspaceRefused, match="never touches"):
        refuse_real(tmp_path)


def test_the_demo_may_replace_its_own_workspace_and_use_an_empty_or_new_folder(tmp_path: Path) -> None:
    refuse_real(tmp_path / "new")
    refuse_real(tmp_path)
    (tmp_path / MARKER).write_text(json.dumps({"kind": "demo"}))
    refuse_real(tmp_path)


def test_the_demo_command_ends_with_exit_code_2_in_a_real_workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = tmp_path / "home"
    real.mkdir()
    (real / MARKER).write_text(json.dumps({"kind": "real"}))
    monkeypatch.setenv("ICTAL_HOME", str(real))
    said = ictal("demo")
    assert said.code == 2 and "never touches" in said.err
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["home", MARKER]


def test_stopping_the_demo_leaves_the_workspace_before_it_and_nothing_of_the_new(tmp_path: Path) -> None:
    """Ctrl-C while stages, their workers and Prefect's server are running."""
    old = tmp_path / "stopped"
    old.mkdir()
    (old / MARKER).write_text(json.dumps({"kind": "demo"}))
    (old / "kept.txt").write_text("the workspace before")
    heard = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
    process = subprocess.Popen(  # a shell may ignore Ctrl-C
        [sys.executable, "-c", heard, str(ICTAL), "demo"], env={**os.environ, "ICTAL_HOME": str(old)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    started = wait_for_recordings(process, old.with_name("stopped.making") / "data" / "raw")
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=30)
    assert process.returncode == 130, complaint
    assert "Traceback" not in complaint
    assert not old.with_name("stopped.making").exists() and not old.with_name("stopped.failed").exists()
    assert sorted(p.name for p in old.iterdir()) == ["kept.txt", MARKER]
    _, alive = psutil.wait_procs(started, timeout=5)
    assert not alive, alive


def test_a_demo_that_is_cut_off_while_the_old_one_is_deleted_may_be_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    final, rmtree = tmp_path / "home", shutil.rmtree

    def made(root: Path, kind: str) -> Workspace:
        (root / "reports").mkdir(parents=True)
        (root / MARKER).write_text(json.dumps({"kind": kind}))
        (root / "reports" / "demo.json").write_text("{}")
        return Workspace(root)

    def cut_off(path: Path, ignore_errors: bool) -> None:
        if (path / "of_before.txt").exists():
            (path / MARKER).unlink()
            raise KeyboardInterrupt
        rmtree(path, ignore_errors)

    monkeypatch.setenv("ICTAL_HOME", str(final))
    monkeypatch.setattr(fresh, "make_workspace", made)
    monkeypatch.setattr(fresh, "_run_inside", lambda workspace: 0)
    monkeypatch.setattr(fresh, "show_summary", lambda *told: None)
    made(final, "demo")
    (final / "of_before.txt").write_text("x")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(shutil, "rmtree", cut_off)
        fresh.make_demo()
    assert Workspace(final).is_demo and not (final / "of_before.txt").exists()
    fresh.make_demo()
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


@pytest.mark.parametrize("how", ["the old one put aside", "the new one put in place"])
def test_a_workspace_that_cannot_be_replaced_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    for name in ("home", "home.making"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "of.txt").write_text(name)
    rename, wanted = Path.rename, "home.old" if how.startswith("the old") else "home"

    def stopped(path: Path, target: Path) -> Path:
        if path.name != "home.old" and target.name == wanted:
            raise KeyboardInterrupt
        return rename(path, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "rename", stopped)
        fresh._put_in_place(tmp_path / "home.making", tmp_path / "home")
    assert (tmp_path / "home" / "of.txt").read_text() == "home"


def wait_for_recordings(process: "subprocess.Popen[str]", raw: Path) -> list[psutil.Process]:
    """Wait until recordings are being simulated; returns every process that the demo had started by then."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        children = psutil.Process(process.pid).children(recursive=True)
        if list(raw.rglob("*.edf")) and len(children) >= 4:
            return children
        time.sleep(0.1)
    raise AssertionError(f"no recording was simulated in 90 s: {process.poll()}")
