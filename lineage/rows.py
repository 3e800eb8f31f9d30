"""How the ledger lies in the store: its lines, the tree over them, an index of subjects, payloads, checkpoints.

`entry.envelope` is the truth; tree, index and graph can be made again from it and are compared with it by `audit`.
"""

from sqlalchemy import DDL, LargeBinary, event
from sqlalchemy.orm import Mapped, mapped_column

from lineage.store import Base


class EntryRow(Base):
    """One line. `envelope` is what was hashed; the columns repeat what is searched by, and `audit` compares them."""

    __tablename__ = "entry"
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(unique=True)
    type: Mapped[str] = mapped_column(index=True)
    recorded_at: Mapped[str]
    envelope: Mapped[bytes] = mapped_column(LargeBinary)


class TreeRow(Base):
    """Hash of the complete subtree (level, position): position counts subtrees of that level from the left."""

    __tablename__ = "tree"
    __table_args__ = ({"sqlite_with_rowid": False},)
    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hash: Mapped[bytes] = mapped_column(LargeBinary)


class SubjectRow(Base):
    """One thing that a line is about, `place` counting the line's subjects from 0; found by its digest."""

    __tablename__ = "subject"
    __table_args__ = ({"sqlite_with_rowid": False},)
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
    """A checkpoint as it was signed here, in JSON, and when (UTC)."""

    __tablename__ = "checkpoint"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[str]
    text: Mapped[str]


def keep_forever(table: str, *, but_delete: bool = False) -> None:
    """Make the database itself refuse to change rows of `table`, and to delete them unless `but_delete`."""
    acts = ("UPDATE",) if but_delete else ("UPDATE", "DELETE")
    made = Base.metadata.tables[table]
    for act in acts:
        trigger = (
            f"CREATE TRIGGER {table}_refuses_{act.lower()} BEFORE {act} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )
        event.listen(made, "after_create", DDL(trigger).execute_if(dialect="sqlite"))
    event.listen(made, "after_create", DDL(_REFUSES).execute_if(dialect="postgresql"))
    trigger = (
        f"CREATE TRIGGER {table}_refuses BEFORE {' OR '.join((*acts, 'TRUNCATE'))} ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION ictal_append_only()"
    )
    event.listen(made, "after_create", DDL(trigger).execute_if(dialect="postgresql"))


_REFUSES = """
CREATE OR REPLACE FUNCTION ictal_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '%% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation'; END $$
"""

for _table in ("entry", "tree", "subject", "checkpoint"):
    keep_forever(_table)
keep_forever("payload", but_delete=True)
