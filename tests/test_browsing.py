"""The ledger a page at a time: every line once, newest first, under filters that mean what they say."""

import sqlite3
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.browsing import Page, Wanted, page
from lineage.digest import sha256_bytes
from lineage.ledger import Ledger, LedgerBroken, Subject
from tests.ledgers import NOW, PERSON, small_ledger


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """Seven recordings, a minute apart, and a line about a thing without digest."""
    made = small_ledger(tmp_path_factory.mktemp("ledger"))
    made.append("auth.failed", actor=PERSON, subjects=[Subject("person", "nobody")], now=NOW + timedelta(minutes=7))
    return made


def numbers(found: Page) -> list[int]:
    return [entry.seq for entry in found.entries]


@given(st.integers(1, 9))
def test_turning_pages_meets_every_line_once_and_the_way_back_is_the_same(ledger: Ledger, size: int) -> None:
    pages = [page(ledger, Wanted(), size=size)]
    while pages[-1].before is not None:
        pages.append(page(ledger, Wanted(), before=pages[-1].before, size=size))
    assert [n for one in pages for n in numbers(one)] == [7, 6, 5, 4, 3, 2, 1, 0]
    for newer, older in pairwise(pages):
        assert older.after is not None
        assert numbers(page(ledger, Wanted(), after=older.after, size=size)) == numbers(newer)
    assert pages[0].after is None


def test_lines_are_found_by_type(ledger: Ledger) -> None:
    assert numbers(page(ledger, Wanted(types=("auth.failed",)))) == [7]
    assert numbers(page(ledger, Wanted(types=("drift.alarm",)))) == []


@pytest.mark.parametrize("name", ["sub-003", sha256_bytes(b"3"), sha256_bytes(b"3")[:8]])
def test_lines_are_found_by_what_they_are_about(ledger: Ledger, name: str) -> None:
    assert numbers(page(ledger, Wanted(subject=name))) == [3]


def test_a_thing_without_digest_is_found_by_its_id(ledger: Ledger) -> None:
    assert numbers(page(ledger, Wanted(subject="nobody"))) == [7]
    assert numbers(page(ledger, Wanted(subject="nob"))) == []


@given(st.integers(-2, 10), st.integers(-2, 10))
def test_since_counts_and_until_does_not(ledger: Ledger, first: int, last: int) -> None:
    wanted = Wanted(since=NOW + timedelta(minutes=first), until=NOW + timedelta(minutes=last))
    assert numbers(page(ledger, wanted)) == [n for n in range(7, -1, -1) if first <= n < last]


def test_a_line_that_cannot_be_read_is_told_of_and_not_left_out(tmp_path: Path) -> None:
    ledger = small_ledger(tmp_path)
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.execute("DROP TRIGGER entry_refuses_update")
        connection.execute("UPDATE entry SET envelope = '{}' WHERE seq = 4")
    connection.close()
    with pytest.raises(LedgerBroken, match="entry 4 cannot be read"):
        page(ledger, Wanted())
