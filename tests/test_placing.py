"""Which approved model answers where: back to the one before, at some sites, or beside; by lines in the ledger."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from flows import place, promote, records
from flows.evidence import evidence_signed
from flows.stages.champions import champion, is_comparable
from flows.stages.files import circumstances, development, evaluation_of, read_json, training_of, write_json
from flows.stages.report import reigns
from lineage.approvals import Approval, NotApproved
from lineage.digest import sha256_file
from lineage.ledger import Ledger
from lineage.refused import Refused
from serving.choice import Choice
from serving.loader import Loader
from serving.orders import Orders
from serving.store import pointer_path, read_pointer
from tests.proposals import FIRST, NAME, SECOND, SITE, Office, evaluate, held_office, train

OTHER_SITE, WHY = "demo-south", "two weeks at one site"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Office:
    return held_office(tmp_path_factory.mktemp("office") / "home")


@pytest.fixture
def office(made: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    return made.at_work(tmp_path / "home", monkeypatch)


def first_of(office: Office) -> str:
    [line, *_] = records.open_ledger(office.workspace).entries("deployment.promoted")
    return next(edge.parent for edge in line.edges if edge.relation == "serves")


def in_force(office: Office) -> str:
    return read_pointer(office.home).bundle


def forged(pointer: str) -> str:
    """A pointer to another bundle than was signed."""
    return json.dumps({**json.loads(pointer), "bundle": "0" * 64})


def chosen(office: Office, clock: Callable[[], float] = lambda: 0.0) -> Choice:
    ledger = Ledger(office.home / "ledger" / "ledger.db")
    loaders = [Loader(office.home, place=where, allow_demo=True, clock=clock) for where in ("in_force", "canary")]
    return Choice(loaders[0], loaders[1], Orders(ledger, clock))


def answering(office: Office, site: str) -> str:
    return chosen(office).for_site(site, office.now).bundle.digest


def test_what_is_on_hold_is_approved_and_answers_nobody(office: Office) -> None:
    assert office.state() == "approved" and in_force(office) == first_of(office) != office.candidate
    assert place.deploy_approved(office.candidate, office.now)["state"] == "deployed"
    assert in_force(office) == answering(office, SITE) == office.candidate


def test_a_roll_back_puts_the_model_before_in_force_and_says_why_in_the_ledger(office: Office) -> None:
    place.deploy_approved(office.candidate, office.now)
    place.roll_back("detection", "misses seizures", office.now)
    assert answering(office, SITE) == first_of(office)
    [line] = records.open_ledger(office.workspace).entries("deployment.rolled_back")
    assert line.reason == "misses seizures" and line.actor.role == "operator"
    assert office.may_answer() and not office.refused_by_service()
    with pytest.raises(Refused, match="no other model was in force for detection before"):
        place.roll_back("detection", "once more", office.now)
    place.deploy_approved(office.candidate, office.now)  # it may come again: its approval is in force
    assert answering(office, SITE) == office.candidate


def test_fault_a_roll_back_that_was_cut_off_is_not_rolled_back_to_the_bad_model(office: Office) -> None:
    """Pointed at again is the first, and the line that says so was never written."""
    pointer = pointer_path(office.home)
    of_first = pointer.read_text()
    place.deploy_approved(office.candidate, office.now)
    pointer.write_text(of_first)
    with pytest.raises(Refused, match="pointing was cut off"):
        place.roll_back("detection", "misses seizures", office.now)
    assert in_force(office) == first_of(office)


def test_a_model_that_was_revoked_may_be_rolled_back_from_and_not_to(office: Office) -> None:
    place.deploy_approved(office.candidate, office.now)
    office.revoke(FIRST)
    place.roll_back("detection", "it was revoked", office.now)
    assert answering(office, SITE) == first_of(office)


def test_a_model_whose_approval_has_ended_is_not_put_back(office: Office) -> None:
    place.deploy_approved(office.candidate, office.now)
    with pytest.raises(NotApproved, match="it ended at"):
        place.roll_back("detection", "misses seizures", office.now + timedelta(days=365))
    second, office.candidate = office.candidate, first_of(office)
    office.revoke(SECOND)
    with pytest.raises(Refused, match="may not answer any more: it was revoked by demo-reviewer-2: misses seizures"):
        place.roll_back("detection", "misses seizures", office.now)
    assert in_force(office) == second
    with pytest.raises(Refused, match="no task"):
        place.roll_back("walking", "misses seizures")


def signed_evaluation(office: Office) -> str:
    return Approval.read(office.approval).record.evidence["evaluation"]


def kept_evaluation(office: Office) -> tuple[str, str]:
    """The bundle of the champion, and the digest of the evaluation that the next challenger is held against."""
    found = champion(office.workspace)
    assert found is not None
    return found[1].name, sha256_file(found[1] / "result.json")


def test_a_challenger_is_held_against_the_evaluation_that_was_signed_not_against_a_later_one(office: Office) -> None:
    """Held for a shadow, the model waits; a retraining meanwhile leaves another model's evaluation in its place."""
    signed = signed_evaluation(office)
    latest = evaluation_of(office.workspace, NAME, "patient") / "result.json"
    write_json(latest, {**read_json(latest), "auc": 0.99})
    place.deploy_approved(office.candidate, office.now)
    assert kept_evaluation(office) == (office.candidate, signed)
    place.roll_back("detection", "misses seizures", office.now)
    assert kept_evaluation(office)[0] == first_of(office) and kept_evaluation(office)[1] != signed


def test_a_training_that_made_the_model_in_force_again_is_known_by_its_bytes(office: Office) -> None:
    log = training_of(office.workspace, NAME, "patient") / "log.json"
    write_json(log, {**read_json(log), "runs": [{"bundle": office.candidate}]})
    place.deploy_approved(office.candidate, office.now)
    assert reigns(office.workspace, NAME)
    place.roll_back("detection", "misses seizures", office.now)
    assert not reigns(office.workspace, NAME)


def test_an_evaluation_kept_of_another_model_gives_way_to_the_one_that_was_signed(office: Office) -> None:
    folder = office.workspace.store / "champions" / office.candidate
    write_json(folder / "result.json", {"auc": 0.99})
    place.deploy_approved(office.candidate, office.now)
    assert kept_evaluation(office) == (office.candidate, signed_evaluation(office))


def test_fault_without_the_evaluation_that_was_signed_nothing_is_put_in_force(office: Office) -> None:
    kept, old = evidence_signed(office.workspace, office.approval) / "result.json", first_of(office)
    write_json(kept, {**read_json(kept), "auc": 0.99})
    with pytest.raises(Refused, match=r"that was signed \(.*put that folder back from a backup"):
        place.deploy_approved(office.candidate, office.now)
    assert in_force(office) == old and kept_evaluation(office)[0] == old


def test_a_champion_whose_predictions_a_withdrawal_took_is_not_compared_with(office: Office, tmp_path: Path) -> None:
    now = circumstances(office.workspace, development(office.workspace))
    write_json(tmp_path / "kept" / "result.json", {"of": now})
    assert not is_comparable(tmp_path / "kept", now)
    (tmp_path / "kept" / "seconds.parquet").touch()
    assert is_comparable(tmp_path / "kept", now) and not is_comparable(tmp_path / "kept", {**now, "recordings": ""})


def test_a_canary_answers_its_sites_alone_until_it_is_ended_or_promoted(office: Office) -> None:
    old = first_of(office)
    place.begin_canary(office.candidate, [OTHER_SITE], WHY, office.now)
    assert (answering(office, SITE), answering(office, OTHER_SITE)) == (old, office.candidate)
    place.end_trials("detection", "enough was seen")
    assert (answering(office, SITE), answering(office, OTHER_SITE)) == (old, old)
    place.begin_canary(office.candidate, [OTHER_SITE], WHY, office.now)
    place.deploy_approved(office.candidate, office.now)
    assert not Orders(Ledger(office.home / "ledger" / "ledger.db")).now().trials
    assert (answering(office, SITE), answering(office, OTHER_SITE)) == (office.candidate, office.candidate)
    types = [e.type for e in Ledger(office.home / "ledger" / "ledger.db").entries() if e.type.startswith("deployment.")]
    assert [t.removeprefix("deployment.") for t in types] == ["promoted", "canary", "ended", "canary", "promoted"]


def test_who_is_patient_is_answered_by_what_somebody_else_looked_up(office: Office) -> None:
    now_s = [0.0]
    choice, old = chosen(office, lambda: now_s[0]), first_of(office)

    def patient(site: str) -> str:
        return choice.for_site(site, office.now, 60.0).bundle.digest

    choice.look(office.now)
    place.begin_canary(office.candidate, [OTHER_SITE], WHY, office.now)
    now_s[0] = 2.0
    assert patient(OTHER_SITE) == old
    choice.look(office.now)
    pointer_path(office.home, place="canary").rename(office.home / "elsewhere")  # read already
    assert (patient(SITE), patient(OTHER_SITE)) == (old, office.candidate)
    place.deploy_approved(office.candidate, office.now)
    now_s[0] = 4.0
    assert patient(SITE) == old
    choice.look(office.now)
    assert patient(SITE) == office.candidate


def test_a_canary_that_was_revoked_leaves_its_sites_to_the_model_in_force(office: Office) -> None:
    place.begin_canary(office.candidate, [OTHER_SITE], WHY, office.now)
    office.revoke(FIRST)
    assert answering(office, OTHER_SITE) == first_of(office)


def test_a_canary_that_only_a_file_names_answers_nobody(office: Office) -> None:
    """Signed as it may be: the ledger says what is on trial."""
    place.begin_canary(office.candidate, [OTHER_SITE], WHY, office.now)
    kept = pointer_path(office.home, place="canary").read_bytes()
    place.end_trials("detection", "enough was seen")
    pointer_path(office.home, place="canary").write_bytes(kept)
    assert answering(office, OTHER_SITE) == first_of(office)


@pytest.mark.parametrize("damage", [lambda text: text[:40], lambda text: text.replace("bundle", "bundles"), forged])
def test_while_it_is_not_known_what_is_in_force_nothing_is_put_back_or_on_trial(
    office: Office, damage: Callable[[str], str]
) -> None:
    place.deploy_approved(office.candidate, office.now)
    pointer = pointer_path(office.home)
    pointer.write_text(damaged := damage(pointer.read_text()))
    old = first_of(office)
    with pytest.raises(
        Refused, match="so that it is not known which model answers for detection: `ictal deploy promote"
    ):
        place.roll_back("detection", "misses seizures", office.now)
    for begin in (
        lambda: place.begin_canary(old, [OTHER_SITE], WHY, office.now),
        lambda: place.begin_shadow(old, 0.5, WHY, office.now),
    ):
        with pytest.raises(Refused, match="ictal deploy promote"):
            begin()
    assert pointer.read_text() == damaged
    assert place.deploy_approved(office.candidate, office.now)["state"] == "deployed"
    place.roll_back("detection", "misses seizures", office.now)
    assert in_force(office) == old


@pytest.mark.parametrize("kind", ["canary", "shadow"])
def test_what_two_people_have_not_signed_is_put_on_no_trial(office: Office, kind: str) -> None:
    train(office, 0.7)
    evaluate(office)
    office.propose()
    office.sign(FIRST, "review")
    with pytest.raises(Refused, match="needs two people's signatures"):
        begin(kind, office)
    assert not pointer_path(office.home, place=kind).exists()


@pytest.mark.parametrize("kind", ["canary", "shadow"])
def test_trials_that_make_no_sense_are_refused(office: Office, kind: str) -> None:
    with pytest.raises(NotApproved, match="it ended at"):
        begin(kind, office, now=office.now + timedelta(days=365))
    with pytest.raises(Refused, match="does not cover hospital-1"):
        place.begin_canary(office.candidate, ["hospital-1"], WHY, office.now)
    with pytest.raises(Refused, match="name them with --sites"):
        place.begin_canary(office.candidate, [], WHY, office.now)
    with pytest.raises(Refused, match=r"got 1\.5"):
        place.begin_shadow(office.candidate, 1.5, WHY, office.now)
    with pytest.raises(Refused, match="nothing is on trial"):
        place.end_trials("detection", WHY)
    place.deploy_approved(office.candidate, office.now)
    with pytest.raises(Refused, match="beside another model in force: this one is"):
        begin(kind, office)


def begin(kind: str, office: Office, now: Any = None) -> None:
    if kind == "canary":
        place.begin_canary(office.candidate, [OTHER_SITE], WHY, now or office.now)
    else:
        place.begin_shadow(office.candidate, 1.0, WHY, now or office.now)


def test_lines_about_models_are_read_once_however_many_are_listed(office: Office) -> None:
    """A year of retrainings proposes hundreds; each was compared with the lines of all."""
    asked: list[str] = []

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        if "entry.type" in statement and "subject" not in statement:
            asked.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        listed = promote.list_candidates()["candidates"]
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert {c["candidate"]: c["state"] for c in listed} == {first_of(office): "deployed", office.candidate: "approved"}
    assert len(asked) == 1
