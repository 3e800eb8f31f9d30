"""By what right a model answers: what is pointed at, what was approved, who may sign, and what was taken back."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lineage.approvals import Approval, Revocation, check, read_revocations
from lineage.keys import People
from serving.store import NotInForce, Pointer, read_pointer


@dataclass(frozen=True)
class Terms:
    """The pointer and everything that it stands on, as read at one moment; judged anew at every `check`."""

    pointer: Pointer
    approval: Approval
    people: People
    revoked: tuple[Revocation, ...]

    @classmethod
    def read(cls, home: Path, task: str = "detection") -> "Terms":
        """What a workspace holds now; NotInForce or NotApproved where a part cannot be read or trusted."""
        pointer = read_pointer(home, task)
        people, revoked = People.read(home / "keys"), read_revocations(revocations_folder(home))
        return cls(pointer, _read_approval(home / pointer.approval), people, revoked)

    def check(self, site: str, now: datetime, allow_demo: bool) -> None:
        """Return only where the model may answer for this site at `now`; NotApproved says what stands against it."""
        check(
            self.approval,
            self.people,
            site=site,
            now=now,
            bundle_digest=self.pointer.bundle,
            revoked=self.revoked,
            allow_demo=allow_demo,
        )

    @property
    def any_site(self) -> str:
        """A name that the scope's first pattern covers: the pattern itself."""
        return next(iter(self.approval.record.scope.sites), "")

    @property
    def is_demo(self) -> bool:
        """Whether a demo signer stands under the approval."""
        signers = (self.people.by_id.get(s.person_id) for s in self.approval.signatures)
        return any(person is not None and person.demo for person in signers)


def revocations_folder(home: Path) -> Path:
    """Where `lineage.approvals.revoke` puts revocations, for services to find."""
    return home / "store" / "revocations"


def _read_approval(path: Path) -> Approval:
    try:
        return Approval.read(path)
    except (OSError, ValueError) as error:
        raise NotInForce("the approval of the model in force cannot be read") from error
