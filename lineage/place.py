"""Where the ledger of a workspace is kept. Imports no database, since every command asks."""

import os
from pathlib import Path

LEDGER = "ICTAL_LEDGER"
"""The setting that names another place for the ledger than the workspace's own file: a `postgresql://` URL."""


def ledger_place(home: Path) -> Path | str:
    """The URL that ICTAL_LEDGER gives, or the file in the workspace `home`."""
    return os.environ.get(LEDGER) or home / "ledger" / "ledger.db"
