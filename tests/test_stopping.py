"""One site is stopped while the others are served: by a line in the ledger, without a restart, until somebody resumes it."""

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import event

from data.montage import ELECTRODES
from flows import stop
from flows.authenticate import TWO_COMPONENTS
from lineage.deployments import stopped
from lineage.keys import AuthenticationFailed
from lineage.ledger import Actor, Ledger, Subject
from lineage.refused import Refused
from serving import desk, orders
from serving.limits import READS, UPLOAD_TYPE
from serving.stream import chunk_of
from tests.authenticator import code
from tests.commands import ictal
from tests.served import NOW, PASSPHRASE, REVIEWER, write_recording
from tests.services import (
    HELLO,
    Served,
    WebSocketDenialResponse,
    ended,
    key_of,
    leave,
    problem,
    said,
    served_home,
    serving,
)

SITE, OTHER, WHY = "demo-north", "demo-south", "electrodes are being changed"


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A service that looks into the ledger with every request, in a workspace that the commands know."""
    home = served_home(tmp_path)
    (home / "workspace.json").write_text(json.dumps({"kind": "demo"}))
    monkeypatch.setenv("ICTAL_HOME", str(home))
    monkeypatch.setattr(orders, "POLL_S", 0.0)
    with serving(home, write_recording(home / "a.edf", 10, (2, 6)).read_bytes()) as ready:
        yield ready


def resumed(served: Served, minutes: int = 1) -> dict[str, Any]:
    now = NOW + timedelta(minutes=minutes)
    shown = code(served.home / "keys", REVIEWER, now)
    return stop.resume_site(SITE, "checked", REVIEWER, PASSPHRASE, shown, now)


def test_a_stopped_site_is_told_why_and_when_to_ask_again_and_others_are_served(served: Served) -> None:
    before = said(served.detect())
    others = key_of(served.home, OTHER)
    stop.stop_site(SITE, WHY)
    refused = served.detect()
    assert WHY in problem(refused, 503) and refused.headers["retry-after"] == "60"
    left = leave(served)
    assert WHY in problem(left, 503) and left.headers["retry-after"] == "60"
    with pytest.raises(WebSocketDenialResponse) as denied:
        served.client.websocket_connect("/v1/stream", headers=served.headers).__enter__()
    assert WHY in problem(denied.value, 503)
    for route in ("/v1/windows", "/v1/typing"):
        kind = {"Content-Type": READS.get(route, f"{UPLOAD_TYPE}; boundary=x")}
        assert WHY in problem(served.client.post(route, headers={**served.headers, **kind}, content=b"x"), 503)
    assert leave(served, headers=others).status_code == 202
    again = served.client.get(f"/v1/predictions/{before['prediction_id']}", headers=served.headers)
    assert again.status_code == 200, "what was answered before can be read"
    judged = f"/v1/predictions/{before['prediction_id']}/verdict"
    assert served.client.post(judged, headers=served.headers, json={"verdict": "reject", "reader": "nurse"}).is_success
    resumed(served)
    assert served.detect().status_code == 200


def test_accepted_jobs_of_a_stopped_site_wait_and_are_done_when_it_goes_on(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop.stop_site(SITE, WHY)
    monkeypatch.setattr(
        desk, "check_in_service", lambda orders, site: None
    )  # taken in before the service had seen the stop
    job = leave(served).headers["location"]
    theirs = leave(served, headers=key_of(served.home, OTHER)).headers["location"]
    assert ended(served, theirs, key_of(served.home, OTHER))["state"] == "done"
    waits = said(served.client.get(job, headers=served.headers))
    assert waits["state"] == "queued" and WHY in waits["reason"] and waits["attempts"] == 0
    assert metric(served, 'ictal_jobs{state="queued"}') == 1
    resumed(served)
    done = ended(served, job)
    assert done["state"] == "done" and done["reason"] is None and done["result"]["outcome"]


def test_a_job_that_is_worked_on_is_put_back_when_its_site_is_stopped(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stops itself at the first step, as if somebody had typed the command at that moment."""
    from serving import naming

    real, begun = naming.answer, []

    def stopping(*args: Any, **settings: Any) -> Any:
        if not begun:
            begun.append(stop.stop_site(SITE, WHY))
        return real(*args, **settings)

    monkeypatch.setattr(naming, "answer", stopping)
    job = leave(served).headers["location"]
    end = time.monotonic() + 20
    while not begun or said(served.client.get(job, headers=served.headers))["state"] != "queued":
        assert time.monotonic() < end
        time.sleep(0.02)
    resumed(served)
    done = ended(served, job)
    assert (done["state"], done["attempts"]) == ("done", 1), "what was put back was no attempt"


def metric(served: Served, name: str) -> float:
    found = [line for line in served.client.get("/metrics").text.splitlines() if line.startswith(name)]
    return float(found[0].split()[-1])


def test_a_stream_of_a_stopped_site_ends(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    from serving import stream_desk

    monkeypatch.setattr(stream_desk, "CHECK_S", 0.0)
    with served.client.websocket_connect("/v1/stream", headers=served.headers) as stream:
        stream.send_json(HELLO)
        assert stream.receive_json()["type"] == "welcome"
        stop.stop_site(SITE, WHY)
        stream.send_bytes(chunk_of(0, np.zeros((len(ELECTRODES), 256), dtype=np.float32)))
        while (heard := stream.receive_json())["type"] != "answer":
            pass
    assert heard["answer"]["code"] == "no_approved_model" and WHY in heard["answer"]["reason"]


def test_who_stopped_and_who_resumed_stands_in_the_ledger(served: Served) -> None:
    stop.stop_site(SITE, WHY)
    with pytest.raises(AuthenticationFailed):
        stop.resume_site(SITE, "checked", REVIEWER, PASSPHRASE, "000000", NOW)
    ledger = Ledger(served.home / "ledger" / "ledger.db")
    assert stopped(ledger) == {SITE: WHY}
    resumed(served)
    [halted], [begun] = ledger.entries("deployment.stopped"), ledger.entries("deployment.resumed")
    assert stopped(ledger) == {}
    assert halted.subjects == begun.subjects == (Subject("site", SITE),)
    assert halted.actor.role == "operator" and halted.reason == WHY
    assert (begun.actor.id, begun.actor.auth_method) == (REVIEWER, TWO_COMPONENTS)
    [failed] = ledger.entries("auth.failed")
    assert failed.actor.id == REVIEWER
    ledger.engine.dispose()


def test_the_last_word_about_a_site_counts(tmp_path: Path) -> None:
    ledger, actor = Ledger(tmp_path / "ledger.db"), Actor("operator")
    for type, site, reason in (
        ("deployment.stopped", "a", "one"),
        ("deployment.stopped", "b", "two"),
        ("deployment.resumed", "a", "over"),
        ("deployment.stopped", "a", "three"),
        ("deployment.resumed", "b", "over"),
    ):
        ledger.append(type, actor=actor, subjects=[Subject("site", site)], reason=reason)
    assert stopped(ledger) == {"a": "three"}
    ledger.engine.dispose()


def test_a_stop_that_would_stop_nobody_is_refused(served: Served) -> None:
    for arguments, words in (
        (("stop", "--site", "demo-nroth", "--reason", "x"), "demo-north"),
        (("stop", "--site", SITE, "--reason", " "), "--reason"),
        (("stop", "--site", SITE, "--reason", "x" * 201), "200"),
    ):
        refused = ictal("deploy", *arguments)
        assert refused.code == 2 and words in refused.err and "Traceback" not in refused.err
    assert ictal("deploy", "stop", "--site", SITE, "--reason", WHY).code == 0
    assert "already" in ictal("deploy", "stop", "--site", SITE, "--reason", WHY).err
    here = ictal("predict", served.home / "a.edf", "--age", "3d", "--site", SITE)
    assert here.code == 2 and WHY in here.err
    with pytest.raises(Refused, match="is not stopped"):
        stop.resume_site(OTHER, "x", REVIEWER, PASSPHRASE, "000000", NOW)


def test_lines_that_were_read_are_not_read_again_until_there_is_a_new_one(tmp_path: Path) -> None:
    """The ledger is asked every second, for years."""
    ledger, asked = Ledger(tmp_path / "ledger.db"), list[str]()

    def order(type: str) -> None:
        ledger.append(type, actor=Actor("operator"), subjects=[Subject("site", SITE)], reason=WHY)

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    def envelopes_read() -> int:
        read = sum("envelope" in statement for statement in asked)
        asked.clear()
        return read

    now_s = iter(range(1000))
    looking = orders.Orders(ledger, clock=lambda: 10.0 * next(now_s))
    event.listen(ledger.engine, "before_cursor_execute", note)
    assert (dict(looking.now().stopped), envelopes_read()) == ({}, 0)
    order("deployment.stopped")
    asked.clear()
    assert (dict(looking.now().stopped), envelopes_read()) == ({SITE: WHY}, 1)
    assert (dict(looking.now().stopped), envelopes_read()) == ({SITE: WHY}, 0)
    order("deployment.resumed")
    asked.clear()
    assert (dict(looking.now().stopped), envelopes_read()) == ({}, 1)
