"""What the signers of a candidate were shown, kept from the day of the proposal: later evaluations replace the originals."""

import shutil
from pathlib import Path
from typing import Any

from flows.stages.files import evaluation_of, fresh
from flows.workspace import Workspace
from lineage.digest import Digest, digest_of

RESULT, REPORT, PAGE, GATES, CARD = "result.json", "report.json", "page.html", "gates.json", "card.md"


def keep_evidence(workspace: Workspace, candidate: dict[str, Any]) -> Path:
    """Copy the evaluation, its report, page, gates and card to where `evidence_folder` says."""
    name, reports = candidate["detector"], workspace.reports / "evaluation"
    originals = {
        RESULT: evaluation_of(workspace, name, "patient") / "result.json",
        REPORT: reports / f"{name}.json",
        PAGE: reports / f"{name}.html",
        GATES: reports / "gates.json",
        CARD: reports / f"{name}.card.md",
    }
    folder = evidence_folder(workspace, candidate)
    partial = fresh(folder.with_name(f".{folder.name}.partial"))
    for kept, original in originals.items():
        shutil.copyfile(original, partial / kept)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return folder


def evidence_folder(workspace: Workspace, candidate: dict[str, Any]) -> Path:
    """Where the evidence of this proposal lies; proposed anew, the same bundle gets another."""
    return workspace.store / "evidence" / proposal_digest(candidate)


def proposal_digest(candidate: dict[str, Any]) -> Digest:
    """What tells two proposals of one bundle apart."""
    return digest_of([candidate["candidate"], candidate["proposed_at"]])
