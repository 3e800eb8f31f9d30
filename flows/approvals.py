"""Every approval as it is to be shown: for whom, until when, in spite of what, and who signed it (21 CFR 11.50)."""

from datetime import UTC, datetime
from typing import Any

from data.ages import describe_ages
from flows import records
from flows.authenticate import attested
from flows.terminal import in_columns
from flows.workspace import Workspace, open_workspace
from lineage.approvals import Approval, read_revocations, recorded, refusals
from lineage.lifecycle import IN_FORCE, Steps, standing
from lineage.people import People
from lineage.refused import Refused
from serving.terms import revocations_folder


def list_approvals(named: str = "") -> dict[str, Any]:
    """The approvals of the ledger, or those of the models or records that begin like this, with what is against each.
    Refused where `named` is given and no approval begins so."""
    workspace, now = open_workspace(), datetime.now(UTC)
    ledger, people = records.open_ledger(workspace), attested(workspace)
    steps = Steps(ledger)
    signed = dict.fromkeys(e.subjects[0].digest for e in ledger.entries("approval.signed"))
    found = [recorded(ledger, record) for record in signed]
    chosen = [a for a in found if any(d.startswith(named) for d in (a.record.digest, a.record.bundle_digest))]
    if named and not chosen:
        raise Refused(f"no approval of a model or record begins with {named[:16]!r}; see `ictal approvals`")
    rows = [_row(workspace, steps, people, approval, now) for approval in chosen]
    heads = in_columns([_head(row) for row in rows])
    lines = [
        line
        for head, row in zip(heads, rows, strict=True)
        for line in (head, *(f"    {t}" for t in terms_in_words(row)))
    ]
    return {"approvals": rows, "text": "\n".join(lines) or "nobody has signed anything yet: `ictal approve`"}


def terms_of(approval: Approval) -> dict[str, Any]:
    """Scope, time, deviations and signatures of an approval as plain values."""
    record = approval.record
    values = {key: value for key, value in record.values().items() if key in TERMS}
    return {**values, "signatures": [{**vars(s), "shown": s.manifestation()} for s in approval.signatures]}


TERMS = ("scope", "not_before", "not_after", "author", "deviations")


def terms_in_words(terms: dict[str, Any] | None) -> list[str]:
    """The same in lines for people; none where nobody has signed."""
    if terms is None:
        return []
    scope = terms["scope"]
    where = f"sites {', '.join(scope['sites'])}; ages {describe_ages(*scope['age_days'])}; montage {', '.join(scope['montages'])}"
    when = f"from {terms['not_before'][:16]} to {terms['not_after'][:16]} UTC; author {terms['author']}"
    return [where, when, *_deviations_in_words(terms), *(s["shown"] for s in terms["signatures"])]


def _deviations_in_words(terms: dict[str, Any]) -> list[str]:
    """Who signed them, once, and below it each reason with the gates that it is given for."""
    gates: dict[str, list[str]] = {}
    for deviation in terms["deviations"]:
        gates.setdefault(deviation["justification"], []).append(deviation["gate"])
    if not gates:
        return []
    many = len(terms["deviations"])
    signed = ", ".join(f"{s['person_id']} ({s['meaning']})" for s in terms["signatures"])
    head = f"{many} deviation{'' if many == 1 else 's'}, signed by {signed}:"
    return [head, *(f"  {', '.join(named)}: {why}" for why, named in gates.items())]


def _row(workspace: Workspace, steps: Steps, people: People, approval: Approval, now: datetime) -> dict[str, Any]:
    record = approval.record
    stands = standing(steps, record.bundle_digest, record.digest)
    against = refusals(
        approval,
        people,
        site=record.scope.sites[0],
        now=now,
        bundle_digest=record.bundle_digest,
        revoked=read_revocations(revocations_folder(workspace.root)),
        allow_demo=workspace.is_demo,
    )
    if stands.ended and not any("revoked" in fault for fault in against):
        against.append(stands.ended)
    named = {"record": record.digest, "candidate": record.bundle_digest, "detector": record.name}
    in_force = not against and stands.state in IN_FORCE
    return {**named, "state": stands.state, "in_force": in_force, "against": against, **terms_of(approval)}


def _head(row: dict[str, Any]) -> tuple[str, ...]:
    against = "in force" if row["in_force"] else "not in force" + "".join(f"; {fault}" for fault in row["against"])
    return row["candidate"][:12], row["detector"], row["state"], f"record {row['record'][:12]}", against
