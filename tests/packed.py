"""A small workspace with one approved model and everything that an evidence pack of it is made from."""

import json
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from flows import evidence
from flows.pack import pack_model
from flows.packing import parts
from flows.promote import approval_path, candidate_path
from flows.stages.files import write_json
from flows.workspace import Workspace
from lineage import dsse
from lineage.approvals import Approval
from lineage.digest import digest_of, sha256_bytes, sha256_file
from lineage.keys import platform_key
from lineage.ledger import Actor, Draft, Edge, Entry, Ledger, Software, Subject
from models.bundle import Bundle
from serving.loader import import_bundle, write_pointer
from tests.served import (
    NOW,
    approve,
    bundle_folder,
    people_and_keys,
    record_for,
    signed_bundle,
)
from validation.leakage import GuardOutcome, LeakageAudit
from validation.splits import Fold, Split

OUTSIDER = dsse.pem_of(ec.generate_private_key(ec.SECP256R1()).public_key()).encode()
"""The public key of somebody else."""
PIPELINE = Actor("pipeline", "Ictal pipeline", "service", auth_method="local")
AUTHOR = Actor("author", role="author", auth_method="local")
LOCK = b"# what is installed\nnumpy==1.0\nrfc8785==0.1.4\n"
SOFTWARE = Software("c" * 40, sha256_bytes(LOCK), dirty=False)
RECORDINGS = {f"sub-00{n}_task-eeg_run-01": sha256_bytes(b"recording %d" % n) for n in range(1, 5)}
SPLIT = Split("patient", 7, 0.25, (Fold(tuple(RECORDINGS)[:2], tuple(RECORDINGS)[2:3], tuple(RECORDINGS)[3:]),))
AUDIT = LeakageAudit(SPLIT.digest, (GuardOutcome("same_person", "pass", ""), GuardOutcome("same_bytes", "pass", "")))
GATES = [
    {"name": "sensitivity", "outcome": "pass", "reason": "0.80 ≥ 0.70"},
    {"name": "leakage_audit", "outcome": "pass", "reason": "clean"},
]


def pack_home(root: Path) -> Workspace:
    """Train nothing, but sign, approve, put in force and record as the platform does."""
    workspace = Workspace(root)
    root.mkdir(parents=True, exist_ok=True)
    (root / "workspace.json").write_text(json.dumps({"kind": "demo"}))
    people_and_keys(root)
    bundle = signed_bundle(root)
    bundle_folder(root).rename(root / "store" / "bundles" / bundle.digest)
    candidate = _candidate(workspace, bundle)
    approval = _approved(workspace, bundle, candidate)
    write_json(candidate_path(workspace, bundle.digest), candidate)
    path = approval_path(workspace, candidate)
    path.parent.mkdir(parents=True, exist_ok=True)
    approval.write(path)
    _point(workspace, bundle, path)
    _record(workspace, bundle, candidate, approval)
    return workspace


def finished_pack(workspace: Workspace, folder: Path) -> Path:
    """One pack with weights, as the command makes it; its training was locked by a checkout of two packages."""
    (folder / "constraints.txt").write_bytes(LOCK)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ICTAL_HOME", str(workspace.root))
        patch.setattr(parts, "ROOT", folder)
        pack_model("line_length", folder / "pack.zip", with_weights=True)
    return folder / "pack.zip"


def ledger_of(workspace: Workspace) -> Ledger:
    return Ledger(workspace.ledger, SOFTWARE)


def answer(workspace: Workspace, number: int) -> Entry:
    """The model answers about its first recording, as a service writes it."""
    digest = sha256_bytes(b"answer %d" % number)
    model = next((workspace.store / "bundles").iterdir()).name
    subjects = (
        Subject("prediction", f"p-{number}", digest),
        Subject("recording", "asked", RECORDINGS["sub-001_task-eeg_run-01"]),
        Subject("model", "line_length", model),
    )
    edges = (Edge(digest, "made_by", model),)
    draft = Draft("prediction.issued", Actor("demo-north"), subjects, payload={"number": number}, edges=edges)
    return ledger_of(workspace).append_many([draft], now=NOW + timedelta(hours=2))[0]


def _candidate(workspace: Workspace, bundle: Bundle) -> dict[str, Any]:
    candidate: dict[str, Any] = {
        "candidate": bundle.digest, "detector": bundle.name, "task": "detection", "version": "fold-0",
        "author": "author", "state": "deployed", "gates": GATES, "proposed_at": NOW.isoformat(),
    }  # fmt: skip
    folder = evidence.evidence_folder(workspace, candidate)
    write_json(folder / evidence.RESULT, {"leakage": AUDIT.to_json(), "clinical": {"sensitivity": 0.8}})
    write_json(folder / evidence.REPORT, {"detector": bundle.name, "simulated": True})
    write_json(folder / evidence.GATES, {bundle.name: GATES})
    (folder / evidence.CARD).write_text("# Line length\n\nFor newborns.\n")
    (folder / evidence.PAGE).write_text("<!doctype html><title>Evaluation</title>\n")
    candidate["evidence"] = {
        "evaluation": sha256_file(folder / evidence.RESULT),
        "gates": sha256_file(folder / evidence.GATES),
        "split": SPLIT.digest,
        "dataset": digest_of(RECORDINGS),
        "report": sha256_file(folder / evidence.REPORT),
        "card": sha256_file(folder / evidence.CARD),
        "leakage_audit": AUDIT.digest,
    }
    return candidate


def _approved(workspace: Workspace, bundle: Bundle, candidate: dict[str, Any]) -> Approval:
    gates = {gate["name"]: "passed" for gate in GATES}
    record = replace(record_for(bundle), version="fold-0", evidence=candidate["evidence"], gates=gates)
    return Approval.read(approve(workspace.root, record))


def _point(workspace: Workspace, bundle: Bundle, approval: Path) -> None:
    tag = import_bundle(workspace.root, workspace.store / "bundles" / bundle.digest)
    write_pointer(workspace.root, bundle=bundle.digest, tag=tag, approval=approval, now=NOW)


def _record(workspace: Workspace, bundle: Bundle, candidate: dict[str, Any], approval: Approval) -> None:
    named, record, model = candidate["evidence"], approval.record, bundle.digest
    folder = evidence.evidence_folder(workspace, candidate)
    run, deployed = sha256_bytes(b"training"), sha256_bytes(b"deployment")
    signature = sha256_file(workspace.store / "bundles" / model / "model.sig")
    proposal = digest_of(candidate)
    page = {"gates": named["gates"], "card": named["card"], "page": sha256_file(folder / evidence.PAGE)}

    def said(type: str, kind: str, id: str, digest: str, edges: dict[str, str], payload: Any = None) -> Draft:
        drawn = tuple(Edge(digest, relation, parent) for parent, relation in edges.items())
        return Draft(type, PIPELINE, (Subject(kind, id, digest),), payload=payload, edges=drawn)

    drafts = [said("recording.registered", "recording", name, digest, {}) for name, digest in RECORDINGS.items()]
    contents = dict.fromkeys(RECORDINGS.values(), "contains")
    drafts += [
        said(
            "dataset.frozen",
            "dataset",
            "newborns (development)",
            named["dataset"],
            contents,
            {"recordings": RECORDINGS},
        ),
        said(
            "split.created", "split", "patient", SPLIT.digest, {named["dataset"]: "divides"}, {"split": SPLIT.to_json()}
        ),
        said("run.finished", "run", "train line_length", run, {SPLIT.digest: "split_by"}, {"epochs": 1}),
        said("run.finished", "model", "line_length fold 0", model, {run: "made_by"}, {"fold": 0}),
        said(
            "evaluation.recorded", "evaluation", "line_length", named["evaluation"], {model: "evaluates"}, {"auc": 0.9}
        ),
        said("evaluation.recorded", "report", "line_length", named["report"], {named["evaluation"]: "reports"}, page),
        said("model.signed", "signature", "OpenSSF model signature", signature, {model: "signs"}),
        replace(
            said("candidate.proposed", "candidate", "line_length", proposal, {model: "proposes"}, candidate),
            actor=AUTHOR,
        ),
    ]
    for one in approval.signatures:
        signer = Actor(one.person_id, one.printed_name, one.role, auth_method="key file and passphrase")
        payload = {"record": record.values(), "signature": asdict(one)}
        line = said("approval.signed", "approval", "line_length fold-0", record.digest, {model: "approves"}, payload)
        drafts.append(replace(line, actor=signer, reason=one.meaning))
    drafts.append(
        said("deployment.promoted", "deployment", "demo-*", deployed, {model: "serves", record.digest: "permitted_by"})
    )
    ledger = ledger_of(workspace)
    ledger.append_many(drafts, now=NOW)
    ledger.checkpoint(platform_key(workspace.keys), NOW + timedelta(hours=1))
