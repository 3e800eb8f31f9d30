"""A ledger of an earlier release, whose lineage is named by digest, is numbered when it is opened, and is the same."""

from pathlib import Path

from sqlalchemy import text

from lineage import graph
from lineage.ledger import Edge, Ledger, Subject
from lineage.store import session, table_names
from tests.databases import Place
from tests.ledgers import DIGESTS, LATER, PERSON, recording, small_ledger


def of_before(ledger: Ledger) -> None:
    """Lay the lineage out as it was kept until then."""
    with session(ledger.engine) as owner:
        owner.execute(text("CREATE TABLE node (digest VARCHAR PRIMARY KEY, kind VARCHAR, label VARCHAR)"))
        owner.execute(text("CREATE TABLE edge (child VARCHAR, relation VARCHAR, parent VARCHAR)"))
        owner.execute(text("INSERT INTO node SELECT digest, kind, label FROM lineage_node"))
        for table in ("lineage_node", "lineage_edge"):
            owner.execute(text(f"DROP TABLE {table}"))


def test_tables_of_others_that_are_called_as_ours_once_were_are_left_alone(place: Place) -> None:
    engine = Ledger(place).engine
    with session(engine) as owner:
        owner.execute(text("CREATE TABLE node (id INTEGER, name VARCHAR)"))
        owner.execute(text("CREATE TABLE edge (source INTEGER, target INTEGER)"))
        owner.execute(text("INSERT INTO edge VALUES (1, 2)"))
    opened = Ledger(place)
    with session(opened.engine, write=False) as reading:
        assert reading.execute(text("SELECT source, target FROM edge")).all() == [(1, 2)]
    assert {"node", "edge"} <= table_names(opened.engine)


def test_a_ledger_of_before_is_the_same_ledger_now(tmp_path: Path) -> None:
    ledger = small_ledger(tmp_path)
    edge = Edge(DIGESTS[0], "trained_on", recording(3).subjects[0].digest)
    ledger.append("run.finished", actor=PERSON, subjects=(Subject("model", "m", DIGESTS[0]),), edges=(edge,), now=LATER)
    steps = graph.upstream(ledger, DIGESTS[0])
    head = ledger.head()
    of_before(ledger)
    opened = Ledger(tmp_path / "ledger.db")
    assert not {"node", "edge"} & table_names(opened.engine)
    assert graph.upstream(opened, DIGESTS[0]) == steps and len(steps) == 1
    assert opened.head() == head and opened.verify().problems == []
    assert Ledger(tmp_path / "ledger.db").append("run.finished", actor=PERSON, now=LATER).seq == head.size
