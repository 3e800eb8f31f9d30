"""Python, programs, room, cores and the clock."""

import ctypes
import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from flows.doctor.finding import Check, Finding, Outcome
from flows.doctor.places import PREFECT
from flows.workspace import home
from lineage.onetime import STEP_S, TOLERATED_STEPS

OK, MISSING, WRONG, UNKNOWN = Outcome.OK, Outcome.MISSING, Outcome.WRONG, Outcome.UNKNOWN

PREFECT_SERVER = "prefect server start"
PYTHON = (3, 11)
LEAST_DISK_GB, LEAST_MEMORY_GB = 5.0, 4.0
"""Chosen, not measured: an installation takes 3.6 GB, the demo's workspace 1.9, and each training holds its folds in memory."""

PORTS = {"ictal serve": 8000, "ictal console": 8010, PREFECT_SERVER: 4200}
CHROMIUM = Path("/usr/bin/chromium")
TIME_ERROR, TIMEX_BYTES = 5, 512
"""What adjtimex(2) answers where nothing keeps the clock; and more room than its structure takes on any machine."""


def python() -> Iterator[Finding]:
    """`wrong` for every Python but that of `PYTHON`."""
    right = sys.version_info[:2] == PYTHON
    wanted = ".".join(map(str, PYTHON))
    yield Finding(
        "python", OK if right else WRONG, platform.python_version(), "for everything",
        "" if right else f"make the environment anew with Python {wanted} (`make`)",
    )  # fmt: skip


def programs() -> Iterator[Finding]:
    """Git, without which there is no workspace; make, Chromium and a PostgreSQL server, which are not needed."""
    yield _program("git", "to make and keep workspaces", "apt install git", needed=True)
    yield _program("make", "for `make demo` and `make test`", "apt install make", needed=False)
    yield _found("chromium", [CHROMIUM] if CHROMIUM.exists() else [], "by tests of the console", "apt install chromium")
    servers = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    yield _found("postgresql server", servers, "by tests of a ledger in PostgreSQL", "apt install postgresql")


def room() -> Iterator[Finding]:
    """Disk and memory to be had, in GB, against the least of each; and whether the place may be written to."""
    place = next(folder for folder in (home(), *home().parents) if folder.exists())
    free = shutil.disk_usage(place).free / 1e9
    yield _enough("disk", free, LEAST_DISK_GB, "free where the workspace is", "for recordings, models and DVC's copies")
    memory = _memory_gb()
    if memory is None:
        yield Finding("memory", UNKNOWN, "the system does not say", "to train", needed=False)
    else:
        yield _enough("memory", memory, LEAST_MEMORY_GB, "to be had now", "to train")
    writable = os.access(place, os.W_OK)
    yield Finding(
        "place for a workspace", OK if writable else WRONG, f"{'may' if writable else 'may not'} be written to",
        "for all state", "" if writable else "name a folder of yours in ICTAL_HOME",
    )  # fmt: skip


def cores() -> Iterator[Finding]:
    """How many cores this process may use: told, whatever their number."""
    count = len(os.sched_getaffinity(0))
    yield Finding("cores", OK, f"{count}", "to train in a reasonable time")


def clock() -> Iterator[Finding]:
    """The kernel knows whether something keeps its clock; a guest whose host keeps it is not told, hence never `wrong`."""
    needed = f"to sign: codes of a device hold for {STEP_S} s, and {TOLERATED_STEPS * STEP_S} s are tolerated"
    state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(TIMEX_BYTES)) if sys.platform == "linux" else -1
    if 0 <= state < TIME_ERROR:
        yield Finding("clock", OK, "kept in time", needed)
    else:
        step = "compare it with another clock, or have chrony or systemd-timesyncd keep it"
        yield Finding("clock", UNKNOWN, "nothing here says that it is kept in time", needed, step)


def ports() -> Iterator[Finding]:
    """Whether service, console and Prefect's server can listen on 127.0.0.1 as they usually do; one that is taken is `wrong`.

    Where the machine names a Prefect server, that one is asked itself, and its port is where it should be taken.
    """
    for command, port in PORTS.items():
        if command == PREFECT_SERVER and os.environ.get(PREFECT):
            continue
        with socket.socket() as trying:
            trying.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trying.bind(("127.0.0.1", port))
            except OSError:
                yield Finding(
                    f"port {port}", WRONG, "taken by another program, or by this one started before", f"for `{command}`",
                    f"{command} --port another", needed=False,
                )  # fmt: skip
            else:
                yield Finding(f"port {port}", OK, "free", f"for `{command}`", needed=False)


CHECKS: tuple[Check, ...] = (python, programs, room, cores, clock, ports)


def _program(name: str, needed_for: str, next_step: str, *, needed: bool) -> Finding:
    if not shutil.which(name):
        return Finding(name, MISSING, "not found", needed_for, next_step, needed)
    said = subprocess.run([name, "--version"], capture_output=True, text=True, timeout=20)
    return Finding(name, OK, (said.stdout.splitlines() or ["found"])[0], needed_for, needed=needed)


def _found(name: str, paths: list[Path], needed_for: str, next_step: str) -> Finding:
    if not paths:
        return Finding(name, MISSING, "not found", needed_for, next_step, needed=False)
    return Finding(name, OK, str(paths[-1]), needed_for, needed=False)


def _enough(name: str, has_gb: float, least_gb: float, what: str, needed_for: str) -> Finding:
    if has_gb >= least_gb:
        return Finding(name, OK, f"{has_gb:.1f} GB {what}", needed_for)
    return Finding(name, WRONG, f"{has_gb:.1f} GB {what}", needed_for, f"make room: at least {least_gb:g} GB")


def _memory_gb() -> float | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 / 1e9 for line in lines if line.startswith("MemAvailable:")), None)
