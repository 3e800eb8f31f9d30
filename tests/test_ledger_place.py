"""A workspace may keep its ledger in a database: commands and the service use it, and a wrong address is refused."""

from pathlib import Path

import pytest

from flows.workspace import MARKER
from lineage.keys import create_platform_key
from serving.journal import Journal
from tests.commands import ictal
from tests.databases import Server
from tests.ledgers import recording


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    create_platform_key(tmp_path / "keys")
    (tmp_path / MARKER).write_text('{"kind": "real"}')
    monkeypatch.setenv("ICTAL_HOME", str(tmp_path))
    return tmp_path


def test_commands_and_the_service_write_into_the_database_that_is_named(
    home: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ICTAL_LEDGER", server.new_database())
    Journal(home).ledger.append_many([recording(1)])
    said = ictal("audit", "verify", "--json")
    assert (said.code, said.json["size"], said.json["ok"]) == (0, 1, True)
    assert ictal("audit", "checkpoint", home / "checkpoint.json").code == 0
    assert ictal("audit", "verify", "--against", home / "checkpoint.json").code == 0
    assert not (home / "ledger").exists()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://ictal:hunter2@127.0.0.1:1/ledger", "127.0.0.1/1/ledger cannot be used: it does not answer"),
        ("postgresql://ictal:hunter2@127.0.0.1", "cannot be read"),
        ("oracle://ictal:hunter2@somewhere/x", "got oracle"),
    ],
)
def test_a_ledger_that_cannot_be_reached_is_refused_and_its_password_not_shown(
    home: Path, monkeypatch: pytest.MonkeyPatch, url: str, reason: str
) -> None:
    monkeypatch.setenv("ICTAL_LEDGER", url)
    said = ictal("audit", "verify")
    assert said.code == 2 and reason in said.err and "hunter2" not in said.err + said.out


def test_a_demo_never_writes_into_another_ledger(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / MARKER).write_text('{"kind": "demo"}')
    monkeypatch.setenv("ICTAL_LEDGER", "postgresql://ictal:hunter2@127.0.0.1:1/ledger")
    said = ictal("audit", "verify")
    assert said.code == 2 and "a demo keeps its ledger in its own folder" in said.err
