"""Prefect's temporary server: begun ahead, used by flows, gone with the command, and refused in one sentence."""

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
