"""What came of a patient: recordings, data sets, models and the part the patient played in each, answers, exports."""

from collections.abc import Iterator, Mapping
from functools import cache, partial
from typing import Any

from flows import books, windows_answered
from flows.audit_diff import split_of
from flows.listing import SHOWN, older
from flows.patients import Patient, find_patient
from flows.promote import list_candidates
from flows.workspace import open_workspace
from lineage import graph
from lineage.digest import Digest
from lineage.graph import Node
from lineage.ledger import Entry, Ledger

ROLES = {"train": "trained on", "inner_valid": "tuned on", "test": "tested on"}
"""The folds' parts in an auditor's words; the first that holds says what a model owes to the patient."""

LEARNT = "learnt from beforehand"

NEVER_PROPOSED = "never proposed"


def impact(name: str, limit: int | None = SHOWN) -> dict[str, Any]:
    """Everything that came of a person, at every site and under every patient id; of predictions about them the newest
    `limit`, and how many there are."""
    workspace = open_workspace()
    ledger = books.books_of(workspace)
    return impact_of(ledger, find_patient(workspace, ledger, name), limit)


def impact_of(ledger: Ledger, patient: Patient, limit: int | None = None) -> dict[str, Any]:
    """The same of a person who was found already."""
    known = _known(ledger, patient)
    hung = [one for digest in known for _, one in graph.hanging(ledger, digest, ("contains",))]
    datasets = {node.digest: node for node in hung}
    about = graph.predictions_of(ledger, known, limit=limit)
    models = models_of(ledger, patient)
    found = {
        "person": patient.person,
        "patients": sorted(f"{cohort}/{id}" for cohort, id in patient.ids),
        "sites": sorted({r.site for r in patient.recordings if r.site}),
        "recordings": [{**r.in_short(), "registered": r.digest in known} for r in patient.recordings],
        "datasets": [books.in_short(n) for n in datasets.values()],
        "models": models,
        "predictions_about": [books.in_short(one.node) for one in about],
        "predictions_about_count": graph.count_predictions(ledger, known),
        "exports": _exports(ledger, patient),
        "withdrawals": [e.recorded_at.isoformat(timespec="seconds") for e in withdrawals(ledger, patient.person)],
    }
    return {**found, "text": "\n".join(_lines(found))}


def withdrawals(ledger: Ledger, person: str) -> list[Entry]:
    """Every time this person's consent was withdrawn."""
    return [e for e in ledger.entries("consent.withdrawn") if any(s.id == person for s in e.subjects)]


def models_of(ledger: Ledger, patient: Patient) -> list[dict[str, Any]]:
    """Each model that a person was trained, tuned or tested on, with what was approved, deployed and answered."""
    proposed = {c["candidate"]: c for c in list_candidates()["candidates"]}
    roles = {digest: found for digest, found in _roles(ledger, patient) if found}
    return [_model(ledger, graph.node(ledger, digest), found, proposed.get(digest)) for digest, found in roles.items()]


def _roles(ledger: Ledger, patient: Patient) -> Iterator[tuple[Digest, list[str]]]:
    """Of every model in the ledger the parts that a person played, the weightiest first."""
    before = {run.digest for r in _known(ledger, patient) for _, run in graph.hanging(ledger, r, ("learnt_from",))}
    divided_as = cache(partial(split_of, ledger))  # hundreds of runs have one split, and its data set may be large
    for entry in ledger.entries("run.finished"):
        log = (ledger.payload(entry.payload_digest) if entry.payload_digest else None) or {}
        if "runs" not in log or "split" not in log:
            continue
        split, recordings = divided_as(log["split"])
        theirs = {
            n for n, digest in recordings.items() if digest in patient.digests and log.get("clips", {n: 1}).get(n)
        }
        begun = [LEARNT] if any(e.relation == "begun_with" and e.parent in before for e in entry.edges) else []
        for fold in log["runs"]:
            if split and fold.get("bundle"):
                divided: Mapping[str, list[str]] = split["folds"][fold["fold"]]
                yield fold["bundle"], [*begun, *(word for part, word in ROLES.items() if theirs & set(divided[part]))]


def _known(ledger: Ledger, patient: Patient) -> list[Digest]:
    """Those of their recordings that the ledger knows."""
    return [digest for digest in sorted(patient.digests) if graph.find(ledger, digest)]


def _model(ledger: Ledger, model: Node, roles: list[str], candidate: dict[str, Any] | None) -> dict[str, Any]:
    hung = graph.hanging(ledger, model.digest, ("approves", "serves", "revokes"))
    by = {
        relation: [books.in_short(n) for r, n in hung if r == relation]
        for relation in ("approves", "serves", "revokes")
    }
    return {
        **books.in_short(model),
        "roles": roles,
        "role": roles[0] + (" only" if len(roles) == 1 and roles[0] != ROLES["train"] else ""),
        "state": _state(candidate, bool(by["revokes"])),
        "task": candidate["task"] if candidate else "",
        "approvals": by["approves"],
        "deployments": by["serves"],
        "predictions": graph.count_predictions(ledger, [model.digest]),
        "windows": windows_answered.summed(graph.windows_of(ledger, [model.digest])),
    }


def _state(candidate: dict[str, Any] | None, revoked: bool) -> str:
    if revoked:
        return "revoked"
    return f"{candidate['state']} {candidate['ended']}".strip() if candidate else NEVER_PROPOSED


def _exports(ledger: Ledger, patient: Patient) -> list[dict[str, Any]]:
    """What left the house with recordings of theirs, by the names that the recordings have here."""
    found = []
    for entry in ledger.entries("data.exported"):
        names = (ledger.payload(entry.payload_digest) or {}).get("names", {})
        subject = entry.subjects[0]
        theirs = sorted(
            r.name for r in patient.recordings if r.name in names and subject.id.endswith(f" of {r.cohort}")
        )
        if theirs:
            at = entry.recorded_at.isoformat(timespec="seconds")
            found.append({"export": subject.id, "digest": subject.digest, "recordings": theirs, "at": at})
    return found


def _lines(found: dict[str, Any]) -> list[str]:
    lines = [f"person {found['person']}: {', '.join(found['patients']) or 'no longer in any cohort'}"]
    lines[0] += f" at {', '.join(found['sites'])}" * bool(found["sites"])
    lines += [f"consent withdrawn at {at}" for at in found["withdrawals"]]
    lines += [f"recording {_where(r)}  {r['digest'][:12]}" for r in found["recordings"]]
    lines += [f"data set {d['label']}  {d['digest'][:12]}" for d in found["datasets"]]
    for model in found["models"]:
        lines.append(f"model {model['label']} {model['digest'][:12]}: {model['role']}; {model['state']}")
        lines += [f"  approved: {a['label']} {a['digest'][:12]}" for a in model["approvals"]]
        lines += [f"  deployed: {d['label']}" for d in model["deployments"]]
        if model["predictions"]:
            lines.append(f"  {model['predictions']} predictions were made with it")
        if model["windows"]["answers"]:
            lines += [f"  {line}" for line in windows_answered.lines_of(model["windows"])]
    lines += [f"exported: {e['export']} at {e['at']}" for e in found["exports"]]
    lines.append(f"{found['predictions_about_count']} predictions are about recordings of this person")
    lines += [f"  {p['label']} {p['digest'][:12]}" for p in found["predictions_about"]]
    lines += older(found["predictions_about_count"], len(found["predictions_about"]))
    return lines


def _where(recording: dict[str, Any]) -> str:
    here = "" if recording["here"] else " (its bytes are not here)"
    place = f"{recording['cohort']}/" if recording["cohort"] else ""
    return f"{place}{recording['recording']}{here}"
