"""A proposed model waits for two people's signatures: what is missing is told, and nothing here signs anything.

With a Prefect server each candidate is waited for by a run of its own, which looks at the ledger and is suspended while
something is missing: no process waits, and a worker that is killed takes nothing with it. It looks again when somebody
signs where the server is known, and once a day.
"""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from flows import records
from flows.engine import prefect_flow
from flows.pinboard import has_server, pin_page, pin_table, short_name
from flows.promote import find_candidate, list_candidates
from flows.workspace import Workspace, open_workspace
from lineage.approvals import COUNTING, recorded
from lineage.lifecycle import IN_FORCE
from lineage.refused import Refused

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

NAME = "await signatures"
OPEN = ("evaluated", "reviewed")
"""States in which a candidate lacks a signature."""


@prefect_flow(name=NAME, flow_run_name="candidate {candidate:.12}")  # it makes nothing, so no event tells of it
def await_signatures(home: str, candidate: str) -> dict[str, Any]:
    """Look whether two people have signed a candidate; where not, say what is missing, and be suspended until it is
    looked again. Refused where it will never be signed."""
    workspace = open_workspace(Path(home))
    found = missing(workspace, candidate)
    _pin(workspace, found)
    if found["ended"]:
        raise Refused(f"candidate {candidate[:12]} waits no more: {found['ended']}")
    if found["missing"]:
        _suspend()
    return found


def missing(workspace: Workspace, digest: str) -> dict[str, Any]:
    """What a candidate lacks before it may answer, in words: signatures, and a deviation for each gate that did not pass.

    `ended` says why it waits in vain: rejected, revoked, retired, or another was proposed for its task since.
    """
    candidate = find_candidate(workspace, digest)
    ledger = records.open_ledger(workspace)
    signed = recorded(ledger, candidate["record"]).signatures if candidate["record"] else ()
    by = {signature.meaning: signature.person_id for signature in signed}
    lacks = [f"a signature with the meaning {meaning}" for meaning in COUNTING if meaning not in by]
    undecided = [] if candidate["record"] else [g for g in candidate["gates"] if g["outcome"] != "pass"]
    lacks += [f"a deviation for the gate {gate['name']} ({gate['outcome']})" for gate in undecided]
    if candidate["state"] in IN_FORCE:
        lacks = []
    return {
        "candidate": candidate["candidate"],
        "detector": candidate["detector"],
        "task": candidate["task"],
        "state": candidate["state"],
        "record": candidate["record"],
        "signed": by,
        "missing": lacks,
        "ended": candidate["ended"] or _superseded(candidate, _newest(workspace, list_candidates()["candidates"])),
    }


def _newest(workspace: Workspace, listed: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Of each task the candidate that was proposed last."""
    proposals = records.open_ledger(workspace).entries("candidate.proposed")
    line = {subject.digest: entry.seq for entry in proposals for subject in entry.subjects}
    return {c["task"]: c for c in sorted(listed, key=lambda c: line.get(c.get("proposal", ""), -1))}


def _superseded(candidate: dict[str, Any], newest: dict[str, dict[str, Any]]) -> str:
    last = newest[candidate["task"]]
    superseded = candidate["state"] in OPEN and last["candidate"] != candidate["candidate"]
    return f"{last['detector']} {last['candidate'][:12]} was proposed since" if superseded else ""


def wait_for(workspace: Workspace, candidate: str) -> None:
    """Have a run wait for the signatures of a candidate, where a server knows how; wake the one that waits already."""
    if has_server() and not look_again(workspace, candidate):
        _start(workspace, candidate)


def wait_for_all(workspace: Workspace) -> list[str]:
    """Wake every run that waits, and start one for each proposal of the pipeline that lost its own; returns whom they wait
    for. Candidates are listed once: every retraining leaves one that the next has superseded."""
    waiting = _wake(_unfinished(workspace)) if has_server() else []
    listed = list_candidates()["candidates"]
    newest = _newest(workspace, listed)
    unsigned = [
        candidate["candidate"]
        for candidate in listed
        if candidate["author"] == records.PIPELINE.id and candidate["state"] in OPEN
        if not (candidate["ended"] or _superseded(candidate, newest))
    ]
    lost = [candidate for candidate in unsigned if candidate not in waiting]
    for candidate in lost if has_server() else ():
        _start(workspace, candidate)
    return [*waiting, *lost]


def look_again(workspace: Workspace, candidate: str) -> bool:
    """Wake the run that waits for a candidate; whether there is one."""
    return bool(_wake(run for run in _unfinished(workspace) if run.parameters.get("candidate") == candidate))


def notice_signature(workspace: Workspace, candidate: str) -> None:
    """Wake the run that waits for this signature. It stands whether or not a server can be asked: if not, it is seen at
    night."""
    if has_server():
        from httpx import HTTPError
        from prefect.exceptions import PrefectException

        with suppress(HTTPError, PrefectException):
            look_again(workspace, candidate)


def deployment_of(workspace: Workspace) -> str:
    """What the server calls the runs that wait in this workspace."""
    return f"{NAME}/signatures-{short_name(workspace)}"


def _start(workspace: Workspace, candidate: str) -> None:
    from prefect.deployments import run_deployment
    from prefect.exceptions import ObjectNotFound

    with suppress(ObjectNotFound):  # a server on which nothing of this workspace is scheduled
        run_deployment(
            deployment_of(workspace),
            parameters={"home": str(workspace.root), "candidate": candidate},
            timeout=0,
            as_subflow=False,
        )


def _unfinished(workspace: Workspace) -> "list[FlowRun]":
    """Runs of this workspace that wait, or are about to look."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas import filters
    from prefect.client.schemas.objects import StateType

    named = filters.DeploymentFilterName(any_=[deployment_of(workspace).split("/")[1]])
    going = [StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING, StateType.PAUSED]
    state = filters.FlowRunFilterState(type=filters.FlowRunFilterStateType(any_=going))
    with get_client(sync_client=True) as client:
        return client.read_flow_runs(
            deployment_filter=filters.DeploymentFilter(name=named),
            flow_run_filter=filters.FlowRunFilter(state=state),
        )


def _wake(runs: "Iterable[FlowRun]") -> list[str]:
    """Have suspended runs look again; returns whom these and those that are about to look wait for."""
    from prefect.flow_runs import resume_flow_run

    found = list(runs)
    for run in found:
        if run.state and run.state.is_paused():
            resume_flow_run(run.id)
    return [str(run.parameters.get("candidate")) for run in found]


def _suspend() -> None:
    """End this process and leave the run suspended. A key of its own each time: Prefect passes over a pause it has seen."""
    from prefect.flow_runs import suspend_flow_run
    from prefect.runtime import deployment

    if deployment.id:
        suspend_flow_run(key=str(uuid4()))


def _pin(workspace: Workspace, found: dict[str, Any]) -> None:
    name = f"{found['detector']} {found['candidate'][:12]}"
    rows = [{"missing": what} for what in found["missing"]] or [{"missing": found["ended"] or "nothing"}]
    signed = ", ".join(f"{person} ({meaning})" for meaning, person in found["signed"].items()) or "nobody"
    pin_table(workspace, "signatures", rows, f"{name} is {found['state']}; signed by {signed}")
    page = workspace.of(found["task"]).reports / "evaluation" / f"{found['detector']}.html"
    pin_page(workspace, "candidate", page, f"What is to be signed: {name}")
