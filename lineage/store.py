"""Where records are kept: one SQLite file that several programs may write at once without losing anything."""

import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Insert, create_engine, event, insert
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.orm import DeclarativeBase, Session

BUSY_S = 30
"""How long a writer waits for another writer before it gives up."""


class Base(DeclarativeBase):
    """The family of all tables; each table stands beside the noun that it keeps."""


def open_store(place: str | Path) -> Engine:
    """Open (or make) the store at a path or `sqlite:///` URL, with the tables of every module imported so far.

    WAL keeps readers and the one writer out of each other's way; FULL means that what is committed survives a
    power cut. Refuses other databases: appending safely to them needs their own lock, which is not built yet.
    """
    engine = create_engine(_url(place), connect_args={"timeout": BUSY_S})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "checkout", _refuse_a_forked_connection)
    event.listen(engine, "begin", _begin)
    with engine.begin() as connection:
        Base.metadata.create_all(connection)
    return engine


@contextmanager
def session(engine: Engine, *, write: bool = True) -> Iterator[Session]:
    """One transaction: all of it is kept or, after an error, none. `write=False` reads one moment, and never waits."""
    bound = engine.execution_options(ictal_reads=not write)
    with Session(bound, expire_on_commit=False) as opened, opened.begin():
        yield opened


def add_rows(writing: Session, table: type[Base], rows: Sequence[Mapping[str, Any]], *, if_new: bool = False) -> None:
    """Insert rows; with `if_new`, those whose key is already there are left as they are."""
    if rows:
        writing.connection().execute(_insertion(table, if_new), rows)


def settle(engine: Engine) -> None:
    """Move everything from the write-ahead file into the store and empty it, once no reader needs it."""
    connection = engine.raw_connection()
    try:
        connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()


@cache
def _insertion(table: type[Base], if_new: bool) -> Insert:
    """In this form SQLAlchemy compiles it once; its `on_conflict_do_nothing` is compiled anew for every row."""
    statement = insert(Base.metadata.tables[table.__tablename__])
    return statement.prefix_with("OR IGNORE") if if_new else statement


def _url(place: str | Path) -> str:
    if isinstance(place, str) and "://" in place:
        if not place.startswith("sqlite:///"):
            raise ValueError(f"only sqlite:/// stores are supported, got {place.split(':')[0]}://")
        return place
    path = Path(place).resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{path}"


def _prepare(connection: sqlite3.Connection, record: Any) -> None:
    connection.isolation_level = None  # BEGIN is written by `_begin`, not guessed by the driver
    record.info["pid"] = os.getpid()
    _use_wal(connection)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA secure_delete=ON")  # erased payloads leave no bytes behind in the file


def _use_wal(connection: sqlite3.Connection) -> None:
    """The switch to WAL does not honour the busy timeout, so two programs that make one store at once must retry."""
    deadline = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").fetchone()
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _begin(connection: Connection) -> None:
    reads = connection.get_execution_options().get("ictal_reads", False)
    # IMMEDIATE takes the write lock first: what a writer reads cannot change before it writes.
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _refuse_a_forked_connection(connection: Any, record: Any, proxy: Any) -> None:
    """A SQLite connection carried across a fork corrupts the file; the pool opens a new one instead."""
    if record.info["pid"] != os.getpid():
        record.dbapi_connection = proxy.dbapi_connection = None
        raise DisconnectionError("connection belongs to another process")
