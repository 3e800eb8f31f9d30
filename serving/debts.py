"""Answers that stand in the ledger and may not have reached the site that asked: given to it when it asks the same again."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lineage.digest import Digest
from lineage.store import Base, open_store, session


class OwedRow(Base):
    """An answer and by what it is found again: `asked`, a digest of who asked and of all that was said."""

    __tablename__ = "serving_owed"
    prediction_id: Mapped[str] = mapped_column(primary_key=True)
    asked: Mapped[str] = mapped_column(index=True)


class Debts:
    """Kept in the transaction that writes an answer down, so that a debt stands if and only if its answer does, also after a
    `kill -9`. What was given is taken out with the next answer, which costs no transaction of its own, or by `settle`.

    There is no limit: a row is smaller than the line in the ledger beside which it stands. May be used by several threads.
    """

    def __init__(self, engine: Engine):
        self._engine, self._lock = engine, threading.Lock()
        self._giving, self._given = dict[str, set[str]](), set[str]()
        """Answers that are being given, each with those that go out with it; and those that were given."""
        open_store(engine.url.render_as_string(hide_password=False), OwedRow).dispose()

    def of(self, asked: Digest) -> str | None:
        """The id of an answer to the same question that may not have been given, and is not being given now."""
        with session(self._engine, write=False) as reading:
            found = set(reading.scalars(select(OwedRow.prediction_id).where(OwedRow.asked == asked)))
        with self._lock:
            return min(found - self._giving.keys() - self._given, default=None)

    @contextmanager
    def giving(self, prediction_id: str) -> Iterator[None]:
        """While an answer is written down and handed out; where that fails it is owed, if it was written down."""
        with self._lock:
            self._giving[prediction_id] = set()
        try:
            yield
            with self._lock:
                self._given -= self._giving[prediction_id]
                self._given.add(prediction_id)
        finally:
            with self._lock:
                del self._giving[prediction_id]

    def not_given(self, prediction_id: str) -> None:
        """An answer was handed out, and nobody was there to take it."""
        with self._lock:
            self._given.discard(prediction_id)

    def owe(self, writing: Session, prediction_id: str, asked: Digest) -> None:
        """In the transaction that writes the answer down, while it is `giving`."""
        with self._lock:
            gone = self._giving[prediction_id] = set(self._given)
        _take_out(writing, gone)
        writing.add(OwedRow(prediction_id=prediction_id, asked=asked))

    def settle(self) -> None:
        """Take out all that was given; before the process ends."""
        if self._given:
            with session(self._engine) as writing:
                _take_out(writing, self._given)


def _take_out(writing: Session, given: set[str]) -> None:
    if given:
        writing.execute(delete(OwedRow).where(OwedRow.prediction_id.in_(given)))
