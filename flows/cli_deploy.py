"""Commands of those who run the service: which model answers which site, and which site is answered at all."""

from typing import Annotated

import typer

from flows.cli_people import IN_SCRIPTS, Candidate, asked
from flows.terminal import Json, show

deploy_app = typer.Typer(
    no_args_is_help=True,
    help="Which model answers which site, and which site is answered at all; running services follow within 5 s.",
)

Site = Annotated[str, typer.Option(help="The site, as its key was issued for it.")]
Reason = Annotated[str, typer.Option(help="Why; the site reads it, and the ledger keeps it. No patient's name.")]


@deploy_app.command(epilog="Example: ictal deploy promote 3f2a")
def promote(candidate: Candidate, as_json: Json = False) -> None:
    """Put an approved candidate in force: the last signature does it by itself otherwise."""
    from flows.approve import deploy_approved

    result = deploy_approved(candidate)
    show(result, as_json, result.pop("text"))


@deploy_app.command(epilog="Example: ictal deploy stop --site demo-north --reason 'electrodes are being changed'")
def stop(site: Site, reason: Reason, as_json: Json = False) -> None:
    """Answer one site nothing for now: 503 with the reason; jobs that were accepted wait, others are served."""
    from flows.stop import stop_site

    result = stop_site(site, reason)
    show(result, as_json, result.pop("text"))


@deploy_app.command(
    epilog="Example: ictal deploy resume --site demo-north --as reviewer-1 --reason 'electrodes were checked'."
    + IN_SCRIPTS
)
def resume(
    site: Site,
    person: Annotated[str, typer.Option("--as", help="Who says so (an id in the workspace's people.json).")],
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Answer a stopped site again, after re-authentication of somebody who may sign."""
    from flows.stop import resume_site

    result = resume_site(site, reason, person, *asked(person))
    show(result, as_json, result.pop("text"))
