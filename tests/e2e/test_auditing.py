"""An auditor's questions: was the ledger changed, and what stands behind this answer, down to the bytes?"""

import shutil
import sqlite3
from pathlib import Path

import pytest

from data.cohorts.bids import read_cohort
from flows.predict import predict_file
from flows.stages.files import splits
from flows.withdraw import withdraw
from flows.workspace import Workspace
from lineage.circumstances import pins
from lineage.digest import sha256_file
from lineage.graph import things
from lineage.ledger import Ledger
from lineage.refused import Refused
from tests.commands import ictal
from tests.e2e.conftest import Pipeline, components, copy_of

SEEN_BY_AUDITORS = ("workspace.json", "params.yaml", "keys", "ledger", "data/raw")


@pytest.fixture
def copied(pipeline: Pipeline, prediction: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """What an auditor is given: ledger, public keys and recordings. Here they may be tampered with."""
    made = copy_of(pipeline.workspace, tmp_path / "copy", SEEN_BY_AUDITORS)
    monkeypatch.setenv("ICTAL_HOME", str(made.root))
    return made


def test_an_untouched_ledger_verifies(at_pipeline: Pipeline, prediction: str) -> None:
    said = ictal("audit", "verify", "--json")
    assert said.code == 0 and said.json["ok"] and said.json["problems"] == []
    assert said.json["size"] == len(Ledger(at_pipeline.workspace.ledger).entries()) > 50


def test_a_copy_of_the_ledger_verifies_as_well(copied: Workspace) -> None:
    assert ictal("audit", "verify").code == 0


@pytest.mark.parametrize("text", [b"from demo-north", b"completed", b"review"])
def test_one_changed_byte_of_the_ledger_is_found(copied: Workspace, text: bytes) -> None:
    flip(copied.ledger, text)
    said = ictal("audit", "verify", "--json")
    assert said.code == 1 and not said.json["ok"] and said.json["problems"]


def flip(ledger: Path, text: bytes) -> None:
    """Change one letter of the first place where `text` stands in the ledger's bytes.

    What the service keeps in the same file for itself, its jobs and numbers for monitoring, is no part of the ledger.
    """
    connection = sqlite3.connect(ledger)
    beside = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'serving_%'")
    for (name,) in beside.fetchall():
        connection.execute(f"DROP TABLE {name}")
    connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    stored = ledger.read_bytes()
    place = stored.index(text)
    ledger.write_bytes(stored[:place] + bytes([stored[place] ^ 1]) + stored[place + 1 :])


def test_a_ledger_that_lost_its_end_is_found(copied: Workspace, prediction: str) -> None:
    connection = sqlite3.connect(copied.ledger)
    connection.execute("DROP TRIGGER entry_refuses_delete")
    connection.execute("DELETE FROM entry WHERE seq = (SELECT max(seq) FROM entry)")
    connection.commit()
    connection.close()
    assert ictal("audit", "verify").code == 1


def test_an_answer_is_followed_back_to_bytes_that_match_and_to_who_signed(
    at_pipeline: Pipeline, prediction: str
) -> None:
    found = ictal("audit", "why", prediction, "--json").json
    assert found["subject"]["kind"] == "prediction"
    kinds = {step["kind"] for step in found["steps"]}
    assert {"model", "run", "split", "dataset", "recording", "validation"} <= kinds
    assert all(state.startswith("matches") for state in found["raw_bytes"].values())
    registered = {sha256_file(e.path) for e in read_cohort(at_pipeline.workspace.cohort).entries}
    assert len(found["raw_bytes"]) == 36 and set(found["raw_bytes"]) < registered
    assert [line.split(" by ")[0] for line in found["signatures"]] == ["signed: review", "signed: approval"]


def test_the_model_behind_an_answer_was_not_trained_on_its_recording(at_pipeline: Pipeline, prediction: str) -> None:
    found = ictal("audit", "why", prediction, "--json").json
    (recording,) = {s["label"] for s in found["steps"] if s["kind"] == "recording" and s["depth"] == 1}
    fold = splits(at_pipeline.workspace)["patient"].folds[at_pipeline.workspace.params.promote.fold]
    assert recording in fold.test


def test_a_recording_whose_bytes_changed_is_told_and_no_other(copied: Workspace, prediction: str) -> None:
    victim = read_cohort(copied.cohort).entries[3].path
    before = sha256_file(victim)
    content = bytearray(victim.read_bytes())
    content[-7] ^= 1
    victim.write_bytes(content)
    said = ictal("audit", "why", prediction, "--json")
    found = said.json["raw_bytes"]
    assert [digest for digest, state in found.items() if not state.startswith("matches")] == [before]
    assert said.code == 1 and not said.json["problems"]
    assert found[before] == f"other bytes than were registered stand at {victim.relative_to(copied.root)}"


def test_what_the_ledger_does_not_know_is_refused(at_pipeline: Pipeline) -> None:
    said = ictal("audit", "why", "no-such-prediction")
    assert said.code == 2 and "0 things in the ledger" in said.err


def test_a_workspace_without_a_ledger_does_not_verify(copied: Workspace) -> None:
    shutil.rmtree(copied.ledger.parent)
    said = ictal("audit", "verify")
    assert said.code == 2 and "no ledger" in said.err


def test_an_answer_is_given_again_to_the_bit_from_the_recording_with_its_digest(
    at_pipeline: Pipeline, prediction: str
) -> None:
    said = ictal("audit", "replay", prediction, "--json")
    assert said.code == 0 and said.json["verdict"] == "bit-equal" and said.json["same_code"]


def test_the_model_in_force_tells_its_predictions_and_rests_on_this_environment(
    at_pipeline: Pipeline, prediction: str
) -> None:
    listed = ictal("audit", "predictions", "--model", at_pipeline.candidate[:12], "--limit", 0, "--json").json
    assert prediction in {one["id"] for one in listed["predictions"]} and listed["count"] == listed["shown"]
    rests = ictal("audit", "blast", "--library", f"torch=={pins()['torch']}", "--json").json
    assert at_pipeline.candidate in {node["digest"] for node in rests["in_force"]}
    assert rests["kinds"]["prediction"] >= listed["count"]


def test_two_detectors_differ_in_parameters_and_figures_on_the_same_data(at_pipeline: Pipeline) -> None:
    models = {node.label: node.digest for node in things(Ledger(at_pipeline.workspace.ledger), "model")}
    first, second = models["da_stnet fold 0"], models["line_length fold 0"]
    found = ictal("audit", "diff", first[:16], second[:16], "--json").json
    assert {"parameters", "evaluation"} <= set(found["differences"]) and {"data", "split"} <= set(found["same"])


def test_who_takes_consent_back_is_gone_the_model_revoked_and_training_goes_on(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_out = shutil.ignore_patterns("prefect")
    shutil.copytree(pipeline.workspace.root, tmp_path / "home", ignore=left_out)
    here = Workspace(tmp_path / "home")
    monkeypatch.setenv("ICTAL_HOME", str(here.root))
    entries = read_cohort(here.cohort).entries
    fold = splits(here)["patient"].folds[here.params.promote.fold]
    person = next(e.person for e in entries if e.name in fold.train)
    theirs = [e for e in entries if e.person == person]
    gone = {sha256_file(e.path) for e in theirs}
    found = withdraw(
        person, "letter of the guardian", {"all": "keep", pipeline.candidate: "withdraw"},
        signer="demo-reviewer-1", components=lambda id: components(here, id),
    )  # fmt: skip
    assert found["ok"], found["text"]
    (decided,) = [d for d in found["decisions"] if d["digest"] == pipeline.candidate]
    assert (decided["role"], decided["decision"]) == ("trained on", "withdraw")
    with pytest.raises(Refused, match="revoked"):
        predict_file(pipeline.unseen[0].path, age="3d", detector=None, site="demo-north", url=None, key=None)
    assert ictal("audit", "verify").code == 0
    for command in (("check", here.cohort_name), ("train", "line_length")):
        said = ictal(*command)
        assert said.code == 0, said.err
    divided = splits(here)["patient"].folds
    assert divided and not {e.name for e in theirs} & {n for f in divided for n in (*f.train, *f.inner_valid, *f.test)}
    assert not gone & {sha256_file(p) for p in here.root.rglob("*") if p.is_file()}
