"""Only a model that is signed, approved by two people, in scope, in time and not revoked is ever loaded."""

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.readers.edf import read_edf
from lineage import dsse
from lineage.approvals import Approval, revoke
from lineage.digest import Manifest
from lineage.keys import create_platform_key, platform_key
from lineage.people import People
from lineage.signing import SIGNATURE, SignatureInvalid, sign_bundle
from models.analysis import analyse
from models.bundle import UNSIGNED, Bundle, load_bundle, save_bundle
from models.detectors.line_length import LineLength
from serving import loader as loading
from serving.loader import POLL_S, Loaded, Loader, NoApprovedModel, import_bundle, revocations_folder, why_no_more
from serving.store import POINTER_TYPE, Pointer, pointer_path, stored_bundle
from tests.authenticator import code
from tests.served import (
    APPROVER,
    HAS_SEEN_ALL,
    NOW,
    PASSPHRASE,
    REVIEWER,
    approve,
    bundle_folder,
    people_and_keys,
    point,
    put_in_force,
    record_for,
    signed_bundle,
    write_recording,
)
from tests.services import served_home

SITE = "demo-north"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return served_home(tmp_path_factory.mktemp("finished"))


@pytest.fixture
def home(finished: Path, tmp_path: Path) -> Path:
    """A workspace of its own for each test, with a model in force."""
    return Path(shutil.copytree(finished, tmp_path / "home"))


class Clock:
    """Seconds that pass when a test says so."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def load(home: Path, site: str = SITE, now: datetime = NOW, allow_demo: bool = True) -> Loaded:
    return Loader(home, allow_demo=allow_demo).for_site(site, now)


def why_not(home: Path, site: str = SITE, now: datetime = NOW, allow_demo: bool = True) -> str:
    with pytest.raises(NoApprovedModel) as caught:
        load(home, site, now, allow_demo)
    return caught.value.reason


def detail_of(home: Path) -> str:
    told: list[str] = []
    Loader(home, allow_demo=True, on_change=lambda _, detail: told.append(detail)).why_not(NOW)
    return told[0]


def stored(home: Path) -> Path:
    return stored_bundle(home, read(home).tag)


def read(home: Path) -> Pointer:
    return Pointer(**json.loads(pointer_path(home).read_text()))


def rewrite(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def approval_of(home: Path) -> Path:
    return home / read(home).approval


def in_force(home: Path) -> Bundle:
    return load_bundle(bundle_folder(home))


def test_the_approved_model_is_loaded_for_its_site(home: Path) -> None:
    loaded = load(home)
    assert (loaded.bundle.digest, loaded.terms.is_demo) == (read(home).bundle, True)
    assert loaded.facts["intended_use"] == "A yardstick for neonatal seizure detectors. Not for clinical use."
    assert Loader(home, allow_demo=True).why_not(NOW) is None


def test_an_approval_is_of_a_demo_where_any_demo_signer_stands_under_it(home: Path) -> None:
    terms = Loader(home, allow_demo=True).for_site(SITE, NOW).terms
    known = terms.people.by_id
    normal = People({id: replace(person, demo=False) for id, person in known.items()})
    assert not replace(terms, people=normal).is_demo
    assert replace(terms, people=normal.holding(known[APPROVER])).is_demo
    assert not replace(terms, people=People({})).is_demo


def test_the_loaded_model_predicts_as_the_one_that_was_saved(home: Path, tmp_path: Path) -> None:
    recording = read_edf(write_recording(tmp_path / "recording.edf"), age_days=3)
    saved, loaded = (analyse(recording, bundle).trend for bundle in (in_force(home), load(home).bundle))
    assert saved is not None
    assert loaded is not None
    np.testing.assert_array_equal(saved, loaded)


def flip_a_bit(home: Path) -> None:
    path = stored(home) / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def save_anew(home: Path) -> None:
    """Another threshold with a manifest that fits it: consistent in itself, but not what was signed."""
    folder = stored(home)
    bundle = load_bundle(folder)
    save_bundle(replace(bundle, decision=bundle.decision.at(0.1)), folder)


def sign_with_another_key(home: Path) -> None:
    shutil.rmtree(home / "other", ignore_errors=True)
    sign_bundle(stored(home), create_platform_key(home / "other"))


def leave_out_a_signature(home: Path) -> None:
    approval = Approval.read(approval_of(home))
    replace(approval, signatures=approval.signatures[:1]).write(approval_of(home))


def sign_twice_by_one(home: Path) -> None:
    approval = Approval.read(approval_of(home))
    first = approval.signatures[0]
    replace(approval, signatures=(first, replace(first, meaning="approval"))).write(approval_of(home))


def widen_the_scope(home: Path) -> None:
    approval = Approval.read(approval_of(home))
    scope = replace(approval.record.scope, sites=("*",))
    replace(approval, record=replace(approval.record, scope=scope)).write(approval_of(home))


def approve_another(home: Path) -> None:
    other = signed_bundle(home, 0.7)
    shutil.copy(approve(home, record_for(other)), approval_of(home))


def revoke_it(home: Path, bundle: bool = False) -> None:
    digest = read(home).bundle if bundle else Approval.read(approval_of(home)).record.digest
    folder, keys = revocations_folder(home), home / "keys"
    revoke(folder, keys, REVIEWER, PASSPHRASE, code(keys, REVIEWER, NOW), digest=digest, reason="alarms", now=NOW)


def plant_an_unreadable_revocation(home: Path) -> None:
    revocations_folder(home).mkdir()
    (revocations_folder(home) / "broken.json").write_text("{")


def exchange_the_people(home: Path) -> None:
    """The same names with other keys: what an intruder could register."""
    shutil.rmtree(home / "keys")
    people_and_keys(home)


def point_with_another_key(home: Path) -> None:
    key = platform_key(create_platform_key(home / "other").parent)
    unsigned = replace(read(home), key_id=dsse.key_id(key.public_key()))
    rewrite(pointer_path(home), signature=dsse.sign(key, POINTER_TYPE, unsigned.statement()), key_id=unsigned.key_id)


def point_outside(home: Path) -> None:
    shutil.copy(approval_of(home), home.parent / "approval.json")
    unsigned = replace(read(home), approval="../approval.json")
    signature = dsse.sign(platform_key(home / "keys"), POINTER_TYPE, unsigned.statement())
    rewrite(pointer_path(home), approval=unsigned.approval, signature=signature)


def put_another_bundle_under_the_tag(home: Path) -> None:
    signed_bundle(home, 0.7)
    folder = stored(home)
    shutil.rmtree(folder)
    shutil.copytree(bundle_folder(home, 0.7), folder)


UNTRUSTED: dict[str, tuple[Callable[[Path], object], str]] = {
    "an unsigned bundle": (lambda h: (stored(h) / SIGNATURE).unlink(), "not as the platform signed it"),
    "one bit of the weights": (flip_a_bit, "not as the platform signed it"),
    "an edited threshold with a fitting manifest": (save_anew, "not as the platform signed it"),
    "a bundle signed by another key": (sign_with_another_key, "not as the platform signed it"),
    "an added file": (lambda h: (stored(h) / "extra.py").write_text(""), "not as the platform signed it"),
    "one signature only": (leave_out_a_signature, "nobody has signed an approval"),
    "one person's signature twice": (sign_twice_by_one, "is not valid"),
    "a scope widened after signing": (widen_the_scope, "belongs to another record"),
    "an approval of another bundle": (approve_another, "about another bundle"),
    "no approval": (lambda h: approval_of(h).unlink(), "the approval of the model in force cannot be read"),
    "an approval cut short": (
        lambda h: approval_of(h).write_text("{"),
        "the approval of the model in force cannot be read",
    ),
    "a revoked approval": (revoke_it, f"revoked by {REVIEWER} at 2026-03-02T09:00:00.000000Z: alarms"),
    "a revoked bundle": (lambda h: revoke_it(h, bundle=True), "revoked by"),
    "a revocation that cannot be read": (plant_an_unreadable_revocation, "nothing counts as approved"),
    "other people under the same names": (exchange_the_people, "not signed by this platform"),
    "no people": (lambda h: (h / "keys" / "people.json").unlink(), "not by a registered person"),
    "no public key": (lambda h: (h / "keys" / "platform.pub").unlink(), "cannot be read"),
    "no pointer": (lambda h: pointer_path(h).unlink(), "no model has been put in force yet"),
    "a pointer cut short": (lambda h: pointer_path(h).write_text("{"), "cannot be read"),
    "a pointer that was edited": (lambda h: rewrite(pointer_path(h), bundle="0" * 64), "not signed by this platform"),
    "a pointer signed by another key": (point_with_another_key, "not signed by this platform"),
    "an approval outside the workspace": (point_outside, "outside the workspace"),
    "an empty store": (lambda h: shutil.rmtree(h / "bentoml"), "not in the store"),
}


@pytest.mark.parametrize("case", UNTRUSTED)
def test_nothing_of_an_untrusted_model_is_read(home: Path, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tamper, reason = UNTRUSTED[case]
    tamper(home)
    monkeypatch.setattr(loading, "load_model", lambda folder: pytest.fail("the bundle was read"))
    assert reason in why_not(home)
    assert reason in str(Loader(home, allow_demo=True).why_not(NOW))
    assert detail_of(home), "the people who run the service are told"


def test_another_signed_bundle_under_the_tag_is_not_served(home: Path) -> None:
    put_another_bundle_under_the_tag(home)
    assert why_not(home) == "the store holds another bundle under the tag that is in force"


@pytest.mark.parametrize(
    ("site", "now", "allow_demo", "reason"),
    [
        ("north", NOW, True, "not among those that the approval is for"),
        ("", NOW, True, "not among those that the approval is for"),
        (SITE, NOW - timedelta(seconds=1), True, "it begins at"),
        (SITE, NOW + timedelta(hours=12, seconds=1), True, "it ended at"),
        (SITE, NOW, False, "is a demo signer, and this is not a demo"),
    ],
)
def test_out_of_scope_out_of_time_and_demo_signers_are_refused(
    home: Path, site: str, now: datetime, allow_demo: bool, reason: str
) -> None:
    assert reason in why_not(home, site, now, allow_demo)
    assert load(home)  # the same workspace serves the right site at the right time


def test_a_model_that_gives_no_probabilities_fails_its_self_test(home: Path) -> None:
    broken = signed_bundle(home, 0.6, weights=(float("nan"), 3.0, 3.0))
    point(home, broken, approve(home, record_for(broken)), 0.6)
    assert why_not(home) == "the model in force failed its self-test"


@pytest.mark.parametrize(("share", "is_served"), [(float("nan"), False), (1 / 18, True)])
def test_a_model_that_cannot_give_its_reasons_fails_its_self_test(
    home: Path, monkeypatch: pytest.MonkeyPatch, share: float, is_served: bool
) -> None:
    explaining = lambda self, x: np.full((len(x), 18), share)  # noqa: E731
    monkeypatch.setattr(LineLength, "shares", explaining, raising=False)
    if is_served:
        assert load(home)
    else:
        assert why_not(home) == "the model in force failed its self-test"


def test_waves_that_look_unlike_eeg_do_not_fail_the_self_test(home: Path) -> None:
    strict = signed_bundle(home, 0.6, ood=replace(HAS_SEEN_ALL, recording_limit=0.0, window_limit=0.0))
    point(home, strict, approve(home, record_for(strict)), 0.6)
    assert load(home).bundle.digest == strict.digest


def test_a_model_from_before_it_could_abstain_is_not_served(home: Path) -> None:
    folder, old = bundle_folder(home, 0.6), signed_bundle(home, 0.6)
    description = json.loads((folder / "bundle.json").read_text())
    del description["conformal"], description["ood"]
    (folder / "bundle.json").write_text(json.dumps(description))
    manifest = Manifest.of(folder, UNSIGNED)
    manifest.write(folder / "manifest.json")
    sign_bundle(folder, home / "keys" / "platform.pem")
    old = replace(old, digest=manifest.digest)
    point(home, old, approve(home, record_for(old)), 0.6)
    assert why_not(home) == "the model in force cannot be run by this service"
    assert "no conformal and no ood" in detail_of(home)


@pytest.mark.parametrize("origin", [{"regime": "window", "reportable": False}, {"regime": "gap"}, {}])
def test_a_model_of_a_leaky_split_is_not_served_whoever_signed_for_it(home: Path, origin: dict[str, Any]) -> None:
    bundle = signed_bundle(home, 0.6, origin=origin)
    point(home, bundle, approve(home, record_for(bundle)), 0.6)
    assert why_not(home) == "the model in force cannot be run by this service"
    assert "non-reportable" in detail_of(home)


def test_a_model_answers_the_question_that_it_was_made_for_and_no_other(home: Path) -> None:
    shutil.copy(pointer_path(home), pointer_path(home, "typing"))
    with pytest.raises(NoApprovedModel, match="names a model for detection, asked for is typing"):
        Loader(home, "typing", allow_demo=True).for_site(SITE, NOW)


def test_an_approval_for_another_montage_does_not_count(home: Path) -> None:
    bundle = in_force(home)
    point(home, bundle, approve(home, record_for(bundle, montages=("behind_the_ear",))))
    assert why_not(home) == "the approval does not cover the montage that the model reads"


def test_a_revocation_stops_the_model_at_the_next_look(home: Path) -> None:
    clock = Clock()
    loader = Loader(home, allow_demo=True, clock=clock)
    assert loader.for_site(SITE, NOW)
    revoke_it(home)
    clock.seconds = POLL_S
    with pytest.raises(NoApprovedModel, match="revoked by"):
        loader.for_site(SITE, NOW)
    assert POLL_S <= 5


def test_an_approval_that_ends_stops_the_model_without_any_look(home: Path) -> None:
    loader = Loader(home, allow_demo=True, clock=Clock())
    assert loader.for_site(SITE, NOW + timedelta(hours=12))
    with pytest.raises(NoApprovedModel, match="it ended at"):
        loader.for_site(SITE, NOW + timedelta(hours=12, seconds=1))
    assert loader.why_not(NOW + timedelta(hours=12)) is None
    assert "it ended at" in (loader.why_not(NOW + timedelta(hours=12, seconds=1)) or "")


def test_a_new_model_comes_in_and_the_old_one_comes_back_without_a_restart(home: Path) -> None:
    clock, seen = Clock(), []
    loader = Loader(home, allow_demo=True, clock=clock, on_change=lambda loaded, reason: seen.append(loaded))
    old = loader.for_site(SITE, NOW).bundle.digest
    old_pointer = pointer_path(home).read_text()
    new = put_in_force(home, 0.7).digest
    assert loader.for_site(SITE, NOW).bundle.digest == old, "not before the next look"
    clock.seconds += POLL_S
    assert loader.for_site(SITE, NOW).bundle.digest == new
    pointer_path(home).write_text(old_pointer)
    clock.seconds += POLL_S
    assert loader.for_site(SITE, NOW).bundle.digest == old
    assert [loaded and loaded.bundle.digest for loaded in seen] == [old, new, old]


def test_who_has_begun_an_answer_gives_it_though_another_came_in_but_not_once_it_is_taken_back(home: Path) -> None:
    clock = Clock()
    loader = Loader(home, allow_demo=True, clock=clock)
    begun = loader.for_site(SITE, NOW)
    new = put_in_force(home, 0.7).digest
    clock.seconds += POLL_S
    assert why_no_more(begun, loader, SITE, NOW) == ""
    given = (revocations_folder(home), home / "keys", REVIEWER, PASSPHRASE, code(home / "keys", REVIEWER, NOW))
    revoke(*given, digest=begun.bundle.digest, reason="alarms", now=NOW)
    clock.seconds += POLL_S
    assert "revoked by" in why_no_more(begun, loader, SITE, NOW)
    assert loader.for_site(SITE, NOW).bundle.digest == new, "its successor goes on"


def test_what_does_not_change_is_not_read_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    loader = Loader(home, allow_demo=True, clock=clock)
    first = loader.for_site(SITE, NOW)
    monkeypatch.setattr(loading, "load_model", lambda folder: pytest.fail("the bundle was read again"))
    for _ in range(3):
        clock.seconds += POLL_S
        assert loader.for_site(SITE, NOW) is first


def test_an_untrusted_successor_closes_the_service_and_a_sound_one_opens_it_again(home: Path) -> None:
    clock = Clock()
    loader = Loader(home, allow_demo=True, clock=clock)
    assert loader.for_site(SITE, NOW)
    sound = pointer_path(home).read_text()
    rewrite(pointer_path(home), bundle="0" * 64)
    clock.seconds += POLL_S
    for _ in range(2):
        with pytest.raises(NoApprovedModel, match="not signed by this platform"):
            loader.for_site(SITE, NOW)
    pointer_path(home).write_text(sound)
    clock.seconds += POLL_S
    assert loader.for_site(SITE, NOW)


def test_an_approval_that_begins_later_is_found_without_a_change_of_files(home: Path) -> None:
    clock = Clock()
    loader = Loader(home, allow_demo=True, clock=clock)
    with pytest.raises(NoApprovedModel, match="it begins at"):
        loader.for_site(SITE, NOW - timedelta(seconds=1))
    clock.seconds += POLL_S
    assert loader.for_site(SITE, NOW)


def test_every_thread_is_served_while_models_change(home: Path) -> None:
    first, second = read(home).bundle, put_in_force(home, 0.7).digest
    pointers = {read(home).bundle: pointer_path(home).read_text()}
    point(home, in_force(home), approve(home, record_for(in_force(home))))
    pointers[first] = pointer_path(home).read_text()
    loader = Loader(home, allow_demo=True, clock=lambda: next(ticks))
    ticks = iter(range(10_000))

    def serve(turn: int) -> str:
        if turn % 5 == 0:
            unfinished = home / "store" / f"pointer-{turn}"
            unfinished.write_text(pointers[(first, second)[turn // 5 % 2]])
            unfinished.replace(pointer_path(home))
        return loader.for_site(SITE, NOW).bundle.digest

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(serve, range(20))) == {first, second}


def test_importing_again_changes_nothing(home: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in (home / "bentoml").rglob("*")}
    assert import_bundle(home, bundle_folder(home)) == read(home).tag
    assert {p: p.stat().st_mtime_ns for p in (home / "bentoml").rglob("*")} == before
    assert read(home).tag == f"line_length:{read(home).bundle[:40]}"


def test_an_unsigned_bundle_and_a_changed_copy_are_not_imported(home: Path) -> None:
    flip_a_bit(home)
    assert "weights.safetensors" in detail_of(home)
    with pytest.raises(SignatureInvalid, match=r"weights\.safetensors"):
        import_bundle(home, bundle_folder(home))
    signed_bundle(home, 0.7)
    (bundle_folder(home, 0.7) / SIGNATURE).unlink()
    with pytest.raises(SignatureInvalid, match=r"there is no model\.sig"):
        import_bundle(home, bundle_folder(home, 0.7))
    assert len(list((home / "bentoml" / "models" / "line_length").glob("*/model.yaml"))) == 1


def test_the_approver_may_revoke_as_well(home: Path) -> None:
    digest = read(home).bundle
    keys = home / "keys"
    two = PASSPHRASE, code(keys, APPROVER, NOW)
    revoke(revocations_folder(home), keys, APPROVER, *two, digest=digest, reason="recall", now=NOW)
    assert "recall" in why_not(home)
