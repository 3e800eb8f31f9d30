"""The figures of one forecaster: how much it foresees, what its warnings cost, and what is scored without any film.

The clip is what is judged, the patient is what varies. A clip without an answer counts as wrong; balanced accuracy,
warnings per hour and time in warning stand together, because who always warns foresees everything. In the ROC a pair with
an unanswered clip counts half, in the Brier score an unanswered clip is the statement 0.5: silence is no skill.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from validation.forecasting.warnings import Asked, WarningRule, per_person
from validation.gates.forecasting import ForecastEvidence, balanced_accuracy
from validation.leakage import LeakageAudit
from validation.scoring.scorer import Scorer, code_digest
from validation.seizure_typing.answers import answered_by_both, answers_digests, not_answered
from validation.seizure_typing.baselines import baseline_tables
from validation.uncertainty import (
    MIN_DRAWS,
    PairWins,
    difference,
    interval_of,
    mean_over_patients,
    patient_draws,
    pooled_auc,
    ratio_of_sums,
)

AHEAD = "preictal"
NO_ANSWER = "counts as wrong; half in the ROC; in the Brier score as the statement 0.5"
SAME_TIME_S = 2.5
"""Clips whose times in their films differ by no more are at the same time."""
THRESHOLDS = tuple(round(0.05 * n, 2) for n in range(1, 20))
BLIND = {
    "always_interictal": "never a warning",
    "id_lookup": "the same patient's usual answer",
    "label_oracle": "answer of the nearest known clip",
    "clock": "as many warnings, at regular times",
    "elapsed": "how far the film has come",
}
"""What each baseline looks at instead of the film."""

Block = dict[str, Any]


def evaluate_forecasting(
    table: pd.DataFrame,
    classes: Sequence[str],
    meta: Mapping[str, Any],
    seed: int,
    draws: int = MIN_DRAWS,
    *,
    answer: str,
    rule: WarningRule,
    over_stretches: Mapping[tuple[str, int], int] | None = None,
) -> Block:
    """Everything a report says about one set of answers, as plain JSON.

    `table`: of `validation.seizure_typing.answers.table_of`; the variant named `answer` is the detector's own.
    `over_stretches` says which fold tests a (recording, clip) where clips are dealt out: what the baselines, which need
    no training, reach there stands beside as well. ValueError for other classes than interictal and preictal.
    """
    if tuple(classes) != ("interictal", AHEAD):
        raise ValueError(f"a forecast tells interictal from preictal, got {', '.join(classes)}")
    variants = {str(name): part.reset_index(drop=True) for name, part in table.groupby("variant", sort=False)}
    own = variants.pop(answer)
    said = own[AHEAD].to_numpy(dtype=float)
    mine = per_person(own, said, rule)
    weights = patient_draws(list(mine["site"]), np.random.default_rng(seed), draws)
    scorer = {"scorer": _scorer(rule), "rests_on": _rests_on(mine)}

    def of(part: pd.DataFrame, probability: np.ndarray) -> Block:
        return scorer | figures_of(part, probability, rule, weights)

    blind = blind_answers(own, rule)
    leaky = blind_answers(_dealt(own, over_stretches), rule) if over_stretches else {}
    return {
        "schema": "ictal.forecast/2",
        "of": dict(meta),
        "digests": answers_digests(table),
        "uncertainty": {"unit": "patient", "strata": "site", "draws": draws, "seed": seed, "level": 0.95},
        "rule": rule.to_json(),
        "counts": _counts(own, mine),
        "answer": of(own, said),
        "variants": {name: of(part, part[AHEAD].to_numpy(dtype=float)) for name, part in variants.items()},
        "baselines": {name: {"reportable": False} | of(own, p) for name, p in blind.items()},
        "baselines_over_stretches": {name: {"reportable": False} | of(own, p) for name, p in leaky.items()},
        "differences": {
            name: scorer | difference_of(own, said, other, rule, weights)
            for name, other in {**{n: p[AHEAD].to_numpy(dtype=float) for n, p in variants.items()}, **blind}.items()
        },
        "operating_curve": scorer | {"points": operating_curve(own, said, rule)},
        "per_patient": _per_patient(mine),
    }  # fmt: skip


def figures_of(table: pd.DataFrame, probability: np.ndarray, rule: WarningRule, weights: np.ndarray) -> Block:
    """Every figure of one set of probabilities, with intervals over patients.

    `probability` (rows of the table,) of `preictal`, NaN where nothing was said; `weights` (draws, persons) as of
    `patient_draws`, persons in order of their keys.
    """
    counted = per_person(table, probability, rule)
    pairs, own_auc = _ranking(table, probability, list(counted.index))
    statistics: dict[str, tuple[Any, Any]] = {
        "balanced_accuracy": (_answers(counted), balanced_accuracy),
        "foreseen": (_columns(counted, "foreseen", "ahead"), ratio_of_sums),
        "rightly_silent": (_columns(counted, "silent", "quiet"), ratio_of_sums),
        "roc_auc": (pairs, pooled_auc),
        "roc_auc_per_patient": (own_auc, mean_over_patients),
        "brier": (ForecastEvidence(counted).errors, ratio_of_sums),
        "false_warnings_per_h": (_columns(counted, "false_warnings", "answered_s") / [1, 3600], ratio_of_sums),
        "warnings_per_h": (_columns(counted, "warnings", "answered_s") / [1, 3600], ratio_of_sums),
        "time_in_warning": (_columns(counted, "warning_s", "answered_s"), ratio_of_sums),
    }
    return {name: interval_of(values, statistic, weights).to_json() for name, (values, statistic) in statistics.items()}


def difference_of(
    table: pd.DataFrame, ours: np.ndarray, theirs: np.ndarray, rule: WarningRule, weights: np.ndarray
) -> Block:
    """Balanced accuracy, the first minus the second, on the same clips of the same patients in every draw.

    `ours` and `theirs` (rows of the table,), as the probability in `figures_of`.
    """
    pair = tuple(_answers(per_person(table, said, rule)) for said in (ours, theirs))
    return {"balanced_accuracy": interval_of(pair, difference(balanced_accuracy), weights).to_json()}


def forecast_evidence(
    table: pd.DataFrame, rule: WarningRule, audit: LeakageAudit | None, cost_s: float | None
) -> ForecastEvidence:
    """What the gates read of the same answers (one variant), and of all that looks at no film."""
    table = table.reset_index(drop=True)
    asked = Asked.of(table)
    blind = {BLIND[name]: _answers(asked.counted(said, rule)) for name, said in blind_answers(table, rule).items()}
    return ForecastEvidence(asked.counted(table[AHEAD].to_numpy(dtype=float), rule), audit, cost_s, blind=blind)


def regime_difference(
    first: pd.DataFrame, second: pd.DataFrame, rule: WarningRule, seed: int, draws: int = MIN_DRAWS
) -> Block:
    """What a change of the split is worth where both answer: first minus second (one variant each); ValueError unless of the
    same clips of the same patients."""
    ours, theirs = answered_by_both(first, second)
    counted = per_person(ours, ours[AHEAD].to_numpy(dtype=float), rule)
    weights = patient_draws(list(counted["site"]), np.random.default_rng(seed), draws)
    first_said, second_said = (part[AHEAD].to_numpy(dtype=float) for part in (ours, theirs))
    return {"scorer": _scorer(rule), "rests_on": _rests_on(counted)} | difference_of(
        ours, first_said, second_said, rule, weights
    )


def operating_curve(table: pd.DataFrame, probability: np.ndarray, rule: WarningRule) -> list[Block]:
    """What is foreseen and what it costs, from the most to the least willing to warn; all patients together.

    `probability` (rows of the table,) as in `figures_of`; a share of nothing is None.
    """
    points, asked = [], Asked.of(table)
    for threshold in THRESHOLDS:
        total = asked.counted(probability, replace(rule, threshold=threshold)).sum(numeric_only=True)
        foreseen, silent = (_share(total[a], total[b]) for a, b in (("foreseen", "ahead"), ("silent", "quiet")))
        points.append(
            {
                "threshold": threshold,
                "foreseen": foreseen,
                "balanced_accuracy": None if foreseen is None or silent is None else (foreseen + silent) / 2,
                "false_warnings_per_h": _share(3600 * total["false_warnings"], total["answered_s"]),
                "time_in_warning": _share(total["warning_s"], total["answered_s"]),
            }
        )
    return points


def blind_answers(table: pd.DataFrame, rule: WarningRule) -> dict[str, np.ndarray]:
    """Probability of `preictal` (rows,) that each of `BLIND` states of the clips of one variant.

    The clock is told how often the detector warned, and nothing else. Films begin before seizures, and what is called
    interictal lies far from them, so that the time since a film began may tell the classes apart: `elapsed` says how much.
    """
    known = baseline_tables(table, ("interictal", AHEAD))
    said = table[AHEAD].to_numpy(dtype=float)
    return {
        "always_interictal": np.zeros(len(table)),
        "id_lookup": known["id_lookup"][AHEAD].to_numpy(dtype=float),
        "label_oracle": known["label_oracle"][AHEAD].to_numpy(dtype=float),
        "clock": clock(table, int((said >= rule.threshold).sum())),
        "elapsed": elapsed(table),
    }


def clock(table: pd.DataFrame, warns: int) -> np.ndarray:
    """1 at `warns` clips spread evenly over all films one after another, 0 at the others (rows,)."""
    order = np.lexsort((table["onset_s"], table["recording"]))
    said = np.zeros(len(table))
    said[order[((np.arange(warns) + 0.5) * len(table) / max(warns, 1)).astype(int)]] = 1.0
    return said


def elapsed(table: pd.DataFrame) -> np.ndarray:
    """Share of preictal clips at the same time of known films (within `SAME_TIME_S`), with what is usual at ½ (rows,).

    Known are films of other folds; 0 where none of them has a clip at that time.
    """
    fold, at_s = table["fold"].to_numpy(), table["onset_s"].to_numpy(dtype=float)
    ahead = (table["truth"] == AHEAD).to_numpy()
    said = np.zeros(len(table))
    for number in np.unique(fold):
        known, asked = fold != number, fold == number
        near = (np.abs(at_s[asked][:, None] - at_s[known][None]) <= SAME_TIME_S).astype(float)
        share = (near @ ahead[known]) / np.maximum(near.sum(axis=1), 1)
        usual = ahead[known].mean() if known.any() else 0.0
        there, not_there = share * (1 - usual), (1 - share) * usual
        said[asked] = np.divide(there, there + not_there, out=np.zeros_like(share), where=there > 0)
    return said


def _dealt(table: pd.DataFrame, folds: Mapping[tuple[str, int], int]) -> pd.DataFrame:
    keys = zip(table["recording"], table["event"], strict=True)
    return table.assign(fold=[folds[str(recording), int(event)] for recording, event in keys])


def _ranking(table: pd.DataFrame, probability: np.ndarray, persons: list[str]) -> tuple[PairWins, np.ndarray]:
    """The ROC taken apart by patients, and the area of each patient alone (NaN where one class is missing)."""
    ahead, who = (table["truth"] == AHEAD).to_numpy(), table["person"].to_numpy(dtype=str)
    own = [ahead[who == p] for p in persons]
    pairs = PairWins.of_all(own, [probability[who == p] for p in persons])
    with np.errstate(divide="ignore", invalid="ignore"):
        return pairs, np.diag(pairs.wins) / (pairs.positives * pairs.negatives)


def _answers(counted: pd.DataFrame) -> np.ndarray:
    return _columns(counted, "foreseen", "ahead", "silent", "quiet")


def _columns(counted: pd.DataFrame, *names: str) -> np.ndarray:
    return counted[list(names)].to_numpy(dtype=float)


def _share(part: float, whole: float) -> float | None:
    return float(part / whole) if whole else None


def _counts(table: pd.DataFrame, counted: pd.DataFrame) -> Block:
    return {
        "persons": len(counted),
        "persons_ahead": int((counted["ahead"] > 0).sum()),
        "recordings": int(table["recording"].nunique()),
        "clips": len(table),
        "preictal": int(counted["ahead"].sum()),
        "interictal": int(counted["quiet"].sum()),
        "answered": int(counted["judged"].sum()),
        "not_answered": not_answered(table),
        "hours": float(counted["observed_s"].sum() / 3600),
        "answered_hours": float(counted["answered_s"].sum() / 3600),
        "sites": sorted({s for own in table["site"] for s in str(own).split("+")}),
    }


def _rests_on(counted: pd.DataFrame) -> Block:
    asked = int(counted["ahead"].sum() + counted["quiet"].sum())
    return {"persons": len(counted), "clips": asked, "coverage": _share(counted["judged"].sum(), asked)}


def _per_patient(counted: pd.DataFrame) -> list[Block]:
    return [
        {"person": str(person), **{str(k): v if isinstance(v, str) else float(v) for k, v in row.items()}}
        for person, row in zip(counted.index, counted.to_dict("records"), strict=True)
    ]


def _scorer(rule: WarningRule) -> Block:
    policy = {"unit": "clip", "no_answer": NO_ANSWER, "warnings": rule.to_json(), "per_hour": "answered film"}
    return Scorer("forecasting", "2", code_digest([__file__]), policy).to_json()
