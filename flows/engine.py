"""How flows run: a stage as a Prefect task, Prefect with or without a server, and what each step writes in the ledger."""

# ruff: noqa: E402
import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
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
from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.task_runners import ThreadPoolTaskRunner

from flows import cluster, temporary_server, warm
from flows.observing import observed
from flows.parallel import SHARE, workers
from flows.progress import following, on_terminal, shown
from flows.workspace import CommandFailed, dvc, open_workspace
from lineage.refused import Refused

__all__ = ["NO_CACHE", "flow", "refusals_of", "run_flow", "run_stage", "run_stages", "task"]


P = ParamSpec("P")
R = TypeVar("R")

LANES = 3
"""DVC commands at a time: one more than the two cores that the demo is measured on, as a short stage is largely start-up."""

NO_HEARTBEAT: dict[Any, Any] = {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}

REFUSED = "ictal: "
"""How the command line begins the sentence of a refusal (flows/cli.py)."""


def run_flow(flow: Flow[..., Any], **arguments: Any) -> Any:
    """Run a flow from the command line. With a temporary server the heartbeat is off: it would add a second to each."""
    with on_terminal() as show:
        show(f"{flow.name}: Prefect is started", 0, 0)
        own = {} if PREFECT_API_URL.value() else {PREFECT_API_URL: temporary_server.url(), **NO_HEARTBEAT}
        with temporary_settings(own):
            return flow(**arguments)


LOCKED = re.compile(r"^ERROR: .*(Unable to acquire lock\.|is busy, it is being blocked by:)", re.MULTILINE)
"""How DVC says that another of its commands holds the workspace (`dvc.lock`), or what a stage reads and writes
(`dvc.rwlock`)."""


def _locked(task_: Any, run: Any, state: Any) -> bool:
    """Retry only where another dvc command held the lock; a stage that failed will fail again."""
    try:
        state.result()
    except CommandFailed as error:
        return bool(LOCKED.search(str(error)))
    except Exception:
        return False
    return False


@task(
    cache_policy=NO_CACHE,
    retries=3,
    retry_delay_seconds=[1, 2, 4],
    retry_condition_fn=_locked,
    task_run_name="dvc:{stage}",
)
def run_stage(home: str, stage: str, beside: int = 1) -> str:
    """`dvc repro --single-item STAGE` in a workspace: DVC decides whether anything changed. Says whether it ran.

    One of `beside` that run at a time: it gets its share of the workers, since six on two cores only evict each other.

    What the stage refused is Refused here, with its sentence; CommandFailed where it ended in any other way. Where DVC
    is locked by another command, it is tried three times more.
    """
    workspace = open_workspace(Path(home))
    shown()(f"{stage}: has anything changed?", 0, 0)
    with following(workspace.root / "log" / f"{stage.replace('@', '-')}.progress", shown()) as extra:
        try:
            elsewhere = cluster.place() if cluster.on_worker() else {}
            share = {SHARE: str(max(1, workers() // beside))}
            said = dvc(workspace, "repro", "--single-item", stage, extra=extra | warm.place() | elsewhere | share)
        except CommandFailed as failed:
            refused = [line for line in str(failed).splitlines() if line.startswith(REFUSED)]
            if refused:
                raise Refused(refused[-1].removeprefix(REFUSED)) from failed
            raise
    return "ran" if f"Running stage '{stage}'" in said else "skipped"


def run_stages(home: str, stages: Sequence[str], after: Mapping[str, Sequence[str]] | None = None) -> list[str]:
    """Stages on `LANES` threads, begun in this order; `after` says of a stage which earlier ones it needs.

    Inside a flow only. Returns of each `ran` or `skipped`, in the order asked; raises what the first one raised that
    failed.
    """
    begun: dict[str, Any] = {}
    for stage in stages:
        needed = [begun[one] for one in (after or {}).get(stage, ())]
        begun[stage] = run_stage.submit(home, stage, min(LANES, len(stages)), wait_for=needed, return_state=False)
    return [begun[stage].result() for stage in stages]


def refusals_of(home: str, stages: Sequence[str]) -> dict[str, Refused]:
    """Run stages of which none needs another, all to their end, on `LANES` threads; what each said that refused, by stage.

    Inside a flow only. Raises what else went wrong with one of them.
    """
    begun = {stage: run_stage.submit(home, stage, min(LANES, len(stages)), return_state=False) for stage in stages}
    refused = {}
    for stage, running in begun.items():
        try:
            running.result()
        except Refused as why:
            refused[stage] = why
    return refused


def flow(*, name: str) -> Callable[[Callable[P, R]], Flow[P, R]]:
    """A Prefect flow whose tasks run on `LANES` threads, and of whose every run OpenLineage events tell."""
    lanes: Any = ThreadPoolTaskRunner(max_workers=LANES)
    made = prefect_flow(name=name, task_runner=lanes)
    return lambda body: made(observed(name, body))
