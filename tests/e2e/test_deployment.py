"""What runs by itself, on a real Prefect server with a real worker: drift starts a retraining, which people end.

One workspace in which everything is trained, on SQLite; one in which nothing has to be, on SQLite and on PostgreSQL.
"""

import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from flows import alarms, place, promote, waiting
from flows import retrain as retraining
from flows.approve import approve_candidate
from flows.records import PIPELINE, open_ledger
from flows.workspace import Workspace
from lineage.ledger import Draft, Subject
from tests.databases import NewPlace
from tests.e2e.scheduling import PREFECT, Scheduler, end, scheduler
from tests.e2e.verbs import tiny_workspace
from tests.proposals import FIRST, SECOND, Office, evaluate, evaluated_office, train

RUN_S = 1800.0
LOST_S = 60
ENDED = ("COMPLETED", "FAILED", "CRASHED")
REGISTER = f"""
from datetime import timedelta
from flows.deployments import register
for _ in range(2):  # the second time it replaces the first
    register(lost_after=timedelta(seconds={LOST_S}))
"""
PER_WEEK = 8
CONFIRMED = {"site": "demo-east", "state": "alarm", "since": "2026-W47", "confirmed": True, "doubt": "", "causes": []}
CONFIRMED |= {"patients": 12, "reference_patients": 24}
REASON = "more sensitive at demo-east"


def start(server: Scheduler, name: str) -> None:
    command = [*PREFECT, "deployment", "run", name]
    subprocess.run(command, env=server.environment, check=True, capture_output=True)


def types_of(workspace: Workspace) -> list[str]:
    return [entry.type.value for entry in open_ledger(workspace).entries()]


def test_drift_retrains_what_a_killed_worker_left_is_gone_on_with_and_gates_stop_what_costs_too_much(
    tmp_path: Path,
) -> None:
    """The floor is what does best inside in twelve newborns; nobody is there to compare it with."""
    later = {"simulation.surveillance_per_site": 2 * PER_WEEK, "simulation.surveillance_minutes": 2.0}
    workspace = tiny_workspace(tmp_path / "ws", {**later, "gates.max_cost_s_per_eeg_hour": 1e-4})
    short = workspace.id[:8]
    with scheduler(workspace, tmp_path / "server") as server:
        server.python(REGISTER)
        server.came_last_week(PER_WEEK)
        with server.worker("first") as worker:
            start(server, f"nightly/nightly-{short}")
            server.until(lambda: server.runs("nightly", "COMPLETED"), RUN_S, "the night's checks")
            start(server, f"watch/weekly-{short}")
            kept = workspace.root / "dvc.lock"  # what stands here is not done again
            begun = "train@line_length-patient"
            server.until(lambda: kept.exists() and begun in kept.read_text(), RUN_S, "a retraining that drift started")
            kill_all(worker.pid)
        (lost,) = server.until(lambda: server.runs("monthly", "CRASHED"), RUN_S, "that the lost run is noticed")
        assert "goes on where it stopped" in lost["state"]["message"]
        assert lost["parameters"]["reason"] == "drift at demo-east"
        with server.worker("second"):
            server.python(again(lost["parameters"]))
            run = server.until(lambda: server.runs("monthly", "COMPLETED", "FAILED"), RUN_S, "the run after it")[0]
        assert run["state"]["type"] == "COMPLETED" and "is stopped by its gates: cost" in run["state"]["message"]
        (table,) = server.artifacts("training")
        assert '"line_length, patient", "how": "skipped"' in table["data"]
        assert not server.runs("signatures")
    recorded = types_of(workspace)
    assert recorded.index("drift.alarm") < recorded.index("retrain.triggered") < recorded.index("candidate.proposed")
    assert "approval.signed" not in recorded and "deployment.promoted" not in recorded


def again(parameters: dict[str, Any]) -> str:
    """Somebody who starts what was lost once more."""
    return f"""
from prefect.deployments import run_deployment
from flows.deployments import parts_of
from flows.workspace import open_workspace
run_deployment(parts_of(open_workspace())[2], parameters={parameters!r}, timeout=0, as_subflow=False)
"""


def kill_all(root: int) -> None:
    """`kill -9` to a process and all that it started, in whatever groups: what the loss of a machine is."""
    import psutil

    found = psutil.Process(root)
    for process in [*found.children(recursive=True), found]:
        process.send_signal(signal.SIGKILL)


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    """A model in force, and another that a retraining after an alarm proposed."""
    made = evaluated_office(tmp_path / "ws")
    monkeypatch.setenv("ICTAL_HOME", str(made.home))
    made.propose()
    made.both_sign()
    train(made, threshold=0.7)
    evaluate(made)
    for step in ("ingest", "check_all", "train", "evaluate"):
        monkeypatch.setattr(retraining, step, lambda home: {})
    monkeypatch.setattr(retraining, "propose", promote.propose.fn)
    drift = Subject("drift", "demo-east", "b" * 64)
    open_ledger(made.workspace).append_many([Draft("drift.alarm", PIPELINE, (drift,), "at demo-east")])
    alarm = alarms.announce(made.workspace, {"headline": "", "sites": [CONFIRMED]}, [drift])
    made.candidate = retraining.retrain.fn(str(made.home), "drift at demo-east", alarm).data["candidate"]
    return made


def test_an_alarm_is_answered_once_and_its_candidate_waits_for_two_people(
    office: Office, new_place: NewPlace, tmp_path: Path
) -> None:
    workspace, candidate = office.workspace, office.candidate
    (triggered,) = open_ledger(workspace).entries("retrain.triggered")
    alarm = triggered.subjects[0].digest
    database = new_place()
    known = str(database) if isinstance(database, str) else ""
    with scheduler(workspace, tmp_path / "server", known) as server:
        server.python(REGISTER)
        assert len(server.asked("/deployments/filter", {})) == 4
        assert len(server.asked("/automations/filter", {})) == 2
        server.python(told_again(alarm) + wait_twice(candidate))
        with server.worker("first") as worker:
            skipped = server.until(lambda: server.runs("monthly", *ENDED), RUN_S, "the automation")[0]
            assert (
                "nothing was trained: the alarm was answered" in skipped["state"]["message"]
                and skipped["parameters"]["alarm"] == alarm
            )
            (waits,) = server.until(lambda: server.runs("signatures", "PAUSED"), RUN_S, "a run that waits")
            assert waits["parameters"]["candidate"] == candidate
            end(worker, signal.SIGKILL)
        missing = server.artifacts("signatures")[0]["data"]
        assert "meaning review" in missing and "meaning approval" in missing
        assert "retrain.skipped" in types_of(workspace)
        assert types_of(workspace).count("retrain.triggered") == 1
        office.sign(FIRST, "review")
        approve_candidate(candidate, *office.components(SECOND), "approval", [], office.now, hold=True)
        server.python(noticed(candidate))
        with server.worker("second"):
            (done,) = server.until(lambda: server.runs("signatures", *ENDED), RUN_S, "that it was signed")
        assert done["state"]["type"] == "COMPLETED" and done["id"] == waits["id"]
    assert waiting.missing(workspace, candidate)["missing"] == []
    assert types_of(workspace).count("approval.signed") == 4, "two people for each model, and nobody else"
    place.begin_shadow(candidate, 1.0, REASON, office.now)
    place.deploy_approved(candidate, office.now)
    assert office.state() == "deployed"


def told_again(alarm: str) -> str:
    """The event of an alarm, as a watch tells it that does not know of the answer yet."""
    return f"""
from flows import alarms
from flows.workspace import open_workspace
alarms._emit(open_workspace(), {alarm!r}, ["demo-east"])
"""


def wait_twice(candidate: str) -> str:
    return f"""
from flows import waiting
for _ in range(2):
    waiting.wait_for(open_workspace(), {candidate!r})
"""


def noticed(candidate: str) -> str:
    return f"""
from flows import waiting
from flows.workspace import open_workspace
waiting.notice_signature(open_workspace(), {candidate!r})
"""
