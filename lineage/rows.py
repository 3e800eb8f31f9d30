"""How the ledger lies in the store: its lines, the tree over them, an index of subjects, payloads, checkpoints.

`entry.envelope` is the truth; tree, index and graph can be made again from it and are compared with it by `audit`.
"""

from sqlalchemy import DDL, LargeBinary, event
from sqlalchemy.orm import Mapped, mapped_column

from lineage.store import Base


class EntryRow(Base):
    __tablename__ = "entry"
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(unique=True)
    type: Mapped[str] = mapped_column(index=True)
    recorded_at: Mapped[str]
    envelope: Mapped[bytes] = mapped_column(LargeBinary)


class TreeRow(Base):
    """Hash of the complete subtree (level, position): position counts subtrees of that level from the left."""

    __tablename__ = "tree"
    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hash: Mapped[bytes] = mapped_column(LargeBinary)


class SubjectRow(Base):
    __tablename__ = "subject"
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]
    id: Mapped[str]
    digest: Mapped[str] = mapped_column(index=True)


class PayloadRow(Base):
    """What entries say in full. The one table from which something may be taken away (`Ledger.erase`)."""

    __tablename__ = "payload"
    digest: Mapped[str] = mapped_column(primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class CheckpointRow(Base):
    __tablename__ = "checkpoint"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[str]
    text: Mapped[str]


def keep_forever(table: str) -> None:
    """Make the database itself refuse to change or delete rows of `table`."""
    for act in ("UPDATE", "DELETE"):
        trigger = (
            f"CREATE TRIGGER {table}_refuses_{act.lower()} BEFORE {act} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )
        event.listen(Base.metadata.tables[table], "after_create", DDL(trigger).execute_if(dialect="sqlite"))


for _table in ("entry", "tree", "subject", "checkpoint"):
    keep_forever(_table)
