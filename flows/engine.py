"""How flows run: a stage as a Prefect task, Prefect with or without a server, and what each step writes in the ledger."""

# ruff: noqa: E402
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from contextvars import ContextVar
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from flows.workspace import MARKER, QUIET, home

# Prefect reads its settings when it is imported, and makes its folder at once: so they have to be there before, and
# every flow takes Prefect from here. Where there is no workspace yet, nothing may be made in its place.
_HOME = home() / "prefect" if (home() / MARKER).exists() else Path(tempfile.gettempdir()) / f"ictal-{os.getuid()}"
for _name, _value in {**QUIET, "PREFECT_HOME": str(_HOME)}.items():
    os.environ.setdefault(_name, _value)

from prefect import Flow, task
from prefect import flow as prefect_flow
from prefect.cache_policies import NO_CACHE
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.task_runners import ThreadPoolTaskRunner

from flows import warm
from flows.observing import observed
from flows.progress import Show, following, on_terminal, silently
from flows.workspace import CommandFailed, dvc, open_workspace
from lineage.refused import Refused

__all__ = ["NO_CACHE", "flow", "run_flow", "run_stage", "run_stages", "show_with", "shown", "task"]


P = ParamSpec("P")
R = TypeVar("R")

LANES = 3
"""DVC commands at a time: one more than the two cores that the demo is measured on, as a short stage is largely start-up."""

REFUSED = "ictal: "
"""How the command line begins the sentence of a refusal (flows/cli.py)."""


def run_flow(flow: Flow[..., Any], **arguments: Any) -> Any:
    """Run a flow from the command line. Without a server the heartbeat is off: it would add a second to every flow."""
    server = os.environ.get("PREFECT_API_URL")
    with (
        nullcontext() if server else temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}),
        nullcontext(shown()) if shown() is not silently else on_terminal() as show,
    ):
        before = _shown.set(show)
        try:
            return flow(**arguments)
        finally:
            _shown.reset(before)


def _locked(task_: Any, run: Any, state: Any) -> bool:
    """Retry only where another dvc command held the lock; a stage that failed will fail again."""
    try:
        state.result()
    except CommandFailed as error:
        return "lock" in str(error).lower()
    except Exception:
        return False
    return False


@task(
    cache_policy=NO_CACHE,
    retries=3,
    retry_delay_seconds=[1, 2, 4],
    retry_condition_fn=_locked,
    task_run_name="dvc:{stages}",
)
def run_lane(home: str, stages: Sequence[str]) -> list[str]:
    """`dvc repro --single-item STAGE …` in a workspace, one after another: DVC decides whether anything changed."""
    workspace = open_workspace(Path(home))
    with following(workspace.root / "log" / f"{stages[0].replace('@', '-')}.progress", shown()) as extra:
        try:
            said = dvc(workspace, "repro", "--single-item", *stages, extra=extra | warm.place())
        except CommandFailed as failed:
            refused = [line for line in str(failed).splitlines() if line.startswith(REFUSED)]
            if refused:
                raise Refused(refused[-1].removeprefix(REFUSED)) from failed
            raise
    return ["ran" if f"Running stage '{stage}'" in said else "skipped" for stage in stages]


def run_stage(home: str, stage: str) -> str:
    """One stage; says whether it ran."""
    return run_lane(home, [stage])[0]


def run_stages(home: str, stages: Sequence[str]) -> list[str]:
    """Stages that do not need each other, dealt to `LANES`.

    Inside a flow only. Returns of each whether it ran, in the order asked; raises what the first lane raised.
    """
    lanes = [list(stages[lane::LANES]) for lane in range(min(LANES, len(stages)))]
    begun = [run_lane.submit(home, lane) for lane in lanes]
    how = [one.result() for one in begun]
    return [how[place % LANES][place // LANES] for place in range(len(stages))]


def flow(*, name: str) -> Callable[[Callable[P, R]], Flow[P, R]]:
    """A Prefect flow whose tasks run on `LANES` threads, and of whose every run OpenLineage events tell."""
    lanes: Any = ThreadPoolTaskRunner(max_workers=LANES)
    made = prefect_flow(name=name, task_runner=lanes)
    return lambda body: made(observed(name, body))


_shown: ContextVar[Show] = ContextVar("shown", default=silently)


def show_with(show: Show | Callable[[str, int, int], None]) -> None:
    """Where this thread, and what it starts, shows the progress of the stages that it runs."""
    _shown.set(show)


def shown() -> Show:
    """Where progress is shown here."""
    return _shown.get()
