"""How often does the rule of drift alarm for nothing, and what does it miss? Measured on simulated site-months."""

from dataclasses import asdict
from typing import Any

from flows import records
from flows.parallel import over
from flows.progress import on_terminal
from flows.stages.files import write_json
from flows.workspace import open_workspace
from lineage.digest import sha256_file
from lineage.ledger import Draft, Subject
from monitoring.findings import DriftSettings
from monitoring.operating import blocks, measure, summary
from monitoring.operating_page import lines, operating_page
from validation.pages import write_page

WORKERS_NEED = ("evidently.legacy.calculations.stattests",)


def calibrate_drift(runs: int) -> dict[str, Any]:
    """`ictal drift --calibrate`: `runs` months of each kind, by the draws and the seed of params.yaml. Writes
    reports/drift/calibration.json and .html, and a line in the ledger for each other result."""
    workspace = open_workspace()
    stated = workspace.params.drift
    settings = DriftSettings(draws=stated.draws)
    with on_terminal() as show:
        months = over(measure, blocks(settings, runs, stated.seed), "months judged", show, WORKERS_NEED)
    found = summary(months, settings)
    found |= {"settings": asdict(settings), "runs": runs, "seed": stated.seed}
    out = workspace.reports / "drift"
    write_json(out / "calibration.json", found)
    digest = sha256_file(out / "calibration.json")
    write_page(out / "calibration.html", operating_page(found, settings, {"calibration.json": digest}))
    kept = all(found["promises"].values())
    payload = {"promises": found["promises"], "nulls": {n["cell"]: n["ictal"] for n in found["nulls"]}}
    subject = Subject("study", "rule of drift", digest)
    records.record_once(workspace, Draft("evaluation.recorded", records.PIPELINE, (subject,), payload=payload))
    text = "\n".join([*lines(found), f"page: {out / 'calibration.html'}"])
    return {**found, "kept": kept, "page": str(out / "calibration.html"), "text": text}
