"""What of this workspace runs by itself, by the server that keeps it; and how it is taken from there."""

from typing import TYPE_CHECKING, Any

from flows.deployments import automations_of, parts_of, server_client
from flows.pinboard import SERVER, has_server
from flows.workspace import open_workspace
from lineage.refused import Refused

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.responses import DeploymentResponse

NOTHING = "nothing runs by itself here: `ictal schedule register`"


def list_registered() -> dict[str, Any]:
    """Each part with its times (cron in UTC, or an interval), its last run, what that said, and its next. Refused without a server that
    answers."""
    with _client() as client:
        rows = [_row(client, deployment) for deployment in _registered(client)]
    return {"schedules": rows, "text": "\n".join(line for row in rows for line in _told(row)) or NOTHING}


def take_away() -> dict[str, Any]:
    """Take every part from the server, with what starts it; a run that goes on is not ended. It may be done again;
    refused without a server that answers."""
    workspace = open_workspace()
    with _client() as client:
        gone = _registered(client)
        for deployment in gone:
            client.delete_deployment(deployment.id)
        for name in automations_of(workspace):
            for automation in client.read_automations_by_name(name):
                client.delete_automation(automation.id)
    names = [deployment.name for deployment in gone]
    return {"removed": names, "text": "\n".join(f"removed {name}" for name in names) or NOTHING}


def _told(row: dict[str, Any]) -> list[str]:
    """A part in a line, and below it what its last run said."""
    head = f"{row['name']}  {row['when']}  last: {row['last'] or 'never'}  next: {row['next'] or 'none'}"
    return [head, *([f"    {row['said']}"] if row["said"] else [])]


def _client() -> "AbstractContextManager[SyncPrefectClient]":
    if not has_server():
        raise Refused(f"{SERVER} is not set: name the server that keeps the schedules, as in http://127.0.0.1:4200/api")
    return server_client()


def _registered(client: "SyncPrefectClient") -> "list[DeploymentResponse]":
    from prefect.client.schemas import filters

    names = [name.split("/")[1] for name in parts_of(open_workspace())]
    wanted = filters.DeploymentFilter(name=filters.DeploymentFilterName(any_=names))
    return sorted(client.read_deployments(deployment_filter=wanted), key=lambda found: names.index(found.name))


def _row(client: "SyncPrefectClient", deployment: "DeploymentResponse") -> dict[str, Any]:
    from prefect.client.schemas import filters
    from prefect.client.schemas.objects import StateType
    from prefect.client.schemas.sorting import FlowRunSort

    def first(states: list[StateType], order: FlowRunSort) -> Any:
        kind = filters.FlowRunFilterState(type=filters.FlowRunFilterStateType(any_=states))
        of = filters.DeploymentFilter(id=filters.DeploymentFilterId(any_=[deployment.id]))
        wanted = filters.FlowRunFilter(state=kind)
        return next(
            iter(client.read_flow_runs(deployment_filter=of, flow_run_filter=wanted, sort=order, limit=1)), None
        )

    last = first([s for s in StateType if s is not StateType.SCHEDULED], FlowRunSort.EXPECTED_START_TIME_DESC)
    coming = first([StateType.SCHEDULED], FlowRunSort.EXPECTED_START_TIME_ASC)
    times = [
        getattr(s.schedule, "cron", None) or str(getattr(s.schedule, "interval", "")) for s in deployment.schedules
    ]
    return {
        "name": deployment.name,
        "when": ", ".join(times) or "when it is asked for",
        "last": f"{last.state_name} {last.expected_start_time:%Y-%m-%d %H:%M} UTC" if last else "",
        "said": ((last.state and last.state.message) or "") if last else "",
        "next": f"{coming.expected_start_time:%Y-%m-%d %H:%M} UTC" if coming else "",
    }
