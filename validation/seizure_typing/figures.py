"""The figures of one typing: macro and per-class F1 by patients, variants beside the answer, baselines beside both.

The seizure is what is called, the patient is what varies. A type that fewer than `MIN_PATIENTS` patients had is not
evaluable and enters no mean; a seizure without an answer counts as wrong.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from validation.gates.seizure_types import TypingEvidence, f1_of, macro_f1_of
from validation.leakage import LeakageAudit
from validation.scoring.scorer import Scorer, code_digest
from validation.seizure_typing.answers import answered_by_both, answers_digests, confusions, not_answered
from validation.seizure_typing.baselines import baseline_tables
from validation.uncertainty import MIN_DRAWS, Statistic, difference, interval_of, patient_draws

MIN_PATIENTS = 5
FOCAL = ("FNSZ", "CPSZ", "SPSZ")
"""Focal types differ by awareness or by what could be observed, not by EEG; together they are one class."""

Block = dict[str, Any]


def evaluate_typing(
    table: pd.DataFrame,
    classes: Sequence[str],
    meta: Mapping[str, Any],
    seed: int,
    draws: int = MIN_DRAWS,
    *,
    answer: str,
    over_seizures: Mapping[tuple[str, int], int] | None = None,
) -> Block:
    """Everything a report says about one set of answers, as plain JSON.

    `table`: of `answers.table_of`; the variant named `answer` is the detector's own, the others stand beside it.
    `meta` names what was evaluated and is copied. `over_seizures` says which fold tests a (recording, event) where
    seizures are dealt out: what the baselines, which need no training, reach there stands beside as well.
    """
    own = {str(name): part for name, part in table.groupby("variant", sort=False)}
    own = {answer: own.pop(answer), **own}
    persons, mine = confusions(own[answer], classes)
    weights = patient_draws(list(persons["site"]), np.random.default_rng(seed), draws)
    counted = {name: confusions(part, classes)[1] for name, part in own.items()}
    blind = {name: confusions(part, classes)[1] for name, part in baseline_tables(own[answer], classes).items()}
    leaky = _over_seizures(own[answer], classes, over_seizures) if over_seizures else {}
    evaluable = _patients(mine) >= MIN_PATIENTS
    scorer = {"scorer": _scorer(), "rests_on": _rests_on(mine)}
    return {
        "schema": "ictal.typing/1",
        "of": dict(meta),
        "digests": answers_digests(table),
        "uncertainty": {"unit": "patient", "strata": "site", "draws": draws, "seed": seed, "level": 0.95},
        "counts": _counts(own[answer], mine),
        "classes": _classes(classes, mine),
        "answer": scorer | _figures(mine, classes, evaluable, weights),
        "variants": {n: scorer | _figures(c, classes, evaluable, weights) for n, c in counted.items() if n != answer},
        "baselines": {n: scorer | {"reportable": False} | _figures(c, classes, evaluable, weights) for n, c in blind.items()},
        "baselines_over_seizures": {n: scorer | {"reportable": False} | _figures(c, classes, evaluable, weights) for n, c in leaky.items()},
        "differences": {
            name: scorer | _differences(mine, other, evaluable, weights)
            for name, other in {**{n: c for n, c in counted.items() if n != answer}, **blind}.items()
        },
        "probabilities": scorer | _calibration(own[answer], classes),
        "per_patient": _per_patient(persons, mine, classes),
    }  # fmt: skip


def typing_evidence(
    table: pd.DataFrame, classes: Sequence[str], audit: LeakageAudit | None, cost_s: float | None
) -> TypingEvidence:
    """What the gates read of the same answers (one variant)."""
    persons, counts = confusions(table, classes)
    return TypingEvidence(persons, tuple(classes), counts, audit, cost_s)


def regime_difference(
    first: pd.DataFrame, second: pd.DataFrame, classes: Sequence[str], seed: int, draws: int
) -> Block:
    """What a change of the split is worth where both answer: first minus second (one variant each); ValueError unless of the
    same seizures of the same patients."""
    (persons, ours), (_, theirs) = (confusions(part, classes) for part in answered_by_both(first, second))
    weights = patient_draws(list(persons["site"]), np.random.default_rng(seed), draws)
    evaluable = _patients(ours) >= MIN_PATIENTS
    return {"scorer": _scorer(), "rests_on": _rests_on(ours)} | _differences(ours, theirs, evaluable, weights)


def weighted_f1(weights: np.ndarray, confusion: np.ndarray) -> np.ndarray:
    """Statistic: F1 of the classes weighted by their seizures, as the literature does; classes nobody had are left out.

    Values (patients, classes, classes + 1) as of `answers.confusions`.
    """
    classes = confusion.shape[1]
    had = weights @ confusion.sum(axis=2).astype(float)
    f1 = np.stack([f1_of(i)(weights, confusion) for i in range(classes)], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((np.nan_to_num(f1) * had).sum(axis=1) / had.sum(axis=1))


def accuracy(weights: np.ndarray, confusion: np.ndarray) -> np.ndarray:
    """Statistic: share of all seizures that were called right, values (patients, classes, classes + 1)."""
    right = np.einsum("pcc->p", confusion[:, :, : confusion.shape[1]]).astype(float)
    return np.asarray((weights @ right) / (weights @ confusion.sum(axis=(1, 2)).astype(float)))


def focal_together(confusion: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """The same confusion with the focal types as one class, put first: (persons, fewer classes, fewer classes + 1)."""
    groups = [[i for i, c in enumerate(classes) if c in FOCAL], *([i] for i, c in enumerate(classes) if c not in FOCAL)]
    groups = [g for g in groups if g]
    rows = np.stack([confusion[:, g].sum(axis=1) for g in groups], axis=1)
    said = [rows[:, :, g].sum(axis=2) for g in [*groups, [len(classes)]]]
    return np.stack(said, axis=2)


def _over_seizures(
    table: pd.DataFrame, classes: Sequence[str], folds: Mapping[tuple[str, int], int]
) -> dict[str, np.ndarray]:
    """The baselines under folds over seizures: every other seizure of the same patient is known."""
    keys = zip(table["recording"], table["event"], strict=True)
    dealt = table.assign(fold=[folds[str(recording), int(event)] for recording, event in keys])
    return {name: confusions(part, classes)[1] for name, part in baseline_tables(dealt, classes).items()}


def _figures(confusion: np.ndarray, classes: Sequence[str], evaluable: np.ndarray, weights: np.ndarray) -> Block:
    merged = focal_together(confusion, classes)
    told_apart = _patients(merged) >= MIN_PATIENTS
    return {
        "macro_f1": interval_of(confusion, macro_f1_of(evaluable), weights).to_json(),
        "weighted_f1": interval_of(confusion, weighted_f1, weights).to_json(),
        "accuracy": interval_of(confusion, accuracy, weights).to_json(),
        "macro_f1_focal_together": interval_of(merged, macro_f1_of(told_apart), weights).to_json(),
        "per_class": {c: _of_class(confusion, i, bool(evaluable[i]), weights) for i, c in enumerate(classes)},
        "confusion": confusion.sum(axis=0).tolist(),
    }


def _of_class(confusion: np.ndarray, index: int, evaluable: bool, weights: np.ndarray) -> Block:
    patients = int(_patients(confusion)[index])
    counts = {"patients": patients, "seizures": int(confusion[:, index].sum())}
    if not evaluable:
        return counts | {"not_evaluable": f"{patients} patients had it, {MIN_PATIENTS} are needed"}
    return counts | {"f1": interval_of(confusion, f1_of(index), weights).to_json()}


def _differences(ours: np.ndarray, theirs: np.ndarray, evaluable: np.ndarray, weights: np.ndarray) -> Block:
    statistics: dict[str, Statistic] = {"macro_f1": macro_f1_of(evaluable), "weighted_f1": weighted_f1}
    return {name: interval_of((ours, theirs), difference(s), weights).to_json() for name, s in statistics.items()}


def _patients(confusion: np.ndarray) -> np.ndarray:
    return np.asarray((confusion.sum(axis=2) > 0).sum(axis=0))


def _classes(classes: Sequence[str], confusion: np.ndarray) -> list[Block]:
    patients = _patients(confusion)
    return [
        {
            "type": name,
            "patients": int(patients[i]),
            "seizures": int(confusion[:, i].sum()),
            "evaluable": bool(patients[i] >= MIN_PATIENTS),
        }
        for i, name in enumerate(classes)
    ]


def _counts(table: pd.DataFrame, confusion: np.ndarray) -> Block:
    silent = not_answered(table)
    return {
        "persons": len(confusion),
        "recordings": int(table["recording"].nunique()),
        "seizures": len(table),
        "answered": len(table) - sum(silent.values()),
        "not_answered": silent,
        "sites": sorted({s for own in table["site"] for s in str(own).split("+")}),
        "patients_with_several_types": int(((confusion.sum(axis=2) > 0).sum(axis=1) > 1).sum()),
    }


def _rests_on(confusion: np.ndarray) -> Block:
    seizures, silent = int(confusion.sum()), int(confusion[:, :, -1].sum())
    return {
        "persons": len(confusion),
        "seizures": seizures,
        "coverage": (seizures - silent) / seizures if seizures else None,
    }


def _calibration(table: pd.DataFrame, classes: Sequence[str]) -> Block:
    """Brier score over classes (0 is perfect, 2 the worst), in which silence states every class alike, and how sure it
    was where right and where wrong."""
    stated = table[list(classes)].to_numpy(dtype=float)
    known = np.isfinite(stated).all(axis=1)
    if not known.any():
        return {"not_evaluable": "no seizure was answered"}
    truth = np.array([[t == c for c in classes] for t in table["truth"]], dtype=float)
    errors = ((np.where(known[:, None], stated, 1 / len(classes)) - truth) ** 2).sum(axis=1)
    stated, truth = stated[known], truth[known]
    right = stated.argmax(axis=1) == truth.argmax(axis=1)
    top = stated.max(axis=1)
    return {
        "brier": float(errors.mean()),
        "sure_where_right": float(top[right].mean()) if right.any() else None,
        "sure_where_wrong": float(top[~right].mean()) if (~right).any() else None,
    }


def _per_patient(persons: pd.DataFrame, confusion: np.ndarray, classes: Sequence[str]) -> list[Block]:
    return [
        {
            "person": str(person),
            "site": str(site),
            "types": {c: int(n) for c, n in zip(classes, own.sum(axis=1), strict=True) if n},
            "right": int(np.einsum("cc->", own[:, : len(classes)])),
            "seizures": int(own.sum()),
        }
        for person, site, own in zip(persons.index, persons["site"], confusion, strict=True)
    ]


def _scorer() -> Block:
    policy = {
        "unit": "seizure",
        "min_patients_per_class": MIN_PATIENTS,
        "no_answer": "counts as wrong; in the Brier score as stating every class alike",
        "focal": list(FOCAL),
    }
    return Scorer("seizure_typing", "2", code_digest([__file__]), policy).to_json()
