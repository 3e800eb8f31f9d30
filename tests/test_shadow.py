"""A shadow is asked after the answer, about its share alone; what it says is kept for us and found by no site."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Page, expect

from flows import compare, place
from lineage.ledger import Entry, Ledger
from lineage.refused import Refused
from serving import naming, shadow
from serving.auth import issue_key, open_keys
from serving.comparing import difference
from serving.schema import SHADOW_NOTICE
from serving.service import create_app
from serving.shadow import falls_to
from serving.store import read_pointer
from tests.browsers import a_browser, a_page, needs_chromium, nobody_is_shut_out  # noqa: F401
from tests.browsers import served as console
from tests.commands import ictal
from tests.proposals import FIRST, SITE, Office, held_office
from tests.served import write_recording
from tests.services import Served, TestClient, problem, said

WHY = "what would it say?"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Office:
    return held_office(tmp_path_factory.mktemp("office") / "home")


@pytest.fixture
def office(made: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    return made.at_work(tmp_path / "home", monkeypatch)


@pytest.fixture
def served(office: Office) -> Iterator[Served]:
    engine = open_keys(office.home)
    key = issue_key(engine, SITE, ("detect", "verdict"), office.now, 1)
    engine.dispose()
    with TestClient(create_app(office.home, allow_demo=True, clock=lambda: office.now)) as client:
        yield Served(office.home, client, key, write_recording(office.home / "a.edf").read_bytes())


def shadows(served: Served, count: int) -> list[Entry]:
    """The lines of so many shadows, and no more of them a moment later."""
    ledger, end = Ledger(served.home / "ledger" / "ledger.db"), time.monotonic() + 20
    while len(found := _shadows(ledger)) < count or any((served.home / "jobs" / "shadow").iterdir()):
        assert time.monotonic() < end, served.client.get("/metrics").text
        time.sleep(0.02)
    assert len(found) == count
    return found


def _shadows(ledger: Ledger) -> list[Entry]:
    return [e for e in ledger.entries() if e.type.startswith("prediction.") and e.actor.id == "shadow"]


def metric(served: Served, name: str, **labels: str) -> float:
    for line in served.client.get("/metrics").text.splitlines():
        if line.startswith(name) and all(f'{key}="{value}"' in line for key, value in labels.items()):
            return float(line.split()[-1])
    return 0.0


def test_the_site_gets_the_answer_of_the_model_in_force_and_never_the_shadows(served: Served, office: Office) -> None:
    place.begin_shadow(office.candidate, 1.0, WHY, office.now)
    given = said(served.detect())
    assert given["model"]["digest"] != office.candidate and len(given["events"]) == 1
    [line] = shadows(served, 1)
    ledger = Ledger(served.home / "ledger" / "ledger.db")
    kept = ledger.payload(line.payload_digest)
    assert kept is not None and kept["model"]["digest"] == office.candidate and kept["events"] == []
    assert kept["notice"].startswith(SHADOW_NOTICE)
    assert line.actor.site == "" and line.reason == f"shadow of {given['prediction_id']}"
    for path in ("", "/receipt"):
        gone = served.client.get(f"/v1/predictions/{kept['prediction_id']}{path}", headers=served.headers)
        problem(gone, 404)
    verdict = {"verdict": "reject", "reader": "nurse"}
    judged = served.client.post(
        f"/v1/predictions/{kept['prediction_id']}/verdict", headers=served.headers, json=verdict
    )
    problem(judged, 404)
    issued = [one.subjects[0].id for one in ledger.entries("prediction.issued") if one.actor.site == SITE]
    assert issued == [given["prediction_id"]]
    assert metric(served, "ictal_shadow_total", question="detection", ended="events") == 1
    assert metric(served, "ictal_model_in_force", place="shadow", digest=office.candidate[:12]) == 1
    assert metric(served, "ictal_answers_total", outcome="completed") == 1, "a shadow is no answer"
    assert ledger.verify().ok


def test_jobs_have_a_shadow_too_and_no_file_stays(served: Served, office: Office) -> None:
    place.begin_shadow(office.candidate, 1.0, WHY, office.now)
    files = {"recording": ("a.edf", served.recording)}
    left = served.client.post("/v1/jobs", headers=served.headers, files=files, data={"age": "3d"})
    [line] = shadows(served, 1)
    done = said(served.client.get(left.headers["location"], headers=served.headers))
    assert line.reason == f"shadow of {done['prediction_id']}"
    end = time.monotonic() + 20
    while any(
        path for folder in ("accepted", "uploads", "shadow") for path in (served.home / "jobs" / folder).iterdir()
    ):
        assert time.monotonic() < end, "files of patients stay"
        time.sleep(0.02)


def test_a_shadow_whose_approval_was_taken_back_is_not_asked(served: Served, office: Office) -> None:
    place.begin_shadow(office.candidate, 1.0, WHY, office.now)
    office.revoke(FIRST)
    assert served.detect().status_code == 200
    shadows(served, 0)
    end = time.monotonic() + 20
    while metric(served, "ictal_shadow_total", ended="not_approved") != 1:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_shadow_that_fails_fails_alone(served: Served, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    place.begin_shadow(office.candidate, 1.0, WHY, office.now)

    def fail(*given: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(naming, "analysed", fail)
    assert said(served.detect())["outcome"] == "completed"
    shadows(served, 0)
    monkeypatch.setattr(shadow.os, "link", fail)
    assert said(served.detect())["outcome"] == "completed"
    assert metric(served, "ictal_shadow_total", ended="failed") == 2
    assert not list((served.home / "jobs" / "shadow").iterdir())


def test_what_there_is_no_room_for_is_left_out(served: Served, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    place.begin_shadow(office.candidate, 1.0, WHY, office.now)
    monkeypatch.setattr(shadow, "WAITING", 0)
    assert served.detect().status_code == 200
    assert metric(served, "ictal_shadow_total", ended="left_out") == 1
    shadows(served, 0)


def test_the_comparison_names_the_predictions_that_differ(served: Served, office: Office) -> None:
    with pytest.raises(Refused, match="has said nothing as a shadow yet"):
        compare.compare_shadow(office.candidate)
    place.begin_shadow(office.candidate, 1.0, WHY, office.now)
    differs = said(served.detect())
    quiet = write_recording(served.home / "quiet.edf", seizure_s=(0, 0)).read_bytes()
    agrees = said(served.detect(quiet))
    refused = said(served.detect(age=None))
    assert (len(differs["events"]), agrees["events"], refused["code"]) == (1, [], "age_unknown")
    lines = shadows(served, 3)
    found = ictal("deploy", "compare", office.candidate[:12], "--json").json
    assert (found["compared"], found["agree"], found["erased"]) == (3, 2, 0)
    assert found["differ"] == {"outcome": 0, "events": 1, "stretches": 0}
    [example] = found["examples"]
    assert example["prediction"] == differs["prediction_id"] and example["events"] == [1, 0]
    assert example["shadow"] in {line.subjects[0].id for line in lines}
    assert found["seconds_of_seizure"] == {"given": differs["events"][0]["duration_s"], "shadow": 0}
    in_words = ictal("deploy", "compare", office.candidate[:12]).out
    assert "agrees in 2 of 3 recordings (67%)" in in_words and differs["prediction_id"] in in_words


def answer_of(*events: tuple[float, float], outcome: str = "completed", code: str | None = None) -> dict[str, Any]:
    found = [{"onset_s": onset_s, "duration_s": length_s} for onset_s, length_s in events]
    return {"outcome": outcome, "code": code, "events": found}


@pytest.mark.parametrize(
    ("one", "other", "part"),
    [
        (answer_of((10, 20)), answer_of((25, 20)), ""),  # 10–30 and 25–45 overlap
        (answer_of((10, 20)), answer_of((30, 20)), "events"),  # 10–30 and 30–50 only touch
        (answer_of((10, 20)), answer_of((10, 20), (50, 5)), "events"),  # one more
        (answer_of((0, 40)), answer_of((0, 10), (30, 10)), ""),  # one in two pieces
        (answer_of(), answer_of(), ""),
        (answer_of(outcome="not_evaluable", code="ood"), answer_of(outcome="not_evaluable", code="flat"), "outcome"),
        ({**answer_of(), "stretches": [NAMED := {"onset_s": 0, "duration_s": 5, "name": "a"}]},
         {**answer_of(), "stretches": [{**NAMED, "name": "b"}]}, "stretches"),
    ],
)  # fmt: skip
def test_answers_differ_in_what_a_reader_would_see(one: Mapping[str, Any], other: Mapping[str, Any], part: str) -> None:
    assert difference(one, other) == difference(other, one) == part
    assert difference(one, one) == ""


@given(st.floats(0, 1), st.floats(0, 1), st.uuids())
def test_who_falls_to_a_share_falls_to_every_larger_one(a: float, b: float, id: Any) -> None:
    assert falls_to(str(id), min(a, b)) <= falls_to(str(id), max(a, b))
    assert falls_to(str(id), 1.0) and not falls_to(str(id), 0.0)


def test_a_quarter_is_a_quarter() -> None:
    asked = sum(falls_to(str(number), 0.25) for number in range(4000))
    assert 900 <= asked <= 1100  # 1000 ± 3.7 standard deviations of 27


@needs_chromium
def test_the_comparison_is_a_page_that_leads_to_both_answers(served: Served, office: Office, page: Page) -> None:
    place.begin_shadow(office.candidate, 1.0, WHY, office.now)
    given = said(served.detect())
    [line] = shadows(served, 1)
    with console(office.workspace) as url:
        page.goto(f"{url}/models/{office.candidate}/shadow")
        expect(page.get_by_role("heading", level=2).first).to_have_text("It agrees in 0 of 1 recordings (0 %)")
        nobody_is_shut_out(page)
        page.set_viewport_size({"width": 1200, "height": 900})
        page.set_viewport_size({"width": 400, "height": 800})
        row = page.get_by_role("row").filter(has_text=given["prediction_id"])
        expect(row).to_contain_text("1; shadow: 0")
        row.get_by_role("link", name=line.subjects[0].id).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("One prediction, back to raw bytes")
        page.goto(f"{url}/models/{read_pointer(office.home).bundle}/shadow")
        expect(page.get_by_text("has said nothing as a shadow yet")).to_be_visible()
        nobody_is_shut_out(page)
