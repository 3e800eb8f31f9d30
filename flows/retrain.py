"""Scheduled retraining: the same steps as by hand, ending in a candidate that people still have to approve."""

from pathlib import Path
from typing import Any

from flows import records
from flows.alarms import answer_to, named_in
from flows.check import check_all
from flows.engine import flow
from flows.evaluate import evaluate
from flows.ingest import ingest
from flows.pinboard import pin_page, pin_table
from flows.promote import is_pointed_at, propose, read_candidate
from flows.train import train
from flows.waiting import wait_for
from flows.workspace import Workspace, open_workspace
from lineage.ledger import Draft, Subject
from lineage.refused import Refused


@flow(name="retrain")
def retrain(home: str, reason: str = "schedule", alarm: str = "") -> dict[str, Any]:
    """Ingest, check, train, evaluate, propose, and have the signatures waited for; nothing is put in force.

    Steps whose inputs did not change are skipped, so that a run goes on where a killed one stopped. An `alarm` (as
    `flows.alarms.named_in` reads it) that was answered before is answered no second time. Refused where a gate failed: nobody is asked to sign that. Where the best
    model is the one in force, nobody is asked for anything.
    """
    workspace = open_workspace(Path(home))
    ledger, alarms = records.open_ledger(workspace), named_in(alarm)
    causes = tuple(Subject("retraining", reason, digest) for digest in alarms or [""])
    answers = [answer_to(ledger, digest) for digest in alarms]
    if answers and all(answers):
        why = f"the alarm was answered by candidate {answers[-1][:12]}"
        ledger.append_many([Draft("retrain.skipped", records.PIPELINE, causes, why)])
        return {"skipped": why, "candidate": answers[-1]}
    ledger.append_many([Draft("retrain.triggered", records.PIPELINE, causes, reason)])
    ingest(home)
    found = check_all(home)
    done = train(home)
    figures = evaluate(home)
    candidate = propose(home, records.PIPELINE.id)
    ledger.append_many([Draft("run.finished", records.PIPELINE, causes, reason, {"candidate": candidate})])
    _pin(workspace, done, candidate)
    accepted = {task: own["accepted"] for task, own in found.items()}
    came = {"accepted": accepted, "trained": done, "figures": figures, "candidate": candidate}
    proposed = read_candidate(workspace, candidate)
    if proposed["state"] == "deployed" and is_pointed_at(workspace, candidate):
        return {**came, "skipped": "the best model is the one in force: there is nothing to sign"}
    _refuse_failed(proposed)
    wait_for(workspace, candidate)
    return came


def _refuse_failed(candidate: dict[str, Any]) -> None:
    """A gate that failed is no lack of evidence. Somebody may still sign in spite of it, but is not asked to."""
    failed = [f"{gate['name']} ({gate['reason']})" for gate in candidate["gates"] if gate["outcome"] == "fail"]
    if failed:
        raise Refused(
            f"{candidate['detector']} {candidate['candidate'][:12]} is stopped by its gates: {'; '.join(failed)}. "
            "Nobody is asked to sign; see `ictal candidates`"
        )


def _pin(workspace: Workspace, done: dict[str, str], digest: str) -> None:
    candidate = read_candidate(workspace, digest)
    name = f"{candidate['detector']} {digest[:12]}"
    pin_table(workspace, "training", [{"training": what, "how": how} for what, how in done.items()], "What was trained")
    gates = [{"gate": g["name"], "outcome": g["outcome"], "why": g.get("reason", "")} for g in candidate["gates"]]
    pin_table(workspace, "gates", gates, f"Gates of {name}")
    page = workspace.reports / "evaluation" / f"{candidate['detector']}.html"
    pin_page(workspace, "evaluation", page, f"Evaluation of {name}")
