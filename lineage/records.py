"""What two people sign before a model may be used: exactly this bundle, on this evidence, for these sites and ages.

The record is hashed in canonical form; each signature covers that digest, its meaning and its time, and so cannot be
moved to another record (21 CFR 11.70).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from lineage import dsse
from lineage.digest import Digest, canonical, digest_of
from lineage.entries import require_digest
from lineage.people import Person
from lineage.refused import Refused
from lineage.times import read_utc, utc_text

PAYLOAD_TYPE = "application/vnd.ictal.approval-signature+json"

MEANINGS = ("review", "approval", "responsibility")

EVIDENCE = ("evaluation", "gates", "split", "dataset", "leakage_audit", "report", "card")
"""Digests that every record names, so that none of them can be exchanged after signing."""

PASSED = "passed"
OUTCOMES = (PASSED, "failed", "unknown", "insufficient_evidence")


class NotApproved(Refused):
    """The model may not be used; `reason` says everything that stands against it."""

    def __init__(self, reason: str):
        super().__init__(f"not approved: {reason}")
        self.reason = reason


@dataclass(frozen=True)
class Scope:
    """Where and for whom: site patterns (`demo-*`), ages in days from and to (inclusive), and montages.

    Refuses (ValueError) a scope without sites or montages, a text in place of several, and ages that run backwards.
    """

    sites: tuple[str, ...]
    age_days: tuple[float, float]
    montages: tuple[str, ...]

    def __post_init__(self) -> None:
        if isinstance(self.sites, str) or isinstance(self.montages, str) or not self.sites or not self.montages:
            raise ValueError("a scope names its sites and its montages, each as a tuple of names")
        if not self.age_days[0] <= self.age_days[1]:
            raise ValueError(f"a scope's ages run from young to old in days, got {self.age_days}")

    def covers_site(self, site: str) -> bool:
        """Whether any of the patterns (`*`, `?`, `[…]`) matches the whole name; upper and lower case differ."""
        return any(fnmatchcase(site, pattern) for pattern in self.sites)

    def covers_age(self, age_days: float) -> bool:
        """Whether an age in days lies between the two, ends included."""
        youngest, oldest = self.age_days
        return youngest <= age_days <= oldest

    def covers_montage(self, montage: str) -> bool:
        """Whether this montage is named."""
        return montage in self.montages

    @property
    def is_demo(self) -> bool:
        """Whether no site but a demo site can be meant."""
        return all(pattern.startswith("demo-") for pattern in self.sites)


@dataclass(frozen=True)
class Deviation:
    """Why the model may be used although this gate did not pass. Refuses (ValueError) an empty gate or
    justification."""

    gate: str
    justification: str

    def __post_init__(self) -> None:
        if not self.gate.strip() or not self.justification.strip():
            raise ValueError("a deviation names its gate and says why: both are needed")


@dataclass(frozen=True)
class ApprovalRecord:
    """The bundle, its evidence and gates, and the scope and time for which it is proposed.

    `evidence` maps the names of `EVIDENCE` to digests; `gates` maps gate names to one of `OUTCOMES`. Refuses
    (ValueError) other outcomes, what is no digest, and an end before the beginning.
    Law: `ApprovalRecord.from_values(r.values()) == r`.
    """

    bundle_digest: Digest
    name: str
    version: str
    evidence: Mapping[str, Digest]
    gates: Mapping[str, str]
    scope: Scope
    not_before: datetime
    not_after: datetime
    author: str
    deviations: tuple[Deviation, ...] = ()

    def __post_init__(self) -> None:
        for digest in (self.bundle_digest, *self.evidence.values()):
            require_digest(digest)
        for gate, outcome in self.gates.items():
            if outcome not in OUTCOMES:
                raise ValueError(f"gate {gate} has outcome {outcome!r}, expected one of {', '.join(OUTCOMES)}")
        if self.not_after <= self.not_before:
            raise ValueError(f"the approval would end ({self.not_after}) before it begins ({self.not_before})")

    @property
    def digest(self) -> Digest:
        """SHA-256 of the canonical record: what signatures cover."""
        return digest_of(self.values())

    def faults(self) -> list[str]:
        """What is missing from the record itself, whoever may sign it."""
        missing = [f"the record names no {name}" for name in EVIDENCE if name not in self.evidence]
        ungated = [] if self.gates else ["the record holds no gate outcomes"]
        named = {deviation.gate for deviation in self.deviations}
        open_gates = [g for g, outcome in self.gates.items() if outcome != PASSED and g not in named]
        return missing + ungated + [f"gate {g} is {self.gates[g]} and no deviation names it" for g in open_gates]

    def values(self) -> dict[str, Any]:
        """The record as JSON values."""
        times = {"not_before": utc_text(self.not_before), "not_after": utc_text(self.not_after)}
        plain = {"evidence": dict(self.evidence), "gates": dict(self.gates), **times}
        return {**vars(self), **plain, "scope": asdict(self.scope), "deviations": [asdict(d) for d in self.deviations]}

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> "ApprovalRecord":
        """Law: `ApprovalRecord.from_values(record.values()) == record`.

        KeyError or TypeError where fields are missing or unknown, ValueError for what a record refuses.
        """
        scope = values["scope"]
        nested = {
            "scope": Scope(tuple(scope["sites"]), tuple(scope["age_days"]), tuple(scope["montages"])),
            "not_before": read_utc(values["not_before"]),
            "not_after": read_utc(values["not_after"]),
            "deviations": tuple(Deviation(**d) for d in values["deviations"]),
        }
        return cls(**{**values, **nested})


@dataclass(frozen=True)
class Signature:
    """Who signed a record, as what, with which meaning and when, in UTC and in the signer's own time."""

    person_id: str
    printed_name: str
    role: str
    meaning: str
    utc_time: str
    local_time: str
    record_digest: Digest
    key_id: str
    signature: str = ""

    @classmethod
    def made(
        cls, record: ApprovalRecord, person: Person, key: dsse.PrivateKey, meaning: str, now: datetime
    ) -> "Signature":
        """Sign with a key that is already open; `approvals.sign` is the way in for people."""
        times = utc_text(now), now.astimezone().isoformat(timespec="microseconds")
        named = (person.id, person.printed_name, person.role, meaning)
        unsigned = cls(*named, *times, record.digest, dsse.key_id(key.public_key()))
        return replace(unsigned, signature=dsse.sign(key, PAYLOAD_TYPE, unsigned._statement()))

    @property
    def at(self) -> datetime:
        """When it was made, in UTC; ValueError for another spelling of `utc_time`, which `Approval.read` lets in."""
        return read_utc(self.utc_time)

    def manifestation(self) -> str:
        """What a signature shows wherever it is printed (21 CFR 11.50): name, both times, meaning; and what it covers."""
        who = f"{self.printed_name} ({self.role}, {self.person_id})"
        when = f"{self.utc_time[:19].replace('T', ' ')} UTC, local time {self.local_time[:19].replace('T', ' ')}"
        where = f"{when} (UTC{self.local_time[-6:]})"
        return f"{self.meaning} by {who} at {where}; covers record {self.record_digest[:12]}, key {self.key_id[:12]}"

    def verifies(self, key: dsse.PublicKey) -> bool:
        """Whether this key made it, over exactly what it states."""
        return dsse.verifies(key, PAYLOAD_TYPE, self._statement(), self.signature)

    def _statement(self) -> bytes:
        return canonical({name: value for name, value in vars(self).items() if name != "signature"})


@dataclass(frozen=True)
class Approval:
    """A record with the signatures under it. Whether it permits anything is decided by `approvals.check`."""

    record: ApprovalRecord
    signatures: tuple[Signature, ...] = ()

    def signed(self, *signatures: Signature) -> "Approval":
        """The same record with these signatures behind those that it has."""
        return replace(self, signatures=(*self.signatures, *signatures))

    def write(self, path: Path) -> None:
        """Write it whole or not at all: who reads `path` never sees half of it."""
        values = {"record": self.record.values(), "signatures": [asdict(s) for s in self.signatures]}
        unfinished = path.with_name(path.name + ".new")
        unfinished.write_text(json.dumps(values, indent=1, sort_keys=True) + "\n")
        unfinished.replace(path)

    @classmethod
    def read(cls, path: Path) -> "Approval":
        """Read what `write` wrote; ValueError where the file is not an approval, OSError where it cannot be read."""
        try:
            values = json.loads(path.read_text())
            signatures: Sequence[Mapping[str, Any]] = values["signatures"]
            return cls(ApprovalRecord.from_values(values["record"]), tuple(Signature(**s) for s in signatures))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not an approval: {error}") from error
