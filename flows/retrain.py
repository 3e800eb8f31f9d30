"""Scheduled retraining: the same steps as by hand, ending in a candidate that people still have to approve."""

from pathlib import Path
from typing import Any

from flows import records
from flows.check import check_all
from flows.engine import flow
from flows.evaluate import evaluate
from flows.ingest import ingest
from flows.promote import propose
from flows.train import train
from flows.workspace import open_workspace
from lineage.ledger import Draft, Subject


@flow(name="retrain")
def retrain(home: str, reason: str = "schedule") -> dict[str, Any]:
    """Ingest, check, train, evaluate and propose; nothing is put in force. Steps whose inputs did not change are skipped."""
    workspace = open_workspace(Path(home))
    ledger = records.open_ledger(workspace)
    ledger.append_many([Draft("retrain.triggered", records.PIPELINE, (Subject("retraining", reason),), reason)])
    ingest(home)
    found = check_all(home)
    done = train(home)
    figures = evaluate(home)
    candidate = propose(home, "pipeline")
    accepted = {task: own["accepted"] for task, own in found.items()}
    return {"accepted": accepted, "trained": done, "figures": figures, "candidate": candidate}
