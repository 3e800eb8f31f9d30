"""Long commands say how far they are: on a terminal, on standard error, and nowhere else."""

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows import progress
from flows.workspace import Workspace, make_workspace
from tests.commands import CHECKOUT, ictal
from tests.test_bids import folder  # noqa: F401
from tests.test_importing import workspace  # noqa: F401


@pytest.fixture
def seen() -> Iterator[list[tuple[str, int, int]]]:
    """All that a bar would show; commands find it as they find that of whoever started them."""
    heard: list[tuple[str, int, int]] = []
    with progress.shown_with(lambda *said: heard.append(said)):
        yield heard


def test_a_bar_inside_a_bar_is_the_same_bar(seen: list[tuple[str, int, int]]) -> None:
    with progress.on_terminal() as show, progress.on_terminal() as inner:
        show("a", 0, 1)
        inner("b", 1, 1)
    assert seen == [("a", 0, 1), ("b", 1, 1)]


def test_nothing_is_shown_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.on_terminal() as show:
        show("a", 0, 1)
    assert show is progress.silently and capsys.readouterr() == ("", "")


def test_the_ledger_is_verified_backed_up_and_restored_entry_by_entry(
    workspace: Workspace,  # noqa: F811
    folder: Path,  # noqa: F811
    tmp_path: Path,
    seen: list[tuple[str, int, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert ictal("cohort", "import", folder, "--name", "clinic").code == 0
    assert ("files copied", 8, 8) in seen and ("told to the ledger", 0, 0) in seen
    assert ictal("audit", "verify").code == 0
    assert any(what == "entries hashed again" and done == total > 0 for what, done, total in seen)
    assert ictal("audit", "backup", tmp_path / "kept.jsonl").code == 0
    assert any(what == "entries written" and done == total > 0 for what, done, total in seen)
    make_workspace(tmp_path / "other", "real")
    monkeypatch.setenv("ICTAL_HOME", str(tmp_path / "other"))
    assert ictal("audit", "restore", tmp_path / "kept.jsonl").code == 0
    assert any(what == "entries restored" and done == total > 0 for what, done, total in seen)


def test_a_bar_stands_on_a_terminal_beside_the_answer(tmp_path: Path) -> None:
    code = (
        "from flows import audit, cli; from flows.progress import on_terminal\n"
        "def slow(against):\n"
        "    with on_terminal() as show:\n"
        "        show('entries hashed again', 3, 7)\n"
        "    return {'ok': True, 'text': ''}\n"
        "audit.verify_ledger = slow; import sys; sys.argv = ['ictal', 'audit', 'verify', '--json']; cli.main()"
    )
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=theirs, text=True,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )  # fmt: skip
    os.close(theirs)
    drawn = b""
    try:
        while part := os.read(ours, 4096):
            drawn += part
    except OSError:  # the end, as Linux says it of a terminal
        pass
    os.close(ours)
    assert done.returncode == 0 and done.stdout == '{\n "ok": true\n}\n'
    assert b"entries hashed again" in drawn and b"3/7" in drawn
