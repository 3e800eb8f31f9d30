"""A workspace with one small evaluated detector that nobody has proposed yet: every file and line of the ledger is there,
written by the functions that write them, and nothing had to be trained."""

import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from flows import approve, promote, records, register
from flows.stages.files import circumstances, development, evaluation_of, read_json, training_of, write_json
from flows.workspace import Workspace
from lineage.digest import sha256_file
from serving import orders
from serving.loader import Loader
from serving.store import pointer_path
from serving.terms import Terms
from tests.authenticator import code, know
from tests.served import saved_bundle, write_recording
from validation.splits import Fold, Split

NAME = "line_length"
SITE = "demo-north"
AUTHOR, FIRST, SECOND, ROBOT = "demo-author", "demo-reviewer-1", "demo-reviewer-2", "demo-robot"
ROLES = {AUTHOR: "engineer", FIRST: "neurologist", SECOND: "physicist", ROBOT: "service"}
PASSPHRASE = "two components, one of them this"
PASSED = [{"name": "sensitivity", "outcome": "pass"}, {"name": "false_alarms", "outcome": "pass"}]
RECORDINGS = [f"sub-{n:03d}_task-eeg_run-01" for n in (1, 2, 3)]
SPLIT = Split("patient", 0, 0.2, (Fold((RECORDINGS[0],), (RECORDINGS[1],), (RECORDINGS[2],)),))


def gates_with(outcome: str) -> list[dict[str, str]]:
    return [*PASSED, {"name": "calibration", "outcome": outcome}]


@dataclass
class Office:
    """The workspace and its people; `now` goes on by a minute with every act, so that devices show new codes."""

    workspace: Workspace
    now: datetime
    candidate: str = ""

    @property
    def home(self) -> Path:
        return self.workspace.root

    def copied(self, root: Path) -> "Office":
        shutil.copytree(self.home, root)
        return Office(Workspace(root), self.now, self.candidate)

    def at_work(self, root: Path, patch: pytest.MonkeyPatch) -> "Office":
        """A copy in which commands work, and whose services follow orders at once."""
        copied = self.copied(root)
        patch.setenv("ICTAL_HOME", str(copied.home))
        patch.setattr(orders, "POLL_S", 0.0)
        return copied

    def propose(self, author: str = AUTHOR) -> str:
        self.candidate = promote.propose.fn(str(self.home), author)
        return self.candidate

    def sign(self, person: str, meaning: str, deviations: list[str] | None = None, **typed: str) -> dict[str, Any]:
        return approve.approve_candidate(
            self.candidate, *self.components(person, **typed), meaning, deviations or [], self.now
        )

    def both_sign(self, deviations: list[str] | None = None) -> None:
        self.sign(FIRST, "review", deviations)
        self.sign(SECOND, "approval")

    def revoke(self, person: str) -> dict[str, Any]:
        return approve.revoke_model(self.candidate, *self.components(person), "misses seizures", self.now)

    def retire(self, person: str) -> dict[str, Any]:
        return approve.retire_model(self.candidate, *self.components(person), "superseded", self.now)

    def reject(self, person: str) -> dict[str, Any]:
        return approve.reject_candidate(self.candidate, *self.components(person), "blind at one site", self.now)

    def components(self, person: str, **typed: str) -> tuple[str, str, str]:
        """Who they say they are, and what they type a minute later."""
        self.now += timedelta(minutes=1)
        shown = typed.get("code") or code(self.workspace.keys, person, self.now)
        return person, typed.get("passphrase", PASSPHRASE), shown

    def state(self) -> str:
        return str(promote.read_candidate(self.workspace, self.candidate)["state"])

    def refused_by_service(self) -> str:
        """Why the service's own loader gives no model for the site; empty where it gives one."""
        return Loader(self.home, allow_demo=True).why_not(self.now) or ""

    def may_answer(self) -> bool:
        """Whether what is pointed at is approved for the site: what a service asks before every answer."""
        try:
            Terms.read(self.home).check(SITE, self.now, allow_demo=True)
        except Exception:
            return False
        return True

    @property
    def approval(self) -> Path:
        return promote.approval_path(self.workspace, read_json(promote.candidate_path(self.workspace, self.candidate)))

    @property
    def pointer(self) -> Path:
        return pointer_path(self.home)


def evaluated_office(root: Path, gates: list[dict[str, str]] = PASSED, now: datetime | None = None) -> Office:
    """The people registered, the detector trained, evaluated and reported on, as far as files and ledger can tell."""
    office = Office(_laid_in(root), now or datetime.now(UTC))
    register.platform_key(office.workspace)
    for person, role in ROLES.items():
        know(register.register(office.workspace, person, person, role, PASSPHRASE, demo=True, now=office.now))
    train(office)
    evaluate(office, gates)
    return office


def held_office(root: Path, threshold: float = 0.999, now: datetime | None = None) -> Office:
    """One model in force, and as candidate another (whose threshold hardly any window reaches) that two people have approved
    and put on hold."""
    office = evaluated_office(root, now=now)
    with patch.dict(os.environ, ICTAL_HOME=str(root)):
        office.propose()
        office.both_sign()
        train(office, threshold)
        evaluate(office)
        office.propose()
        office.sign(FIRST, "review")
        approve.approve_candidate(office.candidate, *office.components(SECOND), "approval", [], office.now, hold=True)
    return office


def train(office: Office, threshold: float = 0.5) -> None:
    """A training's bundle and log, as the train stage leaves them; another threshold is another model."""
    workspace = office.workspace
    folder = training_of(workspace, NAME, "patient")
    shutil.rmtree(folder, ignore_errors=True)
    bundle = saved_bundle(folder / "fold-0", threshold)
    run = {"fold": 0, "bundle": bundle.digest, "inner_auc": 0.8}
    write_json(folder / "log.json", {"detector": NAME, "split": SPLIT.digest, "runs": [run]})
    records.record_training(workspace, NAME, "patient")


def evaluate(office: Office, gates: list[dict[str, str]] = PASSED) -> None:
    """An evaluation with gates, as the evaluate and report stages leave them."""
    workspace = office.workspace
    made = {"split": SPLIT.digest, "training": sha256_file(training_of(workspace, NAME, "patient") / "log.json")}
    result = {"of": made | circumstances(workspace, development(workspace)), "leakage": {"digest": "d" * 64}}
    write_json(evaluation_of(workspace, NAME, "patient") / "result.json", result)
    write_json(workspace.metrics / f"{NAME}-patient.json", {"auc": 0.8})
    reports = workspace.reports / "evaluation"
    write_json(reports / "gates.json", {NAME: gates})
    write_json(reports / f"{NAME}.json", {"gates": gates})
    (reports / f"{NAME}.card.md").write_text("card")
    (reports / f"{NAME}.html").write_text("page")
    records.record_evaluation(workspace, NAME, "patient")
    records.record_reports(workspace, [NAME])


def _laid_in(root: Path) -> Workspace:
    workspace = Workspace(root)
    for folder in ("keys", "store/candidates", "code", "data/interim/checks"):
        (root / folder).mkdir(parents=True)
    write_json(root / "workspace.json", {"kind": "demo", "made": "2026-03-01T12:00:00+00:00"})
    (root / "params.yaml").write_text("{}\n")
    (root / "code" / "evaluate.txt").write_text("e" * 64)
    _cohort(workspace)
    write_json(workspace.interim / "checks" / "verdicts.json", [_accepted(name) for name in RECORDINGS])
    write_json(workspace.interim / "checks" / "accepted.json", RECORDINGS)
    write_json(workspace.interim / "checks" / "gx.json", {"success": True})
    write_json(workspace.interim / "split.json", {"patient": SPLIT.to_json()})
    records.record_cohort(workspace)
    records.record_checks(workspace)
    records.record_split(workspace)
    return workspace


def _accepted(recording: str) -> dict[str, Any]:
    return {"recording": recording, "outcome": "accepted", "reasons": []}


def _cohort(workspace: Workspace) -> None:
    write_json(workspace.cohort / "dataset_description.json", {"Name": "three newborns", "BIDSVersion": "1.9.0"})
    rows = ["participant_id\tage\tsex\tsite\tperson\tperiod"]
    for name in RECORDINGS:
        patient = name.split("_")[0]
        rows.append(f"{patient}\t0.01\tF\t{SITE}\tp-{patient}\tdevelopment")
        path = workspace.cohort / patient / "eeg" / f"{name}_eeg.edf"
        path.parent.mkdir(parents=True)
        write_recording(path, seconds=int(patient[-1]) + 1, seizure_s=(1, 2))
    (workspace.cohort / "participants.tsv").write_text("\n".join(rows) + "\n")
