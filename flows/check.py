"""May we believe it? One recording at the door, or a whole cohort through Great Expectations."""

from pathlib import Path
from typing import Any

from data.door import door
from data.outcomes import Refusal
from data.readers.edf import read_edf
from flows import records
from flows.engine import flow, run_flow, run_stages
from flows.stages.files import read_json
from flows.workspace import TASKS, Workspace, keep, open_workspace, refresh_code
from lineage.refused import Refused


@flow(name="check")
def check(home: str, task: str = "detection") -> dict[str, Any]:
    """Judge the cohort of a task; write what was quarantined into the ledger."""
    workspace = open_workspace(Path(home)).of(task)
    refresh_code(workspace)
    run_stages(home, [f"check@{task}"])
    return _judged(workspace)


@flow(name="check all")
def check_all(home: str) -> dict[str, dict[str, Any]]:
    """Judge the cohorts of all tasks."""
    root = open_workspace(Path(home))
    refresh_code(root)
    run_stages(home, [f"check@{task}" for task in root.tasks])
    return {task: _judged(root.of(task)) for task in root.tasks}


def _judged(workspace: Workspace) -> dict[str, Any]:
    records.record_checks(workspace)
    keep(workspace, f"Check the cohort {workspace.cohort_name}")
    verdicts = read_json(workspace.interim / "checks" / "verdicts.json")
    aside = [v for v in verdicts if v["outcome"] == "quarantined"]
    return {"recordings": len(verdicts), "accepted": len(verdicts) - len(aside), "quarantined": aside}


def check_target(target: str) -> dict[str, Any]:
    """`ictal check`: a file is judged at the door; anything else is the name of a cohort of the workspace."""
    path = Path(target)
    if path.exists() and path.is_file():
        return check_file(path)
    return check_cohort(target)


def check_file(path: Path) -> dict[str, Any]:
    """Whether the file can be read and used at all: `completed` with its facts, or `not_evaluable` with the reason."""
    try:
        recording = read_edf(path)
        weak = door(recording)
    except Refusal as refusal:
        text = f"not evaluable: {refusal}"
        return {"outcome": "not_evaluable", "code": refusal.code, "reason": refusal.reason, "text": text}
    facts = {
        "channels": len(recording.channels),
        "rate_hz": recording.rate_hz,
        "duration_s": recording.duration_s,
        "recorded_s": recording.recorded_s,
        "gaps": len(recording.gaps),
        "age_days": recording.age_days,
        "weak_derivations": list(weak),
    }
    gaps = f", {len(recording.gaps)} gaps" if recording.gaps else ""
    doubt = f"; flat or clipped: {', '.join(weak)}" if weak else ""
    text = f"can be used: {len(recording.channels)} channels, {recording.rate_hz:g} Hz, {recording.recorded_s:g} s{gaps}{doubt}"
    return {"outcome": "completed", "sha256": recording.digest, "facts": facts, "text": text}


def check_cohort(name: str) -> dict[str, Any]:
    """Check a cohort in use."""
    workspace = open_workspace()
    in_use = {workspace.of(task).cohort_name: task for task in TASKS}
    if name not in in_use:
        raise Refused(
            f"{name!r} is neither a file nor a cohort in use ({', '.join(in_use)}); import one with `ictal cohort import`"
        )
    workspace = workspace.of(in_use[name])
    found = run_flow(check, home=str(workspace.root), task=workspace.task)
    lines = [f"{found['accepted']} of {found['recordings']} recordings accepted"]
    lines += [f"quarantined {v['recording']}: {v['reasons'][0]['sentence']}" for v in found["quarantined"]]
    return {**found, "text": "\n".join([*lines, f"page: {workspace.reports / 'checks.html'}"])}
