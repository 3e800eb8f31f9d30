"""An evidence pack holds everything behind a model or is not built; whoever has the key finds whatever was changed."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rocrate.rocrate import ROCrate

from flows import evidence
from flows.pack import PackIncomplete, contents_of, pack_model
from flows.packing import parts
from flows.packing.about import about
from flows.packing.case import Case
from flows.promote import approval_path, candidate_path
from flows.published import PROVENANCE
from flows.rehearsals import KIND, kept_path, rehearsed
from flows.stages.files import evaluation_of, read_json, write_json
from flows.workspace import Workspace
from lineage import crate, sbom, verify_pack
from lineage.approvals import revoke
from lineage.digest import canonical, digest_of, sha256_bytes, sha256_file
from lineage.graph import EdgeRow, NodeRow
from lineage.keys import platform_key
from lineage.ledger import Draft, Subject
from lineage.refused import Refused
from serving.terms import revocations_folder
from tests.authenticator import code
from tests.commands import ictal
from tests.packed import (
    AUDIT,
    LOCK,
    NOW,
    OUTSIDER,
    PIPELINE,
    RECORDINGS,
    SPLIT,
    answer,
    finished_pack,
    ledger_of,
    pack_home,
)
from tests.served import PASSPHRASE, REVIEWER


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The workspace as it was made; tests that change anything work in a copy."""
    return pack_home(tmp_path_factory.mktemp("built") / "home")


@pytest.fixture
def workspace(built: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A copy, in force for commands; its training was locked by a checkout of two packages."""
    shutil.copytree(built.root, tmp_path / "home")
    (tmp_path / "checkout").mkdir()
    (tmp_path / "checkout" / "constraints.txt").write_bytes(LOCK)
    monkeypatch.setattr(parts, "ROOT", tmp_path / "checkout")
    monkeypatch.setenv("ICTAL_HOME", str(tmp_path / "home"))
    return Workspace(tmp_path / "home")


@pytest.fixture(scope="module")
def pack(built: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished_pack(built, tmp_path_factory.mktemp("finished"))


@pytest.fixture
def items(pack: Path) -> dict[str, bytes]:
    return verify_pack.read(pack)


def candidate_of(workspace: Workspace) -> dict[str, Any]:
    (path,) = (workspace.store / "candidates").glob("*.json")
    return dict(read_json(path))


def case_of(workspace: Workspace) -> Case:
    return Case(workspace, candidate_of(workspace))


def kept(workspace: Workspace, name: str) -> Path:
    return evidence.evidence_folder(workspace, candidate_of(workspace)) / name


def bundle_of(workspace: Workspace) -> Path:
    return case_of(workspace).bundle


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def in_database(workspace: Workspace, statement: str, *values: Any) -> None:
    """As somebody would who has the file and knows SQL: triggers go first."""
    with closing(sqlite3.connect(workspace.ledger)) as connection, connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        assert connection.execute(statement, values).rowcount == 1


def lose_payload(workspace: Workspace, type: str) -> None:
    entry = ledger_of(workspace).entries(type)[-1]
    in_database(workspace, "DELETE FROM payload WHERE digest = ?", entry.payload_digest)


def forge_payload(workspace: Workspace, type: str) -> None:
    entry = ledger_of(workspace).entries(type)[-1]
    in_database(workspace, "UPDATE payload SET content = '{}' WHERE digest = ?", entry.payload_digest)


def forge_entry(workspace: Workspace) -> None:
    entry = ledger_of(workspace).entries("model.signed")[0]
    forged = canonical({**entry.envelope(), "reason": "by somebody else"})
    in_database(workspace, "UPDATE entry SET envelope = ? WHERE seq = ?", forged, entry.seq)


def change_candidate(workspace: Workspace, name: str) -> None:
    candidate = candidate_of(workspace)
    candidate["evidence"][name] = "0" * 64
    write_json(candidate_path(workspace, candidate["candidate"]), candidate)


def change_approval(workspace: Workspace, **changes: Any) -> None:
    path = approval_path(workspace, candidate_of(workspace))
    approval = read_json(path)
    approval["signatures"][1] |= changes
    write_json(path, approval)


def rehearsal(workspace: Workspace) -> str:
    """A rehearsal of one of the approval's sites, recorded and kept; returns its digest."""
    path = workspace.root / "rehearsal.json"
    write_json(path, {"site": "demo-north", "faults": [FOUND, MISSED, NOT_SHOWN]})
    digest = sha256_file(path)
    kept_path(workspace, digest).parent.mkdir(parents=True, exist_ok=True)
    path.rename(kept_path(workspace, digest))
    draft = Draft(
        "evaluation.recorded", PIPELINE, (Subject(KIND, "demo-north", digest),), payload={"site": "demo-north"}
    )
    ledger_of(workspace).append_many([draft], now=NOW)
    return digest


FOUND = {"fault": "gain", "state": "measured", "power": 1.0}
MISSED = {"fault": "swapped", "state": "measured", "power": 0.3}
NOT_SHOWN = {"fault": "infrared", "state": "not evaluable", "reason": "no checked film is from this site"}

LOST: dict[str, tuple[str, Callable[[Workspace], object]]] = {
    "no card": ("model card", lambda w: kept(w, "card.md").unlink()),
    "another card": ("model card", lambda w: flip(kept(w, "card.md"))),
    "no result": ("evaluation", lambda w: kept(w, "result.json").unlink()),
    "another result": ("evaluation", lambda w: flip(kept(w, "result.json"))),
    "no report": ("evaluation", lambda w: kept(w, "report.json").unlink()),
    "another report": ("evaluation", lambda w: flip(kept(w, "report.json"))),
    "no page": ("evaluation page", lambda w: kept(w, "page.html").unlink()),
    "another page": ("evaluation page", lambda w: flip(kept(w, "page.html"))),
    "a page that the ledger does not know": ("evaluation page", lambda w: change_candidate(w, "report")),
    "no gates": ("gates", lambda w: kept(w, "gates.json").unlink()),
    "other gates": ("gates", lambda w: flip(kept(w, "gates.json"))),
    "another audit": ("leakage audit", lambda w: change_candidate(w, "leakage_audit")),
    "an audit of another split": ("leakage audit", lambda w: change_candidate(w, "split")),
    "no split": ("split", lambda w: lose_payload(w, "split.created")),
    "another split": ("split", lambda w: forge_payload(w, "split.created")),
    "no dataset": ("dataset manifest", lambda w: lose_payload(w, "dataset.frozen")),
    "another dataset": ("dataset manifest", lambda w: forge_payload(w, "dataset.frozen")),
    "no approval": ("approvals", lambda w: approval_path(w, candidate_of(w)).unlink()),
    "half an approval": ("approvals", lambda w: flip(approval_path(w, candidate_of(w)))),
    "a signature of somebody else": ("approvals", lambda w: change_approval(w, person_id=REVIEWER)),
    "a signature at another time": ("approvals", lambda w: change_approval(w, utc_time="2026-03-02T09:00:01.000000Z")),
    "nobody registered": ("approvals", lambda w: (w.keys / "people.json").unlink()),
    "no bundle": ("bundle and its signature", lambda w: shutil.rmtree(bundle_of(w))),
    "no weights": ("bundle and its signature", lambda w: (bundle_of(w) / "weights.safetensors").unlink()),
    "other weights": ("bundle and its signature", lambda w: flip(bundle_of(w) / "weights.safetensors")),
    "no signature": ("bundle and its signature", lambda w: (bundle_of(w) / "model.sig").unlink()),
    "another environment": (
        "software bill of materials",
        lambda w: flip(w.root.parent / "checkout" / "constraints.txt"),
    ),
    "no lock": ("software bill of materials", lambda w: (w.root.parent / "checkout" / "constraints.txt").unlink()),
    "a rehearsal that was not kept": ("rehearsals of drift", lambda w: kept_path(w, rehearsal(w)).unlink()),
    "another rehearsal": ("rehearsals of drift", lambda w: flip(kept_path(w, rehearsal(w)))),
    "a thing without a name": (
        "lineage graph",
        lambda w: in_database(w, f"DELETE FROM {NodeRow.__tablename__} WHERE digest = ?", SPLIT.digest),
    ),
    "a run that came of no split": (
        "lineage graph",
        lambda w: in_database(w, f"DELETE FROM {EdgeRow.__tablename__} WHERE relation = 'split_by'"),
    ),
    "a forged entry": ("ledger entries", forge_entry),
    "a lost payload": ("ledger entries", lambda w: lose_payload(w, "approval.signed")),
    "a forged payload": ("ledger entries", lambda w: forge_payload(w, "candidate.proposed")),
    "no ledger": ("ledger entries", lambda w: shutil.rmtree(w.ledger.parent)),
    "no public key": ("platform key", lambda w: (w.keys / "platform.pub").unlink()),
    "another public key": ("platform key", lambda w: (w.keys / "platform.pub").write_bytes(OUTSIDER)),
    "no private key": ("platform key", lambda w: (w.keys / "platform.pem").unlink()),
}


@pytest.mark.parametrize("case", LOST)
def test_a_part_that_is_missing_or_changed_stops_the_build_and_is_named(workspace: Workspace, case: str) -> None:
    part, lose = LOST[case]
    lose(workspace)
    with pytest.raises(PackIncomplete) as refused:
        contents_of(case_of(workspace))
    assert f"\n  {part}: " in str(refused.value)


def test_every_part_has_been_seen_to_fail(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "VERIFIER_SOURCE", workspace.root / "no-such-file.py")
    with pytest.raises(
        PackIncomplete, match=f"1 of {len(parts.PARTS)} parts are missing or failed\n  offline verifier: "
    ):
        contents_of(case_of(workspace))
    assert {part for part, _ in LOST.values()} | {"offline verifier"} == set(parts.PARTS)


def test_a_pack_that_nobody_named_a_file_for_lies_in_the_workspace_and_not_where_one_stands(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = Path(pack_model("line_length")["file"])
    assert made.parent == workspace.root / "reports" / "packs" and verify_pack.read(made)
    assert made.name.startswith("ictal-line_length-") and not list(tmp_path.glob("*.zip"))


def test_every_part_that_fails_is_named_at_once(workspace: Workspace) -> None:
    kept(workspace, "card.md").unlink()
    kept(workspace, "page.html").unlink()
    with pytest.raises(PackIncomplete, match="2 of 15 parts") as refused:
        contents_of(case_of(workspace))
    assert "model card: " in str(refused.value) and "evaluation page: " in str(refused.value)


def test_what_is_not_built_leaves_no_file(workspace: Workspace, tmp_path: Path) -> None:
    kept(workspace, "card.md").unlink()
    said = ictal("audit", "pack", "line_length", "--out", tmp_path / "pack.zip")
    assert said.code == 2 and "model card" in said.err and "Traceback" not in said.err
    assert not list(tmp_path.glob("*.zip*")) and not list(tmp_path.glob(".*"))


def test_a_pack_that_does_not_verify_is_not_kept(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(parts.PARTS, "platform key", lambda case: [])
    said = ictal("audit", "pack", "line_length", "--out", tmp_path / "pack.zip")
    assert said.code == 2 and "keys/platform.pub: missing" in said.err
    assert not list(tmp_path.glob("*pack.zip*"))


def test_the_same_state_gives_the_same_bytes_however_much_was_answered_since(
    workspace: Workspace, tmp_path: Path
) -> None:
    first = pack_model("line_length", tmp_path / "first.zip")
    answer(workspace, 1)
    ledger_of(workspace).checkpoint(platform_key(workspace.keys), NOW + timedelta(hours=3))
    second = pack_model(candidate_of(workspace)["candidate"][:8], tmp_path / "second.zip")
    assert first["sha256"] == second["sha256"]
    assert (tmp_path / "first.zip").read_bytes() == (tmp_path / "second.zip").read_bytes()


def test_the_ledger_knows_that_evidence_left_the_house_and_to_which_model_it_belongs(
    workspace: Workspace, tmp_path: Path
) -> None:
    made = [pack_model("line_length", tmp_path / name)["sha256"] for name in ("one.zip", "two.zip")]
    (entry,) = ledger_of(workspace).entries("data.exported")
    assert {entry.subjects[0].digest} == set(made)
    assert [(e.relation, e.parent) for e in entry.edges] == [("tells_of", candidate_of(workspace)["candidate"])]


def test_no_evidence_leaves_the_house_of_which_the_ledger_does_not_know(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("flows.records.record_once", cut_off)
    with pytest.raises(KeyboardInterrupt):
        pack_model("line_length", tmp_path / "one.zip")
    assert not [path for path in tmp_path.iterdir() if path.is_file()]


def test_answers_about_patients_are_not_packed(workspace: Workspace, tmp_path: Path) -> None:
    said = answer(workspace, 1)
    pack_model("line_length", tmp_path / "pack.zip")
    held = verify_pack.read(tmp_path / "pack.zip")
    assert not [name for name, content in held.items() if said.id.encode() in content or b"demo-north" in content]


def test_no_private_key_and_no_passphrase_is_packed(items: dict[str, bytes], built: Workspace) -> None:
    secrets = [p.read_bytes().splitlines()[1] for p in built.keys.glob("*.pem")]
    assert len(secrets) == 3
    for name, content in items.items():
        assert b"PRIVATE KEY" not in content and PASSPHRASE.encode() not in content, name
        assert not [secret for secret in secrets if secret in content], name


def test_a_model_nobody_signed_has_no_pack(workspace: Workspace) -> None:
    approval_path(workspace, candidate_of(workspace)).unlink()
    with pytest.raises(PackIncomplete, match="approvals: nobody has signed this candidate"):
        contents_of(case_of(workspace))


def test_a_revoked_model_is_packed_and_says_so(workspace: Workspace, tmp_path: Path) -> None:
    """An auditor asks most of all about what was taken back."""
    folder, digest = revocations_folder(workspace.root), candidate_of(workspace)["candidate"]
    shown = PASSPHRASE, code(workspace.keys, REVIEWER, NOW)
    revoke(folder, workspace.keys, REVIEWER, *shown, digest=digest, reason="missed seizures", now=NOW)
    pack_model("line_length", tmp_path / "pack.zip")
    held = verify_pack.read(tmp_path / "pack.zip")
    assert json.loads(held["approvals/revocations.json"])[0]["reason"] == "missed seizures"
    assert "Not in force" in held[verify_pack.PREVIEW].decode()


def test_an_erased_payload_is_no_missing_one(workspace: Workspace, tmp_path: Path) -> None:
    """Consent withdrawn: the line stays, what it said in full is gone, and the pack shows the line that says so."""
    pack_model("line_length", tmp_path / "whole.zip")
    told = verify_pack.read(tmp_path / "whole.zip")
    runs = ledger_of(workspace).entries("run.finished")
    entry = next(e for e in runs if f"{verify_pack.PAYLOADS}{e.payload_digest}.json" in told)
    ledger_of(workspace).erase(entry.payload_digest, actor=PIPELINE, reason="withdrawn", now=NOW)
    pack_model("line_length", tmp_path / "pack.zip")
    held = verify_pack.read(tmp_path / "pack.zip")
    assert f"{verify_pack.PAYLOADS}{entry.payload_digest}.json" not in held
    assert "erase.executed" in held[verify_pack.RECEIPTS].decode()


def test_without_a_checkpoint_one_is_signed(workspace: Workspace, tmp_path: Path) -> None:
    ledger = ledger_of(workspace)
    in_database(workspace, "DELETE FROM checkpoint")
    before = ledger.head().size
    pack_model("line_length", tmp_path / "pack.zip")
    assert [c.size for c in ledger.checkpoints()] == [before]


def test_weights_travel_only_when_asked_for(workspace: Workspace, tmp_path: Path, pack: Path) -> None:
    pack_model("line_length", tmp_path / "light.zip")
    weights = f"{verify_pack.BUNDLE}weights.safetensors"
    assert weights in verify_pack.read(pack) and weights not in verify_pack.read(tmp_path / "light.zip")


def test_a_pack_says_what_it_is_about(items: dict[str, bytes]) -> None:
    assert json.loads(items[verify_pack.DATASET]) == RECORDINGS
    assert json.loads(items[verify_pack.SPLIT]) == SPLIT.to_json()
    assert json.loads(items[verify_pack.LEAKAGE]) == AUDIT.to_json()
    shown = items[verify_pack.MANIFESTATIONS].decode()
    for manifested in (
        "Demo 1",
        "Demo 2",
        "meaning       review",
        "meaning       approval",
        "2026-03-02T09:00:00.000000Z",
    ):
        assert manifested in shown
    page = items[verify_pack.PREVIEW].decode()
    assert "Demo 1" in page and "<svg" in page and "<script" not in page and "0.80 ≥ 0.70" in page
    assert not sbom.schema_problems(items[verify_pack.SBOM].decode())


def test_a_pack_says_which_faults_a_site_would_notice(workspace: Workspace) -> None:
    digest = rehearsal(workspace)
    contents = contents_of(case_of(workspace))
    (named,) = json.loads(contents["monitoring/rehearsals.json"]).items()
    assert named[0] == "demo-north" and named[1]["digest"] == digest
    assert named[1]["table"] == read_json(kept_path(workspace, digest))
    page = contents[verify_pack.PREVIEW].decode()
    assert page.index("Rehearsals of drift") < page.index(">gain<") < page.index(">swapped<") < page.index(">infrared<")


def test_a_site_that_was_never_rehearsed_is_said_to_be_without(workspace: Workspace) -> None:
    first, second = rehearsal(workspace), rehearsal(workspace)
    of_sites = rehearsed(workspace, ledger_of(workspace), ("demo-*", "ward-7"))
    assert first == second and of_sites["ward-7"] is None
    assert of_sites["demo-north"] is not None and of_sites["demo-north"]["digest"] == second


def test_the_crate_is_read_back_by_the_library(pack: Path, items: dict[str, bytes]) -> None:
    read = ROCrate(pack)
    assert read.version == "1.2" and list(crate.problems(pack)) == []
    assert {e.id for e in read.data_entities} | {verify_pack.METADATA, verify_pack.PREVIEW} == set(items)
    assert read.license.id == "https://spdx.org/licenses/Apache-2.0"
    people = {e["name"] for e in read.get_by_type("Person")}
    assert people == {"Demo 1", "Demo 2"}
    assert read.datePublished == NOW + timedelta(hours=1)


def test_what_is_not_of_simulated_patients_states_no_licence_but_that_of_its_data(workspace: Workspace) -> None:
    """Nobody can give a licence for a hospital's evidence but the hospital."""
    simulated = described(case_of(workspace))
    assert simulated["./"]["license"]["@id"] == "https://spdx.org/licenses/Apache-2.0"
    candidate, report = candidate_of(workspace), kept(workspace, "report.json")
    write_json(report, {"detector": "line_length", "simulated": False})
    candidate["evidence"]["report"] = sha256_bytes(report.read_bytes())
    real = Case(workspace, candidate)
    stated = {
        "cohort": "helsinki",
        "licence": "CC BY 4.0",
        "licence_address": "https://creativecommons.org/licenses/by/4.0/",
    }
    terms = Subject("licence", "helsinki: CC BY 4.0", digest_of(stated))
    ledger_of(workspace).append_many([Draft("licence.accepted", PIPELINE, (terms,), payload=stated)])
    write_json(workspace.raw / "newborns" / PROVENANCE, {"cohort": "helsinki"})
    found = described(real)
    assert found["./"]["license"]["@id"] == "#no-licence-stated"
    assert found[verify_pack.DATASET]["license"] == [{"@id": stated["licence_address"]}]
    assert found[stated["licence_address"]]["name"] == "CC BY 4.0"


def described(case: Case) -> dict[str, dict[str, Any]]:
    """The crate's entities by id."""
    dataset = list(parts.PARTS["dataset manifest"](case))
    graph = json.loads(crate.metadata(about(case), dataset))["@graph"]
    return {entity["@id"]: entity for entity in graph}


def test_the_command_packs_and_checks(workspace: Workspace, tmp_path: Path) -> None:
    made = ictal("audit", "pack", "line_length", "--out", tmp_path / "pack.zip", "--json")
    assert made.code == 0 and made.json["sha256"] == sha256_bytes((tmp_path / "pack.zip").read_bytes())
    assert ictal("audit", "verify-pack", tmp_path / "pack.zip").code == 0
    other = tmp_path / "other.pub"
    other.write_bytes(OUTSIDER)
    said = ictal("audit", "verify-pack", tmp_path / "pack.zip", "--key", other, "--json")
    assert said.code == 1 and f"{verify_pack.PUBLIC_KEY}: is not the key that was given" in said.json["problems"]


def test_a_pack_is_checked_where_there_is_no_workspace(
    pack: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ICTAL_HOME", str(tmp_path / "nowhere"))
    said = ictal("audit", "verify-pack", pack)
    assert said.code == 0 and "the key inside the pack, whoever made it" in said.out


@pytest.mark.parametrize("content", [b"", b"not a zip"])
def test_what_is_no_pack_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "pack.zip").write_bytes(content)
    said = ictal("audit", "verify-pack", tmp_path / "pack.zip")
    assert said.code == 2 and "neither a zip nor a folder" in said.err


def test_what_nobody_proposed_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    for model in ("da_stnet", "ffff", ""):
        with pytest.raises(Refused, match="0 candidates begin with"):
            pack_model(model, tmp_path / "pack.zip")
    with pytest.raises(Refused, match="there is no folder"):
        pack_model("line_length", tmp_path / "no" / "pack.zip")


def test_two_proposals_of_one_bundle_keep_their_evidence_apart(workspace: Workspace) -> None:
    candidate = candidate_of(workspace)
    later = candidate | {"proposed_at": (NOW + timedelta(days=1)).isoformat()}
    assert evidence.evidence_folder(workspace, candidate) != evidence.evidence_folder(workspace, later)
    assert (
        approval_path(workspace, later).stem
        == evidence.evidence_folder(workspace, later).name
        == digest_of([later["candidate"], later["proposed_at"]])
    )


def test_what_the_signers_were_shown_is_kept_whatever_is_evaluated_later(tmp_path: Path) -> None:
    """A weekly evaluation replaces the reports; the model in force must keep the evidence that it was approved on."""
    workspace = Workspace(tmp_path)
    candidate = {"candidate": "a" * 64, "detector": "line_length", "proposed_at": NOW.isoformat()}
    reports = workspace.reports / "evaluation"
    originals = {
        "result.json": evaluation_of(workspace, "line_length", "patient") / "result.json",
        "seconds.parquet": evaluation_of(workspace, "line_length", "patient") / "seconds.parquet",
        "report.json": reports / "line_length.json",
        "page.html": reports / "line_length.html",
        "gates.json": reports / "gates.json",
        "card.md": reports / "line_length.card.md",
    }
    for name, original in originals.items():
        original.parent.mkdir(parents=True, exist_ok=True)
        original.write_text(f"{name} as it was signed")
    folder = evidence.keep_evidence(workspace, candidate)
    for original in originals.values():
        original.write_text("of another week")
    assert {p.name: p.read_text() for p in folder.iterdir()} == {n: f"{n} as it was signed" for n in originals}
    originals["page.html"].unlink()
    with pytest.raises(FileNotFoundError):
        evidence.keep_evidence(workspace, candidate)
    assert (folder / "page.html").read_text() == "page.html as it was signed"
