"""The train stage: examples once per recording, then every fold of one regime, in parallel and resumable."""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.events import Annotations
from data.readers.edf import read_edf
from flows.parallel import over
from flows.progress import reporter
from flows.stages.audits import write_features
from flows.stages.files import (
    development,
    fresh,
    null_for_nan,
    scratch_of,
    split_of,
    training_of,
    truths,
    write_json,
)
from flows.stages.folds import Fold, folds_of, forget, parts_of, sampled
from flows.workspace import Workspace
from models import detectors
from models.bundle import Bundle, save_bundle
from models.detector import Examples
from models.fitting import FoldData, fit_fold, label
from models.look import Look, look
from validation.splits import Split


@dataclass(frozen=True)
class Job:
    """One fold of one regime."""

    detector: str
    params: dict[str, Any]
    split: Split
    fold: Fold
    examples: Path
    out: Path
    truth: dict[str, Annotations]

    def read(self, recording: str) -> Examples:
        """The labelled windows of a recording from the stage's scratch; values stay on disk until they are used."""
        return read_examples(self.examples, recording, self.params["window_s"], self.truth[recording])


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
        folds = folds_of(workspace, name, params, split, truth)
        jobs = [Job(name, params, split, fold, Path(scratch), out, truth) for fold in folds]
        logs = over(_fit, jobs, f"{name}, {regime}: folds trained", show)
        if split.reportable:
            write_features(out / "features.npz", sampled(jobs[0].read, truth))
    about = {"detector": name, "regime": regime, "reportable": split.reportable, "split": split.digest}
    about["pretrained_on"] = []  # every detector starts from random weights
    write_json(out / "log.json", {**about, "params": params, "runs": logs})
    forget(folds)


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


def _read_look(job: Job, recording: str) -> Look:
    with np.load(job.examples / f"{recording}.look.npz") as kept:
        return Look(kept["x"], kept["onset_s"])


def _fit(job: Job) -> dict[str, Any]:
    fold = job.fold
    train, valid, test = parts_of(job.read, job.truth, job.split, fold.number)
    looks = {str(name): _read_look(job, str(name)) for name in np.unique(train.recording)}
    data = FoldData(train, valid, job.truth, looks)
    null = fold.origin["shuffled_labels"]
    bundle, log = fit_fold(
        job.detector, job.params, data, seed=fold.seed, checkpoint=fold.checkpoint, null_control=null
    )
    if job.split.reportable:
        saved = save_bundle(replace(bundle, origin={**fold.origin, **bundle.origin}), job.out / f"fold-{fold.number}")
        return {"fold": fold.number, "bundle": saved.digest, **null_for_nan(log)}
    _write_predictions(job, bundle, test)
    return {"fold": fold.number, **null_for_nan(log)}


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
    table.to_parquet(job.out / f"fold-{job.fold.number}.parquet")
