"""The same seeds give the same bytes, on one worker as on two, in whatever company a fold is trained."""

import json
from pathlib import Path
from typing import Any

import pytest

from data.cohorts.bids import read_cohort
from flows.stages.files import dataset_digest, development, read_json, splits, training_of
from flows.workspace import Workspace
from lineage.digest import sha256_file
from tests.e2e.conftest import Pipeline
from tests.e2e.test_pipeline import run_stage
from tests.e2e.verbs import tiny_workspace

ONE_WORKER = {"ICTAL_WORKERS": "1"}


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The same newborns simulated, checked, split and learnt from a second time, from nothing, on one worker."""
    made = tiny_workspace(tmp_path_factory.mktemp("second") / "home")
    for stage in (["simulate"], ["check"], ["split"], ["train", "line_length", "patient"]):
        run_stage(made, *stage, **ONE_WORKER)
    return made


def test_two_fresh_runs_have_the_same_data_and_the_same_split(proposed: Pipeline, again: Workspace) -> None:
    assert _digests(again) == _digests(proposed.workspace)
    assert len(_digests(again)["recordings"]) == 12


def test_two_fresh_runs_have_the_same_bundles_whatever_the_number_of_workers(
    proposed: Pipeline, again: Workspace
) -> None:
    first, second = (_bundles(w, "line_length") for w in (proposed.workspace, again))
    assert first == second and len(set(first)) == 2


def test_a_network_trained_alone_has_the_weights_it_has_when_trained_beside_others(
    proposed: Pipeline, again: Workspace
) -> None:
    """One fold on one worker, against the same fold trained beside three others on two."""
    path = again.interim / "split.json"
    patient = json.loads(path.read_text())["patient"]
    path.write_text(json.dumps({"patient": {**patient, "folds": patient["folds"][:1]}}))
    run_stage(again, "train", "da_stnet", "patient", **ONE_WORKER)
    assert _weights(again) == _weights(proposed.workspace)


def _digests(workspace: Workspace) -> dict[str, Any]:
    names = [e.name for e in development(workspace)]
    recordings = dataset_digest(read_cohort(workspace.cohort), names)
    return {"recordings": recordings, "splits": {k: s.digest for k, s in splits(workspace).items()}}


def _bundles(workspace: Workspace, name: str) -> list[str]:
    runs = read_json(training_of(workspace, name, "patient") / "log.json")["runs"]
    return [r["bundle"] for r in runs if "bundle" in r]


def _weights(workspace: Workspace) -> str:
    return sha256_file(_fold(workspace) / "weights.safetensors")


def _fold(workspace: Workspace) -> Path:
    return training_of(workspace, "da_stnet", "patient") / "fold-0"
