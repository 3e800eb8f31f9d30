"""A detector on a handful of labelled windows: refused like everywhere, or scored for research by a named override.

The override is a line in the ledger before anything is scored. Bundles, thresholds and evaluations stay as they are,
and nothing reads these results when a model is proposed or approved.
"""

import getpass
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data.ages import describe_age
from data.outcomes import Refusal
from data.readers.labelled import LabelledWindows, read_labelled
from flows import records
from flows.progress import on_terminal
from flows.stages.files import read_json, trained, training_of, write_json
from flows.workspace import Workspace, open_workspace
from lineage.digest import digest_of, sha256_file
from lineage.ledger import Actor, Draft, Edge, Subject
from lineage.refused import Refused
from models import detectors
from models.beyond import Beyond, broken_terms, look_beyond
from models.bundle import Bundle, load_bundle, refuse_leaky
from validation.exact import exact_auc
from validation.few_windows import Scores, plain_line_length, research_result
from validation.pages import write_page
from validation.report.few_windows import provenance_of, research_page, sentences

FLOOR = "line_length"
UNSETTLED = (
    "The first sample of a window is taken as its whole past: the causal filters have not settled in its first seconds."
)


@dataclass(frozen=True)
class Question:
    """Which bundles are asked about which windows, and what forbids it."""

    detector: str
    bundles: tuple[Bundle, ...]
    windows: LabelledWindows
    broken: tuple[Refusal, ...]


def evaluate_on(
    name: str, places: Sequence[Path], statement: Path | None = None, override: str | None = None
) -> dict[str, Any]:
    """`ictal evaluate NAME --on PLACES`: the result as JSON values with `text`; also as a page in reports/on.

    Refused unless the windows are what the detector is meant for, or `override` says why they are looked at anyway.

    `statement` is the file that says what the windows are; None takes one that lies beside them, or one that Ictal
    brings along. Refused, too, is a detector that was not trained here, was trained on shuffled labels, or does not
    detect seizures in EEG.
    """
    workspace = open_workspace()
    question = _question(workspace, name, read_labelled(places, statement))
    reason = _reason(question, override)
    exact_auc(question.windows.labels, np.zeros(len(question.windows.windows)))  # too many are refused before the line
    said = _record_override(workspace, question, reason) if question.broken else None
    with on_terminal() as show:
        show("windows scored", 0, 0)
        result = _scored(workspace, question, said)
    path = workspace.reports / "on" / f"{name}-{question.windows.digest[:12]}.json"
    write_json(path, result)
    write_page(path.with_suffix(".html"), research_page(result, provenance_of(result)))
    _record_result(workspace, question, said, path)
    text = "\n".join([f"{name} on {result['windows']['title']}", *sentences(result), *_closing(result, path)])
    return {**result, "page": str(path.with_suffix(".html")), "text": text}


def _closing(result: dict[str, Any], path: Path) -> list[str]:
    reasons = [f"  {reason}" for reason in result["non_reportable"]]
    return ["non-reportable, because:", *reasons, f"page: {path.with_suffix('.html')}"]


def _question(workspace: Workspace, name: str, windows: LabelledWindows) -> Question:
    facts = detectors.facts(name)
    if (facts["task"], facts["modality"]) != ("detection", "eeg"):
        raise Refused(f"{name} does {facts['task']} in {facts['modality']}: windows of EEG are for detection in EEG")
    bundles = _bundles(workspace, name)
    contract = detectors.build(name).contract
    found = [broken_terms(w.recording, contract) for w in windows.windows]
    broken = {refusal.code: refusal for refusals in found for refusal in refusals}
    return Question(name, bundles, windows, tuple(broken.values()))


def _bundles(workspace: Workspace, name: str) -> tuple[Bundle, ...]:
    """The bundle of every fold with patients apart."""
    if name not in trained(workspace):
        raise Refused(f"{name} has not been trained here: run `ictal train {name}` first")
    folder = training_of(workspace, name, "patient")
    folds = [run["fold"] for run in read_json(folder / "log.json")["runs"]]
    bundles = tuple(load_bundle(folder / f"fold-{fold}") for fold in folds)
    for bundle in bundles:
        refuse_leaky(bundle)
    if any(bundle.origin.get("shuffled_labels") for bundle in bundles):
        raise Refused(
            f"{name} was trained on shuffled labels, as a null control: run `ictal train --true-labels` first"
        )
    return bundles


def _reason(question: Question, override: str | None) -> str:
    reason = (override or "").strip()
    if question.broken and not reason:
        terms = "; ".join(str(refusal) for refusal in question.broken)
        raise Refused(
            f"{question.detector} is not meant for these windows ({terms}). To look at them for research, never as "
            "evidence, say why with --research-override 'REASON'; it will stand in the ledger"
        )
    return reason


def _record_override(workspace: Workspace, question: Question, reason: str) -> dict[str, Any]:
    """Who sets aside what, for which bundles and bytes: a line in the ledger before any score exists."""
    who, windows = getpass.getuser(), question.windows
    payload = {
        "who": who,
        "reason": reason,
        "detector": question.detector,
        "bundles": [b.digest for b in question.bundles],
        "windows": windows.digest,
        "bytes": sorted(w.recording.digest for w in windows.windows),
        "codes": [refusal.code for refusal in question.broken],
        "terms": [refusal.reason for refusal in question.broken],
    }
    subject = Subject("override", f"{question.detector}: {', '.join(payload['codes'])}", digest_of(payload))
    draft = Draft(
        "research.overridden",
        Actor(who, role="researcher", auth_method="local"),
        (subject, *_things(question)),
        reason,
        payload,
        tuple(Edge(subject.digest, "sets_aside_terms_of", b.digest) for b in question.bundles),
    )
    records.open_ledger(workspace).append_many([draft])
    return {**payload, "digest": subject.digest}


def _things(question: Question) -> tuple[Subject, ...]:
    """Windows and models by digest: what files are called stays out of the ledger."""
    count = len(question.windows.windows)
    models = [Subject("model", f"{question.detector} fold {n}", b.digest) for n, b in enumerate(question.bundles)]
    return (Subject("windows", f"{count} labelled windows", question.windows.digest), *models)


def _record_result(workspace: Workspace, question: Question, said: dict[str, Any] | None, path: Path) -> None:
    subject = Subject("research", f"{question.detector} on windows", sha256_file(path))
    edges = [Edge(subject.digest, "looks_at", question.windows.digest)]
    edges += [Edge(subject.digest, "tries", bundle.digest) for bundle in question.bundles]
    edges += [Edge(subject.digest, "overridden_by", said["digest"])] if said else []
    payload = {"reportable": False, "page": path.with_suffix(".html").name}
    draft = Draft(
        "research.recorded", records.PIPELINE, (subject, *_things(question)), payload=payload, edges=tuple(edges)
    )
    records.open_ledger(workspace).append_many([draft])


def _scored(workspace: Workspace, question: Question, said: dict[str, Any] | None) -> dict[str, Any]:
    asked = _asked(question.windows, question.bundles)
    own = _of_detector(question.detector, asked)
    bundles = {f"{question.detector} fold {n}": b.digest for n, b in enumerate(question.bundles)}
    return research_result(
        {"detector": question.detector, "bundles": bundles},
        _described(question.windows),
        [(w.name, w.is_seizure) for w in question.windows.windows],
        [own[0], *_yardsticks(question), *_floor(workspace, question), *own[1:]],
        _reasons(workspace, question),
        _served(asked),
        said,
    )


def _asked(windows: LabelledWindows, bundles: Sequence[Bundle]) -> list[list[Beyond]]:
    """Of every bundle what it says of every window."""
    return [[look_beyond(w.recording, bundle) for w in windows.windows] for bundle in bundles]


def _of_detector(name: str, asked: list[list[Beyond]]) -> list[Scores]:
    table = np.array([[said.probability for said in fold] for fold in asked])
    what = f"{name} as trained in this workspace with patients apart"
    mean = Scores(f"{name}, mean of folds", f"{what}: mean of {len(table)} bundles", table.mean(axis=0).tolist())
    return [mean, *(Scores(f"{name}, fold {n}", what, fold.tolist()) for n, fold in enumerate(table))]


def _yardsticks(question: Question) -> list[Scores]:
    """Plain line length, of the windows as they were recorded and behind the detector's own front end."""
    recordings = [w.recording for w in question.windows.windows]
    front_end = question.bundles[0].front_end
    raw = [plain_line_length(r.segments[0].signal) for r in recordings]
    prepared = [plain_line_length(front_end.prepare(r).segments[0].signal) for r in recordings]
    channels, rate_hz = len(recordings[0].channels), recordings[0].rate_hz
    what = "mean absolute difference of neighbouring samples, no patient's past, nothing fitted"
    behind = f"the same, behind the front end of {question.detector}: {len(front_end.channels)} derivations, {front_end.rate_hz:g} Hz"
    return [
        Scores("plain line length", f"{what}; {channels} channels as recorded, {rate_hz:g} Hz", raw, "µV", True),
        Scores("plain line length, front end", behind, prepared, "µV", True),
    ]


def _floor(workspace: Workspace, question: Question) -> list[Scores]:
    """The workspace's own floor detector, which measures against the patient's past."""
    if question.detector == FLOOR:
        return []
    what = (
        "the floor detector as trained here: relative to the patient's past, of which a short window has next to none"
    )
    try:
        bundles = _bundles(workspace, FLOOR)
    except Refused as refused:
        return [Scores(f"{FLOOR} of this workspace", what, why=str(refused))]
    mean = np.mean([[s.probability for s in fold] for fold in _asked(question.windows, bundles)], axis=0)
    return [Scores(f"{FLOOR} of this workspace", f"{what}; mean of {len(bundles)} bundles", mean.tolist())]


def _described(windows: LabelledWindows) -> dict[str, Any]:
    stated, seconds = windows.stated, [w.recording.duration_s for w in windows.windows]
    return {
        "title": stated.title,
        "source": stated.source,
        "digest": windows.digest,
        "windows": len(windows.windows),
        "seizures": int(windows.labels.sum()),
        "persons": stated.persons,
        "age": None if stated.age_days is None else describe_age(stated.age_days),
        "seconds": f"{min(seconds):.1f}" if max(seconds) - min(seconds) < 0.05 else f"{min(seconds):.1f}–{max(seconds):.1f}",
    }  # fmt: skip


def _reasons(workspace: Workspace, question: Question) -> list[str]:
    simulated = (workspace.cohort / "sourcedata" / "draws.json").exists()
    learnt = [f"{question.detector} has learnt from simulated patients only."] * simulated
    stated, count = question.windows.stated, len(question.windows.windows)
    people = {None: "an unstated number of persons", 1: "one person"}.get(stated.persons, f"{stated.persons} persons")
    few = f"{count} windows of {people}: windows are no patients, and the intervals take them as independent."
    return [few, *(f"{refusal}." for refusal in question.broken), *learnt, *stated.limits, UNSETTLED]


def _served(asked: list[list[Beyond]]) -> dict[str, Any]:
    """What the service would have done: refusals of the first fold's bundle by code, and strange windows of every fold."""
    codes = Counter(said.served for said in asked[0] if not said.served.startswith("completed"))
    return {
        "refused": sum(codes.values()),
        "codes": dict(codes),
        "ood": [sum(said.ood.is_refused for said in fold) for fold in asked],
    }
