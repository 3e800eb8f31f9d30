"""Ablation: what each declared part of a detector is worth, and more people to learn from, with patients apart."""

import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from flows import records
from flows.ablation.runs import Study, study_of
from flows.engine import flow, run_flow, run_stage
from flows.progress import shown
from flows.stages.files import refuse_unchecked, write_json
from flows.workspace import Workspace, open_workspace, refresh_code
from lineage.digest import digest_of, sha256_file
from lineage.ledger import Draft, Edge, Subject
from lineage.refused import Refused
from models import detectors
from models.ablations import Ablations
from validation.ablation.page import ablation_page, lines
from validation.pages import write_page

TASKS = {"detection": "flows.ablation.detection", "spasms": "flows.ablation.spasms"}
"""Which module fits and scores the variants of a detector, by its task: `make_runs` and `result`."""


@flow(name="ablate")
def ablate(home: str, name: str, only: list[str] | None = None) -> dict[str, Any]:
    """Fit the variants that are not kept yet, compare all that are, write the page and a line in the ledger."""
    task_of = detectors.task_of(name)
    workspace, started = open_workspace(Path(home)).of(task_of), time.monotonic()
    refresh_code(workspace)
    records.refuse_freed(workspace)
    run_stage(home, f"split@{task_of}")
    records.record_split(workspace)
    declared = detectors.ablations_of(name, workspace.params.train.preset)
    study = study_of(workspace, name, declared.variants, declared.repeats)
    task = import_module(TASKS[task_of])
    wanted = [v.name for v in (declared.named(only) if only else declared.variants)]
    (workspace.root / "tmp").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=workspace.root / "tmp") as scratch:
        made = task.make_runs(study, wanted, dict(declared.probes), Path(scratch), shown())
    settings = workspace.params.evaluate
    result = task.result(study, dict(declared.probes), settings.seed, settings.draws)
    document = _document(study, declared, result)
    write_json(_folder(workspace) / f"{name}.json", document)
    write_page(_folder(workspace) / f"{name}.html", ablation_page(document))
    if "study" in result:  # what the page of the evaluation shows of it
        write_json(workspace.store / "studies" / name / "ablation.json", result["study"])
    _record(workspace, name, document, study)
    return {**document, "runs_made": made, "seconds": round(time.monotonic() - started, 1)}


def ablate_detector(name: str, only: list[str] | None) -> dict[str, Any]:
    """`ictal ablate`: at once Refused a detector that declares nothing, a variant that nobody declared, an unknown
    task. `only` are names of variants; None is all that are declared."""
    task = detectors.task_of(name)
    workspace = open_workspace().of(task)
    declared = detectors.ablations_of(name, workspace.params.train.preset)
    declared.named(only or [])
    if task not in TASKS:
        raise Refused(f"variants are scored of detectors for {', '.join(TASKS)}, {name} is one for {task}")
    refuse_unchecked(workspace)
    document = run_flow(ablate, home=str(workspace.root), name=name, only=only or None)
    page = _folder(workspace) / f"{name}.html"
    done = f"{document['runs_made']} fits made, the rest kept from before; {document['seconds']:.0f} s"
    return {**document, "text": "\n".join([*lines(document), done, f"page: {page}"])}


def _document(study: Study, declared: Ablations, result: dict[str, Any]) -> dict[str, Any]:
    """Everything that the page says, as plain JSON."""
    return {
        "schema": "ictal.ablation/1",
        "detector": study.detector,
        "task": detectors.task_of(study.detector),
        "measures": result["measures"],
        "simulated": (study.workspace.cohort / "sourcedata" / "draws.json").exists(),
        "of": study.about,
        "variants": [_variant(study, v, result["variants"]) for v in declared.variants],
        "probes": result["probes"],
    }


def _variant(study: Study, variant: Any, scored: dict[str, Any]) -> dict[str, Any]:
    """What was changed, what was fitted and how it did; a variant that is not kept says so."""
    about = {
        "name": variant.name,
        "group": variant.group,
        "meaning": variant.meaning,
        "changed": dict(variant.changed),
        "share": variant.share,
    }
    if variant.name not in scored:
        return {**about, "not_evaluable": f"not run: ictal ablate {study.detector} --only {variant.name}"}
    runs = [run for folds in study.kept(variant.name).values() for run in folds]
    fitted = [
        {
            "fold": r.number,
            "repeat": r.repeat,
            "key": r.key,
            "seed": r.seed,
            "learnt_from": len({study.persons[n] for n in r.fold.train}),
            **{k: r.log[k] for k in ("numbers", "epochs", "best_epoch", "inner_auc", "seconds")},
        }
        for r in runs
    ]
    return {**about, "runs": fitted, "result": scored[variant.name]}


def _folder(workspace: Workspace) -> Path:
    return workspace.reports / "ablation"


def _record(workspace: Workspace, name: str, document: dict[str, Any], study: Study) -> None:
    subject = Subject("ablation", name, sha256_file(_folder(workspace) / f"{name}.json"))
    measure = next(iter(document["measures"]))
    figures = {v["name"]: v["result"][measure]["estimate"] for v in document["variants"] if "result" in v}
    payload = {"measure": measure, "figures": figures, "runs": digest_of([r.key for r in study.runs])}
    edges = (Edge(subject.digest, "split_by", study.about["split"]),)
    draft = Draft("evaluation.recorded", records.PIPELINE, (subject,), payload=payload, edges=edges)
    records.record_once(workspace, draft)
