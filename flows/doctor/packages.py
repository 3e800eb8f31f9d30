"""What is installed beside what the lock says, and whether what films and networks need really works."""

import re
from collections.abc import Iterator
from importlib import metadata

from flows.doctor.finding import Check, Finding, Outcome
from flows.workspace import ROOT

OK, MISSING, WRONG, UNKNOWN = Outcome.OK, Outcome.MISSING, Outcome.WRONG, Outcome.UNKNOWN
NAMED = 5
AS_LOCKED = "by everything: only the locked versions were tried together"
SET_UP = "pip install -c constraints.txt -e ."


def versions() -> Iterator[Finding]:
    """Those of constraints.txt that are installed, and those that Ictal asks for itself."""
    lock = ROOT / "constraints.txt"
    if not lock.exists():
        yield Finding(
            "packages", UNKNOWN, "constraints.txt is not here", AS_LOCKED, "run from a checkout", needed=False
        )
        return
    locked = {name_of(line): line.split("==")[1] for line in lock.read_text().split()}
    installed = {name: found for name in locked if (found := _version(name))}
    asked = {name_of(r) for r in metadata.requires("ictal") or () if "extra ==" not in r}
    absent = sorted(asked - installed.keys())
    other = [f"{n} {v} (locked {locked[n]})" for n, v in installed.items() if v.split("+")[0] != locked[n]]
    if absent:
        yield Finding("packages", MISSING, _some(absent), AS_LOCKED, SET_UP)
    if other:
        yield Finding("packages", WRONG, _some(other), AS_LOCKED, SET_UP)
    if not absent and not other:
        yield Finding("packages", OK, f"{len(installed)} as constraints.txt has them", AS_LOCKED)


def films() -> Iterator[Finding]:
    """`missing` without PyAV, `wrong` where a film of two pictures cannot be written and read again."""
    needed = "to read and write films"
    try:
        from data.readers.codecs import codec_problem, codecs
    except ImportError:
        yield Finding("films", MISSING, "PyAV cannot be imported", needed, SET_UP)
        return
    problem = codec_problem()
    yield Finding("films", WRONG if problem else OK, problem or codecs(), needed, SET_UP if problem else "")


def networks() -> Iterator[Finding]:
    """`missing` without PyTorch, `wrong` where it computes a gradient that is known otherwise."""
    needed = "to train and to answer"
    try:
        from models.machine import computing, computing_problem
    except ImportError:
        yield Finding("networks", MISSING, "PyTorch cannot be imported", needed, SET_UP)
        return
    problem = computing_problem()
    yield Finding("networks", WRONG if problem else OK, problem or computing(), needed, SET_UP if problem else "")


CHECKS: tuple[Check, ...] = (versions, films, networks)


def name_of(requirement: str) -> str:
    """The package that a requirement is about, as the lock writes it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[<>=!~\[; ]", requirement)[0]).lower()


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _some(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
