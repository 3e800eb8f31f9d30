"""One small workspace on which every verb has run, shared by the end-to-end tests; copies of it for those that change it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from data.ages import DAYS
from data.cohorts.bids import Entry, read_cohort
from flows.register import register
from flows.stages.files import read_json, splits
from flows.workspace import Workspace, open_workspace
from tests.authenticator import code, know
from tests.commands import CHECKOUT, changed_in_checkout
from tests.e2e.verbs import AUTHOR, small_workspace

SIGNERS = {"demo-reviewer-1": "review", "demo-reviewer-2": "approval"}
PASSPHRASE = "two components, one of them this"
SMALL_PARTS = (
    "workspace.json",
    "params.yaml",
    "keys",
    "ledger",
    "data",
    "reports",
    "code",
    "store/candidates",
    "store/evidence",
    "store/bundles",
    "store/training",
)
"""What approving, listing and auditing need."""


@dataclass(frozen=True)
class Pipeline:
    """The workspace, what each verb returned, a copy of its small parts from before anybody signed."""

    workspace: Workspace
    said: dict[str, Any]
    unsigned: Path
    checkout_before: set[str]

    @property
    def candidate(self) -> str:
        return str(self.said["propose"])

    @property
    def proposed(self) -> dict[str, Any]:
        """The candidate as it was proposed."""
        return dict(read_json(self.unsigned / "store" / "candidates" / f"{self.candidate}.json"))

    @property
    def deviations(self) -> list[str]:
        """One for each gate that did not pass, as a signer would type them."""
        return [f"{g['name']}=a small simulated cohort" for g in self.proposed["gates"] if g["outcome"] != "pass"]

    @property
    def unseen(self) -> list[Entry]:
        """One recording of every site that the proposed bundle has not seen."""
        fold = splits(self.workspace)["patient"].folds[self.workspace.params.promote.fold]
        cohort = read_cohort(self.workspace.cohort).entries
        return list({e.site: e for e in cohort if e.name in fold.test}.values())

    @property
    def broken(self) -> Entry:
        """The recording that was cut off in the middle."""
        return next(e for e in read_cohort(self.workspace.cohort).entries if e.name == "sub-037_task-eeg_run-01")


@pytest.fixture(scope="session")
def proposed(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """Ingest, check, train, evaluate, propose and drift, in a process of their own."""
    made_once(tmp_path_factory)
    before = changed_in_checkout()
    workspace = small_workspace(tmp_path_factory.mktemp("e2e") / "home", typing=True)
    command = [sys.executable, "-m", "tests.e2e.verbs", str(workspace.root)]
    done = subprocess.run(command, cwd=CHECKOUT, env=workspace.environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    unsigned = copy_of(workspace, workspace.root.with_name("unsigned"), SMALL_PARTS).root
    return Pipeline(workspace, json.loads(done.stdout.splitlines()[-1]), unsigned, before)


def made_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Fail where a second worker would make the workspace again: minutes lost, and nobody would notice."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        (tmp_path_factory.getbasetemp().parent / "the-workspace-is-made").touch(exist_ok=False)


@pytest.fixture(scope="session")
def pipeline(proposed: Pipeline) -> Pipeline:
    """The same workspace once two people have signed: its model is in force."""
    register_signers(proposed.workspace)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ICTAL_HOME", str(proposed.workspace.root))
        for person, meaning in SIGNERS.items():
            sign(proposed.candidate, person, meaning, proposed.deviations)
    return proposed


@pytest.fixture(scope="session")
def prediction(pipeline: Pipeline) -> str:
    """The id of one answer about a recording that the model had not seen."""
    from flows.predict import predict_file

    entry = pipeline.unseen[-1]
    assert entry.age_days is not None
    age = f"{entry.age_days / DAYS['d']:g}d"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ICTAL_HOME", str(pipeline.workspace.root))
        said = predict_file(entry.path, age=age, detector=None, site=entry.site, url=None, key=None)
    assert said["outcome"].startswith("completed")
    return str(said["prediction_id"])


@pytest.fixture
def at_pipeline(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipeline]:
    """Commands of the test work in the shared workspace; they must not change what other tests look at."""
    monkeypatch.setenv("ICTAL_HOME", str(pipeline.workspace.root))
    yield pipeline


@pytest.fixture(scope="session")
def offered(proposed: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The workspace's small parts before anybody signed, with the two signers registered; of it each desk is a copy."""
    made = copy_of(Workspace(proposed.unsigned), tmp_path_factory.mktemp("offered") / "home", SMALL_PARTS)
    register_signers(made)
    return made


@pytest.fixture
def desk(offered: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A desk of its own for a test: what is to be signed, and signers who have not signed yet."""
    copied = copy_of(offered, tmp_path / "desk", SMALL_PARTS)
    monkeypatch.setenv("ICTAL_HOME", str(copied.root))
    return copied


def register_signers(workspace: Workspace) -> None:

    for person in (*SIGNERS, AUTHOR):
        know(register(workspace, person, person, "reviewer", PASSPHRASE, demo=True, now=datetime.now(UTC)))


def sign(candidate: str, person: str, meaning: str, deviations: list[str]) -> dict[str, Any]:
    from flows.approve import approve_candidate

    return approve_candidate(candidate, person, *components(open_workspace(), person), meaning, deviations)


def components(workspace: Workspace, person: str, lasting_s: float = 0) -> tuple[str, str]:
    """Passphrase and code, as a signer types them now; the code is still good in `lasting_s`, for a process that starts."""
    return PASSPHRASE, code(workspace.keys, person, datetime.now(UTC) + timedelta(seconds=lasting_s))


def copy_of(workspace: Workspace, target: Path, parts: tuple[str, ...]) -> Workspace:
    """A workspace with these parts of another."""
    target.mkdir(parents=True)
    for part in parts:
        source = workspace.root / part
        (target / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target / part) if source.is_dir() else shutil.copyfile(source, target / part)
    return Workspace(target)
