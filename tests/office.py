"""The people of an office for tests, with their keys open, so that each may sign whatever a test needs."""

import dataclasses
import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lineage import dsse, records
from lineage.approvals import EVIDENCE, Approval, ApprovalRecord, Revocation, Scope, Signature, check
from lineage.keys import People, unlock
from tests.authenticator import code, enrol

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
PHRASE = "a long enough phrase"
BUNDLE, OTHER_BUNDLE = "b" * 64, "c" * 64

SIGNERS = {
    "engineer-1": "engineer",
    "reviewer-1": "neurologist",
    "reviewer-2": "physicist",
    "demo-reviewer-1": "demo",
    "demo-reviewer-2": "demo",
    "robot": "service",
}

RECORD = ApprovalRecord(
    bundle_digest=BUNDLE,
    name="line_length",
    version="1",
    evidence={name: f"{i:064x}" for i, name in enumerate(EVIDENCE)},
    gates={"sensitivity": "passed", "false_alarms": "passed"},
    scope=Scope(("hospital-*",), (0, 28), ("19 channels",)),
    not_before=NOW,
    not_after=NOW + timedelta(days=30),
    author="engineer-1",
)
DEMO_RECORD = replace(RECORD, scope=Scope(("demo-*",), (0, 28), ("19 channels",)))


@dataclass(frozen=True)
class Case:
    """An approval, and who asks for it where and when."""

    approval: Approval
    people: People
    site: str = "hospital-1"
    now: datetime = NOW + HOUR
    bundle_digest: str = BUNDLE
    revoked: tuple[Revocation, ...] = ()
    allow_demo: bool = False

    def check(self) -> None:
        asked = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)[2:]}
        check(self.approval, self.people, **asked)


@dataclass(frozen=True)
class Office:
    folder: Path
    people: People
    keys: dict[str, dsse.PrivateKey]

    def copied(self, folder: Path) -> "Office":
        """The same people, of whose codes none has been used here."""
        return replace(self, folder=Path(shutil.copytree(self.folder, folder / "keys")))

    def code(self, person: str, now: datetime = NOW) -> str:
        """What this person's device shows."""
        return code(self.folder, person, now)

    def signature(
        self, person: str, meaning: str, record: ApprovalRecord = RECORD, at: datetime = NOW, **person_changes: Any
    ) -> Signature:
        return Signature.made(
            record, replace(self.people.person(person), **person_changes), self.keys[person], meaning, at
        )

    def case(self, record: ApprovalRecord = RECORD, demo: bool = False, **changes: Any) -> Case:
        one, two = ("demo-reviewer-1", "demo-reviewer-2") if demo else ("reviewer-1", "reviewer-2")
        signatures = self.signature(one, "review", record), self.signature(two, "approval", record)
        return replace(Case(Approval(record, signatures), self.people), **changes)

    def demo_case(self, record: ApprovalRecord = DEMO_RECORD, **changes: Any) -> Case:
        return self.case(record, demo=True, **{"site": "demo-north", "allow_demo": True, **changes})

    def signed_by(self, *signers: tuple[str, str], at: datetime = NOW) -> Case:
        return replace(self.case(), approval=Approval(RECORD, tuple(self.signature(p, m, at=at) for p, m in signers)))

    def with_second(self, second: Signature) -> Case:
        good = self.case()
        return replace(good, approval=Approval(RECORD, (good.approval.signatures[0], second)))

    def resealed(self, **changes: Any) -> Case:
        """The approval's second signature, changed by its own signer after the fact and sealed anew."""
        changed = replace(self.case().approval.signatures[1], **changes)
        seal = dsse.sign(self.keys["reviewer-2"], records.PAYLOAD_TYPE, changed._statement())
        return self.with_second(replace(changed, signature=seal))

    def edited(self, **changes: Any) -> Case:
        """The approval's second signature, changed without its signer."""
        return self.with_second(replace(self.case().approval.signatures[1], **changes))


def open_office(folder: Path) -> Office:
    made = NOW - HOUR
    for person, role in SIGNERS.items():
        enrol(folder, person, person.title(), role, PHRASE, demo=person.startswith("demo"), now=made)
    keys = {person: unlock(folder, person, PHRASE, code(folder, person, made), made) for person in SIGNERS}
    return Office(folder, People.read(folder), keys)
