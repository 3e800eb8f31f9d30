"""Evaluation: every patient scored by a model that never saw them, beside the leaky control."""

from pathlib import Path
from typing import Any

from flows import records
from flows.engine import flow, run_flow, run_stage
from flows.stages.files import read_json
from flows.summary import headline, pages
from flows.workspace import keep, open_workspace, refresh_code
from lineage.refused import Refused
from models import detectors


@flow(name="evaluate")
def evaluate(home: str, names: list[str] | None = None) -> dict[str, dict[str, Any]]:
    """Evaluate each detector, write the report, record the evidence. Returns the headline figures of each."""
    workspace = open_workspace(Path(home))
    refresh_code(workspace)
    figures = {}
    for name in names or detectors.names():
        run_stage(home, f"evaluate@{name}")
        records.record_evaluation(workspace, name)
        figures[name] = read_json(workspace.reports / "metrics" / f"{name}.json")
    run_stage(home, "report")
    keep(workspace, "Evaluate " + ", ".join(figures))
    return figures


def evaluate_detectors(names: list[str] | None) -> dict[str, Any]:
    """`ictal evaluate`: needs trained detectors."""
    workspace = open_workspace()
    for name in names or detectors.names():
        detectors.params_of(name, "demo")
        if not (workspace.store / "training" / name / "log.json").exists():
            raise Refused(f"{name} has not been trained here: run `ictal train {name}` first")
    figures = run_flow(evaluate, home=str(workspace.root), names=names or None)
    text = "\n".join([*(headline(n, f) for n, f in figures.items()), f"report: {pages(workspace.root)['evaluation']}"])
    return {"detectors": figures, "text": text}
