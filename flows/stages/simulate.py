"""The simulate stage: the simulated cohort in BIDS layout."""

from data.cohorts.synthetic import SimulationSettings, simulate_cohort
from flows.progress import reporter
from flows.workspace import Workspace


def run(workspace: Workspace) -> None:
    """Write `data/raw/simulated`."""
    settings = SimulationSettings(**workspace.params.simulation.model_dump())
    show = reporter()

    def progress(done: int, total: int) -> None:
        show("recordings simulated", done, total)

    simulate_cohort(workspace.raw / "simulated", settings, progress)
