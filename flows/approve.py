"""Two people sign, or nothing happens: review, approval, putting in force, and taking back."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flows import records
from flows.people import failures_noted, signer, unlocked
from flows.promote import approval_path, candidate_path, evidence_of, find_candidate, gates_of, refuse_unevaluated
from flows.stages.champions import keep_champion
from flows.stages.files import read_json, write_json
from flows.workspace import Workspace, open_workspace
from lineage.approvals import (
    COUNTING,
    Approval,
    ApprovalRecord,
    Deviation,
    Lifecycle,
    NotApproved,
    Scope,
    check,
    read_revocations,
    revoke,
    signed_with,
)
from lineage.digest import Digest, digest_of
from lineage.dsse import PrivateKey
from lineage.keys import People
from lineage.ledger import Draft, Edge, Subject
from lineage.refused import Refused
from models import detectors
from models.bundle import refuse_leaky
from models.typing import load_model
from serving.store import import_bundle, write_pointer
from serving.terms import revocations_folder

OUTCOMES = {"pass": "passed", "fail": "failed"}
"""Gate outcomes as approval records spell them; `unknown` and `insufficient_evidence` are spelt alike."""


class DirtyCheckout(Refused):
    """A candidate that was made by code nobody can find again."""


def approve_candidate(
    digest: str,
    person: str,
    passphrase: str,
    code: str,
    meaning: str,
    deviations: list[str],
    now: datetime | None = None,
) -> dict[str, Any]:
    """Sign one candidate: see `approve_candidates`."""
    return approve_candidates({digest: deviations}, person, passphrase, code, meaning, now)[0]


def approve_candidates(
    wanted: Mapping[str, list[str]], person: str, passphrase: str, code: str, meaning: str, now: datetime | None = None
) -> list[dict[str, Any]]:
    """Sign candidates (each with its deviations) in one go, after one re-authentication (21 CFR 11.200(a)(1)(i)); what
    two people have reviewed and approved is put in force.

    Refused before anybody is asked who they are: evidence that changed since the proposal, code that nobody can find
    again, a skipped step, a gate without a deviation. Refused before anything is written: whatever
    `lineage.approvals` has against one of the signatures.
    """
    workspace, now = open_workspace(), now or datetime.now(UTC)
    shown = [_to_be_signed(workspace, digest, meaning, deviations, now) for digest, deviations in wanted.items()]
    return _sign(shown, person, passphrase, code, meaning, now)


SHOWN_FOR = timedelta(minutes=30)
"""How long a record may lie before a signer as it was shown: its scope begins when it was shown, not when it is signed."""


def record_to_sign(digest: str, meaning: str, deviations: list[str], begins: datetime) -> ApprovalRecord:
    """The record that the next signature would cover, to be shown to a signer. Nothing is written."""
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
    """Sign one candidate if its record still is the one whose digest was `shown` (made by `record_to_sign` at `begins`).

    Refused as in `approve_candidates`, and where anything in between has changed what would be signed.
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
    cases: "list[_Case]", person: str, passphrase: str, code: str, meaning: str, now: datetime
) -> list[dict[str, Any]]:
    workspace = open_workspace()
    key = unlocked(workspace, person, passphrase, code, f"to sign: {meaning}", now)
    people = People.read(workspace.keys)
    signed = [one.signed_by(key, people, person, meaning, now) for one in cases]
    return [_keep(one, person, meaning, now) for one in signed]


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
            _check(self.workspace, signed.approval, now)
        return signed


def _to_be_signed(workspace: Workspace, digest: str, meaning: str, deviations: list[str], now: datetime) -> _Case:
    if meaning not in COUNTING:
        raise Refused(f"a candidate is signed with the meaning {' or '.join(COUNTING)}, got {meaning[:20]!r}")
    candidate = find_candidate(workspace, digest)
    workspace = workspace.of(candidate["task"])
    refuse_leaky(load_model(workspace.store / "bundles" / candidate["candidate"]))
    _refuse_dirty(workspace, candidate)
    _refuse_changed(workspace, candidate)
    refuse_unevaluated(workspace, candidate["detector"], candidate["candidate"])
    state = Lifecycle(candidate["state"]).advance("reviewed" if meaning == "review" else "approved").state
    approval = _approval(workspace, candidate, approval_path(workspace, candidate), deviations, now)
    if faults := approval.record.faults():
        raise NotApproved("; ".join(faults))
    return _Case(workspace, candidate, approval, state)


def _keep(case: _Case, person: str, meaning: str, now: datetime) -> dict[str, Any]:
    workspace, candidate, state = case.workspace, case.candidate, case.state
    path = approval_path(workspace, candidate)
    path.parent.mkdir(parents=True, exist_ok=True)
    case.approval.write(path)
    _record_signature(workspace, case.approval, person, meaning)
    write_json(candidate_path(workspace, candidate["candidate"]), {**candidate, "state": state})
    if state == "approved":
        put_in_force(workspace, candidate["candidate"], path, now)
    text = f"{person} signed ({meaning}); candidate {candidate['candidate'][:12]} is {state}"
    record = case.approval.record.digest
    return {"candidate": candidate["candidate"], "state": state, "record": record, "text": text}


def _check(workspace: Workspace, approval: Approval, now: datetime) -> None:
    """The very check that a service makes, for the first site of the scope."""
    check(
        approval,
        People.read(workspace.keys),
        site=approval.record.scope.sites[0],
        now=now,
        bundle_digest=approval.record.bundle_digest,
        revoked=read_revocations(revocations_folder(workspace.root)),
        allow_demo=workspace.is_demo,
    )


def revoke_model(digest: str, person: str, passphrase: str, code: str, reason: str) -> dict[str, Any]:
    """Take an approved model back: signed, in the ledger, and obeyed by running services within seconds."""
    workspace, now = open_workspace(), datetime.now(UTC)
    candidate = find_candidate(workspace, digest)
    with failures_noted(workspace, person, "to revoke a model"):
        made = revoke(
            revocations_folder(workspace.root), workspace.keys, person, passphrase, code,
            digest=candidate["candidate"], reason=reason, now=now,
        )  # fmt: skip
    subject = Subject("revocation", candidate["detector"], digest_of(vars(made)))
    edges = (Edge(subject.digest, "revokes", candidate["candidate"]),)
    records.open_ledger(workspace).append_many(
        [Draft("approval.revoked", signer(workspace, person), (subject,), reason, vars(made), edges)]
    )
    return {**vars(made), "text": f"{person} revoked {candidate['detector']} {candidate['candidate'][:12]}: {reason}"}


def put_in_force(workspace: Workspace, digest: str, approval_path: Path, now: datetime) -> None:
    """Import an approved bundle into the BentoML store and point at it; services follow within seconds."""
    tag = import_bundle(workspace.root, workspace.store / "bundles" / digest)
    pointer = write_pointer(
        workspace.root, bundle=digest, tag=tag, approval=approval_path, now=now, task=workspace.task
    )
    record = Approval.read(approval_path).record
    deployment = Subject("deployment", ", ".join(record.scope.sites), digest_of(vars(pointer)))
    edges = (Edge(deployment.digest, "serves", digest), Edge(deployment.digest, "permitted_by", record.digest))
    ledger = records.open_ledger(workspace)
    ledger.append_many(
        [Draft("deployment.promoted", records.PIPELINE, (deployment,), payload=vars(pointer), edges=edges)]
    )
    path = candidate_path(workspace, digest)
    candidate = read_json(path)
    if workspace.task == "detection":
        keep_champion(workspace, candidate)
    write_json(path, {**candidate, "state": Lifecycle("approved").advance("deployed").state})


def _approval(
    workspace: Workspace, candidate: dict[str, Any], path: Path, deviations: list[str], now: datetime
) -> Approval:
    """The record that the second person signs is the very one that the first signed."""
    named = tuple(_deviation(d) for d in deviations)
    if path.exists():
        approval = Approval.read(path)
        if named and named != approval.record.deviations:
            raise Refused("the deviations differ from those that were signed already; leave them out, or propose anew")
        return approval
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


def _refuse_changed(workspace: Workspace, candidate: dict[str, Any]) -> None:
    """What is signed is what the stages left, not what a file in between says of it."""
    name = candidate["detector"]
    now = (evidence_of(workspace, name), gates_of(workspace, name))
    if now != (candidate["evidence"], candidate["gates"]):
        raise Refused("the evidence is not what it was when the candidate was proposed: propose it anew")


def _record_signature(workspace: Workspace, approval: Approval, person: str, meaning: str) -> None:
    ledger = records.open_ledger(workspace)
    record = approval.record
    subject = Subject("approval", f"{record.name} {record.version}", record.digest)
    edges = (
        Edge(record.digest, "approves", record.bundle_digest),
        Edge(record.digest, "supported_by", record.evidence["evaluation"]),
    )
    payload = {"record": record.values(), "signature": vars(approval.signatures[-1])}
    ledger.append_many([Draft("approval.signed", signer(workspace, person), (subject,), meaning, payload, edges)])
