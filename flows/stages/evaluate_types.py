"""The evaluate_types stage: every stretch named by the model that never saw its patient, kept, and scored."""

import time
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.cohorts.bids import Entry
from data.events import Annotations
from data.outcomes import Refusal
from data.readers.opening import open_entry
from flows.parallel import over
from flows.progress import reporter
from flows.stages.audits import audited
from flows.stages.files import (
    accepted,
    circumstances,
    development,
    evaluation_of,
    fresh,
    null_for_nan,
    split_of,
    training_of,
    true_events,
    truths,
    write_json,
)
from flows.stages.questions import QUESTIONS
from flows.stages.questions.asked import Asked
from flows.workspace import Workspace
from lineage.digest import sha256_file
from models import detectors
from models.detector import Stretch, TypingDetector
from models.typing import (
    ANSWER,
    StretchAnswer,
    TypingBundle,
    answer_known,
    build_typing,
    load_typing,
    refused,
    stretch_examples,
)
from validation.seizure_typing import Answer, table_of, write_answers
from validation.splits import TEST

COSTED = 8
"""Clips on which the time of each variant is measured."""


@dataclass(frozen=True)
class Named:
    """What one model said of the seizures of a recording it never saw; `seconds` is the computing time."""

    answers: list[Answer]
    seconds: float = 0.0


def run(workspace: Workspace, detector: str, regime: str) -> None:
    """Write answers, scores and the leakage audit of a regime, and the few figures that DVC compares."""
    out = fresh(evaluation_of(workspace, detector, regime))
    split = split_of(workspace, regime)
    name_all = _by_bundles if split.reportable else _by_stretches
    asker = _unfitted(workspace, detector)
    entries = development(workspace)
    named = name_all(workspace, detector, regime, entries)
    table = table_of(in_every_variant([a for one in named for a in one.answers]), asker.classes)
    write_answers(out, table)
    settings = workspace.params.evaluate
    meta = {
        "detector": detector,
        "regime": regime,
        "reportable": split.reportable,
        "split": split.digest,
        "folds": len(split.folds),
        "clip_s": asker.window_s,
        "training": sha256_file(training_of(workspace, detector, regime) / "log.json"),
        **circumstances(workspace, entries),
        "cohort": workspace.cohort_name,
        "s_per_eeg_hour": _cost(workspace, named, entries) if split.reportable else None,
        "costs": _costs(workspace, detector, regime, entries) if split.reportable else {},
    }
    outside = accepted(workspace, "external") if regime == "patient" else []
    external = _external(workspace, detector, outside, asker, out) if outside else None
    truth, dealt = truths(workspace, entries) | true_events(workspace, outside), _over_stretches(workspace, table)
    question = QUESTIONS[workspace.task]
    result = question.score(Asked(table, truth, meta, settings.seed, settings.draws, asker, dealt, external))
    result["leakage"] = audited(workspace, detector, regime).to_json()
    write_json(out / "result.json", null_for_nan(result))
    figures = {"task": workspace.task, "reportable": split.reportable, **question.headline(result)}
    write_json(workspace.metrics / f"{detector}-{regime}.json", null_for_nan(figures))


def in_every_variant(answers: list[Answer]) -> list[Answer]:
    """With a recording of which nothing was answered silent in every variant: of itself it says so of the answer alone."""
    there, variants = {(a.recording, a.variant) for a in answers}, dict.fromkeys(a.variant for a in answers)
    silent = [a for a in answers if a.variant == ANSWER and a.code]
    return [*answers, *(replace(a, variant=v) for v in variants for a in silent if (a.recording, v) not in there)]


def _external(
    workspace: Workspace, detector: str, entries: list[Entry], asker: TypingDetector, out: Path
) -> pd.DataFrame:
    """What the fold whose model is proposed says of recordings that were only ever tested on; kept beside."""
    fold, truth = workspace.params.promote.fold, true_events(workspace, entries)
    folder = training_of(workspace, detector, "patient") / f"fold-{fold}"
    work = [(e, truth[e.name], fold, folder) for e in entries]
    what = f"{detector}: recordings of the site that is only tested on"
    named = over(_name_stretches, work, what, reporter(), [f"models.detectors.{detector}"])
    table = table_of(in_every_variant([a for one in named for a in one.answers]), asker.classes)
    write_answers(out / "external", table)
    return table


def _unfitted(workspace: Workspace, detector: str) -> TypingDetector:
    return build_typing(detector, detectors.params_of(detector, workspace.params.train.preset))


def _by_bundles(workspace: Workspace, detector: str, regime: str, entries: list[Entry]) -> list[Named]:
    """Whole recordings through the bundle of the fold that tests them."""
    truth = truths(workspace, entries)
    tested = {name: k for k, fold in enumerate(split_of(workspace, regime).folds) for name in fold.test}
    folder = training_of(workspace, detector, regime)
    work = [(e, truth[e.name], tested[e.name], folder / f"fold-{tested[e.name]}") for e in entries]
    what = f"{detector}, {regime}: unseen patients answered"
    return over(_name_stretches, work, what, reporter(), [f"models.detectors.{detector}"])


@lru_cache(maxsize=4)
def _bundle(folder: Path) -> TypingBundle:
    """Of a worker: recordings of a few folds come in any order."""
    return load_typing(folder)


def _name_stretches(work: tuple[Entry, Annotations, int, Path]) -> Named:
    entry, truth, fold, folder = work
    bundle = _bundle(folder)
    started = time.perf_counter()
    try:
        found = answer_known(open_entry(entry), truth, bundle)
    except Refusal as refusal:
        found = [refused(one, bundle, refusal) for one in bundle.detector.stretches(truth)]
    seconds = time.perf_counter() - started
    variants = list(dict.fromkeys([ANSWER, *(v for one in found for v in one.probabilities)]))
    onsets = {one.number: one.onset_s for one in bundle.detector.stretches(truth)}
    answers = [_answer(entry, one, onsets[one.event], fold, variant) for one in found for variant in variants]
    return Named(answers, seconds)


def _answer(entry: Entry, one: StretchAnswer, onset_s: float, fold: int, variant: str) -> Answer:
    said = one.probabilities.get(variant)
    return Answer(
        entry.name, entry.patient, entry.person, entry.site, one.event, onset_s, str(one.truth), fold, variant,
        one.clips, one.code or "", () if said is None else tuple(said.tolist()),
    )  # fmt: skip


def _by_stretches(workspace: Workspace, detector: str, regime: str, entries: list[Entry]) -> list[Named]:
    """A leaky control: each seizure as named by the fold that did not train on that seizure.

    A seizure that was too short to be cut into clips was never named: it is there, without an answer.
    """
    folder = training_of(workspace, detector, regime)
    said = pd.concat([pd.read_parquet(p) for p in sorted(folder.glob("fold-*.parquet"))])
    classes = [c for c in said.columns if c not in Answer.__dataclass_fields__]
    known = dict(iter(said.groupby(["recording", "event"])))
    truth, variants = truths(workspace, entries), list(said["variant"].unique())
    asked = _unfitted(workspace, detector).stretches
    return [Named(_kept(entry, asked(truth[entry.name]), known, variants, classes)) for entry in entries]


def _kept(
    entry: Entry, stretches: list[Stretch], known: dict[Any, pd.DataFrame], variants: list[str], classes: list[str]
) -> list[Answer]:
    answers = []
    for one in stretches:
        assert one.label is not None
        rows = known.get((entry.name, one.number))
        own = {} if rows is None else {r["variant"]: r for r in rows.to_dict("records")}
        for variant in variants:
            row = own.get(variant)
            probabilities = () if row is None else tuple(float(row[c]) for c in classes)
            fold, clips = (-1, 0) if row is None else (int(row["fold"]), int(row["clips"]))
            answers.append(
                Answer(
                    entry.name, entry.patient, entry.person, entry.site, one.number, one.onset_s,
                    classes[one.label], fold, variant, clips, "" if row is not None else "too_short", probabilities,
                )
            )  # fmt: skip
    return answers


def _over_stretches(workspace: Workspace, table: pd.DataFrame) -> dict[tuple[str, int], int]:
    """Which fold would test each seizure if seizures were dealt out: what is known there without any EEG."""
    split = split_of(workspace, "seizure")
    dealt: dict[tuple[str, int], int] = {}
    for recording, rows in table.groupby("recording"):
        events = np.unique(rows["event"])
        for fold in range(len(split.folds)):
            roles = split.roles(str(recording), events.astype(float), fold, 0.0, events)
            dealt |= {(str(recording), int(event)): fold for event in events[roles == TEST]}
    return dealt


def _cost(workspace: Workspace, named: list[Named], entries: list[Entry]) -> float:
    """Seconds of computing per hour of recording."""
    hours = sum(t.duration_s for t in truths(workspace, entries).values()) / 3600
    return float(np.sum([one.seconds for one in named]) / hours)


def _costs(workspace: Workspace, detector: str, regime: str, entries: list[Entry]) -> dict[str, Any]:
    """Size and time per clip of the answer and its variants, measured here on the seizures of one recording."""
    bundle = load_typing(training_of(workspace, detector, regime) / "fold-0")
    truth = truths(workspace, entries)
    for entry in entries:
        prepared = bundle.detector.prepare(open_entry(entry))
        if (clips := stretch_examples(bundle.detector, prepared, truth[entry.name])) is not None:
            few = clips.take(np.arange(min(len(clips), COSTED)))
            return {name: asdict(cost) for name, cost in bundle.detector.costs(few).items()}
    return {}
