"""Which clips of a pose track are spasms?"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from data.events import Annotations
from flows.stages.questions.asked import Asked, Shown
from models.typing import ANSWER
from validation.cards import stretch_card
from validation.gates.seizure_types import TypingEvidence
from validation.leakage import LeakageAudit
from validation.seizure_typing import typing_evidence
from validation.spasms import SpasmDossier, evaluate_spasms, regime_difference, spasm_page
from validation.spasms.page import said

CLASSES = ("other", "spasm")


def score(asked: Asked) -> dict[str, Any]:
    """Every figure of the answers by clips, spasms and hours, and those of external recordings where there are any."""
    return evaluate_spasms(
        asked.table,
        asked.truths,
        asked.meta,
        asked.seed,
        asked.draws,
        clip_s=asked.detector.window_s,
        answer=ANSWER,
        over_clips=asked.dealt,
        external=asked.external,
    )


def headline(result: Mapping[str, Any]) -> dict[str, Any]:
    """F1 of clips with its interval, spasms found and what they cost, beside F1 of looking up the patient."""
    answer, looked_up = result["answer"], result["baselines_over_clips"]["id_lookup"]
    figures = {name: answer[name]["estimate"] for name in ("f1", "auroc", "spasms_found", "false_alarms_per_hour")}
    return figures | {
        "f1_low": answer["f1"]["low"],
        "f1_high": answer["f1"]["high"],
        "f1_id_lookup_over_clips": looked_up["f1"]["estimate"],
        "patients": result["counts"]["persons"],
        "patients_with_spasms": result["counts"]["persons_with_spasms"],
    }


def evidence(table: pd.DataFrame, result: Mapping[str, Any], audit: LeakageAudit) -> TypingEvidence:
    """Clips as they are called, by the gates of types: F1 of spasms and of all else, patient by patient."""
    return typing_evidence(table, list(CLASSES), audit, result["of"]["s_per_eeg_hour"])


def inflation(
    leaky: pd.DataFrame,
    honest: pd.DataFrame,
    result: Mapping[str, Any],
    truths: Mapping[str, Annotations],
    seed: int,
    draws: int,
) -> dict[str, Any]:
    """By how much the leaky split flatters on the same clips and spasms, with intervals."""
    return regime_difference(leaky, honest, truths, seed, draws, clip_s=result["of"]["clip_s"])


def page(shown: Shown) -> str:
    """The detector's page, with what is worse without each of its parts where that study was made."""
    taken_away = shown.studies.get("ablation", {})
    return spasm_page(
        SpasmDossier(**shown.common(), ablation=taken_away.get("result", {}), meanings=taken_away.get("meanings", {}))
    )


def card(static: str, shown: Shown) -> str:
    """The hand-written card with the figures under patients apart, and the gates."""
    main = shown.results[shown.name]["patient"]
    return stretch_card(static, (said(main),), main, shown.gates, shown.provenance, shown.simulated)
