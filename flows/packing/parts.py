"""The parts of an evidence pack: each gives its files, or says why it cannot."""

import json
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from flows import evidence, rehearsals
from flows.packing.about import data_licences
from flows.packing.case import Case, to_json
from flows.packing.page import REHEARSALS, signatures_text, steps_text
from flows.workspace import ROOT
from lineage import dsse, picture, sbom, verify_pack
from lineage.approvals import Signature, read_revocations
from lineage.crate import Item
from lineage.digest import Digest, Manifest, sha256_bytes
from lineage.evidence import missing_edges, payloads_of
from lineage.keys import platform_key
from lineage.refused import Refused
from lineage.signing import SIGNATURE, verify_bundle
from serving.store import trusted_keys
from serving.terms import revocations_folder
from validation.leakage import GuardOutcome, LeakageAudit

JSON, TEXT, HTML, MARKDOWN = "application/json", "text/plain", "text/html", "text/markdown"
WEIGHTS = "weights.safetensors"
VERIFIER_SOURCE = Path(verify_pack.__file__)


def _card(case: Case) -> Iterable[Item]:
    yield Item(verify_pack.CARD, case.shown(evidence.CARD, "card"), "Model card", MARKDOWN)


def _evaluation(case: Case) -> Iterable[Item]:
    yield Item(verify_pack.RESULT, case.shown(evidence.RESULT, "evaluation"), "Evaluation: every figure", JSON)
    yield Item(verify_pack.REPORT, case.shown(evidence.REPORT, "report"), "Evaluation report as data", JSON)


def _page(case: Case) -> Iterable[Item]:
    content = case.kept(evidence.PAGE)
    if case.stated("evaluation.recorded", "report", "page") != sha256_bytes(content):
        raise Refused("is not the page that the report stage left")
    yield Item(verify_pack.PAGE, content, "Evaluation report as a page", HTML)


def _gates(case: Case) -> Iterable[Item]:
    yield Item(verify_pack.GATES, case.shown(evidence.GATES, "gates"), "Gates and their outcomes", JSON)


def _leakage(case: Case) -> Iterable[Item]:
    stated = json.loads(case.shown(evidence.RESULT, "evaluation"))["leakage"]
    made = LeakageAudit(stated["split_digest"], tuple(GuardOutcome(**outcome) for outcome in stated["outcomes"]))
    if (made.digest, made.split_digest) != (
        case.candidate["evidence"]["leakage_audit"],
        case.candidate["evidence"]["split"],
    ):
        raise Refused("is not the audit of this split that the signers were shown")
    yield Item(verify_pack.LEAKAGE, to_json(made.to_json()), "Leakage audit: what each guard found", JSON)


def _split(case: Case) -> Iterable[Item]:
    split = case.stated("split.created", "split", "split")
    yield Item(verify_pack.SPLIT, to_json(split), "Split: who was learnt from and who was tested on", JSON)


def _dataset(case: Case) -> Iterable[Item]:
    recordings = case.stated("dataset.frozen", "dataset", "recordings")
    licences = [{"@id": entity["@id"]} for entity in data_licences(case)]
    more = {"license": licences} if licences else {}
    yield Item(verify_pack.DATASET, to_json(recordings), "Dataset manifest: SHA-256 of every recording", JSON, more)


def _approvals(case: Case) -> Iterable[Item]:
    approval = case.approval
    record = approval.record
    against = case.against(max((s.at for s in approval.signatures), default=record.not_before))
    against = [fault for fault in against if not fault.startswith("revoked")]  # told, and no reason to pack nothing
    differing = [n for n, digest in record.evidence.items() if case.candidate["evidence"].get(n) != digest]
    against += [f"the record names another {name} than was proposed" for name in differing]
    if against:
        raise Refused("; ".join(against))
    signers = {s.key_id: _signer(case, s) for s in approval.signatures}
    values = {"record": record.values(), "signatures": [asdict(s) for s in approval.signatures]}
    yield Item(verify_pack.APPROVAL, to_json(values), "Approval record and signatures", JSON)
    yield Item(verify_pack.SIGNERS, to_json(signers), "Who signed, with their public keys", JSON)
    text = signatures_text(case.named, approval).encode()
    yield Item(verify_pack.MANIFESTATIONS, text, "Signatures as a person reads them", TEXT)
    revoked = [
        asdict(r)
        for r in read_revocations(revocations_folder(case.workspace.root))
        if r.digest in (case.digest, record.digest)
    ]
    if revoked:
        yield Item("approvals/revocations.json", to_json(revoked), "Revocations of this model", JSON)


def _signer(case: Case, signature: Signature) -> dict[str, Any]:
    """Whose key made a signature, as registered, without anything secret."""
    person = case.people.person(signature.person_id)
    signed_with = person.key_named(signature.key_id) or person.present
    return {
        "person_id": person.id,
        "printed_name": person.printed_name,
        "role": person.role,
        "demo": person.demo,
        "public_key": signed_with.public_key,
    }


def _bundle(case: Case) -> Iterable[Item]:
    if not case.bundle.is_dir():
        raise Refused(f"the bundle {case.digest[:12]} is not in the store")
    verify_bundle(case.bundle, *trusted_keys(case.workspace.root))
    manifest = Manifest.read(case.bundle / "manifest.json")
    if manifest.digest != case.digest:
        raise Refused("the bundle's manifest is not of the model that was proposed")
    for name in sorted({*manifest.files, "manifest.json", SIGNATURE}):
        if case.with_weights or name != WEIGHTS:
            kind = (
                JSON
                if name.endswith((".json", ".sig"))
                else MARKDOWN
                if name.endswith(".md")
                else "application/octet-stream"
            )
            title = {"manifest.json": "Digests of the bundle's files", SIGNATURE: "OpenSSF signature over the bundle"}
            yield Item(
                f"{verify_pack.BUNDLE}{name}",
                (case.bundle / name).read_bytes(),
                title.get(name, f"Bundle: {name}"),
                kind,
            )


def _software(case: Case) -> Iterable[Item]:
    """Of the environment that the model was trained in, whatever is installed by now."""
    software = case.training.software
    lock = _lock(software.lock_digest, software.git_commit)
    bill = sbom.bill_of_materials(lock, software.git_commit, case.training.recorded_at)
    yield Item(
        verify_pack.SBOM, bill.encode(), "Software bill of materials (CycloneDX 1.6)", "application/vnd.cyclonedx+json"
    )
    yield Item(verify_pack.LOCK, lock, "Locked versions of the environment", TEXT)


def _lock(digest: Digest, commit: str) -> bytes:
    """The lock file with this digest: the checkout's, or the one of the commit that trained."""
    here = (ROOT / "constraints.txt").read_bytes()
    if sha256_bytes(here) == digest:
        return here
    shown = subprocess.run(["git", "show", f"{commit}:constraints.txt"], cwd=ROOT, capture_output=True)
    if shown.returncode == 0 and sha256_bytes(shown.stdout) == digest:
        return shown.stdout
    raise Refused(f"the lock {digest[:12]} of the training is neither this checkout's nor that of commit {commit[:12]}")


def _rehearsals(case: Case) -> Iterable[Item]:
    """The newest rehearsal of drift of every site that the approval is for; a site without one is said to have none."""
    of_sites = rehearsals.rehearsed(case.workspace, case.ledger, case.approval.record.scope.sites)
    found = {site: rehearsals.kept(case.workspace, one["digest"]) if one else None for site, one in of_sites.items()}
    tables = {site: {**one, "table": found[site]} if one else "not rehearsed" for site, one in of_sites.items()}
    yield Item(REHEARSALS, to_json(tables), "Rehearsals of drift: which faults a site would notice", JSON)


def _graph(case: Case) -> Iterable[Item]:
    found = case.lineage
    if gone := missing_edges(found, case.proven.entries):
        named = ", ".join(f"{e.child[:12]} {e.relation} {e.parent[:12]}" for e in gone)
        raise Refused(f"the graph lacks what the entries say ({named}): run `ictal audit verify`")
    values = {
        "about": found.about,
        "nodes": [node._asdict() for node in found.nodes],
        "edges": [asdict(edge) for edge in found.edges],
    }
    svg = picture.draw(found.about, found.nodes, found.edges).encode()
    yield Item(verify_pack.GRAPH, to_json(values), "Lineage: what came from what", JSON)
    yield Item(verify_pack.PICTURE, svg, "Lineage as a picture", "image/svg+xml")


def _receipts(case: Case) -> Iterable[Item]:
    proven = case.proven
    receipts = [
        {"entry": entry.envelope(), "path": [step.hex() for step in path]}
        for entry, path in zip(proven.entries, proven.paths, strict=True)
    ]
    yield Item(verify_pack.RECEIPTS, to_json(receipts), "Ledger entries with their inclusion proofs", JSON)
    yield Item(
        verify_pack.CHECKPOINT,
        to_json(json.loads(proven.checkpoint.to_json())),
        "Signed checkpoint of the ledger",
        JSON,
    )
    payloads, _ = payloads_of(case.ledger, proven.entries)
    for digest, content in payloads.items():
        yield Item(
            f"{verify_pack.PAYLOADS}{digest}.json", content, f"What ledger entries say in full: {digest[:12]}", JSON
        )


def _key(case: Case) -> Iterable[Item]:
    if dsse.key_id(dsse.read_pem(case.public_key)) != dsse.key_id(platform_key(case.workspace.keys).public_key()):
        raise Refused("the public key is not that of the platform's private key")
    yield Item(verify_pack.PUBLIC_KEY, case.public_key, "The platform's public key", "application/x-pem-file")


def _verifier(case: Case) -> Iterable[Item]:
    yield Item(
        verify_pack.VERIFIER, VERIFIER_SOURCE.read_bytes(), "Offline verifier: python verify.py", "text/x-python"
    )
    steps = steps_text(case.named, dsse.key_id(dsse.read_pem(case.public_key))).encode()
    yield Item(verify_pack.STEPS, steps, "How to check this pack, with the verifier and by hand", TEXT)


PARTS: dict[str, Callable[[Case], Iterable[Item]]] = {
    "model card": _card,
    "evaluation": _evaluation,
    "evaluation page": _page,
    "gates": _gates,
    "leakage audit": _leakage,
    "split": _split,
    "dataset manifest": _dataset,
    "approvals": _approvals,
    "bundle and its signature": _bundle,
    "software bill of materials": _software,
    "rehearsals of drift": _rehearsals,
    "lineage graph": _graph,
    "ledger entries": _receipts,
    "platform key": _key,
    "offline verifier": _verifier,
}
"""What a pack is made of; none of them can be left out."""
