"""An entry as its stored bytes say it, read in one go: what verifying a million of them needs, and no more.

Held to be what `lineage.entries.Entry.from_envelope` reads; whatever is not in the usual form is read by that.
"""

import json
from functools import lru_cache

import msgspec

from lineage import entries
from lineage.entries import EntryType, refuse_nul, require_digest
from lineage.times import read_utc, utc_text


class Actor(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """As `entries.Actor`."""

    id: str
    printed_name: str = ""
    role: str = ""
    site: str = ""
    auth_method: str = ""


class Subject(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """As `entries.Subject`."""

    kind: str
    id: str
    digest: str = ""


class Edge(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """As `entries.Edge`."""

    child: str
    relation: str
    parent: str


class Software(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """As `entries.Software`."""

    git_commit: str
    lock_digest: str
    dirty: bool


class Entry(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """As `entries.Entry`, but for its times, which stay texts: those of the one spelling sort as the instants do."""

    seq: int
    id: str
    type: EntryType
    occurred_at: str
    recorded_at: str
    actor: Actor
    subjects: tuple[Subject, ...]
    reason: str
    payload_digest: str
    payload_ref: str
    software: Software
    edges: tuple[Edge, ...]
    schema_version: int


def read(envelope: bytes) -> Entry:
    """Refuses (ValueError, KeyError, TypeError) what `Entry.from_envelope` refuses.

    Law: `read(b) == of(Entry.from_envelope(json.loads(b)))`, or both refuse.
    """
    try:
        entry = _usual(envelope)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return of(entries.Entry.from_envelope(json.loads(envelope)))
    _require_time(entry.occurred_at)
    _require_time(entry.recorded_at)
    for subject in entry.subjects:
        if subject.digest:
            require_digest(subject.digest)
    for edge in entry.edges:
        require_digest(edge.child)
        require_digest(edge.parent)
        if edge.child == edge.parent:
            raise ValueError(f"nothing can come from itself: {edge.child}")
    if b"\\u0000" in envelope and "\0" in "".join([entry.actor.site, *(s.kind + s.id for s in entry.subjects)]):
        refuse_nul()
    return entry


def of(entry: entries.Entry) -> Entry:
    """The same of an entry that was read the long way."""
    return Entry(
        seq=entry.seq,
        id=entry.id,
        type=entry.type,
        occurred_at=utc_text(entry.occurred_at),
        recorded_at=utc_text(entry.recorded_at),
        actor=Actor(**vars(entry.actor)),
        subjects=tuple(Subject(**vars(s)) for s in entry.subjects),
        reason=entry.reason,
        payload_digest=entry.payload_digest,
        payload_ref=entry.payload_ref,
        software=Software(**vars(entry.software)),
        edges=tuple(Edge(**vars(e)) for e in entry.edges),
        schema_version=entry.schema_version,
    )


_usual = msgspec.json.Decoder(Entry).decode
_require_time = lru_cache(1 << 10)(read_utc)
