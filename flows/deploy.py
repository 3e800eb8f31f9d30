"""The service on this machine: start it, wait until it answers, stop it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.register import platform_key
from flows.workspace import Workspace, checkout_state, lock_digest, open_workspace
from lineage.refused import Refused
from serving.client import Client

READY_S = 90.0


class ServiceFailed(Refused):
    """The service did not come up; the message has the last line that it said."""


def serve_here(port: int) -> None:
    """Serve until stopped, on 127.0.0.1 alone. The process becomes the server, so that signals reach it. Refused where
    there is no workspace, its platform key was exchanged, or the port is taken."""
    workspace = open_workspace()
    platform_key(workspace)
    _check_free(port)
    print(f"serving on http://127.0.0.1:{port} (keys: `ictal key issue --site NAME`)", flush=True)
    os.execve(sys.executable, _command(port), _environment(workspace))


@contextmanager
def service(workspace: Workspace, port: int) -> Iterator[str]:
    """A running service for as long as the block lasts; yields its URL once it is ready. What it says goes to
    log/service.log; ServiceFailed where it is not ready within `READY_S` seconds, or ended before."""
    log = workspace.root / "log" / "service.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("ab") as file:
        process = subprocess.Popen(_command(port), env=_environment(workspace), stdout=file, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(process, url, log)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _check_free(port: int) -> None:
    with socket.socket() as trying:
        trying.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trying.bind(("127.0.0.1", port))
        except OSError as error:
            raise Refused(f"port {port} cannot be used here ({error.strerror}); name another with --port") from error


def _command(port: int) -> list[str]:
    from serving.stream import StreamLimits  # imports the models, and stopping or giving keys needs none

    options = ["--factory", "--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"]
    options += ["--ws-max-size", str(StreamLimits().chunk_bytes)]  # larger messages are not even kept
    options += ["--http", "serving.connections:Connection"]
    return [sys.executable, "-m", "uvicorn", "serving.service:app_from_environment", *options]


def _environment(workspace: Workspace) -> dict[str, str]:
    state = checkout_state()
    own = {
        "ICTAL_ALLOW_DEMO": "1" if workspace.is_demo else "0",
        "ICTAL_COMMIT": state["commit"],
        "ICTAL_DIRTY": "1" if state["dirty"] else "0",
        "ICTAL_LOCK": lock_digest(),
    }
    return {**workspace.environment(), **own}


def _wait_until_ready(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + READY_S
    with Client(url) as client:
        while time.monotonic() < deadline:
            if process.poll() is not None:
                break
            if client.ready():
                return
            time.sleep(0.1)
    lines = log.read_text(errors="replace").strip().splitlines()
    raise ServiceFailed(
        f"the service did not become ready in {READY_S:g} s: {lines[-1] if lines else 'it said nothing'}"
    )
