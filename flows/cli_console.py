"""The commands that open the console; `ictal audit serve` and `ictal console` are the same."""

from typing import Annotated

import typer

console_app = typer.Typer()
audit_console_app = typer.Typer()
Port = Annotated[int, typer.Option(min=0, max=65535, help="Where it listens on 127.0.0.1; 0 takes a free port.")]


@audit_console_app.command("serve", epilog="Example: ictal audit serve --port 8010    (stop it with Ctrl-C)")
@console_app.command("console", epilog="Example: ictal console --port 8010    (stop it with Ctrl-C)")
def console(port: Port = 8010) -> None:
    """Show what this workspace holds and did, on this machine: recordings with what was said of them, runs, models, approvals,
    deployments, predictions back to raw bytes, drift, the ledger, consent, signing.

    Reading needs no log-in; a signature asks for passphrase and six-digit code. Nothing is loaded from elsewhere.
    """
    from flows.console import open_console

    open_console(port)
