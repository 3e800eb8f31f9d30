"""Drift that is confirmed sets a retraining going: an event of a Prefect server, to which each alarm answers once."""

from collections.abc import Sequence
from typing import Any

from flows import records
from flows.pinboard import has_server, pin_page, pin_table
from flows.workspace import Workspace
from lineage.digest import Digest
from lineage.ledger import Ledger, Subject

DRIFTED = "ictal.drift.alarm"
"""The event's name. Its resource is the workspace, its payload `alarm` (one or more, see `named_in`), `sites` and `reason`."""

SEPARATOR = ","


def announce(workspace: Workspace, found: dict[str, Any], confirmed: Sequence[Subject]) -> str:
    """Show how the sites stand, and tell the server of those `confirmed` alarms that no retraining has answered: again each
    time, so that one that was not told, or whose retraining was lost, is told by the next watch.

    Returns their digests as a retraining is told them (`named_in`); empty where none is left.
    """
    _pin(workspace, found)
    ledger = records.open_ledger(workspace)
    waiting = [alarm for alarm in confirmed if not answer_to(ledger, alarm.digest)]
    alarm = SEPARATOR.join(subject.digest for subject in waiting)
    if waiting and has_server():
        _emit(workspace, alarm, [subject.id for subject in waiting])
    return alarm


def named_in(alarm: str) -> list[Digest]:
    """The alarms that one event tells of, by the digests of their subjects in the ledger."""
    return alarm.split(SEPARATOR) if alarm else []


def answer_to(ledger: Ledger, alarm: Digest) -> Digest:
    """The candidate that the retraining for an alarm ended in; empty where none has ended yet."""
    for line in ledger.entries("run.finished", alarm):
        answered = ledger.payload(line.payload_digest) if line.payload_digest else None
        if answered and "candidate" in answered:
            return str(answered["candidate"])
    return ""


def resource_of(workspace: Workspace) -> str:
    """What events of a workspace are about, as Prefect names things."""
    return f"ictal.workspace.{workspace.id}"


def _emit(workspace: Workspace, alarm: str, sites: Sequence[str]) -> None:
    from prefect.events import emit_event

    emit_event(
        event=DRIFTED,
        resource={"prefect.resource.id": resource_of(workspace), "prefect.resource.name": workspace.root.name},
        payload={"alarm": alarm, "sites": list(sites), "reason": f"drift at {', '.join(sites)}"},
    )


def _pin(workspace: Workspace, found: dict[str, Any]) -> None:
    rows = [
        {
            "site": site["site"],
            "state": site["state"],
            "causes": ", ".join(site["causes"]),
            "confirmed": ("yes" if site["confirmed"] else f"no: {site['doubt']}") if site["since"] else "",
            "patients": site["patients"],
            "before": site["reference_patients"],
        }
        for site in found["sites"]
    ]
    pin_table(workspace, "sites", rows, found["headline"])
    pin_page(workspace, "drift", workspace.reports / "drift" / "index.html", "Sites, patient by patient")
