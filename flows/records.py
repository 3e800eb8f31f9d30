"""What each step writes in the ledger, so that any prediction can be followed back to the raw bytes."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from data.cohorts.bids import Entry as CohortEntry
from data.cohorts.bids import read_cohort
from flows.stages.files import (
    accepted,
    cohort_of,
    dataset_digest,
    development,
    digest_of_entry,
    evaluation_of,
    holdout,
    pretraining_log,
    read_json,
    splits,
    training_of,
)
from flows.workspace import Workspace, checkout_state, lock_digest
from lineage.circumstances import made_in
from lineage.digest import Digest, digest_of, sha256_file
from lineage.ledger import Actor, Draft, Edge, Entry, Ledger, Software, Subject
from lineage.refused import Refused
from validation.leakage import Leak

PIPELINE = Actor("pipeline", "Ictal pipeline", "service", auth_method="local")

DEVELOPMENT = " (development)"
"""What the name of the part of a cohort that may be learnt from ends with."""


def open_ledger(workspace: Workspace) -> Ledger:
    """The workspace's ledger, written by the code that runs now."""
    state = checkout_state()
    return Ledger(workspace.ledger_place, Software(state["commit"], lock_digest(), state["dirty"]), workspace.id)


def record_cohort(workspace: Workspace) -> int:
    """Register every recording that the ledger does not know yet, and of whom it is; returns how many were new."""
    ledger = open_ledger(workspace)
    known = {s.digest for e in ledger.entries("recording.registered") for s in e.subjects}
    cohort = cohort_of(workspace)
    digests = {e.name: digest_of_entry(e) for e in cohort.entries}
    drafts = [registration(e, digests[e.name]) for e in cohort.entries if digests[e.name] not in known]
    ledger.append_many(drafts)
    return len(drafts)


def person_subject(person: str) -> Subject:
    """Somebody who was recorded, by their pseudonym: one person at two sites is one thing of the lineage."""
    return Subject("person", person, digest_of({"person": person}))


def registration(entry: CohortEntry, digest: Digest) -> Draft:
    """The line that a recording came, and of whom it is."""
    recording, person = Subject("recording", entry.name, digest), person_subject(entry.person)
    edges = (Edge(recording.digest, "recorded_from", person.digest),)
    return Draft("recording.registered", PIPELINE, (recording, person), f"from {entry.site}", edges=edges)


def knows_recordings(workspace: Workspace, cohort: Path) -> bool:
    """Whether every recording of a cohort is registered, by its name; ingest registers them last of all."""
    known = {s.id for e in open_ledger(workspace).entries("recording.registered") for s in e.subjects}
    return {e.name for e in read_cohort(cohort, workspace.modality).entries} <= known


def licence_accepted(workspace: Workspace, terms: Digest) -> bool:
    """Whether somebody accepted these very terms before."""
    return bool(open_ledger(workspace).entries("licence.accepted", terms))


def record_licence(workspace: Workspace, terms: Digest, stated: Mapping[str, str], how: str) -> None:
    """Write that whoever works here accepted a published cohort's licence, and how they said so."""
    what = Subject("licence", f"{stated['cohort']}: {stated['licence']}", terms)
    actor = Actor("operator", "whoever fetched the cohort", "operator", auth_method=how)
    open_ledger(workspace).append_many([Draft("licence.accepted", actor, (what,), payload=stated)])


def record_checks(workspace: Workspace) -> None:
    """Write what was quarantined, and the validation run with the dataset that was frozen; or that it failed, and why."""
    ledger = open_ledger(workspace)
    folder = workspace.interim / "checks"
    verdicts = read_json(folder / "verdicts.json")
    refused = [v for v in verdicts if v["outcome"] == "quarantined"]
    digests = dataset_digest(cohort_of(workspace), [v["recording"] for v in verdicts])
    for verdict in refused:
        what = Subject("recording", verdict["recording"], digests[verdict["recording"]])
        why = "; ".join(dict.fromkeys(r["code"] for r in verdict["reasons"]))
        _once(ledger, Draft("recording.quarantined", PIPELINE, (what,), why, {"verdict": verdict}))
    dataset, kept = frozen_data(workspace)
    outcome = {"accepted": len(kept), "quarantined": [v["recording"] for v in refused]}
    if not kept:
        _record_failure(ledger, outcome | {"blocked": read_json(folder / "gx.json")["blocked"]}, verdicts, digests)
        return
    run = Subject("validation", "great-expectations", sha256_file(folder / "gx.json"))
    contains = tuple(Edge(dataset.digest, "contains", d) for d in sorted(set(kept.values())))
    _once(ledger, Draft("dataset.frozen", PIPELINE, (dataset,), payload={"recordings": kept}, edges=contains))
    edges = (Edge(dataset.digest, "checked_by", run.digest), *made_in(ledger, run.digest))
    _once(ledger, Draft("validation.passed", PIPELINE, (run,), payload=outcome, edges=edges))


def _record_failure(
    ledger: Ledger, outcome: dict[str, Any], verdicts: list[dict[str, Any]], digests: Mapping[str, Digest]
) -> None:
    """Checks that let nothing through, named by what they found of which bytes: DVC runs them again each time."""
    found = digest_of([verdicts, outcome["blocked"], dict(digests)])
    run = Subject("validation", "great-expectations", found)
    why = " ".join(r["sentence"] for r in outcome["blocked"]) or "No recording was accepted."
    _once(ledger, Draft("validation.failed", PIPELINE, (run,), why, outcome, made_in(ledger, run.digest)))


def record_split(workspace: Workspace) -> None:
    """Write each regime's split and the development data that it divides."""
    ledger = open_ledger(workspace)
    _record_locked(workspace, ledger)
    data = development_data(workspace)
    whole, _ = frozen_data(workspace)
    recordings = dataset_digest(cohort_of(workspace), [e.name for e in development(workspace)])
    part = () if whole.digest == data.digest else (Edge(data.digest, "part_of", whole.digest),)
    _once(ledger, Draft("dataset.frozen", PIPELINE, (data,), payload={"recordings": recordings}, edges=part))
    for regime, split in splits(workspace).items():
        subject = Subject("split", regime, split.digest)
        payload = {"reportable": split.reportable, "split": split.to_json()}
        _once(
            ledger,
            Draft(
                "split.created",
                PIPELINE,
                (subject,),
                payload=payload,
                edges=(Edge(split.digest, "divides", data.digest),),
            ),
        )


def locks(ledger: Ledger) -> list[dict[str, Any]]:
    """Everything that was ever stated of who is locked away: persons, share, seed, budget."""
    entries = [e for e in ledger.entries("dataset.frozen") if e.payload_digest]
    stated = [ledger.payload(e.payload_digest) or {} for e in entries]
    return [payload for payload in stated if "locked_persons" in payload]


def holdout_budget(workspace: Workspace, ledger: Ledger) -> int:
    """How often the hold-out may be opened: the smallest number that was ever stated, since whoever has seen the answer
    may not ask for another question."""
    return min([workspace.params.holdout.budget, *(lock["lock"]["budget"] for lock in locks(ledger))])


def openings(ledger: Ledger) -> list[Entry]:
    """Every opening of the hold-out that the ledger knows of, for whatever detector or state of it."""
    return ledger.entries("holdout.opened")


def refuse_freed(workspace: Workspace) -> None:
    """Refuse to learn from anybody who was ever locked away, by their key or by the bytes of a recording of theirs."""
    before = locks(open_ledger(workspace))
    if not before:
        return
    learnt = [*development(workspace), *accepted(workspace, "pretraining")]
    for lock in before:
        freed = {e.person for e in learnt} & set(lock["locked_persons"])
        if freed:
            raise Refused(
                f"{len(freed)} persons of the locked hold-out would be learned from: set holdout.share and holdout.seed "
                f"in params.yaml back to {lock['lock']}"
            )
    bytes_locked = {digest for lock in before for digest in lock["recordings"].values()}
    renamed = {e.person for e in learnt if digest_of_entry(e) in bytes_locked}
    if renamed:
        raise Refused(
            f"{len(renamed)} persons would be learned from whose recordings lie in the locked hold-out, where the persons "
            "have other keys: give each the key they had (COHORT:sub-NNN where none was given) in a column person of "
            "participants.tsv, and import the cohort under another name"
        )


def _record_locked(workspace: Workspace, ledger: Ledger) -> None:
    locked = holdout(workspace)
    if locked:
        lock = workspace.params.holdout.model_dump()
        recordings = dataset_digest(cohort_of(workspace), [e.name for e in locked])
        subject = Subject("dataset", f"{workspace.cohort_name} (locked hold-out)", digest_of(recordings))
        payload = {"recordings": recordings, "locked_persons": sorted({e.person for e in locked}), "lock": lock}
        _once(ledger, Draft("dataset.frozen", PIPELINE, (subject,), payload=payload))


def record_pretraining(workspace: Workspace, detector: str) -> None:
    """Write what a detector learnt beforehand, and from which recordings; nothing of one that does not."""
    found = _pretraining_run(workspace, detector)
    if found:
        run, log = found
        ledger, recordings = open_ledger(workspace), sorted(set(log["recordings"].values()))
        learnt = tuple(Edge(run.digest, "learnt_from", digest) for digest in recordings)
        edges = (*learnt, *made_in(ledger, run.digest))
        _once(ledger, Draft("run.finished", PIPELINE, (run,), payload=log, edges=edges))


def _pretraining_run(workspace: Workspace, detector: str) -> tuple[Subject, dict[str, Any]] | None:
    log = pretraining_log(workspace, detector)
    return (Subject("run", f"pretrain {detector}", digest_of(log)), log) if log else None


def record_training(workspace: Workspace, detector: str, regime: str) -> None:
    """Write a training run with the model of every fold; leaky controls leave no model."""
    ledger = open_ledger(workspace)
    run, log = training_run(workspace, detector, regime)
    before = _pretraining_run(workspace, detector)
    edges = (
        Edge(run.digest, "split_by", log["split"]),
        *((Edge(run.digest, "begun_with", before[0].digest),) if before else ()),
        *made_in(ledger, run.digest),
    )
    _once(ledger, Draft("run.finished", PIPELINE, (run,), payload=log, edges=edges))
    for fold in log["runs"]:
        if bundle := fold.get("bundle"):
            model = Subject("model", f"{detector} {_under(regime)}fold {fold['fold']}", bundle)
            made = (Edge(bundle, "made_by", run.digest),)
            _once(ledger, Draft("run.finished", PIPELINE, (model,), payload=fold, edges=made))


@contextmanager
def leaks_recorded(workspace: Workspace, what: str) -> Iterator[None]:
    """Write a Leak of the block into the ledger, with all that the audit found, and raise it on. Nothing is written
    where there is no ledger, or no whole audit was made."""
    try:
        yield
    except Leak as leak:
        if leak.audit is not None and workspace.has_ledger:
            found, split = leak.audit.digest, leak.audit.split_digest
            subjects = (Subject("leakage audit", what, found), Subject("split", what, split))
            edges = (Edge(found, "audits", split),)
            draft = Draft(
                "split.audit_failed", PIPELINE, subjects, leak.guard, payload=leak.audit.to_json(), edges=edges
            )
            _once(open_ledger(workspace), draft)
        raise


def record_evaluation(workspace: Workspace, detector: str, regime: str) -> None:
    """Write an evaluation with its scores, and what made the predictions: models, or the run of a leaky control."""
    ledger = open_ledger(workspace)
    result = evaluation_of(workspace, detector, regime) / "result.json"
    subject = Subject("evaluation", f"{detector} {_under(regime)}".strip(), sha256_file(result))
    run, log = training_run(workspace, detector, regime)
    models = [fold["bundle"] for fold in log["runs"] if "bundle" in fold]
    metrics = read_json(workspace.metrics / f"{detector}-{regime}.json")
    evaluated = tuple(Edge(subject.digest, "evaluates", m) for m in dict.fromkeys(models or [run.digest]))
    edges = (*evaluated, *made_in(ledger, subject.digest))
    _once(ledger, Draft("evaluation.recorded", PIPELINE, (subject,), payload=metrics, edges=edges))


def record_reports(workspace: Workspace, names: Sequence[str]) -> None:
    """Write which report, page, gates and card came of each evaluation, so that none can be exchanged later."""
    ledger, folder = open_ledger(workspace), workspace.reports / "evaluation"
    for name in names:
        report = Subject("report", name, sha256_file(folder / f"{name}.json"))
        evaluation = sha256_file(evaluation_of(workspace, name, "patient") / "result.json")
        made = {"gates": sha256_file(folder / "gates.json"), "card": sha256_file(folder / f"{name}.card.md")}
        made["page"] = sha256_file(folder / f"{name}.html")
        edges = (Edge(report.digest, "reports", evaluation),)
        _once(ledger, Draft("evaluation.recorded", PIPELINE, (report,), payload=made, edges=edges))


def training_run(workspace: Workspace, detector: str, regime: str) -> tuple[Subject, dict[str, Any]]:
    """A training run as a thing with a digest, and its log."""
    log: dict[str, Any] = read_json(training_of(workspace, detector, regime) / "log.json")
    return Subject("run", f"train {detector} {_under(regime)}".strip(), digest_of(log)), log


def _under(regime: str) -> str:
    """Patients apart are what is meant where nothing is said."""
    return "" if regime == "patient" else f"({regime}) "


def development_data(workspace: Workspace) -> Subject:
    """The recordings that training and evaluation may see, as a thing with a digest."""
    recordings = dataset_digest(cohort_of(workspace), [e.name for e in development(workspace)])
    return Subject("dataset", f"{workspace.cohort_name}{DEVELOPMENT}", digest_of(recordings))


def frozen_data(workspace: Workspace) -> tuple[Subject, dict[str, str]]:
    """All recordings that the checks let through, as a thing with a digest, and the digest of each."""
    accepted = read_json(workspace.interim / "checks" / "accepted.json")
    kept = dataset_digest(cohort_of(workspace), accepted)
    return Subject("dataset", workspace.cohort_name, digest_of(kept)), kept


def made_cleanly(ledger: Ledger, digest: str) -> bool:
    """Whether some run from a clean checkout gave this thing: what a dirty one made cannot be made again by others."""
    return any(not entry.software.dirty for entry in ledger.entries("run.finished", digest))


def record_once(workspace: Workspace, draft: Draft) -> None:
    """Write a line unless it stands there already."""
    _once(open_ledger(workspace), draft)


def _once(ledger: Ledger, draft: Draft) -> None:
    """Append unless it stands there already: steps that are run again add no line.

    What was written from a dirty checkout is written once more when a clean one comes to the same.
    """
    content = None if draft.payload is None else digest_of(json.loads(json.dumps(dict(draft.payload))))
    for entry in ledger.entries(draft.type, draft.subjects[0].digest):
        same = content is None or entry.payload_digest == content
        if same and (ledger.software.dirty or not entry.software.dirty):
            return
    ledger.append_many([draft])
