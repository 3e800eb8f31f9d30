"""What one line of the ledger says: who did what to which things, when, why and with which software.

The envelope holds no patient data: people appear by pseudonym, and everything else lies in a payload that can be
erased while the line stays.
"""

import json
import re
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, NoReturn

from lineage.digest import Digest
from lineage.times import read_utc, utc_text

SCHEMA_VERSION = 1


class EntryType(StrEnum):
    """Everything that the ledger may record; an act that is not in this list has no entry."""

    RECORDING_REGISTERED = "recording.registered"
    RECORDING_QUARANTINED = "recording.quarantined"
    VALIDATION_PASSED = "validation.passed"
    VALIDATION_FAILED = "validation.failed"
    CONSENT_GRANTED = "consent.granted"
    CONSENT_WITHDRAWN = "consent.withdrawn"
    LICENCE_ACCEPTED = "licence.accepted"
    DATASET_FROZEN = "dataset.frozen"
    DATA_EXPORTED = "data.exported"
    ENVIRONMENT_RECORDED = "environment.recorded"
    SPLIT_CREATED = "split.created"
    SPLIT_AUDIT_FAILED = "split.audit_failed"
    RUN_FINISHED = "run.finished"
    EVALUATION_RECORDED = "evaluation.recorded"
    EVALUATION_RESCORED = "evaluation.rescored"
    HOLDOUT_OPENED = "holdout.opened"
    RESEARCH_OVERRIDDEN = "research.overridden"
    RESEARCH_RECORDED = "research.recorded"
    CANDIDATE_PROPOSED = "candidate.proposed"
    APPROVAL_SIGNED = "approval.signed"
    APPROVAL_REJECTED = "approval.rejected"
    APPROVAL_REVOKED = "approval.revoked"
    MODEL_EXPORTED = "model.exported"
    MODEL_SIGNED = "model.signed"
    MODEL_RETIRED = "model.retired"
    DEPLOYMENT_SHADOW = "deployment.shadow"
    DEPLOYMENT_CANARY = "deployment.canary"
    DEPLOYMENT_ENDED = "deployment.ended"
    DEPLOYMENT_PROMOTED = "deployment.promoted"
    DEPLOYMENT_ROLLED_BACK = "deployment.rolled_back"
    DEPLOYMENT_STOPPED = "deployment.stopped"
    DEPLOYMENT_RESUMED = "deployment.resumed"
    SITE_KEY_REGISTERED = "site.key.registered"
    SITE_KEY_REVOKED = "site.key.revoked"
    PERSON_REGISTERED = "person.registered"
    PERSON_KEY_ROTATED = "person.key_rotated"
    PERSON_KEY_ENDED = "person.key_ended"
    PERSON_KEY_REVOKED = "person.key_revoked"
    PLATFORM_KEY_REGISTERED = "platform.key_registered"
    PLATFORM_KEY_ROTATED = "platform.key_rotated"
    PLATFORM_KEY_REVOKED = "platform.key_revoked"
    AUTH_FAILED = "auth.failed"
    PREDICTION_ISSUED = "prediction.issued"
    PREDICTION_ABSTAINED = "prediction.abstained"
    PREDICTION_NOT_EVALUABLE = "prediction.not_evaluable"
    WINDOWS_ANSWERED = "windows.answered"
    VERDICT_RECORDED = "verdict.recorded"
    LABEL_ARRIVED = "label.arrived"
    DRIFT_ALARM = "drift.alarm"
    DRIFT_CLOSED = "drift.closed"
    RETRAIN_TRIGGERED = "retrain.triggered"
    RETRAIN_SKIPPED = "retrain.skipped"
    ERASE_EXECUTED = "erase.executed"
    LEDGER_BACKED_UP = "ledger.backed_up"
    LEDGER_BACKUP_DESTROYED = "ledger.backup_destroyed"
    CHECKPOINT_PUBLISHED = "checkpoint.published"


@dataclass(frozen=True)
class Actor:
    """Who acted: a person or a named service, and how it was known that it was them.

    `site` is empty for who stands for none. Refuses (ValueError) a NUL in it.
    """

    id: str
    printed_name: str = ""
    role: str = ""
    site: str = ""
    auth_method: str = ""

    def __post_init__(self) -> None:
        if "\0" in self.site:
            refuse_nul()


@dataclass(frozen=True)
class Subject:
    """A thing that the entry is about. With a digest it becomes a node of the lineage graph, called `id` there.

    Refuses (ValueError) a digest that is none, and a NUL.
    """

    kind: str
    id: str
    digest: Digest = ""

    def __post_init__(self) -> None:
        if "\0" in self.kind or "\0" in self.id:
            refuse_nul()
        if self.digest:
            require_digest(self.digest)


@dataclass(frozen=True)
class Software:
    """Which code wrote the entry. Unknown software counts as changed since its commit (`dirty`)."""

    git_commit: str = "unknown"
    lock_digest: str = "unknown"
    dirty: bool = True


@dataclass(frozen=True, order=True)
class Edge:
    """`child` came from `parent` in the way that `relation` names ("trained_on", "evaluates", …); both are digests.

    Refuses (ValueError) what is no digest, and a thing that would come from itself.
    """

    child: Digest
    relation: str
    parent: Digest

    def __post_init__(self) -> None:
        require_digest(self.child)
        require_digest(self.parent)
        if self.child == self.parent:
            raise ValueError(f"nothing can come from itself: {self.child} {self.relation} {self.parent}")


@dataclass(frozen=True)
class Draft:
    """An entry before the ledger gives it a place, an id and a time of recording.

    `payload` is what it says in full, as JSON values; None is nothing more. `occurred_at` is when it happened, by the
    word of whoever writes it; left out, it is the time of recording.
    """

    type: str
    actor: Actor
    subjects: tuple[Subject, ...] = ()
    reason: str = ""
    payload: Mapping[str, Any] | None = None
    edges: tuple[Edge, ...] = ()
    occurred_at: datetime | None = None


@dataclass(frozen=True)
class Entry:
    """One line of the ledger. `seq` counts from 0 and is the leaf's place in the tree.

    Law: `Entry.from_envelope(entry.envelope()) == entry`.
    """

    seq: int
    id: str
    type: EntryType
    occurred_at: datetime
    recorded_at: datetime
    actor: Actor
    subjects: tuple[Subject, ...] = ()
    reason: str = ""
    payload_digest: Digest = ""
    payload_ref: str = ""
    software: Software = field(default_factory=Software)
    edges: tuple[Edge, ...] = ()
    schema_version: int = SCHEMA_VERSION

    def envelope(self) -> dict[str, Any]:
        """The entry as JSON values."""
        return {
            **vars(self),
            "type": self.type.value,
            "occurred_at": utc_text(self.occurred_at),
            "recorded_at": utc_text(self.recorded_at),
            "actor": dict(vars(self.actor)),
            "subjects": [dict(vars(s)) for s in self.subjects],
            "software": dict(vars(self.software)),
            "edges": [dict(vars(e)) for e in self.edges],
        }

    def leaf(self) -> bytes:
        """The bytes that are hashed into the tree: the canonical envelope.

        It holds texts, whole numbers and truth values under plain names, of which the standard library writes the
        canonical form too, five times as fast. Law: `entry.leaf() == canonical(entry.envelope())`.
        """
        return json.dumps(self.envelope(), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def from_envelope(cls, envelope: Mapping[str, Any]) -> "Entry":
        """Read an envelope; refuses unknown types, unknown or missing fields and times in another spelling (ValueError,
        TypeError, KeyError)."""
        nested = {
            "type": EntryType(envelope["type"]),
            "occurred_at": read_utc(envelope["occurred_at"]),
            "recorded_at": read_utc(envelope["recorded_at"]),
            "actor": Actor(**envelope["actor"]),
            "subjects": tuple([Subject(**s) for s in envelope["subjects"]]),
            "software": Software(**envelope["software"]),
            "edges": tuple([Edge(**e) for e in envelope["edges"]]),
        }
        return cls(**{**envelope, **nested})


@lru_cache(1 << 14)
def require_digest(text: str) -> None:
    """Raise ValueError for what is no SHA-256 in lower-case hexadecimal: the ledger cannot be corrected later, so
    nothing else is let in as a digest."""
    if not _is_sha_256(text):
        raise ValueError(f"a digest is 64 lower-case hexadecimal digits (SHA-256), got {text!r}")


def refuse_nul() -> NoReturn:
    """Raise ValueError: PostgreSQL keeps no text with a NUL, so it is let into no column of SQLite either."""
    raise ValueError("a name in the ledger holds no NUL character: leave it out")


_is_sha_256 = re.compile(r"[0-9a-f]{64}").fullmatch


def uuid7(now: datetime) -> str:
    """A UUID that begins with the time in ms, so that ids sort by the millisecond they were made in (RFC 9562, 5.7)."""
    milliseconds = int(now.timestamp() * 1000) & (1 << 48) - 1
    high = milliseconds << 16 | 0x7 << 12 | secrets.randbits(12)
    low = 0b10 << 62 | secrets.randbits(62)
    return str(uuid.UUID(int=high << 64 | low))
