"""Reading a long ledger by ranges finds sound exactly what reading it in one piece finds sound, whatever was changed."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from lineage import audit, ranges
from lineage.ledger import Edge, Ledger, Subject
from lineage.store import session
from tests.ledgers import DIGESTS, KEY, LATER, PERSON, recording, small_ledger

TABLES = ("entry", "tree", "subject", "payload", "checkpoint", "lineage_node", "lineage_edge")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty entries: edges near and far, one drawn twice, a payload erased, a checkpoint."""
    path = tmp_path_factory.mktemp("ranges") / "ledger.db"
    ledger = small_ledger(path)
    known = [recording(i).subjects[0].digest for i in range(7)]
    for i in range(6):
        made = Subject("model", f"m{i}", DIGESTS[i])
        before = [Edge(made.digest, "begun_with", DIGESTS[i - 1])] if i else []
        edges = [Edge(made.digest, "trained_on", known[i]), *before]
        ledger.append("run.finished", actor=PERSON, subjects=(made,), edges=edges, now=LATER)
    twice = Edge(DIGESTS[5], "trained_on", known[5])
    ledger.append(
        "run.finished", actor=PERSON, subjects=(Subject("model", "m5", DIGESTS[5]),), edges=(twice,), now=LATER
    )
    ledger.append("run.finished", actor=PERSON, edges=(Edge(DIGESTS[0], "cut_from", known[6]),), now=LATER)
    ledger.checkpoint(KEY, LATER)
    ledger.erase(ledger.entry(2).payload_digest, actor=PERSON, reason="asked for", now=LATER)
    ledger.append_many([recording(i) for i in range(20, 24)], now=LATER)
    ledger.engine.dispose()
    return path


def in_ranges(ledger: Ledger, level: int) -> Any:
    with session(ledger.engine, write=False) as reading:
        return ranges.verify_sound(reading, (), (), level=level, run=map)


def in_one_piece(ledger: Ledger) -> Any:
    with session(ledger.engine, write=False) as reading:
        return audit.verify(reading, (), ())


@pytest.mark.parametrize("level", range(6))
def test_a_sound_ledger_is_found_sound_in_ranges_of_any_size(whole: Path, level: int) -> None:
    ledger = Ledger(whole)
    assert in_ranges(ledger, level) == in_one_piece(ledger) and in_one_piece(ledger).ok


@given(
    st.integers(0, 10**6), st.integers(0, 9), st.sampled_from(["delete", "change", "exchange", "double"]),
    st.sampled_from(TABLES), st.integers(1, 4),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_whatever_was_changed_both_find_it_or_neither(
    whole: Path, row: int, column: int, act: str, table: str, level: int
) -> None:
    copy = whole.with_name("copy.db")
    shutil.copyfile(whole, copy)
    ledger = Ledger(copy)
    with session(ledger.engine) as owner:
        _without_rules(owner, table)
        _change(owner, table, row, column, act)
    found = in_one_piece(ledger)
    assert (in_ranges(ledger, level) == found) if found.ok else (in_ranges(ledger, level) is None)
    ledger.engine.dispose()
    for left in copy.parent.glob("copy.db*"):
        left.unlink()


def _without_rules(owner: Any, table: str) -> None:
    """As somebody who owns the file: no key, no uniqueness, no trigger, but the rows in their order."""
    for name in owner.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
        owner.execute(text(f"DROP TRIGGER {name}"))
    owner.execute(text(f"CREATE TABLE bare AS SELECT * FROM {table}"))
    owner.execute(text(f"DROP TABLE {table}"))
    owner.execute(text(f"ALTER TABLE bare RENAME TO {table}"))


def _change(owner: Any, table: str, row: int, column: int, act: str) -> None:
    ids = owner.scalars(text(f"SELECT rowid FROM {table}")).all()
    names = [c[1] for c in owner.execute(text(f"PRAGMA table_info({table})"))]
    one, other, name = ids[row % len(ids)], ids[(row + 1 + column) % len(ids)], names[column % len(names)]
    if act == "delete":
        owner.execute(text(f"DELETE FROM {table} WHERE rowid = {one}"))
    elif act == "double":
        owner.execute(text(f"INSERT INTO {table} SELECT * FROM {table} WHERE rowid = {one}"))
    else:
        value = f"(SELECT {name} FROM {table} WHERE rowid = {other})"
        if act == "change":
            value = f"CASE typeof({name}) WHEN 'integer' THEN {name} + 1 WHEN 'blob' THEN x'00' ELSE {name} || 'x' END"
        owner.execute(text(f"UPDATE {table} SET {name} = {value} WHERE rowid = {one}"))
