"""Prefect's temporary server, which commands use where no lasting one is named.

Prefect would import its whole server into the command to start it, 4 s of processor time before anything happens; here it is
started as Prefect does it, and may be begun while Prefect's client is still being imported.
"""

import atexit
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
from urllib.error import URLError
from urllib.request import urlopen

from lineage.refused import Refused

LONGEST_START_S = 180.0
AS_PREFECT_DOES = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}
SILENT = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
APPLICATION = "prefect.server.api.server:create_app"

_one_at_a_time = threading.Lock()
_begun: list["_Server"] = []


class _Server:
    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url, self.is_ready = f"http://127.0.0.1:{port}/api", False
        command = [
            sys.executable,
            "-c",
            f"from {__name__} import main; main()",
            "--factory",
            APPLICATION,
            "--log-level",
            "error",
            "--lifespan",
            "on",
        ]
        self.process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            env={**os.environ, **AS_PREFECT_DOES, **SILENT},
            stdin=subprocess.PIPE,
            process_group=0,  # Ctrl-C is for the command, which then still has somebody to tell how its run ended
        )
        atexit.register(self.stop)

    def wait(self) -> None:
        until = time.monotonic() + LONGEST_START_S
        while not self.is_ready:
            if self.process.poll() is not None or time.monotonic() > until:
                self.stop()
                raise Refused(
                    f"Prefect's temporary server did not start, or not within {LONGEST_START_S:g} s: start one with "
                    "`prefect server start` and name it in PREFECT_API_URL"
                )
            try:
                with urlopen(f"{self.url}/health", timeout=5) as answer:
                    self.is_ready = answer.status == 200
            except (URLError, OSError):
                time.sleep(0.05)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def begin() -> None:
    """Start it, unless this process did; nobody waits. It ends with this process."""
    with _one_at_a_time:
        if not _begun or _begun[0].process.poll() is not None:
            _begun[:] = [_Server()]


def url() -> str:
    """The address of its API, as soon as it answers; Refused where it does not within `LONGEST_START_S` seconds."""
    begin()
    with _one_at_a_time:
        _begun[0].wait()
        return _begun[0].url


def main() -> None:
    """Be the server, with uvicorn's own arguments, until it is stopped or whoever started it is gone."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    runpy.run_module("uvicorn", run_name="__main__", alter_sys=True)


def _end_with_parent() -> None:
    sys.stdin.read()  # ends when the other end closes, however that comes about
    os.kill(os.getpid(), signal.SIGTERM)
