"""One scheduled retraining, run once by a real Prefect server and a real worker."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

from flows.records import open_ledger
from flows.workspace import Workspace
from tests.e2e.verbs import tiny_workspace

RUN_S = 900.0
REGISTER = """
from datetime import timedelta
from flows.deployments import deploy_retraining
deploy_retraining(every=timedelta(seconds=15))
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running(command: list[str], environment: dict[str, str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A process with its children, ended by its group when the block ends."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, env=environment, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def asked(url: str, path: str, body: dict) -> list[dict]:
    request = Request(url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urlopen(request, timeout=20) as answer:
        return json.load(answer)


def until(condition, seconds: float, what: str, logs: list[Path]):
    """The first true value of `condition`, looked for until the time is up."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if found := condition():
                return found
        except OSError:
            pass
        time.sleep(1)
    said = "\n".join(log.read_text(errors="replace")[-1500:] for log in logs if log.exists())
    raise AssertionError(f"{what} not within {seconds:g} s\n{said}")


def test_a_scheduled_retraining_runs_and_ends_in_a_proposal(tmp_path: Path) -> None:
    workspace: Workspace = tiny_workspace(tmp_path / "ws")
    url = f"http://127.0.0.1:{(port := free_port())}/api"
    environment = {
        **workspace.environment(),
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_API_URL": url,
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "PREFECT_SERVER_SERVICES_SCHEDULER_MAX_RUNS": "1",  # else a hundred late runs are asked for, again and again
        "PREFECT_SERVER_SERVICES_SCHEDULER_MIN_RUNS": "1",
        "PREFECT_LOGGING_LEVEL": "INFO",
    }
    prefect = [sys.executable, "-m", "prefect"]
    server_log, worker_log = tmp_path / "server.log", tmp_path / "worker.log"
    server = [*prefect, "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with running(server, environment, server_log):
        until(lambda: urlopen(f"{url}/health", timeout=5).status == 200, 90, "the server", [server_log])
        subprocess.run([*prefect, "work-pool", "create", "ictal", "--type", "process"], env=environment, check=True)
        subprocess.run([sys.executable, "-c", REGISTER], env=environment, check=True)
        with running([*prefect, "worker", "start", "--pool", "ictal"], environment, worker_log):
            run = until(lambda: finished(url), RUN_S, "a scheduled run", [worker_log, server_log])
    assert run["state_type"] == "COMPLETED", worker_log.read_text(errors="replace")[-3000:]
    assert run["auto_scheduled"]
    recorded = [entry.type.value for entry in open_ledger(workspace).entries()]
    assert recorded.index("retrain.triggered") < recorded.index("candidate.proposed")
    assert "deployment.promoted" not in recorded, "a retraining proposes; people approve"


def finished(url: str) -> dict | None:
    """The first run of the deployment that came to an end; its steps are runs too, without a deployment."""
    ended = {"flow_runs": {"state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED"]}}}}
    return next((r for r in asked(url, "/flow_runs/filter", ended) if r["deployment_id"]), None)
