"""Recordings come in: simulated or imported, put under DVC, and known to the ledger."""

from pathlib import Path
from typing import Any

from data.cohorts.bids import import_cohort, read_cohort
from flows import engine, records, warm
from flows.engine import flow, run_flow, run_stages
from flows.params import refuse_cohort_name, set_params
from flows.taking_out import keep_out
from flows.workspace import TASKS, Workspace, cohort_key, dvc, keep, open_workspace
from lineage.refused import Refused


@flow(name="ingest")
def ingest(home: str) -> int:
    """Simulate the cohorts of params.yaml that are simulated ones, push all to the remote, register the recordings.

    Returns how many recordings the ledger did not know yet.
    """
    workspace = open_workspace(Path(home))
    simulated = [task for task, own in TASKS.items() if workspace.of(task).cohort_name == own.simulated]
    run_stages(home, [f"simulate@{task}" for task in simulated if workspace.is_demo or task in workspace.tasks])
    pushing = push.submit(home)
    unknown = sum(records.record_cohort(workspace.of(task)) for task in workspace.tasks)
    pushing.result()
    return unknown


@engine.task(cache_policy=engine.NO_CACHE)
def push(home: str) -> None:
    """All that is under DVC, to the remote."""
    dvc(open_workspace(Path(home)), "push", "-q", extra=warm.place())


def import_into_workspace(source: Path, name: str, task: str = "detection") -> dict[str, Any]:
    """Copy a BIDS folder into the workspace, put it under DVC, and make it the cohort that a task uses."""
    workspace = open_workspace().of(task)
    refuse_cohort_name(name)
    refuse_taken(workspace, name)
    import_cohort(source, workspace.raw / name, workspace.modality)
    return adopt(workspace, name, f"Import cohort {name}")


def refuse_taken(workspace: Workspace, name: str) -> None:
    if name in {task.simulated for task in TASKS.values()} or (workspace.raw / name).exists():
        raise Refused(f"the workspace has a cohort {name!r}, or keeps the name for one: give another with --name")


def adopt(workspace: Workspace, name: str, message: str) -> dict[str, Any]:
    """Put a cohort that lies in data/raw under DVC, make it the one in use, and tell the ledger of its recordings."""
    keep_out(workspace, workspace.raw / name)
    dvc(workspace, "add", "-q", f"data/raw/{name}")
    dvc(workspace, "push", "-q", f"data/raw/{name}.dvc")  # named: git ignores data/raw, so a bare push passes it over
    set_params(workspace.root / "params.yaml", {cohort_key(workspace.task): name})
    keep(workspace, message)
    run_flow(ingest, home=str(workspace.root))
    return summary(workspace, name)


def summary(workspace: Workspace, name: str) -> dict[str, Any]:
    cohort = read_cohort(workspace.raw / name, workspace.modality)
    patients = {e.patient for e in cohort.entries}
    return {"cohort": name, "recordings": len(cohort.entries), "patients": len(patients)}
