"""What a clinician asks of a detector: found or missed, how late, how much burden, how many false alarms.

Events are taken raw and never merged: SzCORE's 90-s merge adds 15 % burden in neonates. A patient without seizures
is not evaluable for sensitivity or AUC, and counts fully for false detections.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from validation.scoring import ALARM_S, Case, Scorer, code_digest, resting
from validation.scoring.findings import SUMMED, compare
from validation.scoring.measures import auc, mcc, mcc_statistic, pearson_statistic
from validation.uncertainty import (
    PairWins,
    Statistic,
    finite,
    interval_of,
    mean_over_patients,
    pooled_auc,
    ratio_of_sums,
)


def per_patient(cases: Sequence[Case]) -> pd.DataFrame:
    """One row per person (their recordings together), with NaN where a measure is not evaluable.

    Counts as in `Findings`, plus sensitivity, AUC, MCC, median latency, false detections per assessed hour, alarms
    per 24 h, burden marked and detected (min/h), share of assessed time in alarm, and coverage.
    """
    table = pd.DataFrame([_row(person, group) for person, group in people(cases).items()]).set_index("person")
    hours = _positive(table["assessed_s"]) / 3600
    return table.assign(
        sensitivity=table["detected"] / _positive(table["seizures"]),
        mcc=[mcc(*row) for row in table[["tp", "fp", "fn", "tn"]].to_numpy()],
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
    """Labels and probabilities (seconds,) of each person, recordings one after another, in the order of `people`."""
    groups = people(cases).values()
    return [np.concatenate([c.labels for c in g]) for g in groups], [
        np.concatenate([c.trend for c in g]) for g in groups
    ]


def not_evaluable(row: pd.Series) -> dict[str, str]:
    """Why measures of a patient are left blank: a reason for each that is NaN, and for no other."""
    reasons = dict.fromkeys(("burden_min_per_h", "coverage"), "nothing was recorded")
    reasons |= dict.fromkeys(("sensitivity", "auc", "mcc", "latency_s"), "no seizures in this patient")
    if row["seizures"] > 0:
        reasons |= {"latency_s": "no seizure was detected", "mcc": "no second of a seizure was assessed"}
        reasons["auc"] = "assessed seconds are all seizure or all without"
    if row["assessed_s"] == 0:
        reasons |= dict.fromkeys(("auc", "mcc", *OF_ASSESSED), "no assessable second")
    return {measure: why for measure, why in reasons.items() if np.isnan(row[measure])}


OF_ASSESSED = ("false_per_hour", "alarms_per_24h", "detected_burden_min_per_h", "time_in_alarm")
"""Measures of a patient that are per assessed hour or second."""


def counts(cases: Sequence[Case], table: pd.DataFrame) -> dict[str, Any]:
    """How much was scored: recordings, people, seizures and hours; `table` from `per_patient`."""
    return {
        "scorer": scorer().to_json(),
        "recordings": len(cases),
        "patients": len({c.patient for c in cases}),
        "persons": len(table),
        "seizing_persons": int((table["seizures"] > 0).sum()),
        "seizures": int(table["seizures"].sum()),
        "unassessable_seizures": int(table["unassessable"].sum()),
        "hours": float(table["recorded_s"].sum() / 3600),
        "assessed_hours": float(table["assessed_s"].sum() / 3600),
        "coverage": finite(table["assessed_s"].sum() / table["recorded_s"].sum()),
        "abstained_recordings": sum(not c.assessed.any() for c in cases),
    }


def rests_on(table: pd.DataFrame) -> dict[str, Any]:
    """What stands beside every figure: of how many persons it is, and of how much of their time (coverage 0–1)."""
    return resting(len(table), table["assessed_s"].sum(), table["recorded_s"].sum())


def rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Every person with each measure, its scorer, and why a measure is missing, as plain JSON."""
    named = scorer().to_json()
    return [
        {
            "person": person,
            "scorer": named,
            **{str(key): _plain(value) for key, value in row.items()},
            "not_evaluable": not_evaluable(row),
        }
        for person, row in table.iterrows()
    ]


def figures(table: pd.DataFrame, pairs: PairWins, weights: np.ndarray) -> dict[str, Any]:
    """Every clinical figure of a cohort with its interval, and why one is null; `table` from `per_patient`, `weights`
    (draws, persons)."""
    hours = table["assessed_s"].to_numpy(dtype=float) / 3600
    measures: dict[str, tuple[Any, Statistic]] = {
        "event_sensitivity": (_columns(table, "detected", "seizures"), ratio_of_sums),
        "event_sensitivity_patient_mean": (_values(table, "sensitivity"), mean_over_patients),
        "false_detections_per_hour": (np.stack([table["false_detections"], hours], axis=1), ratio_of_sums),
        "false_alarms_per_24h": (np.stack([table["false_alarms"], hours / 24], axis=1), ratio_of_sums),
        "auc_pooled": (pairs, pooled_auc),
        "auc_all_seconds": (_of_all_seconds(table, pairs), pooled_auc),
        "auc_patient_mean": (_values(table, "auc"), mean_over_patients),
        "mcc_pooled": (_columns(table, "tp", "fp", "fn", "tn"), mcc_statistic),
        "mcc_patient_mean": (_values(table, "mcc"), mean_over_patients),
        "burden_pearson_r": (
            _columns(table, "burden_min_per_h", "detected_burden_min_per_h"),
            pearson_statistic,
        ),
        "latency_s_patient_mean": (_values(table, "latency_s"), mean_over_patients),
        "early_detections": (_columns(table, "early", "detected"), ratio_of_sums),
        "time_in_alarm": (_columns(table, "alarm_s", "assessed_s"), ratio_of_sums),
        "coverage": (_columns(table, "assessed_s", "recorded_s"), ratio_of_sums),
    }
    intervals = {name: interval_of(values, how, weights).to_json() for name, (values, how) in measures.items()}
    totals = {"marked_min": float(table["seizure_s"].sum() / 60), "detected_min": float(table["alarm_s"].sum() / 60)}
    return {
        "scorer": scorer().to_json(),
        **intervals,
        "not_evaluable": {name: WHY_NOT[name] for name, found in intervals.items() if found["estimate"] is None},
        "zero_alarms_upper_per_24h": zero_alarms_upper_per_24h(int(table["false_alarms"].sum()), float(hours.sum())),
        "burden_total": totals,
    }


WHY_NOT = {
    "event_sensitivity": "nobody had a seizure",
    "event_sensitivity_patient_mean": "nobody had a seizure",
    "false_detections_per_hour": "no assessable second",
    "false_alarms_per_24h": "no assessable second",
    "auc_pooled": "assessed seconds are all seizure or all without",
    "auc_all_seconds": "recorded seconds are all seizure or all without",
    "auc_patient_mean": "nobody's assessed seconds are of both kinds",
    "mcc_pooled": "no second of a seizure was assessed",
    "mcc_patient_mean": "no second of a seizure was assessed",
    "burden_pearson_r": "fewer than two patients were assessed, or all had the same burden or the same detected",
    "latency_s_patient_mean": "no seizure was detected",
    "early_detections": "no seizure was detected",
    "time_in_alarm": "no assessable second",
    "coverage": "nothing was recorded",
}
"""What is the matter where a figure of a cohort does not exist."""


def zero_alarms_upper_per_24h(alarms: int, hours: float) -> float | None:
    """The exact upper 97.5 % bound where no false alarm was seen (Poisson: −ln 0.025 = 3.69 alarms), else None.

    A bootstrap of zeros is blind: it calls four silent hours perfect.
    """
    return float(-np.log(0.025) / hours * 24) if alarms == 0 and hours > 0 else None


def worst_decile(table: pd.DataFrame) -> dict[str, Any]:
    """The tenth of evaluable persons (at least one) in whom the detector does worst."""
    out: dict[str, Any] = {"scorer": scorer().to_json()}
    for measure, worst_first in (("auc", True), ("sensitivity", True), ("alarms_per_24h", False)):
        ordered = table[measure].dropna().sort_values(ascending=worst_first, kind="stable")
        worst = ordered.iloc[: int(np.ceil(len(ordered) / 10))]
        out[measure] = {
            "persons": list(worst.index),
            "mean": finite(worst.mean()) if len(worst) else None,
            "evaluable": len(ordered),
            "rests_on": rests_on(table.loc[worst.index]),
        }
    return out


def _of_all_seconds(table: pd.DataFrame, pairs: PairWins) -> PairWins:
    """Silence counted as not knowing: refusing the patients in whom it errs must not make a detector look better."""
    seizure, recorded = _values(table, "seizure_seconds"), _values(table, "seconds")
    return pairs.asked(seizure, recorded - seizure)


def scorer() -> Scorer:
    """Who made these figures: how events are matched, what a rate is per, and what an unassessed second counts."""
    policy = {
        "events": "raw, any overlap",
        "rate_hz": 1,
        "false_per": "assessed hour",
        "alarm_s": ALARM_S,
        "latency_s": "of seizures found, to the alarm that is on at onset, begun anew each alarm_s",
        "auc_all_seconds": "a pair with an unassessed second counts half",
    }
    return Scorer("clinical", "3", code_digest([__file__]), policy)


def _row(person: str, cases: Sequence[Case]) -> dict[str, Any]:
    found = [compare(c.reference, c.hypothesis, c.assessed) for c in cases]
    latencies_s = [latency for f in found for latency in f.latencies_s]
    labels, trend = np.concatenate([c.labels for c in cases]), np.concatenate([c.trend for c in cases])
    return {
        "person": person,
        "patients": "+".join(sorted({c.patient for c in cases})),
        "site": "+".join(sorted({c.site for c in cases})),
        "recordings": len(cases),
        "seconds": len(labels),
        "seizure_seconds": int(labels.sum()),
        **{name: sum(getattr(f, name) for f in found) for name in SUMMED},
        "max_hourly_burden_min": max(f.max_hourly_burden_min for f in found),
        "latency_s": float(np.median(latencies_s)) if latencies_s else np.nan,
        "auc": auc(labels, trend),
    }


def _plain(value: Any) -> Any:
    """Numbers of numpy as JSON knows them; what does not exist is null."""
    if isinstance(value, int | np.integer):
        return int(value)
    return finite(float(value)) if isinstance(value, float | np.floating) else value


def _positive(column: pd.Series) -> pd.Series:
    """Denominators: a zero is NaN, so that a rate without exposure does not exist."""
    return column.where(column > 0).astype(float)


def _columns(table: pd.DataFrame, *names: str) -> np.ndarray:
    return table[list(names)].to_numpy(dtype=float)


def _values(table: pd.DataFrame, name: str) -> np.ndarray:
    return table[name].to_numpy(dtype=float)
