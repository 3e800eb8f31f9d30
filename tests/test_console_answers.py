"""The page of a prediction: the answer itself, where nothing is said and why, and what readers made of it."""

import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from lineage.digest import digest_of
from lineage.ledger import Actor, Draft, EntryType, Subject
from serving.schema import Answer, Asked, EventDrivers, FoundEvent, NamedAnswer, NamedStretch, Span
from tests.consoles import RECORDINGS, Desk, browser, named, open_desk
from tests.office import HOUR, NOW, Office, open_office

SITE = Actor("site-key:1", role="site", site="hospital-1", auth_method="api key")
DROVE = EventDrivers(method="m", channels=({"channel": "T4-T6", "share": 0.626},), moments=())  # type: ignore[arg-type]
DETECTED = Answer(
    prediction_id="told",
    outcome="completed_with_abstentions",
    events=(FoundEvent(onset_s=54.0, duration_s=38.0, confidence=0.986, drivers=DROVE),),
    coverage=0.75,
    decided_share=0.5,
    duration_s=360.0,
    not_assessed=(Span(onset_s=0.0, duration_s=90.0),),
    abstained=(Span(onset_s=100.0, duration_s=135.0),),
    recording_digest=RECORDINGS[0],
)
SPASMS = NamedAnswer(
    prediction_id="told",
    outcome="completed_with_abstentions",
    question="spasms",
    classes=("other", "spasm"),
    duration_s=15.0,
    stretches=(
        NamedStretch(onset_s=0.0, duration_s=5.0, name="other", probabilities={"other": 0.9, "spasm": 0.1}),
        NamedStretch(onset_s=5.0, duration_s=5.0, name="spasm", probabilities={"other": 0.2, "spasm": 0.8}),
        NamedStretch(onset_s=10.0, duration_s=5.0, code="view_lost", reason="nobody is seen"),
    ),
    recording_digest=RECORDINGS[0],
)
REFUSED = Answer(
    prediction_id="told",
    outcome="not_evaluable",
    code="rate_too_low",
    reason="sampling rate must be ≥ 100 Hz, got 64",
    duration_s=360.0,
    not_assessed=(Span(onset_s=0.0, duration_s=360.0),),
    recording_digest=RECORDINGS[0],
)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    return open_office(tmp_path_factory.mktemp("office"))


@pytest.fixture
def desk(office: Office, tmp_path: Path) -> Desk:
    return open_desk(tmp_path, office)


def page_of(desk: Desk, said: Answer | NamedAnswer, type: str, folder: Path) -> str:
    """What a reader sees on the page of an answer that stands in the desk's ledger."""
    payload = said.statement()
    about = (Subject("prediction", "told", digest_of(payload)), Subject("recording", "r", RECORDINGS[0]))
    line = Draft(EntryType(type), SITE, about, said.code or "", payload)
    desk.ledger.append_many([line], now=NOW + 2 * HOUR)
    return seen(browser(desk, folder))


def seen(client: TestClient) -> str:
    said = client.get("/predictions/told")
    assert said.status_code == 200
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", said.text)))


def test_a_detection_is_told_with_its_events_before_anything_that_it_stands_on(desk: Desk, tmp_path: Path) -> None:
    said = page_of(desk, DETECTED, "prediction.abstained", tmp_path)
    assert "1 seizure found" in said
    assert "0:54 1:32 38.0 seizure (sz) 0.986 T4-T6 63 %" in said
    assert "Coverage 75.0 %" in said and "Decided share 50.0 %" in said
    assert said.index("0:54") < said.index("From the answer back to the bytes")


def test_where_an_answer_says_nothing_stands_with_the_reason_and_the_words_are_explained(
    desk: Desk, tmp_path: Path
) -> None:
    said = page_of(desk, DETECTED, "prediction.abstained", tmp_path)
    assert "90 s not assessed, 135 s abstained" in said
    assert "0:00 1:30 90.0 not assessed" in said and "1:40 3:55 135.0 abstained" in said
    assert "Abstained: time that was assessed, and in which the model does not commit itself" in said


def test_what_was_not_evaluable_is_told_by_code_and_reason_and_never_as_nothing_found(
    desk: Desk, tmp_path: Path
) -> None:
    said = page_of(desk, REFUSED, "prediction.not_evaluable", tmp_path)
    assert "Not evaluable: rate too low" in said and "Sampling rate must be ≥ 100 Hz, got 64." in said
    assert "What was found" not in said and "No seizure" not in said


def test_of_stretches_those_that_mean_something_are_listed_and_the_others_counted(desk: Desk, tmp_path: Path) -> None:
    said = page_of(desk, SPASMS, "prediction.abstained", tmp_path)
    assert "1 of 2 stretches named spasm" in said and "0:05 0:10 5.0 spasm 0.8" in said
    assert "1 more stretch was looked at and shows nothing" in said
    assert "0:10 0:15 5.0 not assessed (view_lost): nobody is seen" in said


def test_films_that_were_sent_as_two_views_stand_on_the_page_each_with_its_digest(desk: Desk, tmp_path: Path) -> None:
    asked = Asked(files=("ab" * 32, "cd" * 32), views=("", "small"), code="0" * 64, machine="Linux")
    said = page_of(desk, SPASMS.model_copy(update={"asked": asked}), "prediction.abstained", tmp_path)
    assert "2 films were sent as views of one recording" in said and "it was not checked" in said
    assert "SHA-256 of the view: abab" in said and "SHA-256 of the view “small”: cdcd" in said


def test_frames_that_could_not_be_decoded_are_told_on_the_page(desk: Desk, tmp_path: Path) -> None:
    said = page_of(desk, SPASMS.model_copy(update={"frames_lost": (1, None)}), "prediction.abstained", tmp_path)
    assert "1 frame of the film could not be decoded; no joint was seen there" in said
    typed = SPASMS.model_copy(update={"frames_lost": (1, None), "question": "semiology"})
    said = page_of(desk, typed, "prediction.abstained", tmp_path)
    assert "1 frame of the film could not be decoded; the one before was looked at instead" in said
    said = page_of(desk, SPASMS.model_copy(update={"frames_after_lost": (19, 0)}), "prediction.abstained", tmp_path)
    assert "19 frames come after one that could not be decoded, before the next key frame, and may show traces" in said
    said = page_of(desk, SPASMS.model_copy(update={"length_stated": (True, False)}), "prediction.abstained", tmp_path)
    assert "does not state its length: that it was cut off at its end would not be seen" in said
    said = page_of(desk, SPASMS.model_copy(update={"frames_missing": (3, 0)}), "prediction.abstained", tmp_path)
    assert "3 frames are missing between the times of the others; the one before was looked at instead" in said


def test_an_answer_in_which_nothing_was_found_says_so_of_what_could_be_assessed(desk: Desk, tmp_path: Path) -> None:
    nothing = DETECTED.model_copy(update={"events": ()})
    assert "No seizure found in what could be assessed" in page_of(desk, nothing, "prediction.abstained", tmp_path)


def test_readers_verdicts_stand_on_the_page_each_with_what_it_says_instead(desk: Desk, tmp_path: Path) -> None:
    assert "No reader has given a verdict" in page_of(desk, DETECTED, "prediction.abstained", tmp_path)
    judged = Subject("prediction", "told", digest_of(DETECTED.statement()))
    edit = {
        "verdict": "edit",
        "reader": "neonatologist",
        "events": [{"onset_s": 50.0, "duration_s": 40.0, "type": "sz"}],
    }
    confirm = {"verdict": "confirm", "reader": "nurse"}
    _judge(desk, judged, "v-1", edit)
    _judge(desk, judged, "v-2", confirm)
    _judge(
        desk, Subject("prediction", "answer-1", named("prediction 1")), "v-3", {"verdict": "reject", "reader": "other"}
    )
    said = seen(browser(desk, tmp_path))
    assert "edit neonatologist 0:50 to 1:30 sz" in said and "confirm nurse –" in said and "reject" not in said
    [line, _, _] = desk.ledger.entries("verdict.recorded")
    desk.ledger.erase(line.payload_digest, actor=SITE, reason="consent", now=NOW + 4 * HOUR)
    assert "edit erased –" in seen(browser(desk, tmp_path))


def _judge(desk: Desk, prediction: Subject, id: str, said: dict[str, Any]) -> None:
    about = (Subject("verdict", id, digest_of(said)), prediction)
    line = Draft(EntryType.VERDICT_RECORDED, SITE, about, said["verdict"], said)
    desk.ledger.append_many([line], now=NOW + 3 * HOUR)
