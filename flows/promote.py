"""A candidate for approval: the detector that did best on inner patients, signed as it is, with its gates."""

import getpass
import json
import shutil
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flows import records, rehearsals
from flows.approvals import terms_in_words, terms_of
from flows.engine import flow, run_flow
from flows.evidence import keep_evidence, proposal_digest
from flows.register import platform_key
from flows.stages import files
from flows.stages.files import read_json, splits, write_json
from flows.terminal import in_columns
from flows.workspace import Workspace, checkout_state, open_workspace
from lineage.approvals import Approval, recorded
from lineage.digest import Digest, digest_of, sha256_file
from lineage.ledger import Actor, Draft, Edge, Subject
from lineage.lifecycle import Steps, record_of, standing, why_rejected
from lineage.refused import Refused
from lineage.registry import Registry
from lineage.signing import SignatureInvalid, sign_bundle, verify_bundle
from models.bundle import Bundle, refuse_leaky
from models.engines import LIMIT, ONNX_RUNTIME, QUESTIONS, apart, file_of, refuse_unequal
from models.typing import TypingBundle, load_model
from serving.store import NotInForce, read_pointer


@flow(name="promote")
def propose(home: str, author: str, task: str = "detection") -> str:
    """Propose the detector of a task that did best on *inner* patients: sign its bundle, write the candidate, tell the
    ledger. Returns the bundle's digest; what is proposed already, on the same evidence, is not proposed again.

    Refused where no detector can be chosen, for one that learnt from shuffled labels or was revoked, and as by
    `refuse_unevaluated`; NonReportable (Refused) for one that was not made with patients or sites apart.
    """
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
    _refuse_revoked(workspace, bundle.digest)
    if _stands(workspace, bundle.digest, name):
        return bundle.digest
    exported = measured_export(source, bundle)
    _sign(workspace, source, bundle.digest)
    candidate = {
        "candidate": bundle.digest,
        "detector": name,
        "task": task,
        "version": f"fold-{fold}",
        "author": author,
        "gates": gates_of(workspace, name),
        "evidence": evidence_of(workspace, name),
        "rehearsals": rehearsals.rehearsed(workspace, records.open_ledger(workspace), workspace.params.promote.sites),
        "inner_auc": inner_auc(workspace)[name],
        "proposed_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "checkout": {
            **checkout_state(),
            "made_cleanly": records.made_cleanly(records.open_ledger(workspace), bundle.digest),
        },
    }
    keep_evidence(workspace, candidate)
    write_json(candidate_path(workspace, bundle.digest), candidate)
    _record_candidate(workspace, candidate, exported)
    return bundle.digest


def propose_candidate(author: str | None = None, task: str = "detection") -> str:
    """`ictal candidates --propose`, with the digest of what it proposed; the author, whoever runs it unless named,
    cannot approve it. Refused where nothing was evaluated, for the name of the pipeline as an author, and as by
    `propose`."""
    workspace = open_workspace().of(task)
    if author == records.PIPELINE.id:
        raise Refused(f"{author!r} is the author of what a scheduled retraining proposes; name a person with --author")
    if not (workspace.reports / "evaluation" / "gates.json").exists():
        raise Refused("nothing has been evaluated here: run `ictal evaluate` first")
    digest: str = run_flow(propose, home=str(workspace.root), author=author or getpass.getuser(), task=task)
    return digest


def inner_auc(workspace: Workspace) -> dict[str, float]:
    """Mean AUC of each trained detector on the inner patients of its folds, where it can be computed."""
    found = {name: files.inner_auc(workspace, name) for name in files.trained(workspace)}
    return {name: auc for name, auc in found.items() if auc is not None}


def best_inside(workspace: Workspace) -> str:
    """The detector with the best inner AUC; the outer test folds have no say. Refused where no detector has one."""
    ranking = inner_auc(workspace)
    if not ranking:
        raise Refused(
            f"no detector of {workspace.task} can be chosen: in no fold do the inner patients show two classes, "
            "so bring in more patients of each"
        )
    return max(ranking, key=lambda name: ranking[name])


def list_candidates() -> dict[str, Any]:
    """Every candidate with its state and gates; of a file that was edited, that it was."""
    workspace = open_workspace()
    steps = Steps(records.open_ledger(workspace))
    found = [_listed(workspace, path, steps) for path in _files(workspace)]
    heads = in_columns([(c["candidate"][:12], c["detector"], c["state"], c["ended"]) for c in found])
    lines = [
        line for head, one in zip(heads, found, strict=True) for line in (head, *(f"    {own}" for own in _below(one)))
    ]
    return {"candidates": found, "text": "\n".join(lines) or "no candidates yet: run `ictal candidates --propose`"}


def list_candidate(workspace: Workspace, digest: Digest) -> dict[str, Any] | None:
    """The candidate with this digest as `list_candidates` gives it, without a look at any other; None where there is none."""
    path = next((path for path in _files(workspace) if path.stem == digest), None)
    found = path and _listed(workspace, path, Steps(records.open_ledger(workspace)))
    return found if found and found["candidate"] == digest else None


def _below(candidate: dict[str, Any]) -> list[str]:
    """What is listed under a candidate: gates that did not pass, rehearsals of drift, and the terms of its approval."""
    open_gates = in_columns([(g["name"], g["outcome"]) for g in candidate["gates"] if g["outcome"] != "pass"])
    rehearsed = rehearsals.in_words(candidate.get("rehearsals", {}))
    return [*open_gates, *rehearsed, *terms_in_words(candidate["approval"])]


def find_candidate(workspace: Workspace, digest: str) -> dict[str, Any]:
    """The candidate whose digest begins like this, as `read_candidate` gives it; refused where none or several do."""
    found = [path for path in _files(workspace) if digest and path.stem.startswith(digest)]
    if len(found) != 1:
        raise Refused(f"{len(found)} candidates begin with {digest[:16]!r}; see `ictal candidates`")
    return read_candidate(workspace, found[0].stem)


def proposed_model(workspace: Workspace, digest: str) -> str:
    """The whole digest of a model that was ever proposed, by the ledger: whatever became of its candidate's file.
    Refused where none or several begin like this."""
    edges = [edge for e in records.open_ledger(workspace).entries("candidate.proposed") for edge in e.edges]
    found = {e.parent for e in edges if e.relation == "proposes" and digest and e.parent.startswith(digest)}
    if len(found) != 1:
        raise Refused(f"{len(found)} proposed models begin with {digest[:16]!r}; see `ictal candidates`")
    return found.pop()


def read_candidate(workspace: Workspace, digest: str, steps: Steps | None = None) -> dict[str, Any]:
    """A candidate as it was proposed, and where it stands by the ledger: `state`, the `record` that was signed for it,
    and why it has `ended`. Refuses a file that is not what the ledger says was proposed.

    `steps` are the ledger's, where several candidates are read; its own, of now, if left out.
    """
    steps = steps or Steps(records.open_ledger(workspace))
    candidate = read_json(candidate_path(workspace, digest))
    proposal = digest_of(candidate)
    if not steps.ledger.entries("candidate.proposed", proposal) or candidate["candidate"] != digest:
        raise Refused(
            f"the file of candidate {digest[:12]} is not what was proposed: `ictal candidates --propose` again"
        )
    now = standing(steps, digest, record_of(steps, proposal))
    ended = now.ended or why_rejected(steps, proposal)
    return {**candidate, "proposal": proposal, "state": now.state, "record": now.record, "ended": ended}


def _listed(workspace: Workspace, path: Path, steps: Steps) -> dict[str, Any]:
    """A candidate with the terms of its approval; of a file that was edited, that it was."""
    try:
        candidate = read_candidate(workspace, path.stem, steps)
    except Refused as refused:
        return {**read_json(path), "state": "edited", "ended": str(refused), "record": "", "approval": None}
    approval = candidate["record"] and recorded(steps.ledger, candidate["record"])
    return {**candidate, "approval": terms_of(approval) if approval else None}


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
    """Whether this very bundle is proposed already, on the same evidence, and not yet past its approval's time; one that is
    in force stands until then, since its approval is of the evidence that people have signed."""
    if not candidate_path(workspace, digest).exists():
        return False
    try:
        candidate = read_candidate(workspace, digest)
    except Refused:
        return False  # an edited file is written anew
    approval = approval_path(workspace, candidate)
    expired = approval.exists() and Approval.read(approval).record.not_after < datetime.now(UTC)
    signed_for = approval.exists() and is_pointed_at(workspace, digest)
    same = (signed_for or candidate["evidence"] == evidence_of(workspace, name)) and not candidate["ended"]
    return same and not expired and _is_signed(workspace, workspace.store / "bundles" / digest)


def is_pointed_at(workspace: Workspace, bundle: Digest) -> bool:
    """Whether services are pointed at this bundle for the workspace's task, whether or not it may answer."""
    with suppress(NotInForce):
        return read_pointer(workspace.root, workspace.task).bundle == bundle
    return False


def _refuse_revoked(workspace: Workspace, digest: str) -> None:
    ended = standing(Steps(records.open_ledger(workspace)), digest).ended
    if ended:
        raise Refused(f"this very model was {ended}; train another, for this one does not come back")


def candidate_path(workspace: Workspace, digest: str) -> Path:
    """Where a candidate's record lies."""
    return workspace.store / "candidates" / f"{digest}.json"


def _files(workspace: Workspace) -> list[Path]:
    return sorted((workspace.store / "candidates").glob("*.json"))


def _sign(workspace: Workspace, source: Path, digest: str) -> None:
    """Keep the bundle by its digest and sign it with the platform's key; once more where the key that did is revoked."""
    target = workspace.store / "bundles" / digest
    if _is_signed(workspace, target):
        return
    if target.exists():
        _sign_again(workspace, target, digest)
        return
    partial = target.with_name(f".{digest}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(source, partial)
    sign_bundle(partial, platform_key(workspace))
    partial.rename(target)


def _is_signed(workspace: Workspace, bundle: Path) -> bool:
    trusted = Registry.read(records.open_ledger(workspace)).trusted(workspace.keys)
    try:
        verify_bundle(bundle, *trusted)
    except SignatureInvalid:
        return False
    return True


def _sign_again(workspace: Workspace, bundle: Path, digest: str) -> None:
    """Only what is still, file for file, the bundle of this digest: reading it compares every file with its manifest."""
    if load_model(bundle).digest != digest:
        raise Refused(
            f"the kept bundle {digest[:12]} is not what it was: move it away from store/bundles, and propose anew"
        )
    sign_bundle(bundle, platform_key(workspace))


def gates_of(workspace: Workspace, name: str) -> list[dict[str, Any]]:
    """The gates of a detector as the report stage left them; FileNotFoundError where it never ran."""
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


def measured_export(folder: Path, bundle: Bundle | TypingBundle) -> Draft | None:
    """What the ledger says of the networks that a service will run: how far each lies from the one that was evaluated.

    Refuses one that lies further than `models.engines.LIMIT`. None where the model is run by its own code.
    """
    distances = apart(bundle.detector.networks(), folder)
    if not distances:
        return None
    refuse_unequal(distances)
    networks = tuple(Subject("network", f"{name}.onnx", sha256_file(file_of(folder, name))) for name in distances)
    stated = {"engine": ONNX_RUNTIME, "largest_difference": distances, "limit": LIMIT, "questions": QUESTIONS}
    edges = tuple(Edge(network.digest, "exported_from", bundle.digest) for network in networks)
    return Draft("model.exported", records.PIPELINE, networks, payload=stated, edges=edges)


def _record_candidate(workspace: Workspace, candidate: dict[str, Any], exported: Draft | None) -> None:
    ledger = records.open_ledger(workspace)
    bundle, evidence = candidate["candidate"], candidate["evidence"]
    actor = Actor(candidate["author"], role="author", auth_method="local")
    signed = Subject(
        "signature", "OpenSSF model signature", sha256_file(workspace.store / "bundles" / bundle / "model.sig")
    )
    proposal = Subject("candidate", candidate["detector"], digest_of(json.loads(json.dumps(candidate))))
    ledger.append_many(
        [
            *([exported] if exported else []),
            Draft("model.signed", records.PIPELINE, (signed,), edges=(Edge(signed.digest, "signs", bundle),)),
            Draft(
                "candidate.proposed", actor, (proposal,), f"by login {getpass.getuser()}", candidate,
                edges=(
                    Edge(proposal.digest, "proposes", bundle),
                    Edge(proposal.digest, "supported_by", evidence["evaluation"]),
                ),
            ),
        ]
    )  # fmt: skip
