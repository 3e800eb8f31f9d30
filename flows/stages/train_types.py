"""The train_types stage: clips of every stretch once, then every fold of one regime of a detector that names stretches."""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flows.clips import read_clips, write_clips
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
from flows.stages.pretrain import learnt_from, read_pretrained
from flows.workspace import Workspace
from models import detectors
from models.detector import Examples, State
from models.typing import answer_examples, fit_typing_fold, save_typing
from validation.seizure_typing import Answer, table_of
from validation.splits import Split


@dataclass(frozen=True)
class Job:
    """One fold of one regime; `recordings` are those with at least one clip."""

    detector: str
    params: dict[str, Any]
    pretrained: State | None
    split: Split
    fold: Fold
    examples: Path
    out: Path
    recordings: tuple[str, ...]

    def read(self, recording: str) -> Examples:
        """The labelled clips of one of `recordings`, from the stage's scratch."""
        return read_clips(self.examples, recording)


def run(workspace: Workspace, name: str, regime: str) -> None:
    """Fit `name` on every fold of a regime; of a leaky one nothing is kept but its answers."""
    show = reporter()
    split = split_of(workspace, regime)
    entries = development(workspace)
    truth = truths(workspace, entries)
    out = fresh(training_of(workspace, name, regime))
    params, pretrained = detectors.params_of(name, workspace.params.train.preset), read_pretrained(workspace, name)
    with tempfile.TemporaryDirectory(dir=scratch_of(workspace)) as scratch:
        kept = write_clips(name, params, pretrained, [(e, truth[e.name]) for e in entries], Path(scratch), show)
        recordings = tuple(recording for recording, clips in kept.items() if clips)
        folds = folds_of(workspace, name, params, split, {r: truth[r] for r in recordings})
        jobs = [Job(name, params, pretrained, split, fold, Path(scratch), out, recordings) for fold in folds]
        logs = over(_fit, jobs, f"{name}, {regime}: folds trained", show)
        if split.reportable:
            write_features(out / "features.npz", sampled(jobs[0].read, recordings))
    about = {"detector": name, "regime": regime, "reportable": split.reportable, "split": split.digest}
    about["pretrained_on"] = learnt_from(workspace, name)
    about["clips"] = kept
    write_json(out / "log.json", {**about, "params": params, "runs": logs})
    forget(folds)


def _fit(job: Job) -> dict[str, Any]:
    fold = job.fold
    train, valid, test = parts_of(job.read, job.recordings, job.split, fold.number)
    bundle, log = fit_typing_fold(
        job.detector, job.params, train, valid,
        seed=fold.seed, checkpoint=fold.checkpoint, pretrained=job.pretrained,
    )  # fmt: skip
    if job.split.reportable:
        saved = save_typing(replace(bundle, origin={**fold.origin, **bundle.origin}), job.out / f"fold-{fold.number}")
        return {"fold": fold.number, "bundle": saved.digest, **null_for_nan(log)}
    answers = [
        Answer(recording, "", "", "", event, 0.0, "", fold.number, variant, clips, "", tuple(said.tolist()))
        for (recording, event), (clips, variants) in answer_examples(bundle, test).items()
        for variant, said in variants.items()
    ]
    table = table_of(answers, bundle.detector.classes)
    table.to_parquet(job.out / f"fold-{fold.number}.parquet", index=False)
    return {"fold": fold.number, **null_for_nan(log)}
