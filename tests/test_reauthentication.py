"""A person shows that they are there with a passphrase and a code; a code counts once, guesses are counted and locked out."""

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage import onetime
from lineage.keys import AuthenticationFailed, Person, create_person, unlock
from lineage.ledger import Ledger
from lineage.reauthentication import ATTEMPTS, LOCKED_FOR, STORE, Locked, count, last_step, refuse_locked
from lineage.store import reach

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PHRASE = "a long enough phrase"
STEP = timedelta(seconds=onetime.STEP_S)
RFC_SECRET = b"12345678901234567890"


@pytest.mark.parametrize(
    ("seconds", "step", "code"),
    [(59, 0x1, "287082"), (1111111109, 0x23523EC, "081804"), (20000000000, 0x27BC86AA, "353130")],
)
def test_codes_are_those_of_rfc_6238(seconds: int, step: int, code: str) -> None:
    """Appendix B (SHA-1), of whose eight digits an authenticator app shows the last six."""
    assert onetime.step_at(datetime.fromtimestamp(seconds, UTC)) == step
    assert onetime.code_at(RFC_SECRET, step) == code


def test_a_secret_has_the_160_bits_that_rfc_4226_recommends() -> None:
    assert len(onetime.new_secret()) * 8 == 160


@given(st.integers(-4, 4))
def test_a_code_is_good_for_one_step_on_either_side(steps: int) -> None:
    shown = onetime.code_at(RFC_SECRET, onetime.step_at(NOW) + steps)
    found = onetime.step_of(RFC_SECRET, shown, NOW)
    assert found == (onetime.step_at(NOW) + steps if abs(steps) <= 1 else None)


@pytest.mark.parametrize("text", ["", "12345", "1234567", "abcdef", "１２３４５６", "12 34 56"])
def test_what_is_no_code_is_none(text: str) -> None:
    assert onetime.step_of(RFC_SECRET, text, NOW) is None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def person(folder: Path) -> Person:
    return create_person(folder, "reviewer-1", "Reviewer One", "neurologist", PHRASE, now=NOW)


def shown(person: Person, now: datetime = NOW) -> str:
    return onetime.code_at(person.secret, onetime.step_at(now))


def test_the_enrolment_uri_is_what_an_authenticator_app_reads(person: Person) -> None:
    uri = urlsplit(onetime.enrolment_uri(person.secret, person.id))
    said = parse_qs(uri.query)
    assert (uri.scheme, uri.netloc, uri.path) == ("otpauth", "totp", "/Ictal:reviewer-1")
    assert (said["digits"], said["period"], said["issuer"]) == (["6"], ["30"], ["Ictal"])


def test_the_secret_lies_nowhere_in_the_clear(folder: Path, person: Person) -> None:
    kept = b"".join(path.read_bytes() for path in folder.iterdir())
    in_the_uri = parse_qs(urlsplit(onetime.enrolment_uri(person.secret, person.id)).query)["secret"][0]
    assert person.secret not in kept and in_the_uri.encode() not in kept and person.secret.hex().encode() not in kept
    assert "secret" not in repr(person)


def test_a_code_is_taken_once_and_none_before_it(folder: Path, person: Person) -> None:
    unlock(folder, person.id, PHRASE, shown(person), NOW)
    for earlier in (NOW, NOW - STEP):
        with pytest.raises(AuthenticationFailed):
            unlock(folder, person.id, PHRASE, shown(person, earlier), NOW)
    unlock(folder, person.id, PHRASE, shown(person, NOW + STEP), NOW + STEP)


def test_a_code_used_with_a_wrong_passphrase_is_not_used_up(folder: Path, person: Person) -> None:
    with pytest.raises(AuthenticationFailed):
        unlock(folder, person.id, "something else", shown(person), NOW)
    unlock(folder, person.id, PHRASE, shown(person), NOW)


def tried(arguments: tuple[Path, str, int]) -> bool:
    """One attempt with the code of a step, in a process of its own."""
    folder, who, step = arguments
    try:
        count(folder, who, step, NOW)
    except AuthenticationFailed:
        return False
    return True


def in_processes(attempts: Sequence[tuple[Path, str, int]]) -> list[bool]:
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(tried, attempts))


def test_of_several_processes_with_one_code_one_is_let_in(folder: Path) -> None:
    assert sorted(in_processes([(folder, "somebody", 7)] * 4)) == [False, False, False, True]


def test_after_repeated_failures_the_right_components_do_not_help_until_the_lock_ends(
    folder: Path, person: Person
) -> None:
    for left in reversed(range(ATTEMPTS)):
        said = f"{left} of {ATTEMPTS} attempts are left" if left else "nothing is accepted for 15 minutes"
        with pytest.raises(AuthenticationFailed, match=said):
            unlock(folder, person.id, PHRASE, "000000", NOW)
    until = NOW + LOCKED_FOR
    with pytest.raises(Locked, match="no further one is looked at before 2026-03-01T12:15:00 UTC"):
        unlock(folder, person.id, PHRASE, shown(person, until - STEP), until - STEP)
    unlock(folder, person.id, PHRASE, shown(person, until), until)


def test_a_lock_stands_before_the_components_are_looked_at_and_where_the_attempt_is_counted(folder: Path) -> None:
    """Between the two another program may have failed for the last time."""
    for _ in range(ATTEMPTS):
        with pytest.raises(AuthenticationFailed):
            count(folder, "somebody", None, NOW)
    with pytest.raises(Locked):
        refuse_locked(folder, "somebody", NOW)
    with pytest.raises(Locked):
        count(folder, "somebody", 7, NOW)
    refuse_locked(folder, "somebody else", NOW)


def test_one_success_forgives_the_failures_before_it(folder: Path, person: Person) -> None:
    moments = [NOW + n * STEP for n in range(3)]
    for now in moments:
        for _ in range(ATTEMPTS - 1):
            with pytest.raises(AuthenticationFailed):
                unlock(folder, person.id, "a guess", "000000", now)
        unlock(folder, person.id, PHRASE, shown(person, now), now)


def test_attempts_are_counted_in_a_store_that_holds_nothing_else(folder: Path, person: Person) -> None:
    Ledger(folder / "ledger.db")  # of which this program knows the tables
    assert last_step(folder, person.key_id) == -1
    assert reach(str(folder / STORE)) == {"reauthentication"}


def test_a_name_that_nobody_has_is_locked_as_well_and_written_nowhere(folder: Path, person: Person) -> None:
    for _ in range(ATTEMPTS):
        with pytest.raises(AuthenticationFailed):
            unlock(folder, "my secret passphrase", PHRASE, "000000", NOW)
    with pytest.raises(Locked):
        unlock(folder, "my secret passphrase", PHRASE, "000000", NOW)
    assert b"my secret passphrase" not in b"".join(path.read_bytes() for path in folder.iterdir())
    unlock(folder, person.id, PHRASE, shown(person), NOW)
