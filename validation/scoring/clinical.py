"""What a clinician asks of a detector: found or missed, how late, how much burden, how many false alarms.

Events are taken raw and never merged: SzCORE's 90-s merge adds 15 % burden in neonates. A patient without seizures
is not evaluable for sensitivity or AUC, and counts fully for false detections.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

import validation.scoring
from data.events import Annotations
from validation.scoring import ALARM_S, Case, Scorer, code_digest, false_alarms, overlaps_s, spans
from validation.uncertainty import (
    PairWins,
    Statistic,
    finite,
    interval_of,
    mean_over_patients,
    pooled_auc,
    ranks,
    ratio_of_sums,
)


@dataclass(frozen=True)
class Findings:
    """One recording compared event by event and second by second.

    `latencies_s`: from seizure onset to the onset of the first detection that overlaps it (negative: before).
    `false_detections` touch no seizure; `false_alarms` also count long ones by their length (`scoring.false_alarms`).
    `unassessable` seizures had no assessed second; they count as missed. Seconds tp, fp, fn, tn are assessed ones.
    """

    seizures: int
    detected: int
    unassessable: int
    detections: int
    false_detections: int
    false_alarms: int
    latencies_s: tuple[float, ...]
    seizure_s: float
    alarm_s: float
    false_alarm_s: float
    max_hourly_burden_min: float
    recorded_s: float
    assessed_s: float
    tp: int
    fp: int
    fn: int
    tn: int


def compare(reference: Annotations, hypothesis: Annotations, assessed: np.ndarray | None = None) -> Findings:
    """Compare raw events by any overlap; `assessed` is a bool per second (all of the recording unless told)."""
    seizures = [(e.onset_s, e.end_s) for e in reference.events]
    detections = [(e.onset_s, e.end_s) for e in hypothesis.events]
    shared_s = overlaps_s(seizures, detections)
    truth, said = reference.to_mask(1.0), _fitted(hypothesis.to_mask(1.0), len(reference.to_mask(1.0)))
    known = np.ones(len(truth), dtype=bool) if assessed is None else assessed
    return Findings(
        seizures=len(seizures),
        detected=int((shared_s > 0).any(axis=1).sum()),
        unassessable=sum(not known[int(a) : int(np.ceil(b))].any() for a, b in seizures),
        detections=len(detections),
        false_detections=int((~(shared_s > 0).any(axis=0)).sum()),
        false_alarms=false_alarms(reference, hypothesis),
        latencies_s=_latencies_s(reference, hypothesis, shared_s),
        seizure_s=reference.total_s(),
        alarm_s=hypothesis.total_s(),
        false_alarm_s=hypothesis.total_s() - float(overlaps_s(spans(hypothesis), spans(reference)).sum()),
        max_hourly_burden_min=reference.max_hourly_burden_min(),
        recorded_s=reference.duration_s,
        assessed_s=reference.duration_s if assessed is None else float(known.sum()),
        tp=int((truth & said & known).sum()),
        fp=int((~truth & said & known).sum()),
        fn=int((truth & ~said & known).sum()),
        tn=int((~truth & ~said & known).sum()),
    )


SUMMED = (
    "seizures", "detected", "unassessable", "detections", "false_detections", "false_alarms", "seizure_s", "alarm_s", "false_alarm_s",
    "recorded_s", "assessed_s", "tp", "fp", "fn", "tn",
)  # fmt: skip


def per_patient(cases: Sequence[Case]) -> pd.DataFrame:
    """One row per person (their recordings together), with NaN where a measure is not evaluable.

    Counts as in `Findings`, plus sensitivity, AUC, MCC, median latency, false detections per assessed hour, alarms
    per 24 h, burden marked and detected (min/h), share of assessed time in alarm, and coverage.
    """
    table = pd.DataFrame([_row(person, group) for person, group in people(cases).items()]).set_index("person")
    hours = _positive(table["assessed_s"]) / 3600
    return table.assign(
        sensitivity=table["detected"] / _positive(table["seizures"]),
        mcc=[mcc(*row) if row[0] + row[2] > 0 else np.nan for row in table[["tp", "fp", "fn", "tn"]].to_numpy()],
        false_per_hour=table["false_detections"] / hours,
        alarms_per_24h=table["false_alarms"] / hours * 24,
        burden_min_per_h=table["seizure_s"] / 60 / (_positive(table["recorded_s"]) / 3600),
        detected_burden_min_per_h=table["alarm_s"] / 60 / hours,
        time_in_alarm=table["alarm_s"] / _positive(table["assessed_s"]),
        coverage=table["assessed_s"] / _positive(table["recorded_s"]),
    )


def people(cases: Sequence[Case]) -> dict[str, list[Case]]:
    """The recordings of each person, persons in order of their key."""
    groups: dict[str, list[Case]] = {}
    for case in sorted(cases, key=lambda c: (c.person, c.recording)):
        groups.setdefault(case.person, []).append(case)
    return groups


def trends(cases: Sequence[Case]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Labels and probabilities per second of each person, in the order of `people`."""
    groups = people(cases).values()
    return [np.concatenate([c.labels for c in g]) for g in groups], [
        np.concatenate([c.trend for c in g]) for g in groups
    ]


def not_evaluable(row: pd.Series) -> dict[str, str]:
    """Why measures of a patient are left blank."""
    reasons: dict[str, str] = {}
    if row["seizures"] == 0:
        reasons |= dict.fromkeys(("sensitivity", "auc", "mcc", "latency_s"), "no seizures in this patient")
    elif row["detected"] == 0:
        reasons["latency_s"] = "no seizure was detected"
    if row["assessed_s"] == 0:
        reasons |= dict.fromkeys(("auc", "mcc", "false_per_hour", "alarms_per_24h"), "no assessable second")
    elif row["seizures"] > 0 and np.isnan(row["auc"]):
        reasons["auc"] = "assessed seconds are all seizure or all without"
    return reasons


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve of seconds (0–1), ties counting half; NaN scores are left out; NaN if one class only."""
    known = np.isfinite(scores)
    positive = np.asarray(labels, dtype=bool)[known]
    seizure, other = scores[known][positive], np.sort(scores[known][~positive])
    if len(seizure) == 0 or len(other) == 0:
        return float("nan")
    return float(ranks(seizure, other).sum() / (len(seizure) * len(other)))


def f1(labels: np.ndarray, calls: np.ndarray) -> float:
    """F1 of seconds; NaN where there is neither a seizure nor a call."""
    truth, said = np.asarray(labels, dtype=bool), np.asarray(calls, dtype=bool)
    called = int(truth.sum() + said.sum())
    return 2 * int((truth & said).sum()) / called if called else float("nan")


def mcc(tp: float, fp: float, fn: float, tn: float) -> float:
    """Matthews correlation of seconds (−1 to 1); 0 where the detector says the same of every second."""
    product = float(tp + fp) * float(tp + fn) * float(tn + fp) * float(tn + fn)
    return float((tp * tn - fp * fn) / np.sqrt(product)) if product > 0 else 0.0


def mcc_statistic(weights: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Statistic: MCC of all seconds of the patients drawn; `seconds` (patients, 4) as tp, fp, fn, tn."""
    tp, fp, fn, tn = (weights @ seconds.astype(float)).T
    product = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    return np.where(product > 0, (tp * tn - fp * fn) / np.sqrt(np.where(product > 0, product, 1.0)), 0.0)


def pearson_statistic(weights: np.ndarray, burdens: np.ndarray) -> np.ndarray:
    """Statistic: Pearson r between marked and detected burden over patients; `burdens` (patients, 2)."""
    defined = np.isfinite(burdens).all(axis=1)
    x, y = np.where(defined[:, None], burdens, 0.0).T
    w = weights * defined
    n = w.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_x, mean_y = w @ x / n, w @ y / n
        dx, dy = x[None] - mean_x[:, None], y[None] - mean_y[:, None]
        spread = np.sqrt((w * dx**2).sum(axis=1) * (w * dy**2).sum(axis=1))
        return np.where(spread > 1e-12, (w * dx * dy).sum(axis=1) / spread, np.nan)


def figures(table: pd.DataFrame, pairs: PairWins, weights: np.ndarray) -> dict[str, Any]:
    """Every clinical figure of a cohort with its interval; `table` from `per_patient`, `weights` (draws, persons)."""
    hours = table["assessed_s"].to_numpy(dtype=float) / 3600
    measures: dict[str, tuple[Any, Statistic]] = {
        "event_sensitivity": (_columns(table, "detected", "seizures"), ratio_of_sums),
        "event_sensitivity_patient_mean": (_values(table, "sensitivity"), mean_over_patients),
        "false_detections_per_hour": (np.stack([table["false_detections"], hours], axis=1), ratio_of_sums),
        "false_alarms_per_24h": (np.stack([table["false_alarms"], hours / 24], axis=1), ratio_of_sums),
        "auc_pooled": (pairs, pooled_auc),
        "auc_patient_mean": (_values(table, "auc"), mean_over_patients),
        "mcc_pooled": (_columns(table, "tp", "fp", "fn", "tn"), mcc_statistic),
        "mcc_patient_mean": (_values(table, "mcc"), mean_over_patients),
        "burden_pearson_r": (
            _columns(table, "burden_min_per_h", "detected_burden_min_per_h"),
            pearson_statistic,
        ),
        "latency_s_patient_mean": (_values(table, "latency_s"), mean_over_patients),
        "time_in_alarm": (_columns(table, "alarm_s", "assessed_s"), ratio_of_sums),
        "coverage": (_columns(table, "assessed_s", "recorded_s"), ratio_of_sums),
    }
    intervals = {name: interval_of(values, how, weights).to_json() for name, (values, how) in measures.items()}
    totals = {"marked_min": float(table["seizure_s"].sum() / 60), "detected_min": float(table["alarm_s"].sum() / 60)}
    return {
        "scorer": scorer().to_json(),
        **intervals,
        "zero_alarms_upper_per_24h": zero_alarms_upper_per_24h(int(table["false_alarms"].sum()), float(hours.sum())),
        "burden_total": totals,
    }


def zero_alarms_upper_per_24h(alarms: int, hours: float) -> float | None:
    """The exact upper 97.5 % bound where no false alarm was seen (Poisson: −ln 0.025 = 3.69 alarms), else None.

    A bootstrap of zeros is blind: it calls four silent hours perfect.
    """
    return float(-np.log(0.025) / hours * 24) if alarms == 0 and hours > 0 else None


def worst_decile(table: pd.DataFrame) -> dict[str, Any]:
    """The tenth of evaluable persons (at least one) in whom the detector does worst."""
    out = {}
    for measure, worst_first in (("auc", True), ("sensitivity", True), ("false_per_hour", False)):
        ordered = table[measure].dropna().sort_values(ascending=worst_first, kind="stable")
        worst = ordered.iloc[: int(np.ceil(len(ordered) / 10))]
        out[measure] = {
            "persons": list(worst.index),
            "mean": finite(worst.mean()) if len(worst) else None,
            "evaluable": len(ordered),
        }
    return out


def scorer() -> Scorer:
    policy = {"events": "raw, any overlap", "rate_hz": 1, "false_per": "assessed hour", "alarm_s": ALARM_S}
    return Scorer("clinical", "1", code_digest([validation.scoring, __file__]), policy)


def _row(person: str, cases: Sequence[Case]) -> dict[str, Any]:
    found = [compare(c.reference, c.hypothesis, c.assessed) for c in cases]
    latencies_s = [latency for f in found for latency in f.latencies_s]
    labels, trend = np.concatenate([c.labels for c in cases]), np.concatenate([c.trend for c in cases])
    return {
        "person": person,
        "patients": "+".join(sorted({c.patient for c in cases})),
        "site": "+".join(sorted({c.site for c in cases})),
        "recordings": len(cases),
        **{name: sum(getattr(f, name) for f in found) for name in SUMMED},
        "max_hourly_burden_min": max(f.max_hourly_burden_min for f in found),
        "latency_s": float(np.median(latencies_s)) if latencies_s else np.nan,
        "auc": auc(labels, trend),
    }


def _latencies_s(reference: Annotations, hypothesis: Annotations, shared_s: np.ndarray) -> tuple[float, ...]:
    onsets_s = np.array([e.onset_s for e in hypothesis.events])
    return tuple(
        float(onsets_s[row > 0].min() - seizure.onset_s)
        for seizure, row in zip(reference.events, shared_s, strict=True)
        if (row > 0).any()
    )


def _fitted(mask: np.ndarray, length: int) -> np.ndarray:
    return np.pad(mask[:length], (0, max(0, length - len(mask))))


def _positive(column: pd.Series) -> pd.Series:
    """Denominators: a zero is NaN, so that a rate without exposure does not exist."""
    return column.where(column > 0).astype(float)


def _columns(table: pd.DataFrame, *names: str) -> np.ndarray:
    return table[list(names)].to_numpy(dtype=float)


def _values(table: pd.DataFrame, name: str) -> np.ndarray:
    return table[name].to_numpy(dtype=float)
