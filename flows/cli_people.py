"""Commands of those who sign: approvals, people and keys; each imports its flow when it runs.

Passphrase and code are asked for on the terminal, unseen. Where there is none they are read from standard input, one
line each in the order asked, so that a script gives them by a file or a pipe and no secret ever stands on a command line.
"""

from typing import Annotated

import typer

from flows.terminal import Json, show

people_app = typer.Typer()
person_app = typer.Typer(no_args_is_help=True, help="People who may sign approvals.")
key_app = typer.Typer(no_args_is_help=True, help="Keys of sites that may call the prediction API.")
people_app.add_typer(person_app, name="person")
people_app.add_typer(key_app, name="key")

Candidate = Annotated[str, typer.Argument(help="Digest of the candidate, or its beginning.")]
IN_SCRIPTS = " In scripts passphrase and code are two lines of standard input: ictal … < components"


def asked(person: str) -> tuple[str, str]:
    """Both components of a person, typed unseen."""
    passphrase = typer.prompt(f"Passphrase of {person}", hide_input=True)
    return passphrase, typer.prompt(f"Code on the device of {person}", hide_input=True)


@people_app.command(
    epilog="Example: ictal approve 3f2a --as reviewer-1 --meaning review --deviation 'sensitivity_floor=24 patients only'."
    + IN_SCRIPTS
)
def approve(
    candidate: Candidate,
    person: Annotated[str, typer.Option("--as", help="Who signs (an id in the workspace's people.json).")],
    meaning: Annotated[str, typer.Option(help="review or approval; two people are needed.")],
    deviation: Annotated[
        list[str] | None, typer.Option(help="gate=justification, for each gate that did not pass.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Sign a candidate after re-authentication; with the second person's signature it comes into force."""
    from flows.approve import approve_candidate

    result = approve_candidate(candidate, person, *asked(person), meaning, deviation or [])
    show(result, as_json, result.pop("text"))


@people_app.command(
    epilog="Example: ictal revoke 3f2a --as reviewer-1 --reason 'missed seizures at two sites'." + IN_SCRIPTS
)
def revoke(
    candidate: Candidate,
    person: Annotated[str, typer.Option("--as", help="Who takes it back.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept in the ledger.")],
    as_json: Json = False,
) -> None:
    """Take an approved model back; running services stop answering with it within seconds."""
    from flows.approve import revoke_model

    result = revoke_model(candidate, person, *asked(person), reason)
    show(result, as_json, result.pop("text"))


@person_app.command("add", epilog="Example: ictal person add reviewer-1 --name 'A. Reviewer' --role neurophysiologist")
def person_add(
    id: Annotated[str, typer.Argument(help="Short id, as in reviewer-1.")],
    name: Annotated[str, typer.Option(help="Printed name, as it stands under signatures.")],
    role: Annotated[str, typer.Option(help="What they are here.")],
    as_json: Json = False,
) -> None:
    """Register somebody who may sign; they choose their passphrase now and enrol their authenticator app.

    Nobody can read either of them later.
    """
    from flows.people import add_person

    passphrase = typer.prompt(f"Passphrase of {id}", hide_input=True, confirmation_prompt=True)
    result = add_person(id, name, role, passphrase)
    show(result, as_json, result.pop("text"))


@key_app.command("issue", epilog="Example: ictal key issue --site demo-north")
def key_issue(
    site: Annotated[str, typer.Option(help="The site that will use the key.")],
    days: Annotated[float, typer.Option(min=0.01, max=400, help="Days until it expires.")] = 90,
    as_json: Json = False,
) -> None:
    """Make a key for a site. It is shown once; only its hash is kept."""
    from flows.deploy import issue_site_key

    key = issue_site_key(site, days)
    show({"site": site, "key": key}, as_json, key)
