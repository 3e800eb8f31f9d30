"""The stages of dvc.yaml as plain functions on a workspace; they know neither Prefect nor DVC."""

from importlib import import_module

from flows.workspace import Workspace
from lineage.refused import Refused

NAMES = ("simulate", "check", "split", "train", "evaluate", "report")


def run(name: str, workspace: Workspace, *what: str) -> None:
    """Run one stage; `train` and `evaluate` work on one detector under one regime."""
    if name not in NAMES:
        raise Refused(f"no stage {name!r}; stages are {', '.join(NAMES)}")
    import_module(f"flows.stages.{name}").run(workspace, *what)
