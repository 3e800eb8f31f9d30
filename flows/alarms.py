"""Drift that is confirmed sets a retraining going: an event of a Prefect server, to which each alarm answers once."""

from collections.abc import Sequence
from typing import Any

from flows import records
from flows.pinboard import has_server, pin_page, pin_table
from flows.workspace import Workspace
from lineage.digest import Digest, digest_of
from lineage.entries import Entry
from lineage.ledger import Ledger

DRIFTED = "ictal.drift.alarm"
"""The event's name. Its resource is the workspace, its payload `alarm`, `sites` and `reason`."""


def announce(workspace: Workspace, found: dict[str, Any], lines: Sequence[Entry]) -> Digest | None:
    """Show how the sites stand, and tell the server of the confirmed alarms that stand in these `lines` of the ledger.

    Returns what the alarms are called together; None where none is confirmed, or where it was answered before.
    """
    _pin(workspace, found)
    confirmed = {site["site"] for site in found["sites"] if site["confirmed"]}
    alarms = [subject for line in lines if line.type == "drift.alarm" for subject in line.subjects]
    alarmed = [subject for subject in alarms if subject.id in confirmed]
    if not alarmed:
        return None
    alarm = digest_of(sorted(subject.digest for subject in alarmed))
    if answer_to(records.open_ledger(workspace), alarm):
        return None
    if has_server():
        _emit(workspace, alarm, [subject.id for subject in alarmed])
    return alarm


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


def _emit(workspace: Workspace, alarm: Digest, sites: Sequence[str]) -> None:
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
