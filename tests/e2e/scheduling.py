"""A real Prefect server and a real worker on the loopback, for tests of what runs by itself."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.request import Request, urlopen

from flows.workspace import Workspace
from tests.databases import Place

PREFECT = [sys.executable, "-m", "prefect"]
START_S = 600.0
LAST_WEEK = """
from collections import Counter
from datetime import UTC, datetime, timedelta
from flows import records
from flows.stages.files import cohort_of, digest_of_entry
from flows.watch import LATER
from flows.workspace import dvc, open_workspace, refresh_code
workspace, came = open_workspace(), Counter()
refresh_code(workspace)
dvc(workspace, "repro", "-s", "-q", "simulate@detection")
later = [e for e in cohort_of(workspace).entries if e.period == LATER]
first = [e for e in later if came.update([e.site]) or came[e.site] <= PER_WEEK]
drafts = [records.registration(e, digest_of_entry(e)) for e in first]
records.open_ledger(workspace).append_many(drafts, now=datetime.now(UTC) - timedelta(weeks=1))
"""

Found = TypeVar("Found")


@dataclass(frozen=True)
class Scheduler:
    """A running server, the environment in which commands find it, and the logs of what runs."""

    url: str
    environment: dict[str, str]
    logs: Path

    def asked(self, path: str, body: dict[str, Any]) -> Any:
        request = Request(self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def runs(self, deployment: str, *states: str) -> list[dict[str, Any]]:
        """Runs of the deployments whose name begins so, of these states alone where some are named, oldest first."""
        asked: dict[str, Any] = {"deployments": {"name": {"like_": f"{deployment}-"}}, "sort": "START_TIME_ASC"}
        if states:
            asked["flow_runs"] = {"state": {"type": {"any_": list(states)}}}
        found: list[dict[str, Any]] = self.asked("/flow_runs/filter", asked)
        return found

    def artifacts(self, key: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.asked("/artifacts/filter", {"artifacts": {"key": {"like_": f"{key}-"}}})
        return found

    def python(self, code: str, within_s: float = 300.0) -> str:
        """What a program says that runs as somebody's command would."""
        done = subprocess.run(
            [sys.executable, "-c", code], env=self.environment, capture_output=True, text=True, timeout=within_s
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def came_last_week(self, per_site: int, within_s: float = 300.0) -> None:
        """Simulate the cohort, of which the first later newborns of each site came a week ago: what one week shows alone
        sets nothing going."""
        self.python(LAST_WEEK.replace("PER_WEEK", str(per_site)), within_s)

    def until(self, condition: Callable[[], Found | None], seconds: float, what: str) -> Found:
        """The first true value of `condition`, looked for until the time is up."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with suppress(OSError):
                if found := condition():
                    return found
            time.sleep(1)
        raise AssertionError(f"{what} not within {seconds:g} s\n{self.said()}")

    def said(self) -> str:
        return "\n".join(log.read_text(errors="replace")[-3000:] for log in sorted(self.logs.glob("*.log")))

    @contextmanager
    def worker(self, name: str = "worker") -> Iterator["subprocess.Popen[bytes]"]:
        """One that looks for work every two seconds, in a group of its own with what it starts."""
        command = [*PREFECT, "worker", "start", "--pool", "ictal"]
        with running(command, self.environment, self.logs / f"{name}.log") as process:
            yield process


@contextmanager
def scheduler(workspace: Workspace, folder: Path, place: Place = "") -> Iterator[Scheduler]:
    """A Prefect server for a workspace, that keeps what it knows in a file, or in the database at the URL `place`."""
    folder.mkdir(parents=True, exist_ok=True)
    url = f"http://127.0.0.1:{(port := free_port())}/api"
    environment = {
        **workspace.environment(),
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_API_URL": url,
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "PREFECT_SERVER_SERVICES_SCHEDULER_MAX_RUNS": "1",  # else a hundred late runs are asked for, again and again
        "PREFECT_SERVER_SERVICES_SCHEDULER_MIN_RUNS": "1",
        "PREFECT_LOGGING_LEVEL": "INFO",
    }
    if place:
        environment["PREFECT_API_DATABASE_CONNECTION_URL"] = str(place).replace("postgresql:", "postgresql+asyncpg:")
    made = Scheduler(url, environment, folder)
    with running(
        [*PREFECT, "server", "start", "--host", "127.0.0.1", "--port", str(port)], environment, folder / "server.log"
    ):
        made.until(lambda: urlopen(f"{url}/health", timeout=5).status == 200, START_S, "the server")
        yield made


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


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
        end(process)


def end(process: "subprocess.Popen[bytes]", with_: signal.Signals = signal.SIGTERM) -> None:
    """End a group that `running` started; at once where it does not within 15 s."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, with_)
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
