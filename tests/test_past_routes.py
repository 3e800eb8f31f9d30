"""What was answered before, read again by the site that asked, and judged by its readers."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import mne
import pytest
from fhir.resources.R4B.bundle import Bundle
from pydantic import ValidationError

from data.readers.bids import parse_events
from lineage import graph
from lineage.keys import platform_public_path
from lineage.ledger import Actor, Ledger
from lineage.receipts import verify_receipt
from serving.forms import FORMS
from serving.journal import verify_answer
from serving.statements import READERS, VERDICT_EXAMPLE, VerdictGiven
from tests.served import NOW, write_recording
from tests.services import MARK, Served, key_of, problem, said, served_home, serving, without_instance

NOBODYS = "019d3e6a-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = served_home(tmp_path_factory.mktemp("served"))
    recording = write_recording(home / "recording.edf", patient=f"X F X {MARK}").read_bytes()
    with serving(home, recording) as ready:
        yield ready


@pytest.fixture(scope="module")
def answer(served: Served) -> dict[str, Any]:
    return said(served.detect())


@pytest.fixture
def ledger(served: Served) -> Iterator[Ledger]:
    opened = Ledger(served.home / "ledger" / "ledger.db")
    yield opened
    opened.engine.dispose()


def read(served: Served, id: str, form: str = "", headers: dict[str, str] | None = None) -> Any:
    return served.client.get(
        f"/v1/predictions/{id}", headers={**served.headers, **(headers or {})}, params={"format": form} if form else {}
    )


def judge(served: Served, id: str, body: Any, headers: dict[str, str] | None = None) -> Any:
    headers = {**(headers or served.headers), "Content-Type": "application/json"}
    return served.client.post(f"/v1/predictions/{id}/verdict", headers=headers, content=json.dumps(body))


def pem(served: Served) -> bytes:
    return platform_public_path(served.home / "keys").read_bytes()


def test_an_answer_is_read_again_as_it_was_given_with_a_receipt_of_today(
    served: Served, answer: dict[str, Any]
) -> None:
    again = said(read(served, answer["prediction_id"]))
    assert verify_answer(again, pem(served)).ok
    assert again.pop("receipt")["entry"] == answer["receipt"]["entry"]
    assert again == {name: value for name, value in answer.items() if name != "receipt"}


def test_a_receipt_alone_proves_the_same_entry(served: Served, answer: dict[str, Any]) -> None:
    receipt = said(served.client.get(f"/v1/predictions/{answer['prediction_id']}/receipt", headers=served.headers))
    assert verify_receipt(json.dumps(receipt), pem(served)).ok
    assert receipt["entry"] == answer["receipt"]["entry"]


def test_the_forms_are_served_with_their_media_types(served: Served, answer: dict[str, Any], tmp_path: Path) -> None:
    id = answer["prediction_id"]
    fhir = read(served, id, headers={"Accept": "application/fhir+json"})
    assert fhir.headers["content-type"] == "application/fhir+json"
    assert len(Bundle.model_validate_json(fhir.content).entry) == 4 + len(answer["not_assessed"])
    table = read(served, id, "tsv")
    assert table.headers["content-type"].startswith("text/tab-separated-values")
    [event] = parse_events(table.text).annotations.events
    assert event.onset_s == answer["events"][0]["onset_s"]
    edf = read(served, id, "edf")
    assert edf.headers["content-disposition"] == 'attachment; filename="annotations.edf"'
    (tmp_path / "a.edf").write_bytes(edf.content)
    sure = answer["events"][0]["confidence"]
    assert f"sz ({sure:.2f})" in mne.read_annotations(tmp_path / "a.edf").description
    assert "json, fhir" in problem(read(served, id, "pdf"), 406)


def test_while_a_site_has_many_answers_written_in_a_slow_form_others_read_theirs(
    served: Served, answer: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, order = threading.Event(), threading.Event(), list[str]()

    def slow(said: dict[str, Any]) -> bytes:
        order.append(said["prediction_id"])
        begun.set()
        assert go_on.wait(20)
        return b"{}"

    monkeypatch.setitem(FORMS, "fhir", replace(FORMS["fhir"], make=slow))
    south, files = key_of(served.home, "demo-south"), {"recording": ("a.edf", served.recording)}
    theirs = said(served.client.post("/v1/detect", headers=south, files=files, data={"age": "3d"}))["prediction_id"]
    url, mine = "/v1/predictions/{}?format=fhir", answer["prediction_id"]
    with ThreadPoolExecutor(9) as readers:
        asked = [readers.submit(served.client.get, url.format(theirs), headers=south) for _ in range(8)]
        assert begun.wait(20)
        asked.append(readers.submit(served.client.get, url.format(mine), headers=served.headers))
        assert read(served, mine).status_code == 200, "JSON waits for nobody"
        time.sleep(0.5)
        go_on.set()
        assert {one.result().status_code for one in asked} == {200}
    assert order.index(mine) < 3, order


def test_what_was_not_evaluable_has_no_table(served: Served) -> None:
    refused = said(served.detect(b"%PDF-1.7 " * 100))
    assert "as if there were no seizure" in problem(read(served, refused["prediction_id"], "tsv"), 406)
    assert "dataAbsentReason" in read(served, refused["prediction_id"], "fhir").text


def test_a_site_never_learns_that_another_has_a_prediction(served: Served, answer: dict[str, Any]) -> None:
    other = key_of(served.home, "demo-south")
    for path in ("", "/receipt"):
        theirs, nobodys = (
            served.client.get(f"/v1/predictions/{id}{path}", headers=other) for id in (answer["prediction_id"], NOBODYS)
        )
        assert without_instance(theirs) == without_instance(nobodys) and theirs.status_code == 404
    confirmed = {"verdict": "confirm", "reader": "neurologist"}
    theirs, nobodys = (judge(served, id, confirmed, other) for id in (answer["prediction_id"], NOBODYS))
    assert without_instance(theirs) == without_instance(nobodys) and theirs.status_code == 404


def test_looking_for_anothers_prediction_asks_the_store_the_same_as_for_none(
    answer: dict[str, Any], ledger: Ledger
) -> None:
    """No difference in what is done, so none in how long it takes."""
    from sqlalchemy import event

    asked: list[list[str]] = []
    event.listen(ledger.engine, "before_cursor_execute", lambda c, cu, statement, *_: asked[-1].append(statement))
    for id in (answer["prediction_id"], NOBODYS):
        asked.append([])
        assert graph.prediction_at(ledger, id, "demo-south") is None
    assert asked[0] == asked[1] and len(asked[0]) <= 2
    assert graph.prediction_at(ledger, answer["prediction_id"], "demo-north") is not None


def test_a_prediction_is_found_by_its_id_and_not_by_going_through_all_of_the_site(ledger: Ledger) -> None:
    from sqlalchemy import event

    plans: list[str] = []

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            plans.extend(
                str(row) for row in connection.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            )

    event.listen(ledger.engine, "before_cursor_execute", explain)
    graph.prediction_at(ledger, NOBODYS, "demo-north")
    assert any("label=?" in plan for plan in plans) and not any("of_site" in plan for plan in plans)


def test_a_verdict_stands_in_the_ledger_below_its_prediction(
    served: Served, answer: dict[str, Any], ledger: Ledger
) -> None:
    response = judge(served, answer["prediction_id"], VERDICT_EXAMPLE)
    body = said(response)
    assert response.status_code == 201
    [entry] = [e for e in ledger.entries("verdict.recorded") if e.subjects[0].id == body["verdict_id"]]
    predicted = answer["receipt"]["entry"]["payload_digest"]
    assert [(e.relation, e.parent) for e in entry.edges] == [("judges", predicted)]
    assert (entry.actor.site, entry.actor.printed_name, entry.reason) == ("demo-north", "", "edit")
    assert ledger.payload(entry.payload_digest) == {k: v for k, v in body.items() if k != "receipt"}
    assert [e["onset_s"] for e in body["events"]] == [14.0]
    assert verify_receipt(json.dumps(body["receipt"]), pem(served)).ok
    assert ledger.verify().ok
    assert "judges" in [step.relation for step in graph.downstream(ledger, predicted)]


def test_what_readers_made_of_an_answer_is_read_back_and_the_answer_stays_as_it_was(served: Served) -> None:
    answer = said(served.detect())
    id = answer["prediction_id"]
    url, before = f"/v1/predictions/{id}/verdict", said(read(served, id))
    assert said(served.client.get(url, headers=served.headers)) == {"prediction_id": id, "verdicts": []}
    given = [
        said(judge(served, id, body)) for body in (VERDICT_EXAMPLE, {"verdict": "reject", "reader": "neurologist"})
    ]
    kept = said(served.client.get(url, headers=served.headers))["verdicts"]
    assert [{k: v for k, v in one.items() if k != "receipt"} for one in kept] == [
        {k: v for k, v in one.items() if k != "receipt"} for one in given
    ]
    assert all(verify_receipt(json.dumps(one["receipt"]), pem(served)).ok for one in kept)
    after = said(read(served, id))
    assert {k: v for k, v in after.items() if k != "receipt"} == {k: v for k, v in before.items() if k != "receipt"}
    other = key_of(served.home, "demo-south")
    theirs, nobodys = (served.client.get(f"/v1/predictions/{one}/verdict", headers=other) for one in (id, NOBODYS))
    assert without_instance(theirs) == without_instance(nobodys) and theirs.status_code == 404


def test_several_readers_may_judge_and_each_is_kept(served: Served, answer: dict[str, Any], ledger: Ledger) -> None:
    before = len(ledger.entries("verdict.recorded"))
    for verdict in ("confirm", "reject", "confirm"):
        assert judge(served, answer["prediction_id"], {"verdict": verdict, "reader": "nurse"}).status_code == 201
    assert len(ledger.entries("verdict.recorded")) == before + 3


EVENT = {"onset_s": 1.0, "duration_s": 2.0}
WRONG: dict[str, tuple[Any, str]] = {
    "no reader": ({"verdict": "confirm"}, "the field reader is missing"),
    "a name instead of a profession": ({"verdict": "confirm", "reader": MARK}, "the field reader is one of 'epileptologist'"),
    "a remark": ({"verdict": "confirm", "reader": "nurse", "remark": MARK}, "the field remark is not one of this body"),
    "a field of a name": ({"verdict": "confirm", "reader": "nurse", f"{MARK} {MARK}": 1}, "field of such a name is not one"),
    "another verdict": ({"verdict": "maybe", "reader": "nurse"}, "field verdict is one of 'confirm', 'reject' or 'edit'"),
    "an edit of nothing": ({"verdict": "edit", "reader": "nurse"}, "wrong form"),
    "events with a confirmation": ({"verdict": "confirm", "reader": "nurse", "events": []}, "wrong form"),
    "stretches of a detection": ({"verdict": "edit", "reader": "nurse", "stretches": []}, "gives `events`"),
    "an event outside": ({"verdict": "edit", "reader": "nurse", "events": [{**EVENT, "onset_s": 119.0}]}, "0–120 s"),
    "an event of no length": ({"verdict": "edit", "reader": "nurse", "events": [{**EVENT, "duration_s": 0}]}, "duration_s"),
    "a type that is none": ({"verdict": "edit", "reader": "nurse", "events": [{**EVENT, "type": MARK}]}, "type"),
    "a channel that is none": ({"verdict": "edit", "reader": "nurse", "events": [{**EVENT, "channels": [MARK]}]}, "field channels"),
    "a yes for a time": ({"verdict": "edit", "reader": "nurse", "events": [{**EVENT, "onset_s": True}]}, "field onset_s"),
    "a text for a time": ({"verdict": "edit", "reader": "nurse", "events": [{**EVENT, "duration_s": "2"}]}, "field duration_s"),
    "no object": ([], "field body"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_verdict_that_cannot_be_read_is_refused_without_repeating_it(
    served: Served, answer: dict[str, Any], ledger: Ledger, case: str
) -> None:
    body, words = WRONG[case]
    before = ledger.head().size
    response = judge(served, answer["prediction_id"], body)
    assert words in problem(response, 400) and MARK not in response.text
    assert ledger.head().size == before


MANY = {f"field{n}": 1 for n in range(5_000)}
WRONG_THROUGHOUT: dict[str, Any] = {
    "events": [1] * 5_000,
    "stretches": [1] * 5_000,
    "too many events": [EVENT] * 10_001,
    "channels": [{**EVENT, "channels": ["??"] * 5_000}],
    "fields of an event": [{**EVENT, **MANY}],
    "fields": MANY,
}


@pytest.mark.parametrize("where", WRONG_THROUGHOUT)
def test_a_verdict_is_looked_at_no_further_than_its_first_fault(where: str) -> None:
    """A body of 2 MB with a fault in each number took four seconds, in which nobody else was served."""
    wrong, edit = WRONG_THROUGHOUT[where], {"verdict": "edit", "reader": "nurse"}
    body = (
        {**edit, **wrong} if where == "fields" else {**edit, "stretches" if where == "stretches" else "events": wrong}
    )
    with pytest.raises(ValidationError) as caught:
        VerdictGiven.model_validate(body)
    assert caught.value.error_count() <= 3


@pytest.mark.parametrize(
    "body",
    [
        b'{"verdict": "confirm", "reader": "nurse", "verdict": "reject"}',
        b'{"verdict": "edit", "reader": "nurse", "events": [{"onset_s": 1, "duration_s": 2, "onset_s": 50}]}',
    ],
)
def test_a_verdict_that_says_two_things_under_one_name_is_refused(
    served: Served, answer: dict[str, Any], body: bytes
) -> None:
    """The last of them was recorded, of whoever meant the first."""
    headers, path = {**served.headers, "Content-Type": "application/json"}, f"/v1/predictions/{answer['prediction_id']}"
    sent = served.client.post(f"{path}/verdict", headers=headers, content=body)
    assert "say each thing once" in problem(sent, 400)


def test_not_a_number_is_no_time(served: Served, answer: dict[str, Any]) -> None:
    body = '{"verdict": "edit", "reader": "nurse", "events": [{"onset_s": NaN, "duration_s": 1}]}'
    headers = {**served.headers, "Content-Type": "application/json"}
    url = f"/v1/predictions/{answer['prediction_id']}/verdict"
    problem(served.client.post(url, headers=headers, content=body), 400)
    problem(served.client.post(url, headers=headers, content=b"\xff{"), 400)
    assert "no JSON" in problem(served.client.post(url, headers=headers, content=b"{"), 400)
    problem(served.client.post(url, headers=headers, content=b"x" * (3 << 20)), 413)


def test_what_was_erased_is_gone_and_its_receipt_stays(served: Served, ledger: Ledger) -> None:
    own = said(served.detect())
    ledger.erase(own["receipt"]["entry"]["payload_digest"], actor=Actor("o", role="operator"), reason="asked", now=NOW)
    id = own["prediction_id"]
    assert "erased" in problem(read(served, id), 410)
    problem(judge(served, id, {"verdict": "confirm", "reader": "nurse"}), 410)
    assert served.client.get(f"/v1/predictions/{id}/receipt", headers=served.headers).status_code == 200


def test_a_verdict_that_is_sent_again_is_the_one_of_then(
    served: Served, answer: dict[str, Any], ledger: Ledger
) -> None:
    id, body = answer["prediction_id"], {"verdict": "reject", "reader": "neonatologist"}
    again = served.headers | {"Idempotency-Key": "once"}
    with ThreadPoolExecutor(4) as pool:  # also where they arrive together
        first, *others = [said(r) for r in pool.map(lambda _: judge(served, id, body, again), range(4))]
    for other in (*others, said(judge(served, id, body, again))):
        assert {**other, "receipt": other["receipt"]["entry"]} == {**first, "receipt": first["receipt"]["entry"]}
    assert len([e for e in ledger.entries("verdict.recorded") if e.subjects[0].id == first["verdict_id"]]) == 1
    assert judge(served, id, body).json()["verdict_id"] != first["verdict_id"]
    assert "another verdict" in problem(judge(served, id, {**body, "verdict": "confirm"}, again), 409)
    assert "another verdict" in problem(judge(served, said(served.detect())["prediction_id"], body, again), 409)
    assert "without spaces" in problem(judge(served, id, body, served.headers | {"Idempotency-Key": "a b"}), 400)


def test_a_verdict_goes_with_what_a_withdrawn_person_left(served: Served, ledger: Ledger) -> None:
    own = said(served.detect())
    repeated = served.headers | {"Idempotency-Key": "of-one-who-withdraws"}
    body = {"verdict": "confirm", "reader": "nurse"}
    verdict = said(judge(served, own["prediction_id"], body, repeated))
    about = ledger.entries(subject_digest=own["receipt"]["entry"]["payload_digest"])
    assert verdict["receipt"]["entry"]["payload_digest"] in {e.payload_digest for e in about}, "found by withdrawing"
    for entry in about:
        ledger.erase(entry.payload_digest, actor=Actor("o", role="operator"), reason="withdrawn", now=NOW)
    problem(judge(served, own["prediction_id"], body, repeated), 410)
    assert verdict["verdict_id"] not in json.dumps([ledger.payload(e.payload_digest) for e in about])


def test_who_may_send_may_read_and_only_a_readers_key_may_judge(served: Served, answer: dict[str, Any]) -> None:
    id, confirmed = answer["prediction_id"], {"verdict": "confirm", "reader": "nurse"}
    sends, judges, looks = (key_of(served.home, "demo-north", scope) for scope in ("detect", "verdict", "models"))
    assert [read(served, id, headers=key).status_code for key in (sends, judges, looks)] == [200, 200, 403]
    assert [judge(served, id, confirmed, key).status_code for key in (sends, judges, looks)] == [403, 201, 403]


def test_the_example_of_a_verdict_is_one_and_readers_are_professions(served: Served) -> None:
    document = served.client.get("/openapi.json").json()
    [example] = [
        document["paths"]["/v1/predictions/{id}/verdict"]["post"]["requestBody"]["content"]["application/json"][
            "example"
        ]
    ]
    assert VerdictGiven.model_validate(example).verdict == "edit" and "neurologist" in READERS
