"""The verbs from ingest to drift on a small simulated cohort, in a process of their own as a person would run them.

python -m tests.e2e.verbs FOLDER
"""

import json
import sys
import time
from collections.abc import Callable, Mapping
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
    "lab.controls": ["line_length"],
}
TINY = {
    "simulation.patients_per_site": 4,
    "simulation.minutes": 3.0,
    "simulation.surveillance_per_site": 0,
    "simulation.broken": 0,
    "split.folds": 2,
    "split.leaky_folds": 2,
    "lab.regimes": ["patient"],
}
"""The least that can be checked, trained and proposed, with nobody to watch later and nothing broken."""

NO_FILMS = {"cohort.spasms": "none", "cohort.semiology": "none", "cohort.forecasting": "none"}
NO_ADULTS = {"cohort.typing": "none"}
"""With these nobody is filmed, and nobody's seizures are typed: for tests that are about something else."""
FILMS = {
    "cohort.name": "none",
    "cohort.typing": "none",
    "infants.patients_per_site": 5,
    "films.patients_per_site": 7,
    "split.inner_share": 0.4,
    "forecasts.patients_per_site": 4,
    "split.folds": 2,
    "split.leaky_folds": 2,
    "lab.spasms": ["patient", "seizure"],
    "lab.semiology": ["patient", "seizure"],
    "lab.forecasting": ["patient", "seizure"],
    "lab.controls": ["joint_speed", "motion_energy", "recent_motion"],
}
"""Films and poses alone; the quickest detector of each question under folds over stretches too."""

AUTHOR = "demo-author"


def small_workspace(root: Path, typing: bool = False) -> Workspace:
    """A demo workspace whose cohorts are small enough for tests: 12 newborns, later 24 more, two broken recordings.

    With `typing` 12 adults as well, whose types of seizures are told apart.
    """
    made = make_workspace(root, "demo")
    set_params(root / "params.yaml", SMALL | NO_FILMS | ({} if typing else NO_ADULTS))
    return made


def tiny_workspace(root: Path, changes: Mapping[str, Any] | None = None) -> Workspace:
    """A demo workspace for tests of what sets a training going: the 12 newborns alone, patients apart alone."""
    made = make_workspace(root, "demo")
    set_params(root / "params.yaml", TINY | NO_FILMS | NO_ADULTS | (changes or {}))
    return made


def filmed_workspace(root: Path) -> Workspace:
    """A demo workspace with infants' poses, seizures on film and films before seizures, few of each."""
    made = make_workspace(root, "demo")
    set_params(root / "params.yaml", FILMS)
    return made


def run_verbs(workspace: Workspace) -> dict[str, Any]:
    """What each verb returned, and how long it took."""
    from flows import watch
    from flows.check import check_all
    from flows.engine import run_flow
    from flows.evaluate import evaluate
    from flows.ingest import ingest
    from flows.train import train

    home = str(workspace.root)
    steps: dict[str, Callable[[], Any]] = {
        "ingest": lambda: run_flow(ingest, home=home),
        "check": lambda: run_flow(check_all, home=home),
        "train": lambda: run_flow(train, home=home),
        "evaluate": lambda: run_flow(evaluate, home=home),
        "propose": lambda: _proposed(workspace),
    }
    if workspace.params.cohort.name != "none":
        steps["drift"] = watch.watch_sites
    said: dict[str, Any] = {"seconds": {}}
    for name, step in steps.items():
        started = time.monotonic()
        said[name] = step()
        said["seconds"][name] = round(time.monotonic() - started, 1)
    return said


def _proposed(workspace: Workspace) -> Any:
    from flows.promote import propose_candidate

    if "detection" in workspace.tasks:
        return propose_candidate(AUTHOR)
    return {task: propose_candidate(AUTHOR, task) for task in workspace.tasks}


if __name__ == "__main__":
    print(json.dumps(run_verbs(Workspace(Path(sys.argv[1])))))
