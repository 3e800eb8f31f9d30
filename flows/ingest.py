"""Recordings come in: simulated or imported, put under DVC, and known to the ledger."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from data.cohorts.bids import formats_not_read, import_cohort, read_cohort
from flows import engine, records, warm
from flows.engine import flow, run_flow, run_stages
from flows.params import refuse_cohort_name, set_params
from flows.progress import on_terminal, shown
from flows.taking_out import keep_out
from flows.workspace import TASKS, Workspace, cohort_key, dvc, keep, open_workspace
from lineage.digest import digest_of
from lineage.refused import Refused
from lineage.whole import whole_file


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
    """All that is under DVC, to the remote. CommandFailed where it does not take it."""
    dvc(open_workspace(Path(home)), "push", "-q", extra=warm.place())


def import_into_workspace(source: Path, name: str, task: str = "detection") -> dict[str, Any]:
    """Copy a BIDS folder into the workspace, put it under DVC, and make it the cohort that a task uses.

    Until all of that is done a note beside the cohort says what was being imported: the same import goes on where it was
    stopped, or, where the folder is another by now, begins anew. Tells how many files were `not_read`, by format.

    Refused for a name that is taken, BadParams for one that cannot be a folder's, Refusal where the folder is no BIDS
    cohort of what the task looks at.
    """
    workspace = open_workspace().of(task)
    refuse_cohort_name(name)
    note, state = workspace.raw / f".{name}.importing", _state_of(source, task)
    begun = _begun(workspace, name, note, state)
    with on_terminal() as show:
        if begun != state:
            _copy(workspace, source, name, note, state, partial(show, "files copied"))
        added = adopt(workspace, name, f"Import cohort {name}")
    note.unlink()
    return {**added, "not_read": formats_not_read(source)}


def _begun(workspace: Workspace, name: str, note: Path, now: str) -> str:
    """The state of the folder of which an import was stopped after it had been copied; empty where there is none. Refuses
    a name that a cohort bears which is there for any other reason."""
    target = workspace.raw / name
    copied, _, state = note.read_text().partition(" ") if note.exists() else ("", "", "")
    if target.exists() and copied == str(target.stat().st_ino):
        whole = workspace.cohort_name == name and records.knows_recordings(workspace, target)
        if state == now or not whole:
            return state
        note.unlink()  # in use with all its recordings, and the folder is another by now: nothing of it is replaced
    refuse_taken(workspace, name)
    return ""


def _copy(
    workspace: Workspace, source: Path, name: str, note: Path, state: str, progress: Callable[[int, int], object]
) -> None:
    """Copy the folder beside its place, note of which state the copy is, and put it there, instead of what an import that
    was stopped left. The note names the copy by its inode, so that it is never taken for one of another folder."""
    made, before = (workspace.raw / f".{name}.{what}" for what in ("copied", "before"))
    shutil.rmtree(made, ignore_errors=True)
    shutil.rmtree(before, ignore_errors=True)
    import_cohort(source, made, workspace.modality, progress)
    if (workspace.raw / name).exists():
        (workspace.raw / name).rename(before)
    with whole_file(note) as partial_note:
        partial_note.write_text(f"{made.stat().st_ino} {state}")
    made.rename(workspace.raw / name)
    shutil.rmtree(before, ignore_errors=True)


def _state_of(source: Path, task: str) -> str:
    """Which folder is imported for what, and in which state: names, sizes and times of its files. No name stands in it."""
    stats = [(p.relative_to(source).as_posix(), p.stat()) for p in sorted(source.rglob("*")) if p.is_file()]
    files = [[name, stat.st_size, str(stat.st_mtime_ns)] for name, stat in stats]
    return digest_of([task, str(source.resolve()), files])


def refuse_taken(workspace: Workspace, name: str) -> None:
    """Refused where the workspace has a cohort of this name, or keeps the name for a simulated one."""
    if name in {task.simulated for task in TASKS.values()} or (workspace.raw / name).exists():
        raise Refused(f"the workspace has a cohort {name!r}, or keeps the name for one: give another with --name")


def adopt(workspace: Workspace, name: str, message: str) -> dict[str, Any]:
    """Put a cohort that lies in data/raw under DVC, make it the one in use, and tell the ledger of its recordings. It
    may be done again where it was cut off; returns what `summary` says."""
    show, folder = shown(), f"data/raw/{name}"
    show("hashed by DVC", 0, 0)
    keep_out(workspace, workspace.raw / name)
    dvc(workspace, "add", "-q", folder)
    show("put into DVC's remote", 0, 0)
    dvc(workspace, "push", "-q", f"{folder}.dvc")  # named: git ignores data/raw, so a bare push passes it over
    set_params(workspace.root / "params.yaml", {cohort_key(workspace.task): name})
    keep(workspace, message)
    show("told to the ledger", 0, 0)
    run_flow(ingest, home=str(workspace.root))
    return summary(workspace, name)


def summary(workspace: Workspace, name: str) -> dict[str, Any]:
    """How many recordings of how many patients a cohort below data/raw holds, as JSON."""
    cohort = read_cohort(workspace.raw / name, workspace.modality)
    patients = {e.patient for e in cohort.entries}
    return {"cohort": name, "recordings": len(cohort.entries), "patients": len(patients)}
