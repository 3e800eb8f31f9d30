"""The evaluate stage: every patient predicted by the model that never saw them, kept, and scored."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.cohorts.bids import Entry
from data.events import Annotations, Event
from data.readers.edf import read_edf
from flows.parallel import over
from flows.progress import reporter
from flows.stages.files import development, fresh, read_json, splits, truths, write_json
from flows.workspace import Workspace
from lineage.digest import sha256_file
from models.analysis import analyse
from models.bundle import load_bundle
from models.decisions import Decision, raw_trend
from validation.evaluation import evaluate
from validation.leakage import FITTED, FittedOn, LeakageAudit, audit
from validation.splits import Member


@dataclass(frozen=True)
class Prediction:
    """What one model said of one recording it never saw; `seconds` is the computing time."""

    recording: str
    trend: np.ndarray
    events: Annotations
    threshold: float
    outcome: str
    front_end: str = ""
    seconds: float = 0.0


def run(workspace: Workspace, detector: str) -> None:
    """Write predictions, scores of both regimes, the leakage audit, and the few figures that DVC compares."""
    out = fresh(workspace.interim / "evaluation" / detector)
    show = reporter()
    result = {}
    for regime, predict in (("patient", _predict_patient), ("window", _predict_window)):
        predictions = predict(workspace, detector, show)
        result[regime] = _score(workspace, detector, regime, predictions, out / regime)
    leakage = audited(workspace, detector).to_json()
    write_json(out / "leakage.json", leakage)
    write_json(out / "result.json", {"detector": detector, "regimes": result, "leakage": leakage})
    write_json(workspace.reports / "metrics" / f"{detector}.json", _headline(result))


def _predict_patient(workspace: Workspace, detector: str, show: Any) -> list[Prediction]:
    entries = {e.name: e for e in development(workspace)}
    folder = workspace.store / "training" / detector / "patient"
    work = [
        (entries[name], folder / f"fold-{number}")
        for number, fold in enumerate(splits(workspace)["patient"].folds)
        for name in fold.test
    ]
    return over(_analyse, work, f"{detector}: unseen recordings analysed", show, [f"models.detectors.{detector}"])


def _analyse(work: tuple[Entry, Path]) -> Prediction:
    entry, folder = work
    bundle = load_bundle(folder)
    started = time.perf_counter()
    recording = read_edf(entry.path, age_days=entry.age_days, name=entry.name)
    found = analyse(recording, bundle)
    trend = np.full(round(recording.duration_s), np.nan) if found.trend is None else found.trend
    events = found.events or Annotations((), recording.duration_s)
    threshold = bundle.decision.threshold
    return Prediction(
        entry.name, trend, events, threshold, found.outcome, found.front_end, time.perf_counter() - started
    )


def _predict_window(workspace: Workspace, detector: str, show: Any) -> list[Prediction]:
    """The leaky control: each window as predicted by the fold that did not train on that window."""
    folder = workspace.store / "training" / detector / "window"
    table = pd.concat([pd.read_parquet(p) for p in sorted(folder.glob("fold-*.parquet"))])
    window_s = read_json(workspace.store / "training" / detector / "log.json")["params"]["window_s"]
    decision = Decision(threshold=float(table["threshold"].mean()))
    made = []
    for name, truth in truths(workspace, development(workspace)).items():
        rows = table[table["recording"] == name].sort_values("onset_s")
        onsets, probability = rows["onset_s"].to_numpy(), rows["probability"].to_numpy()
        trend = decision.smoothed(raw_trend(onsets, probability, window_s, truth.duration_s))
        events = decision.events(trend, truth.duration_s)
        made.append(Prediction(name, trend, events, decision.threshold, "completed"))
    return made


def _score(
    workspace: Workspace, detector: str, regime: str, predictions: list[Prediction], out: Path
) -> dict[str, Any]:
    settings = workspace.params.evaluate
    entries = {e.name: e for e in development(workspace)}
    truth = truths(workspace, list(entries.values()))
    table = _table(predictions, entries, truth)
    hypotheses = {p.recording: p.events for p in predictions}
    _keep(out, table, predictions)
    meta = {
        "detector": detector,
        "regime": regime,
        "reportable": splits(workspace)[regime].reportable,
        "cohort": workspace.params.cohort.name,
        "shuffled_labels": workspace.params.train.shuffle_labels,
        "patients": {e.patient: {"age_days": e.age_days, "sex": e.sex} for e in entries.values()},
    }
    return evaluate(table, hypotheses, truth, meta, settings.seed, settings.draws, to_events=to_events)


def to_events(trend: np.ndarray, threshold: float) -> Annotations:
    """The decision rule at any threshold, for operating curves (the trend is smoothed already)."""
    return Decision().at(threshold).events(trend)


def _table(predictions: list[Prediction], entries: dict[str, Entry], truth: dict[str, Annotations]) -> pd.DataFrame:
    parts = []
    for made in sorted(predictions, key=lambda p: p.recording):
        entry = entries[made.recording]
        part = pd.DataFrame({"second": np.arange(len(made.trend)), "probability": made.trend})
        part["label"] = truth[made.recording].to_mask(1.0)[: len(part)].astype(int)
        named = {"recording": entry.name, "patient": entry.patient, "person": entry.person, "site": entry.site}
        parts.append(part.assign(**named))
    return pd.concat(parts, ignore_index=True)


def _keep(out: Path, table: pd.DataFrame, predictions: list[Prediction]) -> None:
    """Predictions are kept, so that any scorer can be run again."""
    out.mkdir(parents=True)
    table.to_parquet(out / "predictions.parquet")
    kept = {
        p.recording: {
            "outcome": p.outcome,
            "threshold": p.threshold,
            "front_end": p.front_end,
            "events": [[e.onset_s, e.duration_s, e.confidence] for e in p.events.events],
            "duration_s": p.events.duration_s,
        }
        for p in predictions
    }
    write_json(out / "hypotheses.json", kept)
    hours = sum(p.events.duration_s for p in predictions) / 3600
    write_json(out.parent / f"{out.name}-cost.json", {"s_per_eeg_hour": sum(p.seconds for p in predictions) / hours})


def read_predictions(folder: Path) -> tuple[pd.DataFrame, dict[str, Annotations]]:
    """The kept predictions of one detector and regime: seconds, and events per recording."""
    kept = read_json(folder / "hypotheses.json")
    hypotheses = {
        name: Annotations(tuple(Event(o, d, confidence=c) for o, d, c in k["events"]), k["duration_s"])
        for name, k in kept.items()
    }
    return pd.read_parquet(folder / "predictions.parquet"), hypotheses


def members(workspace: Workspace) -> list[Member]:
    """The development recordings as splits and guards see them."""
    truth = truths(workspace, development(workspace))
    return [
        Member(e.name, e.patient, e.person, e.site, bool(truth[e.name].events), sha256_file(e.path))
        for e in development(workspace)
    ]


def audited(workspace: Workspace, detector: str) -> LeakageAudit:
    """The audit of one detector's folds; raises `Leak` where a guard finds one."""
    return audit(splits(workspace)["patient"], members(workspace), _fitted_on(workspace, detector))


def _fitted_on(workspace: Workspace, detector: str) -> list[FittedOn]:
    """Which recordings each fitted part of each fold has seen, as its bundle states it."""
    stated = []
    for fold in range(len(splits(workspace)["patient"].folds)):
        bundle = load_bundle(workspace.store / "training" / detector / "patient" / f"fold-{fold}")
        stated += [FittedOn(fold, what, tuple(bundle.origin["fitted_on"][what])) for what in FITTED]
    return stated


def _headline(result: dict[str, Any]) -> dict[str, Any]:
    """The figures that `dvc metrics` shows, patient-wise; the leaky control's only to be compared with."""

    def point(interval: dict[str, Any]) -> Any:
        return interval["estimate"]

    honest, leaky = result["patient"], result["window"]
    pooled = honest["szcore"]["pooled"]["event"]
    return {
        "auc": point(honest["clinical"]["auc_pooled"]),
        "auc_low": honest["clinical"]["auc_pooled"]["low"],
        "auc_high": honest["clinical"]["auc_pooled"]["high"],
        "event_sensitivity": point(honest["clinical"]["event_sensitivity"]),
        "false_alarms_per_24h": point(honest["clinical"]["false_alarms_per_24h"]),
        "szcore_event_f1": point(pooled["f1"]),
        "coverage": honest["counts"]["coverage"],
        "patients": honest["counts"]["persons"],
        "leaky_window_auc": point(leaky["clinical"]["auc_pooled"]),
    }
