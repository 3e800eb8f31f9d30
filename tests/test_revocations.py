"""A revocation stops a model wherever it is read, and what cannot be read stops everything."""

import json
from pathlib import Path

import pytest

from lineage.approvals import AuthenticationFailed, NotApproved, read_revocations, revoke
from tests.office import BUNDLE, NOW, PHRASE, Office, open_office


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


def test_an_unreadable_revocation_stops_everything(tmp_path: Path) -> None:
    (tmp_path / "half-written.json").write_text(json.dumps({"digest": BUNDLE}))
    with pytest.raises(NotApproved, match=r"half-written\.json cannot be read"):
        read_revocations(tmp_path)
