"""Films and poses on a whole workspace: from simulated infants, seizures and warnings to signed answers over HTTP."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data.ages import DAYS
from data.cohorts.bids import Entry
from data.readers.video_writer import write_video
from flows import deploy
from flows.audit_replay import replay
from flows.records import open_ledger
from flows.site_keys import issue_site_key
from flows.stages.audits import members
from flows.stages.files import (
    accepted,
    cohort_of,
    development,
    digest_of_entry,
    evaluation_of,
    read_json,
    splits,
    training_of,
)
from flows.workspace import Workspace
from lineage.entries import Edge
from lineage.keys import platform_public_path
from models import detectors
from models.typing import ANSWER, load_typing
from serving.client import Client
from serving.journal import verify_answer
from tests.commands import CHECKOUT
from tests.e2e.conftest import SIGNERS, register_signers, sign
from tests.e2e.test_pipeline import FROM_ELSEWHERE
from tests.e2e.verbs import filmed_workspace

TASKS = ("spasms", "semiology", "forecasting")
EQUAL = 1e-5


@dataclass(frozen=True)
class Filmed:
    """The workspace, what each verb returned, and the address of a service in which two people's models are in force."""

    workspace: Workspace
    said: dict[str, Any]
    url: str

    def proposed(self, task: str) -> dict[str, Any]:
        path = self.workspace.store / "candidates" / f"{self.said['propose'][task]}.json"
        return dict(read_json(path))

    def unseen(self, task: str) -> list[Entry]:
        """Recordings that the proposed bundle has not seen."""
        here = self.workspace.of(task)
        fold = splits(here)["patient"].folds[here.params.promote.fold]
        return [e for e in development(here) if e.name in fold.test]

    def ask(self, task: str, entry: Entry, files: list[Path], marked: tuple[float, float] | None = None) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ICTAL_HOME", str(self.workspace.root))
            key = issue_site_key(entry.site, days=1)
        assert entry.age_days is not None
        with Client(self.url, key) as client:
            return client.name(task, files, f"{entry.age_days / DAYS['d']:g}d", marked)


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filmed]:
    workspace = filmed_workspace(tmp_path_factory.mktemp("films") / "home")
    command = [sys.executable, "-m", "tests.e2e.verbs", str(workspace.root)]
    done = subprocess.run(command, cwd=CHECKOUT, env=workspace.environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    said = json.loads(done.stdout.splitlines()[-1])
    register_signers(workspace)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ICTAL_HOME", str(workspace.root))
        for candidate in said["propose"].values():
            gates = read_json(workspace.store / "candidates" / f"{candidate}.json")["gates"]
            deviations = [f"{g['name']}=a small simulated cohort" for g in gates if g["outcome"] != "pass"]
            for person, meaning in SIGNERS.items():
                sign(candidate, person, meaning, deviations)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with deploy.service(workspace, port) as url:
        yield Filmed(workspace, said, url)


def test_what_is_broken_is_put_aside_by_name_in_films_and_poses(filmed: Filmed) -> None:
    for task in TASKS:
        here = filmed.workspace.of(task)
        aside = {v["recording"] for v in filmed.said["check"][task]["quarantined"]}
        broken = set(read_json(here.cohort / "sourcedata" / "broken.json"))
        assert broken and broken <= aside, task
        page = (here.reports / "checks.html").read_text()
        assert all(name in page for name in aside) and "Simulated data" in page
    reasons = {v["reasons"][0]["code"] for v in filmed.said["check"]["spasms"]["quarantined"]}
    assert "no_pose_estimator" in reasons


@pytest.mark.parametrize("task", TASKS)
def test_nobody_is_answered_by_a_model_that_has_seen_them_or_learnt_from_them_beforehand(
    filmed: Filmed, task: str
) -> None:
    here = filmed.workspace.of(task)
    person = {m.recording: m.person for m in members(here)}
    for name in detectors.names(task):
        table = pd.read_parquet(evaluation_of(here, name, "patient") / "answers.parquet")
        for number, fold in enumerate(splits(here)["patient"].folds):
            bundle = load_typing(training_of(here, name, "patient") / f"fold-{number}")
            seen = {person[r] for recordings in bundle.origin["fitted_on"].values() for r in recordings}
            assert seen and not seen & {person[r] for r in fold.test}
            assert set(table[table["fold"] == number]["recording"]) <= set(fold.test)
        beforehand = read_json(training_of(here, name, "patient") / "log.json")["pretrained_on"]
        learnt = {p for one in beforehand for p in one["persons"]}
        assert not learnt & set(person.values())
        assert bool(learnt) == (name in ("gestures", "forecaster"))


@pytest.mark.parametrize("name", ["gestures", "forecaster"])
def test_the_ledger_leads_from_a_model_to_the_films_that_it_learnt_from_first(filmed: Filmed, name: str) -> None:
    here, ledger = filmed.workspace.of(detectors.task_of(name)), open_ledger(filmed.workspace)
    runs = {e.subjects[0].id: e for e in ledger.entries("run.finished")}
    before, training = runs[f"pretrain {name}"], runs[f"train {name}"]
    seen = {digest_of_entry(e) for e in cohort_of(here).entries if e.period == "pretraining"}
    assert seen and {edge.parent for edge in before.edges if edge.relation == "learnt_from"} == seen
    assert Edge(training.subjects[0].digest, "begun_with", before.subjects[0].digest) in training.edges


@pytest.mark.parametrize("task", TASKS)
def test_the_guards_looked_at_films_and_poses_too(filmed: Filmed, task: str) -> None:
    here, name = filmed.workspace.of(task), detectors.names(task)[-1]
    outcomes = {
        o["guard"]: o["outcome"]
        for o in read_json(evaluation_of(here, name, "patient") / "result.json")["leakage"]["outcomes"]
    }
    assert "leak" not in outcomes.values()
    assert outcomes["near_duplicates"] == outcomes["fitted_on"] == outcomes["pretraining"] == "pass"
    printed = {path.stem for path in (here.interim / "fingerprints").glob("*.npz")}
    assert {e.name for e in accepted(here, "pretraining")} <= printed


def test_the_phone_site_is_only_ever_tested_on(filmed: Filmed) -> None:
    for task in ("spasms", "semiology"):
        here, name = filmed.workspace.of(task), detectors.names(task)[-1]
        phones = {e.name for e in cohort_of(here).entries if e.period == "external"}
        assert phones and not phones & {e.name for e in development(here)}
        table = pd.read_parquet(evaluation_of(here, name, "patient") / "external" / "answers.parquet")
        assert set(table["recording"]) <= phones and len(table)
        clips = read_json(training_of(here, name, "patient") / "log.json")["clips"]
        assert not phones & set(clips)


def stored(filmed: Filmed, task: str, name: str) -> pd.DataFrame:
    detector = filmed.proposed(task)["detector"]
    table = pd.read_parquet(evaluation_of(filmed.workspace.of(task), detector, "patient") / "answers.parquet")
    own = table[(table["variant"] == ANSWER) & (table["recording"] == name) & (table["code"] == "")]
    return own.set_index("onset_s").sort_index()


@pytest.mark.parametrize("task", TASKS)
def test_the_answer_over_http_is_the_stored_prediction(filmed: Filmed, task: str) -> None:
    entry = next(e for e in filmed.unseen(task) if len(stored(filmed, task, e.name)))
    kept = stored(filmed, task, entry.name)
    marked = None
    if task == "semiology":
        event = cohort_of(filmed.workspace.of(task)).annotations(entry).events[0]
        marked = (event.onset_s, event.duration_s)
    said = filmed.ask(task, entry, list(entry.views or (entry.path,)), marked)
    assert said["outcome"].startswith("completed") and said["question"] == task
    assert said["model"]["digest"] == filmed.said["propose"][task]
    answered = {round(one["onset_s"], 6): one["probabilities"] for one in said["stretches"] if not one["code"]}
    for onset_s, row in kept.iterrows():
        ours = answered[round(float(str(onset_s)), 6)]
        np.testing.assert_allclose([ours[c] for c in said["classes"]], [row[c] for c in said["classes"]], atol=EQUAL)
    key = platform_public_path(filmed.workspace.keys).read_bytes()
    assert verify_answer(said, key).ok
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ICTAL_HOME", str(filmed.workspace.root))
        assert replay(said["prediction_id"])["verdict"] == "bit-equal"


def test_one_view_of_two_is_an_answer_that_rests_on_one(filmed: Filmed) -> None:
    entry = next(e for e in filmed.unseen("semiology") if len(e.views) == 2)
    both, one = (filmed.ask("semiology", entry, list(entry.views[:n])) for n in (2, 1))
    assert [said["stretches"][0]["clips"] for said in (both, one)] == [2, 1]


def test_a_film_without_an_estimator_is_no_silent_all_clear(filmed: Filmed) -> None:
    entry = filmed.unseen("spasms")[0]
    film = filmed.unseen("semiology")[0].views[0]
    said = filmed.ask("spasms", entry, [film])
    assert (said["outcome"], said["code"], said["stretches"]) == ("not_evaluable", "no_pose_estimator", None)
    assert "provide" in said["reason"]


def test_a_film_that_is_too_short_is_told_how_long_it_has_to_be(filmed: Filmed, tmp_path: Path) -> None:
    write_video(tmp_path / "short.mp4", [np.full((64, 64), 90, np.uint8)] * 15, rate_hz=15.0)
    said = filmed.ask("forecasting", filmed.unseen("forecasting")[0], [tmp_path / "short.mp4"])
    assert (said["outcome"], said["code"]) == ("not_evaluable", "too_short") and "needed are 5 s" in said["reason"]


def test_what_is_no_film_and_no_pose_is_refused_by_a_code(filmed: Filmed, tmp_path: Path) -> None:
    entry = filmed.unseen("spasms")[0]
    text = tmp_path / "pointer.mp4"
    text.write_text("version https://git-lfs.github.com/spec/v1\n")
    for task in TASKS:
        said = filmed.ask(task, entry, [text])
        assert said["outcome"] == "not_evaluable" and said["code"] and said["stretches"] is None, task


def test_folds_over_clips_leave_no_bundle_and_stand_on_the_page_as_leaky(filmed: Filmed) -> None:
    """As `lab.controls` asks for them; that the command asks so too is shown for types of seizures in EEG."""
    for name in ("joint_speed", "motion_energy", "recent_motion"):
        own = filmed.said["evaluate"][name]
        assert [own["regimes"][r]["reportable"] for r in ("patient", "seizure")] == [True, False]
        here = filmed.workspace.of(detectors.task_of(name))
        assert {p.suffix for p in training_of(here, name, "seizure").rglob("*")} == {".parquet", ".json"}
        assert "leaky control" in (here.reports / "evaluation" / f"{name}.html").read_text()


def test_every_page_of_films_says_simulated_and_loads_nothing(filmed: Filmed) -> None:
    for task in TASKS:
        pages = sorted(filmed.workspace.of(task).reports.rglob("*.html"))
        assert {p.stem for p in pages} >= {"checks", "index", *detectors.names(task)}
        for page in pages:
            text = page.read_text()
            assert "Simulated data" in text and not FROM_ELSEWHERE.search(text), page.name
