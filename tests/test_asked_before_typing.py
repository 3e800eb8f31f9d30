"""What could not be signed is refused before anybody has typed a passphrase and a code for it."""

from pathlib import Path

import pytest

from flows import cli_people
from tests.commands import ictal
from tests.proposals import FIRST, Office, evaluated_office


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Office:
    office = evaluated_office(tmp_path_factory.mktemp("office") / "home")
    office.propose()
    return office


@pytest.fixture
def office(made: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    return made.at_work(tmp_path / "home", monkeypatch)


@pytest.mark.parametrize(
    ("candidate", "person", "meaning", "said"),
    [
        ("", FIRST, "looked at", "signed with the meaning review or approval, got 'looked at'"),
        ("0000", FIRST, "review", "0 candidates begin with '0000'"),
        ("", FIRST, "approval", "reviewed"),
        ("", "nobody-1", "review", "nobody is registered under the name after --as: see `ictal person list`"),
    ],
)
def test_nobody_types_anything_for_what_cannot_be_signed(
    office: Office, monkeypatch: pytest.MonkeyPatch, candidate: str, person: str, meaning: str, said: str
) -> None:
    typed: list[str] = []
    monkeypatch.setattr(cli_people, "_secret", lambda what, **_: typed.append(what) or "x")
    answer = ictal("approve", candidate or office.candidate, "--as", person, "--meaning", meaning)
    assert answer.code == 2 and said in answer.err and not typed


def test_what_can_be_signed_is_asked_for(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    typed: list[str] = []
    monkeypatch.setattr(cli_people, "_secret", lambda what, **_: typed.append(what) or "x")
    answer = ictal("approve", office.candidate, "--as", FIRST, "--meaning", "review")
    assert answer.code == 2 and len(typed) == 2
