"""Training: split by patient, fit every fold of every detector, write down what came of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flows import cluster, records
from flows.engine import Flow, flow, run_flow, run_stages
from flows.parallel import workers
from flows.params import changed_in_words, set_params
from flows.stages.files import refuse_unchecked, regimes
from flows.workspace import TASKS, Workspace, keep, open_workspace, refresh_code
from lineage.refused import Refused
from models import detectors


def stage_of(act: str, task: str) -> str:
    """The stages of dvc.yaml that train, evaluate or report (`act`) the detectors of a task."""
    return act if task == "detection" else f"{act}_{task}"


@flow(name="train")
def train(home: str, names: list[str] | None = None) -> dict[str, str]:
    """Split, then train each detector under each regime of params.yaml; DVC skips what did not change.

    Says of each whether it ran. A regime that the cohort cannot be divided by is passed over; `undivided` says why.
    """
    root = open_workspace(Path(home))
    refresh_code(root)
    chosen = names or [name for task in root.tasks for name in detectors.names(task)]
    tasks = {task: root.of(task) for task in TASKS if any(detectors.task_of(name) == task for name in chosen)}
    for workspace in tasks.values():
        refuse_unchecked(workspace)
        records.refuse_freed(workspace)
    run_stages(home, [f"split@{task}" for task in tasks] + [f"pretrain@{t}" for t in tasks if TASKS[t].pretrains])
    for workspace in tasks.values():
        records.record_split(workspace)
    for workspace in tasks.values():
        for name in detectors.names(workspace.task):
            records.record_pretraining(workspace, name)
    work = [(tasks[task], name, regime) for task, name, regime in _work(tasks, chosen)]
    said = run_stages(home, [f"{stage_of('train', w.task)}@{name}-{regime}" for w, name, regime in work])
    for workspace, name, regime in work:
        records.record_training(workspace, name, regime)
    done = {f"{name}, {regime}": how for (_, name, regime), how in zip(work, said, strict=True)}
    keep(root, "Train " + "; ".join(done))
    return done


def train_detectors(
    names: list[str] | None,
    preset: str | None,
    shuffle_labels: bool | None,
    runner: str = "threads",
    scheduler: str = "",
) -> dict[str, Any]:
    """`ictal train`: with new settings written into params.yaml first, where they were given.

    With the runner `dask`, folds of all detectors are dealt to the workers of the cluster at `scheduler`, or of one here.

    `names` None is every detector of a cohort that is here; `preset` and `shuffle_labels` None leave what params.yaml
    says. Refused for an unknown detector, preset or runner, where there is no cohort, and where a scheduler that is
    named does not answer.
    """
    _refuse_runner(runner, scheduler)
    workspace = open_workspace()
    for name in names or detectors.names():
        detectors.params_of(name, preset or workspace.params.train.preset)
        if names and detectors.task_of(name) not in workspace.tasks:
            raise Refused(f"there is no cohort for {name} here: {needs(detectors.task_of(name))}")
    if not workspace.tasks:
        raise Refused(f"there is no cohort here: {needs('detection')}")
    changes = {"train.preset": preset, "train.shuffle_labels": shuffle_labels}
    wanted, before = {k: v for k, v in changes.items() if v is not None}, workspace.params
    if wanted:
        set_params(workspace.root / "params.yaml", wanted)
    with _run_by(runner, scheduler) as training:
        done = run_flow(training, home=str(workspace.root), names=names or None)
    settings = changed_in_words(before, workspace.params)
    lines = [*(f"{what}: {how}" for what, how in done.items()), *settings, *null_control(workspace)]
    return {"trained": done, "settings": settings, "text": "\n".join(lines)}


def null_control(workspace: Workspace) -> list[str]:
    """What stands under figures that were made with somebody else's labels; nothing under others."""
    if not workspace.params.train.shuffle_labels:
        return []
    return ["null control: each recording has another patient's labels, until `ictal train --true-labels`"]


RUNNERS = ("threads", "dask")


def _refuse_runner(runner: str, scheduler: str) -> None:
    if runner not in RUNNERS:
        raise Refused(f"no runner {runner[:20]!r}; runners are {', '.join(RUNNERS)}")
    if scheduler and runner != "dask":
        raise Refused("--cluster names a Dask scheduler: give --runner dask with it")


@contextmanager
def _run_by(runner: str, scheduler: str) -> "Iterator[Flow[..., dict[str, str]]]":
    """The flow, on this machine or on a cluster."""
    if runner == "threads":
        yield train
        return
    with cluster.scheduler(scheduler, workers()) as address:
        from prefect_dask import DaskTaskRunner

        on_cluster: Any = DaskTaskRunner(address=address)
        yield train.with_options(task_runner=on_cluster)


def needs(task: str) -> str:
    """What to do where a task has no cohort."""
    if task == "detection":
        return "bring one in with `ictal cohort import PATH`"
    return f"bring in one {NEEDED[task]} with `ictal cohort import PATH --for {task}`"


NEEDED = {
    "typing": "whose seizures have types",
    "spasms": "with pose tracks or films of infants",
    "semiology": "with films of seizures that have types",
    "forecasting": "with films from before seizures",
}


def _work(tasks: dict[str, Workspace], chosen: list[str]) -> list[tuple[str, str, str]]:
    """(task, detector, regime) of every training, those that take longest first: the last one to start is waited for."""
    found = [
        (task, name, regime)
        for task, workspace in tasks.items()
        for name in chosen
        if detectors.task_of(name) == task
        for regime in regimes(workspace, name)
    ]
    floors = {detectors.names(task)[0] for task in tasks}
    return sorted(found, key=lambda one: one[1] in floors)
