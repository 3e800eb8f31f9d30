"""From simulated recordings to a proposed model: what was put aside, who saw whom, what is run again and what is not."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from flows import warm
from flows.stages.audits import members
from flows.stages.files import development, evaluation_of, read_json, splits, training_of
from flows.workspace import Workspace, dvc
from lineage.digest import sha256_file
from models import detectors
from models.bundle import load_bundle
from tests.commands import changed_in_checkout, ictal_process
from tests.e2e.conftest import Pipeline, copy_of

STAGED = (
    "workspace.json",
    "params.yaml",
    "dvc.yaml",
    "dvc.lock",
    "code",
    "models",
    "data",
    "store",
    "reports",
    ".dvc",
    ".git",
    ".gitignore",
)
LAID_OUT = tuple(part for part in STAGED if part not in (".dvc", ".git", ".gitignore"))
"""What stages read and write, without what DVC and Git keep of it: half of the bytes."""

FROM_ELSEWHERE = re.compile(
    r"<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)\s*=\s*[\"']?\s*(?:https?:)?//", re.I
)
DETECTORS = detectors.names("detection")


def test_broken_recordings_are_put_aside_by_name_and_reason_and_the_others_let_through(proposed: Pipeline) -> None:
    aside = {v["recording"]: v["reasons"][0]["code"] for v in proposed.said["check"]["detection"]["quarantined"]}
    broken = read_json(proposed.workspace.cohort / "sourcedata" / "broken.json")
    assert aside == {"sub-037_task-eeg_run-01": "truncated", "sub-038_task-eeg_run-01": "unit_suspect"}
    assert set(aside) == set(broken)
    assert (
        proposed.said["check"]["detection"]["accepted"] == 36 == proposed.said["check"]["detection"]["recordings"] - 2
    )


def test_the_checks_page_names_what_was_put_aside_and_says_that_the_data_are_simulated(proposed: Pipeline) -> None:
    page = (proposed.workspace.reports / "checks.html").read_text()
    for verdict in proposed.said["check"]["detection"]["quarantined"]:
        assert verdict["recording"] in page
    assert "Simulated data" in page


@pytest.mark.parametrize("regime", ["patient"])
def test_nobody_is_on_two_sides_of_a_fold_and_everybody_is_tested_once(proposed: Pipeline, regime: str) -> None:
    person = {m.recording: m.person for m in members(proposed.workspace)}
    split = splits(proposed.workspace)[regime]
    tested = [name for fold in split.folds for name in fold.test]
    assert sorted(tested) == sorted(e.name for e in development(proposed.workspace)) and len(tested) == 12
    for fold in split.folds:
        train, inner, test = ({person[n] for n in names} for names in (fold.train, fold.inner_valid, fold.test))
        assert train and inner and test
        assert not train & inner and not train & test and not inner & test


@pytest.mark.parametrize("name", DETECTORS)
def test_every_recording_is_predicted_once_by_a_model_that_has_not_seen_its_patient(
    proposed: Pipeline, name: str
) -> None:
    workspace = proposed.workspace
    person = {m.recording: m.person for m in members(workspace)}
    table = pd.read_parquet(evaluation_of(workspace, name, "patient") / "seconds.parquet")
    seconds = table.groupby("recording", observed=True)["second"].apply(list).to_dict()
    assert {recording: len(s) for recording, s in seconds.items()} == dict.fromkeys(person, 180)
    assert all(s == list(range(180)) for s in seconds.values())
    for number, fold in enumerate(splits(workspace)["patient"].folds):
        bundle = load_bundle(workspace.store / "training" / name / "patient" / f"fold-{number}")
        seen = {person[r] for recordings in bundle.origin["fitted_on"].values() for r in recordings}
        assert seen and not seen & {person[r] for r in fold.test}


def test_the_leaky_control_leaves_no_bundle_that_could_be_registered(proposed: Pipeline) -> None:
    (name,) = proposed.workspace.params.lab.controls
    kept = {p.name for p in training_of(proposed.workspace, name, "window").rglob("*")}
    assert kept == {"fold-0.parquet", "fold-1.parquet", "log.json"}
    others = set(DETECTORS) - {name}
    assert others and not any(training_of(proposed.workspace, other, "window").exists() for other in others)


def test_gates_of_a_small_cohort_end_without_enough_evidence(proposed: Pipeline) -> None:
    gates = {g["name"]: g for g in proposed.proposed["gates"]}
    floor = gates["floor:0–28 days"]
    assert floor["outcome"] == "insufficient_evidence" and "60 are needed" in floor["reason"]
    assert gates["leakage_audit"]["outcome"] == "pass"
    assert proposed.deviations


def test_the_site_with_the_changed_amplifier_alarms_and_no_other(proposed: Pipeline) -> None:
    drift = proposed.said["drift"]
    assert drift["alarmed"] == ["demo-east"] == [proposed.workspace.params.simulation.changed_site]
    assert {s["site"]: s["state"] for s in drift["sites"]} == {
        "demo-east": "alarm", "demo-north": "steady", "demo-south": "steady",
    }  # fmt: skip
    assert read_json(proposed.workspace.reports / "drift" / "drift.json")["alarmed"] == ["demo-east"]


def test_no_page_loads_anything_from_elsewhere(proposed: Pipeline) -> None:
    pages = sorted(proposed.workspace.reports.rglob("*.html"))
    named = {p.relative_to(proposed.workspace.reports).as_posix() for p in pages}
    assert {"checks.html", "evaluation/index.html", "drift/index.html"} < named
    assert len([n for n in named if re.fullmatch(r"drift/\d{4}-W\d\d/site-\d\.html", n)]) == 3
    assert not {p.name for p in pages if FROM_ELSEWHERE.search(p.read_text())}


def test_the_search_for_foreign_scripts_finds_them() -> None:
    assert FROM_ELSEWHERE.search('<script defer src="https://cdn.example/x.js">')
    assert FROM_ELSEWHERE.search("<link rel=stylesheet href=//cdn.example/x.css>")
    assert not FROM_ELSEWHERE.search('<a href="https://example.org/paper">')


@pytest.fixture(scope="module")
def copied(proposed: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A copy whose stages may be run again: one copy, in which the tests below follow each other."""
    made = copy_of(proposed.workspace, tmp_path_factory.mktemp("again") / "home", STAGED)
    shutil.rmtree(made.store / "champions")  # other tests may have signed: the report is due again with a champion
    (made.store / "champions").mkdir()
    return made


def test_repro_runs_nothing_again_where_nothing_changed(copied: Workspace) -> None:
    before = (copied.root / "dvc.lock").read_bytes()
    assert _ran(dvc(copied, "repro", "--single-item", *_made(copied))) == set()
    assert (copied.root / "dvc.lock").read_bytes() == before


def test_other_bootstrap_draws_score_again_without_training_again(copied: Workspace) -> None:
    path = copied.root / "params.yaml"
    path.write_text(path.read_text().replace("draws: 2000", "draws: 2001"))
    before = {n: _predicted(copied, n) for n in DETECTORS}
    scored = [stage for stage in _made(copied) if stage.startswith("evaluate@")]
    assert sorted(scored) == sorted(["evaluate@line_length-window", *(f"evaluate@{n}-patient" for n in DETECTORS)])
    assert _ran(dvc(copied, "repro", *scored, extra=warm.place())) == set(scored)
    assert _ran(dvc(copied, "repro", "--single-item", "report", extra=warm.place())) == {"report"}
    assert {n: _predicted(copied, n) for n in DETECTORS} == before


def test_dvc_shows_the_figures_of_every_detector(copied: Workspace) -> None:
    shown = json.loads(dvc(copied, "metrics", "show", "--json"))[""]["data"]
    for name in DETECTORS:
        figures = shown[f"reports/metrics/{name}-patient.json"]["data"]
        assert 0 <= figures["auc_low"] <= figures["auc"] <= figures["auc_high"] <= 1
        assert figures["patients"] == len({m.person for m in members(copied)}) == 11, "one person was seen at two sites"


def test_a_stage_works_where_dvc_runs_it_whatever_the_environment_says(copied: Workspace) -> None:
    elsewhere = {**copied.environment(), "ICTAL_HOME": str(copied.root / "nowhere")}
    command = [sys.executable, "-m", "dvc", "repro", "--single-item", "--force", "split@detection"]
    done = subprocess.run(command, cwd=copied.root, env=elsewhere, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def _made(workspace: Workspace) -> list[str]:
    """The stages that were run: not those of tasks without a cohort here, nor of controls that nobody asked for."""
    return list(yaml.safe_load((workspace.root / "dvc.lock").read_bytes())["stages"])


def _ran(said: str) -> set[str]:
    return set(re.findall(r"^Running stage '([^']+)'", said, re.M))


def _predicted(workspace: Workspace, name: str) -> list[str]:
    folder = evaluation_of(workspace, name, "patient")
    return [sha256_file(folder / file) for file in ("seconds.parquet", "events.parquet", "predictions.json")]


def test_nothing_of_it_reached_the_checkout(pipeline: Pipeline) -> None:
    assert changed_in_checkout() == pipeline.checkout_before
    assert not (Path(os.environ["ICTAL_HOME"])).exists()


def test_the_null_control_finds_nothing(proposed: Pipeline, tmp_path: Path) -> None:
    """With the labels of somebody else's recording nothing can be learnt: the interval has to cover chance."""
    parts = tuple(p for p in LAID_OUT if p not in ("store", "reports"))
    null = copy_of(proposed.workspace, tmp_path / "null", parts)
    path = null.root / "params.yaml"
    path.write_text(path.read_text().replace("shuffle_labels: false", "shuffle_labels: true"))
    for stage in ("train", "evaluate"):
        run_stage(null, stage, "line_length", "patient")
    figures = read_json(null.reports / "metrics" / "line_length-patient.json")
    honest = proposed.said["evaluate"]["line_length"]
    assert figures["auc_low"] < 0.5 < figures["auc_high"], figures
    assert honest["auc_low"] > 0.5


def run_stage(workspace: Workspace, *arguments: str, **environment: str) -> None:
    """One stage, in a fork of the process that has imported what stages need, as commands run them."""
    said = ictal_process("stage", *arguments, environment={**workspace.environment(), **warm.place(), **environment})
    assert said.code == 0, said.err[-2000:]
