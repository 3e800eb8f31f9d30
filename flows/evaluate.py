"""Evaluation: every patient scored by a model that never saw them, beside the leaky controls."""

from pathlib import Path
from typing import Any, get_args

from flows import records, summary
from flows.engine import flow, run_flow, run_stages
from flows.params import Regime, TypingRegime, changed_in_words, set_params
from flows.stages.files import read_json, regimes, results, trained, undivided, unjudged
from flows.train import null_control, stage_of, train
from flows.workspace import TASKS, Workspace, keep, open_workspace, refresh_code
from lineage.refused import Refused
from models import detectors


@flow(name="evaluate")
def evaluate(home: str, names: list[str] | None = None) -> dict[str, dict[str, Any]]:
    """Evaluate each detector, write the reports, record the evidence. Returns the headline figures of each."""
    root = open_workspace(Path(home))
    refresh_code(root)
    wanted = list(names or [n for task in root.tasks for n in detectors.names(task)])
    tasks = [root.of(task) for task in TASKS if any(detectors.task_of(name) == task for name in wanted)]
    work = [
        (workspace, name, regime)
        for workspace in tasks
        for name in wanted
        if detectors.task_of(name) == workspace.task
        for regime in regimes(workspace, name)
        if name in trained(workspace, regime)
    ]
    run_stages(home, *_stages(work, tasks))
    for workspace, name, regime in work:
        records.record_evaluation(workspace, name, regime)
    for workspace in tasks:
        records.record_reports(
            workspace, [n for n in detectors.names(workspace.task) if "patient" in results(workspace, n)]
        )
    keep(root, "Evaluate " + ", ".join(wanted))
    return {name: figures_of(root.of(detectors.task_of(name)), name) for name in wanted}


def _stages(work: list[tuple[Workspace, str, str]], tasks: list[Workspace]) -> tuple[list[str], dict[str, list[str]]]:
    """Every evaluation and, one task later so that nobody waits for it, the report of each task; what a report needs."""
    of_task = {
        stage_of("report", workspace.task): [
            f"{stage_of('evaluate', w.task)}@{name}-{regime}" for w, name, regime in work if w.task == workspace.task
        ]
        for workspace in tasks
    }
    reports, evaluations = list(of_task), [*of_task.values(), []]
    order = [*evaluations[0]]
    for report, following in zip(reports, evaluations[1:], strict=True):
        order += [*following, report]
    return order, of_task


def evaluate_detectors(names: list[str] | None, under: str | None = None) -> dict[str, Any]:
    """`ictal evaluate`: needs trained detectors; with regimes named (`under`, as `chosen` reads it), writes them into
    params.yaml and trains first. `names` None is every detector of the workspace's tasks. Refused for one that was not
    trained, or is unknown."""
    root = open_workspace()
    before = root.params
    for name in names or detectors.names():
        detectors.params_of(name, "demo")
    if under:
        tasks = {detectors.task_of(name) for name in names} if names else set(root.tasks)
        controls = {"lab.controls": _with_controls(root, names)}
        set_params(root.root / "params.yaml", controls | {lab_key(t): chosen(under, t) for t in sorted(tasks)})
        run_flow(train, home=str(root.root), names=names or None)
    for name in names or [n for task in root.tasks or TASKS for n in detectors.names(task)]:
        if name not in trained(root.of(detectors.task_of(name))):
            raise Refused(f"{name} has not been trained here: run `ictal train {name}` first")
    figures = run_flow(evaluate, home=str(root.root), names=names or None)
    lines = [line for name, own in figures.items() for line in lines_of(name, own)]
    not_evaluable: dict[str, str] = {}
    for workspace in (root.of(task) for task in {detectors.task_of(name): None for name in figures}):
        lines += _left_out(workspace, figures)
        lines += [f"{regime}: not evaluable: {why}" for regime, why in undivided(workspace).items()]
        not_evaluable |= undivided(workspace)
        without = {n: unjudged(workspace, n) for n in figures if detectors.task_of(n) == workspace.task}
        unsaid = {f"{n}, {regime}, inner AUC": why for n, own in without.items() for regime, why in own.items()}
        lines += [f"{what}: not evaluable: {why}" for what, why in unsaid.items()]
        not_evaluable |= unsaid
        lines.append(f"report: {workspace.reports / 'evaluation' / 'index.html'}")
    settings = changed_in_words(before, root.params)
    lines += [*settings, *null_control(root)]
    return {"detectors": figures, "not_evaluable": not_evaluable, "settings": settings, "text": "\n".join(lines)}


def lab_key(task: str) -> str:
    """The setting of params.yaml that names a task's regimes."""
    return "lab.regimes" if task == "detection" else f"lab.{task}"


def _with_controls(root: Workspace, names: list[str] | None) -> list[str]:
    """Who is run under leaky regimes from now on: those asked for as well; all of them where nobody is named."""
    kept = root.params.lab.controls
    return list(dict.fromkeys([*kept, *names])) if kept and names else []


def chosen(under: str, task: str = "detection") -> list[str]:
    """The regimes meant by `all` or by a list with commas; patients apart are always among them. Refused for one that
    the task does not know."""
    known = get_args(Regime if task == "detection" else TypingRegime)
    named = known if under == "all" else tuple(r.strip() for r in under.split(","))
    for regime in named:
        if regime not in known:
            raise Refused(f"no regime {regime!r}; regimes are {', '.join(known)}, or all of them: --regimes all")
    return [r for r in known if r == "patient" or r in named]


def lines_of(name: str, figures: dict[str, Any]) -> list[str]:
    """What the command line says of one detector: the headline, then every regime."""
    said = summary.lines_of(name, figures)
    return said if "task" in figures else [*said, *summary.regime_lines(figures)]


def figures_of(workspace: Workspace, name: str) -> dict[str, Any]:
    """The headline figures with patients apart; below `regimes` those of every regime, and what the regimes change."""
    lab: dict[str, Any] = read_json(workspace.reports / "evaluation" / "lab.json")[name]
    if workspace.task != "detection":
        regimes_ = {r: read_json(workspace.metrics / f"{name}-{r}.json") for r in results(workspace, name)}
        return {**regimes_["patient"], "regimes": regimes_, "inflation": lab}
    regimes_ = {r: read_json(workspace.metrics / f"{name}-{r}.json") for r in lab["regimes"]}
    return {**regimes_["patient"], "regimes": regimes_, "inflation": lab["inflation"], "baselines": lab["baselines"]}


def _left_out(workspace: Workspace, figures: dict[str, Any]) -> list[str]:
    others = [n for n in trained(workspace) if n not in figures and "patient" not in results(workspace, n)]
    return [f"{n}: left out, evaluated in other circumstances: run `ictal evaluate {n}`" for n in others]
