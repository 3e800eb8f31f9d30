"""The watch over several weeks: what came when, what was said of it then, and answers beside what was learnt of them since."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.cohorts.bids import Entry, write_events
from data.events import Annotations, Event
from data.readers.edf import write_edf
from flows import records, watch
from flows.answered import estimate_path, take_labels, watch_answers
from flows.history import report_path, reports_by_week, weeks_of
from flows.rehearse import rehearse_site
from flows.stages.files import cohort_of, read_json, write_json
from flows.watch import _confirmed, _record
from flows.workspace import MARKER, ROOT, Workspace
from lineage.digest import digest_of, sha256_file
from lineage.ledger import Actor, Draft, Ledger, Subject
from lineage.refused import Refused
from lineage.store import open_store, session
from monitoring.findings import DriftSettings
from monitoring.persistence import persistence
from serving.facts import FactRow, fact_of
from serving.schema import Answer
from tests.test_drift import WATCHED, patients, shifted
from tests.test_performance import HOUR, given

NOW = datetime(2026, 11, 9, 9, tzinfo=UTC)
"""Monday of week 46."""
PIPELINE = Actor("pipeline", role="service")
SETTINGS = DriftSettings(features=WATCHED, draws=199)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    (tmp_path / MARKER).write_text('{"kind": "real"}')
    shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml")
    monkeypatch.setenv("ICTAL_HOME", str(tmp_path))
    return Workspace(tmp_path)


def came(workspace: Workspace, rows: pd.DataFrame, week: int, tag: str) -> list[Entry]:
    """Recordings of these patients, registered in a week; the bytes are their names."""
    entries = []
    for patient in rows["patient"]:
        path = workspace.root / f"{patient}-{tag}.edf"
        path.write_text(path.name)
        entries.append(Entry(path.stem, path, patient, patient, "demo-north", 3.0, "f", "surveillance", None, 50.0))
    drafts = [
        Draft("recording.registered", PIPELINE, (Subject("recording", e.name, sha256_file(e.path)),)) for e in entries
    ]
    Ledger(workspace.ledger).append_many(drafts, now=NOW + timedelta(weeks=week))
    return entries


def weeks_of_shift(workspace: Workspace, *sds: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A reference, and one week of 12 patients for each shift of the slope (SD)."""
    rng = np.random.default_rng(3)
    reference, tables, entries = patients(rng, 24, ("demo-north",)), [], []
    for week, sd in enumerate(sds):
        rows = shifted(patients(rng, 12, ("demo-north",)), "demo-north", "slope", sd)
        arrived = came(workspace, rows, week, str(week))
        tables.append(rows.assign(recording=[e.name for e in arrived]))
        entries += arrived
    current, weeks = pd.concat(tables), weeks_of(Ledger(workspace.ledger), entries)
    return reference, current.assign(week=current["recording"].map(weeks))


def test_a_recording_belongs_to_the_week_in_which_the_ledger_first_heard_of_it(workspace):
    rows = patients(np.random.default_rng(0), 2, ("demo-north",))
    entries = came(workspace, rows, 0, "a")
    came(workspace, rows, 3, "a")
    stranger = workspace.root / "stranger.edf"
    stranger.write_text("never registered")
    unknown = Entry("s", stranger, "p", "p", "x", None, "f", "", None, None)
    copy = replace(entries[0], name="under another name")
    found = weeks_of(Ledger(workspace.ledger), [*entries, unknown, copy])
    assert found == {e.name: "2026-W46" for e in [*entries, copy]}


def test_the_same_shift_in_two_weeks_is_confirmed_and_its_end_is_recorded_once(workspace):
    reference, current = weeks_of_shift(workspace, 3.0, 3.0)
    history = reports_by_week(workspace, reference, current, SETTINGS)
    assert [report.period for report in history] == ["2026-W46", "2026-W47"]
    assert persistence(history, "demo-north").confirmed and persistence(history, "demo-north").since == "2026-W46"
    assert [len(_record(workspace, history)) for _ in range(2)] == [3, 0]
    first, line = Ledger(workspace.ledger).entries("drift.alarm")
    assert first.reason == "at demo-north, 2026-W46" and not _confirmed("detection", history[:1])
    assert (line.reason, line.subjects[0].id) == ("at demo-north, 2026-W47", "demo-north")
    assert tuple(_confirmed("detection", history)) == line.subjects, "what the server is told of stands in the ledger"


def test_an_alarm_of_one_week_is_recorded_with_why_no_retraining_was_begun(workspace):
    reference, current = weeks_of_shift(workspace, 0.0, 6.0)
    history = reports_by_week(workspace, reference, current, SETTINGS)
    assert [len(_record(workspace, history)) for _ in range(2)] == [2, 0]
    alarm, skipped = Ledger(workspace.ledger).entries()[-2:]
    assert (alarm.type, skipped.type) == ("drift.alarm", "retrain.skipped")
    assert alarm.subjects[0].digest == skipped.subjects[0].digest and skipped.subjects[0].id == "drift at demo-north"
    assert skipped.reason == "not confirmed: no shift returned in 2 of 3 periods"


def test_an_alarm_stays_the_same_one_while_more_recordings_of_its_week_come(workspace):
    reference, current = weeks_of_shift(workspace, 3.0, 3.0)
    for missing in (4, 2, 0):
        so_far = current.iloc[: len(current) - missing]
        _record(workspace, reports_by_week(workspace, reference, so_far, SETTINGS))
    lines = Ledger(workspace.ledger).entries("drift.alarm")
    assert [line.reason for line in lines] == ["at demo-north, 2026-W46", "at demo-north, 2026-W47"]


def test_a_week_that_no_watch_saw_is_made_up_for(workspace):
    """Two Sundays were missed: the alarm of the first week stands in the ledger all the same, with its end."""
    reference, current = weeks_of_shift(workspace, 0.0, 6.0, 0.0, 0.0)
    _record(workspace, reports_by_week(workspace, reference, current, SETTINGS))
    lines = [(line.type, line.reason) for line in Ledger(workspace.ledger).entries() if line.type.startswith("drift.")]
    assert lines == [("drift.alarm", "at demo-north, 2026-W47"), ("drift.closed", "at demo-north, 2026-W48")]


def test_a_site_whose_every_recording_is_refused_is_an_alarm_on_the_page_and_in_the_ledger(workspace, monkeypatch):
    """Twelve later recordings, all of them put aside, and nothing else: no other is there to be compared."""
    workspace.cohort.mkdir(parents=True)
    (workspace.cohort / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.9.0"}')
    named = ["participant_id\tage\tsite\tperiod"]
    for n in range(12):
        path = workspace.cohort / f"sub-{n:02}" / "eeg" / f"sub-{n:02}_task-eeg_eeg.edf"
        path.parent.mkdir(parents=True)
        path.write_bytes(path.name.encode())
        named.append(f"sub-{n:02}\t0.01\tdemo-north\tsurveillance")
    (workspace.cohort / "participants.tsv").write_text("\n".join(named) + "\n")
    entries = cohort_of(workspace).entries
    drafts = [
        Draft("recording.registered", PIPELINE, (Subject("recording", e.name, sha256_file(e.path)),)) for e in entries
    ]
    Ledger(workspace.ledger).append_many(drafts, now=NOW)
    write_json(
        workspace.interim / "checks" / "verdicts.json",
        [{"recording": e.name, "outcome": "quarantined", "reasons": [{"code": "unit_suspect"}]} for e in entries],
    )
    write_json(workspace.interim / "checks" / "accepted.json", ["those of earlier, whose features follow"])
    reference = patients(np.random.default_rng(3), 24, ("demo-north",))
    reference = reference.assign(recording=reference["patient"], period="development")
    monkeypatch.setattr(watch, "features_of", lambda home, period, task: reference)
    assert watch.watched_tasks(workspace) == ["detection"]
    found = watch._watch_recordings(workspace, {"until": "2026-11-28T00:12+00:00", "weeks": []})
    assert found["headline"] == "changed: demo-north (share of refused recordings)" and found["sites"][0]["confirmed"]
    page = (workspace.reports / "drift" / "index.html").read_text()
    assert "1 of 1 sites has changed: demo-north." in page and "is 100% in 12 patients" in page
    why = "confirmed; no retraining was begun: the checks refuse the recordings"
    assert why in page and why in watch._line(found["sites"][0])
    assert [(line.type, line.reason) for line in Ledger(workspace.ledger).entries()[-2:]] == [
        ("drift.alarm", "at demo-north, 2026-W46"),
        ("retrain.skipped", "the checks refuse the recordings, so that there is nothing to learn from them"),
    ]


def test_an_alarm_that_ends_is_closed(workspace):
    reference, current = weeks_of_shift(workspace, 3.0, 0.0)
    history = reports_by_week(workspace, reference, current, SETTINGS)
    assert [report.alarmed for report in history] == [("demo-north",), ()]
    _record(workspace, history)
    assert [e.reason for e in Ledger(workspace.ledger).entries("drift.closed")] == ["at demo-north, 2026-W47"]


def test_a_week_that_is_over_is_not_judged_anew_unless_its_recordings_changed(workspace):
    reference, current = weeks_of_shift(workspace, 0.0, 0.0)
    reports_by_week(workspace, reference, current, SETTINGS)
    first, last = (report_path(workspace, week) for week in ("2026-W46", "2026-W47"))
    kept = read_json(first)
    write_json(first, {**kept, "report": {**kept["report"], "period": "as it was kept"}})
    again = reports_by_week(workspace, reference, current, SETTINGS)
    assert [report.period for report in again] == ["as it was kept", "2026-W47"]
    fewer = current[current["recording"] != current["recording"].iloc[0]]
    assert reports_by_week(workspace, reference, fewer, SETTINGS)[0].period == "2026-W46"
    assert last.exists()


def answer(
    workspace: Workspace, number: int, recording: str, weeks: float = 0, site: str = "demo-north", **more: object
) -> str:
    """An hour with one event at 600 s, as a service writes it down; returns the prediction's digest."""
    one = given(number, [(600, 60)])
    trend = [float(p) for p in one.trend]
    said = {
        "prediction_id": one.prediction, "outcome": "completed", "duration_s": float(HOUR), "analysed_s": float(HOUR),
        "decided_share": 1.0, "events": [{"onset_s": 600.0, "duration_s": 60.0}], "trend_1hz": trend,
        "recording_digest": recording, **more,
    }  # fmt: skip
    subject, about = Subject("prediction", one.prediction, digest_of(said)), Subject("recording", "r", recording)
    Ledger(workspace.ledger).append(
        "prediction.issued", actor=Actor("key", site=site), subjects=(subject, about), payload=said,
        now=NOW + timedelta(weeks=weeks),
    )  # fmt: skip
    return subject.digest


@pytest.fixture
def marked(workspace: Workspace) -> str:
    """A cohort of one recording that an expert marked elsewhere; returns the digest of its bytes."""
    path = workspace.cohort / "sub-1" / "eeg" / "sub-1_task-eeg_eeg.edf"
    path.parent.mkdir(parents=True)
    (workspace.cohort / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.9.0"}')
    write_edf(path, np.zeros((1, 256 * 4)), ["Cz"], 256.0)
    write_events(path.with_name("sub-1_task-eeg_events.tsv"), Annotations((Event(3000.0, 60.0),), float(HOUR)))
    return sha256_file(path)


def watched(workspace: Workspace, weeks: int = 1) -> dict:
    return watch_answers(workspace, Ledger(workspace.ledger), NOW + timedelta(weeks=weeks))


def test_an_estimate_is_made_before_the_label_is_taken_and_held_to_it(workspace, marked):
    answer(workspace, 1, marked)
    (row,) = watched(workspace)["weeks"]
    assert row["week"] == "2026-W46" and row["measured"]["by"]["label"] == 1 and row["reconciled"]["recordings"] == 1
    assert row["estimated"]["precision"] == pytest.approx(0.9) and row["measured"]["precision"]["estimate"] == 0.0
    lines = Ledger(workspace.ledger).entries()
    kinds = [(e.type, e.subjects[0].kind) for e in lines]
    assert kinds.index(("evaluation.recorded", "estimate")) < kinds.index(("label.arrived", "label"))
    assert next(e for e in lines if e.subjects[0].kind == "estimate").subjects[0].digest == sha256_file(
        estimate_path(workspace, "2026-W46")
    )


def test_marks_that_cannot_be_read_are_no_labels(workspace, marked):
    (workspace.cohort / "sub-1" / "eeg" / "sub-1_task-eeg_events.tsv").write_text("onset\tduration\nlater\t1\n")
    answer(workspace, 1, marked)
    assert take_labels(workspace, Ledger(workspace.ledger), {marked}) == 0


def test_a_label_arrives_once_and_belongs_to_the_bytes_that_were_answered(workspace, marked):
    ledger = Ledger(workspace.ledger)
    assert take_labels(workspace, ledger, {"0" * 64}) == 0
    answer(workspace, 1, marked)
    assert [take_labels(workspace, ledger, {marked}) for _ in range(2)] == [1, 0]
    said = ledger.payload(ledger.entries("label.arrived")[0].payload_digest)
    assert said == {
        "recording_digest": marked,
        "duration_s": 3600,
        "events": [{"onset_s": 3000, "duration_s": 60, "type": "sz"}],
    }


def test_the_last_verdict_counts_and_no_estimate_is_made_of_what_was_judged_before(workspace, marked):
    digest = answer(workspace, 1, "1" * 64)
    answer(workspace, 2, "2" * 64)
    answer(workspace, 3, "3" * 64, site="")  # a shadow, which answers no site
    for verdict in ("reject", "confirm"):
        judge(workspace, 1, digest, verdict)
    (row,) = watched(workspace)["weeks"]
    assert row["answers"] == 2 and row["measured"]["by"] == {"confirm": 1, "edit": 0, "reject": 0, "label": 0}
    assert row["measured"]["precision"]["estimate"] == 1.0 and row["estimated"]["answers"] == 1
    assert [r["prediction"] for r in read_json(estimate_path(workspace, "2026-W46"))["answers"]] == ["p2"]


def test_an_estimate_stays_as_it_was_made(workspace, marked):
    answer(workspace, 1, "1" * 64)
    watched(workspace)
    before = estimate_path(workspace, "2026-W46").read_bytes()
    watched(workspace)
    assert estimate_path(workspace, "2026-W46").read_bytes() == before
    answer(workspace, 2, "2" * 64)
    watched(workspace)
    assert len([e for e in Ledger(workspace.ledger).entries() if e.subjects[0].kind == "estimate"]) == 2


def judge(workspace: Workspace, number: int, digest: str, verdict: str) -> None:
    """What a reader says of an answer, as a service writes it down."""
    subjects = (Subject("verdict", "v", digest_of([number, verdict])), Subject("prediction", f"p{number}", digest))
    said = {"prediction_id": f"p{number}", "verdict": verdict}
    Ledger(workspace.ledger).append(
        "verdict.recorded", actor=Actor("key", site="demo-north"), subjects=subjects, payload=said, now=NOW
    )


def test_a_rejected_answer_counts_though_the_recording_is_asked_about_again(workspace, marked):
    judge(workspace, 1, answer(workspace, 1, "1" * 64), "reject")
    answer(workspace, 2, "1" * 64, weeks=0.1)
    (row,) = watched(workspace)["weeks"]
    assert (row["answers"], row["recordings"]) == (2, 1)
    assert row["measured"]["by"]["reject"] == 1 and row["measured"]["precision"]["estimate"] == 0.0


def test_fault_an_estimate_that_was_changed_since_is_refused(workspace, marked):
    """Made better once the truth had come: it would be held to what it was made from."""
    answer(workspace, 1, "1" * 64)
    watched(workspace)
    path = estimate_path(workspace, "2026-W46")
    whole = path.read_bytes()
    kept = read_json(path)
    write_json(path, {**kept, "answers": [{**row, "false_s": 0.0} for row in kept["answers"]]})
    with pytest.raises(Refused, match=r"answers of 2026-W46 .* is not the one that the ledger names .* from a backup"):
        watched(workspace)
    path.unlink()
    with pytest.raises(Refused, match="put that back from a backup"):
        watched(workspace)
    path.write_bytes(whole)
    assert watched(workspace)["weeks"]


def test_fault_an_estimate_of_which_the_ledger_knows_nothing_is_refused(workspace, marked):
    answer(workspace, 1, "1" * 64)
    write_json(estimate_path(workspace, "2026-W46"), {"answers": []})
    with pytest.raises(Refused, match=r"names \(none\): move it away"):
        watched(workspace)


@pytest.mark.parametrize("cut_off", ["record_once", "replace"])
def test_an_estimate_that_was_cut_off_is_made_or_put_in_its_place(workspace, marked, monkeypatch, cut_off):
    """Before the ledger's line, or between that and the file's place."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    answer(workspace, 1, "1" * 64)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        if cut_off == "record_once":
            patch.setattr(records, "record_once", killed)
        else:
            replaced = Path.replace
            patch.setattr(Path, "replace", lambda self, to: killed() if self.suffix == ".next" else replaced(self, to))
        watched(workspace)
    (row,) = watched(workspace)["weeks"]
    lines = [e.subjects[0] for e in Ledger(workspace.ledger).entries() if e.subjects[0].kind == "estimate"]
    assert [line.digest for line in lines] == [sha256_file(estimate_path(workspace, "2026-W46"))]
    assert row["estimated"]["answers"] == 1


def keep_facts(workspace: Workspace) -> None:
    """What the service would have kept of each answer in numbers."""
    ledger, engine = Ledger(workspace.ledger), open_store(workspace.ledger, FactRow)
    with session(engine) as writing:
        for line in ledger.entries("prediction.issued"):
            said = ledger.payload(line.payload_digest) or {}
            stated = Answer(**said, coverage=said["analysed_s"] / said["duration_s"])
            writing.add(fact_of(stated, line.actor.site, line.recorded_at, {}))
    engine.dispose()


def test_numbers_that_were_kept_say_the_same_as_the_answers_and_most_of_these_are_not_read(
    workspace, marked, monkeypatch
):
    nothing = {"outcome": "not_evaluable", "events": None, "trend_1hz": None, "analysed_s": 0.0, "decided_share": None}
    partly = {"outcome": "completed_with_abstentions", "analysed_s": 1234.0, "decided_share": 0.75}
    first = answer(workspace, 1, "1" * 64)
    answer(workspace, 2, marked)
    answer(workspace, 3, "3" * 64, **partly)
    answer(workspace, 4, "4" * 64, site="demo-south", **nothing)
    answer(workspace, 5, "5" * 64, site="")  # a shadow
    judge(workspace, 1, first, "confirm")
    ledger = Ledger(workspace.ledger)
    by_answers = watched(workspace)["weeks"]
    keep_facts(workspace)
    read: list[str] = []
    payload = Ledger.payload
    monkeypatch.setattr(Ledger, "payload", lambda self, digest: read.append(digest) or payload(self, digest))
    by_facts = watched(workspace)["weeks"]
    monkeypatch.undo()
    assert [plain(row) for row in by_facts] == [plain(row) for row in by_answers] and len(by_facts) == 2
    issued = {line.payload_digest: line.subjects[0].id for line in ledger.entries("prediction.issued")}
    assert sorted({issued[digest] for digest in read if digest in issued}) == ["p1", "p2"], "those that were judged"


def plain(value: object) -> object:
    """Numbers to nine digits: shares and hours of the facts are products and quotients of those of the answers."""
    if isinstance(value, dict):
        return {name: plain(own) for name, own in value.items()}
    return float(f"{value:.9g}") if isinstance(value, float) else value


def test_answers_of_a_quarter_ago_are_not_looked_at(workspace, marked):
    answer(workspace, 1, "1" * 64)
    assert watched(workspace, weeks=20)["weeks"] == []


def test_a_site_that_is_not_there_is_refused_before_anything_is_computed(workspace):
    with pytest.raises(Refused, match="no cohort of detection has been checked here"):
        rehearse_site("demo-north", None, 20, None)
