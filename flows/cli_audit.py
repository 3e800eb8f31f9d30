"""Questions of an auditor on the command line; each imports its flow when it runs."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.terminal import Json, prompt, show, show_each
from lineage.refused import Refused

audit_app = typer.Typer(no_args_is_help=True, help="Questions an auditor asks.")

Limit = Annotated[int, typer.Option(min=0, help="Of how many predictions to tell, the newest first; 0 for all.")]

Everything = Annotated[bool, typer.Option("--all", help="Tell of all predictions, one by one however many there are.")]

Model = Annotated[
    str,
    typer.Argument(
        help="Digest of a model, proposed or not, or of its approval (or the beginning), or a detector's name."
    ),
]


@audit_app.command("checkpoint", epilog="Example: ictal audit checkpoint /media/usb/ictal-2026-11.json")
def audit_checkpoint(
    out: Annotated[Path, typer.Argument(help="File to write, best where the ledger's owner cannot reach.")],
    as_json: Json = False,
) -> None:
    """Sign what the ledger is now, to hold it to that later."""
    from flows.audit import publish_checkpoint

    result = publish_checkpoint(out)
    show(result, as_json, result.pop("text"))


@audit_app.command("verify", epilog="Example: ictal audit verify --against /media/usb/ictal-2026-11.json")
def audit_verify(
    against: Annotated[list[Path] | None, typer.Option(help="A checkpoint that was kept elsewhere.")] = None,
    as_json: Json = False,
) -> None:
    """Hash the whole ledger again and compare it with its checkpoints; exit code 1 where anything was changed."""
    from flows.audit import verify_ledger

    result = verify_ledger(against or ())
    show(result, as_json, result.pop("text"))
    if not result["ok"]:
        sys.exit(1)


@audit_app.command("why", epilog="Example: ictal audit why 3f2a…")
def audit_why(
    subject: Annotated[str, typer.Argument(help="Id or digest (or its beginning) of a prediction, model or dataset.")],
    as_json: Json = False,
) -> None:
    """Follow a prediction back to the raw bytes: which model, data, checks, code and people stand behind it.

    Exit code 1 where a line on the way is not the one that was written, or registered bytes are gone or are others.
    """
    from flows.audit_why import why

    result = why(subject)
    show(result, as_json, result.pop("text"))
    if not result["ok"]:
        sys.exit(1)


@audit_app.command(
    "predictions",
    epilog="Examples: ictal audit predictions --model da_stnet · ictal audit predictions --model 3f2a81 --site demo-north "
    "--since 2026-11-01 --all --json",
)
def audit_predictions(
    model: Annotated[
        str, typer.Option(help="Digest of a model (or its beginning), or the detector whose model it is.")
    ],
    site: Annotated[str | None, typer.Option(help="Only answers to this site.")] = None,
    since: Annotated[str | None, typer.Option(help="Only answers since this date (UTC) or time.")] = None,
    limit: Limit = 50,
    everything: Everything = False,
    as_json: Json = False,
) -> None:
    """Everything that a model predicted: to which site, when, and how it ended."""
    from flows.audit_predictions import every_prediction, predictions
    from flows.listing import line

    if everything or not limit:
        result, rows = every_prediction(model, site, since)
        show_each(result, as_json, result.pop("text"), rows, line)
    else:
        result = predictions(model, site, since, limit)
        show(result, as_json, result.pop("text"))


@audit_app.command("diff", epilog="Example: ictal audit diff da_stnet 3f2a91 --json")
def audit_diff(first: Model, second: Model, as_json: Json = False) -> None:
    """What differs between two models: data, split, parameters, code, environment, figures, gates, approvals."""
    from flows.audit_diff import diff

    result = diff(first, second)
    show(result, as_json, result.pop("text"))


@audit_app.command(
    "blast",
    epilog="Examples: ictal audit blast --recording sub-001_task-eeg_run-01 · ictal audit blast --library mne==1.13.1 · "
    "ictal audit blast --commit a1bcd93 --json",
)
def audit_blast(
    recording: Annotated[
        str | None, typer.Option(help="A recording, by its digest (or beginning) or its name.")
    ] = None,
    library: Annotated[str | None, typer.Option(help="A version of a library, name==version.")] = None,
    commit: Annotated[str | None, typer.Option(help="A Git commit of the code, or its beginning.")] = None,
    limit: Limit = 50,
    everything: Everything = False,
    as_json: Json = False,
) -> None:
    """What rests on one recording, one version of a library or one commit, and whether any of it is in force."""
    from flows.audit_blast import blast, every_prediction_below
    from flows.listing import line

    if everything or not limit:
        result, rows = every_prediction_below(recording, library, commit)
        show_each(result, as_json, result.pop("text"), rows, line)
    else:
        result = blast(recording, library, commit, limit)
        show(result, as_json, result.pop("text"))


@audit_app.command(
    "replay",
    epilog="Examples: ictal audit replay 019d3e6a-6f2b-7c41-9a55-0b6f0a1d2c3e · ictal audit replay 019d3e6a… --file night.edf",
)
def audit_replay(
    prediction: Annotated[str, typer.Argument(help="Id or digest (or its beginning) of a prediction.")],
    file: Annotated[
        list[Path] | None,
        typer.Option(help="The bytes that were asked about, of two views twice; looked for unless given."),
    ] = None,
    other_code: Annotated[
        bool, typer.Option("--other-code", help="Compare although the code here is another.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Ask the same bundle the same question about the same bytes; exit code 1 where the answer is another one.

    On the same kind of machine and by the same code it has to be equal to the bit, otherwise within a stated tolerance.
    """
    from flows.audit_replay import replay

    result = replay(prediction, file or (), other_code)
    show(result, as_json, result.pop("text"))
    if not result["ok"]:
        sys.exit(1)


@audit_app.command(
    "receipt", epilog="Example: ictal audit receipt answer.json --key platform.pub    (offline, without a workspace)"
)
def audit_receipt(
    file: Annotated[Path, typer.Argument(help="An answer as it was saved, or a receipt alone.")],
    key: Annotated[Path | None, typer.Option(help="The platform's public key; the workspace's unless given.")] = None,
    as_json: Json = False,
) -> None:
    """Check offline that an answer is the one that stands in the ledger; exit code 1 where it is not."""
    from flows.audit_receipt import check_receipt

    result = check_receipt(file, key)
    show(result, as_json, result.pop("text"))
    if not result["ok"]:
        sys.exit(1)


@audit_app.command(
    "impact",
    epilog="Examples: ictal audit impact --patient sub-001 · ictal audit impact --patient pbfb86e77 --withdraw --dry-run · "
    "ictal audit impact --patient pbfb86e77 --withdraw --reason 'letter of 2026-11-20' --decision all=retrain "
    "--decision da_stnet=withdraw --as reviewer-1",
)
def audit_impact(
    patient: Annotated[str, typer.Option(help="A person's key, or a patient id (sub-001, or COHORT/sub-001).")],
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Carry out the withdrawal of their consent.")] = False,
    reason: Annotated[str, typer.Option(help="Why; it stands in the ledger.")] = "",
    decision: Annotated[
        list[str] | None,
        typer.Option(
            help="MODEL=keep, =retrain or =withdraw; MODEL is a digest, a detector or `all`. Asked for unless given."
        ),
    ] = None,
    person: Annotated[str | None, typer.Option("--as", help="Who revokes the models that are withdrawn.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go, as without --withdraw.")] = False,
    limit: Limit = 50,
    everything: Everything = False,
    as_json: Json = False,
) -> None:
    """What came of a patient: recordings, data sets, models trained, tuned or tested on them, approvals, predictions.

    With --withdraw nobody learns from them from now on, and their bytes go from data, DVC's cache and remotes, with all
    that is made of them; the signed report lies in reports/withdrawals. Run again, it finishes what was stopped. Exit code
    1 where something of them is still found.
    """
    from flows.cli_people import asked
    from flows.withdraw import withdraw as carry_out

    result = carry_out(
        patient,
        reason,
        dict(_decision(text) for text in decision or ()),
        signer=person,
        components=asked,
        ask=_ask if sys.stdin.isatty() else None,
        dry_run=dry_run or not withdraw,
        limit=None if everything or not limit else limit,
    )
    show(result, as_json, result.pop("text"))
    if not result.get("ok", True):
        sys.exit(1)


@audit_app.command(
    "consent-again", epilog="Example: ictal audit consent-again pbfb86e77 --reason 'form signed on 2026-11-20'"
)
def audit_consent_again(
    person: Annotated[str, typer.Argument(help="The person's key, or how it begins.")],
    reason: Annotated[str, typer.Option(help="Why; it stands in the ledger.")],
    as_json: Json = False,
) -> None:
    """Write down that a person who had withdrawn consents again. Their recordings are gone and have to come in anew."""
    from flows.consent import grant

    result = grant(person, reason)
    show(result, as_json, result.pop("text"))


def _decision(text: str) -> tuple[str, str]:
    model, _, choice = text.rpartition("=")
    if not model:
        raise Refused(f"a decision reads MODEL=keep, =retrain or =withdraw; got {text[:40]!r}")
    return model, choice


def _ask(model: dict[str, Any]) -> str:
    return prompt(
        f"{model['label']} {model['digest'][:12]} ({model['role']}; {model['state']}): keep, retrain, withdraw"
    )
