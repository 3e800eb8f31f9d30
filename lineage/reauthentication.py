"""Who failed how often to show that they are there, and which code they used last: counted across all programs.

A code is taken once (RFC 6238, 5.2), and no code older than one that was taken. After `ATTEMPTS` failures in a row
nobody is let in under that name for `LOCKED_FOR`, whatever they bring.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.orm import Mapped, Session, mapped_column

from lineage.refused import Refused
from lineage.store import Base, open_store, session
from lineage.times import read_utc, utc_text

STORE = "reauthentication.db"
ATTEMPTS = 5
LOCKED_FOR = timedelta(minutes=15)


class AuthenticationFailed(Refused):
    """It was not shown that this person is there; the message does not tell which component was wrong."""


class Locked(AuthenticationFailed):
    """Too many attempts failed; nobody is let in under this name before the lock ends."""


class AttemptRow(Base):
    """`last_step` is the step of the last code that was taken; `locked_until` is empty where there is no lock."""

    __tablename__ = "reauthentication"
    who: Mapped[str] = mapped_column(primary_key=True)
    last_step: Mapped[int]
    failures: Mapped[int]
    locked_until: Mapped[str]


def refuse_locked(folder: Path, who: str, now: datetime) -> None:
    """Locked where a lock has not ended yet: then the components are not even looked at."""
    with _writing(folder) as writing:
        _refuse_locked(_row(writing, who), now)


def count(folder: Path, who: str, step: int | None, now: datetime) -> None:
    """Write an attempt down: right with a code of `step`, or wrong (None). Returns only where it lets the person in.

    One transaction decides and writes, so that of two programs with the same code one is refused, and guesses made at
    the same time count one by one.
    """
    with _writing(folder) as writing:
        row = _row(writing, who)
        _refuse_locked(row, now)
        if step is not None and step > row.last_step:
            row.last_step, row.failures = step, 0
            return
        row.failures += 1
        left = ATTEMPTS - row.failures
        if left <= 0:
            row.failures, row.locked_until = 0, utc_text(now + LOCKED_FOR)
    raise AuthenticationFailed(f"{WRONG}; {_what_is_left(left)}")


WRONG = "key file, passphrase and code do not together open the key of a registered person (a code is taken once)"


def last_step(folder: Path, who: str) -> int:
    """The step of the last code that was taken; -1 before the first."""
    with _writing(folder) as writing:
        return _row(writing, who).last_step


def _what_is_left(left: int) -> str:
    minutes = int(LOCKED_FOR.total_seconds() / 60)
    if left <= 0:
        return f"this was failure {ATTEMPTS} of {ATTEMPTS}: nothing is accepted for {minutes} minutes"
    return f"{left} of {ATTEMPTS} attempts are left before a lock of {minutes} minutes"


def _refuse_locked(row: AttemptRow, now: datetime) -> None:
    if row.locked_until and now < read_utc(row.locked_until):
        raise Locked(f"{ATTEMPTS} attempts failed: no further one is looked at before {row.locked_until[:19]} UTC")


def _row(writing: Session, who: str) -> AttemptRow:
    row = writing.get(AttemptRow, who)
    if row is None:
        row = AttemptRow(who=who, last_step=-1, failures=0, locked_until="")
        writing.add(row)
    return row


@contextmanager
def _writing(folder: Path) -> Iterator[Session]:
    engine = open_store(folder / STORE, AttemptRow)
    try:
        with session(engine) as writing:
            yield writing
    finally:
        engine.dispose()
