"""The simulate stage: the simulated cohort of a task in BIDS layout: newborns, adults, infants, seizures on film."""

from flows.progress import reporter
from flows.taking_out import keep_out
from flows.workspace import TASKS, Workspace


def run(workspace: Workspace) -> None:
    """Write `data/raw/simulated`, or the cohort that the detectors of another task look at."""
    show = reporter()

    def progress(done: int, total: int) -> None:
        show("recordings simulated", done, total)

    params, target = workspace.params, workspace.raw / TASKS[workspace.task].simulated
    if workspace.task == "typing":
        from data.cohorts.synthetic_adults import AdultSettings, simulate_adults

        simulate_adults(target, AdultSettings(**params.adults.model_dump()), progress)
    elif workspace.task == "spasms":
        from data.cohorts.synthetic_infants import InfantSettings, simulate_infants

        simulate_infants(target, InfantSettings(**params.infants.model_dump()), progress)
    elif workspace.task == "semiology":
        from data.cohorts.synthetic_semiology import SemiologySettings, simulate_semiology

        simulate_semiology(target, SemiologySettings(**params.films.model_dump()), progress)
    elif workspace.task == "forecasting":
        from data.cohorts.synthetic_forecasting import ForecastSettings, simulate_forecasting

        simulate_forecasting(target, ForecastSettings(**params.forecasts.model_dump()), progress)
    else:
        from data.cohorts.synthetic import SimulationSettings, simulate_cohort

        simulate_cohort(target, SimulationSettings(**params.simulation.model_dump()), progress)
    keep_out(workspace, target)
