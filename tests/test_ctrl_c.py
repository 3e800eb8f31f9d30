"""Ctrl-C: one line, exit code 130, and nothing that is half-written under its own name."""

import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flows import audit, cli, export, workspace
from flows.workspace import make_workspace
from lineage.refused import Refused
from lineage.whole import whole_file, whole_folder
from tests.commands import ictal


def stop(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("command", [["detectors"], ["key", "revoke-platform", "3f2a", "--reason", "lost"]])
def test_a_stopped_command_ends_with_one_line_and_130(monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    monkeypatch.setattr("models.detectors.names", stop)
    monkeypatch.setattr("flows.register.revoke_platform_key", stop)
    said = ictal(*command)
    assert (said.code, said.out, said.err.strip()) == (130, "", cli.STOPPED_LINE)


def test_a_process_that_is_stopped_ends_so_too() -> None:
    heard = (
        "import sys, os, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "  # a shell may ignore it
    )
    code = f"{heard}from flows import cli; import models.detectors as d; " + (
        "d.names = lambda: os.kill(os.getpid(), signal.SIGINT); sys.argv = ['ictal', 'detectors']; cli.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cli.Path(cli.__file__).parents[1], capture_output=True, text=True
    )
    assert done.returncode == 128 + signal.SIGINT and done.stderr.strip() == cli.STOPPED_LINE


def test_a_prompt_that_is_stopped_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    import typer

    from flows.terminal import confirm, prompt

    def aborted(*_: Any, **__: Any) -> None:
        raise typer.Abort

    monkeypatch.setattr(typer, "prompt", aborted)
    monkeypatch.setattr(typer, "confirm", aborted)
    with pytest.raises(KeyboardInterrupt):
        prompt("Passphrase")
    with pytest.raises(KeyboardInterrupt):
        confirm("Do you?")


def test_a_file_has_its_name_when_it_is_whole_and_the_one_before_until_then(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    path.write_text("before")
    with pytest.raises(KeyboardInterrupt), whole_file(path) as partial:
        partial.write_text("half")
        stop()
    assert [p.name for p in tmp_path.iterdir()] == ["kept.json"] and path.read_text() == "before"
    with whole_file(path) as partial:
        partial.write_text("after")
        assert path.read_text() == "before" and partial.suffix == path.suffix
    assert [p.name for p in tmp_path.iterdir()] == ["kept.json"] and path.read_text() == "after"


def test_a_file_that_cannot_lie_where_it_was_named_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "none" / "a.json", tmp_path / "file" / "a.json"):
        with pytest.raises(Refused, match="in a folder that is there"), whole_file(path):
            pass
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_is_filled_when_all_is_there(tmp_path: Path, there: bool) -> None:
    path = tmp_path / "out"
    if there:
        path.mkdir()
    with pytest.raises(KeyboardInterrupt), whole_folder(path) as partial:
        (partial / "a.npz").write_text("half")
        stop()
    assert path.exists() == there and not list(tmp_path.rglob("*.npz"))
    with whole_folder(path) as partial:
        (partial / "a.npz").write_text("whole")
    assert [p.relative_to(path).as_posix() for p in path.rglob("*")] == ["a.npz"]


def test_a_folder_in_which_another_writes_or_was_killed_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with whole_folder(path) as partial:
        (partial / "a.npz").write_text("half")
        with pytest.raises(Refused, match=r"lies \.partial.* remove it if none writes there"), whole_folder(path):
            pass
        assert (partial / "a.npz").exists()
    assert [p.name for p in path.iterdir()] == ["a.npz"]
    with pytest.raises(Refused, match="not empty"), whole_folder(path):
        pass
    with pytest.raises(Refused, match="this is a file"), whole_folder(path / "a.npz"):
        pass
    assert [p.name for p in path.iterdir()] == ["a.npz"]


def test_a_bento_that_is_stopped_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from serving import bento

    class Made:
        tag = "ictal:1"

        def export(self, path: str) -> None:
            Path(path).write_text("half")
            stop()

    monkeypatch.setattr(bento.bentos, "build", lambda *_, **__: Made())
    said = ictal("bento", tmp_path / "ictal.bento")
    assert said.code == 130 and not list(tmp_path.iterdir())


def test_an_export_that_is_stopped_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ICTAL_HOME", str(tmp_path / "home"))
    made = make_workspace(tmp_path / "home", "real").of("spasms")
    (made.interim / "checks").mkdir(parents=True)
    (made.interim / "checks" / "accepted.json").write_text('["sub-001_task-rest"]')

    def write(_w: Any, _e: Any, _n: Any, folder: Path, *_: Any) -> None:
        (folder / "recording-0001.npz").write_text("half")
        stop()

    monkeypatch.setattr(export, "accepted", lambda *_: [])
    monkeypatch.setattr(export, "_write", write)
    said = ictal("export", "pose", "--to", tmp_path / "out", "--tier", "features")
    assert (said.code, said.err.strip().splitlines()[-1]) == (130, cli.STOPPED_LINE)
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_that_is_stopped_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Signed:
        size, root, at = 1, "0" * 64, datetime.now(UTC)
        to_json = staticmethod(stop)

    class Books:
        def checkpoint(self, *_: Any) -> Signed:
            return Signed()

    monkeypatch.setenv("ICTAL_HOME", str(tmp_path / "home"))
    make_workspace(tmp_path / "home", "real")
    monkeypatch.setattr(audit, "books_of", lambda _: Books())
    monkeypatch.setattr(audit, "platform_key", lambda _: None)
    (tmp_path / "kept.json").write_text("before")
    assert ictal("audit", "checkpoint", tmp_path / "kept.json").code == 130
    assert (tmp_path / "kept.json").read_text() == "before" and not list(tmp_path.glob(".*"))


def test_a_workspace_that_is_stopped_half_made_can_be_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(workspace, "_start_repositories", stop)
        with pytest.raises(KeyboardInterrupt):
            make_workspace(tmp_path, "real")
    assert not list(tmp_path.iterdir())
    assert make_workspace(tmp_path, "real").id
