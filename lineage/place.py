"""Where the ledger of a workspace is kept, and by which id the two know each other. Imports no database, since every
command asks."""

import json
import os
from pathlib import Path

LEDGER = "ICTAL_LEDGER"
"""The setting that names another place for the ledger than the workspace's own file: a `postgresql://` URL."""

MARKER = "workspace.json"


def ledger_place(home: Path) -> Path | str:
    """The URL that ICTAL_LEDGER gives, or the file in the workspace `home`."""
    return os.environ.get(LEDGER) or home / "ledger" / "ledger.db"


def workspace_id(home: Path) -> str:
    """What the workspace in `home` is called in its ledger; empty for one of an earlier release, and where there is none."""
    try:
        return str(json.loads((home / MARKER).read_text()).get("id", ""))
    except (OSError, ValueError, AttributeError):
        return ""
