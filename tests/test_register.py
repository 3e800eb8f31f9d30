"""People and keys are registered, rotated and revoked on the command line, and the ledger, the approvals and the service follow."""

import fcntl
import json
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from flows import audit, register
from flows.authenticate import attested
from flows.records import open_ledger
from flows.workspace import Workspace
from lineage.alone import LOCK
from lineage.dsse import pem_of
from lineage.entries import EntryType
from lineage.keys import rotate_platform_key
from lineage.ledger import Ledger
from lineage.onetime import STEP_S
from lineage.people import People, SigningKey
from lineage.refused import Refused
from tests.authenticator import code
from tests.commands import ICTAL, Said, ictal, ictal_process
from tests.proposals import AUTHOR, FIRST, PASSPHRASE, SECOND, Office, evaluated_office, gates_with

WHY = "calibration=few patients"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Office:
    """A workspace whose model two people have put in force, in spite of a gate that failed."""
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    office = evaluated_office(tmp_path_factory.mktemp("register") / "served", gates_with("fail"), an_hour_ago)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ICTAL_HOME", str(office.home))
        office.propose()
        office.both_sign([WHY])
    return office


@pytest.fixture
def office(served: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    copied = served.copied(tmp_path / "office")
    monkeypatch.setenv("ICTAL_HOME", str(copied.home))
    copied.now = datetime.now(UTC)
    assert copied.refused_by_service() == ""
    return copied


def typed(office: Office, *arguments: object, lines: tuple[str, ...] = ()) -> Said:
    """A command in a process without a terminal, with its answers on standard input."""
    return ictal_process(*arguments, environment=office.workspace.environment(), typed="".join(f"{x}\n" for x in lines))


def types_of(workspace: Workspace, opening: str) -> list[str]:
    return [e.type.value for e in Ledger(workspace.ledger).entries() if e.type.value.startswith(opening)]


def test_a_person_is_added_with_a_passphrase_on_standard_input_and_told_their_secret_once(office: Office) -> None:
    said = typed(
        office, "person", "add", "reviewer-3", "--name", "A. Reviewer", "--role", "neurologist", "--json",
        lines=(PASSPHRASE, PASSPHRASE),
    )  # fmt: skip
    assert said.code == 0, said.err
    told = json.loads(said.out[said.out.index("{") :])
    secret = parse_qs(urlsplit(told["enrolment_uri"]).query)["secret"][0]
    assert len(secret) == 32 and PASSPHRASE not in said.out + said.err
    kept = b"".join(p.read_bytes() for p in office.home.rglob("*") if p.is_file())
    assert secret.encode() not in kept
    listed = ictal("person", "list", "--json").json
    assert {row["id"]: row["state"] for row in listed}["reviewer-3"] == "may sign"
    assert types_of(office.workspace, "person")[-1] == "person.registered"


def test_a_person_whose_registration_was_cut_off_before_the_ledger_is_registered_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, who = office.workspace, ("neurologist-9", "N. Nine", "neurologist")

    def cut_off(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Ledger, "append_many", cut_off)
        register.register(workspace, *who, "a long enough phrase", now=office.now)
    assert "neurologist-9" not in attested(workspace).by_id
    register.register(workspace, *who, "another long phrase", now=office.now)
    assert "neurologist-9" in attested(workspace).by_id
    with pytest.raises(Refused, match="registered already"):
        register.register(workspace, *who, "a third long phrase", now=office.now)


def test_a_rotated_person_signs_on_and_what_they_signed_stays_in_force(office: Office) -> None:
    shown = code(office.workspace.keys, FIRST, datetime.now(UTC))
    told = register.rotate_person(FIRST, PASSPHRASE, shown, "another long phrase")
    assert told["enrolment_uri"].startswith("otpauth://totp/")
    typed_in = next(line for line in told["text"].splitlines() if line.count(" ") == 7)
    assert typed_in.replace(" ", "") in told["enrolment_uri"], "a phone has the secret typed"
    assert types_of(office.workspace, "person")[-1] == "person.key_rotated"
    assert office.refused_by_service() == ""
    assert ictal("approvals", office.candidate[:8], "--json").json[0]["in_force"]


def test_nobody_else_changes_the_people_between_their_list_and_the_ledger(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another registration of the same name would take one that the ledger does not know yet for one that was cut off."""
    asked, line_of = list[str](), register.of_person

    def beside(type: EntryType, *given: Any) -> Any:
        with open(office.workspace.keys / LOCK) as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        asked.append(type)
        return line_of(type, *given)

    monkeypatch.setattr(register, "of_person", beside)
    register.add_person("reviewer-3", "A. Reviewer", "neurologist", PASSPHRASE)
    register.rotate_person(FIRST, PASSPHRASE, code(office.workspace.keys, FIRST, office.now), "another long phrase")
    register.end_person(SECOND, "retirement", left=True)
    assert asked == ["person.registered", "person.key_rotated", "person.key_ended"]


def test_a_wrong_component_is_refused_with_exit_code_2_and_stands_in_the_ledger(office: Office) -> None:
    said = typed(
        office,
        "revoke",
        office.candidate[:12],
        "--as",
        FIRST,
        "--reason",
        "misses seizures",
        lines=(PASSPHRASE, "000000"),
    )
    assert said.code == 2 and "attempts are left" in said.err and "Traceback" not in said.err
    (failed,) = Ledger(office.workspace.ledger).entries("auth.failed")
    assert (failed.actor.id, failed.reason) == (FIRST, "to take a model back (revoked)")
    assert office.refused_by_service() == ""


def test_a_script_that_gives_too_little_is_told_what_is_missing(office: Office) -> None:
    said = typed(office, "revoke", office.candidate[:12], "--as", FIRST, "--reason", "x", lines=(PASSPHRASE,))
    assert said.code == 2 and f"Code on the device of {FIRST} is missing" in said.err and PASSPHRASE not in said.err


@pytest.mark.skipif(shutil.which("script") is None, reason="util-linux's script, which gives a terminal, is not here")
def test_what_is_piped_in_is_taken_though_there_is_a_terminal(office: Office, tmp_path: Path) -> None:
    """A prompt for secrets looks for the terminal by itself, and would wait there."""
    (tmp_path / "components").write_text(f"{PASSPHRASE}\n000000\n")
    command = f"{ICTAL} revoke {office.candidate[:12]} --as {FIRST} --reason x < {tmp_path / 'components'}"
    done = subprocess.run(
        ["script", "-qec", command, "/dev/null"],
        env=office.workspace.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 2 and "attempts are left" in done.stdout, done.stdout


def test_a_model_is_retired_with_both_components_on_standard_input(office: Office) -> None:
    in_a_while = datetime.now(UTC) + timedelta(seconds=STEP_S)  # the code is to be good once the process has started
    said = typed(
        office, "retire", office.candidate[:12], "--as", SECOND, "--reason", "superseded",
        lines=(PASSPHRASE, code(office.workspace.keys, SECOND, in_a_while)),
    )  # fmt: skip
    assert said.code == 0, said.err
    (listed,) = ictal("candidates", "--json").json
    assert (listed["state"], listed["ended"]) == ("retired", f"retired by {SECOND}: superseded")
    assert "retired: superseded" in office.refused_by_service()
    again = typed(office, "retire", office.candidate[:12], "--as", SECOND, "--reason", "x", lines=(PASSPHRASE, "0"))
    assert again.code == 2 and "it goes no further" in again.err


def test_the_terms_and_signatures_of_an_approval_can_be_printed(office: Office) -> None:
    text = ictal("approvals").out
    assert "sites demo-*; ages 0 to 28 days; montage neonatal_18" in text
    assert f"1 deviation, signed by {FIRST} (review), {SECOND} (approval):\n      calibration: few patients\n" in text
    shown = rf"review by {FIRST} \(neurologist, {FIRST}\) at \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC, local time .* \(UTC[+-]\d\d:\d\d\)"
    assert re.search(shown, text), text
    assert "in force" in text.splitlines()[0] and f"author {AUTHOR}" in text
    assert "few patients" in ictal("candidates").out
    assert ictal("approvals", "ffff").code == 2


def test_revoking_a_signers_key_stops_the_model_and_leaving_does_not(office: Office) -> None:
    left = ictal("person", "revoke", FIRST, "--left", "--reason", "retirement")
    assert left.code == 0 and office.refused_by_service() == ""
    assert ictal("person", "revoke", FIRST, "--reason", "x").code == 2, "it has ended already"
    stolen = ictal("person", "revoke", SECOND, "--reason", "the laptop was stolen")
    assert stolen.code == 0 and "key that was revoked: the laptop was stolen" in office.refused_by_service()
    assert types_of(office.workspace, "person")[-2:] == ["person.key_ended", "person.key_revoked"]
    assert ictal("person", "revoke", "nobody", "--reason", "x").code == 2
    assert "revoked at" in ictal("person", "list").out


def test_fault_a_key_written_into_people_json_is_attested_by_no_end_of_another(office: Office) -> None:
    """Whoever can edit the file adds a key of theirs to a reviewer, and has the reviewer's own key ended or rotated."""
    path = office.home / "keys" / "people.json"
    theirs = SigningKey(pem_of(ec.generate_private_key(ec.SECP256R1()).public_key()), office.now - timedelta(days=9))
    people = People.read(path.parent)
    first = people.person(FIRST)
    people.holding(replace(first, keys=(*first.keys, theirs))).write(path.parent)
    assert "NOT in the ledger like this: signs nothing" in ictal("person", "list").out
    shown = code(path.parent, FIRST, datetime.now(UTC))
    with pytest.raises(Refused, match=r"not in the ledger as people\.json has them"):
        register.rotate_person(FIRST, PASSPHRASE, shown, "another long phrase")
    assert ictal("person", "revoke", FIRST, "--left", "--reason", "retirement").code == 0
    kept = People.read(path.parent).person(FIRST)
    assert kept.key_named(theirs.id) is None and kept.key_id == first.key_id and kept.valid_until is not None
    assert office.refused_by_service() == "", "what they signed before stays good, as the ledger has them again"


def test_a_rotated_platform_key_still_vouches_and_a_revoked_one_does_not(office: Office) -> None:
    signed = audit.publish_checkpoint(office.home / "before.json")
    (line,) = open_ledger(office.workspace).entries("checkpoint.published")
    assert (line.seq, line.subjects[0].digest) == (signed["size"], signed["root"])
    old = ictal("key", "list", "--json").json[0]["key_id"]
    assert ictal("key", "rotate-platform").code == 0
    assert office.refused_by_service() == "", "bundle and pointer are signed by the former key"
    assert audit.verify_ledger([office.home / "before.json"])["ok"]
    assert {row["state"] for row in ictal("key", "list", "--json").json} == {"present", "former"}
    assert ictal("key", "revoke-platform", old[:12], "--reason", "the disk was stolen").code == 0
    assert office.refused_by_service() == "the pointer to the model in force is not signed by this platform"
    assert audit.verify_ledger([office.home / "before.json"])["ok"]
    assert ictal("key", "revoke-platform", old[:12], "--reason", "x").code == 2
    assert ictal("key", "revoke-platform", old[:3], "--reason", "x").code == 2
    for path in office.workspace.keys.glob("*.revoked"):
        path.rename(path.with_suffix(".pub"))
    assert "not signed by this platform" in office.refused_by_service(), "the ledger knows that it is revoked"


def test_after_a_platform_key_was_revoked_the_model_is_signed_proposed_and_approved_anew(office: Office) -> None:
    present = ictal("key", "list", "--json").json[0]["key_id"]
    assert ictal("key", "revoke-platform", present[:12], "--reason", "the disk was stolen").code == 0
    assert {row["state"] for row in ictal("key", "list", "--json").json} == {"present", "revoked"}
    before = office.candidate
    assert office.propose() == before and office.state() == "evaluated"
    office.both_sign([WHY])
    assert (office.state(), office.refused_by_service()) == ("deployed", "")


def test_an_exchanged_platform_key_signs_nothing_until_it_is_rotated_away(office: Office) -> None:
    rotate_platform_key(office.workspace.keys)
    with pytest.raises(Refused, match="not one that the ledger knows"):
        register.platform_key(office.workspace)
    register.rotate_platform_key()
    register.platform_key(office.workspace)


def test_outside_the_demo_the_author_has_to_be_somebody_registered(office: Office) -> None:
    (office.home / "workspace.json").write_text('{"kind": "real"}')
    assert ictal("candidates", "--propose", "--author", "pipeline").code == 2
    office.retire(FIRST)
    office.propose("somebody")
    with pytest.raises(Refused, match="is nobody registered"):
        office.sign(FIRST, "review", [WHY])
