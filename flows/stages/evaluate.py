"""The evaluate stage: every patient predicted by the model that never saw them, kept, and scored."""

import time
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.cohorts.bids import Entry
from data.events import Annotations
from data.readers.edf import read_edf
from flows.parallel import over
from flows.progress import reporter
from flows.stages.audits import audited
from flows.stages.files import (
    circumstances,
    cohort_of,
    development,
    evaluation_of,
    fresh,
    read_json,
    split_of,
    training_of,
    truths,
    write_json,
)
from flows.workspace import Workspace
from lineage.digest import sha256_file
from models.analysis import analyse
from models.bundle import Bundle, load_bundle
from models.conformal import COVERAGE
from models.decisions import Decision, raw_trend
from validation import abstention
from validation.evaluation import evaluate
from validation.predictions import About, write_predictions
from validation.seconds import SETS, Seconds, table_of
from validation.single_windows import single_windows


@dataclass(frozen=True)
class Prediction:
    """What one model said of one recording it never saw; `seconds` is the computing time in s.

    `trend` (s,) is its probability in each second, `sets` (s,) a prediction set per second, `ood` how strange the
    recording is; a leaky control has neither of the latter.
    """

    recording: str
    trend: np.ndarray
    events: Annotations
    threshold: float
    outcome: str
    front_end: str = ""
    seconds: float = 0.0
    sets: np.ndarray | None = None
    ood: dict[str, Any] | None = None


def run(workspace: Workspace, detector: str, regime: str) -> None:
    """Write predictions, scores and the leakage audit of a regime, and the few figures that DVC compares."""
    out = fresh(evaluation_of(workspace, detector, regime))
    show = reporter()
    predict = _by_bundles if split_of(workspace, regime).reportable else _by_windows
    result = _score(workspace, detector, regime, predict(workspace, detector, regime, show), out)
    if regime == "window":
        result["single_windows"] = _single_windows(workspace, detector)
    result["leakage"] = audited(workspace, detector, regime).to_json()
    write_json(out / "result.json", result)
    write_json(workspace.metrics / f"{detector}-{regime}.json", _headline(result))


def _by_bundles(workspace: Workspace, detector: str, regime: str, show: Any) -> list[Prediction]:
    """Whole recordings through the bundle of the fold that tests them, as the service would analyse them."""
    entries = {e.name: e for e in development(workspace)}
    folder = training_of(workspace, detector, regime)
    work = [
        (entries[name], folder / f"fold-{number}")
        for number, fold in enumerate(split_of(workspace, regime).folds)
        for name in fold.test
    ]
    return analysed(detector, work, f"{detector}, {regime}: unseen recordings analysed", show)


def analysed(detector: str, work: list[tuple[Entry, Path]], what: str, show: Any) -> list[Prediction]:
    """Each recording through the bundle in the folder beside it."""
    return over(_analyse, work, what, show, [f"models.detectors.{detector}"])


@lru_cache(maxsize=1)
def _bundle(folder: Path) -> Bundle:
    """Of a worker: the recordings of a fold come one after another."""
    return load_bundle(folder)


def _analyse(work: tuple[Entry, Path]) -> Prediction:
    entry, folder = work
    bundle = _bundle(folder)
    started = time.perf_counter()
    recording = read_edf(entry.path, age_days=entry.age_days, name=entry.name)
    found = analyse(recording, bundle, explained=False)
    blank = round(recording.duration_s)
    return Prediction(
        entry.name,
        np.full(blank, np.nan) if found.trend is None else found.trend,
        found.events or Annotations((), recording.duration_s),
        bundle.decision.threshold,
        found.outcome,
        found.front_end,
        time.perf_counter() - started,
        np.zeros(blank, dtype=np.int8) if found.prediction_set is None else found.prediction_set,
        asdict(found.ood) if found.ood else None,
    )


def _by_windows(workspace: Workspace, detector: str, regime: str, show: Any) -> list[Prediction]:
    """A leaky control: each window as predicted by the fold that did not train on that window."""
    folder = training_of(workspace, detector, regime)
    table = pd.concat([pd.read_parquet(p) for p in sorted(folder.glob("fold-*.parquet"))])
    window_s = read_json(folder / "log.json")["params"]["window_s"]
    decision = Decision(threshold=float(table["threshold"].mean()))
    truth = truths(workspace, development(workspace))
    made = []
    show(f"{detector}, {regime}: recordings put together", 0, len(truth))
    for done, (name, known) in enumerate(truth.items(), 1):
        rows = table[table["recording"] == name].sort_values("onset_s")
        onsets, probability = rows["onset_s"].to_numpy(), rows["probability"].to_numpy()
        trend = decision.smoothed(raw_trend(onsets, probability, window_s, known.duration_s))
        events = decision.events(trend, known.duration_s)
        made.append(Prediction(name, trend, events, decision.threshold, "completed"))
        show(f"{detector}, {regime}: recordings put together", done, len(truth))
    return made


def _single_windows(workspace: Workspace, detector: str) -> dict[str, Any]:
    """The leaky control as studies with folds over windows score it: single windows, pooled."""
    folder, settings = training_of(workspace, detector, "window"), workspace.params.evaluate
    window_s = read_json(folder / "log.json")["params"]["window_s"]
    paths = {int(p.stem.removeprefix("fold-")): p for p in folder.glob("fold-*.parquet")}
    table = pd.concat([pd.read_parquet(p).assign(fold=fold) for fold, p in sorted(paths.items())])
    entries = {e.name: e for e in development(workspace)}
    truth = truths(workspace, list(entries.values()))
    parts = [
        own.assign(
            person=entries[name].person,
            site=entries[name].site,
            label=(truth[name].covered(own["onset_s"].to_numpy(), window_s) >= 0.5).astype(int),
        )
        for name, own in ((str(named), rows) for named, rows in table.groupby("recording"))
    ]
    recorded_s = sum(t.duration_s for t in truth.values())
    return single_windows(pd.concat(parts), window_s, recorded_s, settings.seed, settings.draws)


def _score(
    workspace: Workspace, detector: str, regime: str, predictions: list[Prediction], out: Path
) -> dict[str, Any]:
    split = split_of(workspace, regime)
    about = {
        "detector": detector,
        "regime": regime,
        "reportable": split.reportable,
        "split": split.digest,
        "training": sha256_file(training_of(workspace, detector, regime) / "log.json"),
    }
    return score(workspace, development(workspace), predictions, about, out)


def score(
    workspace: Workspace, recordings: list[Entry], predictions: list[Prediction], about: dict[str, Any], out: Path
) -> dict[str, Any]:
    """Keep predictions of these recordings in the folder `out` and score them; `about` says what was evaluated."""
    settings = workspace.params.evaluate
    truth = truths(workspace, recordings)
    table = _table(predictions, {e.name: e for e in recordings}, truth)
    _keep(out, table, predictions)
    meta = {
        **about,
        **circumstances(workspace, recordings),
        "cohort": workspace.cohort_name,
        "s_per_eeg_hour": _cost(predictions),
        "patients": known_of(recordings),
    }
    hypotheses = {p.recording: p.events for p in predictions}
    experts = experts_of(workspace, recordings)
    result = evaluate(
        table, hypotheses, truth, meta, settings.seed, settings.draws, to_events=to_events, experts=experts
    )
    if SETS in table:
        result["abstention"] = abstention.figures(table, COVERAGE)
        result["ood"] = _strangeness(predictions)
    return result


def known_of(recordings: list[Entry]) -> dict[str, dict[str, Any]]:
    """Age and sex of every patient, by which subgroups are made."""
    return {e.patient: {"age_days": e.age_days, "sex": e.sex} for e in recordings}


def experts_of(workspace: Workspace, recordings: list[Entry]) -> dict[str, dict[str, Annotations]]:
    """What each expert marked; in the null control nobody's, for the labels there are somebody else's."""
    if workspace.params.train.shuffle_labels:
        return {}
    cohort = cohort_of(workspace)
    return {e.name: cohort.experts(e) for e in recordings}


def _strangeness(predictions: list[Prediction]) -> dict[str, Any]:
    """How far each recording lies from the training patients of its fold, and how many were refused for it."""
    known = {p.recording: p.ood for p in predictions if p.ood}
    refused = [name for name, ood in known.items() if ood["score"] > ood["limit"]]
    return {"judged": len(known), "refused": sorted(refused), "recordings": known}


def to_events(trend: np.ndarray, threshold: float) -> Annotations:
    """The decision rule at any threshold, for operating curves; `trend` (seconds,) is smoothed already."""
    return Decision().at(threshold).events(trend)


def _table(predictions: list[Prediction], entries: dict[str, Entry], truth: dict[str, Annotations]) -> pd.DataFrame:
    return table_of([_seconds(p, entries[p.recording], truth[p.recording]) for p in predictions])


def _seconds(made: Prediction, entry: Entry, truth: Annotations) -> Seconds:
    labels = truth.lasting(made.events.duration_s).to_mask(1.0)
    return Seconds(entry.name, entry.patient, entry.person, entry.site, made.trend, labels, made.sets)


def _keep(out: Path, table: pd.DataFrame, predictions: list[Prediction]) -> None:
    """Predictions are kept, so that any scorer can be run again."""
    about = {p.recording: About(p.outcome, p.threshold, p.front_end) for p in predictions}
    write_predictions(out, table, {p.recording: p.events for p in predictions}, about)


def _cost(predictions: list[Prediction]) -> float:
    """Seconds of computing per hour of recording."""
    return sum(p.seconds for p in predictions) / (sum(p.events.duration_s for p in predictions) / 3600)


def _headline(result: dict[str, Any]) -> dict[str, Any]:
    """The figures that `dvc metrics` shows."""
    clinical, pooled = result["clinical"], result["szcore"]["pooled"]["event"]
    return {
        "reportable": result["of"]["reportable"],
        "auc": clinical["auc_pooled"]["estimate"],
        "auc_low": clinical["auc_pooled"]["low"],
        "auc_high": clinical["auc_pooled"]["high"],
        "auc_all_seconds": clinical["auc_all_seconds"]["estimate"],
        "event_sensitivity": clinical["event_sensitivity"]["estimate"],
        "false_alarms_per_24h": clinical["false_alarms_per_24h"]["estimate"],
        "szcore_event_f1": pooled["f1"]["estimate"],
        "coverage": result["counts"]["coverage"],
        "patients": result["counts"]["persons"],
    }
