"""The prediction API as a hospital site meets it: every request ends in one answer with a receipt, or in one problem."""

import json
import logging
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from data.montage import ELECTRODES
from data.readers.edf import read_edf
from lineage.approvals import revoke
from lineage.keys import create_platform_key, platform_public_path
from lineage.ledger import Ledger
from models import detectors
from models.conformal import Conformal
from serving import desk
from serving.answering import answer
from serving.auth import issue_key, key_id, open_keys, revoke_key
from serving.client import Client, ServiceRefused
from serving.journal import Journal, verify_answer
from serving.limits import READS, ROUTES, SCOPES_FOR, Limits, route_of
from serving.loader import Loader, revocations_folder
from serving.naming import QUESTIONS
from serving.quotas import Quotas
from serving.schema import EXAMPLE, Answer
from serving.service import create_app
from tests.authenticator import code
from tests.edf_bytes import File, eeg, notes
from tests.served import (
    HAS_SEEN_ALL,
    NOW,
    PASSPHRASE,
    REVIEWER,
    free_port,
    people_and_keys,
    put_in_force,
    running,
    write_recording,
)
from tests.services import MARK, Served, TestClient, key_of, problem, said, serving

PICKLE = "application/vnd.bentoml+pickle"
PART = b'--x\r\nContent-Disposition: form-data; name="recording"; filename="a"\r\n\r\n'
"""How a file begins in a multipart body with the boundary x."""


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("recording") / "recording.edf"
    return write_recording(path, patient=f"X F 02-FEB-2020 {MARK}").read_bytes()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("served")
    people_and_keys(home)
    put_in_force(home)
    return home


@pytest.fixture(scope="module")
def served(finished: Path, recording: bytes) -> Iterator[Served]:
    with serving(finished, recording) as ready:
        yield ready


@pytest.fixture
def other_home(finished: Path, tmp_path: Path) -> Path:
    """A copy of the workspace that a test may spoil."""
    return Path(shutil.copytree(finished, tmp_path / "home", ignore=shutil.ignore_patterns("jobs")))


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


def test_fault_a_model_that_is_taken_back_while_it_looks_says_nothing(other_home: Path, recording: bytes) -> None:
    """A long recording may take minutes; a revocation counts within seconds."""
    loader, journal, keys = (
        Loader(other_home, allow_demo=True, clock=count().__next__),
        Journal(other_home),
        other_home / "keys",
    )
    two = PASSPHRASE, code(keys, REVIEWER, NOW)
    digest = loader.for_site("demo-north", NOW).bundle.digest

    def told(stage: str, share: float) -> None:
        if stage == "reading":
            revoke(revocations_folder(other_home), keys, REVIEWER, *two, digest=digest, reason="recall", now=NOW)

    said = answer(recording, site="demo-north", age_days=3.0, loader=loader, journal=journal, now=NOW, told=told)
    assert (said.outcome, said.code) == ("not_evaluable", "no_approved_model") and "recall" in (said.reason or "")
    assert said.model is None and said.events is None and said.trend_1hz is None
    journal.ledger.engine.dispose()


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


def test_no_text_of_the_header_and_no_file_name_is_kept_anywhere(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    assert MARK.encode() in served.recording
    with caplog.at_level(logging.INFO):
        texts = [served.detect(c).text for c in (None, served.recording[:-1000], served.recording[:100])]
    kept = [p for folder in ("ledger", "jobs") for p in (served.home / folder).rglob("*") if p.is_file()]
    assert kept
    assert MARK not in "".join(texts) + caplog.text
    assert not [p.name for p in kept if MARK.encode() in p.read_bytes() or MARK in p.name]


def test_the_upload_is_gone_after_the_answer(served: Served) -> None:
    served.detect()
    assert list((served.home / "jobs" / "uploads").iterdir()) == []


def test_each_request_is_one_line_of_json_in_the_log(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "ictal.serving"):
        response = served.detect()
        served.client.get(f"/v1/{MARK}", headers=served.headers)
    lines = [json.loads(r.message) for r in caplog.records if r.name == "ictal.serving"]
    assert [line["event"] for line in lines] == ["request", "request"]
    assert lines[0] | {"ms": 0} == {
        "event": "request", "request_id": response.headers["x-request-id"], "method": "POST", "route": "/v1/detect",
        "status": 200, "site": "demo-north", "ms": 0, "outcome": "completed", "code": "",
    }  # fmt: skip
    assert (lines[1]["route"], lines[1]["status"]) == ("other", 404)


def test_without_a_key_in_force_nothing_is_answered(served: Served) -> None:
    engine = open_keys(served.home)
    ended = issue_key(engine, "demo-north", ("detect",), NOW - timedelta(days=2), 1)
    revoked = issue_key(engine, "demo-north", ("detect",), NOW, 1)
    revoke_key(engine, key_id(revoked), NOW)
    engine.dispose()
    wrong = served.key[:-1] + ("0" if served.key[-1] != "0" else "1")
    headers = [{}, {"Authorization": served.key}, {"Authorization": f"Basic {served.key}"}]
    headers += [{"Authorization": f"Bearer {key}"} for key in ("", "x", wrong, ended, revoked)]
    details = []
    for header in headers:
        for method, path in (("POST", "/v1/detect"), ("GET", "/v1/models"), ("GET", "/v1/predictions/1")):
            response = served.client.request(method, path, headers=header)
            details.append(problem(response, 401))
            assert response.headers["www-authenticate"] == "Bearer"
    none, others = set(details[: 4 * 3]), set(details[4 * 3 :])
    assert len(none) == len(others) == 1 and "no key was sent" in none.pop() and "no key" not in others.pop()


def test_a_key_opens_only_what_it_is_for(served: Served) -> None:
    engine = open_keys(served.home)
    keys = {scope: issue_key(engine, "demo-north", (scope,), NOW, 1) for scope in ("models", "detect")}
    engine.dispose()
    for key in keys.values():
        assert served.client.get("/v1/models", headers={"Authorization": f"Bearer {key}"}).status_code == 200
    headers = {"Authorization": f"Bearer {keys['models']}"}
    files = {"recording": ("a.edf", b"")}
    assert "scope detect" in problem(served.client.post("/v1/detect", headers=headers, files=files), 403)


@pytest.mark.parametrize("path", [*ROUTES, "/elsewhere"])
def test_no_route_reads_a_pickle_or_any_other_type(served: Served, path: str) -> None:
    read = READS.get(path, "multipart/form-data")
    for method in ("GET", "POST"):
        for kind in (PICKLE, PICKLE.upper(), "application/x-python-pickle; charset=x"):
            response = served.client.request(method, path, headers={**served.headers, "Content-Type": kind})
            assert read in problem(response, 415)
    others = "application/json", "application/octet-stream", "application/x-www-form-urlencoded", "text/plain", ""
    for kind in {*others, "multipart/form-data"} - {read}:
        headers = {**served.headers, "Content-Type": kind}
        problem(served.client.post(path, headers=headers, content=b"{}"), 415)


def test_a_file_field_with_an_address_is_refused_and_never_fetched(served: Served) -> None:
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.settimeout(0.2)
        url = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/recording.edf"
        response = served.client.post("/v1/detect", headers=served.headers, files={"recording": (None, url)})
        assert "addresses are not fetched" in problem(response, 400)
        with pytest.raises(TimeoutError):
            elsewhere.accept()


FORMS_OF_TOO_MUCH: dict[str, dict[str, Any]] = {
    "many files": {"files": [(f"recording{n}", ("a", b"")) for n in range(9)]},
    "many fields": {"files": {"recording": ("a", b"")}, "data": {f"age{n}": "3d" for n in range(99)}},
    "a long field": {"files": {"recording": ("a", b"")}, "data": {"age": "3d" * 9999}},
}


@pytest.mark.parametrize("route", ["detect", "jobs", "typing"])
@pytest.mark.parametrize("what", FORMS_OF_TOO_MUCH)
def test_a_form_of_more_than_any_has_is_refused_while_it_arrives(served: Served, what: str, route: str) -> None:
    """Each file would be open, and each field in memory, until the last had come."""
    sent = served.client.post(f"/v1/{route}", headers=served.headers, **FORMS_OF_TOO_MUCH[what])
    assert "at most 4 files and 16 fields of 4096 bytes" in problem(sent, 400)


@pytest.mark.parametrize("span", [("inf", "5"), ("1", "inf"), ("1e400", "1"), ("1e308", "1e308")])
@pytest.mark.parametrize("question", ["typing", "jobs"])
def test_a_stretch_without_end_is_refused(served: Served, question: str, span: tuple[str, str]) -> None:
    fields = {"age": "3d", "onset_s": span[0], "duration_s": span[1]} | (
        {"question": "typing"} if question == "jobs" else {}
    )
    files = {"recording": ("a.edf", served.recording)}
    sent = served.client.post(f"/v1/{question}", headers=served.headers, files=files, data=fields)
    assert "neither is infinite" in problem(sent, 400)


@pytest.mark.parametrize(
    "path", ["/v1/jobs/%00", "/v1/predictions/a%00b", "/v1/predictions/%00/receipt", "/v1/jobs/%0a"]
)
def test_what_is_no_text_is_no_address(served: Served, path: str) -> None:
    """PostgreSQL knows no text with a zero in it, and would fail."""
    assert "nothing under this address" in problem(served.client.get(path, headers=served.headers), 404)


@pytest.mark.parametrize("path", ["/v1/detect", "/v1/windows", "/v1/jobs", "/v1/predictions/a/verdict"])
def test_a_body_that_was_compressed_is_refused_and_not_read_as_samples(served: Served, path: str) -> None:
    kind = {"Content-Type": READS.get(route_of(path), "multipart/form-data; boundary=x"), "Content-Encoding": "gzip"}
    sent = served.client.post(path, headers=served.headers | kind, content=bytes(76))
    assert "send it uncompressed" in problem(sent, 415)


@pytest.mark.parametrize("charset", ["undefined", "punycode", "idna", "hex", "nonsense"])
def test_a_form_in_whatever_charset_is_read_or_refused(served: Served, charset: str) -> None:
    kind = {"Content-Type": f"multipart/form-data; boundary=x; charset={charset}"}
    body = b'--x\r\nContent-Disposition: form-data; name="age"\r\n\r\n\xff\r\n' + PART + b"0\r\n--x--\r\n"
    problem(served.client.post("/v1/detect", headers=served.headers | kind, content=body), 400)


GONE = OperationalError("SELECT what a patient's file holds", (), OSError(MARK))


@pytest.mark.parametrize(
    "place", ["serving.journal.Journal.receipt", "serving.past.Past.answer", "serving.desk.site_of"]
)
def test_while_the_store_is_away_a_site_is_told_to_come_again(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, place: str
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise GONE

    monkeypatch.setattr(place, away)
    unseen = key_of(served.home, "demo-north") if place.endswith("site_of") else served.headers
    with caplog.at_level("INFO", logger="ictal.serving"):
        said = served.detect() if "receipt" in place else served.client.get("/v1/predictions/a", headers=unseen)
    assert "try again" in problem(said, 503) and said.headers["retry-after"] == "5"
    assert MARK not in caplog.text and "patient" not in caplog.text


def test_requests_that_cannot_be_read_are_told_which_field_is_wrong(served: Served) -> None:
    post = served.client.post
    assert "recording" in problem(post("/v1/detect", headers=served.headers), 400)
    assert "recording" in problem(post("/v1/detect", headers=served.headers, files={"file": ("a.edf", b"0")}), 400)
    assert "write days, weeks, months or years" in problem(served.detect(age="three days"), 400)
    assert "SHA-256" in problem(served.detect(sha256="0" * 64), 400)
    assert "no field Age: the form fields are age, " in problem(served.detect(Age="3d"), 400)
    assert MARK not in problem(served.detect(**{f"{MARK} {MARK}": "3d"}), 400)
    twice = [("recording", ("a.edf", served.recording)), ("recording", ("b.edf", b""))]
    assert "at most once" in problem(post("/v1/detect", headers=served.headers, files=twice), 400)
    broken = {**served.headers, "Content-Type": "multipart/form-data; boundary=x"}
    problem(post("/v1/detect", headers=broken, content=b"--y"), 400)


def test_a_refused_upload_leaves_no_line_in_the_ledger(served: Served) -> None:
    ledger = Ledger(served.home / "ledger" / "ledger.db")
    before = ledger.head().size
    problem(served.detect(sha256="0" * 64), 400)
    problem(served.detect(age="three days"), 400)
    assert ledger.head().size == before


def test_what_is_not_served_here_is_not_found_whatever_the_frameworks_would_show(served: Served) -> None:
    for path in (
        "/docs",
        "/redoc",
        "/docs.json",
        "/schema.json",
        "/static_content/index.css",
        "/v1/detect/",
        "/%2Fv1/models",
    ):
        problem(served.client.get(path, headers=served.headers), 404)
    assert problem(served.client.put("/v1/detect", headers=served.headers), 405)
    assert served.client.post("/livez").headers["allow"]


def test_every_response_carries_the_headers_that_keep_browsers_out(served: Served) -> None:
    for response in (served.client.get("/"), served.client.get("/elsewhere"), served.detect()):
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["content-security-policy"].startswith("default-src 'none'")
        assert response.headers["x-content-type-options"] == "nosniff"
    assert "http" not in served.client.get("/").text


def test_the_interface_announces_no_status_that_is_never_sent(served: Served) -> None:
    text = served.client.get("/openapi.json").text
    assert '"422"' not in text and "HTTPValidationError" not in text and '"default"' in text


def test_the_interface_is_described_with_an_example_that_is_an_answer(served: Served) -> None:
    document = served.client.get("/openapi.json").json()
    questions = {f"/v1/{question}" for question in QUESTIONS}
    assert set(document["paths"]) == set(SCOPES_FOR) and questions < set(SCOPES_FOR)
    content = document["paths"]["/v1/detect"]["post"]["responses"]["200"]["content"]["application/json"]
    assert Answer.model_validate(content["example"]) == Answer.model_validate(EXAMPLE)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_second_view_is_offered_where_film_is_looked_at_and_refused_elsewhere(served: Served, question: str) -> None:
    looks_at_film = {detectors.facts(name)["modality"] for name in detectors.names(question)} == {"video"}
    document = served.client.get("/openapi.json").json()
    form = document["paths"][f"/v1/{question}"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    fields = document["components"]["schemas"][form["$ref"].rpartition("/")[2]]["properties"]
    assert ("second_view" in fields) == looks_at_film
    if not looks_at_film:
        files = {part: (part, served.recording) for part in ("recording", "second_view")}
        for path, data in ((f"/v1/{question}", {}), ("/v1/jobs", {"question": question})):
            said = problem(served.client.post(path, headers=served.headers, files=files, data=data), 400)
            assert "second_view" in said


def test_every_route_is_described_with_an_example_of_what_it_answers(served: Served) -> None:
    document = served.client.get("/openapi.json").json()
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            answers = {status: shown for status, shown in route["responses"].items() if status < "300"}
            if path == "/v1/stream":
                assert "welcome" in answers["101"]["description"]
                continue
            for status, shown in answers.items():
                example = shown.get("content", {}).get("application/json", {}).get("example")
                assert example or (status == "202" and method == "delete"), (method, path, status)
            assert route["description"]
            assert "404" in route["responses"] or "{id}" not in path


def test_a_site_can_read_what_the_model_is_for(served: Served) -> None:
    [card] = served.client.get("/v1/models", headers=served.headers).json()["models"]
    assert card["intended_use"] == "A yardstick for neonatal seizure detectors. Not for clinical use."
    assert "**Limits.**" in card["card"]
    assert (card["ages"], card["min_duration_s"]) == ("0 to 28 days", 30.0)


def test_the_counts_name_outcomes_and_routes_but_no_site(served: Served) -> None:
    served.detect()
    served.detect(b"")
    text = served.client.get("/metrics").text
    assert 'ictal_answers_total{code="",outcome="completed"}' in text
    assert 'ictal_answers_total{code="no_signal",outcome="not_evaluable"}' in text
    assert 'ictal_request_seconds_bucket{le="0.25",route="/v1/detect"}' in text
    assert 'name="line_length",place="in_force",task="detection"} 1.0' in text
    assert 'ictal_coverage_bucket{le="1.0"}' in text and 'ictal_jobs{state="queued"} 0.0' in text
    assert "ictal_oldest_job_seconds 0.0" in text
    assert "demo-north" not in text


def test_a_site_outside_the_scope_is_told_that_no_model_is_approved(served: Served) -> None:
    engine = open_keys(served.home)
    key = issue_key(engine, "south", ("detect", "models"), NOW, 1)
    engine.dispose()
    south = Served(served.home, served.client, key, served.recording)
    body = said(south.detect())
    assert (body["outcome"], body["code"], body["model"]) == ("not_evaluable", "no_approved_model", None)
    assert "not among those that the approval is for" in body["reason"]
    listed = served.client.get("/v1/models", headers=south.headers).json()
    assert (listed["models"], "not among those that the approval is for" in listed["reason"]) == ([], True)


def test_a_revoked_model_stops_answering_within_five_seconds(other_home: Path, recording: bytes) -> None:
    with serving(other_home, recording) as service:
        assert service.client.get("/readyz").status_code == 200
        body = said(service.detect())
        assert body["outcome"] == "completed"
        digest = body["model"]["digest"]
        folder, keys = revocations_folder(other_home), other_home / "keys"
        two = PASSPHRASE, code(keys, REVIEWER, NOW)
        revoke(folder, keys, REVIEWER, *two, digest=digest, reason="recall", now=NOW)
        start_s = time.monotonic()
        while service.client.get("/readyz").status_code == 200:
            assert time.monotonic() - start_s < 5
            time.sleep(0.1)
        assert "recall" in problem(service.client.get("/readyz"), 503)
        assert said(service.detect())["code"] == "no_approved_model"
        assert service.client.get("/livez").status_code == 200
        assert service.client.get("/v1/models", headers=service.headers).json()["models"] == []


def test_a_normal_service_does_not_accept_demo_signers(other_home: Path) -> None:
    with TestClient(create_app(other_home, clock=lambda: NOW)) as client:
        assert "demo signer" in problem(client.get("/readyz"), 503)


def test_too_large_an_upload_is_refused_announced_or_not(other_home: Path, recording: bytes) -> None:
    with serving(other_home, recording, limits=Limits(upload_bytes=len(recording) + 1000)) as service:
        assert service.detect().status_code == 200
        assert "at most" in problem(service.detect(recording + bytes(1000)), 413)
        kind = {**service.headers, "Content-Type": "multipart/form-data; boundary=x"}
        pieces = iter([PART, *(bytes(100_000) for _ in range(len(recording) // 100_000 + 2)), b"\r\n--x--\r\n"])
        response = service.client.post("/v1/detect", headers=kind, content=pieces)
        assert "content-length" not in response.request.headers
        assert "at most" in problem(response, 413)
        negative = {**kind, "Content-Length": "-1"}
        problem(service.client.post("/v1/detect", headers=negative, content=b""), 400)


def test_more_requests_than_can_be_served_are_sent_away_and_slow_ones_end(
    other_home: Path, recording: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, release = threading.Event(), threading.Event()

    def slow(*_: Any, **__: Any) -> Answer:
        begun.set()
        release.wait(10)
        raise AssertionError("nobody waits for this answer any more")

    monkeypatch.setattr(desk, "answer", slow)
    with serving(other_home, recording, limits=Limits(concurrent=1, timeout_s=0.8, quotas=Quotas(kept=1))) as service:
        responses: list[httpx.Response] = []
        first = threading.Thread(target=lambda: responses.append(service.detect()))
        first.start()
        assert begun.wait(5)
        crowded = service.client.get("/v1/models", headers=service.headers)
        assert crowded.headers["retry-after"] == "2"
        assert "try again" in problem(crowded, 429)
        assert service.client.get("/livez").status_code == 200
        first.join(5)
        assert "not done within 0.8 s" in problem(responses[0], 504)
        assert service.client.get("/v1/models", headers=service.headers).status_code == 200
        release.set()


def test_a_failure_shows_and_logs_nothing_of_its_text(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any, **__: Any) -> Answer:
        raise RuntimeError(MARK)

    monkeypatch.setattr(desk, "answer", fail)
    with caplog.at_level(logging.INFO):
        response = served.detect()
    assert MARK not in problem(response, 500) + caplog.text
    [line] = [json.loads(r.message) for r in caplog.records if '"failure"' in r.message]
    assert (line["error"], line["request_id"]) == ("RuntimeError", response.headers["x-request-id"])
    assert line["at"].startswith("test_serving.py:")


def test_what_cannot_be_written_down_is_not_answered(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Ledger, "append", full)
    problem(served.detect(), 500)


LOST = {
    "its receipt": ("serving.journal.Journal.receipt", False),
    "the word that it was written down": ("lineage.ledger.Ledger.append", True),
}


@pytest.mark.parametrize("what", LOST)
def test_an_answer_that_stands_although_something_was_lost_is_given_when_it_is_asked_for_again(
    served: Served, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """The ledger goes away after the answer was written down, before the site has it."""
    place, happens = LOST[what]
    act = resolve_name(place)

    def away(*given: Any, **named: Any) -> None:
        if happens:
            act(*given, **named)
        raise OSError("the ledger is away")

    before = written(served.home)
    with monkeypatch.context() as broken:
        broken.setattr(place, away)
        problem(served.detect(age="5d"), 500)
    standing = written(served.home) - before
    again, later = said(served.detect(age="5d")), said(served.detect(age="5d"))
    assert standing == {again["prediction_id"]} and later["prediction_id"] not in standing
    assert verify_answer(again, platform_public_path(served.home / "keys").read_bytes()).ok


def test_what_another_key_is_owed_is_given_to_no_other(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> None:
        raise OSError("the ledger is away")

    with monkeypatch.context() as broken:
        broken.setattr(Journal, "receipt", away)
        problem(served.detect(), 500)
    files, before = {"recording": ("a.edf", served.recording)}, written(served.home)
    south = key_of(served.home, "demo-south")
    other = said(served.client.post("/v1/detect", headers=south, files=files, data={"age": "3d"}))
    assert other["prediction_id"] not in before


def written(home: Path) -> set[str]:
    """Ids of the predictions in the ledger."""
    ledger = Ledger(home / "ledger" / "ledger.db")
    found = {entry.subjects[0].id for entry in ledger.entries("prediction.issued")}
    ledger.engine.dispose()
    return found


@pytest.mark.parametrize(
    ("content", "key", "words"),
    [
        (b"<html></html>", "k", "not this service's"),
        (b"", "k", "not this service's"),
        (b"{}", "k\N{HORIZONTAL ELLIPSIS}", "plain ASCII"),
    ],
)
def test_an_answer_that_is_none_and_a_key_that_cannot_be_one_are_said_in_a_sentence(
    content: bytes, key: str, words: str
) -> None:
    with pytest.raises(ServiceRefused, match=words), Client("http://127.0.0.1:1", key) as client:
        answering = httpx.MockTransport(lambda _: httpx.Response(200, content=content))
        client._http = httpx.Client(transport=answering, base_url="http://a")
        client.models()


def test_a_channel_that_no_header_can_name_is_said_in_a_sentence() -> None:
    with pytest.raises(ServiceRefused, match="rename the channel"), Client("http://127.0.0.1:1", "k") as client:
        client.windows(np.zeros((1, 256)), ["\N{GREEK SMALL LETTER PHI}"], 256.0)


def test_a_site_sends_a_file_to_a_running_service(tmp_path: Path, recording: bytes) -> None:
    now = datetime.now(UTC)
    people_and_keys(tmp_path, now)
    put_in_force(tmp_path, now=now)
    engine = open_keys(tmp_path)
    key = issue_key(engine, "demo-north", ("detect", "models"), now, 1)
    engine.dispose()
    file = tmp_path / f"{MARK}.edf"
    file.write_bytes(recording)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running(tmp_path, port), Client(url, key) as client, Client(url) as stranger:
        start_s = time.monotonic()
        while not client.ready():
            assert time.monotonic() - start_s < 90, (tmp_path / "service.log").read_text()
            time.sleep(0.2)
        found = client.detect(file, age="3d")
        assert (found["outcome"], len(found["events"])) == ("completed", 1)
        assert verify_answer(found, platform_public_path(tmp_path / "keys").read_bytes()).ok
        assert client.models()["models"][0]["name"] == "line_length"
        signal = read_edf(file).segments[0].signal[:, : 4 * 256]
        windows = client.windows(signal, ELECTRODES, 256.0, age="3d")
        assert windows["onset_s"] == [0.0, 1.0, 2.0] and all(p < 0.5 for p in windows["probability"])
        with pytest.raises(ServiceRefused, match="no key was sent") as caught:
            stranger.detect(file)
        assert (caught.value.status, caught.value.instance[:9]) == (401, "urn:uuid:")
        form = {"Authorization": f"Bearer {key}", "Content-Type": "multipart/form-data; boundary=x"}
        parts = (PART if i == 0 else bytes(1 << 20) for i in range(140))
        for content, status in ((parts, 413), (b"--y", 400)):
            sent = httpx.post(f"{url}/v1/detect", headers=form, content=content, trust_env=False)
            problem(sent, status)
    log = (tmp_path / "service.log").read_text()
    assert all(json.loads(line)["event"] in ("model", "request") for line in log.splitlines())
    assert MARK not in log


def test_a_service_that_never_began_lets_go_of_what_it_holds(finished: Path) -> None:
    held = desk.Desk(finished, True, Limits(), None, lambda: NOW)
    held.close()
    with pytest.raises(RuntimeError, match="after shutdown"):
        held.analyses.submit(print)


@pytest.mark.parametrize("number", [0, 3])
def test_a_client_leaves_no_file_out_without_a_word(tmp_path: Path, number: int) -> None:
    files = [tmp_path / str(view) for view in range(number)]
    for file in files:
        file.write_bytes(b"0")
    with Client(f"http://127.0.0.1:{free_port()}", "key") as client:
        for ask in (lambda: client.submit(*files), lambda: client.name("semiology", files)):
            with pytest.raises(ServiceRefused, match=f"got {number} files"):
                ask()


def test_a_client_without_a_service_says_so(tmp_path: Path) -> None:
    path = tmp_path / "recording.edf"
    path.write_bytes(b"0")
    with Client(f"http://127.0.0.1:{free_port()}", "key") as client:
        assert not client.ready()
        with pytest.raises(ServiceRefused, match="is it running") as caught:
            client.detect(path)
    assert caught.value.status == 0


def test_a_client_sends_no_file_of_another_recording_as_a_second_view(tmp_path: Path) -> None:
    files = [tmp_path / f"sub-01_run-{run}_view-{view}_video.mp4" for run, view in ((1, "large"), (2, "small"))]
    for file in files:
        file.write_bytes(b"0")
    with Client(f"http://127.0.0.1:{free_port()}", "key") as client:
        for ask in (lambda: client.submit(*files, question="semiology"), lambda: client.name("semiology", files)):
            with pytest.raises(ServiceRefused, match="differ in run"):
                ask()
