"""What a schedule needs and does not have is said in one sentence."""

import http.server
import os
import threading
from pathlib import Path

import pytest

from flows.deployments import PLAN
from tests.commands import ictal, ictal_process
from tests.served import free_port


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A workspace, and an address at which nobody listens. Prefect reads it once: commands have processes of their own."""
    monkeypatch.setenv("ICTAL_HOME", str(tmp_path / "home"))
    assert ictal("init").code == 0
    return {**os.environ, "PREFECT_API_URL": f"http://127.0.0.1:{free_port()}/api"}


@pytest.mark.parametrize("command", ["list", "remove", "register"])
def test_fault_a_server_that_does_not_answer_is_named_with_what_starts_it(
    environment: dict[str, str], command: str
) -> None:
    said = ictal_process("schedule", command, environment=environment)
    assert said.code == 2 and "does not answer" in said.err and "prefect server start" in said.err
    assert "Traceback" not in said.err and environment["PREFECT_API_URL"] not in said.err


@pytest.mark.parametrize(
    ("command", "status", "says"),
    [("list", 404, "status 404"), ("register", 401, "status 401"), ("list", 200, "no JSON")],
)
def test_fault_an_address_that_is_no_prefect_server_is_said_without_its_password(
    environment: dict[str, str], command: str, status: int, says: str
) -> None:
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"<!doctype html>")

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        address = f"http://ictal:hunter2@127.0.0.1:{server.server_address[1]}"
        said = ictal_process("schedule", command, environment={**environment, "PREFECT_API_URL": address})
        server.shutdown()
    assert said.code == 2 and says in said.err and "4200/api" in said.err
    assert "Traceback" not in said.err and "hunter2" not in said.err


def test_fault_a_time_that_never_comes_is_refused(environment: dict[str, str]) -> None:
    said = ictal_process("schedule", "register", "--monthly", "0 0 31 2 *", environment=environment)
    assert said.code == 2 and "'0 0 31 2 *' never comes" in said.err


def test_the_help_states_the_times_that_are_planned() -> None:
    said = ictal("schedule", "register", "--help").out
    assert all(f"'{planned.cron}'" in said for planned in PLAN.values())


def test_fault_times_that_are_none_are_refused_before_anybody_is_asked(environment: dict[str, str]) -> None:
    said = ictal_process("schedule", "register", "--nightly", "banana", environment=environment)
    assert said.code == 2 and "five fields of cron" in said.err and "'banana'" in said.err
