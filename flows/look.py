"""What a workspace holds of each recording, for whoever looks at it: files, verdicts of the checks, and who said what of it."""

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any

from console.answers import MEANS_NOTHING, told
from console.shelf import Reading, Recorded, Shelf, Shelved, Stretch
from console.spelling import PREDICTIONS
from data.cohorts.bids import MODALITIES, Cohort, Entry, read_cohort
from data.events import Annotations
from data.outcomes import Refusal
from flows import records
from flows.consent import withdrawn
from flows.stages.files import digest_of_entry, read_json, regimes, training_of
from flows.workspace import Workspace
from lineage.browsing import Wanted, page
from lineage.digest import Digest
from lineage.ledger import Entry as Line
from lineage.ledger import Ledger
from lineage.refused import Refused
from models import detectors
from models.decisions import Decision
from models.typing import ANSWER
from serving.journal import SHADOW
from validation.holdout import is_locked

FRESH_S = 10.0
NEWEST = 20
"""Of how many answers about one recording the viewer tells."""

LABEL, EXPERT, MODEL = "label", "expert", "model"


def shelves(workspace: Workspace) -> list[Shelf]:
    """The cohorts in use with their recordings, without anybody who withdrew their consent."""
    return [_shelf(own, _cohorts(own)) for own in map(workspace.of, workspace.tasks)]


def recorded(workspace: Workspace, cohort: str, name: str) -> Recorded | None:
    """One recording of a cohort in use with all that was said of it; None where there is none of that name.

    Refuses one of the locked hold-out: whoever looks at it has opened it.
    """
    for own in map(workspace.of, workspace.tasks):
        if own.cohort_name == cohort:
            cohorts = _cohorts(own)
            for shelved in _shelf(own, cohorts).recordings:
                if shelved.name == name:
                    return _opened(own, cohorts, shelved)
    return None


def _opened(workspace: Workspace, cohorts: Mapping[str, Cohort], shelved: Shelved) -> Recorded:
    if shelved.locked:
        raise Refused(
            "this recording lies in the locked hold-out, which `ictal holdout` alone opens, a few times at most"
        )
    entries = _entries(cohorts, shelved.name)
    ledger = records.open_ledger(workspace)
    digests = {kind: digest_of_entry(entry) for kind, entry in entries.items()}
    eeg, film, pose = (entries.get(kind) for kind in ("eeg", "video", "pose"))
    return Recorded(
        shelved,
        eeg.path if eeg else None,
        film.views if film else (),
        pose.path if pose else None,
        pose.frames_hz if pose else None,
        digests,
        frozenset(k for k, d in digests.items() if ledger.entries("recording.registered", d)),
        tuple(_readings(workspace, cohorts, entries, digests, ledger)),
        next((e.line_hz for e in entries.values() if e.line_hz), None),
    )


def where_seen(workspace: Workspace, digest: Digest, name: str) -> str:
    """The address at which the recording with this digest, called `name`, can be looked at; empty where it is not here."""
    for own in map(workspace.of, workspace.tasks):
        cohorts = _cohorts(own)
        entries = _entries(cohorts, name)
        if digest in {digest_of_entry(entry) for entry in entries.values()}:
            found = [s for s in _shelf(own, cohorts).recordings if s.name == name and not s.locked]
            return found[0].address if found else ""
    return ""


def _shelf(workspace: Workspace, cohorts: Mapping[str, Cohort]) -> Shelf:
    checks, lock = workspace.interim / "checks" / "verdicts.json", workspace.params.holdout
    verdicts = {v["recording"]: v for v in read_json(checks)} if checks.exists() else {}
    kinds = _kinds(cohorts)
    shown = tuple(
        Shelved(
            workspace.cohort_name, e.name, e.patient, e.site, e.period or "development", e.age_days,
            kinds[e.name], *_verdict(verdicts.get(e.name)),
            locked=(e.period or "development") == "development" and is_locked(e.person, lock.share, lock.seed),
        )
        for e in _judged(workspace, cohorts)
    )  # fmt: skip
    made = workspace.reports / "checks.html"
    address = f"/reports/{made.relative_to(workspace.root / 'reports').as_posix()}" if made.exists() else ""
    return Shelf(workspace.cohort_name, workspace.task, shown, address)


def _judged(workspace: Workspace, cohorts: Mapping[str, Cohort]) -> list[Entry]:
    """The recordings that the checks judge: of poses, films too, as a pose may be made of them."""
    kinds = (workspace.modality, "video") if workspace.modality == "pose" else (workspace.modality,)
    named: dict[str, Entry] = {}
    for kind in kinds:
        for entry in cohorts[kind].entries if kind in cohorts else ():
            named.setdefault(entry.name, entry)
    return [named[name] for name in sorted(named)]


def _verdict(verdict: Mapping[str, Any] | None) -> tuple[str, tuple[str, ...]]:
    if verdict is None:
        return "", ()
    return verdict["outcome"], tuple(r["sentence"] for r in verdict.get("reasons", ()))


def put_aside(workspace: Workspace) -> int:
    """How many recordings the last checks put aside, over all cohorts; nothing but the verdicts is read."""
    checks = [workspace.of(task).interim / "checks" / "verdicts.json" for task in workspace.tasks]
    return sum(v["outcome"] == "quarantined" for path in checks if path.exists() for v in read_json(path))


def _cohorts(workspace: Workspace) -> dict[str, Cohort]:
    """The workspace's cohort as it is read for each kind of file that lies in it, without who withdrew by now."""
    found, gone = {}, withdrawn(workspace).persons
    for kind, read in _read(workspace.cohort).items():
        kept = tuple(e for e in read.entries if e.modality == kind and e.person not in gone)
        found[kind] = replace(read, entries=kept)
    return found


_lately: dict[Path, tuple[float, dict[str, Cohort]]] = {}


def _read(root: Path) -> dict[str, Cohort]:
    """A cohort's lists, which take a second for a thousand recordings, used again for `FRESH_S`."""
    at, found = _lately.get(root, (-FRESH_S, {}))
    if time.monotonic() - at > FRESH_S:
        found = {}
        for kind in MODALITIES:
            with suppress(Refusal):  # there is nothing of this kind
                found[kind] = read_cohort(root, kind)
        _lately[root] = (time.monotonic(), found)
    return found


def _kinds(cohorts: Mapping[str, Cohort]) -> dict[str, tuple[str, ...]]:
    """Of each recording, by name, which kinds of files lie there."""
    kinds: dict[str, tuple[str, ...]] = {}
    for kind, cohort in cohorts.items():
        for entry in cohort.entries:
            kinds[entry.name] = (*kinds.get(entry.name, ()), kind)
    return kinds


def _entries(cohorts: Mapping[str, Cohort], name: str) -> dict[str, Entry]:
    """The recording of this name in each kind of file: what was filmed while an EEG ran shares its name."""
    return {kind: entry for kind, cohort in cohorts.items() for entry in cohort.entries if entry.name == name}


def _readings(
    workspace: Workspace,
    cohorts: Mapping[str, Cohort],
    entries: Mapping[str, Entry],
    digests: Mapping[str, Digest],
    ledger: Ledger,
) -> Iterator[Reading]:
    """Labels first, then experts, then models with patients apart, then what services answered, the newest first."""
    truth: Annotations | None = None
    for kind, entry in entries.items():
        cohort = cohorts[kind]
        try:
            if truth is None and entry.events_path:
                truth = cohort.annotations(entry)
                yield Reading("Reference labels", LABEL, _events(truth))
            for expert, marked in cohort.experts(entry).items():
                yield Reading(expert, EXPERT, _events(marked))
        except Refusal as refusal:
            yield Reading("Labels", LABEL, note=f"they cannot be read: {refusal.reason}")
    name = next(iter(entries.values())).name
    for detector in detectors.names(workspace.task):
        if (training_of(workspace, detector, "patient") / "log.json").exists():
            yield from _evaluated(workspace, detector, name, truth)
    for digest in dict.fromkeys(digests.values()):
        lines = page(ledger, Wanted(PREDICTIONS, digest), size=NEWEST).entries
        yield from (_answered(ledger, line) for line in lines if any(s.digest == digest for s in line.subjects))


def _events(marked: Annotations) -> tuple[Stretch, ...]:
    return tuple(Stretch(e.onset_s, e.duration_s, e.type, e.confidence) for e in marked.events)


def _evaluated(workspace: Workspace, detector: str, name: str, truth: Annotations | None) -> Iterator[Reading]:
    """What a detector said of a patient that it had not seen; leaky controls are nobody's reading."""
    import pyarrow.parquet as pq

    folder = workspace.interim / "evaluation" / detector / "patient"
    control = ", null control with somebody else's labels" if _is_null_control(folder) else ""
    about, said = f"{detector}{control}, evaluated on patients it had not seen", [("recording", "==", name)]
    if "patient" not in regimes(workspace, detector):
        return
    if (folder / "seconds.parquet").exists():
        seconds = pq.read_table(folder / "seconds.parquet", columns=["second", "probability"], filters=said).to_pylist()  # type: ignore[no-untyped-call]
        rows = pq.read_table(folder / "events.parquet", filters=said).to_pylist()  # type: ignore[no-untyped-call]
        for row in rows:
            found = tuple(Stretch(e["onset_s"], e["duration_s"], e["type"], e["confidence"]) for e in row["events"])
            trend = [_known(one["probability"]) for one in sorted(seconds, key=lambda one: one["second"])]
            yield Reading(
                about,
                MODEL,
                found,
                tuple(trend),
                row["threshold"],
                note=row["outcome"],
                trend_delay_s=Decision().delay_s,
            )
    for answers in (folder / "answers.parquet", folder / "external" / "answers.parquet"):
        if answers.exists():
            rows = pq.read_table(answers, filters=[*said, ("variant", "==", ANSWER)]).to_pylist()  # type: ignore[no-untyped-call]
            clip_s = float(read_json(folder / "result.json")["of"]["clip_s"])
            if rows:
                yield _of_clips(about, workspace.task, rows, clip_s, truth)


def _is_null_control(folder: Path) -> bool:
    """Whether an evaluation was made with labels that were dealt to other patients' recordings."""
    result = folder / "result.json"
    return result.exists() and bool(read_json(result)["of"].get("shuffled_labels"))


def _of_clips(source: str, task: str, rows: list[dict[str, Any]], clip_s: float, truth: Annotations | None) -> Reading:
    """Answers to stretches: named by the likeliest class; where a class means nothing, the other's probability is a trend."""
    nothing = MEANS_NOTHING.get(task)
    lasting = {} if nothing or truth is None else {e.onset_s: e.duration_s for e in truth.events}
    known = ("recording", "patient", "person", "site", "event", "onset_s", "truth", "fold", "variant", "clips", "code")
    found = []
    for row in sorted(rows, key=lambda row: row["onset_s"]):
        chances = {c: p for c, p in row.items() if c not in known and _known(p) is not None}
        found.append((row["onset_s"], lasting.get(row["onset_s"], clip_s), chances))
    return Reading(source, MODEL, _named(found, nothing), _trend(found, nothing))


Chances = list[tuple[float, float, dict[str, float]]]
"""Onset and duration in seconds, and a probability for each class."""


def _named(found: Chances, nothing: str | None) -> tuple[Stretch, ...]:
    likeliest = [(at, long, max(p, key=lambda c: p[c]), p) for at, long, p in found if p]
    return tuple(Stretch(at, long, best, p[best]) for at, long, best, p in likeliest if best != nothing)


def _trend(found: Chances, nothing: str | None) -> tuple[float | None, ...] | None:
    """For each second the highest probability that it is not nothing; None where no class means nothing."""
    if nothing is None or not found:
        return None
    trend: list[float | None] = [None] * int(max(at + long for at, long, _ in found) + 0.999)
    for at, long, chances in found:
        if chances:
            chance = 1 - chances.get(nothing, 0.0)
            for second in range(int(at), min(len(trend), int(at + long + 0.999))):
                trend[second] = max(chance, trend[second] or 0.0)
    return tuple(trend)


def _answered(ledger: Ledger, line: Line) -> Reading:
    """What a service answered, as the ledger keeps it."""
    id = next(s.id for s in line.subjects if s.kind == "prediction")
    who = next((s.id for s in line.subjects if s.kind == "model"), "no model")
    where = "as a shadow" if line.actor.id == SHADOW.id else f"answer to {line.actor.site or 'nobody'}"
    source = f"{who}, {where}, {line.recorded_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    said = ledger.payload(line.payload_digest)
    address = f"/predictions/{id}"
    if said is None:
        return Reading(source, MODEL, address=address, note="it was erased")
    note = str(said["outcome"]) + (f" ({said['code']}): {said['reason']}" if said.get("reason") else "")
    answer = told(said)
    trend = tuple(said["trend_1hz"]) if said.get("trend_1hz") else None
    if said.get("stretches") is not None:
        found = [(s["onset_s"], s["duration_s"], s["probabilities"]) for s in said["stretches"]]
        trend = _trend(found, MEANS_NOTHING.get(answer.question))
    late_s = said.get("trend_delay_s") or 0.0
    return Reading(source, MODEL, answer.found or (), trend, None, answer.silent, address, note, late_s)


def _known(value: float | None) -> float | None:
    return None if value is None or value != value else value
