"""A model whose own checks failed, or that two people did not approve, comes into force by no way: each way is tried here.

A published template of a model registry approved a model whose checks had failed; so every case ends with asking the
service's own loader whether it would answer.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flows import register
from flows.stages.files import evaluation_of, read_json, write_json
from lineage.approvals import Approval, Scope, Signature, sign
from lineage.digest import sha256_file
from lineage.keys import create_person, create_platform_key, platform_key
from lineage.people import People, Person
from lineage.refused import Refused
from lineage.signing import sign_bundle
from serving.loader import revocations_folder
from serving.store import import_bundle, stored_bundle, write_pointer
from tests import proposals
from tests.authenticator import code, know
from tests.proposals import AUTHOR, FIRST, NAME, PASSPHRASE, ROBOT, SECOND, Office, evaluated_office, gates_with

WHY = "calibration=few patients"


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Office]]:
    """Workspaces on the way that is meant, where all gates passed and where one failed and a deviation names it."""
    folder = tmp_path_factory.mktemp("offices")
    made = {"passed, evaluated": evaluated_office(folder / "passed")}
    made["failed, evaluated"] = made["passed, evaluated"].copied(folder / "failed")
    proposals.evaluate(made["failed, evaluated"], gates_with("fail"))
    acts: dict[str, Callable[[Office, list[str]], object]] = {
        "proposed": lambda o, _: o.propose(),
        "reviewed": lambda o, deviations: o.sign(FIRST, "review", deviations),
        "in force": lambda o, _: o.sign(SECOND, "approval"),
    }
    with pytest.MonkeyPatch.context() as patch:
        for gates, deviations in (("passed", []), ("failed", [WHY])):
            office = made[f"{gates}, evaluated"]
            for stage, act in acts.items():
                office = made[f"{gates}, {stage}"] = office.copied(folder / f"{gates} {stage}")
                patch.setenv("ICTAL_HOME", str(office.home))
                act(office, deviations)
    yield made


@contextmanager
def refused(reason: str) -> Iterator[None]:
    with pytest.raises(Refused, match=reason):
        yield


def rewrite(path: Path, change: Callable[[Any], Any]) -> None:
    write_json(path, change(read_json(path)))


def candidate_file(o: Office) -> Path:
    return o.workspace.store / "candidates" / f"{o.candidate}.json"


def gates_file(o: Office) -> Path:
    return o.workspace.reports / "evaluation" / "gates.json"


def edit_people(o: Office, *persons: Person) -> None:
    people = People.read(o.workspace.keys)
    for person in persons:
        people = people.holding(person)
    people.write(o.workspace.keys)


def edit_approval(o: Office, change: Callable[[Approval], Approval]) -> None:
    change(Approval.read(o.approval)).write(o.approval)


def with_gates(outcome: str) -> Callable[[Office], None]:
    def attempt(o: Office) -> None:
        proposals.evaluate(o, gates_with(outcome))
        o.propose()
        with refused("calibration is .* and no deviation names it"):
            o.sign(FIRST, "review")

    return attempt


def no_gate_at_all(o: Office) -> None:
    proposals.evaluate(o, [])
    o.propose()
    with refused("no gate outcomes"):
        o.sign(FIRST, "review")


def gates_edited_before_the_proposal(o: Office) -> None:
    write_json(gates_file(o), {NAME: proposals.PASSED})
    with refused("not those that the report stage left"):
        o.propose()


def gates_edited_after_the_proposal(o: Office) -> None:
    write_json(gates_file(o), {NAME: proposals.PASSED})
    with refused("not what it was when the candidate was proposed"):
        o.sign(FIRST, "review")


def candidate_edited(o: Office) -> None:
    rewrite(candidate_file(o), lambda c: {**c, "gates": proposals.PASSED})
    with refused("not what was proposed"):
        o.sign(FIRST, "review")


def candidate_and_gates_edited(o: Office) -> None:
    write_json(gates_file(o), {NAME: proposals.PASSED})
    gates = {"gates": sha256_file(gates_file(o))}
    rewrite(candidate_file(o), lambda c: {**c, "gates": proposals.PASSED, "evidence": {**c["evidence"], **gates}})
    with refused("not what was proposed"):
        o.sign(FIRST, "review")


def a_state_written_into_the_candidate(o: Office) -> None:
    rewrite(candidate_file(o), lambda c: {**c, "state": "reviewed"})
    with refused("not what was proposed"):
        o.sign(SECOND, "approval", [WHY])


def approval_edited_between_the_signatures(o: Office) -> None:
    edit_approval(o, lambda a: replace(a, record=replace(a.record, scope=Scope(("*",), (0, 999), ("any",)))))
    with refused("not what was signed"):
        o.sign(SECOND, "approval")


def approval_edited_afterwards(o: Office) -> None:
    assert o.refused_by_service() == ""
    scope = Scope(("demo-*", "hospital-*"), (0, 999), ("neonatal_18",))
    edit_approval(o, lambda a: replace(a, record=replace(a.record, scope=scope)))
    assert "belongs to another record" in o.refused_by_service()


def deviation_with_one_signer(o: Office) -> None:
    with refused("two different people"):
        o.sign(FIRST, "approval")
    assert o.state() == "reviewed"


def deviation_after_the_first_signature(o: Office) -> None:
    with refused("deviations differ"):
        o.sign(SECOND, "approval", ["calibration=never mind"])


def deviation_after_taking_the_approval_away(o: Office) -> None:
    o.approval.unlink()
    with refused("deviations differ"):
        o.sign(SECOND, "approval", ["calibration=never mind"])


def evidence_swapped_after_the_review(o: Office) -> None:
    rewrite(evaluation_of(o.workspace, NAME, "patient") / "result.json", lambda r: {**r, "auc": 0.99})
    with refused("not what it was when"):
        o.sign(SECOND, "approval")


def approved_before_reviewed(o: Office) -> None:
    with refused("after evaluated comes reviewed, not approved"):
        o.sign(SECOND, "approval")


def the_same_person_under_a_second_id(o: Office) -> None:
    """With the same key: its file is copied, and the person is written into people.json."""
    twin = replace(People.read(o.workspace.keys).person(FIRST), id="demo-reviewer-9", printed_name="Somebody Else")
    edit_people(o, twin)
    for kind in ("pem", "totp"):
        shutil.copyfile(o.workspace.keys / f"{FIRST}.{kind}", o.workspace.keys / f"{twin.id}.{kind}")
    with refused("not in the ledger"):
        o.sign(twin.id, "approval")


def the_same_person_registered_twice(o: Office) -> None:
    with refused("signs under this printed name already"):
        register.register(o.workspace, "demo-reviewer-9", FIRST.upper(), "physicist", PASSPHRASE, now=o.now)


def author_signs(meaning: str) -> Callable[[Office], None]:
    def attempt(o: Office) -> None:
        with refused("the author cannot review or approve"):
            o.sign(AUTHOR, meaning)

    return attempt


def a_service_account_signs(o: Office) -> None:
    with refused("only people sign"):
        o.sign(ROBOT, "review")


def a_service_account_made_a_person(o: Office) -> None:
    edit_people(o, replace(People.read(o.workspace.keys).person(ROBOT), role="neurologist"))
    with refused("not in the ledger"):
        o.sign(ROBOT, "review")


def an_expired_key(o: Office) -> None:
    o.now += timedelta(hours=25)
    with refused("after it expired|ended at"):
        o.sign(SECOND, "approval")


def an_expired_key_made_to_last(o: Office) -> None:
    o.now += timedelta(hours=25)
    person = People.read(o.workspace.keys).person(FIRST)
    edit_people(o, replace(person, keys=(replace(person.present, valid_until=None),)))
    with refused("not in the ledger"):
        o.sign(FIRST, "review")


def a_revoked_key_signs(o: Office) -> None:
    register.end_person(FIRST, "lost the laptop", left=False)
    with refused("key that was revoked: lost the laptop"):
        o.sign(FIRST, "review")


def a_key_revoked_after_it_signed(o: Office) -> None:
    assert o.refused_by_service() == ""
    register.end_person(SECOND, "lost the laptop", left=False)
    assert "key that was revoked" in o.refused_by_service()


def a_revoked_key_restored_in_the_file(o: Office) -> None:
    before = (o.workspace.keys / "people.json").read_bytes()
    register.end_person(SECOND, "lost the laptop", left=False)
    (o.workspace.keys / "people.json").write_bytes(before)
    assert "not by a registered person" in o.refused_by_service()


def a_code_is_replayed(o: Office) -> None:
    shown = code(o.workspace.keys, FIRST, o.now + timedelta(minutes=1))
    o.sign(FIRST, "review", code=shown)
    o.now -= timedelta(minutes=1)
    with refused("a code is taken once"):
        o.sign(FIRST, "approval", code=shown)


def the_code_of_another_device(o: Office) -> None:
    with refused("do not together open the key"):
        o.sign(FIRST, "review", code=code(o.workspace.keys, SECOND, o.now + timedelta(minutes=1)))


def a_locked_name(o: Office) -> None:
    """After five failures the right components do not help; the ledger has a line for each of the six attempts."""
    for _ in range(5):
        with refused("do not together open the key"):
            o.sign(FIRST, "review", passphrase="a guess")
    with refused("no further one is looked at before"):
        o.sign(FIRST, "review")
    ledger = register.records.open_ledger(o.workspace)
    assert [e.actor.id for e in ledger.entries("auth.failed")] == [FIRST] * 6


def trained_again_before_the_proposal(o: Office) -> None:
    proposals.train(o, threshold=0.6)
    with refused("after it was evaluated"):
        o.propose()


def trained_again_after_the_review(o: Office) -> None:
    proposals.train(o, threshold=0.6)
    with refused("after it was evaluated|not what it was when"):
        o.sign(SECOND, "approval")


def a_signature_moved_from_another_record(o: Office) -> None:
    """Both signed a first model; their signatures are put under the approval of a second one, which only one reviewed."""
    sound = Approval.read(o.approval)
    proposals.train(o, threshold=0.6)
    proposals.evaluate(o)
    o.propose()
    o.sign(FIRST, "review")
    edit_approval(o, lambda a: replace(a, signatures=sound.signatures))
    point(o, o.approval)
    assert "belongs to another record" in o.refused_by_service()


def point(o: Office, approval: Path) -> None:
    """What somebody with the platform's key can do: import a bundle and point at it."""
    tag = import_bundle(o.home, o.workspace.store / "bundles" / o.candidate)
    write_pointer(o.home, bundle=o.candidate, tag=tag, approval=approval, now=o.now)


def pointed_at_without_an_approval(o: Office) -> None:
    point(o, o.approval)
    assert "nobody has signed an approval" in o.refused_by_service()


def signed_outside_of_the_ledger(o: Office) -> None:
    """Two people sign a record of their own making, whose gates all passed, and somebody points at it."""
    record = replace(Approval.read(o.approval).record, gates={"calibration": "passed"}, deviations=())
    approval = Approval(record)
    for person, meaning in ((FIRST, "review"), (SECOND, "approval")):
        typed = o.components(person)
        approval = approval.signed(sign(record, o.workspace.keys, *typed, meaning, o.now))
    approval.write(o.home / "store" / "private.json")
    point(o, o.home / "store" / "private.json")
    assert "the ledger knows of no such approval" in o.refused_by_service()


def a_signer_added_to_the_file(o: Office) -> None:
    """Whoever can write the keys folder makes a person there, with a key and a device of their own."""
    know(create_person(o.workspace.keys, "demo-reviewer-9", "Mallory", "physicist", PASSPHRASE, demo=True, now=o.now))
    with refused("not in the ledger"):
        o.sign("demo-reviewer-9", "approval")


def another_key_for_a_known_person(o: Office) -> None:
    elsewhere = o.home / "elsewhere"
    mallory = know(create_person(elsewhere, SECOND, SECOND, "physicist", PASSPHRASE, demo=True, now=o.now))
    for kind in ("pem", "totp"):
        shutil.copyfile(elsewhere / f"{SECOND}.{kind}", o.workspace.keys / f"{SECOND}.{kind}")
    edit_people(o, mallory)
    with refused("not in the ledger"):
        o.sign(SECOND, "approval")


def a_signature_forged_under_a_known_name(o: Office) -> None:
    """With the platform's key, which programs use: it is nobody's."""
    approval = Approval.read(o.approval)
    person = People.read(o.workspace.keys).person(SECOND)
    key = platform_key(o.workspace.keys)
    approval.signed(Signature.made(approval.record, person, key, "approval", o.now)).write(o.approval)
    point(o, o.approval)
    assert f"the signature of {SECOND} is not valid" in o.refused_by_service()


def a_revocation_taken_away(o: Office) -> None:
    o.revoke(FIRST)
    assert f"revoked by {FIRST}" in o.refused_by_service()
    shutil.rmtree(revocations_folder(o.home))
    assert f"by the ledger it was revoked by {FIRST}" in o.refused_by_service()


def the_candidate_edited_so_that_it_cannot_be_revoked(o: Office) -> None:
    candidate_file(o).write_text("{}")
    o.revoke(FIRST)
    assert f"revoked by {FIRST}" in o.refused_by_service()


def a_revoked_model_proposed_again(o: Office) -> None:
    o.revoke(FIRST)
    with refused("this very model was revoked"):
        o.propose()


def a_model_revoked_before_the_approval(o: Office) -> None:
    o.revoke(SECOND)
    with refused("it goes no further: revoked by"):
        o.sign(SECOND, "approval")


def another_platform_key(o: Office) -> None:
    """Whoever can write the keys folder exchanges the platform's key and signs bundle and pointer anew."""
    approval, stored = o.approval, stored_bundle(o.home, json.loads(o.pointer.read_text())["tag"])
    for path in o.workspace.keys.glob("platform*"):
        path.unlink()
    sign_bundle(stored, create_platform_key(o.workspace.keys))
    tag = json.loads(o.pointer.read_text())["tag"]
    write_pointer(o.home, bundle=o.candidate, tag=tag, approval=approval, now=o.now)
    assert "none that the ledger knows" in o.refused_by_service()


def without_the_ledger(o: Office) -> None:
    shutil.rmtree(o.workspace.ledger.parent)
    assert "there is no ledger" in o.refused_by_service()


Attempt = Callable[[Office], None]
AFTER_A_FAILED_GATE: dict[str, dict[str, Attempt]] = {
    "evaluated": {"gates edited before the proposal": gates_edited_before_the_proposal},
    "proposed": {
        "gates edited after the proposal": gates_edited_after_the_proposal,
        "candidate edited": candidate_edited,
        "candidate and gates edited": candidate_and_gates_edited,
        "a state written into the candidate": a_state_written_into_the_candidate,
    },
    "reviewed": {
        "approval edited between the signatures": approval_edited_between_the_signatures,
        "deviation with one signer": deviation_with_one_signer,
        "deviation after the first signature": deviation_after_the_first_signature,
        "deviation after taking the approval away": deviation_after_taking_the_approval_away,
        "pointed at without an approval": pointed_at_without_an_approval,
        "signed outside of the ledger": signed_outside_of_the_ledger,
    },
}
AFTER_PASSED_GATES: dict[str, dict[str, Attempt]] = {
    "evaluated": {
        "a failed gate": with_gates("fail"),
        "an unknown gate": with_gates("unknown"),
        "too little evidence": with_gates("insufficient_evidence"),
        "no gate at all": no_gate_at_all,
        "the same person registered twice": the_same_person_registered_twice,
        "trained again before the proposal": trained_again_before_the_proposal,
    },
    "proposed": {
        "approved before reviewed": approved_before_reviewed,
        "the author reviews": author_signs("review"),
        "a service account signs": a_service_account_signs,
        "a service account made a person": a_service_account_made_a_person,
        "an expired key made to last": an_expired_key_made_to_last,
        "a revoked key signs": a_revoked_key_signs,
        "a code is replayed": a_code_is_replayed,
        "the code of another device": the_code_of_another_device,
        "a locked name": a_locked_name,
    },
    "reviewed": {
        "evidence swapped after the review": evidence_swapped_after_the_review,
        "the same person under a second id": the_same_person_under_a_second_id,
        "the author approves": author_signs("approval"),
        "an expired key": an_expired_key,
        "trained again after the review": trained_again_after_the_review,
        "a signer added to the file": a_signer_added_to_the_file,
        "another key for a known person": another_key_for_a_known_person,
        "a signature forged under a known name": a_signature_forged_under_a_known_name,
        "a model revoked before the approval": a_model_revoked_before_the_approval,
    },
    "in force": {
        "approval edited afterwards": approval_edited_afterwards,
        "a key revoked after it signed": a_key_revoked_after_it_signed,
        "a revoked key restored in the file": a_revoked_key_restored_in_the_file,
        "a signature moved from another record": a_signature_moved_from_another_record,
        "a revocation taken away": a_revocation_taken_away,
        "the candidate edited so that it cannot be revoked": the_candidate_edited_so_that_it_cannot_be_revoked,
        "a revoked model proposed again": a_revoked_model_proposed_again,
        "another platform key": another_platform_key,
        "without the ledger": without_the_ledger,
    },
}
WAYS = {
    way: (f"{gates}, {start}", attempt)
    for gates, starts in (("failed", AFTER_A_FAILED_GATE), ("passed", AFTER_PASSED_GATES))
    for start, ways in starts.items()
    for way, attempt in ways.items()
}


@pytest.mark.parametrize("way", WAYS)
def test_no_way_around_two_people_and_the_gates(
    stages: dict[str, Office], way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, attempt = WAYS[way]
    office = stages[start].copied(tmp_path / "office")
    monkeypatch.setenv("ICTAL_HOME", str(office.home))
    attempt(office)
    assert office.refused_by_service() != ""


def test_the_way_that_is_meant_is_open(
    stages: dict[str, Office], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = stages["failed, reviewed"].copied(tmp_path / "office")
    monkeypatch.setenv("ICTAL_HOME", str(office.home))
    assert office.refused_by_service() == "no model has been put in force yet"
    office.sign(SECOND, "approval")
    assert (office.state(), office.refused_by_service()) == ("deployed", "")
    signed = Approval.read(office.approval)
    assert [asdict(d) for d in signed.record.deviations] == [{"gate": "calibration", "justification": "few patients"}]
