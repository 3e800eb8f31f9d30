"""Of which type is a seizure, in EEG or on film?"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from flows.stages.questions.asked import Asked, Shown
from models.typing import ANSWER
from validation.gates.seizure_types import TypingEvidence
from validation.leakage import LeakageAudit
from validation.seizure_typing import TypingDossier, evaluate_typing, typing_card, typing_evidence, typing_page
from validation.seizure_typing.figures import regime_difference
from validation.semiology import views_block


def score(asked: Asked) -> dict[str, Any]:
    """Every figure of the answers; of films also by usable views, and of external recordings where there are any."""
    classes, task = asked.detector.classes, asked.detector.task
    result = evaluate_typing(
        asked.table, classes, asked.meta, asked.seed, asked.draws, answer=ANSWER, over_seizures=asked.dealt
    )
    if task == "semiology":
        result["views"] = views_block(asked.table, classes, ANSWER, asked.seed, asked.draws)
    if asked.external is not None:
        result["external"] = evaluate_typing(
            asked.external, classes, {**asked.meta, "period": "external"}, asked.seed, asked.draws, answer=ANSWER
        )
    return result


def headline(result: Mapping[str, Any]) -> dict[str, Any]:
    """Macro F1 with its interval, and weighted F1 beside always saying the commonest type or looking up the patient."""
    answer, baselines = result["answer"], result["baselines"]
    return {
        "macro_f1": answer["macro_f1"]["estimate"],
        "macro_f1_low": answer["macro_f1"]["low"],
        "macro_f1_high": answer["macro_f1"]["high"],
        "weighted_f1": answer["weighted_f1"]["estimate"],
        "weighted_f1_majority": baselines["majority"]["weighted_f1"]["estimate"],
        "weighted_f1_id_lookup": baselines["id_lookup"]["weighted_f1"]["estimate"],
        "weighted_f1_id_lookup_over_seizures": result["baselines_over_seizures"]["id_lookup"]["weighted_f1"][
            "estimate"
        ],
        "evaluable_types": sum(row["evaluable"] for row in result["classes"]),
        "seizures": result["counts"]["seizures"],
        "answered": result["counts"]["answered"],
        "patients": result["counts"]["persons"],
    }


def evidence(table: pd.DataFrame, result: Mapping[str, Any], audit: LeakageAudit) -> TypingEvidence:
    """What the gates read: who was named what, and the cost in seconds per hour."""
    return typing_evidence(table, _classes(result), audit, result["of"]["s_per_eeg_hour"])


def inflation(
    leaky: pd.DataFrame, honest: pd.DataFrame, result: Mapping[str, Any], truths: Any, seed: int, draws: int
) -> dict[str, Any]:
    """By how much the leaky split flatters on the same seizures, with intervals; the truths are not needed."""
    return regime_difference(leaky, honest, _classes(result), seed, draws)


def _dossier(shown: Shown) -> TypingDossier:
    return TypingDossier(**shown.common(), task=shown.task)


def page(shown: Shown) -> str:
    """The detector's page: figures, confusions, what the leaky split is worth, gates."""
    return typing_page(_dossier(shown))


def card(static: str, shown: Shown) -> str:
    """The hand-written card with the figures under patients apart, what the leaky split is worth, and the gates."""
    return typing_card(static, _dossier(shown))


def _classes(result: Mapping[str, Any]) -> list[str]:
    return [row["type"] for row in result["classes"]]
