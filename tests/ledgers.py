"""A small ledger for tests: seven recordings, registered a minute apart."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from lineage.digest import sha256_bytes
from lineage.ledger import Actor, Draft, Ledger, Software, Subject

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
KEY = ec.generate_private_key(ec.SECP256R1())
STRANGER = ec.generate_private_key(ec.SECP256R1())
PERSON = Actor("reviewer-1", "Reviewer One", "neurologist", "demo-north", "key+passphrase")
DIGESTS = [f"{i:064x}" for i in range(1, 40)]
"""Digests of things that the small ledger does not know."""


def recording(number: int) -> Draft:
    subject = Subject("recording", f"sub-{number:03d}", sha256_bytes(b"%d" % number))
    return Draft("recording.registered", PERSON, (subject,), "first seen", {"seconds": number})


def small_ledger(place: Path | str) -> Ledger:
    """At a place for a ledger, or in the file `ledger.db` of a folder."""
    inside = isinstance(place, Path) and place.is_dir()
    ledger = Ledger(Path(place) / "ledger.db" if inside else place, Software("abc", "def", dirty=False))
    for number in range(7):
        ledger.append_many([recording(number)], now=NOW + timedelta(minutes=number))
    return ledger


def alter(file: Path, statement: str) -> None:
    """What somebody does who can write the ledger's file, and has taken away what refuses a change."""
    connection = sqlite3.connect(file)
    for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {trigger}")
    connection.execute(statement)
    connection.commit()
    connection.close()
