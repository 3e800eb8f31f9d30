"""Evaluation: every patient scored by a model that never saw them, beside the leaky controls."""

from pathlib import Path
from typing import Any, get_args

from flows import records
from flows.engine import flow, run_flow, run_stage
from flows.params import Regime, set_params
from flows.stages.files import read_json, regimes, results, trained, undivided
from flows.summary import headline, pages, regime_lines
from flows.train import train
from flows.workspace import Workspace, keep, open_workspace, refresh_code
from lineage.refused import Refused
from models import detectors


@flow(name="evaluate")
def evaluate(home: str, names: list[str] | None = None) -> dict[str, dict[str, Any]]:
    """Evaluate each detector, write the report, record the evidence. Returns the headline figures of each."""
    workspace = open_workspace(Path(home))
    refresh_code(workspace)
    names = list(names or detectors.names())
    for name in names:
        for regime in (r for r in regimes(workspace) if name in trained(workspace, r)):
            run_stage(home, f"evaluate@{name}-{regime}")
            records.record_evaluation(workspace, name, regime)
    run_stage(home, "report")
    current = [n for n in detectors.names() if "patient" in results(workspace, n)]
    records.record_reports(workspace, current)
    keep(workspace, "Evaluate " + ", ".join(names))
    return {name: figures_of(workspace, name) for name in names}


def evaluate_detectors(names: list[str] | None, under: str | None = None) -> dict[str, Any]:
    """`ictal evaluate`: needs trained detectors; with regimes named, writes them into params.yaml and trains first."""
    workspace = open_workspace()
    for name in names or detectors.names():
        detectors.params_of(name, "demo")
    if under:
        set_params(workspace.root / "params.yaml", {"lab.regimes": chosen(under)})
        run_flow(train, home=str(workspace.root), names=names or None)
    for name in names or detectors.names():
        if name not in trained(workspace):
            raise Refused(f"{name} has not been trained here: run `ictal train {name}` first")
    figures = run_flow(evaluate, home=str(workspace.root), names=names or None)
    lines = [line for n, f in figures.items() for line in (headline(n, f), *regime_lines(f))]
    others = [n for n in trained(workspace) if n not in figures and "patient" not in results(workspace, n)]
    lines += [f"{n}: left out, evaluated in other circumstances: run `ictal evaluate {n}`" for n in others]
    lines += [f"{regime}: not evaluable: {why}" for regime, why in undivided(workspace).items()]
    lines.append(f"report: {pages(workspace.root)['evaluation']}")
    return {"detectors": figures, "not_evaluable": undivided(workspace), "text": "\n".join(lines)}


def chosen(under: str) -> list[str]:
    """The regimes meant by `all` or by a list with commas; patients apart are always among them."""
    known = get_args(Regime)
    named = known if under == "all" else tuple(r.strip() for r in under.split(","))
    for regime in named:
        if regime not in known:
            raise Refused(f"no regime {regime!r}; regimes are {', '.join(known)}, or all of them: --regimes all")
    return [r for r in known if r == "patient" or r in named]


def figures_of(workspace: Workspace, name: str) -> dict[str, Any]:
    """The headline figures with patients apart; below `regimes` those of every regime, and what the regimes change."""
    lab: dict[str, Any] = read_json(workspace.reports / "evaluation" / "lab.json")[name]
    regimes = {r: read_json(workspace.reports / "metrics" / f"{name}-{r}.json") for r in lab["regimes"]}
    return {**regimes["patient"], "regimes": regimes, "inflation": lab["inflation"], "baselines": lab["baselines"]}
