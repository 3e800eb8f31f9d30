"""Evaluation: every patient scored by a model that never saw them, beside the leaky controls."""

from pathlib import Path
from typing import Any, get_args

from flows import records, summary
from flows.engine import flow, run_flow, run_stage
from flows.params import Regime, TypingRegime, set_params
from flows.stages.files import read_json, regimes, results, trained, undivided
from flows.train import train
from flows.workspace import TASKS, Workspace, keep, open_workspace, refresh_code
from lineage.refused import Refused
from models import detectors

STAGES = {"detection": ("evaluate", "report"), "typing": ("evaluate_types", "report_types")}


@flow(name="evaluate")
def evaluate(home: str, names: list[str] | None = None) -> dict[str, dict[str, Any]]:
    """Evaluate each detector, write the reports, record the evidence. Returns the headline figures of each."""
    root = open_workspace(Path(home))
    refresh_code(root)
    wanted = list(names or [n for task in root.tasks for n in detectors.names(task)])
    figures: dict[str, dict[str, Any]] = {}
    for workspace in map(root.of, TASKS):
        own = [n for n in wanted if detectors.task_of(n) == workspace.task]
        if own:
            _evaluate_task(workspace, own)
            figures |= {name: figures_of(workspace, name) for name in own}
    keep(root, "Evaluate " + ", ".join(wanted))
    return figures


def _evaluate_task(workspace: Workspace, names: list[str]) -> None:
    home, (score, report) = str(workspace.root), STAGES[workspace.task]
    for name in names:
        for regime in (r for r in regimes(workspace) if name in trained(workspace, r)):
            run_stage(home, f"{score}@{name}-{regime}")
            records.record_evaluation(workspace, name, regime)
    run_stage(home, report)
    current = [n for n in detectors.names(workspace.task) if "patient" in results(workspace, n)]
    records.record_reports(workspace, current)


def evaluate_detectors(names: list[str] | None, under: str | None = None) -> dict[str, Any]:
    """`ictal evaluate`: needs trained detectors; with regimes named, writes them into params.yaml and trains first."""
    root = open_workspace()
    for name in names or detectors.names():
        detectors.params_of(name, "demo")
    if under:
        tasks = {detectors.task_of(name) for name in names} if names else set(root.tasks)
        set_params(root.root / "params.yaml", {LAB[task]: chosen(under, task) for task in sorted(tasks)})
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
        lines.append(f"report: {workspace.reports / 'evaluation' / 'index.html'}")
    return {"detectors": figures, "not_evaluable": not_evaluable, "text": "\n".join(lines)}


LAB = {"detection": "lab.regimes", "typing": "lab.typing"}
KNOWN = {"detection": get_args(Regime), "typing": get_args(TypingRegime)}


def chosen(under: str, task: str = "detection") -> list[str]:
    """The regimes meant by `all` or by a list with commas; patients apart are always among them."""
    known = KNOWN[task]
    named = known if under == "all" else tuple(r.strip() for r in under.split(","))
    for regime in named:
        if regime not in known:
            raise Refused(f"no regime {regime!r}; regimes are {', '.join(known)}, or all of them: --regimes all")
    return [r for r in known if r == "patient" or r in named]


def lines_of(name: str, figures: dict[str, Any]) -> list[str]:
    """What the command line says of one detector: the headline, then every regime."""
    said = summary.lines_of(name, figures)
    return said if figures.get("task") == "typing" else [*said, *summary.regime_lines(figures)]


def figures_of(workspace: Workspace, name: str) -> dict[str, Any]:
    """The headline figures with patients apart; below `regimes` those of every regime, and what the regimes change."""
    lab: dict[str, Any] = read_json(workspace.reports / "evaluation" / "lab.json")[name]
    if workspace.task == "typing":
        regimes_ = {r: read_json(workspace.metrics / f"{name}-{r}.json") for r in results(workspace, name)}
        return {**regimes_["patient"], "regimes": regimes_, "inflation": lab}
    regimes_ = {r: read_json(workspace.metrics / f"{name}-{r}.json") for r in lab["regimes"]}
    return {**regimes_["patient"], "regimes": regimes_, "inflation": lab["inflation"], "baselines": lab["baselines"]}


def _left_out(workspace: Workspace, figures: dict[str, Any]) -> list[str]:
    others = [n for n in trained(workspace) if n not in figures and "patient" not in results(workspace, n)]
    return [f"{n}: left out, evaluated in other circumstances: run `ictal evaluate {n}`" for n in others]
