"""Where the workspace is and where its ledger is kept, and by which id the two know each other. Imports no database, since
every command asks, and a shell that completes one too."""

import json
import os
from pathlib import Path

from lineage.refused import Refused

LEDGER = "ICTAL_LEDGER"
"""The setting that names another place for the ledger than the workspace's own file: a `postgresql://` URL."""

MARKER = "workspace.json"


def home() -> Path:
    """Where the workspace is: ICTAL_HOME, or `.ictal` in the checkout."""
    chosen = os.environ.get("ICTAL_HOME")
    return Path(chosen).resolve() if chosen else Path(__file__).resolve().parents[1] / ".ictal"


def ledger_place(home: Path) -> Path | str:
    """The URL that ICTAL_LEDGER gives, or the file in the workspace `home`."""
    return os.environ.get(LEDGER) or home / "ledger" / "ledger.db"


def workspace_id(home: Path) -> str:
    """What the workspace in `home` is called in its ledger; empty for one of an earlier release, and where there is none.
    Refuses (Refused) a workspace.json that cannot be read: it may belong to another ledger."""
    try:
        return str(json.loads((home / MARKER).read_text()).get("id", ""))
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, AttributeError) as error:
        raise Refused(
            f"{MARKER} of this workspace cannot be read ({type(error).__name__}), and with it not which ledger is its own: "
            "put it back from Git or from a copy, or give this account leave to read it"
        ) from error
