"""The stages of dvc.yaml as plain functions on a workspace; they know neither Prefect nor DVC."""

from importlib import import_module

from flows.workspace import Workspace
from lineage.refused import Refused
from models import detectors

NAMES = (
    "simulate", "check", "split", "pretrain", "train", "evaluate", "report", "train_types", "evaluate_types",
    "report_types",
)  # fmt: skip
OF_A_TASK = ("simulate", "check", "split", "pretrain", "report_types")
"""Stages that are asked for by task, each task with its own cohort."""


def run(name: str, workspace: Workspace, *what: str) -> None:
    """Run one stage: `what` is a task, or a detector and the regime under which it is trained or evaluated. Refused for
    a name that no stage has."""
    if name not in NAMES:
        raise Refused(f"no stage {name!r}; stages are {', '.join(NAMES)}")
    if name in OF_A_TASK:
        workspace, what = workspace.of(what[0] if what else "detection"), ()
    elif name.endswith("_types"):
        workspace = workspace.of(detectors.task_of(what[0]))
    import_module(f"flows.stages.{name}").run(workspace, *what)
