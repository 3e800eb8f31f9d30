"""What the signers of a candidate were shown, kept from the day of the proposal: later evaluations replace the originals."""

import shutil
from pathlib import Path
from typing import Any

from flows.stages.files import evaluation_of
from flows.workspace import Workspace
from lineage.digest import Digest, digest_of, sha256_bytes
from lineage.ledger import Ledger
from lineage.refused import Refused

RESULT, REPORT, PAGE, GATES, CARD = "result.json", "report.json", "page.html", "gates.json", "card.md"


def keep_evidence(workspace: Workspace, candidate: dict[str, Any]) -> Path:
    """Copy the evaluation (its predictions as well), its report, page, gates and card to where `evidence_folder` says.
    Returns that folder."""
    name, reports = candidate["detector"], workspace.reports / "evaluation"
    originals = {
        REPORT: reports / f"{name}.json",
        PAGE: reports / f"{name}.html",
        GATES: reports / "gates.json",
        CARD: reports / f"{name}.card.md",
    }
    folder = evidence_folder(workspace, candidate)
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(evaluation_of(workspace, name, "patient"), partial)
    for kept, original in originals.items():
        shutil.copyfile(original, partial / kept)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return folder


def evidence_folder(workspace: Workspace, candidate: dict[str, Any]) -> Path:
    """Where the evidence of this proposal lies; proposed anew, the same bundle gets another."""
    return workspace.store / "evidence" / proposal_digest(candidate)


def shown_to_signers(workspace: Workspace, ledger: Ledger, candidate: dict[str, Any], kept: str) -> bytes:
    """Of a proposal the page, the report or the card, as it was kept for its signers. Refused where it is gone, or is not
    the one that the ledger names."""
    path, evidence = evidence_folder(workspace, candidate) / kept, candidate["evidence"]
    if not path.exists():
        raise Refused(
            "this was not kept when the model was proposed: propose it anew with `ictal candidates --propose`"
        )
    content = path.read_bytes()
    lines = ledger.entries("evaluation.recorded", evidence["report"])
    pages = [said["page"] for line in lines if (said := ledger.payload(line.payload_digest)) and "page" in said]
    if sha256_bytes(content) not in {PAGE: pages, REPORT: [evidence["report"]], CARD: [evidence["card"]]}[kept]:
        raise Refused(
            f"what was kept for the signers ({kept}) is no longer what the ledger names: it was changed since"
        )
    return content


def evidence_signed(workspace: Workspace, approval: Path) -> Path:
    """Where the evidence lies that an approval's file is of: both are called by the proposal's digest."""
    return workspace.store / "evidence" / approval.stem


def proposal_digest(candidate: dict[str, Any]) -> Digest:
    """What tells two proposals of one bundle apart."""
    return digest_of([candidate["candidate"], candidate["proposed_at"]])
