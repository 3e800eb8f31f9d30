"""The signed report of a withdrawal: what was decided, what is gone, what was searched, what stays and why."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flows.audit_impact import withdrawals
from flows.authenticate import operator
from flows.backup import backups_holding
from flows.dvc_objects import Change
from flows.records import PIPELINE
from flows.searching import Found
from flows.stages.files import read_json, write_json
from flows.withdrawal_case import Case, payloads_ever, unfinished
from flows.workspace import Workspace, git
from lineage import dsse, graph
from lineage.digest import canonical, sha256_bytes
from lineage.keys import platform_key
from lineage.ledger import Draft, Edge, Subject

REPORT_TYPE = "application/vnd.ictal.withdrawal+json"
STAYS = (
    "figures of evaluations, gates, cards and reports in numbers, of models that were approved on them",
    "splits and logs of training: who trained whom, by pseudonym",
    "the digests in the ledger and in this report: the tombstone",
    "weights of the models, unless they are decided to be withdrawn or replaced",
)


def report_of(case: Case, gone: dict[str, int], found: Found, left: Change, unrevoked: list[str]) -> dict[str, Any]:
    """Everything about a withdrawal that somebody may ask for later; `clean` where nothing of the patient was found."""
    clean = found.nothing and not (left.renamed or unrevoked)
    return {
        "kind": "withdrawal of consent",
        "person": case.person,
        "reason": case.plan["reason"],
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "by": operator().id,
        "impact": case.plan["impact"],
        "decisions": case.plan["decisions"],
        "recordings": case.plan["recordings"],
        "gone": gone,
        "runs": unfinished(case)["runs"],
        "search": found.to_json(),
        "lists_of_dvc_that_name_them": len(left.renamed),
        "still_to_be_revoked": unrevoked,
        "backups_that_hold_payloads": backups_holding(case.ledger, payloads_ever(case)),
        "git": _git(case.workspace),
        "stays": list(STAYS),
        "clean": clean,
    }


def _git(workspace: Workspace) -> str:
    """Git keeps digests and settings only; told of the history as it is, not as it is meant to be."""
    named = {line for line in git(workspace, "log", "--all", "--name-only", "--format=").splitlines() if line}
    held = sorted(
        n for n in named if n.startswith(("data/", "store/", "reports/", "ledger/")) and not n.endswith(".dvc")
    )
    held = [n for n in held if not n.startswith("reports/metrics/")]
    if held:
        return f"the history of the workspace's Git repository holds {len(held)} files of data or reports: look at {held[0]}"
    return f"no patient's bytes are in the history of the workspace's Git repository ({len(named)} files): digests, settings, figures"


def save(case: Case, report: dict[str, Any]) -> Path:
    """The report under the platform's signature, and its line in the ledger."""
    content = canonical(report)
    digest = sha256_bytes(content)
    path = case.unfinished.parent / f"{report['at'][:10]}-{digest[:12]}.json"
    (path.with_suffix(".txt")).write_text("\n".join(in_words(report)) + "\n")
    write_json(path, dsse.envelope(platform_key(case.workspace.keys), REPORT_TYPE, content))
    enter(case, report)
    return path


def enter(case: Case, report: dict[str, Any]) -> None:
    """The report's line in the ledger, unless it stands there."""
    subject = Subject("withdrawal report", case.person, sha256_bytes(canonical(report)))
    if graph.find(case.ledger, subject.digest):
        return
    begun = withdrawals(case.ledger, case.person)[-1].subjects[0].digest
    edges = (Edge(subject.digest, "reports", begun),)
    payload = {"clean": report["clean"], "gone": report["gone"]}
    case.ledger.append_many([Draft("erase.executed", PIPELINE, (subject,), case.plan["reason"], payload, edges)])


def reported(case: Case) -> Path | None:
    """The last report of this withdrawal that says that all is gone."""
    folder = case.unfinished.parent
    reports = [(p, json.loads(dsse.payload_of(read_json(p)))) for p in sorted(folder.glob("[0-9]*.json"))]
    mine = [(report["at"], p) for p, report in reports if report["person"] == case.person and report["clean"]]
    return max(mine)[1] if mine else None


def backups_in_words(backups: Sequence[dict[str, Any]]) -> list[str]:
    """Of each backup that still holds a payload a line with what to do."""
    return [
        f"backup {b['backup']} {b['digest'][:12]} of {b['at'][:10]} still holds the payload: destroy it, then say "
        f"`ictal audit backup-destroyed {b['digest'][:12]} --reason …`"
        for b in backups
    ]


def in_words(report: dict[str, Any]) -> list[str]:
    """The report in lines: who, why, decisions on models, what is gone, what was searched and found, what stays."""
    gone, found = report["gone"], report["search"]
    lines = [f"consent of {report['person']} is withdrawn: {report['reason']}"]
    lines += [
        f"model {d['label']} {d['digest'][:12]} ({d['role']}; {d['state']}): {d['decision']}"
        for d in report["decisions"]
    ]
    lines.append(
        f"gone: {gone['files']} files ({gone['bytes'] / 1e6:.1f} MB), rows of {gone['lists']} lists, {gone['objects']} objects "
        f"of DVC, {gone['payloads']} payloads, {gone['answers']} saved answers, {gone.get('facts', 0)} rows of facts about answers"
    )
    if report["runs"] > 1:
        lines.append(
            f"it took {report['runs']} runs: what is gone is counted of the last, what was searched is everything"
        )
    how = f"{found['files']} files ({found['size'] / 1e6:.0f} MB) searched by SHA-256, MD5 and {found['pieces']} pieces of the bytes, tables by whose rows they hold"
    lines.append(
        f"{how}: " + ("NOT ALL IS GONE" if found["same"] or found["named"] or found["holding"] else "nothing was found")
    )
    lines += [f"  found again: {place}" for kind in ("same", "named", "holding") for place in found[kind]]
    lines += [
        f"  a table that cannot be read: its bytes were searched, its rows were not; look at {place}, or remove it"
        for place in found.get("unread", ())
    ]
    lines += [f"remote {name}: all its objects searched by name" for name in found["remotes"]]
    lines += backups_in_words(report["backups_that_hold_payloads"])
    lines += report["still_to_be_revoked"]
    return [*lines, report["git"], *(f"stays: {what}" for what in report["stays"])]
