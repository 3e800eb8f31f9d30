"""Ledgers of earlier releases: their lines stay as they are, what is kept beside for look-up is made again."""

import json

from sqlalchemy import Engine, inspect, select, text

from lineage import graph
from lineage.entries import Entry
from lineage.rows import EntryRow
from lineage.store import session, table_names

NAMED_BY_DIGEST = ("edge", "node")
"""Tables of the lineage as it was kept before its things had numbers."""

AT_ONCE = 5000


def bring_up_to_date(engine: Engine) -> None:
    """Number the lineage of a ledger that still names it by digest, in one transaction; later calls find nothing to do."""
    if not set(NAMED_BY_DIGEST) <= table_names(engine):
        return
    with session(engine) as writing:
        if not set(NAMED_BY_DIGEST) <= set(inspect(writing.connection()).get_table_names()):
            return  # another program was first
        envelopes = writing.scalars(select(EntryRow.envelope).order_by(EntryRow.seq)).partitions(AT_ONCE)
        for part in envelopes:
            graph.record(writing, [Entry.from_envelope(json.loads(envelope)) for envelope in part])
        for table in NAMED_BY_DIGEST:
            writing.execute(text(f"DROP TABLE {table}"))
