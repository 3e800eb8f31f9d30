"""`/v1/detect`: a recording in, one answer with a receipt out, also where it cannot be evaluated."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.keys import create_platform_key, platform_public_path
from lineage.ledger import Ledger
from models.conformal import Conformal
from serving.answering import answer
from serving.auth import key_id
from serving.journal import Journal, verify_answer
from serving.loader import Loader
from serving.schema import Answer
from tests.edf_bytes import File, eeg, notes
from tests.served import HAS_SEEN_ALL, NOW, put_in_force
from tests.services import Served, said

pytest_plugins = ["tests.one_service"]


def test_the_seizure_in_the_recording_is_in_the_answer(served: Served) -> None:
    body = said(served.detect())
    assert (body["outcome"], body["code"], body["reason"]) == ("completed", None, None)
    [event] = body["events"]
    assert abs(event["onset_s"] - 60) <= 5
    assert abs(event["onset_s"] + event["duration_s"] - 100) <= 5
    assert body["burden_total_min"] == pytest.approx(event["duration_s"] / 60)
    assert body["burden_min_per_h"] == pytest.approx(event["duration_s"] / 60 / (119 / 3600))
    assert all(
        len(str(body[name]).partition(".")[2]) <= 6 for name in ("burden_min_per_h", "burden_total_min", "coverage")
    )


def test_an_event_begins_by_the_delay_that_is_told_before_the_trend_crosses_the_threshold(served: Served) -> None:
    body = said(served.detect())
    [file] = (served.home / "bentoml").rglob("bundle.json")
    threshold = json.loads(file.read_text())["decision"]["threshold"]
    [event] = body["events"]
    above = [second for second, p in enumerate(body["trend_1hz"]) if p is not None and p >= threshold]
    assert event["onset_s"] == above[0] - body["trend_delay_s"]
    assert event["onset_s"] + event["duration_s"] == above[-1] + 1 - body["trend_delay_s"]
    refused = said(served.detect(b"no recording"))
    assert refused["trend_1hz"] is None and refused["trend_delay_s"] is None


def test_the_answer_says_how_much_was_looked_at_and_by_what(served: Served) -> None:
    body = said(served.detect())
    assert (body["duration_s"], body["analysed_s"], body["coverage"]) == (120.0, 119.0, pytest.approx(119 / 120))
    assert body["not_assessed"] == [{"onset_s": 0.0, "duration_s": 1.0}]
    assert [p is None for p in body["trend_1hz"]] == [True] + 119 * [False]
    assert body["model"]["digest"] == json.loads((served.home / "store/in_force.json").read_text())["bundle"]
    assert body["banner"].startswith("review required")
    assert body["notice"].startswith("demonstration")


def test_the_answer_over_http_is_the_answer_in_process(served: Served) -> None:
    loader, journal = Loader(served.home, allow_demo=True), Journal(served.home)
    here = answer(served.recording, site="demo-north", age_days=3.0, loader=loader, journal=journal, now=NOW)
    over_http = said(served.detect())
    ours = json.loads(here.model_dump_json())
    for issued_anew in ("prediction_id", "receipt"):
        assert ours.pop(issued_anew) != over_http.pop(issued_anew)
    assert over_http == ours


def test_the_same_recording_again_is_another_prediction_with_the_same_finding(served: Served) -> None:
    first, second = said(served.detect()), said(served.detect())
    assert first["prediction_id"] != second["prediction_id"]
    assert first["trend_1hz"] == second["trend_1hz"]


def test_the_receipt_vouches_offline_for_exactly_this_answer(served: Served) -> None:
    body, pem = said(served.detect()), platform_public_path(served.home / "keys").read_bytes()
    assert verify_answer(body, pem).ok
    changed = {
        "the code": {**body, "code": "flat"},
        "one second of the trend": {**body, "trend_1hz": [*body["trend_1hz"][:-1], 0.5]},
        "the event": {**body, "events": []},
        "the prediction": {**body, "prediction_id": "0"},
        "a field too many": {**body, "comment": ""},
        "the receipt of another answer": {**body, "receipt": said(served.detect())["receipt"]},
        "no receipt": {**body, "receipt": None},
    }
    for case, other in changed.items():
        assert verify_answer(other, pem).problems, case


def test_a_receipt_signed_by_another_platform_is_not_accepted(served: Served, tmp_path: Path) -> None:
    create_platform_key(tmp_path)
    assert verify_answer(said(served.detect()), platform_public_path(tmp_path).read_bytes()).problems


def test_every_answer_stands_in_the_ledger_with_its_recording_and_its_model(served: Served) -> None:
    body = said(served.detect())
    ledger = Ledger(served.home / "ledger" / "ledger.db")
    [entry] = ledger.entries("prediction.issued", body["receipt"]["entry"]["payload_digest"])
    assert entry.actor.site == "demo-north"
    assert entry.actor.id == f"site-key:{key_id(served.key)}"
    assert ledger.payload(entry.payload_digest) == {k: v for k, v in body.items() if k != "receipt"}
    assert {(e.relation, e.parent) for e in entry.edges} == {
        ("analyses", body["recording_digest"]),
        ("made_by", body["model"]["digest"]),
        ("permitted_by", body["model"]["approval"]),
    }
    assert ledger.verify().ok


def gapped() -> bytes:
    """Two stretches of 60 s with 30 s between them (EDF+D)."""
    electrodes = ("Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "T3", "C3", "Cz", "C4", "T4", "T5", "P3", "Pz", "P4")
    signals = [eeg(name, 120, seed=i) for i, name in enumerate((*electrodes, "T6", "O1", "O2"))]
    onsets = [f"+{second if second < 60 else second + 30}" for second in range(120)]
    return File([*signals, notes(onsets)], reserved="EDF+D").to_bytes()


def test_a_gap_is_said_and_not_bridged(served: Served) -> None:
    body = said(served.detect(gapped()))
    assert (body["outcome"], body["duration_s"]) == ("completed_with_abstentions", 150.0)
    assert {"onset_s": 60.0, "duration_s": 31.0} in body["not_assessed"]
    assert body["coverage"] == pytest.approx(118 / 150)
    assert body["receipt"]["entry"]["type"] == "prediction.abstained"


def said_by(home: Path, recording: bytes) -> dict[str, Any]:
    loader, journal = Loader(home, allow_demo=True), Journal(home)
    found = answer(recording, site="demo-north", age_days=3.0, loader=loader, journal=journal, now=NOW)
    body: dict[str, Any] = json.loads(found.model_dump_json())
    return body


def test_where_the_model_does_not_commit_itself_is_said_apart_and_no_event_is_lost(
    other_home: Path, recording: bytes
) -> None:
    sure = said_by(other_home, recording)
    put_in_force(other_home, 0.6, conformal=Conformal(0.9, 0.3, 0.2, 9, 9))
    unsure = said_by(other_home, recording)
    assert (sure["outcome"], sure["abstained"], sure["decided_share"]) == ("completed", [], 1.0)
    assert unsure["outcome"] == "completed_with_abstentions" and len(unsure["events"]) == 1
    assert (unsure["trend_1hz"], unsure["not_assessed"]) == (sure["trend_1hz"], sure["not_assessed"])
    between = [p is not None and 0.2 <= p <= 0.3 for p in unsure["trend_1hz"]]
    held = [[s["onset_s"] <= k < s["onset_s"] + s["duration_s"] for s in unsure["abstained"]] for k in range(120)]
    assert [any(h) for h in held] == between and any(between)
    assert unsure["decided_share"] == pytest.approx(1 - sum(between) / 119)


def test_a_recording_unlike_the_training_patients_is_refused_with_its_score(other_home: Path, recording: bytes) -> None:
    put_in_force(other_home, 0.6, ood=replace(HAS_SEEN_ALL, recording_limit=0.5))
    body = said_by(other_home, recording)
    assert (body["outcome"], body["code"], body["events"]) == ("not_evaluable", "ood", None)
    assert (body["abstained"], body["decided_share"], body["coverage"]) == ([], None, 0.0)
    assert body["ood"]["limit"] == 0.5 < body["ood"]["score"] and f"{body['ood']['score']:.2f}" in body["reason"]


def test_how_strange_a_recording_is_stands_in_every_answer_that_looked_at_it(served: Served) -> None:
    body = said(served.detect())
    assert set(body["ood"]) == {"score", "limit", "share_outside"} and body["ood"]["score"] <= body["ood"]["limit"]
    assert said(served.detect(b"%PDF-1.7 " * 100))["ood"] is None


NOT_EVALUABLE = {
    "a truncated file": (lambda r: r[:-1000], "3d", "truncated"),
    "an empty file": (lambda r: b"", "3d", "no_signal"),
    "something else": (lambda r: b"%PDF-1.7 " * 100, "3d", "unsupported_format"),
    "a header alone": (lambda r: r[:100], "3d", "truncated"),
    "an unknown age": (lambda r: r, None, "age_unknown"),
    "a grown-up": (lambda r: r, "34y", "age_out_of_scope"),
    "an age the detector knows and the approval does not": (lambda r: r, "25d", "age_out_of_scope"),
    "two seconds": (lambda r: File([eeg("Fp1", 2)]).to_bytes(), "3d", "montage_missing"),
}


@pytest.mark.parametrize("case", NOT_EVALUABLE)
def test_what_cannot_be_evaluated_is_an_answer_too_with_a_receipt(served: Served, case: str) -> None:
    spoil, age, code = NOT_EVALUABLE[case]
    response = served.detect(spoil(served.recording), age)
    body = said(response)
    assert (response.status_code, body["outcome"], body["code"]) == (200, "not_evaluable", code)
    assert body["reason"]
    assert (body["events"], body["trend_1hz"], body["burden_total_min"], body["coverage"]) == (None, None, None, 0.0)
    assert body["receipt"]["entry"]["type"] == "prediction.not_evaluable"
    assert verify_answer(body, platform_public_path(served.home / "keys").read_bytes()).ok


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_no_damaged_file_breaks_the_service(served: Served, data: st.DataObject) -> None:
    content = bytearray(served.recording)
    for at in data.draw(st.lists(st.integers(0, 256 * 20), min_size=1, max_size=5), label="where"):
        content[at] = data.draw(st.integers(0, 255), label="what")
    end = data.draw(st.sampled_from([len(content), 300, 256 * 20, len(content) - 1]), label="end")
    response = served.detect(bytes(content[:end]))
    assert response.status_code == 200
    Answer.model_validate(said(response))


def test_the_upload_is_gone_after_the_answer(served: Served) -> None:
    served.detect()
    assert list((served.home / "jobs" / "uploads").iterdir()) == []
