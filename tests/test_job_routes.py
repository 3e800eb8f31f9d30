"""Jobs as a site meets them over HTTP."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from sqlalchemy.exc import OperationalError

from data.readers.pose import write_parquet
from data.readers.video_writer import write_video
from lineage.digest import sha256_bytes
from lineage.keys import platform_public_path
from lineage.ledger import Ledger
from serving import naming
from serving.jobs import JobLimits, Jobs
from serving.journal import verify_answer
from serving.limits import Limits
from serving.schema import EXAMPLE, Answer
from serving.statements import DONE_EXAMPLE, JobStatement
from tests.infants import infant
from tests.served import NOW, people_and_keys, write_recording
from tests.served_poses import put_spasms_in_force
from tests.services import MARK, Served, ended, key_of, leave, problem, said, served_home, serving, without_instance

OTHER_SITE = "demo-south"


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_recording(tmp_path_factory.mktemp("recording") / "a.edf", patient=f"X F X {MARK}").read_bytes()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return served_home(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def served(home: Path, recording: bytes) -> Iterator[Served]:
    with serving(home, recording) as ready:
        yield ready


def entries(home: Path, type: str) -> int:
    ledger = Ledger(home / "ledger" / "ledger.db")
    count = len(ledger.entries(type))
    ledger.engine.dispose()
    return count


def left_of(served: Served) -> list[Path]:
    """The files of accepted jobs: they go after the answer is there, within seconds."""
    until = time.monotonic() + 5
    while (left := list((served.home / "jobs" / "accepted").iterdir())) and time.monotonic() < until:
        time.sleep(0.02)
    return left


def test_what_is_left_is_accepted_with_an_address_and_answered_as_by_detect(served: Served) -> None:
    accepted = leave(served, sha256=sha256_bytes(served.recording))
    assert (accepted.status_code, accepted.headers["retry-after"]) == (202, "2")
    body = ended(served, accepted.headers["location"])
    assert (body["state"], body["progress"], body["outcome"]) == ("done", 1.0, "completed")
    at_once, result = said(served.detect()), body["result"]
    assert body["prediction_id"] == result["prediction_id"]
    assert verify_answer(result, platform_public_path(served.home / "keys").read_bytes()).ok
    for issued_anew in ("prediction_id", "receipt"):
        assert result.pop(issued_anew) != at_once.pop(issued_anew)
    assert result == at_once


def test_a_job_that_is_done_has_one_line_in_the_ledger_and_no_file(served: Served) -> None:

    before = entries(served.home, "prediction.issued")
    ended(served, leave(served).headers["location"])
    assert entries(served.home, "prediction.issued") == before + 1
    assert left_of(served) == []


def test_what_cannot_be_evaluated_is_a_job_that_is_done_with_its_code(served: Served) -> None:
    body = ended(served, leave(served, b"%PDF-1.7 " * 100).headers["location"])
    assert (body["state"], body["outcome"]) == ("done", "not_evaluable")
    assert (body["result"]["code"], body["result"]["events"]) == ("unsupported_format", None)


def test_a_question_without_a_model_in_force_is_answered_so(served: Served) -> None:
    body = ended(served, leave(served, question="typing", onset_s="1", duration_s="5").headers["location"])
    assert (body["question"], body["outcome"]) == ("typing", "not_evaluable")
    assert body["result"]["code"] == "no_approved_model"
    assert body["result"]["asked"]["stretches"] == [{"onset_s": 1.0, "duration_s": 5.0}]


def test_poses_and_films_are_left_as_recordings_are(tmp_path: Path) -> None:
    home = tmp_path / "home"
    people_and_keys(home)
    put_spasms_in_force(home, NOW)
    write_parquet(infant(7, 60.0, 4)[0], tmp_path / "poses")
    write_video(tmp_path / "film.mp4", np.random.default_rng(0).integers(60, 200, (90, 64, 64), np.uint8), rate_hz=15.0)
    with serving(home, (tmp_path / "poses").read_bytes()) as ready:
        poses = ended(ready, leave(ready, question="spasms", age="5mo").headers["location"])["result"]
        assert (poses["outcome"], len(poses["stretches"]), poses["model"]["name"]) == ("completed", 12, "joint_speed")
        marked = leave(ready, question="spasms", age="5mo", onset_s="5", duration_s="5")
        assert len(ended(ready, marked.headers["location"])["result"]["stretches"]) == 1
        past = leave(ready, question="spasms", age="5mo", onset_s="58", duration_s="5").headers["location"]
        outside = ended(ready, past)["result"]
        assert (outside["outcome"], outside["code"]) == ("not_evaluable", "outside_recording")
        assert "58–63 s is not inside the recording (0–60 s): mark one that is" in outside["reason"]
        film = (tmp_path / "film.mp4").read_bytes()
        said_of_film = ended(ready, leave(ready, film, question="spasms", age="5mo").headers["location"])["result"]
        assert (said_of_film["outcome"], said_of_film["code"]) == ("not_evaluable", "no_pose_estimator")
        fhir = ready.client.get(
            f"/v1/predictions/{poses['prediction_id']}", headers=ready.headers, params={"format": "fhir"}
        )
        assert len([1 for e in fhir.json()["entry"] if e["resource"]["resourceType"] == "Observation"]) == 12


def test_the_same_key_and_body_are_one_job_and_another_body_is_refused(served: Served) -> None:
    before = entries(served.home, "prediction.issued")
    key = {"Idempotency-Key": "4f1c-1"}
    first, again = leave(served, headers=key), leave(served, headers=key)
    assert first.headers["location"] == again.headers["location"]
    assert "another recording or question" in problem(leave(served, b"0", headers=key), 409)
    problem(leave(served, headers=key, age="4d"), 409)
    ended(served, first.headers["location"])
    assert said(leave(served, headers=key))["state"] == "done"
    assert entries(served.home, "prediction.issued") == before + 1
    theirs = leave(served, headers={**key, **key_of(served.home, OTHER_SITE)})
    assert theirs.status_code == 202 and theirs.headers["location"] != first.headers["location"]


def test_a_key_whose_job_failed_without_fault_of_the_recording_is_tried_anew(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = {"Idempotency-Key": "again"}

    def away(*_: Any, **__: Any) -> None:
        raise OSError("the ledger is away")

    with monkeypatch.context() as broken:
        broken.setattr(Ledger, "append", away)
        first = leave(served, headers=key)
        failed = ended(served, first.headers["location"])
    assert (failed["state"], failed["outcome"]) == ("failed", "failed_retryable")
    again = leave(served, headers=key)
    assert again.headers["location"] != first.headers["location"]
    assert ended(served, again.headers["location"])["state"] == "done"
    assert said(served.client.get(first.headers["location"], headers=served.headers)) == failed
    [leaving] = served.client.get("/openapi.json").json()["paths"]["/v1/jobs"]["post"]["parameters"]
    assert "After `failed_retryable` the same key and body are a new job" in leaving["description"]


@pytest.mark.parametrize(
    ("fields", "headers", "detail"),
    [
        ({"question": "diagnosis"}, {}, "typing, spasms"),
        ({"onset_s": "1", "duration_s": "2"}, {}, "one whole recording"),
        ({"question": "typing", "onset_s": "1"}, {}, "go together"),
        ({"age": "three days"}, {}, "write days"),
        ({"sha256": "0" * 64}, {}, "SHA-256"),
        ({"site": "x"}, {}, "at most once"),
        ({}, {"Idempotency-Key": "a b"}, "send a UUID"),
    ],
)
def test_what_cannot_be_asked_is_refused_and_leaves_nothing(
    served: Served, fields: dict[str, str], headers: dict[str, str], detail: str
) -> None:
    before = set((served.home / "jobs" / "accepted").iterdir())
    assert detail in problem(leave(served, headers=headers, **fields), 400)
    assert set((served.home / "jobs" / "accepted").iterdir()) <= before


def asked_by_another(served: Served, place: str) -> list[httpx.Response]:
    other = key_of(served.home, OTHER_SITE)
    return [served.client.request(method, place, headers=other) for method in ("GET", "DELETE")]


def test_a_site_never_learns_that_another_has_a_job(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same words, and the same one look-up, as for a job that nobody has."""
    place = leave(served).headers["location"]
    ended(served, place)
    none = asked_by_another(served, "/v1/jobs/019d3e6a-0000-7000-8000-000000000000")
    assert [without_instance(r) for r in asked_by_another(served, place)] == [without_instance(r) for r in none]
    assert [r.status_code for r in none] == [404, 404]
    assert served.client.get(place, headers=served.headers).status_code == 200


@pytest.fixture
def held(home: Path, recording: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A service whose analyses go on until they are told to stop at a step."""
    own = Path(shutil.copytree(home, tmp_path / "home", ignore=shutil.ignore_patterns("jobs")))

    def endless(*_: object, told: Any, **__: object) -> Answer:
        while True:
            told("analysing", 0.25)
            time.sleep(0.02)
            told("recording", 0.5)

    monkeypatch.setattr(naming, "answer", endless)
    bounded = JobLimits(waiting_per_site=3, waiting=4, upload_bytes=len(recording) + 2_000)
    with serving(own, recording, limits=Limits(jobs=bounded)) as ready:
        yield ready


def until_running(served: Served, place: str) -> dict[str, Any]:
    until = time.monotonic() + 10
    while (body := said(served.client.get(place, headers=served.headers)))["progress"] == 0:
        assert time.monotonic() < until, body
        time.sleep(0.02)
    return body


def test_a_running_job_tells_its_progress_and_ends_when_it_is_cancelled(held: Served) -> None:
    before = entries(held.home, "prediction.issued")
    place = leave(held).headers["location"]
    body = until_running(held, place)
    assert (body["state"], body["attempts"], body["result"]) == ("running", 1, None)
    assert body["progress"] in (0.25, 0.5) and body["stage"] in ("analysing", "recording")
    waiting = leave(held)
    assert (said(waiting)["state"], said(waiting)["ahead"]) == ("queued", 0)  # one of a site at once
    assert said(leave(held))["ahead"] == 1
    assert "of a site wait at once" in problem(leave(held), 429)
    gone = held.client.delete(waiting.headers["location"], headers=held.headers)
    assert (gone.status_code, said(gone)["state"]) == (200, "cancelled")
    called_off = held.client.delete(place, headers=held.headers)
    assert (called_off.status_code, said(called_off)["cancelling"]) == (202, True)
    assert ended(held, place)["state"] == "cancelled"
    assert entries(held.home, "prediction.issued") == before


def test_a_full_queue_turns_work_away_and_says_when_to_come_again(held: Served) -> None:
    for _ in range(3):
        assert leave(held).status_code == 202
    theirs = key_of(held.home, OTHER_SITE)
    assert leave(held, headers=theirs).status_code == 202
    assert leave(held, headers=key_of(held.home, "demo-east")).status_code == 202  # it had none in
    full = leave(held, headers=key_of(held.home, "demo-east"))
    assert "queue is full" in problem(full, 503) and full.headers["retry-after"] == "60"


def test_a_job_that_was_accepted_without_a_word_of_it_is_done_all_the_same(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store goes away after it has kept the job: a site that sends it again finds it."""
    real, key = Jobs.accept, {"Idempotency-Key": "without-a-word"}

    def away(*given: Any, **named: Any) -> None:
        real(*given, **named)
        raise OperationalError("", (), OSError())

    with monkeypatch.context() as broken:
        broken.setattr(Jobs, "accept", away)
        first = leave(served, headers=key)
    assert "cannot be reached now" in problem(first, 503) and first.headers["retry-after"] == "5"
    again = leave(served, headers=key)
    assert again.status_code == 202
    assert (ended(served, again.headers["location"])["state"]) == "done"


def test_a_job_that_has_ended_cannot_be_cancelled(served: Served) -> None:
    place = leave(served).headers["location"]
    ended(served, place)
    assert "can no longer" in problem(served.client.delete(place, headers=served.headers), 409)


def test_a_job_may_be_as_large_as_jobs_may(held: Served) -> None:
    assert leave(held).status_code == 202
    assert "at most" in problem(leave(held, held.recording + bytes(3_000)), 413)


def test_what_runs_when_the_service_is_stopped_is_done_by_the_next(
    home: Path, recording: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Path(shutil.copytree(home, tmp_path / "home", ignore=shutil.ignore_patterns("jobs")))
    before = entries(own, "prediction.issued")
    with monkeypatch.context() as patched:
        patched.setattr(
            naming, "answer", lambda *_, told, **__: [told("analysing", i) or time.sleep(0.01) for i in range(9**9)]
        )
        with serving(own, recording) as first:
            place = leave(first).headers["location"]
            until_running(first, place)
    with serving(own, recording) as second:
        body = ended(second, place)
    assert (body["state"], body["attempts"]) == ("done", 1)
    assert entries(own, "prediction.issued") == before + 1


def test_no_text_of_the_file_and_no_name_is_kept_after_a_job(served: Served) -> None:
    ended(served, leave(served).headers["location"])
    assert left_of(served) == []
    kept = [p for folder in ("ledger", "jobs") for p in (served.home / folder).rglob("*") if p.is_file()]
    assert kept and not [p.name for p in kept if MARK.encode() in p.read_bytes() or MARK in p.name]


def test_the_examples_are_what_is_said() -> None:
    assert JobStatement.model_validate(DONE_EXAMPLE).result == EXAMPLE
