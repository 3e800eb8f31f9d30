"""Whom a detector learnt from beforehand is what the guard is told: no more persons, no fewer, and their bytes."""

import shutil
from pathlib import Path

import pytest
import torch

from flows.stages.audits import pretrainings
from flows.stages.files import accepted, digest_of_entry, pretraining_log, write_json
from flows.stages.pretrain import PERIOD, learn, learnt_from
from flows.workspace import Workspace
from models.detector import Detector
from models.detectors.forecaster import Forecaster
from models.detectors.gestures import Gestures
from tests.test_courses import film
from tests.test_forecaster import TINY as FORECASTER
from tests.test_gestures import TINY as GESTURES
from validation.leakage import Disclosure, GuardOutcome, Pretraining, inspect
from validation.splits import Fold, Member, Split

PERSONS = {"sub-01": "key-a", "sub-02": "key-b", "sub-03": "key-c"}
HUMAN, WALK = ("sub-01_task-human", "sub-02_task-human"), "sub-03_task-walk"
SPLIT = Split("patient", 7, 0.25, (Fold(("rec-0",), ("rec-1",), ("rec-2",)),))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Three films of the period in which detectors learn from others."""
    made = Workspace(tmp_path_factory.mktemp("pretraining"), task="forecasting")
    (made.root / "params.yaml").write_text("train: {preset: demo}\n")
    write_json(made.root / "workspace.json", {"kind": "real"})
    write_json(made.cohort / "dataset_description.json", {"Name": "tiny", "BIDSVersion": "1.9.0"})
    rows = [f"{patient}\t{person}\t{PERIOD}" for patient, person in PERSONS.items()]
    (made.cohort / "participants.tsv").write_text("\n".join(["participant_id\tperson\tperiod", *rows]) + "\n")
    for number, name in enumerate((*HUMAN, WALK)):
        path = made.cohort / name[:6] / "video" / f"{name}_video.mp4"
        path.parent.mkdir(parents=True)
        film(path, number)
    write_json(made.interim / "checks" / "accepted.json", [*HUMAN, WALK])
    return made


def learning(workspace: Workspace, detector: Detector) -> tuple[Pretraining, ...]:
    shutil.rmtree(workspace.store / "pretrained", ignore_errors=True)
    learn(workspace, detector)
    return pretrainings(learnt_from(workspace, detector.name))


def forecaster(weights: str = "") -> Detector:
    return Forecaster({**FORECASTER, "weights": weights, "pretraining": {**FORECASTER["pretraining"], "steps": 1}})


def guarded(stated: tuple[Pretraining, ...], person: str = "key-t", digest: str = "sha-t") -> GuardOutcome:
    """What the guard says where the tested recording is of this person and has these bytes."""
    tested = Member("rec-2", "rec-2", person, "A", True, digest)
    others = [Member(f"rec-{n}", f"rec-{n}", f"key-{n}", "A", True, f"sha-{n}") for n in range(2)]
    found = inspect(SPLIT, [*others, tested], disclosed=Disclosure(pretrained_on=stated))
    return next(o for o in found.outcomes if o.guard == "pretraining")


def test_the_guard_sees_who_was_learnt_from_under_another_key_by_their_bytes(workspace: Workspace) -> None:
    stated = learning(workspace, forecaster())
    bytes_of = {e.name: digest_of_entry(e) for e in accepted(workspace, PERIOD)}
    assert guarded(stated).outcome == "pass"
    assert (
        guarded(stated, digest=bytes_of[HUMAN[1]]).reason == "network has seen rec-2, tested in fold 0, the same bytes"
    )
    assert guarded(stated, person="key-a").reason == "network has seen rec-2, tested in fold 0, the same person"


def test_a_film_of_which_nothing_was_learnt_is_not_said_to_have_been_seen(workspace: Workspace) -> None:
    (stated,) = learning(workspace, forecaster())
    assert stated.persons == {"key-a", "key-b"} and len(stated.digests) == 2 and stated.recordings == set(HUMAN)
    log = pretraining_log(workspace, "forecaster")
    assert log is not None and list(log["recordings"]) == list(HUMAN)


def test_whom_published_weights_have_seen_is_unknown_and_so_is_the_guard(workspace: Workspace, tmp_path: Path) -> None:
    torch.save({"state_dict": Gestures(GESTURES).stcnn.network.state_dict()}, tmp_path / "published.pth")
    stated = learning(workspace, Gestures({**GESTURES, "weights": str(tmp_path / "published.pth")}))
    assert stated == (Pretraining("published weights published.pth"),)  # they took the place of the lessons
    said = guarded(stated, person="key-c")
    assert (said.outcome, said.reason) == (
        "unknown", "nobody is named in the pre-training data of published weights published.pth",
    )  # fmt: skip
    log = pretraining_log(workspace, "gestures")
    assert log is not None and log["recordings"] == {}


def test_who_was_learnt_from_after_published_weights_is_seen_all_the_same(workspace: Workspace, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    begun = forecaster()
    learning(workspace, begun)
    assert isinstance(begun, Forecaster)
    save_file(dict(begun.pretrained().tensors), tmp_path / "videomae.safetensors")
    stated = learning(workspace, forecaster(str(tmp_path / "videomae.safetensors")))
    assert [p.what for p in stated] == ["network", "published weights videomae.safetensors"]
    assert guarded(stated).outcome == "unknown"
    assert guarded(stated, person="key-b").outcome == "leak"


def test_a_log_of_before_digests_were_stated_names_its_persons(workspace: Workspace) -> None:
    stated = pretrainings([{"what": "network", "persons": ["key-a"]}])
    assert guarded(stated).outcome == "pass" and guarded(stated, person="key-a").outcome == "leak"
