"""What the viewer is told of a recording is what lies in the workspace and stands in its ledger, and nothing of who is gone."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from console.shelf import Reading, Recorded
from data.events import Annotations, Event
from data.readers.bids import write_events
from flows import records
from flows.console import run_server
from flows.look import put_aside, recorded, shelves, where_seen
from flows.params import set_params
from flows.stages.files import splits, write_json
from flows.workspace import Workspace
from lineage.digest import digest_of, sha256_file
from lineage.ledger import Draft, Edge, Subject
from lineage.refused import Refused
from tests.patients import ASKER, ELSEWHERE, MODEL, PEOPLE, PERSON, edf_of, light_workspace, name_of
from validation.holdout import is_locked
from validation.predictions import About, write_predictions
from validation.splits import Fold, Split

SEEN, ADDRESS = "sub-03", f"/recordings/tiny/{name_of('sub-03')}"
SAID: dict[str, Any] = {
    "outcome": "completed_with_abstentions", "code": None, "reason": None, "trend_1hz": [None, 0.2, 0.9, 0.4], "trend_delay_s": 1.0,
    "events": [{"onset_s": 2.0, "duration_s": 1.0, "confidence": 0.9, "channels": ["T4-T6"],
                "drivers": {"channels": [{"channel": "T4-T6", "share": 0.7}], "moments": [], "method": "integrated_gradients"}}],
    "not_assessed": [{"onset_s": 0.0, "duration_s": 1.0}], "abstained": [{"onset_s": 1.0, "duration_s": 1.0}],
}  # fmt: skip


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Three persons; of sub-03 there are labels, an expert's marks, an evaluation and an answer to a site."""
    made = light_workspace(tmp_path / "home")
    edf = edf_of(made, SEEN)
    write_events(edf.with_name(f"{name_of(SEEN)}_events.tsv"), Annotations((Event(1.0, 2.0, "sz_foc"),), 4.0))
    expert = made.cohort / "derivatives" / "expert-1"
    write_json(expert / "dataset_description.json", {"Name": "e", "BIDSVersion": "1.9.0", "DatasetType": "derivative",
                                                     "GeneratedBy": [{"Name": "Manual"}]})  # fmt: skip
    marks = expert / edf.relative_to(made.cohort).with_name(f"{name_of(SEEN)}_events.tsv")
    marks.parent.mkdir(parents=True)
    write_events(marks, Annotations((), 4.0))
    _evaluate(made)
    _answer(made, sha256_file(edf))
    return made


def _evaluate(made: Workspace) -> None:
    names = [name_of(p) for p in PEOPLE]
    folds = (Fold(tuple(names[:2]), (names[3],), (names[2],)),)
    write_json(made.interim / "split.json", {"patient": Split("patient", 7, 0.25, folds).to_json()})
    assert "patient" in splits(made)
    write_json(made.store / "training" / "line_length" / "patient" / "log.json", {})
    rows = [
        {"recording": name_of(SEEN), "patient": SEEN, "person": "p-two", "site": "north", "second": s, "probability": p, "label": 0}
        for s, p in enumerate((np.nan, 0.1, 0.8, 0.7))
    ]  # fmt: skip
    folder = made.interim / "evaluation" / "line_length" / "patient"
    found = {name_of(SEEN): Annotations((Event(2.0, 2.0, "sz", 0.8),), 4.0)}
    write_predictions(folder, pd.DataFrame(rows), found, {name_of(SEEN): About("completed", 0.5)})


def _answer(made: Workspace, recording: str) -> None:
    said = {**SAID, "recording_digest": recording}
    prediction = Subject("prediction", "prediction-3", digest_of(said))
    about = (prediction, Subject("recording", "r", recording), Subject("model", "line_length", MODEL))
    edges = (Edge(prediction.digest, "analyses", recording), Edge(prediction.digest, "made_by", MODEL))
    records.open_ledger(made).append_many([Draft("prediction.abstained", ASKER, about, payload=said, edges=edges)])


def opened(workspace: Workspace, patient: str = SEEN) -> Recorded:
    found = recorded(workspace, "tiny", name_of(patient))
    assert found is not None
    return found


def test_everybody_who_read_a_recording_is_told_of_in_the_order_of_their_weight(workspace: Workspace) -> None:
    readings = opened(workspace).readings
    assert [r.kind for r in readings] == ["label", "expert", "model", "model"]
    assert [s.text for s in readings[0].stretches] == ["sz_foc"] and readings[1] == Reading("expert-1", "expert")


def test_an_evaluation_brings_its_events_course_and_threshold(workspace: Workspace) -> None:
    evaluated = opened(workspace).readings[2]
    assert evaluated.source == "line_length, evaluated on patients it had not seen"
    assert evaluated.trend == (None, 0.1, 0.8, 0.7) and evaluated.threshold == 0.5
    assert [(s.onset_s, s.duration_s, s.confidence) for s in evaluated.stretches] == [(2.0, 2.0, 0.8)]
    assert evaluated.trend_delay_s == 5.0  # half of the 10 s that are averaged over


def test_an_evaluation_of_the_null_control_is_marked_as_one(workspace: Workspace) -> None:
    result = workspace.interim / "evaluation" / "line_length" / "patient" / "result.json"
    write_json(result, {"of": {"shuffled_labels": True}})
    source = "line_length, null control with somebody else's labels, evaluated on patients it had not seen"
    assert opened(workspace).readings[2].source == source
    write_json(result, {"of": {"shuffled_labels": False}})
    assert "null control" not in opened(workspace).readings[2].source


def test_an_answer_of_the_ledger_brings_what_drove_it_and_where_it_kept_silent(workspace: Workspace) -> None:
    answer = opened(workspace).readings[3]
    assert answer.source.startswith("line_length, answer to north, ") and answer.address == "/predictions/prediction-3"
    assert answer.trend == (None, 0.2, 0.9, 0.4) and answer.stretches[0].drivers == (("T4-T6", 0.7),)
    assert answer.trend_delay_s == 1.0
    assert [(s.onset_s, s.text) for s in answer.silent] == [(0.0, "not assessed"), (1.0, "abstained")]


def test_an_answer_that_was_erased_says_so(workspace: Workspace) -> None:
    ledger = records.open_ledger(workspace)
    (line,) = ledger.entries("prediction.abstained")
    ledger.erase(line.payload_digest, actor=line.actor, reason="consent")
    answer = opened(workspace).readings[3]
    assert answer.note == "it was erased" and answer.trend is None and not answer.stretches


def test_bytes_are_named_and_said_to_be_registered_only_while_they_are_those(workspace: Workspace) -> None:
    before = opened(workspace)
    assert before.registered == {"eeg"} and before.digests["eeg"] == sha256_file(edf_of(workspace, SEEN))
    edf = edf_of(workspace, SEEN)
    edf.write_bytes(edf.read_bytes()[:-1] + b"\x01")
    assert not opened(workspace).registered


def test_the_address_of_a_recording_is_found_by_its_bytes(workspace: Workspace) -> None:
    digest = sha256_file(edf_of(workspace, SEEN))
    assert where_seen(workspace, digest, name_of(SEEN)) == ADDRESS
    assert (
        where_seen(workspace, digest, name_of("sub-01")) == "" and where_seen(workspace, "f" * 64, name_of(SEEN)) == ""
    )


def test_what_was_put_aside_is_counted_and_told_with_its_reason(workspace: Workspace) -> None:
    assert put_aside(workspace) == 0
    reason = {"code": "flat", "sentence": "Every channel is flat."}
    verdicts = [{"recording": name_of(p), "outcome": "quarantined", "reasons": [reason]} for p in ("sub-01", "sub-02")]
    write_json(workspace.interim / "checks" / "verdicts.json", verdicts)
    (shelf,) = shelves(workspace)
    assert put_aside(workspace) == 2 == len(shelf.quarantined)
    assert shelf.quarantined[0].reasons == ("Every channel is flat.",) and shelf.recordings[2].verdict == ""


def test_whoever_withdrew_consent_is_neither_listed_nor_opened(workspace: Workspace) -> None:
    (shelf,) = shelves(workspace)
    assert len(shelf.recordings) == 4
    gone = Draft("consent.withdrawn", records.PIPELINE, (records.person_subject(PERSON),))
    records.open_ledger(workspace).append_many([gone])
    (shelf,) = shelves(workspace)
    assert [r.patient for r in shelf.recordings] == ["sub-03", "sub-04"]
    assert recorded(workspace, "tiny", name_of("sub-01")) is None


def test_the_locked_hold_out_is_listed_and_not_opened(workspace: Workspace) -> None:
    seed = next(s for s in range(100) if is_locked(ELSEWHERE, 0.4, s) and not is_locked(PERSON, 0.4, s))
    set_params(workspace.root / "params.yaml", {"holdout.share": 0.4, "holdout.seed": seed})
    (shelf,) = shelves(workspace)
    assert {r.patient for r in shelf.recordings if r.locked} >= {SEEN} and not shelf.recordings[0].locked
    with pytest.raises(Refused, match="locked hold-out"):
        recorded(workspace, "tiny", name_of(SEEN))
    assert where_seen(workspace, sha256_file(edf_of(workspace, SEEN)), name_of(SEEN)) == ""


def test_clips_are_named_by_the_likeliest_class_and_where_one_means_nothing_they_make_a_course() -> None:
    from flows.look import _of_clips

    rows = [
        {"recording": "r", "onset_s": 5.0 * n, "code": "", "other": 1 - p, "spasm": p} for n, p in enumerate((0.1, 0.9))
    ]
    spasms = _of_clips("m", "spasms", rows, 5.0, None)
    assert [(s.onset_s, s.duration_s, s.text, s.confidence) for s in spasms.stretches] == [(5.0, 5.0, "spasm", 0.9)]
    assert spasms.trend is not None and np.allclose(spasms.trend, [0.1] * 5 + [0.9] * 5)  # type: ignore[arg-type]
    marked = Annotations((Event(2.0, 7.0, "sz_foc"),), 20.0)
    typed = _of_clips("m", "typing", [{"onset_s": 2.0, "FNSZ": 0.6, "GNSZ": 0.4}], 24.0, marked)
    assert [(s.onset_s, s.duration_s, s.text) for s in typed.stretches] == [(2.0, 7.0, "FNSZ")] and typed.trend is None


def test_the_server_of_runs_is_where_prefect_says() -> None:
    assert run_server({}) == run_server({"PREFECT_API_URL": "", "PREFECT_UI_URL": "javascript:1"}) == ""
    assert run_server({"PREFECT_API_URL": "http://127.0.0.1:4200/api"}) == "http://127.0.0.1:4200"
    assert run_server({"PREFECT_UI_URL": "https://runs.example/", "PREFECT_API_URL": "x"}) == "https://runs.example"
    for address in ("http://ictal:w0rd@runs.example:4200/api/", "http://ictal:w@0rd@runs.example:4200/api"):
        assert run_server({"PREFECT_API_URL": address}) == "http://runs.example:4200"
    assert run_server({"PREFECT_UI_URL": "https://u:w@runs.example/ui/a@b/"}) == "https://runs.example/ui/a@b"
