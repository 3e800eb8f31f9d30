"""Commands of those who sign: approvals, people and keys; each imports its flow when it runs.

Passphrase and code are asked for on the terminal, unseen. Where there is none they are read from standard input, one
line each in the order asked, so that a script gives them by a file or a pipe and no secret ever stands on a command line.
"""

import sys
from typing import Annotated, Any

import typer

from flows import completion
from flows.terminal import Json, prompt, scannable, show
from lineage.refused import Refused

people_app = typer.Typer()
person_app = typer.Typer(no_args_is_help=True, help="People who may sign approvals.")
key_app = typer.Typer(no_args_is_help=True, help="Keys of sites that may call the prediction API, and of the platform.")
people_app.add_typer(person_app, name="person")
people_app.add_typer(key_app, name="key")

Candidate = Annotated[
    str, typer.Argument(help="Digest of the candidate, or its beginning.", autocompletion=completion.candidates)
]
IN_SCRIPTS = "    (in scripts passphrase and code are two lines of standard input: ictal … < components)"


def asked(person: str) -> tuple[str, str]:
    """Both components of a person, typed unseen."""
    return _secret(f"Passphrase of {person}"), _secret(f"Code on the device of {person}")


def chosen(person: str, what: str = "Passphrase") -> str:
    """A passphrase that a person chooses, typed twice where it is typed."""
    return _secret(f"{what} of {person}", twice=True)


def _secret(what: str, *, twice: bool = False) -> str:
    """A prompt for secrets looks for a terminal by itself, past what was piped in: hence none is shown to a script."""
    if sys.stdin.isatty():
        return prompt(what, hide_input=True, confirmation_prompt=twice)
    line = sys.stdin.readline()
    if not line:
        raise Refused(f"{what} is missing: standard input has ended; give it there, one line each in the order asked")
    return line.rstrip("\r\n")


@people_app.command(
    epilog="Example: ictal approve 3f2a --as reviewer-1 --meaning review --deviation 'sensitivity_floor=24 patients only'"
    + IN_SCRIPTS
)
def approve(
    candidate: Candidate,
    person: Annotated[
        str,
        typer.Option(
            "--as", help="Who signs (an id in the workspace's people.json).", autocompletion=completion.people
        ),
    ],
    meaning: Annotated[str, typer.Option(help="review or approval; two people are needed.")],
    deviation: Annotated[
        list[str] | None, typer.Option(help="gate=justification, for each gate that did not pass.")
    ] = None,
    hold: Annotated[
        bool, typer.Option("--hold", help="Do not put it in force yet: for a shadow or a canary first.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Sign a candidate after re-authentication; with the second person's signature it comes into force, unless held."""
    from flows.approve import approve_candidate, refuse_unsignable

    refuse_unsignable(candidate, person, meaning, deviation or [])
    result = approve_candidate(candidate, person, *asked(person), meaning, deviation or [], hold=hold)
    show(result, as_json, result.pop("text"))


@people_app.command(
    epilog="Example: ictal revoke 3f2a --as reviewer-1 --reason 'missed seizures at two sites'" + IN_SCRIPTS
)
def revoke(
    candidate: Candidate,
    person: Annotated[str, typer.Option("--as", help="Who takes it back.", autocompletion=completion.people)],
    reason: Annotated[str, typer.Option(help="Why; it is kept in the ledger.")],
    as_json: Json = False,
) -> None:
    """Take an approved model back; running services stop answering with it within seconds."""
    from flows.approve import revoke_model

    result = revoke_model(candidate, person, *asked(person), reason)
    show(result, as_json, result.pop("text"))


@people_app.command(epilog="Example: ictal reject 3f2a --as reviewer-1 --reason 'blind at one site'" + IN_SCRIPTS)
def reject(
    candidate: Candidate,
    person: Annotated[str, typer.Option("--as", help="Who refuses it.", autocompletion=completion.people)],
    reason: Annotated[str, typer.Option(help="Why; it is kept in the ledger.")],
    as_json: Json = False,
) -> None:
    """Refuse a candidate that waits for signatures, signed: nobody can approve it any more, and nobody waits for it."""
    from flows.approve import reject_candidate

    result = reject_candidate(candidate, person, *asked(person), reason)
    show(result, as_json, result.pop("text"))


@people_app.command(epilog="Example: ictal retire 3f2a --as reviewer-1 --reason 'superseded by 9c41'" + IN_SCRIPTS)
def retire(
    candidate: Candidate,
    person: Annotated[str, typer.Option("--as", help="Who ends it.", autocompletion=completion.people)],
    reason: Annotated[str, typer.Option(help="Why; it is kept in the ledger.")],
    as_json: Json = False,
) -> None:
    """End the service of a deployed model in peace: its approval ends, and it may be proposed again."""
    from flows.approve import retire_model

    result = retire_model(candidate, person, *asked(person), reason)
    show(result, as_json, result.pop("text"))


@people_app.command(epilog="Examples: ictal approvals · ictal approvals 3f2a --json")
def approvals(
    named: Annotated[str, typer.Argument(help="Digest of a model or of a record, or its beginning.")] = "",
    as_json: Json = False,
) -> None:
    """Every approval with scope, time, deviations and signatures as they are to be shown, and what stands against it."""
    from flows.approvals import list_approvals

    result = list_approvals(named)
    show(result["approvals"], as_json, result["text"])


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
    from flows.register import add_person

    _show_enrolment(add_person(id, name, role, chosen(id)), as_json)


@person_app.command("rotate", epilog="Example: ictal person rotate reviewer-1")
def person_rotate(
    id: Annotated[str, typer.Argument(help="Whose key.", autocompletion=completion.people)],
    as_json: Json = False,
) -> None:
    """A new key and a new device for a person, who shows that they are there with the old; old signatures stay good."""
    from flows.register import rotate_person

    _show_enrolment(rotate_person(id, *asked(id), chosen(id, "New passphrase")), as_json)


def _show_enrolment(result: dict[str, Any], as_json: bool) -> None:
    show(result, as_json, "\n".join(filter(None, (result.pop("text"), scannable(result["enrolment_uri"])))))


@person_app.command(
    "revoke",
    epilog="Examples: ictal person revoke reviewer-1 --reason 'lost the laptop' · ictal person revoke reviewer-1 --left "
    "--reason retirement",
)
def person_revoke(
    id: Annotated[str, typer.Argument(help="Whose key.", autocompletion=completion.people)],
    reason: Annotated[str, typer.Option(help="Why; it is kept in the ledger.")],
    left: Annotated[
        bool, typer.Option("--left", help="They only left: what they signed until now stays good.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Take a person's key out of use; whatever it signed, ever, is not good any more, and services stop within seconds."""
    from flows.register import end_person

    result = end_person(id, reason, left)
    show(result, as_json, result.pop("text"))


@person_app.command("list", epilog="Example: ictal person list --json")
def person_list(as_json: Json = False) -> None:
    """Who may sign, with which key, and whether the ledger knows them like this."""
    from flows.register import list_people

    result = list_people()
    show(result["people"], as_json, result["text"])


@key_app.command("issue", epilog="Example: ictal key issue --site demo-north")
def key_issue(
    site: Annotated[str, typer.Option(help="The site that will use the key.", autocompletion=completion.sites)],
    days: Annotated[float, typer.Option(min=0.01, max=400, help="Days until it expires.")] = 90,
    as_json: Json = False,
) -> None:
    """Make a key for a site. It is shown once; only its hash is kept."""
    from flows.site_keys import issue_site_key

    key = issue_site_key(site, days)
    show({"site": site, "key": key}, as_json, key)


@key_app.command("list-sites", epilog="Example: ictal key list-sites --json")
def key_list_sites(as_json: Json = False) -> None:
    """The keys that sites were given, by id: until when, and whether they are in force. No key is shown."""
    from flows.site_keys import list_site_keys

    result = list_site_keys()
    show(result["keys"], as_json, result["text"])


@key_app.command("revoke-site", epilog="Example: ictal key revoke-site 9c41d07e --reason 'a laptop was stolen'")
def key_revoke_site(
    key: Annotated[str, typer.Argument(help="Id of the key, or its beginning (`ictal key list-sites`).")],
    reason: Annotated[str, typer.Option(help="Why; it is kept in the ledger.")],
    as_json: Json = False,
) -> None:
    """Take back a site's key: its next request is refused."""
    from flows.site_keys import revoke_site_key

    result = revoke_site_key(key, reason)
    show(result, as_json, result.pop("text"))


@key_app.command("list", epilog="Example: ictal key list --json")
def key_list(as_json: Json = False) -> None:
    """The keys that the platform signs with or has signed with: present, former, revoked."""
    from flows.register import list_platform_keys

    result = list_platform_keys()
    show(result["keys"], as_json, result["text"])


@key_app.command("rotate-platform", epilog="Example: ictal key rotate-platform")
def key_rotate_platform(as_json: Json = False) -> None:
    """A new key for the platform; bundles, checkpoints and receipts that the old one signed are still verified."""
    from flows.register import rotate_platform_key

    result = rotate_platform_key()
    show(result, as_json, result.pop("text"))


@key_app.command("revoke-platform", epilog="Example: ictal key revoke-platform 3f2a91 --reason 'the disk was stolen'")
def key_revoke_platform(
    key: Annotated[str, typer.Argument(help="Id of the key, or its beginning (`ictal key list`).")],
    reason: Annotated[str, typer.Option(help="Why; it is kept in the ledger.")],
    as_json: Json = False,
) -> None:
    """Revoke a key of the platform: a bundle that only it signed is refused. The present key is rotated first."""
    from flows.register import revoke_platform_key

    result = revoke_platform_key(key, reason)
    show(result, as_json, result.pop("text"))
