"""Several programs write one store at once, and nothing is lost."""

import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from lineage import graph
from lineage.ledger import Ledger
from lineage.rows import EntryRow, PayloadRow
from lineage.store import StoreRefused, add_rows, open_store, session, table_names
from tests.databases import NewPlace, Place, Server
from tests.ledgers import PERSON, small_ledger


@pytest.fixture
def ledger(place: Place) -> Ledger:
    return small_ledger(place)


WRITER = """
import sys
from lineage.ledger import Actor, Ledger
ledger = Ledger(sys.argv[1])
for number in range(int(sys.argv[3])):
    said = {"writer": sys.argv[2], "number": number}
    entry = ledger.append("run.finished", actor=Actor(sys.argv[2]), payload=said)
    print(entry.seq, entry.id, flush=True)
"""


def writer(place: Place, name: str, times: int, **options: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(place), name, str(times)]
    return subprocess.Popen(command, text=True, **options)


def test_four_programs_that_append_at_once_lose_nothing(place: Place) -> None:
    """None of them finds the ledger there: they also make it at once."""
    writers = [writer(place, name, 25, stdout=subprocess.DEVNULL) for name in "abcd"]
    assert [w.wait(timeout=120) for w in writers] == [0] * 4
    ledger = Ledger(place)
    entries = ledger.entries()
    assert [e.seq for e in entries] == list(range(100))
    for name in "abcd":
        said = [ledger.payload(e.payload_digest) for e in entries if e.actor.id == name]
        assert [p and p["number"] for p in said] == list(range(25))
    assert ledger.verify().problems == []


def test_a_program_that_is_killed_while_it_appends_loses_nothing_that_it_was_told_is_kept(place: Place) -> None:
    """`kill -9` in the middle of appending: what was acknowledged is there, and others append on."""
    program = writer(place, "victim", 10_000, stdout=subprocess.PIPE)
    assert program.stdout is not None
    told = [program.stdout.readline() for _ in range(20)]
    program.kill()
    told += program.communicate(timeout=60)[0].splitlines(keepends=True)
    kept = {f"{e.seq} {e.id}" for e in Ledger(place).entries()}
    acknowledged = {line.strip() for line in told if line.endswith("\n")}
    assert len(acknowledged) >= 20 and acknowledged <= kept and len(kept) <= len(acknowledged) + 1
    assert Ledger(place).append("run.finished", actor=PERSON).seq == len(kept)
    assert Ledger(place).verify().problems == []


def test_a_reader_sees_one_moment_while_another_writes(ledger: Ledger) -> None:
    count = select(func.count()).select_from(EntryRow)
    with session(ledger.engine, write=False) as reading:
        before = reading.scalar(count)
        ledger.append("run.finished", actor=PERSON)
        assert reading.scalar(count) == before == 7
    assert ledger.head().size == 8


def test_reading_never_waits_for_a_writer(ledger: Ledger) -> None:
    entry = ledger.entry(3)
    with session(ledger.engine) as writing:
        writing.add(EntryRow(seq=7, id="x", type="run.finished", recorded_at="", envelope=b"{}"))
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


def test_a_connection_is_never_carried_into_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite: "Do not open an SQLite database connection, then fork(2), then try to use it in the child"."""
    ledger = small_ledger(tmp_path)
    with ledger.engine.connect() as first:
        before = first.connection.dbapi_connection
    with ledger.engine.connect() as again:
        assert again.connection.dbapi_connection is before
    monkeypatch.setattr("lineage.store.os.getpid", lambda: -1)
    with ledger.engine.connect() as after:
        assert after.connection.dbapi_connection is not before


def test_an_error_takes_the_whole_transaction_back(ledger: Ledger) -> None:
    with pytest.raises(RuntimeError, match="power cut"), session(ledger.engine) as writing:
        writing.add(EntryRow(seq=7, id="x", type="run.finished", recorded_at="", envelope=b"{}"))
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


def test_a_path_and_its_url_are_one_store(tmp_path: Path) -> None:
    ledger = small_ledger(tmp_path)
    assert Ledger(f"sqlite:///{ledger.engine.url.database}").head() == ledger.head()


@pytest.mark.parametrize("secret", ["hunter2", "p@ss", "a:b/c@d", "7%2F@1"])
@pytest.mark.parametrize("rest", ["127.0.0.1:1/ledger", "127.0.0.1:one/ledger", "127.0.0.1", ":/", ""])
def test_a_postgresql_that_cannot_be_used_is_refused_without_showing_its_password(secret: str, rest: str) -> None:
    with pytest.raises(StoreRefused) as refused:
        open_store(f"postgresql://ictal:{secret}@{rest}")
    said = "".join(traceback.format_exception(refused.value))
    assert secret not in said and "hunter2" not in said
    assert "cannot be" in str(refused.value)


def test_a_wrong_password_and_a_wrong_name_are_told_apart(server: Server) -> None:
    with pytest.raises(StoreRefused, match="does not take this user and password") as refused:
        open_store(server.url(password="another"))
    assert "another" not in str(refused.value)
    with pytest.raises(StoreRefused, match="nowhere cannot be used: it has no database"):
        open_store(server.url("nowhere"))


def test_a_store_has_only_the_tables_that_it_was_opened_for(new_place: NewPlace) -> None:
    engine = open_store(new_place(), EntryRow)
    assert table_names(engine) == {"entry"}


def test_what_is_refused_by_the_database_is_told_without_what_was_to_be_written(ledger: Ledger) -> None:
    """Parameters of a statement may hold what a payload says."""
    with pytest.raises(DBAPIError) as error, session(ledger.engine) as writing:
        add_rows(writing, PayloadRow, [("d", b"a-secret")] * 2)
    assert "a-secret" not in str(error.value)
