"""Which site is answered, and by which models: by the ledger's lines alone, the last of which counts.

A model is in force for a task, or on trial beside that: as a canary, which answers some sites, or as a shadow, which answers
nobody and is written down. That it may answer at all is another question: see `lineage.lifecycle` and approvals.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lineage.digest import Digest
from lineage.entries import Edge, Entry, EntryType, Subject
from lineage.ledger import Ledger

SITE, TASK, SHARE = "site", "task", "share"
"""Kinds of subjects of a line about a deployment, beside the deployment itself."""

TRIALS = {EntryType.DEPLOYMENT_CANARY: "canary", EntryType.DEPLOYMENT_SHADOW: "shadow"}
IN_FORCE = (EntryType.DEPLOYMENT_PROMOTED, EntryType.DEPLOYMENT_ROLLED_BACK)
ENDS = (*IN_FORCE, EntryType.DEPLOYMENT_ENDED)
"""What ends the trials of its task: another model in force ends them too."""
SERVICE = (EntryType.DEPLOYMENT_STOPPED, EntryType.DEPLOYMENT_RESUMED)
LINES = (*TRIALS, *ENDS, *SERVICE)
"""All lines by which `deployments` goes: where there is no new one, it would say the same again."""


@dataclass(frozen=True)
class Trial:
    """A model on trial: at these `sites` as a canary, or with this `share` of the requests as a shadow."""

    bundle: Digest
    record: Digest
    sites: tuple[str, ...] = ()
    share: float = 0.0


@dataclass(frozen=True)
class Deployments:
    """Stopped sites with the reasons, and what is on trial by kind (`canary`, `shadow`) and task."""

    stopped: Mapping[str, str] = field(default_factory=dict)
    trials: Mapping[tuple[str, str], Trial] = field(default_factory=dict)


def deployments(ledger: Ledger) -> Deployments:
    """What the ledger says now."""
    stopped: dict[str, str] = {}
    trials: dict[tuple[str, str], Trial] = {}
    for line in ledger.entries(LINES):
        if line.type is EntryType.DEPLOYMENT_STOPPED:
            stopped |= dict.fromkeys(named(line, SITE), line.reason)
        elif line.type is EntryType.DEPLOYMENT_RESUMED:
            stopped = {site: reason for site, reason in stopped.items() if site not in named(line, SITE)}
        elif line.type in ENDS:
            trials = {key: trial for key, trial in trials.items() if key[1] not in named(line, TASK)}
        else:
            trials |= dict.fromkeys(((TRIALS[line.type], task) for task in named(line, TASK)), _trial(line))
    return Deployments(stopped, trials)


def stopped(ledger: Ledger) -> Mapping[str, str]:
    """Every site that was stopped and not resumed since, with the reason that was given."""
    return deployments(ledger).stopped


def named(line: Entry, kind: str) -> tuple[str, ...]:
    """What a line says of one kind: its sites, its task, its share."""
    return tuple(subject.id for subject in line.subjects if subject.kind == kind)


def what(task: str, *, sites: tuple[str, ...] = (), share: float | None = None) -> tuple[Subject, ...]:
    """The subjects by which a line about a deployment says for what it is."""
    shares = () if share is None else (Subject(SHARE, f"{share:g}"),)
    return (Subject(TASK, task), *(Subject(SITE, site) for site in sites), *shares)


def of_line(line: Entry) -> tuple[Digest, Digest]:
    """The bundle that a line deploys, and the approval record that permits it; KeyError for a line that deploys
    none."""
    leads = {edge.relation: edge.parent for edge in line.edges}
    return leads["serves"], leads["permitted_by"]


def edges(deployment: Digest, bundle: Digest, record: Digest) -> tuple[Edge, ...]:
    """The inverse of `of_line`."""
    return Edge(deployment, "serves", bundle), Edge(deployment, "permitted_by", record)


def _trial(line: Entry) -> Trial:
    share = named(line, SHARE)
    return Trial(*of_line(line), named(line, SITE), float(share[0]) if share else 0.0)
