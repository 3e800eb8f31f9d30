"""The train stage: examples once per recording, then every fold of two regimes, in parallel and resumable."""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.cohorts.bids import read_cohort
from data.events import Annotations
from data.readers.edf import read_edf
from flows.parallel import over
from flows.progress import reporter
from flows.stages.files import dataset_digest, development, fresh, splits, truths, write_json
from flows.workspace import Workspace
from lineage.digest import digest_of
from models import detectors
from models.bundle import Bundle, save_bundle
from models.detector import Examples
from models.fitting import FoldData, fit_fold, label
from validation.splits import INNER_VALID, TEST, TRAIN, Split


@dataclass(frozen=True)
class Job:
    """One fold of one regime."""

    detector: str
    params: dict[str, Any]
    split: Split
    fold: int
    seed: int
    examples: Path
    out: Path
    checkpoint: Path
    truth: dict[str, Annotations]
    origin: dict[str, Any]


def run(workspace: Workspace, name: str) -> None:
    """Fit `name` on every fold of every regime; bundles only for the patient-wise one."""
    show = reporter()
    entries = development(workspace)
    truth = truths(workspace, entries)
    out = fresh(workspace.store / "training" / name)
    params = detectors.params_of(name, workspace.params.train.preset)
    with tempfile.TemporaryDirectory(dir=_scratch(workspace)) as scratch:
        work = [(name, params, e.path, e.name, e.patient, e.age_days, Path(scratch)) for e in entries]
        over(_write_examples, work, f"{name}: windows of recordings", show, [f"models.detectors.{name}"])
        jobs = _jobs(workspace, name, params, truth, Path(scratch), out)
        logs = over(_fit, jobs, f"{name}: folds trained", show)
    write_json(out / "log.json", {"detector": name, "params": params, "runs": logs})
    for job in jobs:
        job.checkpoint.unlink(missing_ok=True)


def _jobs(
    workspace: Workspace, name: str, params: dict[str, Any], truth: dict[str, Annotations], scratch: Path, out: Path
) -> list[Job]:
    settings = workspace.params.train
    common = {
        "dataset": digest_of(dataset_digest(read_cohort(workspace.cohort), list(truth))),
        "preset": settings.preset,
        "shuffled_labels": settings.shuffle_labels,
        "code": (workspace.root / "code" / "train.txt").read_text().strip(),
    }
    jobs = []
    for split in splits(workspace).values():
        for fold in range(len(split.folds)):
            seed = settings.seed + fold
            named = {"split": split.digest, "regime": split.regime, "fold": fold, "seed": seed}
            origin = {**common, **named}
            resume = workspace.root / "tmp" / f"{name}-{digest_of([origin, params])[:16]}.pt"
            jobs.append(Job(name, params, split, fold, seed, scratch, out, resume, truth, origin))
    return jobs


def _write_examples(work: tuple[str, dict[str, Any], Path, str, str, float | None, Path]) -> None:
    name, params, path, recording, patient, age_days, scratch = work
    detector = detectors.build(name, params)
    prepared = detector.front_end.prepare(read_edf(path, age_days=age_days, name=recording))
    examples = detector.examples(prepared, recording, patient)
    np.save(scratch / f"{recording}.x.npy", examples.x)
    np.save(scratch / f"{recording}.onset.npy", examples.onset_s)
    (scratch / f"{recording}.patient").write_text(patient)


def _read_examples(job: Job, recording: str) -> Examples:
    x = np.load(job.examples / f"{recording}.x.npy", mmap_mode="r")
    onset_s = np.load(job.examples / f"{recording}.onset.npy")
    patient = (job.examples / f"{recording}.patient").read_text()
    window_s = job.params["window_s"]
    open_ = Examples(x, onset_s, np.full(len(x), recording), np.full(len(x), patient), window_s)
    return label(open_, job.truth[recording])


def _fit(job: Job) -> dict[str, Any]:
    train, valid, test = _fold_examples(job)
    data = FoldData(train, valid, job.truth)
    bundle, log = fit_fold(job.detector, job.params, data, seed=job.seed, checkpoint=job.checkpoint)
    if job.split.reportable:
        saved = save_bundle(
            replace(bundle, origin={**job.origin, **bundle.origin}), job.out / job.split.regime / f"fold-{job.fold}"
        )
        return {"regime": job.split.regime, "fold": job.fold, "bundle": saved.digest, **_in_json(log)}
    _write_predictions(job, bundle, test)
    return {"regime": job.split.regime, "fold": job.fold, "reportable": False, **_in_json(log)}


def _in_json(log: dict[str, Any]) -> dict[str, Any]:
    """What could not be computed, as an AUC where no inner patient has a seizure, is written as null."""

    def plain(value: Any) -> Any:
        if isinstance(value, list):
            return [plain(v) for v in value]
        return None if isinstance(value, float) and np.isnan(value) else value

    return {name: plain(value) for name, value in log.items()}


def _fold_examples(job: Job) -> tuple[Examples, Examples, Examples]:
    """Training, inner and test windows of a fold, whatever its regime."""
    parts = []
    for recording in job.truth:
        examples = _read_examples(job, recording)
        parts.append((examples, job.split.roles(recording, len(examples), job.fold)))

    def of(role: int) -> Examples:
        return Examples.join([e.take(np.flatnonzero(roles == role)) for e, roles in parts if (roles == role).any()])

    return of(TRAIN), of(INNER_VALID), of(TEST)


def _write_predictions(job: Job, bundle: Bundle, test: Examples) -> None:
    """Of a leaky control nothing is kept but its predictions: no bundle exists that could be registered."""
    table = pd.DataFrame(
        {
            "recording": test.recording,
            "onset_s": test.onset_s,
            "probability": bundle.calibration(bundle.detector.score(test)),
            "threshold": bundle.decision.threshold,
        }
    )
    folder = job.out / job.split.regime
    folder.mkdir(parents=True, exist_ok=True)
    table.to_parquet(folder / f"fold-{job.fold}.parquet")


def _scratch(workspace: Workspace) -> Path:
    folder = workspace.root / "tmp"
    folder.mkdir(exist_ok=True)
    return folder
