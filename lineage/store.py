"""Where records are kept: one SQLite file or one PostgreSQL database, which several programs may write at once.

In both a writer holds the one lock from its first look to its last line, so that what it saw is still so when it
writes; readers see one moment and never wait.
"""

import errno
import json
import os
import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ARRAY,
    URL,
    Connection,
    Dialect,
    Engine,
    Select,
    Table,
    Text,
    any_,
    bindparam,
    create_engine,
    event,
    func,
    inspect,
    make_url,
    select,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError
from sqlalchemy.orm import DeclarativeBase, Session

from lineage.refused import Refused

BUSY_S = 30
"""How long a writer waits for another writer before it gives up."""

CONNECT_S = 10
"""How long a PostgreSQL server may take to answer."""

WRITER = 0x1C7A1
"""The advisory lock that the one writer of a PostgreSQL database holds."""


class StoreRefused(Refused, ValueError):
    """A store that cannot be opened; the message never shows the password that its address may hold."""


class Base(DeclarativeBase):
    """The family of all tables; each table stands beside the noun that it keeps."""


def open_store(place: str | Path, *tables: type[Base]) -> Engine:
    """Open (or make) the store at a path, a `sqlite:///` or a `postgresql://` URL, with these tables.

    Without any it has the tables of every module imported so far. What is committed survives a power cut: SQLite
    writes FULL, PostgreSQL with `synchronous_commit` (and `fsync`, which its owner must leave on). Refuses
    (StoreRefused) other databases, and a server that does not answer.
    """
    url = _url(place)
    engine = _sqlite(url) if url.drivername == "sqlite" else _postgresql(url)
    wanted = [Base.metadata.tables[t.__tablename__] for t in tables] or list(Base.metadata.tables.values())
    try:
        _make(engine, wanted)
    except DBAPIError as error:
        if url.drivername == "sqlite":
            raise
        raise StoreRefused(
            f"{_named(url)} cannot be used: {_reason(error)}. Is the server up, and the URL right?"
        ) from None
    return engine


def reach(place: str) -> set[str]:
    """The names of the tables in a database that is there; nothing is made in it. Refuses as `open_store` does."""
    url = _url(place)
    if url.drivername == "sqlite" and not Path(url.database or "").is_file():
        raise StoreRefused("there is no store at this path")
    engine = _sqlite(url) if url.drivername == "sqlite" else _postgresql(url)
    try:
        return table_names(engine)
    except DBAPIError as error:
        raise StoreRefused(f"{_named(url)} cannot be used: {_reason(error)}") from None


@contextmanager
def session(engine: Engine, *, write: bool = True) -> Iterator[Session]:
    """One transaction: all of it is kept or, after an error, none. `write=False` reads one moment, and never waits.

    A writer waits up to `BUSY_S` seconds for another one, and then raises SQLAlchemy's DBAPIError.
    """
    with Session(engine, expire_on_commit=False) as opened, opened.begin():
        opened.connection(execution_options={"ictal_reads": not write})
        yield opened


def add_rows(
    writing: Session,
    table: type[Base],
    rows: Sequence[tuple],
    *,
    columns: tuple[str, ...] = (),
    if_new: bool = False,
) -> None:
    """Insert rows, of all columns in their order unless some are named; with `if_new`, those whose key is already there
    are left as they are. The driver gets them as they are, which takes a third of the time of SQLAlchemy's insert."""
    if rows:
        connection = writing.connection()
        statement = _insertion(table, columns, if_new, connection.dialect.name)
        with _driver(connection, statement) as cursor:
            cursor.executemany(statement, rows)


def raw_rows(reading: Session, query: Select[Any]) -> list[tuple]:
    """All rows of a query as the driver gives them: a million cost a quarter of what SQLAlchemy's own rows do."""
    result = reading.connection().execute(query)
    rows: Any = result.cursor.fetchall() if result.cursor is not None else []
    result.close()
    return rows


def driver_rows(reading: Session, statement: str, parameters: Any = ()) -> list[tuple]:
    """All rows of a statement that is handed to the driver as it stands: with `add_rows` doing the same, an append took 2.4 ms
    of processor time instead of 3.4. Only for texts written here: no value is ever part of one, but a whole number."""
    with _driver(reading.connection(), statement) as cursor:
        cursor.execute(statement, parameters)
        rows: list[tuple] = cursor.fetchall()
        return rows


@contextmanager
def _driver(connection: Connection, statement: str) -> Iterator[Any]:
    """The driver's cursor; its errors become those of SQLAlchemy, which do not repeat what was to be written."""
    cursor, errors = connection.connection.cursor(), connection.dialect.loaded_dbapi.Error
    try:
        yield cursor
    except errors as error:
        raise DBAPIError.instance(statement, (), error, errors, hide_parameters=True) from error
    finally:
        cursor.close()


def has_no_room(error: BaseException) -> bool:
    """Whether a file or a store could not be written, or opened, since there is no room for it now: what was not done can be
    done later, as it is."""
    if isinstance(error, OSError):
        return error.errno in _NO_ROOM
    refused = error.orig if isinstance(error, DBAPIError) else None
    code, state = getattr(refused, "sqlite_errorcode", None), getattr(refused, "sqlstate", None)
    return code == sqlite3.SQLITE_FULL or state == _DISK_FULL


_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE}
_DISK_FULL = "53100"
"""By which PostgreSQL says it (its manual, appendix A)."""


def can_be_named(text: str) -> bool:
    """Whether a store can be asked for this text, which may come from anywhere: PostgreSQL takes no NUL, and none takes
    what is not Unicode. Nothing in a store is called by any other."""
    return "\0" not in text and not any("\ud800" <= sign <= "\udfff" for sign in text)


class Version:
    """Whether a store was written to: ask twice, and it was not where the two answers are equal.

    SQLite tells a connection in microseconds whether another has written. PostgreSQL does not: there no two are equal.
    """

    def __init__(self, engine: Engine):
        self._held = engine.raw_connection() if engine.dialect.name == "sqlite" else None

    def __call__(self) -> object:
        driver: Any = self._held and self._held.driver_connection
        return driver.execute("PRAGMA data_version").fetchone()[0] if driver else object()

    def close(self) -> None:
        """Let go of the connection; may be called twice. No two answers are equal from then on, as with PostgreSQL."""
        if self._held:
            self._held.close()
            self._held = None


def rows_with(reading: Session, key: Any, values: Sequence[str], *columns: Any) -> list[tuple]:
    """The columns of all rows whose `key` is one of many values, in one parameter however many there are."""
    dialect = reading.get_bind().dialect
    asked: Any = (json.dumps(values),) if dialect.name == "sqlite" else {"values": list(values)}
    return driver_rows(reading, _those_with(dialect, key, columns), asked)


@cache
def _those_with(dialect: Dialect, key: Any, columns: tuple) -> str:
    if dialect.name == "sqlite":
        listed = func.json_each(bindparam("values")).table_valued("value")
        query = select(*columns).where(key.in_(select(listed.c.value)))
    else:
        query = select(*columns).where(key == any_(bindparam("values", type_=ARRAY(Text))))
    return str(query.compile(dialect=dialect))


def settle(engine: Engine, table: type[Base]) -> None:
    """Let nothing of what was deleted from a table live on in its files, once no reader needs it.

    SQLite has overwritten it already, and empties its write-ahead file. PostgreSQL writes the table anew; its
    write-ahead log keeps the bytes until the server recycles it.
    """
    connection = engine.raw_connection()
    driver: Any = connection.driver_connection
    try:
        if engine.dialect.name == "sqlite":
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        else:
            driver.autocommit = True
            driver.execute(f"VACUUM (FULL) {table.__tablename__}")
            driver.autocommit = False
    finally:
        connection.close()


def table_names(engine: Engine) -> set[str]:
    """The tables that the store holds now, whoever made them."""
    with session(engine, write=False) as reading:
        return set(inspect(reading.connection()).get_table_names())


def add_indexes(engine: Engine, table: type[Base]) -> None:
    """Make the indexes of a table that it lacks in a store from before they were thought of."""
    made = Base.metadata.tables[table.__tablename__]
    with session(engine, write=False) as reading:
        there = {index["name"] for index in inspect(reading.connection()).get_indexes(made.name)}
    missing = [index for index in made.indexes if index.name not in there]
    if missing:
        with session(engine) as writing:
            for index in missing:
                index.create(writing.connection(), checkfirst=True)


@cache
def _insertion(table: type[Base], columns: tuple[str, ...], if_new: bool, dialect: str) -> str:
    names = columns or tuple(Base.metadata.tables[table.__tablename__].columns.keys())
    mark, how, end = ("?", " OR IGNORE", "") if dialect == "sqlite" else ("%s", "", " ON CONFLICT DO NOTHING")
    what = f"{table.__tablename__} ({', '.join(names)}) VALUES ({', '.join([mark] * len(names))})"
    return f"INSERT{how if if_new else ''} INTO {what}{end if if_new else ''}"


def _make(engine: Engine, wanted: Sequence[Table]) -> None:
    """Looks first: who only reads does not wait for a writer."""
    if {table.name for table in wanted} <= table_names(engine):
        return
    with session(engine) as writing:
        Base.metadata.create_all(writing.connection(), wanted)


def _url(place: str | Path) -> URL:
    if not isinstance(place, str) or "://" not in place:
        path = Path(place).resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        return URL.create("sqlite", database=str(path))
    kind = place.split(":")[0]
    if kind not in ("sqlite", "postgresql", "postgres", "postgresql+psycopg"):
        raise StoreRefused(f"a store is a path, sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME, got {kind}://")
    try:
        url = make_url(place)
    except (ArgumentError, ValueError):
        url = None
    if url is None or not (url.database or kind == "sqlite"):
        raise StoreRefused(
            f"this {kind}:// URL cannot be read: it goes {kind}://USER:PASSWORD@HOST:PORT/NAME, with signs such as @ : / "
            "in the password written as %40 %3A %2F"
        )
    return url if kind == "sqlite" else url.set(drivername="postgresql+psycopg")


def _named(url: URL) -> str:
    """Where a store is, in words that cannot hold a password."""
    parts = [str(part) for part in (url.host, url.port, url.database) if part]
    plain = all(re.fullmatch(r"[A-Za-z0-9._-]{1,64}", part) for part in parts)
    return f"the PostgreSQL store {'/'.join(parts)}" if plain else "the PostgreSQL store"


def _reason(error: DBAPIError) -> str:
    """What kind of refusal it was; the server's own words may repeat what they were sent."""
    said = str(error.orig)
    for words, reason in _REASONS.items():
        if words in said:
            return reason
    state = getattr(error.orig, "sqlstate", None)
    return f"it gave error {state}" if state else "it does not answer, or turns us away"


_REASONS = {
    "password authentication failed": "it does not take this user and password",
    "does not exist": "it has no database, or no user, of this name",
    "permission denied": "this user may not make or read the tables there",
}


def _sqlite(url: URL) -> Engine:
    engine = create_engine(url, connect_args={"timeout": BUSY_S}, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    _guard_forks(engine)
    return engine


@cache
def _postgresql(url: URL) -> Engine:
    """One engine for each database, so that a program that opens its ledger often does not connect as often."""
    arguments = {"connect_timeout": CONNECT_S, "options": "-c synchronous_commit=on"}
    engine = create_engine(url, connect_args=arguments, hide_parameters=True, pool_pre_ping=True)
    event.listen(engine, "begin", _begin_postgresql)
    _guard_forks(engine)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, record: Any) -> None:
    connection.isolation_level = None  # BEGIN is written by `_begin_sqlite`, not guessed by the driver
    _use_wal(connection)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA secure_delete=ON")  # erased payloads leave no bytes behind in the file


def _use_wal(connection: sqlite3.Connection) -> None:
    """WAL keeps readers and the one writer out of each other's way. The switch to it does not honour the busy timeout,
    so two programs that make one store at once must retry."""
    deadline = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").fetchone()
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    # IMMEDIATE takes the write lock first: what a writer reads cannot change before it writes.
    statement = "BEGIN" if _reads(connection) else "BEGIN IMMEDIATE"
    with _driver(connection, statement) as cursor:
        cursor.execute(statement)


def _begin_postgresql(connection: Connection) -> None:
    """The lock is asked for by a statement of its own: each later one then sees what the writer before committed."""
    if _reads(connection):
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    else:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{BUSY_S}s'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER})")


def _reads(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get("ictal_reads", False))


def _guard_forks(engine: Engine) -> None:
    event.listen(engine, "connect", _remember_process)
    event.listen(engine, "checkout", _refuse_a_forked_connection)


def _remember_process(connection: Any, record: Any) -> None:
    record.info["pid"] = os.getpid()


def _refuse_a_forked_connection(connection: Any, record: Any, proxy: Any) -> None:
    """A SQLite connection carried across a fork corrupts the file, one of PostgreSQL the conversation; the pool opens a
    new one instead."""
    if record.info["pid"] != os.getpid():
        record.dbapi_connection = proxy.dbapi_connection = None
        raise DisconnectionError("connection belongs to another process")
