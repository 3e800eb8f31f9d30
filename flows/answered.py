"""What sites were answered, week by week, beside what readers and experts said of it since.

Answers are counted by the numbers that the service kept of them; the answer itself is read from the ledger where somebody
judged it, where nothing has been estimated of it yet, and where no numbers were kept.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
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
from lineage.refused import Refused
from monitoring.performance import (
    Counted,
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
from monitoring.tables import facts_since
from serving.facts import DETECTION

LOOKED_BACK = timedelta(weeks=13)
"""Answers of the last quarter are looked at: labels take weeks, and older figures stand in the ledger."""

SEED = 5


def watch_answers(workspace: Workspace, ledger: Ledger, now: datetime | None = None) -> dict[str, Any]:
    """Estimate first, then take the labels that arrived, then measure: an estimate never knows what it is held to.

    Returns plain JSON: per week and site what was answered in the `LOOKED_BACK` before `now` (None: this moment), what
    opinions came to, and the estimate beside the truth. Estimates are kept in store/watch; Refused where one is not
    what the ledger names.
    """
    now = now or datetime.now(UTC)
    since = now - LOOKED_BACK
    given = _Given(ledger, since)
    kept = _estimate(workspace, ledger, given, _opinions(ledger, given))
    take_labels(workspace, ledger, {one.recording for one in given.counted})
    judged = _opinions(ledger, given)
    weeks: dict[str, dict[str, list[Counted]]] = defaultdict(lambda: defaultdict(list))
    for one in given.counted:
        weeks[week_of(one.at)][one.site].append(one)
    rows = [
        _row(week, site, own, judged, kept.get(week, {}))
        for week in sorted(weeks)
        for site, own in sorted(weeks[week].items())
    ]
    looked = {"since": since.isoformat(timespec="minutes"), "until": now.isoformat(timespec="minutes")}
    return {"schema": "ictal.answers/1", **looked, "weeks": rows}


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


class _Given:
    """Answers about seizures that sites were given since a moment; a shadow's are no site's."""

    def __init__(self, ledger: Ledger, since: datetime) -> None:
        self.counted: list[Counted] = []
        self._ledger = ledger
        self._lines: dict[str, int] = {}
        self._read: dict[str, Given | None] = {}
        facts = facts_since(ledger.engine, since)
        for issued in graph.each_prediction_of(ledger, None, since=since):
            if issued.site:
                self._add(issued, facts.get(issued.node.label))

    def whole(self, one: Counted) -> Given | None:
        """The answer itself; None where it was erased, or is about no seizure."""
        if one.prediction not in self._read:
            self._read[one.prediction] = self._from(self._lines[one.prediction])
        return self._read[one.prediction]

    def _add(self, issued: graph.Issued, fact: Mapping[str, Any] | None) -> None:
        if fact is None:
            one: Counted | None = self._from(issued.seq)
        else:
            at = datetime.fromisoformat(issued.recorded_at)
            one = Counted.of_fact(fact, issued.site, at) if fact["question"] == DETECTION else None
        if one is not None:
            self.counted.append(one)
            self._lines[one.prediction] = issued.seq
        if isinstance(one, Given):
            self._read[one.prediction] = one

    def _from(self, seq: int) -> Given | None:
        line = self._ledger.entry(seq)
        said = self._ledger.payload(line.payload_digest) if line.payload_digest else None
        return None if said is None or "question" in said else Given.of(said, line.actor.site, line.recorded_at)


Judged = dict[str, tuple[Given, Opinion]]
"""Answers that somebody judged, with the last word on each, by the prediction's id."""


def _opinions(ledger: Ledger, given: _Given) -> Judged:
    """The last word on each answer: a label, or else the last verdict."""
    verdicts, labels = (
        _said(ledger, "verdict.recorded", "prediction_id"),
        _said(ledger, "label.arrived", "recording_digest"),
    )
    found = {}
    for one in given.counted:
        verdict, label = verdicts.get(one.prediction), labels.get(one.recording)
        said = label or verdict
        whole = given.whole(one) if said else None
        if said is None or whole is None:
            continue
        held = opinion(whole, verdict and verdict[0], label and label[0], said[1])
        if held is not None:
            found[one.prediction] = (whole, held)
    return found


def _said(ledger: Ledger, type: str, about: str) -> dict[str, tuple[dict[str, Any], datetime]]:
    """The last payload of each thing that lines of a type are about, where it was not erased."""
    found = {}
    for line in ledger.entries(type):
        said = ledger.payload(line.payload_digest) if line.payload_digest else None
        if said is not None and about in said:
            found[str(said[about])] = (said, line.recorded_at)
    return found


def _estimate(workspace: Workspace, ledger: Ledger, given: _Given, judged: Judged) -> dict[str, dict[str, Any]]:
    """Estimates of every week by prediction. Each answer is estimated once, before anybody has said anything of it, and the
    ledger holds the digest of what was estimated: refused where what is kept is not that."""
    weeks: dict[str, list[Counted]] = defaultdict(list)
    for one in given.counted:
        weeks[week_of(one.at)].append(one)
    kept, recorded = {}, _recorded(ledger)
    for week in sorted(weeks):
        before = _estimated_before(workspace, week, recorded.get(week, ""))
        known = {row["prediction"] for row in before} | set(judged)
        new = [
            Expected.of(whole) for one in weeks[week] if one.prediction not in known and (whole := _looked(given, one))
        ]
        if new:
            _keep_estimate(workspace, week, estimated([*(Expected(**row) for row in before), *new]))
        kept[week] = {row["prediction"]: row for row in [*before, *map(asdict, new)]}
    return kept


ESTIMATE = "estimate"
ABOUT = "answers of "
"""Kind of the subject by which the ledger names an estimate, and how its label begins: the week follows."""


def _recorded(ledger: Ledger) -> dict[str, Digest]:
    """The digest of each week's last estimate."""
    subjects = [line.subjects[0] for line in ledger.entries("evaluation.recorded")]
    return {s.id.removeprefix(ABOUT): s.digest for s in subjects if s.kind == ESTIMATE}


def _keep_estimate(workspace: Workspace, week: str, estimate: dict[str, Any]) -> None:
    """Beside its place first, and there once the ledger names it: where this is cut off, it is known which of both counts."""
    path = estimate_path(workspace, week)
    write_json(_beside(path), estimate)
    subject = Subject(ESTIMATE, f"{ABOUT}{week}", sha256_file(_beside(path)))
    records.record_once(workspace, Draft("evaluation.recorded", records.PIPELINE, (subject,)))
    _beside(path).replace(path)


def _estimated_before(workspace: Workspace, week: str, recorded: Digest) -> list[dict[str, Any]]:
    """The answers of a week with what was expected of each; refuses any but those that the ledger names last."""
    path = estimate_path(workspace, week)
    if recorded and _is(_beside(path), recorded):
        _beside(path).replace(path)
    if not path.exists() and not recorded:
        return []
    if not _is(path, recorded):
        back = (
            "put that back from a backup" if recorded else "move it away, and what nobody has judged is estimated anew"
        )
        raise Refused(
            f"the estimate of the answers of {week} (store/watch/{path.name}) is not the one that the ledger names "
            f"({recorded[:12] or 'none'}): {back}"
        )
    answers: list[dict[str, Any]] = read_json(path)["answers"]
    return answers


def _is(path: Path, digest: Digest) -> bool:
    return path.exists() and sha256_file(path) == digest


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.next")


def _looked(given: _Given, one: Counted) -> Given | None:
    """The answer itself where it found out anything that can be estimated."""
    return given.whole(one) if one.alarms is not None and np.isfinite(one.mean_probability) else None


def estimate_path(workspace: Workspace, week: str) -> Path:
    """Where the estimate of a week's answers is kept."""
    return workspace.store / "watch" / f"estimate-{week}.json"


def _row(
    week: str, site: str, own: list[Counted], judged: Judged, kept: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    recordings = last_of_each(own, judged)
    pairs = [judged[one.prediction] for one in recordings if one.prediction in judged]
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
