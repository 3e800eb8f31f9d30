"""The report_types stage: gates, and of every detector that names types its page, the same as data, and its model card."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from flows.records import development_data
from flows.stages.audits import audit_of
from flows.stages.files import evaluation_of, fresh, inner_auc, results, splits, undivided, write_json
from flows.stages.report import declared
from flows.workspace import Workspace, lock_digest
from lineage.digest import sha256_file
from lineage.refused import Refused
from models import detectors
from models.typing import ANSWER
from validation.gates import Gate, GateSettings, run_gates
from validation.gates.seizure_types import TypingEvidence
from validation.pages import write_page
from validation.seizure_typing import TypingDossier, read_answers, typing_card, typing_evidence, typing_page
from validation.seizure_typing.figures import regime_difference

FLOOR = "band_power"

Results = Mapping[str, Mapping[str, Any]]


def run(workspace: Workspace) -> None:
    """Write `reports/typing/evaluation`: of every detector `NAME.html`, `NAME.json` and `NAME.card.md`; `index.html`,
    the page of the one that did best on inner patients; the gates and what the splits are worth as JSON."""
    out = fresh(workspace.reports / "evaluation")
    evaluated = {n: own for n in detectors.names("typing") if "patient" in (own := results(workspace, n))}
    if not evaluated:
        raise Refused("no detector of types has been evaluated with patients apart: run `ictal evaluate` first")
    gates = _gates(workspace, evaluated)
    lab = {n: _inflation(workspace, n, own) for n, own in evaluated.items()}
    write_json(out / "gates.json", {n: [g.to_json() for g in own] for n, own in gates.items()})
    write_json(out / "lab.json", lab)
    provenance = _provenance(workspace, list(evaluated))
    best = max(evaluated, key=lambda n: inner_auc(workspace, n) or 0.0)
    for name in evaluated:
        dossier = TypingDossier(
            name,
            {name: evaluated[name], **{n: own for n, own in evaluated.items() if n != name}},
            provenance,
            simulated=(workspace.cohort / "sourcedata" / "draws.json").exists(),
            gates=gates[name],
            floor="" if name == FLOOR else FLOOR,
            inflation=lab[name],
            published=detectors.facts(name).get("published") or {},
            undivided=undivided(workspace),
            beside=_beside(name, list(evaluated)),
        )
        _write(out, dossier, ("index", name) if name == best else (name,))


def _write(out: Path, dossier: TypingDossier, pages: tuple[str, ...]) -> None:
    document = {
        "schema": "ictal.typing_report/1",
        "detector": dossier.name,
        "floor": dossier.floor or None,
        "simulated": dossier.simulated,
        "regimes": dict(dossier.results[dossier.name]),
        "not_evaluable": dict(dossier.undivided),
        "inflation": dict(dossier.inflation),
        "published": {**dossier.published, "reportable": False} if dossier.published else None,
        "gates": [gate.to_json() for gate in dossier.gates],
        "provenance": dict(dossier.provenance),
    }
    write_json(out / f"{dossier.name}.json", document)
    write_page(out / f"{dossier.name}.card.md", typing_card(detectors.card_of(dossier.name), dossier))
    page = typing_page(dossier)
    for name in pages:
        write_page(out / f"{name}.html", page)


def _gates(workspace: Workspace, evaluated: Mapping[str, Results]) -> dict[str, list[Gate]]:
    """Each detector against the floor: no detector of types is in force, and the change plan does not name the task."""
    settings = GateSettings(**workspace.params.gates.model_dump())
    found = {name: _evidence(workspace, name, own) for name, own in evaluated.items()}
    return {n: run_gates(own, None, settings, floor=found.get(FLOOR)) for n, own in found.items()}


def _evidence(workspace: Workspace, name: str, own: Results) -> TypingEvidence:
    result = own["patient"]
    audit = audit_of(result["leakage"], result["of"]["split"])
    made = typing_evidence(
        _answers(workspace, name, "patient", result), _classes(result), audit, result["of"]["s_per_eeg_hour"]
    )
    return replace(made, declared=declared(name))


def _inflation(workspace: Workspace, name: str, own: Results) -> dict[str, Any]:
    """What random seizures instead of patients apart are worth, where both were run on the same seizures."""
    if "seizure" not in own:
        return {}
    tables = [_answers(workspace, name, regime, own[regime]) for regime in ("seizure", "patient")]
    settings = workspace.params.evaluate
    return regime_difference(tables[0], tables[1], _classes(own["patient"]), settings.seed, settings.draws)


def _answers(workspace: Workspace, name: str, regime: str, result: Mapping[str, Any]) -> pd.DataFrame:
    """The detector's own answers that the result beside them was made from, and no others."""
    table, digests = read_answers(evaluation_of(workspace, name, regime))
    if digests != result["digests"]:
        raise Refused("the answers kept are not those that were scored: run `ictal evaluate` again")
    return table[table["variant"] == ANSWER]


def _classes(result: Mapping[str, Any]) -> list[str]:
    return [row["type"] for row in result["classes"]]


def _beside(name: str, evaluated: list[str]) -> dict[str, str]:
    others = {f"Evaluation of {other}": f"{other}.html" for other in evaluated if other != name}
    return {**others, "This page as data (JSON)": f"{name}.json", "Model card": f"{name}.card.md"}


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
