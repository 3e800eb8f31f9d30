"""What a retraining does by itself, and where it stops: an alarm is answered once, a failed gate asks nobody to sign."""

from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows import alarms, pinboard, promote, records, waiting
from flows import retrain as retraining
from flows.nightly import nightly
from lineage.ledger import Subject
from lineage.refused import Refused
from tests.proposals import FIRST, SECOND, Office, evaluate, evaluated_office, gates_with, train

ALARM = "a" * 64


def sites() -> dict[str, Any]:
    """What a watch found: one site in alarm."""
    site = {"site": "demo-east", "state": "alarm", "since": "2026-W48", "confirmed": True, "doubt": ""}
    counts = {"causes": ["another gain"], "patients": 12, "reference_patients": 24}
    return {"headline": "changed: demo-east", "sites": [{**site, **counts}]}


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    return evaluated_office(tmp_path_factory.mktemp("office") / "home")


@pytest.fixture
def desk(office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    """A desk of which every step before the proposal is done."""
    made = office.at_work(tmp_path / "home", monkeypatch)
    for step in ("ingest", "check_all", "train", "evaluate"):
        monkeypatch.setattr(retraining, step, lambda home: {})
    monkeypatch.setattr(retraining, "propose", promote.propose.fn)
    return made


def run(desk: Office, **asked: str) -> dict[str, Any]:
    ended = retraining.retrain.fn(str(desk.home), **asked)
    assert ended.is_completed() and ended.name == "Completed" and ended.message == ended.data["said"]
    return dict(ended.data)


def lines(desk: Office, type: str) -> list[tuple[str, str]]:
    return [(e.subjects[0].digest, e.reason) for e in records.open_ledger(desk.workspace).entries(type)]


EAST, WEST = (Subject("drift", f"demo-{name}", digest * 64) for name, digest in (("east", "b"), ("west", "c")))


def test_a_retraining_ends_in_a_proposal_and_nothing_is_signed_or_put_in_force(desk: Office) -> None:
    desk.candidate = run(desk, reason="drift at demo-east", alarm=ALARM)["candidate"]
    assert desk.state() == "evaluated"
    assert lines(desk, "retrain.triggered") == [(ALARM, "drift at demo-east")]
    for type in ("approval.signed", "deployment.promoted", "deployment.shadow"):
        assert not lines(desk, type)


def test_where_the_best_model_is_in_force_nobody_is_asked_and_its_approval_stands(desk: Office) -> None:
    """Whatever a new evaluation of it came to takes nothing from what was signed."""
    desk.candidate = run(desk)["candidate"]
    desk.both_sign()
    assert desk.state() == "deployed"
    evaluate(desk, gates_with("fail"))
    again = run(desk)
    assert (
        again["candidate"] == desk.candidate
        and "nothing to sign" in again["said"]
        and "is the one in force" in again["said"]
    )
    assert desk.state() == "deployed" and len(lines(desk, "candidate.proposed")) == 1


def test_an_alarm_is_answered_once(desk: Office) -> None:
    first = run(desk, alarm=ALARM)
    again = run(desk, alarm=ALARM)
    assert again["candidate"] == first["candidate"] and "answered by candidate" in again["said"]
    assert len(lines(desk, "retrain.triggered")) == 1 and len(lines(desk, "retrain.skipped")) == 1
    assert "waits for two people's signatures" in run(desk, alarm="c" * 64)["said"]


def test_a_retraining_that_was_killed_has_not_answered_its_alarm(desk: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(home: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(retraining, "train", killed)
        run(desk, alarm=ALARM)
    assert "nothing was trained" not in run(desk, alarm=ALARM)["said"]


def test_an_alarm_is_told_until_a_retraining_has_answered_it_and_never_again(
    desk: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[list[str]] = []
    monkeypatch.setattr(alarms, "has_server", lambda: True)
    monkeypatch.setattr(alarms, "_pin", lambda workspace, found: None)

    def away(*event: Any) -> None:
        raise ConnectionError("the server is away")

    with monkeypatch.context() as patch, pytest.raises(ConnectionError):
        patch.setattr(alarms, "_emit", away)
        alarms.announce(desk.workspace, sites(), [EAST])
    monkeypatch.setattr(alarms, "_emit", lambda workspace, alarm, names: told.append(list(names)))
    assert alarms.announce(desk.workspace, sites(), []) == ""
    alarm = alarms.announce(desk.workspace, sites(), [EAST])
    assert alarm == alarms.announce(desk.workspace, sites(), [EAST]) and told == [["demo-east"], ["demo-east"]]
    monkeypatch.setattr(alarms, "has_server", lambda: False)
    run(desk, alarm=alarm)
    monkeypatch.setattr(alarms, "has_server", lambda: True)
    assert alarms.announce(desk.workspace, sites(), [EAST]) == "" and len(told) == 2
    assert alarms.announce(desk.workspace, sites(), [EAST, WEST]) == WEST.digest and told[2:] == [["demo-west"]]


def test_one_retraining_answers_all_alarms_that_it_was_told_of(desk: Office) -> None:
    alarm = alarms.announce(desk.workspace, sites(), [EAST, WEST])
    run(desk, alarm=alarm)
    assert [digest for digest, _ in lines(desk, "retrain.triggered")] == [EAST.digest]
    assert alarms.announce(desk.workspace, sites(), [WEST]) == ""
    assert "answered by candidate" in run(desk, alarm=WEST.digest)["said"]


def test_a_challenger_whose_gate_failed_is_stopped_by_its_name_and_nobody_is_asked_to_sign(
    desk: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(desk, threshold=0.999)
    evaluate(
        desk, [{**gate, "reason": "0.31, at least 0.7", "value": 0.31, "limit": 0.7} for gate in gates_with("fail")]
    )
    asked: list[str] = []
    monkeypatch.setattr(retraining, "wait_for", lambda workspace, candidate: asked.append(candidate))
    said = run(desk, alarm=ALARM)["said"]
    (proposed,) = promote.list_candidates()["candidates"]
    assert (
        f"{proposed['candidate'][:12]} is stopped by its gates: calibration (0.31, at least 0.7)" in said and not asked
    )
    assert "nothing was trained" in run(desk, alarm=ALARM)["said"]


def test_a_retraining_says_how_many_trainings_were_run_anew(desk: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retraining, "train", lambda home: {"da_stnet, patient": "ran", "gestures, patient": "skipped"})
    assert run(desk)["said"].endswith("; 1 of 2 trainings were run anew")


@pytest.mark.parametrize("outcome", ["insufficient_evidence", "unknown"])
def test_a_gate_that_could_not_tell_needs_a_deviation_and_stops_nobody(desk: Office, outcome: str) -> None:
    evaluate(desk, [{**gate, "reason": "", "value": None, "limit": None} for gate in gates_with(outcome)])
    candidate = run(desk)["candidate"]
    assert f"a deviation for the gate calibration ({outcome})" in waiting.missing(desk.workspace, candidate)["missing"]


def test_what_is_missing_is_told_until_two_people_have_signed(desk: Office) -> None:
    desk.candidate = run(desk)["candidate"]

    def missing() -> list[str]:
        return list(waiting.missing(desk.workspace, desk.candidate)["missing"])

    assert missing() == ["a signature with the meaning review", "a signature with the meaning approval"]
    desk.sign(FIRST, "review")
    assert missing() == ["a signature with the meaning approval"]
    desk.sign(SECOND, "approval")
    found = waiting.missing(desk.workspace, desk.candidate)
    assert not found["missing"] and found["record"] and found["signed"] == {"review": FIRST, "approval": SECOND}


def test_a_candidate_waits_in_vain_once_another_is_proposed(desk: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promote, "datetime", Mock(wraps=datetime, now=lambda zone: desk.now))  # both in the same second
    first = run(desk)["candidate"]
    train(desk, threshold=0.7)
    evaluate(desk)
    second = run(desk)["candidate"]
    assert f"{second[:12]} was proposed since" in waiting.missing(desk.workspace, first)["ended"]
    assert not waiting.missing(desk.workspace, second)["ended"]
    with pytest.raises(Refused, match="waits no more"):
        waiting.await_signatures.fn(str(desk.home), first)


def test_every_night_candidates_are_listed_once_and_only_the_last_proposed_is_waited_for(
    desk: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each that was superseded listed all once more: a year of retrainings took as many listings as it left candidates."""
    proposed = []
    for threshold in (0.6, 0.7, 0.8):
        train(desk, threshold=threshold)
        evaluate(desk)
        proposed.append(run(desk)["candidate"])
    listed, started = Mock(wraps=promote.list_candidates), Mock()
    monkeypatch.setattr(waiting, "has_server", lambda: True)
    monkeypatch.setattr(waiting, "_unfinished", lambda workspace: [])
    monkeypatch.setattr(waiting, "list_candidates", listed)
    monkeypatch.setattr(waiting, "_start", lambda workspace, candidate: started(candidate))
    assert waiting.wait_for_all(desk.workspace) == proposed[2:]
    started.assert_called_once_with(proposed[2])
    assert listed.call_count == 1


def test_nobody_waits_for_a_candidate_that_somebody_refused(desk: Office) -> None:
    desk.candidate = run(desk)["candidate"]
    desk.sign(FIRST, "review")
    assert "rejected" in desk.reject(SECOND)["text"]
    assert waiting.missing(desk.workspace, desk.candidate)["ended"] == f"rejected by {SECOND}: blind at one site"
    with pytest.raises(Refused, match="waits no more"):
        waiting.await_signatures.fn(str(desk.home), desk.candidate)
    with pytest.raises(Refused, match="goes no further"):
        desk.sign(SECOND, "approval")
    assert lines(desk, "approval.rejected")


def test_what_is_approved_is_revoked_and_not_rejected(desk: Office) -> None:
    desk.candidate = run(desk)["candidate"]
    desk.both_sign()
    with pytest.raises(Refused, match="`ictal revoke`"):
        desk.reject(FIRST)
    assert desk.may_answer()


def test_a_signature_stands_though_the_server_cannot_be_asked(desk: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.candidate = run(desk)["candidate"]
    nobody = "http://127.0.0.1:9/api"
    monkeypatch.setenv(pinboard.SERVER, nobody)
    with temporary_settings({PREFECT_API_URL: nobody}):  # read when Prefect was imported, which was before this test
        desk.sign(FIRST, "review")
    assert desk.state() == "reviewed"


def test_pages_are_linked_in_the_console_where_it_is_named(desk: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    page = desk.workspace.reports / "drift" / "index.html"
    assert pinboard.address_of(desk.workspace, page) == page.as_uri()
    monkeypatch.setenv(pinboard.CONSOLE, "http://127.0.0.1:8010/")
    assert pinboard.address_of(desk.workspace, page) == "http://127.0.0.1:8010/reports/drift/index.html"


def test_the_night_tells_how_many_were_put_aside_for_what_and_not_who(
    desk: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    aside = [{"recording": "sub-003", "reasons": [{"code": "flat"}, {"code": "short"}]}]
    judged = {"detection": {"recordings": 3, "accepted": 2, "quarantined": aside}}
    monkeypatch.setattr("flows.nightly.ingest", lambda home: 1)
    monkeypatch.setattr("flows.nightly.check_all", lambda home: judged)
    unsigned = run(desk)["candidate"]
    said = nightly.fn(str(desk.home))
    assert said["cohorts"] == [{"cohort": "detection", "recordings": 3, "accepted": 2, "codes": "1 flat"}]
    assert said["waiting"] == [unsigned] and "sub-003" not in str(said)
