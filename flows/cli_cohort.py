"""Commands that bring cohorts into the workspace; each imports its flow when it runs."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from flows import completion
from flows.terminal import Json, names_in, show

cohort_app = typer.Typer(no_args_is_help=True, help="Cohorts of recordings in BIDS layout.")

Task = Annotated[
    str,
    typer.Option(
        "--for",
        help="Which task: detection (seizures in EEG), typing (their types in EEG), spasms (in poses), semiology (types on "
        "film) or forecasting (from film).",
        autocompletion=completion.tasks,
    ),
]


@cohort_app.command("import", epilog="Example: ictal cohort import ~/data/ds-neonatal --name helsinki")
def cohort_import(
    path: Annotated[Path, typer.Argument(help="A BIDS-EEG folder; it is read, never changed.")],
    name: Annotated[str, typer.Option(help="Name of the cohort in the workspace.")] = "imported",
    task: Task = "detection",
    as_json: Json = False,
) -> None:
    """Copy a BIDS-EEG folder into the workspace, put it under DVC and make it the cohort that the stages use."""
    from console.spelling import counted
    from flows.ingest import import_into_workspace

    result = import_into_workspace(path, name, task)
    text = (
        f"imported {counted(result['recordings'], 'recording')} of {counted(result['patients'], 'patient')} as {name}"
    )
    if result["not_read"]:
        formats = ", ".join(f"{count} {ending}" for ending, count in result["not_read"].items())
        text += f"; left behind, in formats that are not read: {formats}: export them anew and import the folder again"
    show(result, as_json, text)


@cohort_app.command(
    "fetch",
    epilog="Examples: ictal cohort fetch helsinki --accept-licence · ictal cohort fetch chbmit --only chb01,chb05 · "
    "ictal cohort fetch siena --from ~/data/siena-scalp-eeg-1.0.0 --corrections mine.tsv",
)
def cohort_fetch(
    name: Annotated[str, typer.Argument(help="helsinki, chbmit, siena, seizeit2 or tusz.")],
    accept_licence: Annotated[bool, typer.Option("--accept-licence", help="Accept the licence that is shown.")] = False,
    base_url: Annotated[str | None, typer.Option(help="Another address with the published layout.")] = None,
    checksums: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Your own list of files: SHA-256 and name.")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--from", exists=True, file_okay=False, help="A folder with it, instead of the network."),
    ] = None,
    only: Annotated[str | None, typer.Option(help="Only these patients, as published: chb01,chb05.")] = None,
    corrections: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="What you say instead of what was published.")
    ] = None,
    as_name: Annotated[
        str | None, typer.Option("--as", help="Name in the workspace; as published unless given.")
    ] = None,
    task: Task = "detection",
    as_json: Json = False,
) -> None:
    """Fetch a published cohort: licence first, resumable, verified, in BIDS layout, under DVC, into the ledger."""
    from flows.fetch import fetch_cohort
    from flows.published import describe

    print(describe(name, base_url)["text"], file=sys.stderr)
    result = fetch_cohort(
        name,
        accept=accept_licence,
        address=base_url,
        checksums=checksums,
        folder=folder,
        only=names_in(only),
        corrections=corrections,
        as_name=as_name,
        task=task,
    )
    show(result, as_json, result.pop("text"))


@cohort_app.command("list", epilog="Example: ictal cohort list --json")
def cohort_list(as_json: Json = False) -> None:
    """List the published cohorts that can be fetched, and which of them are here."""
    from flows.published import list_cohorts

    result = list_cohorts()
    show(result, as_json, result.pop("text"))
