"""Several programs write one store at once, and nothing is lost."""

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import func, select

from lineage import graph
from lineage.ledger import Ledger
from lineage.rows import EntryRow
from lineage.store import StoreRefused, open_store, session
from tests.ledgers import PERSON, small_ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return small_ledger(tmp_path)


WRITER = """
import sys
from lineage.ledger import Actor, Ledger
ledger = Ledger(sys.argv[1])
for number in range(int(sys.argv[3])):
    ledger.append("run.started", actor=Actor(sys.argv[2]), payload={"writer": sys.argv[2], "number": number})
"""


def test_two_programs_that_append_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"  # neither finds it there: they also make it at once
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), name, "60"]) for name in "ab"]
    assert [w.wait(timeout=60) for w in writers] == [0, 0]
    ledger = Ledger(path)
    entries = ledger.entries()
    assert [e.seq for e in entries] == list(range(120))
    for name in "ab":
        said = [ledger.payload(e.payload_digest) for e in entries if e.actor.id == name]
        assert [p and p["number"] for p in said] == list(range(60))
    assert ledger.verify().problems == []


def test_a_reader_sees_one_moment_while_another_writes(ledger: Ledger) -> None:
    count = select(func.count()).select_from(EntryRow)
    with session(ledger.engine, write=False) as reading:
        before = reading.scalar(count)
        ledger.append("run.started", actor=PERSON)
        assert reading.scalar(count) == before == 7
    assert ledger.head().size == 8


def test_reading_never_waits_for_a_writer(ledger: Ledger) -> None:
    entry = ledger.entry(3)
    with session(ledger.engine) as writing:
        writing.add(EntryRow(seq=7, id="x", type="run.started", recorded_at="", envelope=b"{}"))
        writing.flush()
        assert ledger.entries()[3] == ledger.entry(3) == entry
        assert ledger.payload(entry.payload_digest) == {"seconds": 3}
        assert (ledger.head().size, ledger.checkpoints(), ledger.verify().ok) == (7, [], True)
        assert ledger.inclusion_proof(3) and ledger.consistency_proof(3, 7)
        assert graph.upstream(ledger, entry.subjects[0].digest) == []
        assert graph.node(ledger, entry.subjects[0].digest).label == "sub-003"
        writing.rollback()


def test_what_was_read_stays_readable_after_the_transaction(ledger: Ledger) -> None:
    with session(ledger.engine, write=False) as reading:
        row = reading.get_one(EntryRow, 3)
    assert row.type == "recording.registered"


def test_a_connection_is_never_carried_into_another_process(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite: "Do not open an SQLite database connection, then fork(2), then try to use it in the child"."""
    with ledger.engine.connect() as first:
        before = first.connection.dbapi_connection
    with ledger.engine.connect() as again:
        assert again.connection.dbapi_connection is before
    monkeypatch.setattr("lineage.store.os.getpid", lambda: -1)
    with ledger.engine.connect() as after:
        assert after.connection.dbapi_connection is not before


def test_an_error_takes_the_whole_transaction_back(ledger: Ledger) -> None:
    with pytest.raises(RuntimeError, match="power cut"), session(ledger.engine) as writing:
        writing.add(EntryRow(seq=7, id="x", type="run.started", recorded_at="", envelope=b"{}"))
        writing.flush()
        raise RuntimeError("power cut")
    assert ledger.head().size == 7


def test_a_store_survives_power_cuts_and_zeroes_what_is_deleted(tmp_path: Path) -> None:
    with session(open_store(tmp_path / "s.db"), write=False) as reading:
        pragmas = {name: reading.connection().exec_driver_sql(f"PRAGMA {name}").scalar() for name in PRAGMAS}
    assert pragmas == PRAGMAS


PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1, "foreign_keys": 1, "busy_timeout": 30000}


def test_a_store_of_another_kind_is_refused() -> None:
    with pytest.raises(StoreRefused, match="got mysql"):
        open_store("mysql://somewhere/ledger")


def test_a_path_and_its_url_are_one_store(ledger: Ledger) -> None:
    assert Ledger(f"sqlite:///{ledger.engine.url.database}").head() == ledger.head()
