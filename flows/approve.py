"""Two people sign, or nothing happens: review, approval, putting in force, and taking back."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from flows import records
from flows.authenticate import attested, failures_noted, refuse_unattested, signer, unlocked
from flows.place import check_in_force, put_in_force, refuse_edited
from flows.promote import (
    approval_path,
    evidence_of,
    find_candidate,
    gates_of,
    proposed_model,
    refuse_unevaluated,
)
from flows.waiting import notice_signature
from flows.workspace import Workspace, open_workspace
from lineage.approvals import (
    COUNTING,
    Approval,
    ApprovalRecord,
    Deviation,
    Lifecycle,
    NotApproved,
    Scope,
    recorded,
    revoke,
    signed_line,
    signed_with,
)
from lineage.digest import Digest, digest_of
from lineage.dsse import PrivateKey
from lineage.graph import node
from lineage.ledger import Draft, Edge, Subject
from lineage.lifecycle import IN_FORCE, Standing
from lineage.people import People
from lineage.refused import Refused
from models import detectors
from models.bundle import refuse_leaky
from models.typing import load_model
from serving.terms import revocations_folder

OUTCOMES = {"pass": "passed", "fail": "failed"}
"""Gate outcomes as approval records spell them; `unknown` and `insufficient_evidence` are spelt alike."""


class DirtyCheckout(Refused):
    """A candidate that was made by code nobody can find again: the checkout had uncommitted changes when it was trained
    or proposed. A demo's candidate is never refused for it."""


def approve_candidate(
    digest: str,
    person: str,
    passphrase: str,
    code: str,
    meaning: str,
    deviations: list[str],
    now: datetime | None = None,
    *,
    hold: bool = False,
) -> dict[str, Any]:
    """Sign one candidate, named by the beginning of its digest: see `approve_candidates`."""
    return approve_candidates({digest: deviations}, person, passphrase, code, meaning, now, hold=hold)[0]


def approve_candidates(
    wanted: Mapping[str, list[str]],
    person: str,
    passphrase: str,
    code: str,
    meaning: str,
    now: datetime | None = None,
    *,
    hold: bool = False,
) -> list[dict[str, Any]]:
    """Sign candidates (each with its deviations) in one go, after one re-authentication (21 CFR 11.200(a)(1)(i)); what
    two people have reviewed and approved is put in force, unless it is on `hold`: for a shadow or a canary first.

    Refused before anybody is asked who they are: evidence that changed since the proposal, code that nobody can find
    again, a skipped step, a gate without a deviation. Refused before anything is written: whatever
    `lineage.approvals` has against one of the signatures.

    `deviations` read `gate=justification`; empty takes those that the first person signed. `meaning` is `review` or
    `approval`. AuthenticationFailed where `person` does not show that they are there, which is a line in the ledger. Of
    what is refused, NotApproved, StepSkipped and DirtyCheckout are classes of their own.
    """
    workspace, now = open_workspace(), now or datetime.now(UTC)
    shown = [_to_be_signed(workspace, digest, meaning, deviations, now) for digest, deviations in wanted.items()]
    return _sign(shown, person, passphrase, code, meaning, now, hold)


def refuse_unsignable(digest: str, person: str, meaning: str, deviations: list[str]) -> None:
    """Refuse what could not be signed whatever was typed, before anybody types anything: as `approve_candidates` does
    before anybody is asked who they are, and for a name that nobody is registered under."""
    workspace = open_workspace()
    _to_be_signed(workspace, digest, meaning, deviations, datetime.now(UTC))
    refuse_unattested(workspace, person)
    if person not in People.read(workspace.keys).by_id:
        raise Refused("nobody is registered under the name after --as: see `ictal person list`")


SHOWN_FOR = timedelta(minutes=30)
"""How long a record may lie before a signer as it was shown: its scope begins when it was shown, not when it is signed."""


def record_to_sign(digest: str, meaning: str, deviations: list[str], begins: datetime) -> ApprovalRecord:
    """The record that the next signature would cover, to be shown to a signer. Nothing is written. Refused as in
    `approve_candidates` before anybody is asked who they are."""
    return _to_be_signed(open_workspace(), digest, meaning, deviations, begins).approval.record


def approve_shown(
    digest: str,
    person: str,
    passphrase: str,
    code: str,
    meaning: str,
    deviations: list[str],
    *,
    shown: Digest,
    begins: datetime,
    now: datetime | None = None,
) -> dict[str, Any]:
    """Sign one candidate if its record still is the one whose digest was `shown` (made by `record_to_sign` at
    `begins`).

    Refused as in `approve_candidates`, where anything in between has changed what would be signed, and more than
    `SHOWN_FOR` after it was shown.
    """
    workspace, now = open_workspace(), now or datetime.now(UTC)
    if not timedelta(0) <= now - begins <= SHOWN_FOR:
        raise Refused(
            f"a record is signed within {SHOWN_FOR.seconds // 60} minutes after it was shown: look at it again"
        )
    case = _to_be_signed(workspace, digest, meaning, deviations, begins)
    if case.approval.record.digest != shown:
        raise Refused("what would be signed is no longer what was shown: look at it again")
    return _sign([case], person, passphrase, code, meaning, now)[0]


def _sign(
    cases: "list[_Case]", person: str, passphrase: str, code: str, meaning: str, now: datetime, hold: bool = False
) -> list[dict[str, Any]]:
    workspace = open_workspace()
    refuse_unattested(workspace, person)
    key = unlocked(workspace, person, passphrase, code, f"to sign: {meaning}", now)
    people = attested(workspace)
    signed = [one.signed_by(key, people, person, meaning, now) for one in cases]
    kept = [_keep(one, person, meaning, now, hold) for one in signed]
    for one in signed:
        notice_signature(one.workspace, one.candidate["candidate"])
    return kept


@dataclass(frozen=True)
class _Case:
    """A candidate with the approval that it has so far, and the state that the next signature leads to."""

    workspace: Workspace
    candidate: dict[str, Any]
    approval: Approval
    state: str

    def signed_by(self, key: PrivateKey, people: People, person: str, meaning: str, now: datetime) -> "_Case":
        signature = signed_with(key, self.approval.record, people, person, meaning, now)
        signed = replace(self, approval=self.approval.signed(signature))
        if self.state == "approved":
            check_in_force(self.workspace, signed.approval, people, now)
        return signed


def _to_be_signed(workspace: Workspace, digest: str, meaning: str, deviations: list[str], now: datetime) -> _Case:
    if meaning not in COUNTING:
        raise Refused(f"a candidate is signed with the meaning {' or '.join(COUNTING)}, got {meaning[:20]!r}")
    candidate = find_candidate(workspace, digest)
    workspace = workspace.of(candidate["task"])
    refuse_leaky(load_model(workspace.store / "bundles" / candidate["candidate"]))
    _refuse_stranger(workspace, candidate)
    _refuse_dirty(workspace, candidate)
    _refuse_changed(workspace, candidate)
    refuse_unevaluated(workspace, candidate["detector"], candidate["candidate"])
    Standing(Lifecycle(candidate["state"]), candidate["record"], candidate["ended"]).refuse_ended()
    state = Lifecycle(candidate["state"]).advance("reviewed" if meaning == "review" else "approved").state
    approval = _approval(workspace, candidate, deviations, now)
    if faults := approval.record.faults():
        raise NotApproved("; ".join(faults))
    return _Case(workspace, candidate, approval, state)


def _keep(case: _Case, person: str, meaning: str, now: datetime, hold: bool) -> dict[str, Any]:
    """The ledger first: the file is a copy of what stands there, for services."""
    workspace, candidate = case.workspace, case.candidate
    _record_signature(workspace, case, person, meaning)
    path = approval_path(workspace, candidate)
    path.parent.mkdir(parents=True, exist_ok=True)
    case.approval.write(path)
    if case.state == "approved" and not hold:
        put_in_force(workspace, candidate, path, now)
    text = f"{person} signed ({meaning}); candidate {candidate['candidate'][:12]} is {case.state}"
    record = case.approval.record.digest
    return {"candidate": candidate["candidate"], "state": case.state, "record": record, "text": text}


def revoke_model(
    digest: str, person: str, passphrase: str, code: str, reason: str, now: datetime | None = None
) -> dict[str, Any]:
    """Take a model back for good: signed, in the ledger, and obeyed by running services within seconds.

    It works whatever became of the candidate's file: stopping must not depend on what somebody may have edited. Refused
    where no or several proposed models begin with `digest`, and without a reason; AuthenticationFailed as for a
    signature.
    """
    workspace = open_workspace()
    model = proposed_model(workspace, digest)
    return _take_back(workspace, model, model, "revokes", (person, passphrase, code), reason, now)


def retire_model(
    digest: str, person: str, passphrase: str, code: str, reason: str, now: datetime | None = None
) -> dict[str, Any]:
    """End the service of a deployed model in peace: what was approved ends, and the bundle may be proposed again.
    Refused as `revoke_model` is, and what is not deployed (StepSkipped) or has ended."""
    workspace = open_workspace()
    candidate = find_candidate(workspace, digest)
    Standing(Lifecycle(candidate["state"]), candidate["record"], candidate["ended"]).refuse_ended()
    Lifecycle(candidate["state"]).advance("retired")
    model, components = candidate["candidate"], (person, passphrase, code)
    return _take_back(workspace, model, candidate["record"], "retires", components, reason, now)


def reject_candidate(
    digest: str, person: str, passphrase: str, code: str, reason: str, now: datetime | None = None
) -> dict[str, Any]:
    """Refuse a candidate that nobody has approved yet: what was proposed ends, and the bundle may be proposed again.
    Refused as `revoke_model` is, and what is approved or deployed, which `revoke_model` takes back, or has ended."""
    workspace = open_workspace()
    candidate = find_candidate(workspace, digest)
    Standing(Lifecycle(candidate["state"]), candidate["record"], candidate["ended"]).refuse_ended()
    if candidate["state"] in IN_FORCE:
        raise Refused(
            f"candidate {candidate['candidate'][:12]} is {candidate['state']}: take it back with `ictal revoke`"
        )
    model, components = candidate["candidate"], (person, passphrase, code)
    made = _take_back(workspace, model, candidate["proposal"], "rejects", components, reason, now)
    notice_signature(workspace, model)
    return made


ENDS = {
    "revokes": ("approval.revoked", "revoked", ""),
    "retires": ("model.retired", "retired", "retired: "),
    "rejects": ("approval.rejected", "rejected", "rejected: "),
}
"""For each way to take back: the ledger's type, the word for people, and how the reason begins in the signed statement."""


def _take_back(
    workspace: Workspace,
    model: Digest,
    what: Digest,
    how: str,
    components: tuple[str, str, str],
    reason: str,
    now: datetime | None,
) -> dict[str, Any]:
    """Sign that `what` (the model, the approval record of it, or its proposal) ends. The file that stops services comes before the ledger's line."""
    type, word, opening = ENDS[how]
    person, now = components[0], now or datetime.now(UTC)
    if not reason.strip():
        raise Refused("taking a model back says why: give --reason")
    refuse_unattested(workspace, person)
    with failures_noted(workspace, person, f"to take a model back ({word})"):
        made = revoke(
            revocations_folder(workspace.root), workspace.keys, *components,
            digest=what, reason=f"{opening}{reason}", now=now,
        )  # fmt: skip
    ledger = records.open_ledger(workspace)
    name = node(ledger, model).label
    subject = Subject("revocation", name, digest_of(vars(made)))
    edges = (Edge(subject.digest, how, what),)
    ledger.append_many([Draft(type, signer(workspace, person), (subject,), reason, vars(made), edges)])
    return {**vars(made), "text": f"{person} {word} {name} {model[:12]}: {reason}"}


def _approval(workspace: Workspace, candidate: dict[str, Any], deviations: list[str], now: datetime) -> Approval:
    """The record that the second person signs is the very one that the first signed, as the ledger holds it."""
    named = tuple(_deviation(d) for d in deviations)
    path = approval_path(workspace, candidate)
    if candidate["record"]:
        approval = recorded(records.open_ledger(workspace), candidate["record"])
        refuse_edited(path, approval)
        if named and named != approval.record.deviations:
            raise Refused("the deviations differ from those that were signed already; leave them out, or propose anew")
        return approval
    if path.exists():
        raise Refused(f"an approval lies in store/approvals/{path.name[:12]}… that nobody signed: move it away")
    settings = workspace.params.promote
    contract = detectors.build(candidate["detector"]).contract
    return Approval(
        ApprovalRecord(
            bundle_digest=candidate["candidate"],
            name=candidate["detector"],
            version=candidate["version"],
            evidence=candidate["evidence"],
            gates={g["name"]: OUTCOMES.get(g["outcome"], g["outcome"]) for g in candidate["gates"]},
            scope=Scope(tuple(settings.sites), contract.age_days, (contract.montage,)),
            not_before=now,
            not_after=now + timedelta(hours=settings.hours),
            author=candidate["author"],
            deviations=named,
        )
    )


def _deviation(text: str) -> Deviation:
    gate, _, why = text.partition("=")
    if not why.strip():
        raise Refused(f"a deviation reads gate=justification, got {text[:40]!r}")
    return Deviation(gate.strip(), why.strip())


def _refuse_dirty(workspace: Workspace, candidate: dict[str, Any]) -> None:
    """A run from a dirty tree is recorded as such and cannot be approved, but for the demo's own sites."""
    state = candidate["checkout"]
    if (state["dirty"] or not state["made_cleanly"]) and not workspace.is_demo:
        raise DirtyCheckout(
            "the candidate was made from code with uncommitted changes: commit, train and propose again"
        )


def _refuse_stranger(workspace: Workspace, candidate: dict[str, Any]) -> None:
    """That the author is none of the signers shows only where the author is registered too (or nobody: a schedule)."""
    author = candidate["author"]
    if not workspace.is_demo and author != records.PIPELINE.id and author not in attested(workspace).by_id:
        raise Refused(
            f"the author {author!r} is nobody registered, so nothing shows that they are not among the signers: "
            "`ictal person add`, then `ictal candidates --propose --author ID`"
        )


def _refuse_changed(workspace: Workspace, candidate: dict[str, Any]) -> None:
    """What is signed is what the stages left, not what a file in between says of it."""
    name = candidate["detector"]
    now = (evidence_of(workspace, name), gates_of(workspace, name))
    if now != (candidate["evidence"], candidate["gates"]):
        raise Refused("the evidence is not what it was when the candidate was proposed: propose it anew")


def _record_signature(workspace: Workspace, case: _Case, person: str, meaning: str) -> None:
    record = case.approval.record
    edges = (
        Edge(record.digest, "approves", record.bundle_digest),
        Edge(record.digest, "decides", case.candidate["proposal"]),
        Edge(record.digest, "supported_by", record.evidence["evaluation"]),
    )
    line = signed_line(case.approval, signer(workspace, person), edges)
    records.open_ledger(workspace).append_many([line])
