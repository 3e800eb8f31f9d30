"""Which workspace a ledger belongs to: two that name one database would write one history of two truths."""

from sqlalchemy import Engine, select
from sqlalchemy.orm import Mapped, mapped_column

from lineage.place import LEDGER, MARKER
from lineage.refused import Refused
from lineage.rows import keep_forever
from lineage.store import Base, add_rows, session


class BelongsElsewhere(Refused, ValueError):
    """A ledger that another workspace made."""


class BelongingRow(Base):
    """One row: the id of the workspace, as its workspace.json has it."""

    __tablename__ = "belonging"
    one: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    workspace: Mapped[str]


keep_forever("belonging")


def bind(engine: Engine, workspace: str) -> None:
    """Make the ledger this workspace's, if it is nobody's; refuse it (BelongsElsewhere) if it is another's. May be
    repeated.

    A workspace without an id (one of an earlier release) takes no ledger for its own, and is refused one that has an owner.
    """
    owner = _owner(engine)
    if owner is None and workspace:
        with session(engine) as writing:
            add_rows(writing, BelongingRow, [(1, workspace)], if_new=True)
        owner = _owner(engine)
    _refuse_other(owner, workspace)


def refuse_foreign(engine: Engine, workspace: str) -> None:
    """Refuse (BelongsElsewhere) a ledger that another workspace made; one that is nobody's yet stays so."""
    _refuse_other(_owner(engine), workspace)


def _refuse_other(owner: str | None, workspace: str) -> None:
    if owner is not None and owner != workspace:
        raise BelongsElsewhere(
            f"this ledger belongs to the workspace {owner}, and this is {workspace or 'one without an id'}: name a database "
            f"of its own in {LEDGER} (one for each workspace). If this workspace goes on with the other's history, because it "
            f'was moved or made again after a loss, write "id": "{owner}" into its {MARKER}'
        )


def _owner(engine: Engine) -> str | None:
    with session(engine, write=False) as reading:
        return reading.scalar(select(BelongingRow.workspace))
