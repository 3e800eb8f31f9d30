"""What a schedule needs and does not have is said in one sentence."""

import os
from pathlib import Path

import pytest

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
    assert "Traceback" not in said.err


def test_fault_times_that_are_none_are_refused_before_anybody_is_asked(environment: dict[str, str]) -> None:
    said = ictal_process("schedule", "register", "--nightly", "banana", environment=environment)
    assert said.code == 2 and "five fields of cron" in said.err and "'banana'" in said.err
