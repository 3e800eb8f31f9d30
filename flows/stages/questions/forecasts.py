"""Will a seizure begin?"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from flows.stages.questions.asked import Asked, Shown
from models.typing import ANSWER
from validation.cards import stretch_card
from validation.forecasting import (
    ForecastDossier,
    WarningRule,
    evaluate_forecasting,
    forecast_evidence,
    forecast_page,
)
from validation.forecasting.figures import regime_difference
from validation.forecasting.page import said
from validation.gates.forecasting import ForecastEvidence
from validation.leakage import LeakageAudit


def score(asked: Asked) -> dict[str, Any]:
    """Every figure of the answers under the rule that each clip stands for the detector's `hop_s`."""
    return evaluate_forecasting(
        asked.table,
        asked.detector.classes,
        asked.meta,
        asked.seed,
        asked.draws,
        answer=ANSWER,
        rule=WarningRule(asked.detector.hop_s),
        over_stretches=asked.dealt,
    )


def headline(result: Mapping[str, Any]) -> dict[str, Any]:
    """Balanced accuracy with its interval and what warnings cost, beside as many warnings by the clock, and by the film's length."""
    answer, baselines = result["answer"], result["baselines"]
    names = ("balanced_accuracy", "roc_auc", "brier", "false_warnings_per_h", "time_in_warning")
    return {name: answer[name]["estimate"] for name in names} | {
        "balanced_accuracy_low": answer["balanced_accuracy"]["low"],
        "balanced_accuracy_high": answer["balanced_accuracy"]["high"],
        "balanced_accuracy_clock": baselines["clock"]["balanced_accuracy"]["estimate"],
        "balanced_accuracy_elapsed": baselines["elapsed"]["balanced_accuracy"]["estimate"],
        "patients": result["counts"]["persons"],
        "patients_ahead": result["counts"]["persons_ahead"],
    }


def evidence(table: pd.DataFrame, result: Mapping[str, Any], audit: LeakageAudit) -> ForecastEvidence:
    """What the gates read, under the warning rule that the result was made with."""
    return forecast_evidence(table, WarningRule(**result["rule"]), audit, result["of"]["s_per_eeg_hour"])


def inflation(
    leaky: pd.DataFrame, honest: pd.DataFrame, result: Mapping[str, Any], truths: Any, seed: int, draws: int
) -> dict[str, Any]:
    """By how much the leaky split flatters on the same clips, with intervals; the truths are not needed."""
    return regime_difference(leaky, honest, WarningRule(**result["rule"]), seed, draws)


def page(shown: Shown) -> str:
    """The detector's page, studies that were made by command included."""
    return forecast_page(ForecastDossier(**shown.common(), **shown.studies))


def card(static: str, shown: Shown) -> str:
    """The hand-written card with the figures under patients apart, and the gates."""
    main = shown.results[shown.name]["patient"]
    return stretch_card(static, said(main), main, shown.gates, shown.provenance, shown.simulated)
