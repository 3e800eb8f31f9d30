"""With the key alone, whoever gets an evidence pack finds everything that was taken out, changed, added or exchanged."""

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flows.workspace import Workspace
from lineage import checkpoints, digest, dsse, merkle, records, verify_pack
from lineage.keys import platform_key
from tests.packed import OUTSIDER, finished_pack, pack_home


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return pack_home(tmp_path_factory.mktemp("built") / "home")


@pytest.fixture(scope="module")
def pack(built: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished_pack(built, tmp_path_factory.mktemp("finished"))


@pytest.fixture
def items(pack: Path) -> dict[str, bytes]:
    return verify_pack.read(pack)


@pytest.fixture
def key(built: Workspace) -> bytes:
    return (built.keys / "platform.pub").read_bytes()


def test_an_untouched_pack_verifies_with_the_key_and_by_itself(items: dict[str, bytes], key: bytes) -> None:
    assert verify_pack.check(items, key) == [] == verify_pack.check(items)


def named_in(problems: list[str], name: str) -> bool:
    return any(problem.startswith(f"{name}: ") for problem in problems)


def test_whatever_is_taken_out_is_named(items: dict[str, bytes], key: bytes) -> None:
    for name in items:
        without = {n: content for n, content in items.items() if n != name}
        assert f"{name}: missing" in " ".join(verify_pack.check(without, key)), name


def test_whatever_is_changed_is_named(items: dict[str, bytes], key: bytes) -> None:
    for name, content in items.items():
        changed = items | {name: content[:-2] + bytes([content[-2] ^ 1]) + content[-1:]}
        assert named_in(verify_pack.check(changed, key), name), name


def test_whatever_is_added_is_named(items: dict[str, bytes], key: bytes) -> None:
    assert named_in(verify_pack.check(items | {"notes.txt": b"all is well"}, key), "notes.txt")


def relisted(items: dict[str, bytes]) -> dict[str, bytes]:
    """As a forger would who has no key: the manifest fits the items again."""
    return items | {verify_pack.MANIFEST: verify_pack.manifest_of(items)}


def resigned(items: dict[str, bytes], workspace: Workspace) -> dict[str, bytes]:
    """As the platform itself would: the manifest is signed again, so that only what lies deeper can tell."""
    listed = relisted(items)
    signature = dsse.sign(platform_key(workspace.keys), verify_pack.MANIFEST_TYPE, listed[verify_pack.MANIFEST])
    return listed | {verify_pack.MANIFEST_SIGNATURE: json.dumps({"signature": signature}).encode()}


def edited(items: dict[str, bytes], name: str, edit: Callable[[Any], object]) -> dict[str, bytes]:
    value = json.loads(items[name])
    edit(value)
    return items | {name: json.dumps(value).encode()}


def test_what_is_signed_again_unchanged_is_as_it_was(items: dict[str, bytes], built: Workspace, key: bytes) -> None:
    """So what is found in the tests below is found because of what they change."""
    assert verify_pack.manifest_of(items) == items[verify_pack.MANIFEST]
    assert verify_pack.check(resigned(items, built), key) == []


def test_a_folder_and_a_zip_made_by_hand_are_read_as_the_pack(
    pack: Path, items: dict[str, bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(pack) as zipped:
        zipped.extractall(folder)
    again = shutil.make_archive(str(tmp_path / "again"), "zip", folder)  # which names folders too
    assert verify_pack.read(folder) == items == verify_pack.read(Path(again))
    with pytest.raises(ValueError, match="neither a zip nor a folder"):
        verify_pack.read(folder / verify_pack.CARD)


def test_a_manifest_written_anew_without_the_key_is_found(items: dict[str, bytes], key: bytes) -> None:
    forged = relisted(items | {verify_pack.PAGE: b"<!doctype html>every seizure was found"})
    assert named_in(verify_pack.check(forged, key), verify_pack.MANIFEST)


def test_a_pack_signed_whole_by_somebody_else_is_found(items: dict[str, bytes], key: bytes) -> None:
    problems = verify_pack.check(items | {verify_pack.PUBLIC_KEY: OUTSIDER}, OUTSIDER)
    for name in (verify_pack.MANIFEST, verify_pack.CHECKPOINT, verify_pack.BUNDLE_SIGNATURE):
        assert named_in(problems, name)
    assert named_in(verify_pack.check(items, OUTSIDER), verify_pack.PUBLIC_KEY)


def without_approvals(receipts: list[dict[str, Any]]) -> None:
    receipts[:] = [r for r in receipts if r["entry"]["type"] != "approval.signed"]


INSIDE: dict[str, tuple[str, str, Callable[[Any], object]]] = {
    "another result": (verify_pack.RESULT, verify_pack.RESULT, lambda v: v.update(clinical={"sensitivity": 1.0})),
    "another report": (verify_pack.REPORT, verify_pack.REPORT, lambda v: v.update(simulated=False)),
    "other gates": (verify_pack.GATES, verify_pack.GATES, lambda v: v.clear()),
    "another split": (verify_pack.SPLIT, verify_pack.SPLIT, lambda v: v["folds"][0]["test"].clear()),
    "another dataset": (verify_pack.DATASET, verify_pack.DATASET, lambda v: v.popitem()),
    "another audit": (verify_pack.LEAKAGE, verify_pack.LEAKAGE, lambda v: v["outcomes"].pop()),
    "a wider scope": (verify_pack.APPROVAL, verify_pack.APPROVAL, lambda v: v["record"]["scope"].update(sites=["*"])),
    "another time": (verify_pack.APPROVAL, verify_pack.APPROVAL, lambda v: v["signatures"][0].update(utc_time="2026-01-01T00:00:00.000000Z")),
    "one signature": (verify_pack.APPROVAL, verify_pack.APPROVAL, lambda v: v["signatures"].pop()),
    "another name": (
        verify_pack.SIGNERS,
        verify_pack.SIGNERS,
        lambda v: [signer.update(printed_name="Somebody Else") for signer in v.values()],
    ),
    "other signers": (verify_pack.SIGNERS, verify_pack.APPROVAL, lambda v: v.clear()),
    "another entry": (verify_pack.RECEIPTS, verify_pack.RECEIPTS, lambda v: v[5]["entry"].update(reason="other")),
    "entries exchanged": (verify_pack.RECEIPTS, verify_pack.RECEIPTS, lambda v: v[5].update(path=v[4]["path"])),
    "no entry of the approval": (verify_pack.RECEIPTS, verify_pack.RECEIPTS, without_approvals),
    "another root": (verify_pack.CHECKPOINT, verify_pack.CHECKPOINT, lambda v: v.update(root="0" * 64)),
    "other files of the bundle": (verify_pack.BUNDLE_MANIFEST, verify_pack.BUNDLE_MANIFEST, lambda v: v["files"].update({"bundle.json": "0" * 64})),
    "a crate that names less": (verify_pack.METADATA, verify_pack.METADATA, lambda v: v["@graph"].__delitem__(slice(3, None))),
}  # fmt: skip


@pytest.mark.parametrize("case", INSIDE)
def test_what_the_platform_itself_exchanged_is_found_by_what_people_and_ledger_say(
    items: dict[str, bytes], built: Workspace, key: bytes, case: str
) -> None:
    where, named, edit = INSIDE[case]
    problems = verify_pack.check(resigned(edited(items, where, edit), built), key)
    assert named_in(problems, named) or any(p.startswith(f"{named}: the signature of") for p in problems), problems


def test_a_payload_left_out_by_the_platform_is_found(items: dict[str, bytes], built: Workspace, key: bytes) -> None:
    name = next(n for n in items if n.startswith(verify_pack.PAYLOADS))
    without = resigned({n: content for n, content in items.items() if n != name}, built)
    gone, digest = f"{name}: missing, and no entry says that it was erased", Path(name).stem
    assert gone in verify_pack.check(without, key)
    naming = edited(without, verify_pack.RECEIPTS, lambda v: v[0]["entry"]["subjects"].append({"digest": digest}))
    assert gone in verify_pack.check(naming, key)


NO_SIGNATURE: dict[str, Callable[[dict[str, Any]], object]] = {
    "the author's responsibility": lambda entry: entry.update(reason="responsibility"),
    "under another record": lambda entry: entry["subjects"][0].update(digest="0" * 64),
    "of another kind": lambda entry: entry.update(type="approval.rejected"),
}


@pytest.mark.parametrize("meaning", ["review", "approval"])
@pytest.mark.parametrize("case", NO_SIGNATURE)
def test_what_is_no_signature_under_this_record_stands_for_none_in_the_ledger(
    items: dict[str, bytes], key: bytes, meaning: str, case: str
) -> None:
    def instead(receipts: list[dict[str, Any]]) -> None:
        for entry in (r["entry"] for r in receipts if r["entry"]["reason"] == meaning):
            NO_SIGNATURE[case](entry)

    found = verify_pack.check(edited(items, verify_pack.RECEIPTS, instead), key)
    assert f"{verify_pack.RECEIPTS}: the ledger does not hold both signatures under this record" in found


def test_two_keys_of_one_person_are_not_two_people(items: dict[str, bytes], key: bytes) -> None:
    def one_person(approval: dict[str, Any]) -> None:
        for signature in approval["signatures"]:
            signature["person_id"] = approval["signatures"][0]["person_id"]

    found = verify_pack.check(edited(items, verify_pack.APPROVAL, one_person), key)
    assert f"{verify_pack.APPROVAL}: not reviewed by one person and then approved by another" in found


@pytest.mark.parametrize("signer", [0, 1])
def test_who_made_a_model_is_none_of_the_two(items: dict[str, bytes], key: bytes, signer: int) -> None:
    def by_its_author(approval: dict[str, Any]) -> None:
        approval["record"]["author"] = approval["signatures"][signer]["person_id"]

    found = verify_pack.check(edited(items, verify_pack.APPROVAL, by_its_author), key)
    assert any("who made the model" in problem for problem in found)


def test_a_crate_that_does_not_name_itself_hides_no_other_fault(
    items: dict[str, bytes], built: Workspace, key: bytes
) -> None:
    def hide(crate: dict[str, Any]) -> None:
        crate["@graph"] = [entity for entity in crate["@graph"] if entity["@id"] != verify_pack.METADATA]
        next(entity for entity in crate["@graph"] if entity["@id"] == verify_pack.STEPS)["sha256"] = "0" * 64

    found = verify_pack.check(resigned(edited(items, verify_pack.METADATA, hide), built), key)
    assert f"{verify_pack.METADATA}: does not name {verify_pack.METADATA}" in found
    assert f"{verify_pack.METADATA}: states another digest of {verify_pack.STEPS}" in found


def test_an_empty_key_is_another_key_and_not_that_of_the_pack(items: dict[str, bytes]) -> None:
    found = verify_pack.check(items, b"")
    assert named_in(found, verify_pack.PUBLIC_KEY) and named_in(found, verify_pack.MANIFEST)


def test_the_verifier_in_the_pack_runs_alone(pack: Path, tmp_path: Path, built: Workspace) -> None:
    with zipfile.ZipFile(pack) as opened:
        opened.extractall(tmp_path / "pack")
    command = [sys.executable, "-I", "verify.py", "--key", str(built.keys / "platform.pub")]
    done = subprocess.run(command, cwd=tmp_path / "pack", capture_output=True, text=True)
    assert done.returncode == 0 and "everything is as it was packed and signed" in done.stdout, done.stderr
    (tmp_path / "pack" / verify_pack.GATES).unlink()
    done = subprocess.run(command, cwd=tmp_path / "pack", capture_output=True, text=True)
    assert done.returncode == 1 and f"{verify_pack.GATES}: missing" in done.stdout


def test_the_verifier_imports_nothing_but_python_and_cryptography(items: dict[str, bytes]) -> None:
    source = items[verify_pack.VERIFIER].decode()
    modules = {
        line.split()[1].split(".")[0] for line in source.splitlines() if line.lstrip().startswith(("import ", "from "))
    }
    assert modules - {"cryptography"} <= set(sys.stdlib_module_names)


@pytest.mark.skipif(not shutil.which("openssl") or not shutil.which("sha256sum"), reason="needs openssl and sha256sum")
def test_the_steps_by_hand_do_as_they_say(pack: Path, tmp_path: Path, built: Workspace) -> None:
    with zipfile.ZipFile(pack) as opened:
        opened.extractall(tmp_path)
    shutil.copy(built.keys / "platform.pub", tmp_path / "platform.pub")
    steps = (tmp_path / verify_pack.STEPS).read_text()
    lines = [line.strip() for line in steps.splitlines() if line.startswith("        ") and "SHA-256" not in line]
    commands = [line for line in lines if line.startswith(("sha256sum", "python -c", "( printf", "openssl"))]
    script = "\n".join(["set -e", *commands]).replace("/tmp/sig", "sig").replace("python -c", f"{sys.executable} -c")
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert len(commands) == 4 and done.returncode == 0 and "Verified OK" in done.stdout, done.stderr


def test_a_zip_with_two_items_of_one_name_is_refused(pack: Path, tmp_path: Path) -> None:
    """Readers differ in which of the two they take."""
    doubled = tmp_path / "doubled.zip"
    shutil.copy(pack, doubled)
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(doubled, "a") as opened:
        opened.writestr(verify_pack.PAGE, "every seizure was found")
    with pytest.raises(ValueError, match="two items of one name"):
        verify_pack.read(doubled)


numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53) + 1, 2**53 - 1)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@example([1e20, 1e21, 1e-6, 1e-7, 999999999999999900000.0, 0.1, -0.0])  # where ECMAScript changes its form
@given(values)
def test_the_verifier_writes_canonical_json_as_the_ledger_does(value: Any) -> None:
    assert verify_pack.canonical(value) == digest.canonical(value)


@given(st.integers(1, 40), st.data())
def test_the_verifier_accepts_the_inclusion_proofs_of_the_ledger_and_no_others(size: int, data: st.DataObject) -> None:
    leaves = [merkle.leaf_hash(b"%d" % n) for n in range(size)]
    nodes: dict[tuple[int, int], bytes] = {}
    frontier = merkle.Frontier()
    for leaf in leaves:
        nodes |= {(level, at): made for level, at, made in frontier.add(leaf)}
    index = data.draw(st.integers(0, size - 1))
    path = merkle.inclusion_path(lambda level, at: nodes[level, at], index, size)
    asked = data.draw(st.integers(-1, size))
    said = verify_pack.is_included(frontier.root(), size, asked, leaves[index], path)
    assert said == merkle.includes(frontier.root(), size, asked, leaves[index], path) == (asked == index)


def test_the_verifier_knows_the_kinds_of_statement_by_the_names_that_they_were_signed_under() -> None:
    assert verify_pack.CHECKPOINT_TYPE == checkpoints.PAYLOAD_TYPE
    assert verify_pack.SIGNATURE_TYPE == records.PAYLOAD_TYPE
    assert verify_pack.signed_bytes("kind", b"payload") == dsse.encode("kind", b"payload")
