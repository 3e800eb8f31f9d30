"""What runs by itself: checks each night, drift each week, retraining each month and after drift, on a Prefect server.

    prefect server start --host 127.0.0.1
    ictal schedule register                # or `python -m flows.deployments`: for ICTAL_HOME
    prefect worker start --pool ictal

Runs of one workspace share a queue that lets one of them run at a time; what waits for signatures has none, as it only
looks. Entrypoints are module paths: a file entrypoint would leave `flows/` at the head of `sys.path`.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from flows.alarms import DRIFTED, resource_of
from flows.engine import Flow
from flows.nightly import nightly
from flows.pinboard import CONSOLE, SERVER, has_server, short_name
from flows.retrain import retrain
from flows.waiting import await_signatures, deployment_of
from flows.watch import watch
from flows.workspace import ROOT, Workspace, open_workspace
from lineage.refused import Refused

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.events.schemas.automations import AutomationCore

POOL = "ictal"
HEARTBEAT_S = 30
"""How often a run says that it lives: the least that Prefect takes."""


class Planned(NamedTuple):
    """A flow with the times at which it runs unless somebody says otherwise (cron, UTC), and with what parameters."""

    flow: Flow[..., Any]
    cron: str
    parameters: Mapping[str, str] = {}


PLAN = {
    "nightly": Planned(nightly, "0 1 * * *"),
    "weekly": Planned(watch, "0 3 * * 0"),
    "monthly": Planned(retrain, "0 5 1 * *", {"reason": "schedule"}),
}


def register(
    pool: str = POOL,
    crons: Mapping[str, str] | None = None,
    every: Mapping[str, timedelta] | None = None,
    console: str = "",
    lost_after: timedelta = timedelta(seconds=5 * HEARTBEAT_S),
) -> list[str]:
    """Register what runs by itself in ICTAL_HOME with the server at PREFECT_API_URL; returns the names of its parts.

    `crons` and `every` give other times than `PLAN`. Runs that were silent for `lost_after` count as crashed, so that the
    next one may begin. Registering again replaces what was registered.

    Refused without PREFECT_API_URL, where that server does not answer, for a name that `PLAN` does not have, and for a
    time that is not cron's five fields, or never comes.
    """
    if not has_server():
        raise Refused(
            f"{SERVER} is not set: a schedule needs a Prefect server. `prefect server start --host 127.0.0.1`, then "
            f"{SERVER}=http://127.0.0.1:4200/api"
        )
    if unknown := {*(crons or {}), *(every or {})} - PLAN.keys():
        raise Refused(f"nothing is planned {', '.join(sorted(unknown))}; planned are {', '.join(PLAN)}")
    for name, cron in (crons or {}).items():
        _refuse_times(name, cron)
    workspace = open_workspace()
    with server_client() as client:
        _open_queue(client, pool, short_name(workspace))
        variables = _job_variables(workspace, console)
        made = {}
        for name, planned in PLAN.items():
            when = _times(name, planned, crons, every)
            made[name] = _deploy(workspace, planned, name, pool, variables, queue=short_name(workspace), **when)
        made["signatures"] = _deploy(workspace, Planned(await_signatures, ""), "signatures", pool, variables)
        _keep(client, _after_drift(workspace, made["monthly"]))
        _keep(client, _lost(workspace, list(made.values()), lost_after))
    return parts_of(workspace)


@contextmanager
def server_client() -> Iterator["SyncPrefectClient"]:
    """The server at PREFECT_API_URL; Refused where it does not answer, or not as Prefect's. Nothing of the address is said:
    it may hold a password."""
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.exceptions import PrefectHTTPStatusError

    try:
        with get_client(sync_client=True) as client:
            yield client
    except httpx.TransportError as error:
        raise Refused(
            f"the Prefect server that {SERVER} names does not answer ({type(error).__name__}): start it with `prefect server "
            f"start --host 127.0.0.1`, or set {SERVER} to where it runs"
        ) from None
    except (PrefectHTTPStatusError, json.JSONDecodeError) as error:
        status = f"status {error.response.status_code}" if isinstance(error, PrefectHTTPStatusError) else "no JSON"
        raise Refused(
            f"what {SERVER} names does not answer as a Prefect server's API does ({status}): the address goes "
            "http://HOST:4200/api, and a server that asks for a login needs PREFECT_API_AUTH_STRING"
        ) from None


def _refuse_times(name: str, cron: str) -> None:
    from prefect._vendor.croniter import CroniterBadDateError, croniter
    from prefect.client.schemas.schedules import CronSchedule

    try:
        CronSchedule(cron=cron)
        croniter(cron, datetime.now(UTC)).get_next()
    except CroniterBadDateError:
        raise Refused(
            f"--{name} {cron[:40]!r} never comes, as 31 February does not: give a day that there is"
        ) from None
    except ValueError:
        raise Refused(f"--{name} takes the five fields of cron, as '30 2 * * *', got {cron[:40]!r}") from None


def parts_of(workspace: Workspace) -> list[str]:
    """The names of the deployments of a workspace, whether or not they are registered: `flow/deployment`."""
    return [*(f"{p.flow.name}/{_named(workspace, name)}" for name, p in PLAN.items()), deployment_of(workspace)]


def automations_of(workspace: Workspace) -> tuple[str, str]:
    """The names of what starts a retraining after drift, and of what ends lost runs."""
    short = short_name(workspace)
    return f"ictal {short}: drift starts a retraining", f"ictal {short}: silent runs have crashed"


def _named(workspace: Workspace, name: str) -> str:
    return f"{name}-{short_name(workspace)}"


def _times(
    name: str,
    planned: Planned,
    crons: Mapping[str, str] | None,
    every: Mapping[str, timedelta] | None,
) -> dict[str, Any]:
    if every and name in every:
        return {"interval": every[name]}
    return {"cron": (crons or {}).get(name, planned.cron)}


def _open_queue(client: "SyncPrefectClient", pool: str, name: str) -> None:
    """The pool, where nobody made one, and this workspace's queue in it, for one run at a time."""
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
    from prefect.workers.process import ProcessWorker

    try:
        client.read_work_pool(pool)
    except ObjectNotFound:
        template = ProcessWorker.get_default_base_job_template()
        client.create_work_pool(WorkPoolCreate(name=pool, type="process", base_job_template=template))
    with suppress(ObjectAlreadyExists):
        client.create_work_queue(name, concurrency_limit=1, work_pool_name=pool)


def _deploy(
    workspace: Workspace,
    planned: Planned,
    name: str,
    pool: str,
    variables: dict[str, Any],
    queue: str | None = None,
    **when: Any,
) -> UUID:
    """One run of each at a time, whatever queue a worker looks at; another waits."""
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
    from prefect.deployments.runner import EntrypointType, RunnerDeployment

    alone = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE)
    deployment = planned.flow.to_deployment(
        name=_named(workspace, name),
        parameters={"home": str(workspace.root), **planned.parameters},
        work_pool_name=pool,
        work_queue_name=queue,
        entrypoint_type=EntrypointType.MODULE_PATH,
        concurrency_limit=alone if queue else None,
        job_variables=variables,
        **when,
    )
    assert isinstance(deployment, RunnerDeployment)
    made = deployment.apply()
    assert isinstance(made, UUID)
    return made


def _job_variables(workspace: Workspace, console: str) -> dict[str, Any]:
    """What a worker's runs need: this workspace, its own stores, this Python first on the path.

    The server keeps these in the clear: what holds a password (ICTAL_LEDGER) belongs into the worker's own environment.
    """
    own = workspace.environment()
    kept = {"ICTAL_HOME", "BENTOML_HOME", "PATH", *(k for k in own if k.endswith(("ANALYTICS_ENABLED", "NOT_TRACK")))}
    environment = {name: own[name] for name in kept}
    environment |= {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_S), **({CONSOLE: console} if console else {})}
    return {"working_dir": str(ROOT), "env": environment}


def _after_drift(workspace: Workspace, retraining: UUID) -> "AutomationCore":
    from prefect.events.actions import RunDeployment
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

    told = {name: {"__prefect_kind": "jinja", "template": f"{{{{ event.payload.{name} }}}}"} for name in PASSED_ON}
    return AutomationCore(
        name=automations_of(workspace)[0],
        trigger=EventTrigger(
            expect={DRIFTED},
            match={"prefect.resource.id": resource_of(workspace)},
            posture=Posture.Reactive,
            threshold=1,
            within=timedelta(0),
        ),
        actions=[
            RunDeployment(source="selected", deployment_id=retraining, parameters={"home": str(workspace.root), **told})
        ],
    )


PASSED_ON = ("reason", "alarm")
"""What a retraining is told of the alarm that starts it."""


def _lost(workspace: Workspace, deployments: Sequence[UUID], after: timedelta) -> "AutomationCore":
    """A run whose process was killed says nothing any more, and would keep its place in the queue for ever."""
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

    beat = "prefect.flow-run.heartbeat"
    ends = {f"prefect.flow-run.{how}" for how in ("Completed", "Failed", "Cancelled", "Crashed", "Suspended")}
    silent = f"nothing was heard of this run for {after.total_seconds():g} s: the next one goes on where it stopped"
    return AutomationCore(
        name=automations_of(workspace)[1],
        trigger=EventTrigger(
            after={beat},
            expect={beat, *ends},
            match={"prefect.resource.id": "prefect.flow-run.*"},
            match_related={"prefect.resource.id": [f"prefect.deployment.{id}" for id in deployments]},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=after,
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message=silent)],
    )


def _keep(client: "SyncPrefectClient", automation: "AutomationCore") -> None:
    """Put an automation in the place of the one that is called so."""
    for former in client.read_automations_by_name(automation.name):
        client.delete_automation(former.id)
    client.create_automation(automation)


def main() -> None:
    """Register and print what was registered; a refusal is one sentence and exit code 2."""
    try:
        print("\n".join(f"registered {name}" for name in register()))
    except Refused as refused:
        print(f"ictal: {refused}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
