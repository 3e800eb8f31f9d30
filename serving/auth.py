"""Which site is asking: keys that are shown once, kept only as scrypt hashes, and end by date or by revocation."""

import hashlib
import hmac
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Mapped, mapped_column

from lineage.place import ledger_place
from lineage.store import Base, Version, add_rows, open_store, raw_rows, session
from lineage.times import read_utc, utc_text

SCOPES = ("detect", "models", "verdict")
"""`detect` sends recordings and reads what was answered and which models are in force; `models` reads the latter alone.

`verdict` reads what was answered, and says what readers make of it.
"""

_COST = {"n": 2**14, "r": 8, "p": 1}
_NOBODY = (bytes(16), bytes(32))
"""Salt and hash that are compared for unknown ids, so that they take as long as known ones."""


class Unauthorised(Exception):
    """No key, an unknown one, a wrong, expired or revoked one: the message does not tell which."""


@dataclass(frozen=True)
class SiteKey:
    """A key that was accepted: whose it is and what it may do."""

    id: str
    site: str
    scopes: frozenset[str]
    expires_at: datetime


class SiteKeyRow(Base):
    """A key that was issued, by its id. `hash` is scrypt of the key with `salt`; the key itself is kept nowhere."""

    __tablename__ = "site_key"
    id: Mapped[str] = mapped_column(primary_key=True)
    site: Mapped[str]
    scopes: Mapped[str]
    salt: Mapped[bytes]
    hash: Mapped[bytes]
    issued_at: Mapped[str]
    expires_at: Mapped[str]
    revoked_at: Mapped[str | None]


class VerifiedKeys:
    """Keys whose scrypt hash was already compared, by SHA-256; expiry and revocation are read anew every time."""

    def __init__(self, size: int = 256):
        self.size = size
        self._known: dict[bytes, bytes] = {}

    def matches(self, key: str, salt: bytes, expected: bytes) -> bool:
        """Whether `key` hashes to `expected`; at most `size` accepted keys are remembered."""
        name = _name(key)
        if hmac.compare_digest(self._known.get(name, b""), expected):
            return True
        if not hmac.compare_digest(_scrypt(key, salt), expected):
            return False
        if len(self._known) >= self.size:
            self._known.clear()
        self._known[name] = expected
        return True


class AcceptedKeys:
    """Keys that were accepted, until anything in their store is changed: a revoked one ends with the next request."""

    def __init__(self, engine: Engine, size: int = 256):
        self.version, self.size = Version(engine), size
        self._accepted: dict[bytes, tuple[SiteKey, object]] = {}

    def get(self, key: str, now: datetime) -> SiteKey | None:
        """Whose key this is, where nothing has changed since it was accepted; None where it has to be looked up."""
        found, version = self._accepted.get(_name(key), (None, None))
        return found if found is not None and now < found.expires_at and version == self.version() else None

    def add(self, key: str, found: SiteKey, version: object) -> None:
        """Remember a key that was accepted; `version` is the store's from before it was looked up."""
        if len(self._accepted) >= self.size:
            self._accepted.clear()
        self._accepted[_name(key)] = (found, version)


def _name(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def open_keys(home: Path) -> Engine:
    """The store of site keys of a workspace: the database of its ledger where ICTAL_LEDGER names one, so that one setting
    rules all that is kept; otherwise a file of their own, since every line of a ledger would read as a change of keys."""
    place, file = ledger_place(home), home / "jobs" / "serving.db"
    if isinstance(place, Path):
        return open_store(file, SiteKeyRow)
    engine = open_store(place, SiteKeyRow)
    if file.exists():
        _move_keys(file, engine)
    return engine


def _move_keys(file: Path, engine: Engine) -> None:
    """Keys that were given before the workspace had a database go on there; the file is put aside, so that one store counts."""
    before = open_store(file, SiteKeyRow)
    with session(before, write=False) as reading:
        rows = raw_rows(reading, select(*SiteKeyRow.__table__.columns))
    before.dispose()
    with session(engine) as writing:
        add_rows(writing, SiteKeyRow, rows, if_new=True)
    with suppress(FileNotFoundError):  # another program was first
        file.replace(file.with_name(f"{file.name}.moved"))


def issue_key(engine: Engine, site: str, scopes: tuple[str, ...], now: datetime, days: float) -> str:
    """Make a key `ictal_<id>_<secret>` for a site. It is returned this once and can never be read again.

    Refuses (ValueError) other scopes than `SCOPES`, none at all, a site that is no plain name, and days ≤ 0.
    """
    if not scopes or not set(scopes) <= set(SCOPES):
        raise ValueError(f"scopes are one or more of {', '.join(SCOPES)}, got {', '.join(scopes) or 'none'}")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", site):
        raise ValueError("a site's name is up to 64 of a-z 0-9 and -, as demo-north")
    if not days > 0:
        raise ValueError(f"a key is valid for more than 0 days, got {days:g}")
    id, salt = secrets.token_hex(8), secrets.token_bytes(16)
    key = f"ictal_{id}_{secrets.token_hex(24)}"
    times = {"issued_at": utc_text(now), "expires_at": utc_text(now + timedelta(days=days))}
    named = {"id": id, "site": site, "scopes": " ".join(sorted(scopes))}
    with session(engine) as writing:
        writing.add(SiteKeyRow(**named, **times, salt=salt, hash=_scrypt(key, salt)))
    return key


def revoke_key(engine: Engine, id: str, now: datetime) -> None:
    """End a key now; its row stays. KeyError where there is none."""
    with session(engine) as writing:
        if writing.get(SiteKeyRow, id) is None:
            raise KeyError(id)
        open_row = (SiteKeyRow.id == id) & SiteKeyRow.revoked_at.is_(None)
        writing.execute(update(SiteKeyRow).where(open_row).values(revoked_at=utc_text(now)))


@dataclass(frozen=True)
class GivenKey:
    """What is known of a key that was given: its id is no secret. `state` is in force, expired or revoked."""

    id: str
    site: str
    scopes: str
    issued_at: str
    expires_at: str
    state: str

    def to_json(self) -> dict[str, str]:
        """The row of a list."""
        return {"key_id": self.id, **{name: value for name, value in vars(self).items() if name != "id"}}


def keys_given(engine: Engine, now: datetime) -> list[GivenKey]:
    """Every key that was ever given, by site and time."""
    with session(engine, write=False) as reading:
        rows = reading.scalars(select(SiteKeyRow).order_by(SiteKeyRow.site, SiteKeyRow.issued_at, SiteKeyRow.id)).all()
        return [GivenKey(r.id, r.site, r.scopes, r.issued_at, r.expires_at, _state(r, now)) for r in rows]


def _state(row: SiteKeyRow, now: datetime) -> str:
    if row.revoked_at is not None:
        return "revoked"
    return "in force" if _in_force(row, now) else "expired"


def sites_of(engine: Engine) -> set[str]:
    """Every site that was ever given a key."""
    with session(engine, write=False) as reading:
        return set(reading.scalars(select(SiteKeyRow.site).distinct()))


def site_of(engine: Engine, key: str, now: datetime, verified: VerifiedKeys | None = None) -> SiteKey:
    """Whose key this is; Unauthorised unless it is known, right, and in force at `now`.

    An unknown key takes as long as a wrong one. `verified` spares scrypt for keys that were right before.
    """
    match = re.fullmatch(r"ictal_([0-9a-f]{16})_[0-9a-f]{48}", key)
    row = _row(engine, match[1]) if match else None
    salt, expected = (row.salt, row.hash) if row else _NOBODY
    right = (verified or VerifiedKeys()).matches(key, salt, expected)
    if row is None or not right or not _in_force(row, now):
        raise Unauthorised("the key is not one that is in force here: ask for a new one")
    return SiteKey(row.id, row.site, frozenset(row.scopes.split()), read_utc(row.expires_at))


def key_id(key: str) -> str:
    """The part of a key that names it and may be written down; IndexError for what is no key."""
    return key.split("_")[1]


def _row(engine: Engine, id: str) -> SiteKeyRow | None:
    with session(engine, write=False) as reading:
        return reading.scalar(select(SiteKeyRow).where(SiteKeyRow.id == id))


def _in_force(row: SiteKeyRow, now: datetime) -> bool:
    return read_utc(row.issued_at) <= now < read_utc(row.expires_at) and row.revoked_at is None


def _scrypt(key: str, salt: bytes) -> bytes:
    return hashlib.scrypt(key.encode(), salt=salt, dklen=32, **_COST)
