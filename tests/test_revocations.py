"""A revocation stops a model wherever it is read, and what cannot be read stops everything."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lineage.approvals import AuthenticationFailed, NotApproved, read_revocations, revoke
from tests.office import BUNDLE, HOUR, NOW, PHRASE, Office, open_office


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Office:
    return open_office(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def office(opened: Office, tmp_path: Path) -> Office:
    return opened.copied(tmp_path / "office")


def test_a_revocation_stops_a_model_as_soon_as_it_is_read(office: Office, tmp_path: Path) -> None:
    folder = tmp_path / "revoked"
    assert read_revocations(folder) == ()
    made = revoke(
        folder,
        office.folder,
        "reviewer-1",
        PHRASE,
        office.code("reviewer-1"),
        digest=BUNDLE,
        reason="misses seizures",
        now=NOW,
    )
    assert read_revocations(folder) == (made,)
    assert made.verifies(office.people)
    with pytest.raises(NotApproved, match=r"revoked by reviewer-1 at 2026-03-01T12:00:00\.000000Z: misses seizures"):
        office.case(revoked=read_revocations(folder)).check()


def test_a_second_revocation_does_not_replace_the_first(office: Office, tmp_path: Path) -> None:
    for reason in ("one", "two"):
        revoke(
            tmp_path / "revoked",
            office.folder,
            "reviewer-1",
            PHRASE,
            office.code("reviewer-1"),
            digest=BUNDLE,
            reason=reason,
            now=NOW,
        )
    assert sorted(r.reason for r in read_revocations(tmp_path / "revoked")) == ["one", "two"]


def test_a_revocation_needs_a_person_and_a_reason(office: Office, tmp_path: Path) -> None:
    with pytest.raises(AuthenticationFailed):
        revoke(
            tmp_path,
            office.folder,
            "reviewer-1",
            "a wrong phrase",
            office.code("reviewer-1"),
            digest=BUNDLE,
            reason="x",
            now=NOW,
        )
    with pytest.raises(ValueError, match="says why"):
        revoke(
            tmp_path, office.folder, "reviewer-1", PHRASE, office.code("reviewer-1"), digest=BUNDLE, reason=" ", now=NOW
        )
    assert read_revocations(tmp_path) == ()


@pytest.mark.parametrize("who", ["a service account", "who has left", "whose key was stolen"])
def test_who_cannot_sign_any_more_takes_nothing_back(office: Office, tmp_path: Path, who: str) -> None:
    person = office.people.person("reviewer-1")
    changed = {
        "a service account": office.people.person("robot"),
        "who has left": person.ended(NOW - HOUR / 2),
        "whose key was stolen": person.revoked(NOW - HOUR / 2, "stolen"),
    }[who]
    office.people.holding(changed).write(office.folder)
    given = (office.folder, changed.id, PHRASE, office.code(changed.id))
    with pytest.raises(NotApproved, match="cannot take anything back"):
        revoke(tmp_path / "revoked", *given, digest=BUNDLE, reason="misses seizures", now=NOW)
    assert read_revocations(tmp_path / "revoked") == ()


def test_a_revocation_names_what_it_takes_back_by_its_digest(office: Office, tmp_path: Path) -> None:
    given = (office.folder, "reviewer-1", PHRASE, office.code("reviewer-1"))
    with pytest.raises(ValueError, match="64 lower-case hexadecimal"):
        revoke(tmp_path / "revoked", *given, digest="line_length 1", reason="misses seizures", now=NOW)


def test_a_revocation_is_verified_by_the_key_of_the_person_that_it_names(office: Office, tmp_path: Path) -> None:
    given = (office.folder, "reviewer-1", PHRASE, office.code("reviewer-1"))
    made = revoke(tmp_path / "revoked", *given, digest=BUNDLE, reason="misses seizures", now=NOW)
    two = office.people.person("reviewer-2")
    assert made.verifies(office.people)
    assert not made.verifies(office.people.without("reviewer-1"))
    for changes in ({"person_id": two.id}, {"key_id": two.key_id}, {"person_id": two.id, "key_id": two.key_id}):
        assert not replace(made, **changes).verifies(office.people)


def test_an_unreadable_revocation_stops_everything(tmp_path: Path) -> None:
    (tmp_path / "half-written.json").write_text(json.dumps({"digest": BUNDLE}))
    with pytest.raises(NotApproved, match=r"half-written\.json cannot be read"):
        read_revocations(tmp_path)
