"""Training: split by patient, fit every fold of every detector, write down what came of it."""

from pathlib import Path

from flows import records
from flows.engine import flow, run_flow, run_stage
from flows.params import set_params
from flows.stages.files import regimes
from flows.workspace import TASKS, keep, open_workspace, refresh_code
from lineage.refused import Refused
from models import detectors

STAGE = {"detection": "train", "typing": "train_types"}


@flow(name="train")
def train(home: str, names: list[str] | None = None) -> dict[str, str]:
    """Split, then train each detector under each regime of params.yaml; DVC skips what did not change.

    Says of each whether it ran. A regime that the cohort cannot be divided by is passed over; `undivided` says why.
    """
    root = open_workspace(Path(home))
    refresh_code(root)
    chosen = names or [name for task in root.tasks for name in detectors.names(task)]
    done = {}
    for workspace, own in ((root.of(task), _of_task(chosen, task)) for task in TASKS):
        if own:
            records.refuse_freed(workspace)
            run_stage(home, f"split@{workspace.task}")
            records.record_split(workspace)
        for name in own:
            for regime in regimes(workspace):
                done[f"{name}, {regime}"] = run_stage(home, f"{STAGE[workspace.task]}@{name}-{regime}")
                records.record_training(workspace, name, regime)
    keep(root, "Train " + "; ".join(done))
    return done


def train_detectors(names: list[str] | None, preset: str | None, shuffle_labels: bool | None) -> str:
    """`ictal train`: with new settings written into params.yaml first, where they were given."""
    workspace = open_workspace()
    for name in names or detectors.names():
        detectors.params_of(name, preset or workspace.params.train.preset)
        if names and detectors.task_of(name) not in workspace.tasks:
            raise Refused(f"there is no cohort for {name} here: {NEEDS[detectors.task_of(name)]}")
    if not workspace.tasks:
        raise Refused(f"there is no cohort here: {NEEDS['detection']}")
    changes = {"train.preset": preset, "train.shuffle_labels": shuffle_labels}
    wanted = {k: v for k, v in changes.items() if v is not None}
    if wanted:
        set_params(workspace.root / "params.yaml", wanted)
    done = run_flow(train, home=str(workspace.root), names=names or None)
    return "\n".join(f"{what}: {how}" for what, how in done.items())


NEEDS = {
    "detection": "bring one in with `ictal cohort import PATH`",
    "typing": "bring in one whose seizures have types with `ictal cohort import PATH --for typing`",
}


def _of_task(names: list[str], task: str) -> list[str]:
    return [name for name in names if detectors.task_of(name) == task]
