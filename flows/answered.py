"""What sites were answered, week by week, beside what readers and experts said of it since: read from the ledger alone."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from data.cohorts.bids import Cohort
from data.events import Annotations
from data.outcomes import Refusal
from flows import records
from flows.stages.files import cohort_of, digest_of_entry, read_json, write_json
from flows.workspace import Workspace
from lineage import graph
from lineage.digest import Digest, digest_of, sha256_file
from lineage.ledger import Draft, Edge, Ledger, Subject
from monitoring.performance import (
    Expected,
    Given,
    Opinion,
    estimated,
    last_of_each,
    measured,
    opinion,
    reconciled,
    traffic,
    week_of,
)

LOOKED_BACK = timedelta(weeks=13)
"""Answers of the last quarter are looked at: labels take weeks, and older figures stand in the ledger."""

SEED = 5


def watch_answers(workspace: Workspace, ledger: Ledger, now: datetime | None = None) -> dict[str, Any]:
    """Estimate first, then take the labels that arrived, then measure: an estimate never knows what it is held to.

    Returns plain JSON: per week and site what was answered, what opinions came to, and the estimate beside the truth.
    """
    since = (now or datetime.now(UTC)) - LOOKED_BACK
    given = list(_given(ledger, since))
    judged = _opinions(ledger, given)
    kept = _estimate(workspace, ledger, [g for g in given if g.prediction not in judged], given)
    take_labels(workspace, ledger, {g.recording for g in given})
    judged = _opinions(ledger, given)
    weeks: dict[str, dict[str, list[Given]]] = defaultdict(lambda: defaultdict(list))
    for one in given:
        weeks[week_of(one.at)][one.site].append(one)
    rows = [
        _row(week, site, own, judged, kept.get(week, {}))
        for week in sorted(weeks)
        for site, own in sorted(weeks[week].items())
    ]
    return {"schema": "ictal.answers/1", "since": since.isoformat(timespec="minutes"), "weeks": rows}


def take_labels(workspace: Workspace, ledger: Ledger, answered: Iterable[Digest]) -> int:
    """Write that experts' marks of answered recordings have come with a cohort (`label.arrived`); returns how many are new.

    They are found by the SHA-256 of the recording's bytes, so that a label belongs to the very file that was answered.
    """
    wanted = set(answered)
    if not wanted:
        return 0
    known = {line.subjects[0].digest for line in ledger.entries("label.arrived")}
    drafts = []
    for recording, marks in _marks(cohort_of(workspace), wanted):
        events = [{"onset_s": e.onset_s, "duration_s": e.duration_s, "type": e.type} for e in marks.events]
        said = {"recording_digest": recording, "events": events, "duration_s": marks.duration_s}
        label = Subject("label", f"marks of {recording[:12]}", digest_of(said))
        if label.digest not in known:
            subjects, edges = (
                (label, Subject("recording", recording[:12], recording)),
                (Edge(label.digest, "labels", recording),),
            )
            drafts.append(Draft("label.arrived", records.PIPELINE, subjects, "with a cohort", said, edges))
    ledger.append_many(drafts)
    return len(drafts)


def _marks(cohort: Cohort, wanted: set[Digest]) -> Iterable[tuple[Digest, Annotations]]:
    """Marks of these recordings; those that cannot be read are named by the checks, and are no labels."""
    for entry in cohort.entries:
        if entry.events_path is not None and (recording := digest_of_entry(entry)) in wanted:
            with suppress(Refusal):
                yield recording, cohort.annotations(entry)


def _given(ledger: Ledger, since: datetime) -> Iterable[Given]:
    """Answers about seizures that sites were given; a shadow's are no site's."""
    for issued in graph.each_prediction_of(ledger, None, since=since):
        line = ledger.entry(issued.seq)
        said = ledger.payload(line.payload_digest) if line.payload_digest else None
        if line.actor.site and said is not None and "question" not in said:
            yield Given.of(said, line.actor.site, line.recorded_at)


def _opinions(ledger: Ledger, given: Iterable[Given]) -> dict[str, Opinion]:
    """The last word on each answer: a label, or else the last verdict."""
    verdicts, labels = (
        _said(ledger, "verdict.recorded", "prediction_id"),
        _said(ledger, "label.arrived", "recording_digest"),
    )
    found = {}
    for one in given:
        verdict, label = verdicts.get(one.prediction), labels.get(one.recording)
        at = (label or verdict or (None, one.at))[1]
        said = opinion(one, verdict and verdict[0], label and label[0], at)
        if said is not None:
            found[one.prediction] = said
    return found


def _said(ledger: Ledger, type: str, about: str) -> dict[str, tuple[dict[str, Any], datetime]]:
    """The last payload of each thing that lines of a type are about, where it was not erased."""
    found = {}
    for line in ledger.entries(type):
        said = ledger.payload(line.payload_digest) if line.payload_digest else None
        if said is not None and about in said:
            found[str(said[about])] = (said, line.recorded_at)
    return found


def _estimate(
    workspace: Workspace, ledger: Ledger, unjudged: Iterable[Given], given: Iterable[Given]
) -> dict[str, dict[str, Any]]:
    """Estimates of every week by prediction. Each answer is estimated once, before anybody has said anything of it, and the
    ledger holds the digest of what was estimated."""
    weeks: dict[str, list[Given]] = defaultdict(list)
    for one in unjudged:
        if np.isfinite(one.trend).any() and one.events is not None:
            weeks[week_of(one.at)].append(one)
    kept = {}
    for week in sorted({week_of(one.at) for one in given}):
        path = estimate_path(workspace, week)
        before = read_json(path)["answers"] if path.exists() else []
        known = {row["prediction"] for row in before}
        new = [Expected.of(one) for one in weeks[week] if one.prediction not in known]
        if new:
            write_json(path, estimated([*(Expected(**row) for row in before), *new]))
            subject = Subject("estimate", f"answers of {week}", sha256_file(path))
            records.record_once(workspace, Draft("evaluation.recorded", records.PIPELINE, (subject,)))
        if path.exists():
            kept[week] = {row["prediction"]: row for row in read_json(path)["answers"]}
    return kept


def estimate_path(workspace: Workspace, week: str) -> Path:
    """Where the estimate of a week's answers is kept."""
    return workspace.store / "watch" / f"estimate-{week}.json"


def _row(
    week: str, site: str, own: list[Given], judged: Mapping[str, Opinion], kept: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    recordings = last_of_each(own)
    pairs = [(one, judged[one.prediction]) for one in recordings if one.prediction in judged]
    expected = [Expected(**kept[one.prediction]) for one in recordings if one.prediction in kept]
    estimate = estimated(expected)
    rng = np.random.default_rng(SEED)
    return {
        "week": week,
        "site": site,
        **traffic(own),
        "recordings": len(recordings),
        "measured": measured(pairs, rng),
        "estimated": {name: estimate[name] for name in ("precision", "sensitivity")} | {"answers": len(expected)},
        "reconciled": reconciled(estimate, pairs, rng),
    }
