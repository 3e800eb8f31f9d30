"""The obvious alternative to the ledger: one table of lines as JSON, each with the hash of itself and of the one before.

It finds a changed line, and that is all: no proof of one line without all others, no signed head, no lineage.
"""

import hashlib
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import select

from lineage.ledger import Ledger
from lineage.rows import EntryRow
from lineage.store import session

AT_ONCE = 5000


def opened(path: Path) -> sqlite3.Connection:
    """With the same promise as ours: what is committed survives a power cut."""
    made = sqlite3.connect(path, isolation_level=None)
    made.execute("PRAGMA journal_mode=WAL")
    made.execute("PRAGMA synchronous=FULL")
    made.execute("CREATE TABLE IF NOT EXISTS line (seq INTEGER PRIMARY KEY, said BLOB NOT NULL, hash BLOB NOT NULL)")
    return made


def append(chain: sqlite3.Connection, lines: Iterable[bytes]) -> None:
    chain.execute("BEGIN IMMEDIATE")
    last = chain.execute("SELECT hash FROM line ORDER BY seq DESC LIMIT 1").fetchone()
    before, rows = last[0] if last else b"", []
    for line in lines:
        before = hashlib.sha256(before + line).digest()
        rows.append((line, before))
    chain.executemany("INSERT INTO line (said, hash) VALUES (?, ?)", rows)
    chain.execute("COMMIT")


def count(chain: sqlite3.Connection) -> int:
    return int(chain.execute("SELECT count(*) FROM line").fetchone()[0])


def unbroken(chain: sqlite3.Connection) -> int:
    """How many lines there are; -1 where one is not what its hash says."""
    before, count = b"", 0
    for said, stored in chain.execute("SELECT said, hash FROM line ORDER BY seq"):
        before = hashlib.sha256(before + said).digest()
        if before != stored:
            return -1
        count += 1
    return count


def chain_of(ledger: Path) -> Path:
    """The lines of a ledger as a chain, made once."""
    path = ledger.with_suffix(".chain")
    if not path.exists():
        chain = opened(unfinished := path.with_suffix(".chain.new"))
        with session(Ledger(ledger).engine, write=False) as reading:
            for part in reading.scalars(select(EntryRow.envelope).order_by(EntryRow.seq)).partitions(AT_ONCE):
                append(chain, part)
        chain.close()
        unfinished.rename(path)
    return path
