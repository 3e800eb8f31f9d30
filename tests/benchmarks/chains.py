"""The obvious alternative to the ledger: one table of lines with the hash of each over itself and the one before.

It keeps what a ledger keeps, envelope and payload, makes both canonical itself and finds a changed line or payload; that is
all: no proof of one line without all others, no signed head, and no question answered but by reading every line.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lineage.digest import canonical
from lineage.entries import SCHEMA_VERSION, Draft, Software, uuid7
from lineage.times import utc_text

AT_ONCE = 5000
Line = tuple[bytes, bytes]
"""Envelope and payload; the envelope holds the payload's digest."""

_LINES = """SELECT entry.envelope, coalesce(payload.content, x'') FROM entry LEFT JOIN payload
ON payload.digest = json_extract(CAST(entry.envelope AS TEXT), '$.payload_digest') ORDER BY entry.seq"""


def opened(path: Path) -> sqlite3.Connection:
    """With the same promise as ours: what is committed survives a power cut."""
    made = sqlite3.connect(path, isolation_level=None)
    made.execute("PRAGMA journal_mode=WAL")
    made.execute("PRAGMA synchronous=FULL")
    made.execute(
        "CREATE TABLE IF NOT EXISTS line "
        "(seq INTEGER PRIMARY KEY, said BLOB NOT NULL, payload BLOB NOT NULL, hash BLOB NOT NULL)"
    )
    return made


def append(chain: sqlite3.Connection, drafts: Iterable[Draft], software: Software) -> None:
    """Write drafts as the chain's next lines, in one transaction."""
    now = datetime.now(UTC)
    chain.execute("BEGIN IMMEDIATE")
    seq = count(chain)
    _write(chain, [_line(draft, number, now, software) for number, draft in enumerate(drafts, start=seq)])
    chain.execute("COMMIT")


def count(chain: sqlite3.Connection) -> int:
    """How many lines there are; they are numbered from 1, and none is ever taken away."""
    return int(chain.execute("SELECT coalesce(max(seq), 0) FROM line").fetchone()[0])


def unbroken(chain: sqlite3.Connection) -> int:
    """How many lines there are; -1 where a line or a payload is not what its hash says."""
    before, lines = b"", 0
    for said, payload, stored in chain.execute("SELECT said, payload, hash FROM line ORDER BY seq"):
        before = hashlib.sha256(before + said).digest()
        if before != stored or json.loads(said)["payload_digest"] != _digest(payload):
            return -1
        lines += 1
    return lines


def chain_of(ledger: Path) -> Path:
    """The lines of a ledger as a chain, made once."""
    path = ledger.with_suffix(".chain")
    if not path.exists():
        chain, source = opened(unfinished := path.with_suffix(".chain.new")), sqlite3.connect(ledger)
        for lines in _parts(source):
            chain.execute("BEGIN IMMEDIATE")
            _write(chain, lines)
            chain.execute("COMMIT")
        source.close()
        chain.close()
        unfinished.rename(path)
    return path


def _parts(ledger: sqlite3.Connection) -> Iterator[list[Line]]:
    rows = ledger.execute(_LINES)
    while lines := rows.fetchmany(AT_ONCE):
        yield lines


def _write(chain: sqlite3.Connection, lines: Iterable[Line]) -> None:
    last = chain.execute("SELECT hash FROM line ORDER BY seq DESC LIMIT 1").fetchone()
    before, rows = last[0] if last else b"", []
    for said, payload in lines:
        before = hashlib.sha256(before + said).digest()
        rows.append((said, payload, before))
    chain.executemany("INSERT INTO line (said, payload, hash) VALUES (?, ?, ?)", rows)


def _line(draft: Draft, seq: int, now: datetime, software: Software) -> Line:
    """What `Entry.envelope` holds, as anybody would write it who has read which fields there are."""
    payload = b"" if draft.payload is None else canonical(dict(draft.payload))
    digest = _digest(payload)
    said: dict[str, Any] = {
        "seq": seq,
        "id": uuid7(now),
        "type": draft.type,
        "occurred_at": utc_text(draft.occurred_at or now),
        "recorded_at": utc_text(now),
        "actor": vars(draft.actor),
        "subjects": [vars(subject) for subject in draft.subjects],
        "reason": draft.reason,
        "payload_digest": digest,
        "payload_ref": f"payload:{digest}" if digest else "",
        "software": vars(software),
        "edges": [vars(edge) for edge in draft.edges],
        "schema_version": SCHEMA_VERSION,
    }
    return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(), payload


def _digest(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest() if payload else ""
