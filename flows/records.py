"""What each step writes in the ledger, so that any prediction can be followed back to the raw bytes."""

import json

from data.cohorts.bids import read_cohort
from flows.stages.files import dataset_digest, development, read_json, splits
from flows.workspace import Workspace, checkout_state, lock_digest
from lineage.digest import digest_of, sha256_file
from lineage.ledger import Actor, Draft, Edge, Ledger, Software, Subject

PIPELINE = Actor("pipeline", "Ictal pipeline", "service", auth_method="local")


def open_ledger(workspace: Workspace) -> Ledger:
    """The workspace's ledger, written by the code that runs now."""
    state = checkout_state()
    return Ledger(workspace.ledger, Software(state["commit"], lock_digest(), state["dirty"]))


def record_cohort(workspace: Workspace) -> int:
    """Register every recording that the ledger does not know yet; returns how many were new."""
    ledger = open_ledger(workspace)
    known = {s.digest for e in ledger.entries("recording.registered") for s in e.subjects}
    cohort = read_cohort(workspace.cohort)
    digests = {e.name: sha256_file(e.path) for e in cohort.entries}
    drafts = [
        Draft("recording.registered", PIPELINE, (Subject("recording", e.name, digests[e.name]),), f"from {e.site}")
        for e in cohort.entries
        if digests[e.name] not in known
    ]
    ledger.append_many(drafts)
    return len(drafts)


def record_checks(workspace: Workspace) -> str:
    """Write what was quarantined, the validation run and the dataset that was frozen; returns the dataset's digest."""
    ledger = open_ledger(workspace)
    folder = workspace.interim / "checks"
    verdicts = read_json(folder / "verdicts.json")
    refused = [v for v in verdicts if v["outcome"] == "quarantined"]
    digests = dataset_digest(read_cohort(workspace.cohort), [v["recording"] for v in verdicts])
    for verdict in refused:
        what = Subject("recording", verdict["recording"], digests[verdict["recording"]])
        why = "; ".join(dict.fromkeys(r["code"] for r in verdict["reasons"]))
        _once(ledger, Draft("recording.quarantined", PIPELINE, (what,), why, {"verdict": verdict}))
    dataset, kept = frozen_data(workspace)
    contains = tuple(Edge(dataset.digest, "contains", d) for d in sorted(set(kept.values())))
    _once(ledger, Draft("dataset.frozen", PIPELINE, (dataset,), payload={"recordings": kept}, edges=contains))
    run = Subject("validation", "great-expectations", sha256_file(folder / "gx.json"))
    outcome = {"accepted": len(kept), "quarantined": [v["recording"] for v in refused]}
    edges = (Edge(dataset.digest, "checked_by", run.digest),)
    _once(
        ledger,
        Draft("validation.passed" if kept else "validation.failed", PIPELINE, (run,), payload=outcome, edges=edges),
    )
    return dataset.digest


def record_split(workspace: Workspace) -> None:
    """Write each regime's split and the development data that it divides."""
    ledger = open_ledger(workspace)
    data = development_data(workspace)
    whole, _ = frozen_data(workspace)
    recordings = dataset_digest(read_cohort(workspace.cohort), [e.name for e in development(workspace)])
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


def record_training(workspace: Workspace, detector: str) -> None:
    """Write a training run with the model of every fold; leaky controls leave no model."""
    ledger = open_ledger(workspace)
    log = read_json(workspace.store / "training" / detector / "log.json")
    run = Subject("run", f"train {detector}", digest_of(log))
    used = [s.digest for s in splits(workspace).values()]
    _once(
        ledger,
        Draft(
            "run.finished", PIPELINE, (run,), payload=log, edges=tuple(Edge(run.digest, "split_by", d) for d in used)
        ),
    )
    for fold in log["runs"]:
        if bundle := fold.get("bundle"):
            model = Subject("model", f"{detector} fold {fold['fold']}", bundle)
            edges = (Edge(bundle, "made_by", run.digest),)
            _once(ledger, Draft("run.finished", PIPELINE, (model,), payload=fold, edges=edges))


def record_evaluation(workspace: Workspace, detector: str) -> None:
    """Write an evaluation with its scores, and the models that made the predictions."""
    ledger = open_ledger(workspace)
    result = workspace.interim / "evaluation" / detector / "result.json"
    subject = Subject("evaluation", detector, sha256_file(result))
    log = read_json(workspace.store / "training" / detector / "log.json")
    models = [fold["bundle"] for fold in log["runs"] if "bundle" in fold]
    metrics = read_json(workspace.reports / "metrics" / f"{detector}.json")
    edges = tuple(Edge(subject.digest, "evaluates", m) for m in dict.fromkeys(models))
    _once(ledger, Draft("evaluation.recorded", PIPELINE, (subject,), payload=metrics, edges=edges))


def development_data(workspace: Workspace) -> Subject:
    """The recordings that training and evaluation may see, as a thing with a digest."""
    recordings = dataset_digest(read_cohort(workspace.cohort), [e.name for e in development(workspace)])
    return Subject("dataset", f"{workspace.params.cohort.name} (development)", digest_of(recordings))


def frozen_data(workspace: Workspace) -> tuple[Subject, dict[str, str]]:
    """All recordings that the checks let through, as a thing with a digest, and the digest of each."""
    accepted = read_json(workspace.interim / "checks" / "accepted.json")
    kept = dataset_digest(read_cohort(workspace.cohort), accepted)
    return Subject("dataset", workspace.params.cohort.name, digest_of(kept)), kept


def made_cleanly(ledger: Ledger, digest: str) -> bool:
    """Whether some run from a clean checkout gave this thing: what a dirty one made cannot be made again by others."""
    return any(not entry.software.dirty for entry in ledger.entries("run.finished", digest))


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
