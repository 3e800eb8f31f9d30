"""A site's key is shown once, opens only what it is for, and ends by date or by revocation."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from serving import auth
from serving.auth import Unauthorised, VerifiedKeys, issue_key, key_id, open_keys, revoke_key, site_of
from tests.databases import Place, Server

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def engine(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """The keys of a workspace, in a file and in PostgreSQL."""
    if isinstance(place, str):
        monkeypatch.setenv("ICTAL_LEDGER", place)
    engine = open_keys(tmp_path)
    yield engine
    engine.dispose()


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every key that was put through scrypt since."""
    done: list[str] = []
    real = auth._scrypt

    def noted(key: str, salt: bytes) -> bytes:
        done.append(key)
        return real(key, salt)

    monkeypatch.setattr(auth, "_scrypt", noted)
    return done


def north(engine: Engine, days: float = 30) -> str:
    return issue_key(engine, "demo-north", ("detect",), NOW, days)


def test_a_key_tells_its_site_and_what_it_may_do(engine: Engine) -> None:
    found = site_of(engine, north(engine), NOW)
    assert (found.site, found.scopes) == ("demo-north", {"detect"})
    assert found.expires_at == NOW + timedelta(days=30)


def test_two_sites_have_their_own_keys(engine: Engine) -> None:
    keys = {site: issue_key(engine, site, ("detect", "models"), NOW, 1) for site in ("demo-north", "demo-east")}
    assert {site: site_of(engine, key, NOW).site for site, key in keys.items()} == {s: s for s in keys}


def test_keys_lie_where_the_ledger_lies_and_those_given_before_go_on_there(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = open_keys(tmp_path)
    key, ended = north(before), north(before)
    revoke_key(before, key_id(ended), NOW)
    before.dispose()
    monkeypatch.setenv("ICTAL_LEDGER", server.new_database())
    moved = open_keys(tmp_path)
    assert moved.dialect.name == "postgresql" and site_of(moved, key, NOW).site == "demo-north"
    with pytest.raises(Unauthorised):
        site_of(moved, ended, NOW)
    assert {path.name for path in (tmp_path / "jobs").iterdir()} == {"serving.db.moved"}
    revoke_key(moved, key_id(key), NOW)
    with pytest.raises(Unauthorised):
        site_of(open_keys(tmp_path), key, NOW)


def test_the_secret_is_nowhere_on_disk(tmp_path: Path) -> None:
    engine = open_keys(tmp_path)
    key = north(engine)
    secret = key.split("_")[2]
    written = b"".join(path.read_bytes() for path in (tmp_path / "jobs").iterdir())
    assert key_id(key).encode() in written
    assert secret.encode() not in written
    assert bytes.fromhex(secret) not in written
    engine.dispose()


def wrong_keys(key: str, other: str) -> dict[str, str]:
    name, id, secret = key.split("_")
    return {
        "no key": "",
        "an unknown id": f"ictal_{'0' * 16}_{secret}",
        "a wrong secret": f"ictal_{id}_{'0' * 48}",
        "the secret of another key": f"ictal_{id}_{other.split('_')[2]}",
        "one character changed": key[:-1] + ("0" if key[-1] != "0" else "1"),
        "a character too many": key + "0",
        "only the id": f"ictal_{id}",
        "another name": key.replace("ictal", name.upper()),
        "a blank at the end": key + "\n",
        "no ASCII": "ictal_é",
    }


def test_every_other_key_is_refused_in_the_same_words(engine: Engine) -> None:
    said = set()
    for case, wrong in wrong_keys(north(engine), north(engine)).items():
        with pytest.raises(Unauthorised) as caught:
            site_of(engine, wrong, NOW)
        said.add(str(caught.value))
        assert len(said) == 1, case


def test_an_unknown_id_costs_as_much_as_a_wrong_secret(engine: Engine, hashed: list[str]) -> None:
    wrong = wrong_keys(north(engine), north(engine)).values()
    hashed.clear()
    for key in wrong:
        with pytest.raises(Unauthorised):
            site_of(engine, key, NOW)
    assert hashed == list(wrong)


def test_a_key_is_in_force_from_its_issue_to_its_end(engine: Engine) -> None:
    key = north(engine, days=1)
    second = timedelta(seconds=1)
    for moment in (NOW, NOW + timedelta(days=1) - second):
        assert site_of(engine, key, moment).site == "demo-north"
    for moment in (NOW - second, NOW + timedelta(days=1)):
        with pytest.raises(Unauthorised):
            site_of(engine, key, moment)


def test_a_remembered_key_is_not_hashed_again(engine: Engine, hashed: list[str]) -> None:
    key, verified = north(engine), VerifiedKeys()
    hashed.clear()
    for _ in range(3):
        assert site_of(engine, key, NOW, verified).site == "demo-north"
    assert hashed == [key]


def test_a_remembered_key_still_ends_at_once(engine: Engine) -> None:
    expiring, revoked, verified = north(engine, days=1), north(engine), VerifiedKeys()
    for key in (expiring, revoked):
        site_of(engine, key, NOW, verified)
    with pytest.raises(Unauthorised):
        site_of(engine, expiring, NOW + timedelta(days=1), verified)
    revoke_key(engine, key_id(revoked), NOW)
    with pytest.raises(Unauthorised):
        site_of(engine, revoked, NOW, verified)


def test_a_wrong_key_is_not_remembered(engine: Engine, hashed: list[str]) -> None:
    key, verified = north(engine), VerifiedKeys()
    wrong = key[:-1] + ("0" if key[-1] != "0" else "1")
    for _ in range(2):
        with pytest.raises(Unauthorised):
            site_of(engine, wrong, NOW, verified)
    assert hashed[-2:] == [wrong, wrong]


def test_few_keys_are_remembered(engine: Engine) -> None:
    verified = VerifiedKeys(size=2)
    for _ in range(5):
        site_of(engine, north(engine), NOW, verified)
        assert len(verified._known) <= 2


def test_revoking_again_keeps_the_first_time_and_an_unknown_key_cannot_be_revoked(engine: Engine) -> None:
    key = north(engine)
    revoke_key(engine, key_id(key), NOW)
    revoke_key(engine, key_id(key), NOW + timedelta(days=1))
    row = auth._row(engine, key_id(key))
    assert row is not None
    assert row.revoked_at == "2026-03-02T09:00:00.000000Z"
    with pytest.raises(KeyError):
        revoke_key(engine, "0" * 16, NOW)


@pytest.mark.parametrize(
    ("site", "scopes", "days"),
    [
        ("demo-north", (), 1),
        ("demo-north", ("everything",), 1),
        ("Demo North", ("detect",), 1),
        ("", ("detect",), 1),
        ("demo-north", ("detect",), 0),
    ],
)
def test_a_key_without_scope_site_or_time_is_not_issued(
    engine: Engine, site: str, scopes: tuple[str, ...], days: float
) -> None:
    with pytest.raises(ValueError):
        issue_key(engine, site, scopes, NOW, days)
