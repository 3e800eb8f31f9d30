"""Commands of those who run the service: which model answers which site, and which site is answered at all."""

from typing import Annotated

import typer

from flows import completion
from flows.cli_people import IN_SCRIPTS, Candidate, asked
from flows.terminal import Json, names_in, show

deploy_app = typer.Typer(
    no_args_is_help=True,
    help="Which model answers which site, and which site is answered at all; running services follow within 5 s.",
)

Task = Annotated[
    str,
    typer.Option(
        "--for",
        help="Which task: detection, typing, spasms, semiology or forecasting.",
        autocompletion=completion.tasks,
    ),
]
Site = Annotated[str, typer.Option(help="The site, as its key was issued for it.", autocompletion=completion.sites)]
Reason = Annotated[str, typer.Option(help="Why; the site reads it, and the ledger keeps it. No patient's name.")]


@deploy_app.command(epilog="Example: ictal deploy promote 3f2a")
def promote(candidate: Candidate, as_json: Json = False) -> None:
    """Put an approved candidate in force: the last signature does it by itself otherwise."""
    from flows.place import deploy_approved

    result = deploy_approved(candidate)
    show(result, as_json, result.pop("text"))


@deploy_app.command(epilog="Example: ictal deploy stop --site demo-north --reason 'electrodes are being changed'")
def stop(site: Site, reason: Reason, as_json: Json = False) -> None:
    """Answer one site nothing for now: 503 with the reason; jobs that were accepted wait, others are served."""
    from flows.stop import stop_site

    result = stop_site(site, reason)
    show(result, as_json, result.pop("text"))


@deploy_app.command(
    epilog="Example: ictal deploy resume --site demo-north --as reviewer-1 --reason 'electrodes were checked'"
    + IN_SCRIPTS
)
def resume(
    site: Site,
    person: Annotated[
        str,
        typer.Option(
            "--as", help="Who says so (an id in the workspace's people.json).", autocompletion=completion.people
        ),
    ],
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Answer a stopped site again, after re-authentication of somebody who may sign."""
    from flows.stop import resume_site

    result = resume_site(site, reason, person, *asked(person))
    show(result, as_json, result.pop("text"))


@deploy_app.command(epilog="Example: ictal deploy rollback --for detection --reason 'misses seizures at demo-south'")
def rollback(reason: Reason, task: Task = "detection", as_json: Json = False) -> None:
    """Put the model that was in force before back, if its approval still is in force."""
    from flows.place import roll_back

    result = roll_back(task, reason)
    show(result, as_json, result.pop("text"))


@deploy_app.command(
    epilog="Example: ictal deploy canary 3f2a --sites demo-south,demo-east --reason 'two weeks at two sites'"
)
def canary(
    candidate: Candidate,
    sites: Annotated[str, typer.Option(help="The sites that it answers, with commas.")],
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Have an approved model answer at some sites; the others keep the one in force, until promote or end."""
    from flows.place import begin_canary

    result = begin_canary(candidate, names_in(sites), reason)
    show(result, as_json, result.pop("text"))


@deploy_app.command(epilog="Example: ictal deploy shadow 3f2a --share 0.2 --reason 'what would it say?'")
def shadow(
    candidate: Candidate,
    reason: Reason,
    share: Annotated[float, typer.Option(help="Share of the recordings that it is asked about.")] = 1.0,
    as_json: Json = False,
) -> None:
    """Ask an approved model beside the one in force; what it says stands in the ledger, and no site sees it."""
    from flows.place import begin_shadow

    result = begin_shadow(candidate, share, reason)
    show(result, as_json, result.pop("text"))


@deploy_app.command(epilog="Example: ictal deploy end --reason 'it disagrees too often'")
def end(reason: Reason, task: Task = "detection", as_json: Json = False) -> None:
    """End canary and shadow of a task; the model in force answers everywhere again."""
    from flows.place import end_trials

    result = end_trials(task, reason)
    show(result, as_json, result.pop("text"))


@deploy_app.command(epilog="Example: ictal deploy compare 3f2a --json")
def compare(
    candidate: Candidate,
    examples: Annotated[int, typer.Option(min=0, max=1000, help="How many disagreements are named.")] = 10,
    as_json: Json = False,
) -> None:
    """What a shadow has said beside the answers that were given: how often they agree, and where they do not."""
    from flows.compare import compare_shadow

    result = compare_shadow(candidate, examples)
    show(result, as_json, result.pop("text"))
