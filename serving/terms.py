"""By what right a model answers: what is pointed at, what was approved, who may sign, and what was taken back."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from lineage.approvals import Approval, NotApproved, Revocation, read_revocations, recorded, refusals
from lineage.digest import Digest
from lineage.graph import UnknownNode
from lineage.ledger import Ledger
from lineage.lifecycle import IN_FORCE, Steps, standing
from lineage.people import People
from lineage.registry import Registry
from serving.store import PLACES, NotInForce, Pointer, read_pointer, reading_ledger


@dataclass(frozen=True)
class Terms:
    """The pointer and everything that it stands on, as read at one moment; judged anew at every `check`."""

    pointer: Pointer
    approval: Approval
    people: People
    revoked: tuple[Revocation, ...]
    platform_keys: tuple[Path, ...] = ()
    unknown: tuple[str, ...] = ()
    """What the ledger has against it, beside what the files have."""

    @classmethod
    def read(cls, home: Path, task: str = "detection", place: str = PLACES[0]) -> "Terms":
        """What a workspace holds now; NotInForce or NotApproved where a part cannot be read or trusted."""
        pointer = read_pointer(home, task, place)
        return cls(pointer, _read_approval(home / pointer.approval), People({}), ()).anew(home)

    def anew(self, home: Path) -> "Terms":
        """The same pointer and approval with what stands for and against them now; NotInForce where no ledger can be asked."""
        revoked = read_revocations(revocations_folder(home))
        with reading_ledger(home) as ledger:
            registry = Registry.read(ledger)
            people = registry.attested(People.read(home / "keys"))
            keys, unknown = registry.trusted(home / "keys"), _unknown(ledger, self.pointer.bundle, self.approval)
            return replace(self, people=people, revoked=revoked, platform_keys=tuple(keys), unknown=tuple(unknown))

    def check(self, site: str, now: datetime, allow_demo: bool) -> None:
        """Return only where the model may answer for this site at `now`; NotApproved says what stands against it."""
        against = refusals(
            self.approval,
            self.people,
            site=site,
            now=now,
            bundle_digest=self.pointer.bundle,
            revoked=self.revoked,
            allow_demo=allow_demo,
        )
        if against or self.unknown:
            raise NotApproved("; ".join([*against, *self.unknown]))

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


def _unknown(ledger: Ledger, bundle: Digest, approval: Approval) -> Iterator[str]:
    """What the ledger does not know of this approval: a step that is missing, a signature, that it goes on."""
    try:
        now, known = standing(Steps(ledger), bundle, approval.record.digest), recorded(ledger, approval.record.digest)
    except (UnknownNode, NotApproved):
        yield "the ledger knows of no such approval of this model"
        return
    if now.ended:
        yield f"by the ledger it was {now.ended}"
    elif now.state not in IN_FORCE:
        yield f"by the ledger the model is {now.state}, not approved"
    if not set(approval.signatures) <= set(known.signatures):
        yield "it holds a signature that the ledger does not know"


def _read_approval(path: Path) -> Approval:
    try:
        return Approval.read(path)
    except (OSError, ValueError) as error:
        raise NotInForce("the approval of the model in force cannot be read") from error
