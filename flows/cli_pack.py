"""Commands around the evidence pack; each imports its flow when it runs."""

from pathlib import Path
from typing import Annotated

import typer

from flows.terminal import Json, show

pack_app = typer.Typer()


@pack_app.command(
    "pack", epilog="Examples: ictal audit pack da_stnet · ictal audit pack 3f2a91 --out evidence.zip --with-weights"
)
def audit_pack(
    model: Annotated[str, typer.Argument(help="Digest of a candidate (or its beginning), or a detector in force.")],
    out: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False,
            help="The zip to write; in the workspace's reports/packs, named after the model, unless given.",
        ),
    ] = None,
    with_weights: Annotated[bool, typer.Option("--with-weights", help="Put the model's weights in as well.")] = False,
    as_json: Json = False,
) -> None:
    """Write everything that stands behind a model into one RO-Crate zip that can be checked offline.

    What is missing, or is not what the signers saw, stops the build and is named (exit code 2).
    """
    from flows.pack import pack_model

    result = pack_model(model, out, with_weights)
    show(result, as_json, result.pop("text"))


@pack_app.command("verify-pack", epilog="Example: ictal audit verify-pack ictal-da_stnet-3f2a91.zip --key platform.pub")
def audit_verify_pack(
    file: Annotated[
        Path, typer.Argument(exists=True, help="An evidence pack: the zip, or the folder it was unpacked to.")
    ],
    key: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="The platform's public key; this workspace's unless given."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check an evidence pack offline; exit code 1 where an item is missing, changed or not signed."""
    from flows.packing.check import verify_file

    result = verify_file(file, key)
    show(result, as_json, result.pop("text"))
    if not result["ok"]:
        raise typer.Exit(1)
