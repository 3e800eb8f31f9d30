"""People sign with two components; the platform's key is nobody's."""

import base64
import errno
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage import dsse, onetime
from lineage.alone import LOCK, alone
from lineage.keys import (
    NONCE_BYTES,
    AuthenticationFailed,
    People,
    PersonRefused,
    _secret_cipher,
    _stretched,
    create_platform_key,
    every_platform_key,
    platform_key,
    platform_public_path,
    platform_public_paths,
    rotate_person,
    rotate_platform_key,
    set_aside_platform_key,
    unlock,
)
from lineage.refused import Refused
from tests.authenticator import code, enrol, know
from tests.commands import CHECKOUT

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PHRASE = "a long enough phrase"


def test_fault_a_registration_that_was_cut_off_may_be_made_again(tmp_path: Path) -> None:
    for left in ("reviewer-1.pem", "reviewer-1.totp"):
        (tmp_path / left).write_text("of one that never counted")
    enrol(tmp_path, "reviewer-1", "Reviewer One", "neurologist", PHRASE, now=NOW)
    assert unlock(tmp_path, "reviewer-1", PHRASE, code(tmp_path, "reviewer-1", NOW), NOW)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    enrol(tmp_path, "reviewer-1", "Reviewer One", "neurologist", PHRASE, now=NOW)
    return tmp_path


def test_key_file_and_passphrase_open_the_registered_key(keys: Path) -> None:
    key = unlock(keys, "reviewer-1", PHRASE, code(keys, "reviewer-1", NOW), NOW)
    assert dsse.key_id(key.public_key()) == People.read(keys).person("reviewer-1").key_id


def test_at_a_time_without_a_zone_nobody_is_there_and_no_code_is_used_up(keys: Path) -> None:
    with pytest.raises(ValueError, match="needs its zone"):
        unlock(keys, "reviewer-1", PHRASE, code(keys, "reviewer-1", NOW), NOW.replace(tzinfo=None))
    unlock(keys, "reviewer-1", PHRASE, code(keys, "reviewer-1", NOW), NOW)


def test_one_component_alone_opens_nothing(keys: Path) -> None:
    unlock(keys, "reviewer-1", PHRASE, code(keys, "reviewer-1", NOW), NOW)
    with pytest.raises(AuthenticationFailed):
        unlock(keys, "reviewer-1", PHRASE + " ", code(keys, "reviewer-1", NOW), NOW)
    (keys / "reviewer-1.pem").unlink()
    with pytest.raises(AuthenticationFailed):
        unlock(keys, "reviewer-1", PHRASE, code(keys, "reviewer-1", NOW), NOW)


def test_a_refusal_does_not_tell_which_component_was_wrong(keys: Path) -> None:
    right, words = code(keys, "reviewer-1", NOW), set()
    enrol(keys, "reviewer-2", "Reviewer Two", "neurologist", PHRASE, now=NOW)
    for person, phrase, digits in (
        ("reviewer-1", "something else", right), ("reviewer-2", PHRASE, "000 000"), ("nobody", PHRASE, right),
        ("../reviewer-1", PHRASE, right),
    ):  # fmt: skip
        with pytest.raises(AuthenticationFailed) as refused:
            unlock(keys, person, phrase, digits, NOW)
        words.add(str(refused.value))
    assert len(words) == 1


def test_a_key_file_that_is_not_the_registered_persons_is_refused(keys: Path, tmp_path_factory) -> None:
    """Somebody who can write the folder puts a key there whose passphrase they know."""
    elsewhere = tmp_path_factory.mktemp("attacker")
    enrol(elsewhere, "reviewer-1", "Reviewer One", "neurologist", "known to the attacker", now=NOW)
    (keys / "reviewer-1.pem").write_bytes((elsewhere / "reviewer-1.pem").read_bytes())
    with pytest.raises(AuthenticationFailed):
        unlock(keys, "reviewer-1", "known to the attacker", code(keys, "reviewer-1", NOW), NOW)


def test_a_foreign_key_is_refused_even_where_passphrase_and_code_fit_it(keys: Path) -> None:
    """The attacker also knows how passphrases are stretched, which is no secret, and brings a device of their own."""
    stretched, device = _stretched("known to all", People.read(keys).person("reviewer-1")), onetime.new_secret()
    kind, encryption = serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(stretched)
    (keys / "reviewer-1.pem").write_bytes(SOME_KEY.private_bytes(serialization.Encoding.PEM, kind, encryption))
    sealed = _secret_cipher(stretched).encrypt(bytes(NONCE_BYTES), device, b"reviewer-1")
    (keys / "reviewer-1.totp").write_bytes(bytes(NONCE_BYTES) + sealed)
    with pytest.raises(AuthenticationFailed):
        unlock(keys, "reviewer-1", "known to all", onetime.code_at(device, onetime.step_at(NOW)), NOW)


def test_an_unencrypted_key_of_somebody_else_is_refused(keys: Path) -> None:
    create_platform_key(keys)
    (keys / "reviewer-1.pem").write_bytes((keys / "platform.pem").read_bytes())
    with pytest.raises(AuthenticationFailed):
        unlock(keys, "reviewer-1", PHRASE, code(keys, "reviewer-1", NOW), NOW)


def test_a_persons_key_lies_encrypted_and_its_passphrase_is_stretched(keys: Path) -> None:
    pem = (keys / "reviewer-1.pem").read_bytes()
    assert b"ENCRYPTED" in pem
    with pytest.raises(ValueError, match="Incorrect password"):
        serialization.load_pem_private_key(pem, PHRASE.encode())


def test_private_keys_are_readable_by_their_owner_only(keys: Path) -> None:
    create_platform_key(keys)
    assert [oct((keys / name).stat().st_mode & 0o777) for name in ("reviewer-1.pem", "platform.pem")] == ["0o600"] * 2


def test_people_come_back_as_they_were_registered(keys: Path) -> None:
    made = enrol(keys, "demo-reviewer-1", "Demo Reviewer 1", "demo", PHRASE, demo=True, now=NOW)
    people = People.read(keys)
    assert sorted(people.by_id) == ["demo-reviewer-1", "reviewer-1"]
    assert people.person("demo-reviewer-1") == made
    assert people.person("reviewer-1").valid_until is None
    with pytest.raises(KeyError):
        people.person("nobody")


NO_KEY = '[{"id": "reviewer-1", "printed_name": "One", "role": "neurologist", "demo": false, "keys": []}]'


@pytest.mark.parametrize(
    "text", ["", "{}}", '{"reviewer-1": {"role": "neurologist"}}', '[{"id": "reviewer-1"}]', "[1]", NO_KEY]
)
def test_a_list_of_people_that_cannot_be_read_is_refused_and_never_an_empty_one(keys: Path, text: str) -> None:
    (keys / "people.json").write_text(text)
    with pytest.raises(Refused, match="cannot be read"):
        People.read(keys)


def test_a_demo_key_is_valid_for_24_hours(keys: Path) -> None:
    demo = enrol(keys, "demo-reviewer-1", "Demo Reviewer 1", "demo", PHRASE, demo=True, now=NOW)
    assert demo.valid_until == NOW + timedelta(hours=24)
    hours = [-1, 0, 24, 25]
    assert [demo.key_is_valid(NOW + timedelta(hours=h)) for h in hours] == [False, True, True, False]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"id": "reviewer-1"}, "registered already"),
        ({"id": "platform"}, "not 'platform'"),
        ({"id": "../reviewer"}, "id is up to 64"),
        ({"id": ""}, "id is up to 64"),
        ({"printed_name": " "}, "printed name"),
        ({"passphrase": "1234567"}, "at least 8 characters, got 7"),
    ],
)
def test_a_person_who_could_not_sign_is_not_registered(keys: Path, changes: dict, reason: str) -> None:
    before = {p.name: p.read_bytes() for p in keys.iterdir()}
    person: dict[str, Any] = {
        "id": "reviewer-2",
        "printed_name": "Reviewer Two",
        "role": "neurologist",
        "passphrase": PHRASE,
    }
    with pytest.raises(PersonRefused, match=reason):
        enrol(keys, **{**person, **changes}, now=NOW)
    assert {p.name: p.read_bytes() for p in keys.iterdir()} == before
    enrol(keys, **person, now=NOW)


def test_a_passphrase_of_eight_characters_is_enough(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "keys"
    enrol(folder, "reviewer-1", "Reviewer One", "neurologist", "12345678", now=NOW)
    unlock(folder, "reviewer-1", "12345678", code(folder, "reviewer-1", NOW), NOW)


def test_a_platform_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "platform.pem").write_bytes(Ed25519PrivateKey.generate().private_bytes(*plain))
    with pytest.raises(ValueError, match="not a P-256 key"):
        platform_key(tmp_path)


def test_the_platform_key_is_made_once_and_is_no_person(keys: Path) -> None:
    path = create_platform_key(keys)
    before = path.read_bytes()
    assert create_platform_key(keys) == path
    assert path.read_bytes() == before
    assert "platform" not in People.read(keys).by_id
    assert platform_public_path(keys).read_text() == dsse.pem_of(platform_key(keys).public_key())
    with pytest.raises(AuthenticationFailed):
        unlock(keys, "platform", "", "000000", NOW)


def test_the_signed_bytes_are_those_of_the_dsse_specification() -> None:
    """Test vector of the DSSE protocol, v1.0.2."""
    encoded = dsse.encode("http://example.com/HelloWorld", b"hello world")
    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_a_signature_of_one_kind_of_statement_is_none_of_another(keys: Path) -> None:
    key = unlock(keys, "reviewer-1", PHRASE, code(keys, "reviewer-1", NOW), NOW)
    signature = dsse.sign(key, "application/a", b"{}")
    assert dsse.verifies(key.public_key(), "application/a", b"{}", signature)
    assert not dsse.verifies(key.public_key(), "application/b", b"{}", signature)
    assert not dsse.verifies(key.public_key(), "application/a", b"[]", signature)


@given(st.text(max_size=30))
@settings(max_examples=30, deadline=None)
def test_what_is_no_signature_does_not_verify(text: str) -> None:
    assert not dsse.verifies(SOME_KEY.public_key(), "application/a", b"{}", text)


def test_a_signature_has_one_spelling() -> None:
    signature = dsse.sign(SOME_KEY, "application/a", b"{}")
    for other in (f"{signature[:8]}\n{signature[8:]}", f"{signature}\n", f"-{signature}"):
        assert not dsse.verifies(SOME_KEY.public_key(), "application/a", b"{}", other)


def test_an_envelope_holds_under_a_key_by_the_signature_of_that_key_alone() -> None:
    stranger = dsse.ec.generate_private_key(dsse.ec.SECP256R1())
    (own,), (other,) = (dsse.envelope(key, "application/a", b"{}")["signatures"] for key in (SOME_KEY, stranger))

    def holds(*signatures: dict[str, str], **changes: Any) -> bool:
        made = {**dsse.envelope(SOME_KEY, "application/a", b"{}"), "signatures": list(signatures), **changes}
        return dsse.holds(SOME_KEY.public_key(), made)

    assert holds(own) and holds(other, own) and holds({**other, "keyid": own["keyid"]}, own)
    assert not holds() and not holds(other) and not holds({**other, "keyid": own["keyid"]})
    assert not holds({**own, "keyid": other["keyid"]})
    assert not holds(own, payloadType="application/b") and not holds(own, payload="e10K")  # `{}`, and a line's end


@pytest.mark.parametrize(
    "changes", [{"payload": "e30\n="}, {"payload": None}, {"signatures": [{}]}, {"signatures": 1}, {"payloadType": ""}]
)
def test_what_is_no_envelope_holds_under_no_key(changes: dict[str, Any]) -> None:
    made = {**dsse.envelope(SOME_KEY, "application/a", b"{}"), **changes}
    assert not dsse.holds(SOME_KEY.public_key(), made) and not dsse.holds(SOME_KEY.public_key(), {})


def test_only_p_256_keys_are_read() -> None:
    assert dsse.key_id(dsse.read_pem(dsse.pem_of(SOME_KEY.public_key()))) == dsse.key_id(SOME_KEY.public_key())
    with pytest.raises(ValueError, match="P-256"):
        dsse.read_pem(dsse.pem_of(dsse.ec.generate_private_key(dsse.ec.SECP384R1()).public_key()))


def test_a_rotated_key_opens_with_the_new_components_only_and_old_signatures_stay_good(keys: Path) -> None:
    old = People.read(keys).person("reviewer-1")
    before = code(keys, "reviewer-1", NOW)
    key = unlock(keys, "reviewer-1", PHRASE, before, NOW)
    signature = dsse.sign(key, "application/a", b"{}")
    later = NOW + timedelta(minutes=5)
    new = know(rotate_person(keys, "reviewer-1", PHRASE, code(keys, "reviewer-1", later), "another phrase", later))
    assert People.read(keys).person("reviewer-1") == new and new.key_id != old.key_id
    former = new.key_named(old.key_id)
    assert former is not None and dsse.verifies(former.key, "application/a", b"{}", signature)
    assert [former.is_valid(at) for at in (NOW, later, later + timedelta(seconds=1))] == [True, True, False]
    assert sorted(p.name for p in keys.glob("reviewer-1*")) == ["reviewer-1+2.pem", "reviewer-1+2.totp"]
    with pytest.raises(AuthenticationFailed):
        unlock(keys, "reviewer-1", PHRASE, code(keys, "reviewer-1", later), later)
    opened = unlock(keys, "reviewer-1", "another phrase", code(keys, "reviewer-1", later), later)
    assert dsse.key_id(opened.public_key()) == new.key_id


def test_a_person_keeps_every_key_and_signs_with_the_last(keys: Path) -> None:
    """Rotated twice, then revoked: each key that was ever theirs is known, in order, and only the last is touched."""
    first = People.read(keys).person("reviewer-1")
    person, made = first, [first.key_id]
    for hours in (1, 2):
        other = enrol(keys, f"reviewer-{hours}x", f"Another {hours}", "neurologist", PHRASE, now=NOW)
        person = person.rotated(replace(other.present, created_at=NOW + timedelta(hours=hours)), b"")
        made.insert(0, person.key_id)
    assert [key.id for key in person.keys] == made
    assert [key.valid_until for key in person.keys] == [None, NOW + timedelta(hours=2), NOW + timedelta(hours=1)]
    revoked = person.revoked(NOW + timedelta(hours=3), "stolen")
    assert [key.id for key in revoked.keys] == made
    assert [key.revoked for key in revoked.keys] == [True, False, False]


def test_of_people_without_one_the_others_stay(keys: Path) -> None:
    other = enrol(keys, "reviewer-2", "Reviewer Two", "neurologist", PHRASE, now=NOW)
    assert People.read(keys).without("reviewer-1") == People({"reviewer-2": other})


def test_a_key_is_not_rotated_without_both_components_or_to_a_short_passphrase(keys: Path) -> None:
    before = {p.name: p.read_bytes() for p in keys.glob("reviewer*")}
    with pytest.raises(AuthenticationFailed):
        rotate_person(keys, "reviewer-1", PHRASE, "000000", "another phrase", NOW)
    with pytest.raises(PersonRefused, match="at least 8 characters"):
        rotate_person(keys, "reviewer-1", PHRASE, code(keys, "reviewer-1", NOW), "short", NOW)
    assert {p.name: p.read_bytes() for p in keys.glob("reviewer*")} == before


def test_what_is_left_of_a_rotation_that_was_cut_off_does_not_stand_in_the_way(keys: Path) -> None:
    (keys / "reviewer-1+2.pem").write_text("half a key")
    rotate_person(keys, "reviewer-1", PHRASE, code(keys, "reviewer-1", NOW), "another phrase", NOW)


@pytest.mark.parametrize("how", ["revoked", "ended"])
def test_whoever_holds_a_key_that_was_taken_out_of_use_gets_no_new_one(keys: Path, how: str) -> None:
    people = People.read(keys)
    person = people.person("reviewer-1")
    ended = person.revoked(NOW, "lost") if how == "revoked" else person.ended(NOW)
    people.holding(ended).write(keys)
    later = NOW + timedelta(minutes=1)
    with pytest.raises(PersonRefused, match="revoked or has ended"):
        rotate_person(keys, "reviewer-1", PHRASE, code(keys, "reviewer-1", later), "another phrase", later)


def test_who_left_has_signed_what_they_signed_and_whose_key_was_stolen_has_not(keys: Path) -> None:
    person, later = People.read(keys).person("reviewer-1"), NOW + timedelta(hours=1)
    left, stolen = person.ended(later), person.revoked(later, "stolen")
    assert [left.present.is_valid(at) for at in (NOW, later + timedelta(seconds=1))] == [True, False]
    assert not stolen.present.is_valid(NOW)


def test_a_new_platform_key_leaves_the_old_public_key_and_destroys_the_old_private_one(keys: Path) -> None:
    create_platform_key(keys)
    old = platform_key(keys)
    former = rotate_platform_key(keys)
    assert dsse.key_id(platform_key(keys).public_key()) != dsse.key_id(old.public_key())
    assert former.read_text() == dsse.pem_of(old.public_key())
    assert platform_public_paths(keys) == [platform_public_path(keys), former]
    secret = old.private_numbers().private_value.to_bytes(32, "big")
    assert secret not in b"".join(serialization_of(path) for path in keys.glob("*.pem"))


def test_a_former_platform_key_that_was_set_aside_is_trusted_no_more_and_still_known(keys: Path) -> None:
    assert platform_public_paths(keys) == []
    create_platform_key(keys)
    stolen = dsse.key_id(platform_key(keys).public_key())
    rotate_platform_key(keys)
    set_aside_platform_key(keys, stolen)
    present = dsse.key_id(platform_key(keys).public_key())
    assert verifiable(keys) == {present}
    assert {dsse.key_id(dsse.read_pem(path.read_bytes())) for path in every_platform_key(keys)} == {present, stolen}
    with pytest.raises(FileNotFoundError):
        set_aside_platform_key(keys, stolen)


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(4))
def test_a_platform_key_whose_exchange_was_cut_off_still_signs_what_can_be_verified(
    keys: Path, monkeypatch: pytest.MonkeyPatch, number: int, is_done: bool
) -> None:
    """Cut off before or after each file that gets its name, and then exchanged once more."""
    create_platform_key(keys)
    signed_by, replace_, turns = [dsse.key_id(platform_key(keys).public_key())], Path.replace, iter(range(99))

    def cut_off(path: Path, target: Path) -> Path:
        cut = next(turns) == number
        if cut and not is_done:
            raise KeyboardInterrupt
        made = replace_(path, target)
        if cut:
            raise KeyboardInterrupt
        return made

    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr(Path, "replace", cut_off)
        rotate_platform_key(keys)
    signed_by.append(dsse.key_id(platform_key(keys).public_key()))
    assert set(signed_by) <= verifiable(keys)
    rotate_platform_key(keys)
    signed_by.append(dsse.key_id(platform_key(keys).public_key()))
    assert set(signed_by) <= verifiable(keys)
    assert dsse.key_id(dsse.read_pem(platform_public_path(keys).read_bytes())) == signed_by[-1]


def test_a_platform_key_that_was_cut_off_while_it_was_written_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(path: Path, content: bytes) -> None:
        path.write_bytes(content[:9])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("lineage.keys._write_private", cut_off)
        create_platform_key(tmp_path)
    assert create_platform_key(tmp_path).stat().st_mode & 0o777 == 0o600
    assert verifiable(tmp_path) == {dsse.key_id(platform_key(tmp_path).public_key())}


def test_a_platform_key_needs_no_second_name_for_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some file systems have none: FAT, and many that are mounted from elsewhere."""

    def none_here(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "hard links are not supported here")

    monkeypatch.setattr("os.link", none_here)
    create_platform_key(tmp_path)
    assert verifiable(tmp_path) == {dsse.key_id(platform_key(tmp_path).public_key())}


def at_once(program: str, *arguments: object, programs: int = 6) -> list[str]:
    """What programs say that begin the same act at the same moment, each with its number as the last argument."""
    waits = f"import sys\nimport lineage.keys\nprint(flush=True)\nsys.stdin.readline()\n{program}"
    command = [sys.executable, "-c", waits, *map(str, arguments)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": CHECKOUT}
    started = [subprocess.Popen([*command, str(number)], **pipes) for number in range(programs)]
    for one in started:
        assert one.stdout.readline()
    for one in started:
        one.stdin.write("\n")
        one.stdin.flush()
    said = [one.communicate(timeout=120)[0] for one in started]
    assert [one.returncode for one in started] == [0] * programs
    return said


MAKES_A_KEY = """
import time
from pathlib import Path
from lineage import dsse, keys
from lineage.keys import create_platform_key, platform_key
write = keys._write_private
keys._write_private = lambda *given: (time.sleep(0.2), write(*given))
create_platform_key(Path(sys.argv[1]))
print(dsse.key_id(platform_key(Path(sys.argv[1])).public_key()))
"""


def test_of_programs_that_make_a_platform_key_at_once_all_sign_with_the_first(tmp_path: Path) -> None:
    assert set(at_once(MAKES_A_KEY, tmp_path)) == {f"{one}\n" for one in verifiable(tmp_path)}
    assert {path.name for path in tmp_path.iterdir()} == {"platform.pem", "platform.pub", LOCK}


MAKES_A_PERSON = """
from datetime import UTC, datetime
from pathlib import Path
from lineage.keys import create_person
name = f"reviewer-{sys.argv[2]}"
create_person(Path(sys.argv[1]), name, name, "neurologist", "a long enough phrase", now=datetime.now(UTC))
"""


def test_of_people_who_are_registered_at_once_none_is_lost(tmp_path: Path) -> None:
    at_once(MAKES_A_PERSON, tmp_path)
    assert sorted(People.read(tmp_path).by_id) == [f"reviewer-{number}" for number in range(6)]


def test_who_is_alone_in_a_folder_may_say_so_twice_and_lets_others_in_again(tmp_path: Path) -> None:
    with alone(tmp_path), alone(tmp_path / "." / ".." / tmp_path.name):
        pass
    with alone(tmp_path / "another"):
        at_once(
            "from pathlib import Path\nfrom lineage.alone import alone\nwith alone(Path(sys.argv[1])): pass", tmp_path
        )


def verifiable(keys: Path) -> set[str]:
    """Whose signatures the public keys in a folder verify."""
    return {dsse.key_id(dsse.read_pem(path.read_bytes())) for path in platform_public_paths(keys)}


def test_a_platform_key_that_is_there_is_not_written_again(keys: Path) -> None:
    create_platform_key(keys)
    before = platform_public_path(keys).stat()
    create_platform_key(keys)
    after = platform_public_path(keys).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def serialization_of(path: Path) -> bytes:
    """The bytes of a PEM file."""
    return base64.b64decode("".join(path.read_text().splitlines()[1:-1]))


SOME_KEY = dsse.ec.generate_private_key(dsse.ec.SECP256R1())
