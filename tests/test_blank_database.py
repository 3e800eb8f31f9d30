"""A new workspace begins with Prefect's tables in place, where the installation keeps them."""

import sqlite3
import sys
from pathlib import Path

import pytest

from flows import blank_database


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    return tmp_path


def test_it_is_made_once_and_copied_beside_nothing_that_is_there(
    installation: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = installation / "a-hospital.db"
    monkeypatch.setenv("PREFECT_SERVER_DATABASE_CONNECTION_URL", f"sqlite+aiosqlite:///{other}")
    assert not blank_database.lay_in(installation / "before"), "nobody has made it yet"
    made = blank_database.make()
    assert blank_database.make() == made and [made] == list(made.parent.iterdir())
    assert blank_database.lay_in(installation / "home")
    with sqlite3.connect(installation / "home" / "prefect.db") as database:
        (tables,) = database.execute("SELECT count(*) FROM sqlite_master WHERE name = 'flow_run'").fetchone()
        (runs,) = database.execute("SELECT count(*) FROM flow_run").fetchone()
    database.close()
    assert (tables, runs) == (1, 0)
    assert not other.exists(), "it is another's"
    assert not blank_database.lay_in(installation / "home"), "a database that is in use is left alone"
