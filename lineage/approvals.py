"""May this model be used at this site now? Only where two people have signed exactly this model, evidence and scope.

The shape follows 21 CFR 11.50 (what a signature shows), 11.70 (it cannot be moved) and 11.200 (two components). There
is no flag that overrides a gate: one that did not pass needs a deviation, named in the record that both people sign.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from lineage import dsse, revocations
from lineage.digest import Digest
from lineage.entries import Actor, Draft, Edge, EntryType, Subject
from lineage.keys import DEMO_LIFETIME, AuthenticationFailed, People, unlock
from lineage.ledger import Ledger
from lineage.lifecycle import STATES, Lifecycle, StepSkipped
from lineage.people import SigningKey
from lineage.records import (
    EVIDENCE,
    MEANINGS,
    OUTCOMES,
    Approval,
    ApprovalRecord,
    Deviation,
    NotApproved,
    Scope,
    Signature,
)
from lineage.revocations import Revocation, read_revocations, revoke

__all__ = [
    "EVIDENCE", "MEANINGS", "OUTCOMES", "STATES", "Approval", "ApprovalRecord", "AuthenticationFailed", "Deviation",
    "Lifecycle", "NotApproved", "Revocation", "Scope", "Signature", "StepSkipped", "check", "read_revocations", "recorded",
    "refusals", "revoke", "sign", "signed_line", "signed_with",
]  # fmt: skip

COUNTING = ("review", "approval")
"""Meanings that count towards the two people; the author may add `responsibility`, which does not."""


def sign(
    record: ApprovalRecord, folder: Path, person_id: str, passphrase: str, code: str, meaning: str, now: datetime
) -> Signature:
    """Sign a record with a person's key file in `folder`, their passphrase and the code that their device shows.

    Raises AuthenticationFailed for wrong components, ValueError for an unknown meaning, and NotApproved for what
    could never be accepted: an incomplete record, the author's own approval, a service account, an expired key.
    """
    if meaning not in MEANINGS:
        raise ValueError(f"a signature means one of {', '.join(MEANINGS)}, got {meaning!r}")
    key = unlock(folder, person_id, passphrase, code, now)
    return signed_with(key, record, People.read(folder), person_id, meaning, now)


def signed_with(
    key: dsse.PrivateKey, record: ApprovalRecord, people: People, person_id: str, meaning: str, now: datetime
) -> Signature:
    """Sign with a key that a person has just opened; refuses (NotApproved) what could never be accepted. KeyError for a
    person who is not among `people`.

    Several records may follow one re-authentication where they are signed in one go (21 CFR 11.200(a)(1)(i)).
    """
    signature = Signature.made(record, people.person(person_id), key, meaning, now)
    against = [*record.faults(), *_author_faults(signature, record, people)]
    against += _signature_faults(signature, record, people, now)
    if against:
        raise NotApproved("; ".join(against))
    return signature


def check(
    approval: Approval,
    people: People,
    *,
    site: str,
    now: datetime,
    bundle_digest: Digest,
    revoked: Iterable[Revocation] = (),
    allow_demo: bool = False,
) -> None:
    """Return only if the approval is in force for this bundle at this site now; NotApproved says all that is not.

    `people` is the verifier's own list; `allow_demo` is set by demo workspaces only.
    """
    against = refusals(
        approval,
        people,
        site=site,
        now=now,
        bundle_digest=bundle_digest,
        revoked=revoked,
        allow_demo=allow_demo,
    )
    if against:
        raise NotApproved("; ".join(against))


def refusals(
    approval: Approval,
    people: People,
    *,
    site: str,
    now: datetime,
    bundle_digest: Digest,
    revoked: Iterable[Revocation] = (),
    allow_demo: bool = False,
) -> list[str]:
    """Everything that stands against the approval; empty when it is in force."""
    record = approval.record
    return [
        *record.faults(),
        *_scope_faults(record, site, now, bundle_digest),
        *(f for s in approval.signatures for f in _signature_faults(s, record, people, now)),
        *(f for s in approval.signatures for f in _author_faults(s, record, people)),
        *(f for s in approval.signatures for f in _demo_faults(s, record, people, now, allow_demo)),
        *_two_people_faults(approval, people, now),
        *revocations.faults(revoked, (record.digest, bundle_digest), people),
    ]


def signed_line(approval: Approval, actor: Actor, edges: Iterable[Edge]) -> Draft:
    """The ledger's line about the last signature: record and signature in full, so that files can be held against it."""
    record, signature = approval.record, approval.signatures[-1]
    subject = Subject("approval", f"{record.name} {record.version}", record.digest)
    payload = {"record": record.values(), "signature": vars(signature)}
    return Draft(EntryType.APPROVAL_SIGNED, actor, (subject,), signature.meaning, payload, tuple(edges))


def recorded(ledger: Ledger, record: Digest) -> Approval:
    """An approval as the ledger holds it, whatever became of its file: the record and every signature, in order.

    Raises NotApproved where the ledger has no such record, or no longer what it says.
    """
    entries = [e for e in ledger.entries(EntryType.APPROVAL_SIGNED, record) if e.subjects[0].digest == record]
    said = [payload for e in entries if (payload := ledger.payload(e.payload_digest)) is not None]
    if not said or len(said) < len(entries):
        raise NotApproved("the ledger holds no such approval in full")
    return Approval(ApprovalRecord.from_values(said[0]["record"]), tuple(Signature(**s["signature"]) for s in said))


def _scope_faults(record: ApprovalRecord, site: str, now: datetime, bundle_digest: Digest) -> list[str]:
    against = []
    if record.bundle_digest != bundle_digest:
        against.append("the record is about another bundle")
    if now < record.not_before:
        against.append(f"it begins at {record.not_before.isoformat()}")
    if now > record.not_after:
        against.append(f"it ended at {record.not_after.isoformat()}")
    if not record.scope.covers_site(site):
        against.append("the site that asks is not among those that the approval is for")
    return against


def _signature_faults(signature: Signature, record: ApprovalRecord, people: People, now: datetime) -> list[str]:
    who = f"the signature of {signature.person_id}"
    person = people.by_id.get(signature.person_id)
    if person is None:
        return [f"{who} is not by a registered person"]
    if person.is_service:
        return [f"{who} is by a service account; only people sign"]
    if signature.record_digest != record.digest:
        return [f"{who} belongs to another record"]
    key = person.key_named(signature.key_id) or person.present
    if not signature.verifies(key.key):
        return [f"{who} is not valid"]
    if signature.meaning not in MEANINGS:
        return [f"{who} has the unknown meaning {signature.meaning!r}"]
    shown = (signature.printed_name, signature.role, signature.key_id)
    if shown != (person.printed_name, person.role, key.id):
        return [f"{who} shows another name, role or key than is registered"]
    if key.revoked:
        return [f"{who} is by a key that was revoked: {key.reason}"]
    return [f"{who} {fault}" for fault in _time_faults(signature, key, now)]


def _time_faults(signature: Signature, key: SigningKey, now: datetime) -> list[str]:
    try:
        same = signature.at == datetime.fromisoformat(signature.local_time)
    except (ValueError, TypeError):
        return ["shows no readable time"]
    if not same:
        return ["shows a local time that is not its UTC time"]
    if signature.at > now:
        return ["is dated in the future"]
    if not key.is_valid(signature.at):
        return ["was made before its key existed or after it expired"]
    return []


def _author_faults(signature: Signature, record: ApprovalRecord, people: People) -> list[str]:
    """The author is known by id, and by key where the author is registered too."""
    author = people.by_id.get(record.author)
    is_author = signature.person_id == record.author or (author is not None and author.key_named(signature.key_id))
    return (
        ["the author cannot review or approve their own model"] if is_author and signature.meaning in COUNTING else []
    )


def _demo_faults(
    signature: Signature, record: ApprovalRecord, people: People, now: datetime, allow_demo: bool
) -> list[str]:
    person = people.by_id.get(signature.person_id)
    if person is None or not person.demo:
        return []
    if not allow_demo:
        return [f"{signature.person_id} is a demo signer, and this is not a demo"]
    if not record.scope.is_demo:
        return [f"{signature.person_id} is a demo signer, and the scope is not only of demo-* sites"]
    if now > person.keys[-1].created_at + DEMO_LIFETIME:
        return [f"the demo key of {signature.person_id} is older than 24 h"]
    return []


def _two_people_faults(approval: Approval, people: People, now: datetime) -> list[str]:
    record = approval.record
    sound = [s for s in approval.signatures if not _signature_faults(s, record, people, now)]
    reviews = [s for s in sound if s.meaning == "review"]
    approved = [s for s in sound if s.meaning == "approval"]
    if not reviews or not approved:
        return ["nobody has signed a review"] * (not reviews) + ["nobody has signed an approval"] * (not approved)
    pairs = [(r, a) for r in reviews for a in approved if r.person_id != a.person_id and r.key_id != a.key_id]
    if not pairs:
        return ["review and approval need two different people"]
    return [] if _reviewed_first(pairs) else ["it was approved before it was reviewed"]


def _reviewed_first(pairs: Sequence[tuple[Signature, Signature]]) -> bool:
    """No step is skipped: evaluated → reviewed → approved."""
    return any(review.at <= approved.at for review, approved in pairs)
