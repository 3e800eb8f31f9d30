"""Commands of what runs by itself: checks each night, drift each week, retraining each month and after drift."""

from typing import Annotated, Any

import typer

from flows.terminal import Json, show

schedule_app = typer.Typer(
    no_args_is_help=True,
    help="What runs by itself, on the Prefect server that PREFECT_API_URL names; a worker runs it.",
)


def _cron(what: str, planned: str) -> Any:
    return typer.Option(help=f"When {what}, in cron's five fields, UTC; '{planned}' unless given.")


@schedule_app.command(
    epilog="Examples: ictal schedule register · ictal schedule register --nightly '30 2 * * *' · "
    "ictal schedule register --console http://127.0.0.1:8010    (then `prefect worker start --pool ictal`)"
)
def register(
    pool: Annotated[str, typer.Option(help="The work pool whose workers run it; made where there is none.")] = "ictal",
    nightly: Annotated[str | None, _cron("cohorts are checked", "0 1 * * *")] = None,
    weekly: Annotated[str | None, _cron("sites are compared", "0 3 * * 0")] = None,
    monthly: Annotated[str | None, _cron("models are retrained", "0 5 1 * *")] = None,
    console: Annotated[
        str, typer.Option(help="Where `ictal console` is open, for links in Prefect's pages; files unless given.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Have this workspace checked each night, watched for drift each week, retrained each month and after drift.

    All tasks are trained and evaluated anew where anything changed; a candidate is proposed for detection only (for
    another task: `ictal candidates --propose --task TASK`). A run waits until two people have signed it; where a gate
    failed, nobody is asked to, and `ictal schedule list` says so. Registering again replaces.
    """
    from flows.deployments import register

    given = {"nightly": nightly, "weekly": weekly, "monthly": monthly}
    names = register(pool, {name: cron for name, cron in given.items() if cron}, console=console)
    text = "\n".join([*(f"registered {name}" for name in names), f"next: prefect worker start --pool {pool}"])
    show({"registered": names, "pool": pool}, as_json, text)


@schedule_app.command("list", epilog="Example: ictal schedule list --json")
def list_(as_json: Json = False) -> None:
    """List what runs by itself here, when it ran last and when it will again."""
    from flows.scheduled import list_registered

    result = list_registered()
    show(result, as_json, result.pop("text"))


@schedule_app.command(epilog="Example: ictal schedule remove")
def remove(as_json: Json = False) -> None:
    """Take what runs by itself here from the server; a run that goes on is not ended."""
    from flows.scheduled import take_away

    result = take_away()
    show(result, as_json, result.pop("text"))
