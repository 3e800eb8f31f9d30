"""The same bytes through the same bundle give the same answer again, and what cannot be asked again is said clearly."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from flows import audit_replay
from flows.audit_receipt import check_receipt
from flows.audit_replay import TOLERANCE, _apart, replay
from lineage.ledger import Actor, Entry, Ledger, Software
from lineage.refused import Refused
from models.decisions import Decision
from models.detectors.da_stnet import DaStNet
from models.typing import load_model
from serving.answering import answer
from serving.asking import answering_code, machine, view_of
from serving.journal import Journal
from serving.loader import Loader
from tests.commands import ictal
from tests.ledgers import alter
from tests.served import NOW, people_and_keys, put_bundle_in_force, put_in_force, write_recording


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A workspace that answered one recording, and what it said."""
    home = tmp_path_factory.mktemp("replay") / "home"
    people_and_keys(home)
    put_in_force(home)
    (home / "workspace.json").write_text('{"kind": "demo"}')
    recording = write_recording(home.parent / "night.edf")
    journal = Journal(home, Software("c" * 40, "1" * 64, dirty=False))
    said = answer(
        recording, site="demo-north", age_days=3.0, loader=Loader(home, allow_demo=True), journal=journal, now=NOW
    )
    return home, said.model_dump(mode="json")


@pytest.fixture
def home(made: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("ICTAL_HOME", str(made[0]))
    yield made[0]


@pytest.fixture
def copied(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(home, tmp_path / "home")
    monkeypatch.setenv("ICTAL_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def prediction(made: tuple[Path, dict[str, Any]]) -> str:
    return str(made[1]["prediction_id"])


def night(home: Path) -> Path:
    return home.parent / "night.edf"


def test_the_same_is_answered_to_the_bit_and_nothing_is_written(home: Path, prediction: str) -> None:
    before = len(Ledger(home / "ledger" / "ledger.db").entries())
    found = replay(prediction, [night(home)])
    assert (found["verdict"], found["ok"], found["same_code"], found["same_machine"]) == ("bit-equal", True, True, True)
    assert len(Ledger(home / "ledger" / "ledger.db").entries()) == before


def test_an_answer_says_what_was_asked(made: tuple[Path, dict[str, Any]]) -> None:
    home, said = made
    asked = said["asked"]
    assert asked["files"] == [said["recording_digest"]] and asked["age_days"] == 3.0
    assert asked["code"] == answering_code() and asked["machine"] == machine()
    assert view_of(Path("sub-1_view-small_video.mp4")) == "small" and view_of(night(home)) == ""


def test_other_bytes_are_refused(home: Path, prediction: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="not the bytes that were asked about"):
        replay(prediction, [write_recording(tmp_path / "other.edf", seconds=60)])
    with pytest.raises(Refused, match="no such file"):
        replay(prediction, [tmp_path / "none.edf"])


def test_bytes_that_are_not_kept_are_asked_for(home: Path, prediction: str) -> None:
    said = ictal("audit", "replay", prediction)
    assert said.code == 2 and "give them with --file" in said.err


def test_a_bundle_that_is_gone_is_told(copied: Path, home: Path, prediction: str) -> None:
    shutil.rmtree(copied / "bentoml")
    with pytest.raises(Refused, match="is gone"):
        replay(prediction, [night(home)])


def test_an_erased_answer_cannot_be_asked_again(copied: Path, home: Path, prediction: str) -> None:
    ledger = Ledger(copied / "ledger" / "ledger.db")
    (entry,) = [e for e in ledger.entries() if e.type.startswith("prediction.")]
    ledger.erase(entry.payload_digest, actor=Actor("operator"), reason="consent withdrawn")
    with pytest.raises(Refused, match="was erased"):
        replay(prediction, [night(home)])


def test_an_answer_that_was_altered_in_the_ledger_is_refused_in_a_sentence(copied: Path, prediction: str) -> None:
    alter(copied / "ledger" / "ledger.db", "UPDATE payload SET content = CAST('{}' AS BLOB)")
    said = ictal("audit", "replay", prediction)
    assert said.code == 2 and "has been changed; `ictal audit verify`" in said.err and "Traceback" not in said.err
    alter(copied / "ledger" / "ledger.db", "UPDATE entry SET envelope = '{' WHERE type LIKE 'prediction.%'")
    said = ictal("audit", "replay", prediction)
    assert said.code == 2 and "cannot be read; `ictal audit verify`" in said.err and "Traceback" not in said.err


def test_other_code_is_refused_unless_it_is_to_be_compared(
    home: Path, prediction: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_replay, "answering_code", lambda: "f" * 64)
    with pytest.raises(Refused, match=f"not the code that answered.*commit {'c' * 12}"):
        replay(prediction, [night(home)])
    found = replay(prediction, [night(home)], other_code=True)
    assert found["ok"] and not found["same_code"] and "other code" in found["text"]


def test_what_onnx_runtime_answered_and_explained_is_replayed_to_the_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.test_engines import da_stnet_bundle

    home = tmp_path / "home"
    people_and_keys(home)
    made = replace(da_stnet_bundle(), decision=Decision(0.01))
    assert isinstance(made.detector, DaStNet)
    with torch.no_grad():
        made.detector.network.classifier.weight.neg_()  # weights as drawn hold all EEG for less than none
    put_bundle_in_force(home, made)
    (home / "workspace.json").write_text('{"kind": "demo"}')
    monkeypatch.setenv("ICTAL_HOME", str(home))
    recording, loader = write_recording(tmp_path / "night.edf", seconds=60), Loader(home, allow_demo=True)
    asked = {"site": "demo-north", "age_days": 3.0, "journal": Journal(home), "now": NOW}
    said = answer(recording, loader=loader, **asked)
    assert said.asked and said.asked.engine == "onnxruntime"
    assert said.events and said.events[0].channels and said.events[0].drivers
    found = replay(said.prediction_id, [recording])
    assert (found["verdict"], found["same_code"], found["same_machine"]) == ("bit-equal", True, True)
    monkeypatch.setattr(audit_replay, "load_model", lambda folder, engine: load_model(folder))
    slow = replay(said.prediction_id, [recording])
    assert slow["largest_difference"] <= 1e-5, "the reference says the same, to the fifth decimal"


def judged(change: Any, same: bool) -> dict[str, Any]:
    before = {"prediction_id": "p", "outcome": "completed", "events": [{"onset_s": 1.0, "confidence": 0.5}]}
    after = json.loads(json.dumps(before))
    change(after)
    entry = Entry(0, "", "prediction.issued", NOW, NOW, Actor("a"))  # type: ignore[arg-type]
    return audit_replay._compared(entry, before, after, same, same)


def test_another_machine_may_differ_within_the_tolerance_the_same_may_not() -> None:
    def little(after: Any) -> None:
        after["events"][0]["confidence"] += TOLERANCE / 2

    def much(after: Any) -> None:
        after["events"][0]["confidence"] += TOLERANCE * 2

    assert [judged(little, same)["verdict"] for same in (True, False)] == ["different", "within tolerance"]
    assert [judged(little, same)["ok"] for same in (True, False)] == [False, True]
    assert not judged(much, False)["ok"] and judged(much, False)["verdict"] == "different"
    assert judged(lambda after: after.update(prediction_id="q"), True)["verdict"] == "bit-equal"


def test_what_older_answers_did_not_say_is_no_difference() -> None:
    assert judged(lambda after: after.update(said_of_late=5.0), False)["verdict"] == "bit-equal"
    assert not judged(lambda after: after.pop("outcome"), False)["ok"]


def test_one_event_more_or_another_outcome_is_another_answer() -> None:
    assert not judged(lambda after: after["events"].append({"onset_s": 9.0}), False)["ok"]
    assert judged(lambda after: after.update(outcome="not_evaluable"), False)["differs"] == ["outcome"]
    assert _apart({"a": [1, None]}, {"a": [1, 0.5]}) == {"a.1": None}


def test_a_saved_answer_is_checked_with_the_public_key_alone(
    made: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, said = made
    monkeypatch.setenv("ICTAL_HOME", str(tmp_path / "nowhere"))
    (tmp_path / "answer.json").write_text(json.dumps(said))
    key = home / "keys" / "platform.pub"
    sound = ictal("audit", "receipt", tmp_path / "answer.json", "--key", key, "--json")
    assert sound.code == 0 and sound.json["kind"] == "answer" and sound.json["entry"]["type"].startswith("prediction.")
    (tmp_path / "receipt.json").write_text(json.dumps(said["receipt"]))
    assert check_receipt(tmp_path / "receipt.json", key)["kind"] == "receipt"
    (tmp_path / "answer.json").write_text(json.dumps({**said, "coverage": 0.5}))
    forged = ictal("audit", "receipt", tmp_path / "answer.json", "--key", key)
    assert forged.code == 1 and "belongs to another answer" in forged.out


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"receipt": 3}', '{"receipt": {"entry": 1}}', '{"entry": []}'])
def test_what_is_no_answer_is_told_without_a_traceback(home: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "answer.json").write_text(content)
    said = ictal("audit", "receipt", tmp_path / "answer.json")
    assert said.code in (1, 2) and "Traceback" not in said.err


def test_a_key_that_is_none_is_refused(made: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "answer.json").write_text(json.dumps(made[1]))
    (tmp_path / "key").write_text("no key")
    with pytest.raises(Refused, match="P-256"):
        check_receipt(tmp_path / "answer.json", tmp_path / "key")
