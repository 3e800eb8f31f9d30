"""A model is in force only where two people have signed exactly it; every other case is refused with the reason."""

import dataclasses
import inspect
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lineage import dsse
from lineage.approvals import (
    EVIDENCE,
    Approval,
    ApprovalRecord,
    AuthenticationFailed,
    Deviation,
    NotApproved,
    Revocation,
    Scope,
    Signature,
    check,
    recorded,
    refusals,
    sign,
    signed_line,
)
from lineage.keys import People, create_platform_key, platform_key
from lineage.ledger import Actor, Ledger, Subject
from tests.office import BUNDLE, DEMO_RECORD, HOUR, NOW, OTHER_BUNDLE, PHRASE, RECORD, Case, Office, open_office


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    return open_office(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def desk(office: Office, tmp_path: Path) -> Office:
    """The office before anybody used a code at NOW."""
    return office.copied(tmp_path)


def without_evidence(name: str) -> Callable[[Office], Case]:
    return lambda o: o.case(replace(RECORD, evidence={k: v for k, v in RECORD.evidence.items() if k != name}))


def with_gate(outcome: str) -> Callable[[Office], Case]:
    return lambda o: o.case(replace(RECORD, gates={**RECORD.gates, "calibration": outcome}))


def with_other_gates_deviation(o: Office) -> Case:
    gates = {**RECORD.gates, "calibration": "failed"}
    return o.case(replace(RECORD, gates=gates, deviations=(Deviation("coverage", "few recordings"),)))


def one_key_under_two_ids(o: Office) -> Case:
    """Somebody registers a second time with the key that they already have."""
    twin = replace(o.people.person("reviewer-1"), id="reviewer-9")
    case = o.signed_by(("reviewer-1", "review"), ("reviewer-1", "approval"))
    second = Signature.made(RECORD, twin, o.keys["reviewer-1"], "approval", NOW)
    approval = Approval(RECORD, (case.approval.signatures[0], second))
    return replace(case, approval=approval, people=People({**o.people.by_id, twin.id: twin}))


def author_under_another_id(o: Office) -> Case:
    twin = replace(o.people.person("engineer-1"), id="reviewer-9")
    second = Signature.made(RECORD, twin, o.keys["engineer-1"], "approval", NOW)
    return replace(o.with_second(second), people=People({**o.people.by_id, twin.id: twin}))


def by_the_platform(o: Office) -> Case:
    create_platform_key(o.folder)
    platform = replace(o.people.person("reviewer-2"), id="platform")
    return o.with_second(Signature.made(RECORD, platform, platform_key(o.folder), "approval", NOW))


def moved_from_another_record(o: Office) -> Case:
    return o.with_second(o.signature("reviewer-2", "approval", replace(RECORD, version="2")))


def moved_and_relabelled(o: Office) -> Case:
    moved = o.signature("reviewer-2", "approval", replace(RECORD, version="2"))
    return o.with_second(replace(moved, record_digest=RECORD.digest))


def signed_before_its_key_existed(o: Office) -> Case:
    old = NOW - timedelta(days=2)
    return o.signed_by(("reviewer-1", "review"), ("reviewer-2", "approval"), at=old)


def approved_before_reviewed(o: Office) -> Case:
    return replace(
        o.case(),
        approval=Approval(
            RECORD,
            (
                o.signature("reviewer-1", "review", at=NOW + timedelta(minutes=2)),
                o.signature("reviewer-2", "approval", at=NOW + timedelta(minutes=1)),
            ),
        ),
    )


def revocation(o: Office, digest: str) -> Revocation:
    person = o.people.person("reviewer-1")
    unsigned = Revocation(digest, "misses seizures", person.id, person.printed_name, "2026-03-01", person.key_id)
    seal = dsse.sign(o.keys["reviewer-1"], "application/vnd.ictal.revocation+json", unsigned._statement())
    return replace(unsigned, signature=seal)


def two_demo_people_and_a_normal_site(o: Office) -> Case:
    return o.case(RECORD, demo=True, allow_demo=True)


def nobody_is_known(o: Office) -> Case:
    return o.case(people=People({}))


FAULTS: dict[str, tuple[Callable[[Office], Case], str]] = {
    "no signature": (lambda o: o.signed_by(), "nobody has signed a review; nobody has signed an approval"),
    "no approval": (lambda o: o.signed_by(("reviewer-1", "review")), "nobody has signed an approval"),
    "no review": (lambda o: o.signed_by(("reviewer-1", "approval")), "nobody has signed a review"),
    "two reviews": (lambda o: o.signed_by(("reviewer-1", "review"), ("reviewer-2", "review")), "an approval"),
    "responsibility instead": (
        lambda o: o.signed_by(("reviewer-1", "review"), ("reviewer-2", "responsibility")),
        "nobody has signed an approval",
    ),
    "one person twice": (
        lambda o: o.signed_by(("reviewer-1", "review"), ("reviewer-1", "approval")),
        "need two different people",
    ),
    "one key, two ids": (one_key_under_two_ids, "need two different people"),
    "approved before reviewed": (approved_before_reviewed, "approved before it was reviewed"),
    "the author reviews": (
        lambda o: o.signed_by(("engineer-1", "review"), ("reviewer-2", "approval")),
        "the author cannot review or approve",
    ),
    "the author approves": (
        lambda o: o.signed_by(("reviewer-1", "review"), ("engineer-1", "approval")),
        "the author cannot review or approve",
    ),
    "the author under another id": (author_under_another_id, "the author cannot review or approve"),
    "a service account": (
        lambda o: o.signed_by(("reviewer-1", "review"), ("robot", "approval")),
        "by a service account",
    ),
    "the platform's key": (by_the_platform, "not by a registered person"),
    "nobody is known": (nobody_is_known, "not by a registered person"),
    "signature moved": (moved_from_another_record, "belongs to another record"),
    "signature moved and relabelled": (moved_and_relabelled, "is not valid"),
    "meaning edited": (lambda o: o.edited(meaning="review"), "is not valid"),
    "time edited": (lambda o: o.edited(utc_time="2026-03-01T12:30:00.000000Z"), "is not valid"),
    "signer edited": (lambda o: o.edited(person_id="reviewer-1"), "is not valid"),
    "signature emptied": (lambda o: o.edited(signature=""), "is not valid"),
    "unknown meaning": (lambda o: o.resealed(meaning="blessing"), "unknown meaning 'blessing'"),
    "another name shown": (lambda o: o.resealed(printed_name="Somebody"), "another name, role or key"),
    "another role shown": (lambda o: o.resealed(role="head of department"), "another name, role or key"),
    "another key shown": (lambda o: o.resealed(key_id="0" * 64), "another name, role or key"),
    "another local time shown": (lambda o: o.resealed(local_time="2026-03-01T12:00:01+00:00"), "is not its UTC time"),
    "no readable time": (lambda o: o.resealed(utc_time="yesterday"), "no readable time"),
    "a local time without zone": (lambda o: o.resealed(local_time="2026-03-01T12:00:00"), "local time"),
    "dated in the future": (
        lambda o: o.signed_by(("reviewer-1", "review"), ("reviewer-2", "approval"), at=NOW + 2 * HOUR),
        "dated in the future",
    ),
    "signed before its key existed": (signed_before_its_key_existed, "before its key existed"),
    "another bundle": (lambda o: o.case(bundle_digest=OTHER_BUNDLE), "another bundle"),
    "too early": (lambda o: o.case(now=NOW - timedelta(seconds=1)), "it begins at 2026-03-01T12:00:00+00:00"),
    "too late": (lambda o: o.case(now=NOW + timedelta(days=30, seconds=1)), "it ended at 2026-03-31T12:00:00+00:00"),
    "another site": (lambda o: o.case(site="clinic-1"), "not among those that the approval is for"),
    "a site in capitals": (lambda o: o.case(site="HOSPITAL-1"), "not among those that the approval is for"),
    **{f"no {name}": (without_evidence(name), f"names no {name}") for name in EVIDENCE},
    "no gates": (lambda o: o.case(replace(RECORD, gates={})), "no gate outcomes"),
    "a failed gate": (with_gate("failed"), "gate calibration is failed and no deviation names it"),
    "an unknown gate": (with_gate("unknown"), "gate calibration is unknown"),
    "too little evidence": (with_gate("insufficient_evidence"), "gate calibration is insufficient_evidence"),
    "another gate's deviation": (with_other_gates_deviation, "gate calibration is failed"),
    "record revoked": (lambda o: o.case(revoked=(revocation(o, RECORD.digest),)), "revoked by reviewer-1 at"),
    "bundle revoked": (lambda o: o.case(revoked=(revocation(o, BUNDLE),)), "misses seizures"),
    "revoked, seal broken": (
        lambda o: o.case(revoked=(replace(revocation(o, BUNDLE), reason="nothing"),)),
        "signature cannot be verified",
    ),
    "demo people, normal service": (lambda o: o.demo_case(allow_demo=False), "this is not a demo"),
    "demo people, normal site": (two_demo_people_and_a_normal_site, "not only of demo-* sites"),
    "demo people, wide scope": (
        lambda o: o.demo_case(replace(DEMO_RECORD, scope=Scope(("demo-*", "*"), (0, 28), ("19 channels",)))),
        "not only of demo-* sites",
    ),
    "demo people after 24 h": (lambda o: o.demo_case(now=NOW + timedelta(hours=23, seconds=1)), "older than 24 h"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_an_approval_with_a_fault_is_refused_and_without_it_is_in_force(office: Office, fault: str) -> None:
    office.case().check()
    office.demo_case().check()
    faulty, reason = FAULTS[fault]
    with pytest.raises(NotApproved) as refused:
        faulty(office).check()
    assert reason in refused.value.reason


IN_FORCE: dict[str, Callable[[Office], Case]] = {
    "two people": lambda o: o.case(),
    "in its first moment": lambda o: o.case(now=NOW),
    "in its last moment": lambda o: o.case(now=NOW + timedelta(days=30)),
    "the author takes responsibility": lambda o: o.signed_by(
        ("reviewer-1", "review"), ("reviewer-2", "approval"), ("engineer-1", "responsibility")
    ),
    "both review and both approve": lambda o: o.signed_by(
        ("reviewer-1", "review"), ("reviewer-2", "review"), ("reviewer-1", "approval"), ("reviewer-2", "approval")
    ),
    "reviewed once more afterwards": lambda o: replace(
        o.case(),
        approval=Approval(
            RECORD,
            (
                o.signature("reviewer-1", "review"),
                o.signature("reviewer-2", "approval", at=NOW + HOUR / 4),
                o.signature("reviewer-1", "review", at=NOW + HOUR / 2),
            ),
        ),
    ),
    "a named deviation": lambda o: o.case(
        replace(RECORD, gates={"sensitivity": "failed"}, deviations=(Deviation("sensitivity", "why it is so"),))
    ),
    "another model was revoked": lambda o: o.case(revoked=(revocation(o, OTHER_BUNDLE),)),
    "a demo in its last hour": lambda o: o.demo_case(now=NOW + timedelta(hours=23)),
    "normal people in a demo": lambda o: o.case(DEMO_RECORD, site="demo-north", allow_demo=True),
}


@pytest.mark.parametrize("case", IN_FORCE)
def test_an_approval_is_in_force(office: Office, case: str) -> None:
    IN_FORCE[case](office).check()


def test_everything_that_stands_against_an_approval_is_said_at_once(office: Office) -> None:
    case = office.case(site="clinic-1", bundle_digest=OTHER_BUNDLE)
    against = refusals(case.approval, case.people, site=case.site, now=case.now, bundle_digest=case.bundle_digest)
    assert against == [
        "the record is about another bundle",
        "the site that asks is not among those that the approval is for",
    ]


def test_demo_people_count_only_where_the_verifier_says_so(office: Office) -> None:
    case = office.demo_case()
    asked: dict[str, Any] = {"site": case.site, "now": case.now, "bundle_digest": BUNDLE}
    assert refusals(case.approval, case.people, **asked, allow_demo=True) == []
    assert "this is not a demo" in refusals(case.approval, case.people, **asked)[0]
    with pytest.raises(NotApproved, match="this is not a demo"):
        check(case.approval, case.people, **asked)


def test_there_is_no_way_to_override_a_gate() -> None:
    """What `check` may be told, in full; `allow_demo` never widens what a normal person's signature permits."""
    told = set(inspect.signature(check).parameters)
    assert told == {"approval", "people", "site", "now", "bundle_digest", "revoked", "allow_demo"}


CHANGES: dict[str, Any] = {
    "bundle_digest": OTHER_BUNDLE,
    "name": "other",
    "version": "2",
    "evidence": {**RECORD.evidence, "split": "f" * 64},
    "gates": {"sensitivity": "passed"},
    "scope": Scope(("*",), (0, 28), ("19 channels",)),
    "not_before": NOW - HOUR,
    "not_after": NOW + timedelta(days=3000),
    "author": "somebody-else",
    "deviations": (Deviation("sensitivity", "never mind"),),
}


@pytest.mark.parametrize("name", [f.name for f in dataclasses.fields(ApprovalRecord)])
def test_no_part_of_a_record_can_be_changed_after_signing(office: Office, name: str) -> None:
    case = office.case()
    changed = replace(case, approval=replace(case.approval, record=replace(RECORD, **{name: CHANGES[name]})))
    with pytest.raises(NotApproved, match="belongs to another record"):
        changed.check()


def test_two_people_who_sign_with_both_components_put_a_model_in_force(desk: Office) -> None:
    review = sign(RECORD, desk.folder, "reviewer-1", PHRASE, desk.code("reviewer-1"), "review", NOW)
    later = NOW + HOUR / 2
    approval = sign(RECORD, desk.folder, "reviewer-2", PHRASE, desk.code("reviewer-2", later), "approval", later)
    Case(Approval(RECORD).signed(review, approval), desk.people).check()


def test_a_signature_shows_name_role_meaning_and_both_times(desk: Office) -> None:
    """21 CFR 11.50."""
    signature = sign(RECORD, desk.folder, "reviewer-1", PHRASE, desk.code("reviewer-1"), "review", NOW)
    assert (signature.printed_name, signature.role, signature.meaning) == ("Reviewer-1", "neurologist", "review")
    assert signature.utc_time == "2026-03-01T12:00:00.000000Z"
    local = datetime.fromisoformat(signature.local_time)
    assert local == NOW
    assert local.tzinfo is not None


@pytest.mark.parametrize(
    ("changes", "error", "reason"),
    [
        ({"passphrase": "a wrong phrase"}, AuthenticationFailed, "key file, passphrase and code"),
        ({"code": "123"}, AuthenticationFailed, "key file, passphrase and code"),
        ({"person_id": "nobody"}, AuthenticationFailed, "key file, passphrase and code"),
        ({"meaning": "blessing"}, ValueError, "got 'blessing'"),
        ({"person_id": "engineer-1"}, NotApproved, "author cannot review"),
        ({"person_id": "robot"}, NotApproved, "only people sign"),
        ({"person_id": "demo-reviewer-1", "now": NOW + timedelta(hours=24)}, NotApproved, "after it expired"),
        ({"record": replace(RECORD, gates={"sensitivity": "failed"})}, NotApproved, "no deviation names it"),
        ({"record": replace(RECORD, evidence={})}, NotApproved, "names no evaluation"),
        ({"now": datetime(2026, 3, 1, 12)}, ValueError, "needs its zone"),
    ],
)
def test_a_signature_that_could_never_count_is_not_made(
    desk: Office, changes: dict, error: type[Exception], reason: str
) -> None:
    good: dict[str, Any] = {
        "record": RECORD,
        "person_id": "reviewer-1",
        "passphrase": PHRASE,
        "meaning": "review",
        "now": NOW,
    }
    sign(folder=desk.folder, code=desk.code("reviewer-1"), **good)
    wrong = {**good, **changes}
    when = wrong["now"] if wrong["now"].tzinfo else NOW
    with pytest.raises(error, match=reason):
        sign(folder=desk.folder, **{"code": desk.code(wrong["person_id"], when), **wrong})


def test_an_approval_comes_back_as_it_was_written(office: Office, tmp_path: Path) -> None:
    deviation = Deviation("sensitivity", "why it is so")
    approval = office.case(replace(RECORD, deviations=(deviation,))).approval
    approval.write(tmp_path / "approval.json")
    assert Approval.read(tmp_path / "approval.json") == approval
    assert [p.name for p in tmp_path.iterdir()] == ["approval.json"]


PIPELINE = Actor("pipeline")


@pytest.fixture
def approval(office: Office) -> Approval:
    return office.case().approval


@pytest.fixture
def ledger(office: Office, approval: Approval, tmp_path: Path) -> Ledger:
    """Knows both signatures of an approval, and one under another record whose line names this record too."""
    one_by_one = [replace(approval, signatures=approval.signatures[: n + 1]) for n in range(2)]
    other = signed_line(office.case(replace(RECORD, version="2")).approval, PIPELINE, ())
    about_both = replace(other, subjects=(*other.subjects, Subject("approval", "line_length 1", RECORD.digest)))
    made = Ledger(tmp_path / "ledger.db")
    made.append_many([*(signed_line(a, PIPELINE, ()) for a in one_by_one), about_both], now=NOW)
    return made


def test_an_approval_comes_back_from_the_ledger_alone_with_every_signature_in_order(
    approval: Approval, ledger: Ledger
) -> None:
    assert recorded(ledger, RECORD.digest) == approval
    with pytest.raises(NotApproved, match="no such approval"):
        recorded(ledger, BUNDLE)


def test_an_approval_of_which_the_ledger_no_longer_holds_everything_is_none(ledger: Ledger) -> None:
    ledger.erase(ledger.entries("approval.signed")[0].payload_digest, actor=PIPELINE, reason="a test", now=NOW)
    with pytest.raises(NotApproved, match="no such approval in full"):
        recorded(ledger, RECORD.digest)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"record": {}, "signatures": []}', '{"record": 1, "signatures": 1}'])
def test_a_file_that_is_no_approval_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "approval.json").write_text(text)
    with pytest.raises(ValueError):
        Approval.read(tmp_path / "approval.json")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: replace(RECORD, gates={"sensitivity": "good enough"}), "outcome 'good enough'"),
        (lambda: replace(RECORD, bundle_digest="latest"), "64 lower-case hexadecimal"),
        (lambda: replace(RECORD, evidence={"split": "abc"}), "64 lower-case hexadecimal"),
        (lambda: replace(RECORD, not_after=NOW), "before it begins"),
        (lambda: Deviation("sensitivity", " "), "says why"),
        (lambda: Scope("demo-*", (0, 28), ("19 channels",)), "tuple of names"),  # type: ignore[arg-type]
        (lambda: Scope((), (0, 28), ("19 channels",)), "names its sites"),
        (lambda: Scope(("demo-*",), (28, 0), ("19 channels",)), "from young to old"),
    ],
)
def test_what_cannot_be_meant_is_not_recorded(make: Callable[[], object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        make()


def test_a_scope_says_where_for_whom_and_with_what() -> None:
    assert Scope(("demo-1",), (7, 7), ("19 channels",)).covers_age(7)
    scope = Scope(("hospital-*", "clinic-7"), (0, 28), ("19 channels",))
    assert [scope.covers_site(s) for s in ("hospital-1", "clinic-7", "clinic-70", "demo-1")] == [
        True,
        True,
        False,
        False,
    ]
    assert [scope.covers_age(a) for a in (-1, 0, 28, 28.5)] == [False, True, True, False]
    assert [scope.covers_montage(m) for m in ("19 channels", "8 channels")] == [True, False]
