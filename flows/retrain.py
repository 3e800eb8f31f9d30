"""Scheduled retraining: the same steps as by hand, ending in a candidate that people still have to approve."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State


@flow(name="retrain")
def retrain(home: str, reason: str = "schedule", alarm: str = "") -> "State[dict[str, Any]]":
    """Ingest, check, train and evaluate all tasks, propose for detection, have the signatures waited for; nothing is put
    in force.

    Steps whose inputs did not change are skipped, so that a run goes on where a killed one stopped. An `alarm` (as
    `flows.alarms.named_in` reads it) that was answered before is answered no second time. Where a gate failed, or where
    the best model is the one in force, nobody is asked to sign. The message of the state in which the run ends says which
    of these it was.
    """
    workspace = open_workspace(Path(home))
    ledger, alarms = records.open_ledger(workspace), named_in(alarm)
    causes = tuple(Subject("retraining", reason, digest) for digest in alarms or [""])
    answers = [answer_to(ledger, digest) for digest in alarms]
    if answers and all(answers):
        why = f"the alarm was answered by candidate {answers[-1][:12]}"
        ledger.append_many([Draft("retrain.skipped", records.PIPELINE, causes, why)])
        return _ended(f"nothing was trained: {why}", {"candidate": answers[-1]})
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
    ran = f"{sum(how == 'ran' for how in done.values())} of {len(done)} trainings were run anew"
    return _ended(f"{_came_of(workspace, candidate)}; {ran}", came)


def _came_of(workspace: Workspace, digest: str) -> str:
    """What comes of a candidate, in words; its signatures are waited for where somebody is to sign.

    A gate that failed is no lack of evidence. Somebody may still sign in spite of it, but is not asked to.
    """
    candidate = read_candidate(workspace, digest)
    name = f"{candidate['detector']} {digest[:12]}"
    if candidate["state"] == "deployed" and is_pointed_at(workspace, digest):
        return f"nothing to sign: the best model, {name}, is the one in force"
    failed = [f"{gate['name']} ({gate['reason']})" for gate in candidate["gates"] if gate["outcome"] == "fail"]
    if failed:
        return f"nobody is asked to sign: {name} is stopped by its gates: {', '.join(failed)}. See `ictal candidates`"
    wait_for(workspace, digest)
    return f"{name} waits for two people's signatures: see `ictal candidates`"


def _ended(said: str, came: dict[str, Any]) -> "State[dict[str, Any]]":
    """A run that did what it is for is completed, also where the answer is no: to fail means that something broke.

    The state keeps the name Completed, by which the server knows that a run has not fallen silent.
    """
    from prefect.states import Completed

    return Completed(message=said, data={**came, "said": said})


def _pin(workspace: Workspace, done: dict[str, str], digest: str) -> None:
    candidate = read_candidate(workspace, digest)
    name = f"{candidate['detector']} {digest[:12]}"
    pin_table(workspace, "training", [{"training": what, "how": how} for what, how in done.items()], "What was trained")
    gates = [{"gate": g["name"], "outcome": g["outcome"], "why": g.get("reason", "")} for g in candidate["gates"]]
    pin_table(workspace, "gates", gates, f"Gates of {name}")
    page = workspace.reports / "evaluation" / f"{candidate['detector']}.html"
    pin_page(workspace, "evaluation", page, f"Evaluation of {name}")
