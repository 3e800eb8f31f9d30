"""A workspace may keep its ledger in a database: commands and the service use it, and a wrong address is refused."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flows import records
from flows.workspace import MARKER, make_workspace
from lineage.belonging import BelongsElsewhere
from lineage.keys import create_platform_key
from lineage.ledger import Ledger
from lineage.place import workspace_id
from lineage.refused import Refused
from serving.journal import Journal
from tests.commands import ictal
from tests.databases import Place, Server
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


def test_a_ledger_belongs_to_the_workspace_that_opened_it_first_and_to_no_other(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ICTAL_LEDGER", place if isinstance(place, str) else f"sqlite:///{place}")
    homes = [tmp_path / name for name in ("one", "two")]
    for home in homes:
        create_platform_key(home / "keys")
        (home / MARKER).write_text(json.dumps({"kind": "real", "id": f"id-of-{home.name}"}))
    Journal(homes[0]).ledger.append_many([recording(1)])
    monkeypatch.setenv("ICTAL_HOME", str(homes[0]))
    assert ictal("audit", "verify").code == 0

    monkeypatch.setenv("ICTAL_HOME", str(homes[1]))
    said = ictal("audit", "verify")
    assert said.code == 2 and "belongs to the workspace id-of-one, and this is id-of-two" in said.err
    assert "a database of its own in ICTAL_LEDGER" in said.err and not said.out
    with pytest.raises(BelongsElsewhere):
        Journal(homes[1])
    (homes[1] / MARKER).write_text(json.dumps({"kind": "real"}))  # as an earlier release made it
    assert "this is one without an id" in ictal("audit", "verify").err
    (homes[1] / MARKER).write_text(json.dumps({"kind": "real", "id": "id-of-one"}))  # made again after a loss
    assert ictal("audit", "verify").code == 0
    assert len(Ledger(place).entries()) == 1


def test_a_workspace_that_was_moved_keeps_its_ledger_and_its_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_workspace(tmp_path / "before", "real")
    assert len(made.id) == 36
    records.open_ledger(made).append_many([recording(1)])
    monkeypatch.setenv("ICTAL_HOME", str(made.root.rename(tmp_path / "after")))
    assert ictal("audit", "verify", "--json").json["size"] == 1


def test_a_workspace_of_an_earlier_release_is_told_how_it_gets_an_id_and_has_its_ledger_then(home: Path) -> None:
    Journal(home).ledger.append_many([recording(1)])
    said = ictal("audit", "verify", "--json")
    written = re.search(r'"id": "([0-9a-f-]{36})"', said.err)
    assert said.code == 0 and said.json["size"] == 1 and written is not None
    (home / MARKER).write_text(json.dumps({"kind": "real", "id": written[1]}))
    assert ictal("audit", "verify").err == ""
    (home / MARKER).write_text(json.dumps({"kind": "real", "id": "another"}))
    assert f"belongs to the workspace {written[1]}" in ictal("audit", "verify").err


def test_of_two_workspaces_that_open_a_new_ledger_at_once_one_has_it(place: Place) -> None:
    with ThreadPoolExecutor(2) as both:
        opened = [both.submit(Ledger, place, None, name) for name in ("one", "two")]
    assert sorted(isinstance(one.exception(), BelongsElsewhere) for one in opened) == [False, True]


def test_a_demo_never_writes_into_another_ledger(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / MARKER).write_text('{"kind": "demo"}')
    monkeypatch.setenv("ICTAL_LEDGER", "postgresql://ictal:hunter2@127.0.0.1:1/ledger")
    said = ictal("audit", "verify")
    assert said.code == 2 and "a demo keeps its ledger in its own folder" in said.err


def test_a_workspace_file_that_cannot_be_read_gives_no_ledger_away(home: Path) -> None:
    (home / MARKER).write_text(json.dumps({"kind": "real", "id": "id-of-one"}))
    Journal(home).ledger.append_many([recording(1)])
    for damaged in (b"", b'{"kind": "real", "id"', b"[]", b"\xff"):
        (home / MARKER).write_bytes(damaged)
        with pytest.raises(Refused, match=r"workspace\.json of this workspace cannot be read .* put it back from Git"):
            workspace_id(home)
        with pytest.raises(Refused, match="cannot be read"):
            Journal(home)
        said = ictal("audit", "verify")
        assert said.code == 2 and "workspace.json" in said.err and not said.out
    (home / MARKER).unlink()
    (home / MARKER).mkdir()
    with pytest.raises(Refused, match="IsADirectoryError"):
        workspace_id(home)
    assert workspace_id(home / "nowhere") == ""
