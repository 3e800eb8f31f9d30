"""Ablation of a detector of spasms: every clip of every test patient, named by every variant.

Clips are cut once for all variants. A figure is the mean over fits with other seeds; beside it stands what
`evaluate_spasms` says of the probabilities averaged over them, for the page of the evaluation.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from data.cohorts.bids import Entry
from flows.ablation.runs import Run, Study, begin, keep, make, missing
from flows.clips import read_clips, write_clips
from flows.progress import Show
from flows.stages.files import development, null_for_nan
from models.ablations import FULL, BadAblation, Variant
from models.detector import Examples, TypingDetector
from models.typing import ANSWER, build_typing
from models.typing_ablation import FoldClips, fit_variant
from validation.seizure_typing import Answer, table_of
from validation.spasms import evaluate_spasms
from validation.spasms.ablation import MEASURES, change, figures_of_fits

FILE = "answers.parquet"


@dataclass(frozen=True)
class Job:
    """One run, where the clips lie, and of which recordings there are any."""

    run: Run
    detector: str
    clips: Path
    recordings: tuple[str, ...]


def make_runs(study: Study, names: list[str], probes: dict[str, Any], scratch: Path, show: Show) -> int:
    """Fit what is not kept yet. Returns how many runs were made. `probes` there are none for clips of poses."""
    wanted = missing(study, names)
    if not wanted:
        return 0
    params = dict(study.runs[0].variant.params)
    _refuse_other_clips(study.detector, [r.variant for r in wanted], study.runs[0].variant)
    marked = [(entry, study.truth[entry.name]) for entry in development(study.workspace)]
    cut = write_clips(study.detector, params, None, marked, scratch, show)
    recordings = tuple(recording for recording, clips in cut.items() if clips)
    jobs = [Job(run, study.detector, scratch, recordings) for run in wanted]
    make(_fit, jobs, f"{study.detector}: variants trained, fold by fold", show, [f"models.detectors.{study.detector}"])
    return len(jobs)


def result(study: Study, probes: dict[str, Any], seed: int, draws: int) -> dict[str, Any]:
    """Figures of every variant that is kept, by name; and, under `study`, what the page of the evaluation shows of them."""
    detector = _built(study)
    asked, clip_s = _asked(study, detector), detector.window_s
    kept = {name: study.kept(name) for name in dict.fromkeys(r.variant.name for r in study.runs)}
    tables = {
        name: {repeat: _table(asked, folds, detector) for repeat, folds in own.items()}
        for name, own in kept.items()
        if own
    }
    scored = {
        name: {
            **figures_of_fits(own, study.truth, clip_s, seed, draws),
            "change": None if name == FULL else change(own, tables[FULL], study.truth, clip_s, seed, draws),
        }
        for name, own in tables.items()
    }
    return {
        "measures": MEASURES, "variants": scored, "probes": {},
        "study": _beside(study, tables, clip_s, seed, draws),
    }  # fmt: skip


def _refuse_other_clips(name: str, variants: list[Variant], whole: Variant) -> None:
    """Clips are cut once for all variants, so none may change what decides how."""

    def cut(variant: Variant) -> tuple[Any, ...]:
        built = build_typing(name, variant.params)
        return built.front_end.digest, built.window_s, built.hop_s

    for variant in {v.name: v for v in variants}.values():
        if cut(variant) != cut(whole):
            raise BadAblation(
                f"{variant.name} reads other clips than the whole {name}: declare it as a detector of its own"
            )


def _fit(job: Job) -> None:
    """One run from clips to what is kept of it."""
    started, run = time.perf_counter(), job.run
    fold = FoldClips(*(_joined(job, names) for names in (run.fold.train, run.fold.inner_valid, run.fold.test)))
    said, log, numbers = fit_variant(job.detector, run.variant, fold, seed=run.seed)
    rows = [(s.recording, s.event, s.clips, *s.probabilities) for s in said]
    classes = build_typing(job.detector, run.variant.params).classes
    part = begin(run)
    pd.DataFrame(rows, columns=["recording", "event", "clips", *classes]).to_parquet(part / FILE, index=False)
    keep(run, part, {**null_for_nan(log), "numbers": numbers, "seconds": time.perf_counter() - started})


def _joined(job: Job, names: tuple[str, ...]) -> Examples:
    return Examples.join([read_clips(job.clips, name) for name in names if name in job.recordings])


def _built(study: Study) -> TypingDetector:
    return build_typing(study.detector, study.runs[0].variant.params)


def _asked(study: Study, detector: TypingDetector) -> list[tuple[Entry, Any]]:
    """Every clip that is asked about, answered or not."""
    return [(e, one) for e in development(study.workspace) for one in detector.stretches(study.truth[e.name])]


def _table(asked: list[tuple[Entry, Any]], folds: list[Run], detector: TypingDetector) -> pd.DataFrame:
    """The answers of one fit of a variant: each clip as named by the fold that tests its patient."""
    rows: dict[tuple[str, int], tuple[int, int, tuple[float, ...]]] = {}
    for run in folds:
        for row in pd.read_parquet(run.folder / FILE).to_dict("records"):
            said = tuple(float(row[c]) for c in detector.classes)
            rows[row["recording"], int(row["event"])] = (run.number, int(row["clips"]), said)
    answers = []
    for entry, one in asked:
        fold, clips, said = rows.get((entry.name, one.number), (-1, 0, ()))
        answers.append(
            Answer(
                entry.name, entry.patient, entry.person, entry.site, one.number, one.onset_s,
                detector.classes[one.label], fold, ANSWER, clips, "" if said else "too_short", said,
            )
        )  # fmt: skip
    return table_of(answers, detector.classes)


def _beside(
    study: Study, tables: Mapping[str, Mapping[int, pd.DataFrame]], clip_s: float, seed: int, draws: int
) -> dict[str, Any]:
    """`evaluate_spasms` of the mean over fits of each variant, with what each means."""
    classes = _built(study).classes
    joined = []
    for name, own in tables.items():
        mean = next(iter(own.values())).copy()
        mean[list(classes)] = sum(t[list(classes)] for t in own.values()) / len(own)
        joined.append(mean.assign(variant=ANSWER if name == FULL else name))
    meta = {"detector": study.detector, "regime": "patient", "reportable": True, **study.about}
    evaluated = evaluate_spasms(pd.concat(joined), study.truth, meta, seed, draws, clip_s=clip_s, answer=ANSWER)
    named = ("schema", "of", "uncertainty", "counts", "answer", "variants", "differences")
    meanings = {run.variant.name: run.variant.meaning for run in study.runs if run.variant.name != FULL}
    return {"result": {key: evaluated[key] for key in named}, "meanings": meanings}
