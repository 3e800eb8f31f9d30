"""The grid of the paper in one command: how many moments, how they are drawn, what reads them; every cell, every split."""

import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.cohorts.bids import Entry
from data.events import Annotations
from flows import records
from flows.clips import read_clips, write_clips
from flows.engine import flow, run_flow, run_stages
from flows.parallel import over
from flows.progress import shown
from flows.stages.files import (
    code_of,
    cohort_of,
    dataset_digest,
    development,
    null_for_nan,
    refuse_unchecked,
    scratch_of,
    split_of,
    truths,
    undivided,
    write_json,
)
from flows.stages.folds import parts_of
from flows.stages.pretrain import read_pretrained
from flows.workspace import Workspace, open_workspace, refresh_code
from lineage.digest import Digest, digest_of, sha256_file
from lineage.ledger import Draft, Edge, Subject
from lineage.refused import Refused
from models import detectors
from models.detector import State, TypingDetector
from models.features_cache import FOLDER, kept
from models.typing import build_typing
from validation.pages import write_page
from validation.seizure_typing import Answer, table_of
from validation.splits import TYPING_REGIMES, Split

OF = "gestures"
"""The detector that has a grid."""

CELLS = ("12", "all")
"""The ends of what the paper varied, or all of its 60 cells; beside each BLSTM the same without order."""


@dataclass(frozen=True)
class Job:
    """One cell on one fold of one split; `key` names all that its answer depends on."""

    detector: str
    params: dict[str, Any]
    cell: Any
    split: Split
    fold: int
    seed: int
    clips: Path
    recordings: tuple[str, ...]
    features: str
    key: Digest


@dataclass(frozen=True)
class Plan:
    """Who is asked, by which cells, with what learnt beforehand; `about` is what every fit depends on."""

    workspace: Workspace
    detector: TypingDetector
    pretrained: State | None
    cells: tuple[Any, ...]
    entries: list[Entry]
    truth: dict[str, Annotations]
    about: dict[str, Any]


@flow(name="grid")
def grid(home: str, name: str, cells: str, regimes: list[str]) -> dict[str, Any]:
    """Fit every cell under every split that the cohort can be divided by; write page, figures and a line in the ledger."""
    workspace, started = open_workspace(Path(home)).of(detectors.task_of(name)), time.monotonic()
    refresh_code(workspace)
    records.refuse_freed(workspace)
    run_stages(home, [f"split@{workspace.task}", f"pretrain@{workspace.task}"])
    records.record_split(workspace)
    plan = _plan(workspace, name, cells)
    passed_over = {r: why for r, why in _refused(workspace, regimes).items() if r != "patient"}
    asked = {r: split_of(workspace, r) for r in regimes if r not in passed_over}
    document = _document(plan, asked, _answered(plan, asked), passed_over)
    page = _folder(workspace) / f"{name}.html"
    write_json(page.with_suffix(".json"), document)
    write_page(page, _page(document))
    _record(workspace, name, document, asked)
    return {**document, "page": str(page), "seconds": round(time.monotonic() - started, 1)}


def run_grid(name: str, cells: str, regimes: Sequence[str]) -> dict[str, Any]:
    """`ictal grid`: refuses at once a detector without a grid, an unknown set of cells, an unknown regime. `cells` is
    one of `CELLS`; `regimes` are of `TYPING_REGIMES`."""
    from validation.semiology import lines

    detectors.params_of(name, "demo")
    if name != OF:
        raise Refused(f"{name} has no grid: only {OF} is made of moments that can be drawn and read in other ways")
    if cells not in CELLS:
        raise Refused(f"--cells is {' or '.join(CELLS)}, got {cells[:20]!r}")
    for regime in regimes:
        if regime not in TYPING_REGIMES:
            raise Refused(f"no regime {regime[:20]!r}; regimes are {', '.join(TYPING_REGIMES)}")
    workspace = open_workspace().of(detectors.task_of(name))
    refuse_unchecked(workspace)
    wanted = [r for r in TYPING_REGIMES if r == "patient" or r in regimes]
    document = run_flow(grid, home=str(workspace.root), name=name, cells=cells, regimes=wanted)
    told = [f"{r}: not evaluable: {why}" for r, why in document["not_evaluable"].items()]
    text = [*lines(document), *told, f"{document['seconds']:.0f} s; page: {document['page']}"]
    return {**document, "text": "\n".join(text)}


def _plan(workspace: Workspace, name: str, cells: str) -> Plan:
    from models.detectors.gestures.grid import DEMO_CELLS, cells_of, controls_of, grid_params

    wanted = DEMO_CELLS if cells == CELLS[0] else cells_of()
    settings, entries = workspace.params.train, development(workspace)
    params = grid_params(detectors.params_of(name, settings.preset), wanted)
    pretrained, truth = read_pretrained(workspace, name), truths(workspace, entries)
    detector = build_typing(name, params, pretrained)
    about = {
        "preset": settings.preset,
        "seed": settings.seed,
        "shuffled_labels": settings.shuffle_labels,
        "params": params,
        "dataset": digest_of(dataset_digest(cohort_of(workspace), list(truth))),
        "labels": digest_of({own: asdict(marked) for own, marked in truth.items()}),
        "seen_by": detector.seen_by,  # type: ignore[attr-defined]
        "code": code_of(workspace, "train"),
    }
    return Plan(workspace, detector, pretrained, (*wanted, *controls_of(wanted)), entries, truth, about)


def _refused(workspace: Workspace, regimes: Sequence[str]) -> dict[str, str]:
    """Of these regimes those that the cohort cannot be divided by, with the reason."""
    refused = {}
    for regime in regimes:
        try:
            split_of(workspace, regime)
        except Refused as why:
            refused[regime] = str(why)
    return refused


def _answered(plan: Plan, asked: Mapping[str, Split]) -> dict[str, pd.DataFrame]:
    """By regime, what every cell said of every seizure, each by the fold that did not learn from it."""
    with tempfile.TemporaryDirectory(dir=scratch_of(plan.workspace)) as scratch:
        jobs = _jobs(plan, asked, Path(scratch))
        found = over(_fit, jobs, f"{plan.detector.name}: cells fitted, fold by fold", shown())
    return {r: _table(plan, [(j, f) for j, f in zip(jobs, found, strict=True) if j.split.regime == r]) for r in asked}


def _jobs(plan: Plan, asked: Mapping[str, Split], scratch: Path) -> list[Job]:
    name, params = plan.detector.name, dict(plan.detector.params)
    features = plan.workspace.environment().get(FOLDER) or str(plan.workspace.store / "features")
    os.environ[FOLDER] = features  # for the worker processes, which look at films
    marked = [(entry, plan.truth[entry.name]) for entry in plan.entries]
    cut = write_clips(name, params, plan.pretrained, marked, scratch, shown())
    recordings = tuple(recording for recording, clips in cut.items() if clips)
    jobs = []
    for split in asked.values():
        for fold in range(len(split.folds)):
            seed = plan.about["seed"] + fold
            for cell in plan.cells:
                depends_on = {**plan.about, "split": split.digest, "fold": fold, "cell": cell.name, "fit": seed}
                key = digest_of(depends_on)
                jobs.append(Job(name, params, cell, split, fold, seed, scratch, recordings, features, key))
    return jobs


def _fit(job: Job) -> dict[tuple[str, int], tuple[int, tuple[float, ...]]]:
    """(recording, seizure) → (views, probabilities) of the fold's test; read from where it was kept if it was."""
    os.environ[FOLDER] = job.features
    found = kept(job.key, lambda: _fitted(job))
    rows = zip(found["recording"], found["event"], found["views"], found["said"], strict=True)
    return {(str(r), int(e)): (int(v), tuple(said.tolist())) for r, e, v, said in rows}


def _fitted(job: Job) -> dict[str, np.ndarray]:
    from models.detectors.gestures.grid import fit_cell, per_seizure

    detector: Any = build_typing(job.detector, job.params)
    parts = parts_of(lambda name: read_clips(job.clips, name), job.recordings, job.split, job.fold)
    probabilities, _ = fit_cell(job.cell, detector, *parts, seed=job.seed)
    said = per_seizure(parts[2], probabilities)
    return {
        "recording": np.array([recording for recording, _ in said]),
        "event": np.array([event for _, event in said]),
        "views": np.array([views for views, _ in said.values()]),
        "said": np.array([row for _, row in said.values()]),
    }


def _table(plan: Plan, found: list[tuple[Job, dict[tuple[str, int], tuple[int, tuple[float, ...]]]]]) -> pd.DataFrame:
    """Answers of all cells to all seizures; one that no view shows is there without an answer."""
    said = {(job.cell.name, *place): (job.fold, *own) for job, rows in found for place, own in rows.items()}
    answers = []
    for entry in plan.entries:
        for one in plan.detector.stretches(plan.truth[entry.name]):
            assert one.label is not None
            truth = plan.detector.classes[one.label]
            for cell in plan.cells:
                fold, views, row = said.get((cell.name, entry.name, one.number), (-1, 0, ()))
                code = "" if row else "view_lost"
                answers.append(
                    Answer(
                        entry.name, entry.patient, entry.person, entry.site, one.number, one.onset_s, truth, fold,
                        cell.name, views, code, row,
                    )
                )  # fmt: skip
    return table_of(answers, plan.detector.classes)


def _document(
    plan: Plan, asked: Mapping[str, Split], tables: Mapping[str, pd.DataFrame], passed_over: dict[str, str]
) -> dict[str, Any]:
    """Everything that the page says, as plain JSON."""
    from validation.semiology import grid_result

    settings = plan.workspace.params.evaluate
    result = grid_result(tables, plan.cells, plan.detector.classes, settings.seed, settings.draws)
    named = {f"split, {regime} (SHA-256)": split.digest for regime, split in asked.items()}
    of = {**plan.about, "splits": {regime: split.digest for regime, split in asked.items()}}
    return null_for_nan({
        **result,
        "detector": plan.detector.name,
        "simulated": (plan.workspace.cohort / "sourcedata" / "draws.json").exists(),
        "of": of,
        "not_evaluable": {**undivided(plan.workspace), **passed_over},
        "provenance": {
            "dataset (SHA-256)": plan.about["dataset"],
            "features (SHA-256)": plan.about["seen_by"],
            "code (SHA-256)": plan.about["code"],
            **named,
        },
    })  # type: ignore[no-any-return]  # fmt: skip


def _page(document: Mapping[str, Any]) -> str:
    from validation.semiology import grid_page

    return grid_page(document)


def _folder(workspace: Workspace) -> Path:
    return workspace.reports / "grid"


def _record(workspace: Workspace, name: str, document: Mapping[str, Any], asked: Mapping[str, Split]) -> None:
    """One line for each set of figures: the same again is no new evidence."""
    subject = Subject("grid", name, sha256_file(_folder(workspace) / f"{name}.json"))
    figures = {
        regime: {c["name"]: c["accuracy"]["estimate"] for c in found["cells"]}
        for regime, found in document["regimes"].items()
    }
    edges = tuple(Edge(subject.digest, "split_by", split.digest) for split in asked.values())
    payload = {"measure": "accuracy", "figures": figures}
    records.record_once(
        workspace, Draft("evaluation.recorded", records.PIPELINE, (subject,), payload=payload, edges=edges)
    )
