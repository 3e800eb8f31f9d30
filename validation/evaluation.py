"""One candidate, one set of kept predictions, every scorer: the figures of a report with what stands behind each.

Predictions are made out of fold (nobody is scored by a detector that has seen them), and kept, so that any scorer
can be run again. Intervals redraw persons inside their sites.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from data.events import Annotations
from lineage.digest import Digest, digest_of, sha256_bytes
from validation.gates import Evidence
from validation.leakage import LeakageAudit
from validation.reliability import Calibration, reliability
from validation.scoring import Case, Scorer, clinical, code_digest, overlap, szcore
from validation.scoring.overlap import ToEvents, sweep
from validation.splits import window_fold
from validation.uncertainty import (
    MIN_DRAWS,
    PairWins,
    finite,
    interval_of,
    patient_draws,
    pooled_auc,
    ratio_of_sums,
)

MIN_SUBGROUP = 5
AGE_BANDS = ((28.0, "0–28 days"), (365.25, "29 days–1 year"), (12 * 365.25, "1–11 years"), (18 * 365.25, "12–17 years"))
ORACLE_FOLDS = 5


def evaluate(
    predictions: pd.DataFrame,
    hypotheses: Mapping[str, Annotations],
    references: Mapping[str, Annotations],
    meta: Mapping[str, Any],
    seed: int,
    draws: int = MIN_DRAWS,
    *,
    to_events: ToEvents,
) -> dict[str, Any]:
    """Everything a report says about one set of predictions, as plain JSON.

    `predictions`: one row per second with columns recording, patient, person, site, second, probability (NaN: not
    assessable), label (0, 1). `meta["patients"]` may give `age_days` and `sex` per patient; the rest of `meta` names
    what was evaluated and is copied. Refuses predictions that do not fit the references.
    """
    cases = gather(predictions, hypotheses, references)
    table = clinical.per_patient(cases)
    weights = patient_draws(list(table["site"]), np.random.default_rng(seed), draws)
    labels, trends = clinical.trends(cases)
    pairs = PairWins.of(labels, trends)
    return {
        "schema": "ictal.evaluation/1",
        "of": {key: value for key, value in meta.items() if key != "patients"},
        "digests": _digests(predictions, hypotheses, references),
        "uncertainty": {"unit": "patient", "strata": "site", "draws": draws, "seed": seed, "level": 0.95},
        "counts": _counts(cases, table),
        "szcore": szcore.figures(cases, weights),
        "clinical": clinical.figures(table, pairs, weights),
        "overlap": overlap.figures(cases),
        "operating_curve": overlap.operating_curve(sweep(cases, to_events), weights),
        "calibration": reliability(Calibration.of(trends, labels), list(table["site"]), weights),
        "per_patient": _per_patient(table),
        "worst_decile": clinical.worst_decile(table),
        "subgroups": _subgroups(table, pairs, weights, meta.get("patients", {})),
        "baselines": {"label_oracle": label_oracle(predictions, seed), "id_lookup": id_lookup(predictions, seed)},
    }


def evidence(
    predictions: pd.DataFrame,
    hypotheses: Mapping[str, Annotations],
    references: Mapping[str, Annotations],
    *,
    to_events: ToEvents,
    strata: Mapping[str, str] | None = None,
    audit: LeakageAudit | None = None,
    cost_s_per_eeg_hour: float | None = None,
) -> Evidence:
    """What the gates read of the same predictions; `strata` names each person's stratum (one for all unless told)."""
    cases = gather(predictions, hypotheses, references)
    table = clinical.per_patient(cases)
    table["stratum"] = [strata[person] if strata else "all" for person in table.index]
    labels, trends = clinical.trends(cases)
    return Evidence(
        table,
        sweep(cases, to_events),
        PairWins.of(labels, trends),
        Calibration.of(trends, labels),
        audit,
        cost_s_per_eeg_hour,
    )


def gather(
    predictions: pd.DataFrame, hypotheses: Mapping[str, Annotations], references: Mapping[str, Annotations]
) -> list[Case]:
    """One `Case` per recording, checked: each has a reference and a hypothesis, each second once, labels as marked."""
    cases = [
        _case(str(name), rows.sort_values("second"), hypotheses, references)
        for name, rows in predictions.groupby("recording", sort=True)
    ]
    unscored = sorted({*references, *hypotheses} - {c.recording for c in cases})
    if unscored or not cases:
        raise ValueError(
            f"{len(unscored)} recordings have no predictions ({len(cases)} have): give every second of a recording that "
            "was not assessed as NaN, so that it stays in the count"
        )
    return cases


def label_oracle(predictions: pd.DataFrame, seed: int, folds: int = ORACLE_FOLDS, window_s: int = 1) -> dict[str, Any]:
    """A baseline without signal under the window split: the labels of the nearest training windows in time.

    The nearest earlier and later window of the same recording vote, the nearer counting more. Its scores are what a
    window split gives away for nothing.
    """
    truth, guess = [], []
    for name, rows in predictions.groupby("recording", sort=True):
        labels = _windowed(rows.sort_values("second")["label"].to_numpy(dtype=float), window_s)
        truth.append(labels)
        guess.append(_nearest_labels(labels, window_fold(len(labels), str(name), folds, seed)))
    return _baseline("label_oracle", np.concatenate(truth), np.concatenate(guess), 0.5, seed, folds)


def id_lookup(predictions: pd.DataFrame, seed: int, folds: int = ORACLE_FOLDS) -> dict[str, Any]:
    """A baseline without signal under the window split: how often the same patient's training seconds are seizure.

    The area under the curve ranks by that share; F1 takes the patient's majority label.
    """
    truth, guess = [], []
    for _, rows in predictions.sort_values("second").groupby("person", sort=True):
        recordings = [(str(name), r["label"].to_numpy(dtype=float)) for name, r in rows.groupby("recording", sort=True)]
        labels = np.concatenate([seconds for _, seconds in recordings])
        fold = np.concatenate([window_fold(len(seconds), name, folds, seed) for name, seconds in recordings])
        shares = np.array([labels[fold != k].mean() if (fold != k).any() else 0.0 for k in range(folds)])
        truth.append(labels)
        guess.append(shares[fold])
    return _baseline("id_lookup", np.concatenate(truth), np.concatenate(guess), 0.5, seed, folds)


def _case(
    name: str, rows: pd.DataFrame, hypotheses: Mapping[str, Annotations], references: Mapping[str, Annotations]
) -> Case:
    if name not in hypotheses or name not in references:
        raise ValueError(
            "a recording with predictions has no hypothesis or no reference: give empty Annotations for none"
        )
    first, seconds = rows.iloc[0], rows["second"].to_numpy()
    labels, reference = rows["label"].to_numpy(dtype=int), references[name]
    if not np.array_equal(seconds, np.arange(round(reference.duration_s))):
        raise ValueError(
            f"{len(seconds)} seconds were predicted of a recording of {reference.duration_s:g} s: give each once"
        )
    differing = int((labels.astype(bool) != reference.to_mask(1.0)).sum())
    if differing > 2 * len(reference.events):
        raise ValueError(f"labels differ from the reference events in {differing} s, more than rounding can explain")
    trend = rows["probability"].to_numpy(dtype=float)
    return Case(name, first["patient"], first["person"], first["site"], trend, labels, reference, hypotheses[name])


def _digests(
    predictions: pd.DataFrame, hypotheses: Mapping[str, Annotations], references: Mapping[str, Annotations]
) -> dict[str, Digest]:
    ordered = predictions.sort_values(["recording", "second"])
    names = ordered[["recording", "patient", "person", "site"]].drop_duplicates().astype(str).to_numpy().tolist()
    numbers = ordered[["second", "probability", "label"]].to_numpy(dtype="<f8").tobytes()
    return {
        "predictions": digest_of([names, sha256_bytes(numbers)]),
        "hypotheses": _events_digest(hypotheses),
        "references": _events_digest(references),
    }


def _events_digest(annotations: Mapping[str, Annotations]) -> Digest:
    return digest_of({n: [a.duration_s, [[e.onset_s, e.duration_s] for e in a.events]] for n, a in annotations.items()})


def _counts(cases: Sequence[Case], table: pd.DataFrame) -> dict[str, Any]:
    return {
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


def _per_patient(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {
            "person": person,
            **{str(key): _plain(value) for key, value in row.items()},
            "not_evaluable": clinical.not_evaluable(row),
        }
        for person, row in table.iterrows()
    ]


def _subgroups(
    table: pd.DataFrame, pairs: PairWins, weights: np.ndarray, patients: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    known = [patients.get(ids.split("+")[0], {}) for ids in table["patients"]]
    groupings = {
        "site": list(table["site"]),
        "age": [_age_band(k.get("age_days")) for k in known],
        "sex": [str(k.get("sex") or "not given") for k in known],
    }
    return [
        _subgroup(by, group, np.array(groups) == group, table, pairs, weights)
        for by, groups in groupings.items()
        for group in sorted(set(groups))
    ]


def _subgroup(
    by: str, group: str, inside: np.ndarray, table: pd.DataFrame, pairs: PairWins, weights: np.ndarray
) -> dict[str, Any]:
    rows, drawn = table[inside], weights[:, inside]
    seizing = int((rows["seizures"] > 0).sum())
    out = {"by": by, "group": group, "persons": len(rows), "seizing_persons": seizing, "minimum": MIN_SUBGROUP}
    if seizing < MIN_SUBGROUP:
        return out | {"not_evaluable": f"{seizing} persons with seizures, at least {MIN_SUBGROUP} are needed"}
    alarms = np.stack([rows["false_alarms"], rows["assessed_s"] / 86400], axis=1)
    return out | {
        "event_sensitivity": interval_of(_columns(rows, "detected", "seizures"), ratio_of_sums, drawn).to_json(),
        "false_alarms_per_24h": interval_of(alarms, ratio_of_sums, drawn).to_json(),
        "auc_pooled": interval_of(pairs.of_patients(inside), pooled_auc, drawn).to_json(),
    }


def _age_band(age_days: float | None) -> str:
    if age_days is None or not np.isfinite(age_days):
        return "not given"
    return next((name for limit, name in AGE_BANDS if age_days < limit), "18 years and older")


def _windowed(labels: np.ndarray, window_s: int) -> np.ndarray:
    whole = len(labels) // window_s
    return (labels[: whole * window_s].reshape(whole, window_s).mean(axis=1) >= 0.5).astype(float)


def _nearest_labels(labels: np.ndarray, fold: np.ndarray) -> np.ndarray:
    guess = np.full(len(labels), np.nan)
    for k in np.unique(fold):
        test, train = np.flatnonzero(fold == k), np.flatnonzero(fold != k)
        if len(train) == 0:
            continue
        place = np.searchsorted(train, test)
        before, after = train[np.maximum(place - 1, 0)], train[np.minimum(place, len(train) - 1)]
        near_before, near_after = 1 / np.abs(test - before), 1 / np.abs(after - test)
        guess[test] = (near_before * labels[before] + near_after * labels[after]) / (near_before + near_after)
    return guess


def _baseline(name: str, truth: np.ndarray, guess: np.ndarray, cut: float, seed: int, folds: int) -> dict[str, Any]:
    policy = {"regime": "window", "folds": folds, "seed": seed, "cut": cut}
    return {
        "scorer": Scorer(name, "1", code_digest([__file__]), policy).to_json(),
        "reportable": False,
        "auc": finite(clinical.auc(truth, guess)),
        "f1": finite(clinical.f1(truth, guess >= cut)),
        "seconds": len(truth),
    }


def _columns(table: pd.DataFrame, *names: str) -> np.ndarray:
    return table[list(names)].to_numpy(dtype=float)


def _values(table: pd.DataFrame, name: str) -> np.ndarray:
    return table[name].to_numpy(dtype=float)


def _plain(value: Any) -> Any:
    """Numbers of numpy as JSON knows them; what does not exist is null."""
    if isinstance(value, int | np.integer):
        return int(value)
    return finite(float(value)) if isinstance(value, float | np.floating) else value
