"""The verbs from ingest to drift on a small simulated cohort, in a process of their own as a person would run them.

python -m tests.e2e.verbs FOLDER
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flows.params import set_params
from flows.workspace import Workspace, make_workspace

SMALL = {
    "simulation.patients_per_site": 4,
    "simulation.minutes": 3.0,
    "simulation.surveillance_per_site": 8,
    "simulation.surveillance_minutes": 2.0,
    "split.folds": 2,
    "split.leaky_folds": 2,
    "adults.patients_per_site": 4,
}
NO_ADULTS = {"cohort.typing": "none"}
"""With this nobody's seizures are typed: for tests that are about something else."""
AUTHOR = "demo-author"


def small_workspace(root: Path, typing: bool = False) -> Workspace:
    """A demo workspace whose cohorts are small enough for tests: 12 newborns, later 24 more, two broken recordings.

    With `typing` 12 adults as well, whose types of seizures are told apart.
    """
    made = make_workspace(root, "demo")
    set_params(root / "params.yaml", SMALL if typing else SMALL | NO_ADULTS)
    return made


def run_verbs(workspace: Workspace) -> dict[str, Any]:
    """What each verb returned, and how long it took."""
    from flows import promote, watch
    from flows.check import check
    from flows.engine import run_flow
    from flows.evaluate import evaluate
    from flows.ingest import ingest
    from flows.train import train

    home = str(workspace.root)
    steps: dict[str, Callable[[], Any]] = {
        "ingest": lambda: run_flow(ingest, home=home),
        "check": lambda: {task: run_flow(check, home=home, task=task) for task in workspace.tasks},
        "train": lambda: run_flow(train, home=home),
        "evaluate": lambda: run_flow(evaluate, home=home),
        "propose": lambda: promote.propose_candidate(AUTHOR),
        "drift": watch.watch_sites,
    }
    said: dict[str, Any] = {"seconds": {}}
    for name, step in steps.items():
        started = time.monotonic()
        said[name] = step()
        said["seconds"][name] = round(time.monotonic() - started, 1)
    return said


if __name__ == "__main__":
    print(json.dumps(run_verbs(Workspace(Path(sys.argv[1])))))
