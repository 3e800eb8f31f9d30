"""What is asked about stretches of recordings, task by task: how answers are scored, gated, shown and put in a card.

Each module gives the same functions: `score`, `headline`, `evidence`, `inflation`, `page`, `card`.
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
