"""What is asked about stretches of recordings, task by task: how answers are scored, gated, shown and put in a card.

Each module gives the same functions: `score`, `headline`, `evidence`, `inflation`, `dossier`, `page`, `card_lines`.
"""

from types import ModuleType

from flows.stages.questions import forecasts, spasms, types

QUESTIONS: dict[str, ModuleType] = {
    "typing": types,
    "semiology": types,
    "spasms": spasms,
    "forecasting": forecasts,
}
"""The home of each task's answers."""
