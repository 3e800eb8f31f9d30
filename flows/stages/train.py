"""The train stage: examples once per recording, then every fold of one regime, in parallel and resumable."""

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
from flows.stages.audits import write_features
from flows.stages.files import (
    code_of,
    dataset_digest,
    development,
    fresh,
    null_for_nan,
    scratch_of,
    split_of,
    training_of,
    truths,
    write_json,
)
from flows.workspace import Workspace
from lineage.digest import digest_of
from models import detectors
from models.bundle import Bundle, save_bundle
from models.detector import Examples
from models.fitting import FoldData, fit_fold, label
from models.look import Look, look
from validation.leakage import Features, sample_features
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


def run(workspace: Workspace, name: str, regime: str) -> None:
    """Fit `name` on every fold of a regime; of a leaky one nothing is kept but its predictions."""
    show = reporter()
    split = split_of(workspace, regime)
    entries = development(workspace)
    truth = truths(workspace, entries)
    out = fresh(training_of(workspace, name, regime))
    params = detectors.params_of(name, workspace.params.train.preset)
    with tempfile.TemporaryDirectory(dir=scratch_of(workspace)) as scratch:
        work = [(name, params, e.path, e.name, e.person, e.age_days, Path(scratch)) for e in entries]
        over(write_examples, work, f"{name}: windows of recordings", show, [f"models.detectors.{name}"])
        jobs = _jobs(workspace, name, params, truth, split, Path(scratch), out)
        logs = over(_fit, jobs, f"{name}, {regime}: folds trained", show)
        if split.reportable:
            write_features(out / "features.npz", _sampled(jobs[0]))
    about = {"detector": name, "regime": regime, "reportable": split.reportable, "split": split.digest}
    about["pretrained_on"] = []  # every detector starts from random weights
    write_json(out / "log.json", {**about, "params": params, "runs": logs})
    for job in jobs:
        job.checkpoint.unlink(missing_ok=True)


def _jobs(
    workspace: Workspace,
    name: str,
    params: dict[str, Any],
    truth: dict[str, Annotations],
    split: Split,
    scratch: Path,
    out: Path,
) -> list[Job]:
    settings = workspace.params.train
    common = {
        "dataset": digest_of(dataset_digest(read_cohort(workspace.cohort), list(truth))),
        "preset": settings.preset,
        "shuffled_labels": settings.shuffle_labels,
        "code": code_of(workspace, "train"),
        "split": split.digest,
        "regime": split.regime,
        "reportable": split.reportable,
    }
    jobs = []
    for fold in range(len(split.folds)):
        seed = settings.seed + fold
        origin = {**common, "fold": fold, "seed": seed}
        resume = workspace.root / "tmp" / f"{name}-{digest_of([origin, params])[:16]}.pt"
        jobs.append(Job(name, params, split, fold, seed, scratch, out, resume, truth, origin))
    return jobs


def write_examples(work: tuple[str, dict[str, Any], Path, str, str, float | None, Path]) -> None:
    """The windows of one recording, and what they look like, into the folder `scratch`."""
    name, params, path, recording, person, age_days, scratch = work
    detector = detectors.build(name, params)
    prepared = detector.front_end.prepare(read_edf(path, age_days=age_days, name=recording))
    examples = detector.examples(prepared, recording, person)  # a baby with two ids is one baby, and one domain
    np.save(scratch / f"{recording}.x.npy", examples.x)
    np.save(scratch / f"{recording}.onset.npy", examples.onset_s)
    seen = look(prepared)
    np.savez(scratch / f"{recording}.look.npz", x=seen.x, onset_s=seen.onset_s)
    (scratch / f"{recording}.patient").write_text(person)


def read_examples(folder: Path, recording: str, window_s: float, truth: Annotations) -> Examples:
    """The labelled windows of a recording that `write_examples` wrote."""
    x = np.load(folder / f"{recording}.x.npy", mmap_mode="r")
    onset_s = np.load(folder / f"{recording}.onset.npy")
    patient = (folder / f"{recording}.patient").read_text()
    return label(Examples(x, onset_s, np.full(len(x), recording), np.full(len(x), patient), window_s), truth)


def _read_examples(job: Job, recording: str) -> Examples:
    return read_examples(job.examples, recording, job.params["window_s"], job.truth[recording])


def _sampled(job: Job) -> Features:
    """Some windows of every recording with their labels, for the guard against features that know the answer."""
    parts = []
    for recording in job.truth:
        examples = _read_examples(job, recording)
        assert examples.label is not None
        parts.append(sample_features(recording, examples.x, examples.label))
    return Features.join(parts)


def _read_look(job: Job, recording: str) -> Look:
    with np.load(job.examples / f"{recording}.look.npz") as kept:
        return Look(kept["x"], kept["onset_s"])


def _fit(job: Job) -> dict[str, Any]:
    train, valid, test = _fold_examples(job)
    looks = {str(name): _read_look(job, str(name)) for name in np.unique(train.recording)}
    data = FoldData(train, valid, job.truth, looks)
    bundle, log = fit_fold(job.detector, job.params, data, seed=job.seed, checkpoint=job.checkpoint)
    if job.split.reportable:
        saved = save_bundle(replace(bundle, origin={**job.origin, **bundle.origin}), job.out / f"fold-{job.fold}")
        return {"fold": job.fold, "bundle": saved.digest, **null_for_nan(log)}
    _write_predictions(job, bundle, test)
    return {"fold": job.fold, **null_for_nan(log)}


def _fold_examples(job: Job) -> tuple[Examples, Examples, Examples]:
    """Training, inner and test windows of a fold, whatever its regime."""
    parts = []
    for recording in job.truth:
        examples = _read_examples(job, recording)
        parts.append((examples, job.split.roles(recording, examples.onset_s, job.fold, examples.window_s)))

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
    table.to_parquet(job.out / f"fold-{job.fold}.parquet")
