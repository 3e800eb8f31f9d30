"""What the service notes of a request, in its log and in `/metrics`: neither a name nor what a file holds."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from serving import desk
from serving.schema import Answer
from tests.services import MARK, Served, problem

pytest_plugins = ["tests.one_service"]


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
    assert line["at"].startswith(f"{Path(__file__).name}:")


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
