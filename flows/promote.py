"""From the best candidate to one that two people have signed: proposed, reviewed, approved, put in force."""

import getpass
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flows import records
from flows.engine import flow, run_flow
from flows.stages.files import read_json, splits, write_json
from flows.workspace import Workspace, checkout_state, open_workspace
from lineage.approvals import Approval, ApprovalRecord, Deviation, Lifecycle, Scope, revoke, sign
from lineage.digest import digest_of, sha256_file
from lineage.keys import People, create_person, create_platform_key
from lineage.ledger import Actor, Draft, Edge, Subject
from lineage.refused import Refused
from lineage.signing import sign_bundle
from models import detectors
from models.bundle import load_bundle
from serving.store import import_bundle, write_pointer
from serving.terms import revocations_folder

TWO_COMPONENTS = "key file and passphrase"
OUTCOMES = {"pass": "passed", "fail": "failed"}
"""Gate outcomes as approval records spell them; `unknown` and `insufficient_evidence` are spelt alike."""


class DirtyCheckout(Refused):
    """A candidate that was made by code nobody can find again."""


@flow(name="promote")
def propose(home: str, author: str) -> str:
    """Propose the detector that did best on *inner* patients: sign its bundle, write the candidate, tell the ledger."""
    workspace = open_workspace(Path(home))
    name = best_inside(workspace)
    fold = workspace.params.promote.fold
    source = workspace.store / "training" / name / "patient" / f"fold-{fold}"
    bundle = load_bundle(source)
    _sign(workspace, source, bundle.digest)
    candidate = {
        "candidate": bundle.digest,
        "detector": name,
        "version": f"fold-{fold}",
        "author": author,
        "state": "evaluated",
        "gates": read_json(workspace.reports / "evaluation" / "gates.json")[name],
        "evidence": _evidence(workspace, name),
        "inner_auc": inner_auc(workspace)[name],
        "proposed_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "checkout": checkout_state(),
    }
    write_json(_candidate_path(workspace, bundle.digest), candidate)
    _record_candidate(workspace, candidate)
    return bundle.digest


def propose_candidate(author: str | None = None) -> str:
    """`ictal candidates --propose`; the author is whoever runs it, and cannot approve it."""
    workspace = open_workspace()
    if not (workspace.reports / "evaluation" / "gates.json").exists():
        raise Refused("nothing has been evaluated here: run `ictal evaluate` first")
    digest: str = run_flow(propose, home=str(workspace.root), author=author or getpass.getuser())
    return digest


def inner_auc(workspace: Workspace) -> dict[str, float]:
    """Mean AUC of each detector on the inner validation patients of its folds: what a winner is chosen by."""
    found = {}
    for name in detectors.names():
        log = workspace.store / "training" / name / "log.json"
        if log.exists():
            runs = [r["inner_auc"] for r in read_json(log)["runs"] if r["regime"] == "patient"]
            found[name] = sum(runs) / len(runs)
    return found


def best_inside(workspace: Workspace) -> str:
    """The detector with the best inner AUC; the outer test folds have no say."""
    ranking = inner_auc(workspace)
    return max(ranking, key=lambda name: ranking[name])


def list_candidates() -> dict[str, Any]:
    """Every candidate with its state and gates."""
    workspace = open_workspace()
    found = [read_json(p) for p in sorted((workspace.store / "candidates").glob("*.json"))]
    lines = []
    for candidate in found:
        open_gates = [f"{g['name']}: {g['outcome']}" for g in candidate["gates"] if g["outcome"] != "pass"]
        lines.append(f"{candidate['candidate'][:12]}  {candidate['detector']}  {candidate['state']}")
        lines += [f"    {gate}" for gate in open_gates]
    return {"candidates": found, "text": "\n".join(lines) or "no candidates yet: run `ictal candidates --propose`"}


def approve_candidate(
    digest: str, person: str, passphrase: str, meaning: str, deviations: list[str], now: datetime | None = None
) -> dict[str, Any]:
    """Sign a candidate; after review and approval by two people it is put in force."""
    workspace, now = open_workspace(), now or datetime.now(UTC)
    candidate = _find(workspace, digest)
    _refuse_dirty(workspace, candidate)
    path = workspace.store / "approvals" / f"{candidate['candidate']}.json"
    approval = _approval(workspace, candidate, path, deviations, now)
    state = Lifecycle(candidate["state"]).advance("reviewed" if meaning == "review" else "approved")
    signature = sign(approval.record, workspace.keys, person, passphrase, meaning, now)
    approval = approval.signed(signature)
    path.parent.mkdir(parents=True, exist_ok=True)
    approval.write(path)
    _record_signature(workspace, approval, person, meaning)
    write_json(_candidate_path(workspace, candidate["candidate"]), {**candidate, "state": state.state})
    if state.state == "approved":
        put_in_force(workspace, candidate["candidate"], path, now)
    text = f"{person} signed ({meaning}); candidate {candidate['candidate'][:12]} is {state.state}"
    return {"candidate": candidate["candidate"], "state": state.state, "record": approval.record.digest, "text": text}


def add_person(id: str, printed_name: str, role: str, passphrase: str) -> dict[str, Any]:
    """Register somebody who may sign: a key file in the workspace, opened by their passphrase."""
    workspace = open_workspace()
    made = create_person(workspace.keys, id, printed_name, role, passphrase, now=datetime.now(UTC))
    text = f"{made.printed_name} ({made.role}) may sign as {made.id}; the key file is keys/{made.id}.pem"
    return {"id": made.id, "printed_name": made.printed_name, "role": made.role, "key_id": made.key_id, "text": text}


def revoke_model(digest: str, person: str, passphrase: str, reason: str) -> dict[str, Any]:
    """Take an approved model back: signed, in the ledger, and obeyed by running services within seconds."""
    workspace, now = open_workspace(), datetime.now(UTC)
    candidate = _find(workspace, digest)
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
    pointer = write_pointer(workspace.root, bundle=digest, tag=tag, approval=approval_path, now=now)
    record = Approval.read(approval_path).record
    deployment = Subject("deployment", ", ".join(record.scope.sites), digest_of(vars(pointer)))
    edges = (Edge(deployment.digest, "serves", digest), Edge(deployment.digest, "permitted_by", record.digest))
    ledger = records.open_ledger(workspace)
    ledger.append_many(
        [Draft("deployment.promoted", records.PIPELINE, (deployment,), payload=vars(pointer), edges=edges)]
    )
    path = _candidate_path(workspace, digest)
    write_json(path, {**read_json(path), "state": Lifecycle("approved").advance("deployed").state})


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
    """A run from a dirty tree is recorded as such and cannot be approved; the demo says so and goes on for demo sites."""
    if candidate["checkout"]["dirty"] and not workspace.is_demo:
        raise DirtyCheckout("the candidate was made from code with uncommitted changes: commit them and train again")


def _find(workspace: Workspace, digest: str) -> dict[str, Any]:
    found = sorted((workspace.store / "candidates").glob(f"{digest}*.json")) if digest else []
    if len(found) != 1:
        raise Refused(f"{len(found)} candidates begin with {digest[:16]!r}; see `ictal candidates`")
    candidate: dict[str, Any] = read_json(found[0])
    return candidate


def read_candidate(workspace: Workspace, digest: str) -> dict[str, Any]:
    """A candidate as it was proposed, with its state now."""
    found: dict[str, Any] = read_json(_candidate_path(workspace, digest))
    return found


def _candidate_path(workspace: Workspace, digest: str) -> Path:
    return workspace.store / "candidates" / f"{digest}.json"


def _sign(workspace: Workspace, source: Path, digest: str) -> None:
    """Keep the bundle by its digest and sign it with the platform's key."""
    target = workspace.store / "bundles" / digest
    if target.exists():
        return
    partial = target.with_name(f".{digest}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(source, partial)
    sign_bundle(partial, create_platform_key(workspace.keys))
    partial.rename(target)


def _evidence(workspace: Workspace, name: str) -> dict[str, str]:
    """Digests of everything that the signers are shown."""
    evaluation = workspace.interim / "evaluation" / name
    return {
        "evaluation": sha256_file(evaluation / "result.json"),
        "gates": sha256_file(workspace.reports / "evaluation" / "gates.json"),
        "split": splits(workspace)["patient"].digest,
        "dataset": records.development_data(workspace).digest,
        "leakage_audit": sha256_file(evaluation / "leakage.json"),
    }


def _record_candidate(workspace: Workspace, candidate: dict[str, Any]) -> None:
    ledger = records.open_ledger(workspace)
    bundle, evidence = candidate["candidate"], candidate["evidence"]
    actor = Actor(candidate["author"], role="author", auth_method="local")
    signed = Subject(
        "signature", "OpenSSF model signature", sha256_file(workspace.store / "bundles" / bundle / "model.sig")
    )
    proposal = Subject("candidate", candidate["detector"], digest_of(json.loads(json.dumps(candidate))))
    ledger.append_many(
        [
            Draft("model.signed", records.PIPELINE, (signed,), edges=(Edge(signed.digest, "signs", bundle),)),
            Draft(
                "candidate.proposed", actor, (proposal,), payload=candidate,
                edges=(
                    Edge(proposal.digest, "proposes", bundle),
                    Edge(proposal.digest, "supported_by", evidence["evaluation"]),
                ),
            ),
        ]
    )  # fmt: skip


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
