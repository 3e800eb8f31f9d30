"""The report_types stage: gates, and of every detector of a task that names stretches its page, data and model card."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from flows.records import development_data
from flows.stages.audits import audit_of
from flows.stages.files import (
    development,
    evaluation_of,
    fresh,
    inner_auc,
    read_json,
    results,
    splits,
    truths,
    undivided,
    unjudged,
    write_json,
)
from flows.stages.questions import QUESTIONS
from flows.stages.questions.asked import Results, Shown
from flows.stages.report import beside, declared
from flows.workspace import Workspace, lock_digest
from lineage.digest import sha256_file
from lineage.refused import Refused
from models import detectors
from models.typing import ANSWER
from validation.gates import Gate, GateSettings, run_gates
from validation.pages import write_page
from validation.seizure_typing import read_answers


def run(workspace: Workspace) -> None:
    """Write `reports/TASK/evaluation`: of every detector `NAME.html`, `NAME.json` and `NAME.card.md`; `index.html`, the
    page of the one that did best on inner patients; the gates and what the splits are worth as JSON.

    Refused where no detector was evaluated with patients apart in the circumstances of now, and where answers that were
    kept are not those that were scored.
    """
    out = fresh(workspace.reports / "evaluation")
    evaluated = {n: own for n in detectors.names(workspace.task) if "patient" in (own := results(workspace, n))}
    if not evaluated:
        raise Refused(f"no detector for {workspace.task} has been evaluated with patients apart: run `ictal evaluate`")
    gates = _gates(workspace, evaluated)
    lab = {n: _inflation(workspace, n, own) for n, own in evaluated.items()}
    write_json(out / "gates.json", {n: [g.to_json() for g in own] for n, own in gates.items()})
    write_json(out / "lab.json", lab)
    provenance = _provenance(workspace, list(evaluated))
    best = max(evaluated, key=lambda n: inner_auc(workspace, n) or 0.0)
    floor = detectors.names(workspace.task)[0]
    for name in evaluated:
        shown = Shown(
            name,
            {name: evaluated[name], **{n: own for n, own in evaluated.items() if n != name}},
            provenance,
            simulated=(workspace.cohort / "sourcedata" / "draws.json").exists(),
            gates=gates[name],
            floor="" if name == floor else floor,
            inflation=lab[name],
            published=detectors.facts(name).get("published") or {},
            undivided=undivided(workspace),
            unjudged=unjudged(workspace, name),
            beside=beside(name, evaluated),
            task=workspace.task,
            studies=studies_of(workspace, name),
        )
        _write(out, shown, ("index", name) if name == best else (name,))


def studies_of(workspace: Workspace, name: str) -> dict[str, Any]:
    """What commands measured of a detector beyond its evaluation (`store/studies`), by the name of the study."""
    folder = workspace.store / "studies" / name
    return {path.stem: read_json(path) for path in sorted(folder.glob("*.json"))}


def _write(out: Path, shown: Shown, pages: tuple[str, ...]) -> None:
    question = QUESTIONS[shown.task]
    document = {
        "schema": f"ictal.{shown.task}_report/1",
        "detector": shown.name,
        "floor": shown.floor or None,
        "simulated": shown.simulated,
        "regimes": dict(shown.results[shown.name]),
        "not_evaluable": {**shown.undivided, **{f"inner AUC, {r}": why for r, why in shown.unjudged.items()}},
        "inflation": dict(shown.inflation),
        "published": {**shown.published, "reportable": False} if shown.published else None,
        "studies": dict(shown.studies),
        "gates": [gate.to_json() for gate in shown.gates],
        "provenance": dict(shown.provenance),
    }
    write_json(out / f"{shown.name}.json", document)
    write_page(out / f"{shown.name}.card.md", question.card(detectors.card_of(shown.name), shown))
    page = question.page(shown)
    for name in pages:
        write_page(out / f"{name}.html", page)


def _gates(workspace: Workspace, evaluated: Mapping[str, Results]) -> dict[str, list[Gate]]:
    """Each detector against the floor of its task; no champion is kept of these tasks yet."""
    settings = GateSettings(**workspace.params.gates.model_dump())
    found = {name: _evidence(workspace, name, own) for name, own in evaluated.items()}
    floor = found.get(detectors.names(workspace.task)[0])
    return {n: run_gates(own, None, settings, floor=floor) for n, own in found.items()}


def _evidence(workspace: Workspace, name: str, own: Results) -> Any:
    result = own["patient"]
    audit = audit_of(result["leakage"], result["of"]["split"])
    made = QUESTIONS[workspace.task].evidence(_answers(workspace, name, "patient", result), result, audit)
    return replace(made, declared=declared(name))


def _inflation(workspace: Workspace, name: str, own: Results) -> dict[str, Any]:
    """What random stretches instead of patients apart are worth, where both were run on the same ones."""
    if "seizure" not in own:
        return {}
    leaky, honest = (_answers(workspace, name, regime, own[regime]) for regime in ("seizure", "patient"))
    settings, truth = workspace.params.evaluate, truths(workspace, development(workspace))
    found: dict[str, Any] = QUESTIONS[workspace.task].inflation(
        leaky, honest, own["patient"], truth, settings.seed, settings.draws
    )
    return found


def _answers(workspace: Workspace, name: str, regime: str, result: Mapping[str, Any]) -> pd.DataFrame:
    """The detector's own answers that the result beside them was made from, and no others."""
    table, digests = read_answers(evaluation_of(workspace, name, regime))
    if digests != result["digests"]:
        raise Refused("the answers kept are not those that were scored: run `ictal evaluate` again")
    return table[table["variant"] == ANSWER]


def _provenance(workspace: Workspace, names: list[str]) -> dict[str, str]:
    results = {f"result of {n}": sha256_file(evaluation_of(workspace, n, "patient") / "result.json") for n in names}
    return {
        "dataset (SHA-256)": development_data(workspace).digest,
        "split (SHA-256)": splits(workspace)["patient"].digest,
        "checks (SHA-256)": sha256_file(workspace.interim / "checks" / "gx.json"),
        "code of the evaluation (SHA-256)": (workspace.root / "code" / "evaluate_types.txt").read_text().strip(),
        "code of this report (SHA-256)": (workspace.root / "code" / "report_types.txt").read_text().strip(),
        "lock (SHA-256)": lock_digest(),
        **{f"{what} (SHA-256)": digest for what, digest in results.items()},
    }
