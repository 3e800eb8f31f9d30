"""Every night: is what was delivered usable, and is anybody still to sign?"""

from pathlib import Path
from typing import Any

from flows.check import check_all
from flows.engine import flow
from flows.ingest import ingest
from flows.pinboard import pin_page, pin_table
from flows.waiting import wait_for_all
from flows.workspace import open_workspace


@flow(name="nightly")
def nightly(home: str) -> dict[str, Any]:
    """Register what came in, judge every cohort, and look again at the candidates that wait for signatures."""
    workspace = open_workspace(Path(home))
    new = ingest(home)
    found = check_all(home)
    rows = [
        {"cohort": task, "recordings": own["recordings"], "accepted": own["accepted"], "codes": _codes(own)}
        for task, own in found.items()
    ]
    pin_table(workspace, "checks", rows, f"{new} new recordings")
    pin_page(workspace, "checks-page", workspace.reports / "checks.html", "What was put aside, and why")
    waiting = wait_for_all(workspace)
    return {"new": new, "cohorts": rows, "waiting": waiting}


def _codes(judged: dict[str, Any]) -> str:
    """How many recordings were put aside for which reason; not which ones."""
    codes = [reason["code"] for verdict in judged["quarantined"] for reason in verdict["reasons"][:1]]
    return ", ".join(f"{codes.count(code)} {code}" for code in sorted(set(codes)))
