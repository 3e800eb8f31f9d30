"""How well seizures are foreseen, and what the warnings cost: per patient, beside what knows nothing of the film.

`warnings` (what a site would have been told), `figures` (every figure with its interval and scorer), `tasks` and `fewshot`,
`composition` (what was learnt beforehand, and controls), `page` and `charts`. May import `data` and `lineage`.
"""

from validation.forecasting.composition import controls, table_of_compositions
from validation.forecasting.fewshot import few_shot_figures
from validation.forecasting.figures import evaluate_forecasting, forecast_evidence
from validation.forecasting.page import ForecastDossier, forecast_page
from validation.forecasting.tasks import Task, draw_tasks
from validation.forecasting.warnings import WarningRule

__all__ = [
    "ForecastDossier", "Task", "WarningRule", "controls", "draw_tasks", "evaluate_forecasting", "few_shot_figures",
    "forecast_evidence", "forecast_page", "table_of_compositions",
]  # fmt: skip
