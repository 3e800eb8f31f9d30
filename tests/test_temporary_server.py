"""Prefect's temporary server: begun ahead, used by flows, gone with the command, and refused in one sentence."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows import temporary_server
from flows.workspace import make_workspace
from lineage.refused import Refused

USES = """
import os, sys
from flows import temporary_server
temporary_server.begin()
temporary_server.begin()
from prefect.settings import PREFECT_API_URL
from flows.engine import NO_CACHE, flow, run_flow, task
@task(cache_policy=NO_CACHE)
def where() -> str:
    from prefect.settings import PREFECT_API_URL
    return PREFECT_API_URL.value()
@flow(name="asks")
def asks(home: str) -> str:
    return where.submit().result()
if __name__ == "__main__":
    seen = run_flow(asks, home=sys.argv[1])
    assert seen == temporary_server.url() and "prefect.server" not in sys.modules, seen
    print(temporary_server._begun[0].process.pid, seen, PREFECT_API_URL.value())
"""


def test_a_flow_runs_on_it_without_the_server_in_its_own_process_and_it_ends_with_the_command(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "ws", "demo")
    script = tmp_path / "uses.py"
    script.write_text(USES)
    environment = {**workspace.environment(), "PYTHONPATH": str(Path(temporary_server.__file__).parents[1])}
    said = subprocess.run(
        [sys.executable, str(script), str(workspace.root)], env=environment, capture_output=True, text=True, timeout=120
    )
    assert said.returncode == 0, said.stderr
    pid, seen, after = said.stdout.split()
    assert seen.startswith("http://127.0.0.1:") and after == "None"
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists():
            return
        time.sleep(0.1)
    raise AssertionError("it outlives the command")


def test_one_that_cannot_start_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(temporary_server, "_begun", [])
    monkeypatch.setattr(temporary_server, "APPLICATION", "lineage.refused:Refused")
    with pytest.raises(Refused, match=r"did not start, .* `prefect server start` and name it in PREFECT_API_URL"):
        temporary_server.url()
    assert temporary_server._begun[0].process.poll() is not None


STOPPED = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may ignore it
from flows import temporary_server
from flows.engine import flow, run_flow
@flow(name="stopped")
def stopped(home: str) -> None:
    server = temporary_server._begun[0].process
    print(server.pid, flush=True)
    os.killpg(os.getpgrp(), signal.SIGINT)  # as a terminal does it
    signal.pause()
if __name__ == "__main__":
    try:
        run_flow(stopped, home=sys.argv[1])
    except KeyboardInterrupt:
        print("stopped", temporary_server._begun[0].process.poll())
"""
KILLED = """
import os, signal
from flows import temporary_server
temporary_server.url()
print(temporary_server._begun[0].process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def run(folder: Path, text: str) -> "subprocess.CompletedProcess[str]":
    """A script in a workspace and a group of its own, as a command in a terminal."""
    workspace = make_workspace(folder / "ws", "demo")
    script = folder / "script.py"
    script.write_text(text)
    environment = {**workspace.environment(), "PYTHONPATH": str(Path(temporary_server.__file__).parents[1])}
    return subprocess.run(
        [sys.executable, str(script), str(workspace.root)],
        env=environment, capture_output=True, text=True, timeout=300, start_new_session=True,
    )  # fmt: skip


def gone(pid: str) -> bool:
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists():
            return True
        time.sleep(0.1)
    return False


def test_with_ctrl_c_a_flow_ends_as_stopped_since_the_server_still_hears_how_it_ended(tmp_path: Path) -> None:
    said = run(tmp_path, STOPPED)
    pid, *rest = said.stdout.split()
    assert rest == ["stopped", "None"], said.stderr
    assert gone(pid)


def test_it_ends_with_a_command_that_is_killed(tmp_path: Path) -> None:
    said = run(tmp_path, KILLED)
    assert said.returncode == -signal.SIGKILL and gone(said.stdout.strip())
