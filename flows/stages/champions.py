"""What is in force is the champion: its evaluation is kept as it was approved, for the next challenger to be held against."""

import shutil
from pathlib import Path
from typing import Any

from flows.stages.files import evaluation_of, read_json, write_json
from flows.workspace import Workspace


def keep_champion(workspace: Workspace, candidate: dict[str, Any]) -> None:
    """Keep the evaluation of a candidate that has come into force, and say that it is the champion now."""
    folder = workspace.store / "champions"
    target = folder / candidate["candidate"]
    if not target.exists():
        partial = target.with_name(f".{target.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(evaluation_of(workspace, candidate["detector"], "patient"), partial)
        partial.rename(target)
    now = {"bundle": candidate["candidate"], "detector": candidate["detector"]}
    write_json(folder / "current.json", now)


def champion(workspace: Workspace) -> tuple[str, Path] | None:
    """The detector in force and where its evaluation is kept; None before the first."""
    path = workspace.store / "champions" / "current.json"
    if not path.exists():
        return None
    now = read_json(path)
    return now["detector"], path.with_name(now["bundle"])
