"""The simulate stage: the simulated cohort of a task in BIDS layout, newborns or adults."""

from data.cohorts.synthetic import SimulationSettings, simulate_cohort
from data.cohorts.synthetic_adults import AdultSettings, simulate_adults
from flows.progress import reporter
from flows.workspace import SIMULATED, Workspace


def run(workspace: Workspace) -> None:
    """Write `data/raw/simulated`, or `data/raw/simulated-adults` for detectors that name types."""
    show = reporter()

    def progress(done: int, total: int) -> None:
        show("recordings simulated", done, total)

    if workspace.task == "typing":
        adults = AdultSettings(**workspace.params.adults.model_dump())
        simulate_adults(workspace.raw / SIMULATED["typing"], adults, progress)
    else:
        newborns = SimulationSettings(**workspace.params.simulation.model_dump())
        simulate_cohort(workspace.raw / SIMULATED["detection"], newborns, progress)
