"""Two people sign, or nothing happens: review, approval, putting in force, and taking back."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flows import records
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
    Scope,
    check,
    read_revocations,
    revoke,
    sign,
)
from lineage.digest import digest_of
from lineage.keys import People, create_person
from lineage.ledger import Actor, Draft, Edge, Subject
from lineage.refused import Refused
from models import detectors
from models.bundle import refuse_leaky
from models.typing import load_model
from serving.store import import_bundle, write_pointer
from serving.terms import revocations_folder

TWO_COMPONENTS = "key file and passphrase"
OUTCOMES = {"pass": "passed", "fail": "failed"}
"""Gate outcomes as approval records spell them; `unknown` and `insufficient_evidence` are spelt alike."""


class DirtyCheckout(Refused):
    """A candidate that was made by code nobody can find again."""


def approve_candidate(
    digest: str, person: str, passphrase: str, meaning: str, deviations: list[str], now: datetime | None = None
) -> dict[str, Any]:
    """Sign a candidate; after review and approval by two people it is put in force.

    Refused before anything is written: evidence that changed since the proposal, code that nobody can find again,
    a skipped step, and whatever `lineage.approvals` has against the signature.
    """
    workspace, now = open_workspace(), now or datetime.now(UTC)
    if meaning not in COUNTING:
        raise Refused(f"a candidate is signed with the meaning {' or '.join(COUNTING)}, got {meaning[:20]!r}")
    candidate = find_candidate(workspace, digest)
    workspace = workspace.of(candidate["task"])
    refuse_leaky(load_model(workspace.store / "bundles" / candidate["candidate"]))
    _refuse_dirty(workspace, candidate)
    _refuse_changed(workspace, candidate)
    refuse_unevaluated(workspace, candidate["detector"], candidate["candidate"])
    state = Lifecycle(candidate["state"]).advance("reviewed" if meaning == "review" else "approved").state
    path = approval_path(workspace, candidate)
    approval = _approval(workspace, candidate, path, deviations, now)
    approval = approval.signed(sign(approval.record, workspace.keys, person, passphrase, meaning, now))
    if state == "approved":
        _check(workspace, approval, now)
    path.parent.mkdir(parents=True, exist_ok=True)
    approval.write(path)
    _record_signature(workspace, approval, person, meaning)
    write_json(candidate_path(workspace, candidate["candidate"]), {**candidate, "state": state})
    if state == "approved":
        put_in_force(workspace, candidate["candidate"], path, now)
    text = f"{person} signed ({meaning}); candidate {candidate['candidate'][:12]} is {state}"
    return {"candidate": candidate["candidate"], "state": state, "record": approval.record.digest, "text": text}


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


def add_person(id: str, printed_name: str, role: str, passphrase: str) -> dict[str, Any]:
    """Register somebody who may sign: a key file in the workspace, opened by their passphrase."""
    workspace = open_workspace()
    made = create_person(workspace.keys, id, printed_name, role, passphrase, now=datetime.now(UTC))
    text = f"{made.printed_name} ({made.role}) may sign as {made.id}; the key file is keys/{made.id}.pem"
    return {"id": made.id, "printed_name": made.printed_name, "role": made.role, "key_id": made.key_id, "text": text}


def revoke_model(digest: str, person: str, passphrase: str, reason: str) -> dict[str, Any]:
    """Take an approved model back: signed, in the ledger, and obeyed by running services within seconds."""
    workspace, now = open_workspace(), datetime.now(UTC)
    candidate = find_candidate(workspace, digest)
    made = revoke(
        revocations_folder(workspace.root), workspace.keys, person, passphrase,
        digest=candidate["candidate"], reason=reason, now=now,
    )  # fmt: skip
    signer = People.read(workspace.keys).person(person)
    subject = Subject("revocation", candidate["detector"], digest_of(vars(made)))
    edges = (Edge(subject.digest, "revokes", candidate["candidate"]),)
    actor = Actor(signer.id, signer.printed_name, signer.role, auth_method=TWO_COMPONENTS)
    records.open_ledger(workspace).append_many(
        [Draft("approval.revoked", actor, (subject,), reason, vars(made), edges)]
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
    signer = People.read(workspace.keys).person(person)
    record = approval.record
    subject = Subject("approval", f"{record.name} {record.version}", record.digest)
    edges = (
        Edge(record.digest, "approves", record.bundle_digest),
        Edge(record.digest, "supported_by", record.evidence["evaluation"]),
    )
    actor = Actor(signer.id, signer.printed_name, signer.role, auth_method=TWO_COMPONENTS)
    payload = {"record": record.values(), "signature": vars(approval.signatures[-1])}
    ledger.append_many([Draft("approval.signed", actor, (subject,), meaning, payload, edges)])
