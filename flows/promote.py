"""A candidate for approval: the detector that did best on inner patients, signed as it is, with its gates."""

import getpass
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flows import records
from flows.engine import flow, run_flow
from flows.evidence import keep_evidence, proposal_digest
from flows.stages import files
from flows.stages.files import read_json, splits, write_json
from flows.workspace import Workspace, checkout_state, open_workspace
from lineage.approvals import Approval
from lineage.digest import digest_of, sha256_file
from lineage.keys import create_platform_key
from lineage.ledger import Actor, Draft, Edge, Subject
from lineage.refused import Refused
from lineage.signing import sign_bundle
from models.bundle import refuse_leaky
from models.typing import load_model


@flow(name="promote")
def propose(home: str, author: str, task: str = "detection") -> str:
    """Propose the detector of a task that did best on *inner* patients: sign its bundle, write the candidate, tell the
    ledger."""
    workspace = open_workspace(Path(home)).of(task)
    name = best_inside(workspace)
    fold = workspace.params.promote.fold
    source = files.training_of(workspace, name, "patient") / f"fold-{fold}"
    bundle = load_model(source)
    refuse_leaky(bundle)
    refuse_unevaluated(workspace, name, bundle.digest)
    if bundle.origin.get("shuffled_labels"):
        raise Refused(
            f"{name} was trained on shuffled labels, as a null control: run `ictal train --true-labels` first"
        )
    if _stands(workspace, bundle.digest, name):
        return bundle.digest
    _sign(workspace, source, bundle.digest)
    candidate = {
        "candidate": bundle.digest,
        "detector": name,
        "task": task,
        "version": f"fold-{fold}",
        "author": author,
        "state": "evaluated",
        "gates": gates_of(workspace, name),
        "evidence": evidence_of(workspace, name),
        "inner_auc": inner_auc(workspace)[name],
        "proposed_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "checkout": {
            **checkout_state(),
            "made_cleanly": records.made_cleanly(records.open_ledger(workspace), bundle.digest),
        },
    }
    keep_evidence(workspace, candidate)
    write_json(candidate_path(workspace, bundle.digest), candidate)
    _record_candidate(workspace, candidate)
    return bundle.digest


def propose_candidate(author: str | None = None, task: str = "detection") -> str:
    """`ictal candidates --propose`; the author is whoever runs it, and cannot approve it."""
    workspace = open_workspace().of(task)
    if not (workspace.reports / "evaluation" / "gates.json").exists():
        raise Refused("nothing has been evaluated here: run `ictal evaluate` first")
    digest: str = run_flow(propose, home=str(workspace.root), author=author or getpass.getuser(), task=task)
    return digest


def inner_auc(workspace: Workspace) -> dict[str, float]:
    """Mean AUC of each trained detector on the inner patients of its folds, where it can be computed."""
    found = {name: files.inner_auc(workspace, name) for name in files.trained(workspace)}
    return {name: auc for name, auc in found.items() if auc is not None}


def best_inside(workspace: Workspace) -> str:
    """The detector with the best inner AUC; the outer test folds have no say."""
    ranking = inner_auc(workspace)
    if not ranking:
        raise Refused(
            f"no detector of {workspace.task} can be chosen: in no fold do the inner patients show two classes, "
            "so bring in more patients of each"
        )
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


def find_candidate(workspace: Workspace, digest: str) -> dict[str, Any]:
    """The candidate whose digest begins like this."""
    found = [p for p in (workspace.store / "candidates").glob("*.json") if digest and p.stem.startswith(digest)]
    if len(found) != 1:
        raise Refused(f"{len(found)} candidates begin with {digest[:16]!r}; see `ictal candidates`")
    candidate: dict[str, Any] = read_json(found[0])
    return candidate


def read_candidate(workspace: Workspace, digest: str) -> dict[str, Any]:
    """A candidate as it was proposed, with its state now."""
    found: dict[str, Any] = read_json(candidate_path(workspace, digest))
    return found


def approval_path(workspace: Workspace, candidate: dict[str, Any]) -> Path:
    """Where the approval of this proposal lies; proposed anew, the same bundle gets another."""
    return workspace.store / "approvals" / f"{proposal_digest(candidate)}.json"


def refuse_unevaluated(workspace: Workspace, name: str, bundle: str) -> None:
    """Refuse a model whose evidence is of another training, code or cohort, or is not what the ledger knows of."""
    if "patient" not in files.results(workspace, name):
        raise Refused(f"{name} was trained, or its evaluation's settings changed, after it was evaluated: {AGAIN}")
    ledger, evidence = records.open_ledger(workspace), evidence_of(workspace, name)
    known = ledger.entries("evaluation.recorded", evidence["evaluation"])
    if not any(Edge(evidence["evaluation"], "evaluates", bundle) in entry.edges for entry in known):
        raise Refused(f"the ledger knows of no evaluation of this model with these figures: {AGAIN}")
    reports = [ledger.payload(e.payload_digest) for e in ledger.entries("evaluation.recorded", evidence["report"])]
    if not any(r and (r["gates"], r["card"]) == (evidence["gates"], evidence["card"]) for r in reports):
        raise Refused(f"the gates or the card are not those that the report stage left: {AGAIN}")


AGAIN = "run `ictal evaluate` again"


def _stands(workspace: Workspace, digest: str, name: str) -> bool:
    """Whether this very bundle is proposed already, on the same evidence, and not yet past its approval's time."""
    path = candidate_path(workspace, digest)
    if not path.exists():
        return False
    candidate = read_json(path)
    approval = approval_path(workspace, candidate)
    expired = approval.exists() and Approval.read(approval).record.not_after < datetime.now(UTC)
    return not expired and candidate["evidence"] == evidence_of(workspace, name)


def candidate_path(workspace: Workspace, digest: str) -> Path:
    """Where a candidate's record lies."""
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


def gates_of(workspace: Workspace, name: str) -> list[dict[str, Any]]:
    """The gates of a detector as the report stage left them."""
    found: list[dict[str, Any]] = read_json(workspace.reports / "evaluation" / "gates.json")[name]
    return found


def evidence_of(workspace: Workspace, name: str) -> dict[str, str]:
    """Digests of everything that the signers are shown."""
    evaluation = files.evaluation_of(workspace, name, "patient")
    return {
        "evaluation": sha256_file(evaluation / "result.json"),
        "gates": sha256_file(workspace.reports / "evaluation" / "gates.json"),
        "split": splits(workspace)["patient"].digest,
        "dataset": records.development_data(workspace).digest,
        "report": sha256_file(workspace.reports / "evaluation" / f"{name}.json"),
        "card": sha256_file(workspace.reports / "evaluation" / f"{name}.card.md"),
        # a file that is no evaluation has none, and differs from what was proposed
        "leakage_audit": read_json(evaluation / "result.json").get("leakage", {}).get("digest", ""),
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
