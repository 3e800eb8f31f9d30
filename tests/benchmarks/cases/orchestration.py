"""What Prefect, DVC, checks and the ledger add to a training run: the same functions are called plainly beside it.

Both ways split and train from one cohort of simulated newborns; each run is a process of its own, from its start to its end,
with all that it started. How long the training took is told apart in both, by its own progress, from the first recording
read to the last fold fitted: two trainings of a minute differ by more than what is looked for. What is left of a run is
around the training; two lengths of it (few folds and many) tell what is added once from what is added with every second,
and beside it stands the processor time that whoever waits for the stage takes meanwhile. Times are the wall's, so that they
say something on a quiet machine alone: the process that forks stages does not wait for them, and the kernel counts their
processor time nowhere. The plain way's checks have a process of their own and are no part of its time: training does not
need them.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from tests.benchmarks.case import Case
from tests.benchmarks.recordings import FOLDER

LENGTHS = (("da_stnet", 2), ("da_stnet", 14))
QUICK = (("line_length", 2),)
"""Trainings from short to long, as detector and folds; a quick run has one, of which no slope can be told."""
PATIENTS_PER_SITE = {len(LENGTHS): 10, len(QUICK): 6}
COHORT = {
    "simulation.minutes": 3.0,
    "simulation.surveillance_per_site": 0,
    "simulation.broken": 0,
    "lab.regimes": ["patient"],
    **{f"cohort.{task}": "none" for task in ("typing", "spasms", "semiology", "forecasting")},
}
TOOLS = ("prefect", "dvc", "checks", "ledger", "git")

Data = tuple[Path, tuple[tuple[str, int], ...]]
"""A workspace whose cohort is simulated and registered, and the trainings: detector and folds, from short to long."""


def make(lengths: int) -> Data:
    from flows import records
    from flows.params import set_params
    from flows.stages import simulate
    from flows.workspace import make_workspace

    root, whole = Path(os.environ[FOLDER]) / "orchestration", Path(os.environ[FOLDER]) / "orchestration.whole"
    if not whole.exists():
        workspace = make_workspace(root, "demo")
        set_params(root / "params.yaml", {**COHORT, "simulation.patients_per_site": PATIENTS_PER_SITE[lengths]})
        simulate.run(workspace.of("detection"))
        records.record_cohort(workspace)
        whole.touch()
    return root, LENGTHS if lengths == len(LENGTHS) else QUICK


def ours(data: Data) -> list[dict[str, Any]]:
    return [_run("orchestrated", data[0], *length) for length in data[1]]


def theirs(data: Data) -> list[dict[str, Any]]:
    return [_run("plain", data[0], *length) for length in data[1]]


def same(ours: Sequence[dict[str, Any]], theirs: Sequence[dict[str, Any]]) -> str:
    """The same weights, bit by bit."""
    differ = [str(n) for n, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a["bundles"] != b["bundles"]]
    return f"other bundles at length {', '.join(differ)}" if differ else ""


def figures(ours: Sequence[Sequence[dict[str, Any]]], theirs: Sequence[Sequence[dict[str, Any]]]) -> dict[str, float]:
    """Seconds that are added at the shortest, and per second of training beyond (none where there is one length), over the rounds;
    processor seconds beside a second of training; how long it took beside how long plainly; and the wall's seconds by
    tool, at the shortest."""
    found: dict[str, float] = {}
    lines = [_line(o, t) for o, t in zip(ours, theirs, strict=True)]
    found["fixed_seconds"] = median(fixed for fixed, _ in lines)
    if len(ours[0]) > 1:
        found["beyond_share"] = median(slope for _, slope in lines)
    longest = [(o[-1], t[-1]) for o, t in zip(ours, theirs, strict=True)]
    found["beside_share"] = median(o["beside_cpu"] / o["trained"] for o, _ in longest)
    found["trained_ratio"] = median(o["trained"] / t["trained"] for o, t in longest)
    rounds = [_by_tool(o[0], t[0]) for o, t in zip(ours, theirs, strict=True)]
    found |= {tool: median(one[tool] for one in rounds) for tool in TOOLS}
    found["trained_s"] = median(t["trained"] for _, t in longest)
    return found


def _line(ours: Sequence[dict[str, Any]], theirs: Sequence[dict[str, Any]]) -> tuple[float, float]:
    """What is added at the shortest training, and per second that a longer one takes more what is added around it; 0 where
    there is one length. What is imported while it trains is in it at either length."""
    around = [_around(our) - _around(their) for our, their in zip(ours, theirs, strict=True)]
    longer = ours[-1]["trained"] - ours[0]["trained"]
    slope = (around[-1] - around[0]) / longer if len(around) > 1 else 0.0
    return ours[0]["seconds"] - theirs[0]["seconds"], slope


def _around(run: dict[str, Any]) -> float:
    return float(run["seconds"] - run["trained"])


def _by_tool(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, float]:
    """What each adds, by the wall: of DVC's commands what the plain functions do not take; Prefect's is what is left."""
    work = theirs["checks"] + theirs["split"] + theirs["train"]
    own = {"dvc": ours["dvc"] - work, "checks": theirs["checks"], "ledger": ours["ledger"], "git": ours["git"]}
    return {"prefect": ours["seconds"] - theirs["seconds"] - sum(own.values()), **own}


def _run(how: str, made: Path, detector: str, folds: int) -> dict[str, Any]:
    """One way in a copy of the workspace and a process of its own."""
    from flows.params import set_params
    from flows.workspace import Workspace, keep

    with tempfile.TemporaryDirectory(prefix="ictal-orchestration-") as folder:
        workspace = Workspace(Path(shutil.copytree(made, Path(folder) / "workspace", symlinks=True)))
        set_params(workspace.root / "params.yaml", {"split.folds": folds})
        keep(workspace, "What is trained")
        threads = {name: value for name, value in os.environ.items() if name.endswith("_NUM_THREADS")}
        environment = {**workspace.environment(), **threads, "ICTAL_WORKERS": "1"}
        before = _counted("checks", detector, environment) if how == "plain" else {}
        return {**before, **_counted(how, detector, environment)}


def _counted(how: str, detector: str, environment: dict[str, str]) -> dict[str, Any]:
    call = f"from {__name__} import counted; counted({how!r}, {detector!r})"
    done = subprocess.run([sys.executable, "-c", call], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def counted(how: str, detector: str) -> None:
    """Print what one way says in a process of its own, and what that took from start to end."""
    began, call = time.perf_counter(), f"from {__name__} import {how}; {how}({detector!r})"
    done = subprocess.run([sys.executable, "-c", call], stdout=subprocess.PIPE, text=True, check=True)
    seconds = time.perf_counter() - began
    print(json.dumps({**json.loads(done.stdout.splitlines()[-1]), "seconds": seconds}))


def orchestrated(detector: str) -> None:
    """Check and train as `ictal check` and `ictal train` do, and print what was spent in which tool."""
    from flows import check, engine, progress, train, workspace
    from lineage.ledger import Ledger

    spent = dict.fromkeys(("dvc", "ledger", "git"), 0.0)

    def timed(tool: str, act: Callable[..., Any]) -> Callable[..., Any]:
        def timing(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                return act(*args, **kwargs)
            finally:
                spent[tool] += time.perf_counter() - began

        return timing

    trained = Trained()
    engine.dvc = timed("dvc", engine.dvc)
    check.keep, train.keep = timed("git", check.keep), timed("git", train.keep)
    Ledger.append_many = timed("ledger", Ledger.append_many)  # type: ignore[method-assign]
    root = workspace.open_workspace()
    engine.run_flow(check.check_all, home=str(root.root))
    with progress.shown_with(trained):
        engine.run_flow(train.train, home=str(root.root), names=[detector])
    print(json.dumps({**spent, **trained.told(), "bundles": _bundles(detector)}))


class Trained:
    """Hears a training's progress: when its first recording is read and its last fold fitted, and what the processes that
    wait for it (this one, and those that it has started by then) take of the processor meanwhile."""

    def __init__(self) -> None:
        self._heard: list[tuple[float, float]] = []

    def __call__(self, what: str, done: int, total: int) -> None:
        if "windows of recordings" in what or "folds trained" in what:
            self._waiting = self._waiting if self._heard else [psutil.Process(), *psutil.Process().children()]
            self._heard.append((time.perf_counter(), sum(sum(p.cpu_times()[:2]) for p in self._waiting)))

    def told(self) -> dict[str, float]:
        """Seconds from the first to the last that was heard, and processor seconds of those who waited."""
        (began, cpu), (ended, cpu_then) = self._heard[0], self._heard[-1]
        return {"trained": ended - began, "beside_cpu": cpu_then - cpu}


def checks(detector: str) -> None:
    """The checks alone, before a plain run: they say what may be learnt from."""
    from data.processes import begin_alone

    begin_alone()
    from flows.stages import check
    from flows.workspace import open_workspace

    print(json.dumps(_timed(checks=lambda: check.run(open_workspace().of("detection")))))


def plain(detector: str) -> None:
    """The same functions, one after another in one process as a stage's are, and how long each took."""
    from data.processes import begin_alone

    begin_alone()
    from flows.progress import following
    from flows.stages import split, train
    from flows.workspace import open_workspace

    workspace, trained = open_workspace(), Trained()
    of_task = workspace.of("detection")
    with following(workspace.root / "log" / "plain.progress", trained) as told:
        os.environ.update(told)
        took = _timed(split=lambda: split.run(of_task), train=lambda: train.run(of_task, detector, "patient"))
    print(json.dumps({**took, **trained.told(), "bundles": _bundles(detector)}))


def _timed(**acts: Callable[[], Any]) -> dict[str, float]:
    took = {}
    for name, act in acts.items():
        began = time.perf_counter()
        act()
        took[name] = time.perf_counter() - began
    return took


def _bundles(detector: str) -> list[str]:
    from flows.stages.files import read_json, training_of
    from flows.workspace import open_workspace

    log = read_json(training_of(open_workspace().of("detection"), detector, "patient") / "log.json")
    return [run["bundle"] for run in log["runs"]]


CASE = Case(
    name="orchestration",
    claim="checks and a training of DA-STNet (demo preset, 2 and 14 folds) through Prefect, DVC and the ledger",
    alternative="the functions of these stages, called one after another, without checks",
    sizes=(len(LENGTHS),),
    quick_sizes=(len(QUICK),),
    unit="lengths",
    rounds=3,
    clock="seconds",
    make=make,
    ours=ours,
    theirs=theirs,
    same=same,
    figures=figures,
    target={"fixed_seconds@2": 15, "beyond_share@2": 0.01},
)
