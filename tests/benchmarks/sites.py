"""A hospital's workspace with DA-STNet in force, the service that runs there, and what software of a site sends it.

Beside it the obvious server: FastAPI, a front end and the same network in plain PyTorch, and nothing else.
"""

import atexit
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import httpx
import numpy as np

from data.montage import ELECTRODES
from tests.benchmarks.measuring import THREADS
from tests.benchmarks.recordings import RATE_HZ, bundle_of, elsewhere, folder

SITE = "demo-north"
WINDOW_S = 2


@dataclass(frozen=True)
class Server:
    """A server that runs, and the request of one window that it understands."""

    port: int
    process: subprocess.Popen[bytes]
    request: bytes
    log: Path


def window() -> np.ndarray:
    """Noise of 19 electrodes, float32 (channels, samples) µV."""
    return np.random.default_rng(0).normal(0, 10, (19, WINDOW_S * RATE_HZ)).astype("<f4")


def home_of(preset: str) -> Path:
    """The workspace, made once; its key lies beside it."""
    home = folder() / f"home-{preset}"
    if not (home / "key.txt").exists():
        elsewhere(_make_home, home, preset)
    return home


@cache
def ours(preset: str) -> Server:
    home = home_of(preset)
    key = (home / "key.txt").read_text()
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/octet-stream",
        "X-Channels": ",".join(ELECTRODES),
        "X-Rate-Hz": str(RATE_HZ),
        "X-Age": "3d",
    }
    environment = {"ICTAL_HOME": str(home), "ICTAL_ALLOW_DEMO": "1"}
    command = ["--factory", "serving.service:app_from_environment", "--http", "serving.connections:Connection"]
    return _started(command, environment, "/v1/windows", headers, "/readyz", f"ours-{preset}")


@cache
def bare(preset: str, front_end: str, workers: int = 1) -> Server:
    """With the front end of `ours`, or the same one as `scipy` has it."""
    environment = {"BARE_BUNDLE": str(bundle_of(preset)), "BARE_FRONT_END": front_end}
    name = f"bare-{preset}-{front_end}-{workers}"
    command = ["tests.benchmarks.bare:app", "--workers", str(workers)]
    return _started(command, environment, "/windows", {}, "/ready", name)


def _started(
    command: Sequence[str], environment: dict[str, str], path: str, headers: dict[str, str], ready: str, name: str
) -> Server:
    from tests.served import free_port

    port, log = free_port(), folder() / f"{name}.log"
    line = [sys.executable, "-m", "uvicorn", *command, "--host", "127.0.0.1", "--port", str(port)]
    line += ["--log-level", "warning"]
    alone = os.environ | environment | dict.fromkeys(THREADS, "1")  # as they are run; how they share cores is theirs
    with log.open("wb") as said:
        process = subprocess.Popen(line, env=alone, stdout=said, stderr=subprocess.STDOUT)
    atexit.register(stop, process)
    until = time.monotonic() + 120
    while True:
        try:
            if httpx.get(f"http://127.0.0.1:{port}{ready}").status_code == 200:
                break
        except httpx.TransportError:
            pass
        if time.monotonic() > until or process.poll() is not None:
            raise RuntimeError(f"the server {name} does not start; its log is {log}")
        time.sleep(0.1)
    return Server(port, process, _request(port, path, headers, window().tobytes()), log)


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()


def _request(port: int, path: str, headers: dict[str, str], body: bytes) -> bytes:
    lines = {"Host": f"127.0.0.1:{port}", "Content-Length": str(len(body)), **headers}
    head = f"POST {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{head}\r\n".encode() + body


def _make_home(home: Path, preset: str) -> None:
    from models.bundle import load_bundle
    from serving.auth import issue_key, open_keys
    from tests import served

    now = datetime.now(UTC)
    home.mkdir(parents=True)
    served.people_and_keys(home, now)
    served.put_bundle_in_force(home, load_bundle(bundle_of(preset)), now)
    engine = open_keys(home)
    (home / "key.txt").write_text(issue_key(engine, SITE, ("detect", "models"), now, 1))
    engine.dispose()
