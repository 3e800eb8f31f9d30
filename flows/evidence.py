"""What the signers of a candidate were shown, kept from the day of the proposal: later evaluations replace the originals."""

import shutil
from pathlib import Path
from typing import Any

from flows.stages.files import evaluation_of
from flows.workspace import Workspace
from lineage.digest import Digest, digest_of

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


def evidence_signed(workspace: Workspace, approval: Path) -> Path:
    """Where the evidence lies that an approval's file is of: both are called by the proposal's digest."""
    return workspace.store / "evidence" / approval.stem


def proposal_digest(candidate: dict[str, Any]) -> Digest:
    """What tells two proposals of one bundle apart."""
    return digest_of([candidate["candidate"], candidate["proposed_at"]])
