"""Ablation of a detector of seizures: every window of every test patient, scored second by second.

Predictions are windows' probabilities, smoothed as in an answer. Nothing is refused as strange: that judgement does
not look at the network, so that it is the same for every variant and would only leave patients out.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.cohorts.bids import Entry
from data.events import Annotations
from data.frontend import Prepared
from data.recording import Segment
from flows.ablation.probes import attention_result, identity_result, looks, write_disturbed, write_features
from flows.ablation.runs import Run, Study, begin, keep, make, missing
from flows.ablation.windows import Job, probability, read
from flows.parallel import over
from flows.progress import Show
from flows.stages.files import development, null_for_nan, write_json
from flows.stages.train import write_examples
from models import detectors
from models.ablations import FULL, BadAblation, Variant
from models.decisions import Decision, raw_trend
from models.detector import Examples
from models.fitting import Fitted, fit_calibrated
from validation.ablation.paired import change, figures
from validation.scoring import Case

MEASURES = {"auc": "AUC", "auc_all_seconds": "AUC, silence as not knowing"}
"""What stands in a result, by how it is called; the first is what variants are compared by."""


def make_runs(study: Study, names: list[str], probes: dict[str, Any], scratch: Path, show: Show) -> int:
    """Fit what is not kept yet; windows are cut once for all variants. Returns how many runs were made."""
    wanted = missing(study, names)
    if not wanted:
        return 0
    name, entries = study.detector, development(study.workspace)
    _refuse_other_windows(name, list({r.variant.name: r.variant for r in wanted}.values()), study.runs[0].variant)
    params = dict(study.runs[0].variant.params)  # how windows are cut is the same in all variants
    needs = [f"models.detectors.{name}"]
    work = [(name, params, e, study.truth[e.name], scratch, bool(probes.get("attention"))) for e in entries]
    over(_write_windows, work, f"{name}: windows of recordings", show, needs)
    jobs = [_job(study, run, probes, scratch) for run in wanted]
    make(_fit, jobs, f"{name}: variants trained, fold by fold", show, needs)
    return len(jobs)


def result(study: Study, probes: dict[str, Any], seed: int, draws: int) -> dict[str, Any]:
    """Figures of every variant that is kept, by name, and of the probes."""
    variants = list(dict.fromkeys(r.variant.name for r in study.runs))
    cases = {
        name: {repeat: _cases(study, folds) for repeat, folds in study.kept(name).items()}
        for name in variants
        if study.kept(name)
    }
    whole = cases[FULL]
    scored = {
        name: {**figures(own, seed, draws), "change": None if name == FULL else change(own, whole, seed, draws)}
        for name, own in cases.items()
    }
    looked = {
        "identity": identity_result(study, probes.get("identity"), seed, draws),
        "attention": attention_result(study, bool(probes.get("attention")), seed, draws),
    }
    return {"measures": MEASURES, "variants": scored, "probes": looked}


def _refuse_other_windows(name: str, variants: list[Variant], whole: Variant) -> None:
    """Windows are cut once for all variants, so none may cut them otherwise; half a minute of noise tells."""

    def cut(variant: Variant) -> tuple[str, np.ndarray]:
        detector = detectors.build(name, dict(variant.params))
        front_end = detector.front_end
        noise = np.random.default_rng(0).normal(0, 20, (len(front_end.channels), round(30 * front_end.rate_hz)))
        segments = (Segment(0.0, noise.astype(np.float32)),)
        made = detector.examples(Prepared(front_end.channels, front_end.rate_hz, segments, 30.0, ""))
        return front_end.digest, made.x

    digest, x = cut(whole)
    for variant in variants:
        other, own = cut(variant)
        if other != digest or not np.array_equal(own, x):
            raise BadAblation(
                f"{variant.name} reads other windows than the whole {name}: declare it as a detector of its own"
            )


def _job(study: Study, run: Run, probes: dict[str, Any], scratch: Path) -> Job:
    name, whole = run.variant.name, run.variant.name == FULL
    resume = study.workspace.root / "tmp" / f"ablate-{run.key[:16]}.pt"
    probed = bool(probes.get("identity")) and name in (FULL, probes["identity"])
    return Job(run, study.detector, study.truth, scratch, resume, probed, whole and bool(probes.get("attention")))


def _write_windows(work: tuple[str, dict[str, Any], Entry, Annotations, Path, bool]) -> None:
    """The windows of a recording, and, where attention is asked for, those of it with injected artefacts."""
    name, params, entry, truth, scratch, disturb = work
    write_examples((name, params, entry.path, entry.name, entry.person, entry.age_days, scratch))
    if disturb:
        write_disturbed(name, params, entry, truth, scratch)


def _fit(job: Job) -> None:
    """One run from windows to what is kept of it."""
    started, run = time.perf_counter(), job.run
    train, valid = (Examples.join([read(job, n) for n in names]) for names in (run.fold.train, run.fold.inner_valid))
    fitted = fit_calibrated(
        job.detector, run.variant.params, train, valid, seed=run.seed, checkpoint=job.checkpoint
    )  # fmt: skip
    part = begin(run)
    test = {name: Examples.join([read(job, name)]) for name in run.fold.test}  # a copy: the file's are read-only
    pd.concat([_said(fitted, e) for e in test.values()]).to_parquet(part / "windows.parquet", index=False)
    if job.features:
        write_features(job, fitted, part)
    if job.attention:
        write_json(part / "attention.json", looks(job, fitted, test))
    numbers = sum(v.size for v in fitted.detector.state().tensors.values())
    keep(run, part, {**null_for_nan(fitted.log), "numbers": numbers, "seconds": time.perf_counter() - started})
    job.checkpoint.unlink(missing_ok=True)


def _said(fitted: Fitted, test: Examples) -> pd.DataFrame:
    return pd.DataFrame(
        {"recording": test.recording, "onset_s": test.onset_s, "probability": probability(fitted, test)}
    )


def _cases(study: Study, runs: list[Run]) -> list[Case]:
    """What a variant said of every test recording, second by second; no events, for nothing was decided."""
    table = pd.concat([pd.read_parquet(r.folder / "windows.parquet") for r in runs])
    window_s = runs[0].variant.params["window_s"]
    made = []
    for name, rows in table.groupby("recording"):
        known, person = study.truth[str(name)], study.persons[str(name)]
        raw = raw_trend(rows["onset_s"].to_numpy(), rows["probability"].to_numpy(), window_s, known.duration_s)
        trend, labels = Decision().smoothed(raw), known.to_mask(1.0).astype(np.int8)
        nothing = Annotations((), known.duration_s)
        made.append(Case(str(name), person, person, study.sites[person], trend, labels, known, nothing))
    return made
