"""How well the types of seizures are told apart: per patient, beside what knows the answer without any EEG.

`answers` (one row per seizure and variant), `figures` (every figure with its interval and scorer), `baselines`, `page`
and `card`. May import `data` and `lineage`.
"""

from validation.seizure_typing.answers import Answer, confusions, read_answers, table_of, write_answers
from validation.seizure_typing.card import typing_card
from validation.seizure_typing.figures import evaluate_typing, typing_evidence
from validation.seizure_typing.page import TypingDossier, typing_page

__all__ = [
    "Answer", "TypingDossier", "confusions", "evaluate_typing", "read_answers", "table_of", "typing_card",
    "typing_evidence", "typing_page", "write_answers",
]  # fmt: skip
