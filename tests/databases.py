"""A place for a ledger of each kind: a file for SQLite, a database of its own in a real PostgreSQL started for the tests.

The server is Debian's, on the loopback, with a password, in a temporary folder; it is made when the first test asks.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL

from lineage.store import open_store

PASSWORD = "p@ss:w/rd %1"
KEPT = 8
"""Databases that a test may have at once; earlier ones are dropped."""

START_S = 60.0
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",  # the machine does not lose its power during tests
    "full_page_writes": "off",
    "autovacuum": "off",
    "jit": "off",
    "shared_buffers": "16MB",
    "max_connections": "60",
    "logging_collector": "off",
}

Place = Path | str
NewPlace = Callable[[], Place]


@dataclass
class Server:
    """A running PostgreSQL; `new_database` makes an empty one and gives its URL."""

    port: int
    data: Path
    made: list[str] = field(default_factory=list)

    def url(self, name: str = "postgres", password: str = PASSWORD) -> str:
        address = URL.create("postgresql", "postgres", password, "127.0.0.1", self.port, name)
        return address.render_as_string(hide_password=False)

    def connect(self, name: str = "postgres") -> psycopg.Connection:
        at = {"host": "127.0.0.1", "port": self.port, "dbname": name}
        return psycopg.connect(user="postgres", password=PASSWORD, autocommit=True, **at)

    def new_database(self) -> str:
        name = f"ledger_{len(self.made)}"
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'".encode())
        self.made.append(self.url(name))
        if len(self.made) > KEPT:
            self._drop(len(self.made) - KEPT - 1)
        return self.made[-1]

    def hang_up(self) -> None:
        """End every connection but this one, as a restart of the server does."""
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        with self.connect() as connection:
            connection.execute(f"{others} WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()".encode())

    def table_bytes(self) -> bytes:
        """The files of all tables, once everything is written to them."""
        with self.connect() as connection:
            connection.execute("CHECKPOINT")
        return b"".join(path.read_bytes() for path in (self.data / "base").rglob("*") if path.is_file())

    def disconnect(self) -> None:
        for url in self.made[-KEPT:]:
            open_store(url).dispose()

    def _drop(self, number: int) -> None:
        """A database of an earlier test: each is some hundred files."""
        open_store(self.made[number]).dispose()
        with self.connect() as connection:
            connection.execute(f"DROP DATABASE ledger_{number} WITH (FORCE)".encode())


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The one PostgreSQL of this test run (of each worker); skipped where none is installed."""
    with temporary_server() as running:
        yield running


@contextmanager
def temporary_server() -> Iterator[Server]:
    """A PostgreSQL for as long as the block lasts."""
    programs, user = _programs(), _user()
    with tempfile.TemporaryDirectory(prefix="ictal-postgresql-", dir=_memory(), ignore_cleanup_errors=True) as folder:
        os.chown(folder, user.pw_uid, user.pw_gid)
        _initialise(programs, user, Path(folder))
        with _running(programs, user, Path(folder)) as running:
            yield running
            running.disconnect()


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def new_place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> NewPlace:
    """Gives another empty place for a ledger at each call."""
    if request.param == "sqlite":
        return lambda: tmp_path_factory.mktemp("ledger") / "ledger.db"
    running: Server = request.getfixturevalue("server")
    return running.new_database


@pytest.fixture
def place(new_place: NewPlace) -> Place:
    return new_place()


def _memory() -> Path | None:
    """A folder in memory, where there is room: a database is some hundred files, and tests make many."""
    shared = Path("/dev/shm")
    return shared if shared.is_dir() and shutil.disk_usage(shared).free > 1 << 30 else None


def _programs() -> Path:
    on_path = shutil.which("initdb")
    found = [Path(on_path).parent] if on_path else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if not found:
        pytest.skip("PostgreSQL is not installed (Debian: apt install postgresql)")
    return found[0]


def _user() -> pwd.struct_passwd:
    """Who runs the server: PostgreSQL refuses to be run by root."""
    if os.getuid():
        return pwd.getpwuid(os.getuid())
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        pytest.skip("PostgreSQL does not run as root, and there is no account postgres")


def _initialise(programs: Path, user: pwd.struct_passwd, folder: Path) -> None:
    secret = folder / "password"
    secret.write_text(PASSWORD)
    os.chown(secret, user.pw_uid, user.pw_gid)
    command = [programs / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8"]
    _as(user, [*command, f"--pwfile={secret}", "--locale=C.UTF-8", "--no-sync"]).communicate(timeout=START_S)
    with (folder / "data" / "postgresql.auto.conf").open("a") as file:
        file.writelines(f"{name} = '{value}'\n" for name, value in SETTINGS.items())


@contextmanager
def _running(programs: Path, user: pwd.struct_passwd, folder: Path) -> Iterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    process = _as(user, [programs / "postgres", "-D", folder / "data", "-p", port])
    try:
        running = Server(port, folder / "data")
        _wait(running, process)
        yield running
    finally:
        process.send_signal(signal.SIGQUIT)  # at once: nothing of it is kept
        process.communicate(timeout=START_S)


def _as(user: pwd.struct_passwd, command: list[object]) -> subprocess.Popen:
    other = {} if os.getuid() == user.pw_uid else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT, "stdin": subprocess.DEVNULL}
    return subprocess.Popen([str(part) for part in command], cwd="/", **quiet, **other)


def _wait(running: Server, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            return running.connect().close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
