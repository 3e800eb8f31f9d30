"""The simulate stage: the simulated cohort in BIDS layout."""

from data.cohorts.synthetic import SimulationSettings, simulate_cohort
from flows.progress import reporter
from flows.workspace import Workspace


def run(workspace: Workspace) -> None:
    """Write `data/raw/simulated`."""
    settings = SimulationSettings(**workspace.params.simulation.model_dump())
    simulate_cohort(workspace.raw / "simulated", settings, reporter())
