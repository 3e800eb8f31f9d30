"""The train_types stage: clips of every seizure once, then every fold of one regime of a detector that names types."""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from data.cohorts.bids import read_cohort
from data.events import Annotations
from data.outcomes import Refusal
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
from models.detector import Examples, TypingDetector
from models.typing import fit_typing_fold, save_typing, seizure_examples, type_examples
from validation.leakage import Features, sample_features
from validation.seizure_typing import Answer, table_of
from validation.splits import INNER_VALID, TEST, TRAIN, Split


@dataclass(frozen=True)
class Job:
    """One fold of one regime; `recordings` are those with at least one clip."""

    detector: str
    params: dict[str, Any]
    split: Split
    fold: int
    seed: int
    examples: Path
    out: Path
    checkpoint: Path
    recordings: tuple[str, ...]
    origin: dict[str, Any]


def run(workspace: Workspace, name: str, regime: str) -> None:
    """Fit `name` on every fold of a regime; of a leaky one nothing is kept but its answers."""
    show = reporter()
    split = split_of(workspace, regime)
    entries = development(workspace)
    truth = truths(workspace, entries)
    out = fresh(training_of(workspace, name, regime))
    params = detectors.params_of(name, workspace.params.train.preset)
    with tempfile.TemporaryDirectory(dir=scratch_of(workspace)) as scratch:
        work = [(name, params, e.path, e.name, e.person, e.age_days, truth[e.name], Path(scratch)) for e in entries]
        kept = over(_write_clips, work, f"{name}: clips of seizures", show, [f"models.detectors.{name}"])
        recordings = tuple(e.name for e, clips in zip(entries, kept, strict=True) if clips)
        jobs = _jobs(workspace, name, params, split, Path(scratch), out, recordings)
        logs = over(_fit, jobs, f"{name}, {regime}: folds trained", show)
        if split.reportable:
            write_features(out / "features.npz", _sampled(jobs[0]))
    about = {"detector": name, "regime": regime, "reportable": split.reportable, "split": split.digest}
    about |= {"pretrained_on": [], "clips": dict(zip((e.name for e in entries), kept, strict=True))}
    write_json(out / "log.json", {**about, "params": params, "runs": logs})
    for job in jobs:
        for left in job.checkpoint.parent.glob(f"{job.checkpoint.stem}*"):
            left.unlink()


def _jobs(
    workspace: Workspace,
    name: str,
    params: dict[str, Any],
    split: Split,
    scratch: Path,
    out: Path,
    recordings: tuple[str, ...],
) -> list[Job]:
    settings = workspace.params.train
    common = {
        "dataset": digest_of(dataset_digest(read_cohort(workspace.cohort), list(recordings))),
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
        jobs.append(Job(name, params, split, fold, seed, scratch, out, resume, recordings, origin))
    return jobs


def _write_clips(work: tuple[str, dict[str, Any], Path, str, str, float | None, Annotations, Path]) -> int:
    """Keep the clips of one recording's seizures; how many there are."""
    name, params, path, recording, patient, age_days, truth, scratch = work
    detector = detectors.build(name, params)
    assert isinstance(detector, TypingDetector)
    try:
        prepared = detector.front_end.prepare(read_edf(path, age_days=age_days, name=recording))
        clips = seizure_examples(detector, prepared, truth, recording, patient)
    except Refusal:
        clips = None  # nothing to learn from; at evaluation its seizures count as not answered
    if clips is None or clips.label is None or clips.event is None:
        return 0
    np.save(scratch / f"{recording}.x.npy", clips.x)
    np.savez(scratch / f"{recording}.npz", onset_s=clips.onset_s, label=clips.label, event=clips.event)
    (scratch / f"{recording}.patient").write_text(patient)
    return len(clips)


def _read_clips(job: Job, recording: str) -> Examples:
    x = np.load(job.examples / f"{recording}.x.npy", mmap_mode="r")
    patient = np.full(len(x), (job.examples / f"{recording}.patient").read_text())
    with np.load(job.examples / f"{recording}.npz") as kept:
        onset_s, label, event = kept["onset_s"], kept["label"], kept["event"]
    return Examples(x, onset_s, np.full(len(x), recording), patient, job.params["window_s"], label, event)


def _fit(job: Job) -> dict[str, Any]:
    train, valid, test = _fold_clips(job)
    bundle, log = fit_typing_fold(job.detector, job.params, train, valid, seed=job.seed, checkpoint=job.checkpoint)
    if job.split.reportable:
        saved = save_typing(replace(bundle, origin={**job.origin, **bundle.origin}), job.out / f"fold-{job.fold}")
        return {"fold": job.fold, "bundle": saved.digest, **null_for_nan(log)}
    answers = [
        Answer(recording, "", "", "", event, 0.0, "", job.fold, variant, clips, "", tuple(said.tolist()))
        for (recording, event), (clips, variants) in type_examples(bundle, test).items()
        for variant, said in variants.items()
    ]
    table_of(answers, bundle.detector.classes).to_parquet(job.out / f"fold-{job.fold}.parquet", index=False)
    return {"fold": job.fold, **null_for_nan(log)}


def _fold_clips(job: Job) -> tuple[Examples, Examples, Examples]:
    """Training, inner and test clips of a fold, whatever its regime."""
    parts = []
    for recording in job.recordings:
        clips = _read_clips(job, recording)
        parts.append((clips, job.split.roles(recording, clips.onset_s, job.fold, clips.window_s, clips.event)))

    def of(role: int) -> Examples:
        return Examples.join([e.take(np.flatnonzero(roles == role)) for e, roles in parts if (roles == role).any()])

    return of(TRAIN), of(INNER_VALID), of(TEST)


def _sampled(job: Job) -> Features:
    """Some clips of every recording with their types, for the guard against features that know the answer."""
    parts = []
    for recording in job.recordings:
        clips = _read_clips(job, recording)
        assert clips.label is not None
        parts.append(sample_features(recording, clips.x, clips.label))
    return Features.join(parts)
