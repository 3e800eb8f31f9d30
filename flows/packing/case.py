"""One proposed model and everything that its evidence pack is made from, each looked up once and checked."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from flows import evidence
from flows.books import books_of
from flows.promote import approval_path
from flows.workspace import Workspace
from lineage import dsse
from lineage.approvals import Approval, read_revocations, refusals
from lineage.digest import Digest, sha256_bytes
from lineage.evidence import Lineage, Proven, entries_about, lineage_of, prove
from lineage.keys import People, platform_key, platform_public_path
from lineage.ledger import Entry, Ledger
from lineage.refused import Refused
from serving.terms import revocations_folder


@dataclass(frozen=True)
class Case:
    """One proposed model and where everything about it is found. Read when asked for, and once."""

    workspace: Workspace
    candidate: dict[str, Any]
    with_weights: bool = False

    @property
    def bundle(self) -> Path:
        """Folder of the proposed bundle in the store; nothing here says that it is there."""
        return self.workspace.store / "bundles" / self.digest

    @property
    def digest(self) -> Digest:
        """The bundle's digest, by which ledger, store and approval know the model."""
        return str(self.candidate["candidate"])

    @property
    def named(self) -> str:
        """Detector and version, as people read them."""
        return f"{self.candidate['detector']} {self.candidate['version']}"

    @cached_property
    def ledger(self) -> Ledger:
        """The workspace's ledger; refused where there is none."""
        return books_of(self.workspace)

    @cached_property
    def public_key(self) -> bytes:
        """The platform's present public key (PEM); FileNotFoundError where the workspace has none."""
        return platform_public_path(self.workspace.keys).read_bytes()

    @cached_property
    def approval(self) -> Approval:
        """What was signed of this proposal, by however many people so far.

        Refused where nobody has signed it; ValueError where the file is no approval.
        """
        path = approval_path(self.workspace, self.candidate)
        if not path.exists():
            raise Refused("nobody has signed this candidate: `ictal approve`")
        return Approval.read(path)

    @cached_property
    def people(self) -> People:
        """The signers registered in the workspace; nobody where none is. Refused where their list cannot be read."""
        return People.read(self.workspace.keys)

    @cached_property
    def lineage(self) -> Lineage:
        """All that the model came from, and every decision about it; refused where the ledger does not know it."""
        return lineage_of(self.ledger, self.digest)

    @cached_property
    def proven(self) -> Proven:
        """What the ledger says of the model and of all that it came from; signs a checkpoint where none covers it yet.
        Refused where no checkpoint bears the platform's public key."""
        entries = entries_about(self.ledger, [node.digest for node in self.lineage.nodes])
        erased = [
            e.payload_digest for e in entries if e.payload_digest and self.ledger.payload(e.payload_digest) is None
        ]
        entries = sorted([*entries, *entries_about(self.ledger, erased)], key=lambda entry: entry.seq)
        key = dsse.read_pem(self.public_key)
        found = prove(self.ledger, entries, key)
        if found is None:
            self.ledger.checkpoint(platform_key(self.workspace.keys), datetime.now(UTC))
            found = prove(self.ledger, entries, key)
        if found is None:
            raise Refused("no checkpoint bears the platform's public key: is keys/platform.pub another platform's?")
        return found

    @cached_property
    def training(self) -> Entry:
        """The line by which the model came into being; refused where the ledger has none."""
        finished = [e for e in self.ledger.entries("run.finished", self.digest) if e.subjects[0].digest == self.digest]
        if not finished:
            raise Refused("the ledger knows of no training that gave this model")
        return finished[-1]

    def shown(self, kept: str, name: str) -> bytes:
        """A file of the kept evidence, refused unless it is the one that the signers were shown under this name."""
        content = self.kept(kept)
        if sha256_bytes(content) != self.candidate["evidence"][name]:
            raise Refused("is not what the signers were shown")
        return content

    def kept(self, name: str) -> bytes:
        """A file of the evidence as it was kept with the proposal, not compared with anything: `shown` does that.

        Refused where it is not there.
        """
        path = evidence.evidence_folder(self.workspace, self.candidate) / name
        if not path.exists():
            raise Refused("was not kept when the model was proposed: propose it anew with `ictal candidates --propose`")
        return path.read_bytes()

    def stated(self, type: str, name: str, field: str) -> Any:
        """What the ledger's line about a piece of evidence says in full, in this field; refused where no line says
        it."""
        digest = self.candidate["evidence"][name]
        for entry in self.ledger.entries(type, digest):
            payload = self.ledger.payload(entry.payload_digest) if entry.payload_digest else None
            if payload and field in payload and entry.subjects[0].digest == digest:
                return payload[field]
        raise Refused(f"the ledger does not hold it: no {type} with the digest that the signers were shown")

    def against(self, now: datetime) -> list[str]:
        """What stands against using the model at a time, at the first site of its scope."""
        record = self.approval.record
        return refusals(
            self.approval,
            self.people,
            site=record.scope.sites[0],
            now=now,
            bundle_digest=self.digest,
            revoked=read_revocations(revocations_folder(self.workspace.root)),
            allow_demo=self.workspace.is_demo,
        )


def to_json(value: Any) -> bytes:
    """How the pack writes JSON: for people to read, the same bytes every time."""
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
