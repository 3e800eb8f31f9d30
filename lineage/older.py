"""Ledgers of earlier releases: their lines stay as they are, what is kept beside for look-up is made again."""

import json

from sqlalchemy import Engine, inspect, select, text
from sqlalchemy.orm import Session

from lineage import graph
from lineage.entries import Entry
from lineage.rows import EntryRow
from lineage.store import session, table_names

NAMED_BY_DIGEST = {"edge": {"child", "relation", "parent"}, "node": {"digest", "kind", "label"}}
"""Tables of the lineage as it was kept before its things had numbers, with their columns: a database that holds a ledger
may hold other tables that are called so."""

AT_ONCE = 5000


def bring_up_to_date(engine: Engine) -> None:
    """Number the lineage of a ledger that still names it by digest, in one transaction; later calls find nothing to do."""
    if not set(NAMED_BY_DIGEST) <= table_names(engine):
        return
    with session(engine) as writing:
        if not _are_there(writing):
            return  # they are somebody else's, or another program was first
        envelopes = writing.scalars(select(EntryRow.envelope).order_by(EntryRow.seq)).partitions(AT_ONCE)
        for part in envelopes:
            graph.record(writing, [Entry.from_envelope(json.loads(envelope)) for envelope in part])
        for table in NAMED_BY_DIGEST:
            writing.execute(text(f"DROP TABLE {table}"))


def _are_there(writing: Session) -> bool:
    seen = inspect(writing.connection())
    return set(NAMED_BY_DIGEST) <= set(seen.get_table_names()) and all(
        {column["name"] for column in seen.get_columns(table)} == columns for table, columns in NAMED_BY_DIGEST.items()
    )
