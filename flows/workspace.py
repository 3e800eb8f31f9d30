"""The workspace: all run state in one folder that is its own Git and DVC repository, outside the checkout's eyes."""

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from flows import blank_database, warm
from flows.params import Params, read_params
from lineage.digest import digest_of, sha256_file
from lineage.place import LEDGER, MARKER, home, ledger_place, workspace_id
from lineage.refused import Refused

ROOT = Path(__file__).resolve().parents[1]
"""The checkout, which holds dvc.yaml and params.yaml."""


class Task(NamedTuple):
    """What belongs to one of the questions that detectors answer (`models.detectors.TASKS`).

    `folder` lies below data/interim and reports, `simulated` is the cohort that the simulate stage makes below data/raw.
    `pretrains` says whether detectors of it learn from other recordings first (the pretrain stage). `montage` is the one of
    `data.montage` that detectors of EEG read.
    """

    folder: str
    simulated: str
    modality: str = "eeg"
    pretrains: bool = False
    montage: str = "neonatal_18"


TASKS = {
    "detection": Task("", "simulated"),
    "typing": Task("typing", "simulated-adults", montage="tcp_20"),
    "spasms": Task("spasms", "simulated-infants", "pose"),
    "semiology": Task("semiology", "simulated-semiology", "video", pretrains=True),
    "forecasting": Task("forecasting", "simulated-forecasting", "video", pretrains=True),
}

DIVIDING = (
    "validation/splits.py",
    "validation/window_roles.py",
    "validation/holdout.py",
    "validation/leakage",
    "flows/stages/audits.py",
)

ABLATING = (*DIVIDING, "validation/scaling.py", "validation/ablation/identity.py")
"""What decides who is learnt from in an ablation and what is kept of it; how it is scored is always done anew."""

STAGE_PACKAGES = {
    "simulate": ("lineage/digest.py", "data"),
    "check": ("lineage/digest.py", "data", "validation"),
    "split": ("lineage/digest.py", "data", *DIVIDING),
    "train": ("lineage/digest.py", "data", "models", "flows/stages/folds.py", *DIVIDING),
    "pretrain": ("lineage/digest.py", "data", "models"),
    "train_types": (
        "lineage/digest.py",
        "flows/clips.py",
        "data",
        "models",
        "flows/stages/folds.py",
        "flows/stages/pretrain.py",
        *DIVIDING,
    ),
    "evaluate": ("lineage/digest.py", "data", "models", "validation", "flows/stages/audits.py"),
    "evaluate_types": (
        "lineage/digest.py",
        "data",
        "models",
        "validation",
        "flows/stages/audits.py",
        "flows/stages/questions",
    ),
    "report_types": ("lineage/digest.py", "data", "models", "validation", "flows/records.py", "flows/stages/questions"),
    "report": ("lineage/digest.py", "data", "models", "validation", "flows/records.py", "flows/stages/champions.py"),
    "ablate": (
        "lineage/digest.py",
        "data",
        "models",
        "flows/ablation",
        "flows/clips.py",
        "flows/stages/train.py",
        *ABLATING,
    ),
}
"""Which code each stage runs; a change in it runs the stage again (and the stage itself). `ablate` is no stage of DVC:
its runs are kept under what they depend on (flows/ablation)."""


class WorkspaceRefused(Refused):
    """The workspace asked for cannot be used; the message says what to do."""


@dataclass(frozen=True)
class Workspace:
    """A workspace's folder and the places in it, as one task sees them: each task has its own cohort, checks and splits."""

    root: Path
    task: str = "detection"

    def of(self, task: str) -> "Workspace":
        """The same workspace as `task` sees it; WorkspaceRefused for a task that is none of `TASKS`."""
        if task not in TASKS:
            raise WorkspaceRefused(f"no task {task!r}; tasks are {', '.join(TASKS)}")
        return replace(self, task=task)

    @property
    def marker(self) -> Mapping[str, Any]:
        """What was written when the workspace was made: its kind, id, time, digests of its first dvc.yaml and
        params.yaml, and the checkout's state. FileNotFoundError in a folder that is no workspace."""
        found: Mapping[str, Any] = json.loads((self.root / MARKER).read_text())
        return found

    @property
    def id(self) -> str:
        """What the workspace is called in its ledger; it stays the same when the folder is moved or restored."""
        return workspace_id(self.root)

    @property
    def is_demo(self) -> bool:
        """Whether `ictal demo` made it, rather than `ictal init`."""
        return self.marker["kind"] == "demo"

    @property
    def params(self) -> Params:
        """The settings in params.yaml, read and checked each time; BadParams names the key that is wrong."""
        return read_params(self.root / "params.yaml")

    @property
    def raw(self) -> Path:
        """Where every task's cohorts lie, each in a folder of its own."""
        return self.root / "data" / "raw"

    @property
    def cohort_name(self) -> str:
        """The cohort that the task looks at."""
        name: str = getattr(self.params.cohort, cohort_key(self.task).removeprefix("cohort."))
        return name

    @property
    def modality(self) -> str:
        """What the task's cohort holds: `eeg`, `video` or `pose`."""
        return TASKS[self.task].modality

    @property
    def cohort(self) -> Path:
        """Folder of the cohort that the task looks at; whether it is there is asked by `tasks`."""
        return self.raw / self.cohort_name

    @property
    def tasks(self) -> list[str]:
        """The tasks whose cohorts are here."""
        return [task for task in TASKS if self.of(task).cohort.exists()]

    @property
    def interim(self) -> Path:
        """What the task's stages make on the way; of detection, the folder that holds the other tasks' too."""
        return self.root / "data" / "interim" / TASKS[self.task].folder

    @property
    def store(self) -> Path:
        """Models, candidates, evidence and signed terms of all tasks; Git keeps none of it."""
        return self.root / "store"

    @property
    def reports(self) -> Path:
        """Pages and tables of the task; of detection, the folder that holds the other tasks' too."""
        return self.root / "reports" / TASKS[self.task].folder

    @property
    def metrics(self) -> Path:
        """Figures of evaluations of all tasks, the one folder of reports that Git keeps."""
        return self.root / "reports" / "metrics"

    @property
    def keys(self) -> Path:
        """The platform's keys and the register of who may sign; Git keeps none of it."""
        return self.root / "keys"

    @property
    def ledger(self) -> Path:
        """The ledger's file, even where the ledger is in a database: `ledger_place` says which it is."""
        return self.root / "ledger" / "ledger.db"

    @property
    def run_events(self) -> Path:
        """What flows ran, as OpenLineage events; git-ignored with the rest of `log`."""
        return self.root / "log" / "openlineage.ndjson"

    @property
    def ledger_place(self) -> Path | str:
        """Where the ledger is: in its file, or in the database that ICTAL_LEDGER names. A demo has only its file:
        WorkspaceRefused where the variable is set for one."""
        place = ledger_place(self.root)
        if place != self.ledger and self.is_demo:
            raise WorkspaceRefused(
                f"a demo keeps its ledger in its own folder, and {LEDGER} names another: unset it, or set ICTAL_HOME to a "
                "workspace of `ictal init`"
            )
        return place

    @property
    def has_ledger(self) -> bool:
        """Whether a ledger was begun. Of a database that ICTAL_LEDGER names it is taken to be, without asking it."""
        return not isinstance(self.ledger_place, Path) or self.ledger_place.exists()

    def environment(self) -> dict[str, str]:
        """The environment in which this workspace's commands run: its own stores, no telemetry, this Python first."""
        here = str(self.root)
        own = {
            "ICTAL_HOME": here,
            "PREFECT_HOME": f"{here}/prefect",
            "BENTOML_HOME": f"{here}/bentoml",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        }
        return {**os.environ, **QUIET, **own}


QUIET = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "BENTOML_DO_NOT_TRACK": "True",
    "GX_ANALYTICS_ENABLED": "false",
    "DVC_NO_ANALYTICS": "1",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",  # what a flow raises is said once, by whoever started it
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "60",
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "NO_PROXY": "127.0.0.1",
}


def cohort_key(task: str) -> str:
    """The setting of params.yaml that names a task's cohort."""
    return "cohort.name" if task == "detection" else f"cohort.{task}"


def open_workspace(root: Path | None = None) -> Workspace:
    """The workspace in `root` (None: ICTAL_HOME, or .ictal in the checkout), noted in `opened`; WorkspaceRefused where
    there is none."""
    root = root or home()
    if not (root / MARKER).exists():
        raise WorkspaceRefused("there is no workspace yet: run `ictal demo`, or `ictal init` for an empty one")
    opened.append(Workspace(root))
    return opened[-1]


opened: list[Workspace] = []
"""The workspaces that this process used, so that the command line can say which."""


def made_before(root: Path) -> Workspace | None:
    """The workspace for real work that is in the folder already; WorkspaceRefused for a demo's, which is none."""
    if not (root / MARKER).exists():
        return None
    made = Workspace(root)
    if made.is_demo:
        raise WorkspaceRefused("the demo's workspace is there: choose another folder for real work with ICTAL_HOME")
    return made


def make_workspace(root: Path, kind: str, now: datetime | None = None) -> Workspace:
    """Make an empty workspace (`kind` is `demo` or `real`): git, DVC with a local remote, the stages and the
    parameters. WorkspaceRefused where the folder is not empty: it is never made over anything, and what is half-made
    goes."""
    if root.exists() and any(root.iterdir()):
        raise WorkspaceRefused("the folder for the workspace is not empty; choose another with ICTAL_HOME")
    root.mkdir(parents=True, exist_ok=True)
    try:
        return _made(Workspace(root), kind, now or datetime.now(UTC))
    except BaseException:  # what is half-made would be refused as a folder that is not empty
        for one in root.iterdir():
            shutil.rmtree(one) if one.is_dir() else one.unlink()
        raise


def _made(made: Workspace, kind: str, now: datetime) -> Workspace:
    root = made.root
    _lay_in(made)
    blank_database.lay_in(root / "prefect")
    marker = {
        "kind": kind,
        "id": str(uuid.uuid4()),
        "made": now.isoformat(timespec="seconds"),
        "dvc_yaml": sha256_file(root / "dvc.yaml"),
        "params_yaml": sha256_file(root / "params.yaml"),
        "checkout": checkout_state(),
    }
    (root / MARKER).write_text(json.dumps(marker, indent=1) + "\n")
    _start_repositories(made)
    return made


def refresh_code(workspace: Workspace) -> None:
    """Write the digest of the code behind each stage, so that DVC sees when it changed."""
    (workspace.root / "code").mkdir(exist_ok=True)
    for name in ("champions", "oracles", "studies"):  # DVC wants what a stage may read to be there
        (workspace.store / name).mkdir(parents=True, exist_ok=True)
    for stage, digest in changed_code(workspace).items():
        (workspace.root / "code" / f"{stage}.txt").write_text(digest + "\n")


def changed_code(workspace: Workspace) -> dict[str, str]:
    """Each stage whose code is another than the one it would have run by, with the digest of the code that lies here."""
    changed = {}
    for stage, parts in STAGE_PACKAGES.items():
        files = [
            f
            for part in (*parts, f"flows/stages/{stage}.py", "flows/stages/files.py")
            for f in _python_files(ROOT / part)
        ]
        digest = digest_of({f.relative_to(ROOT).as_posix(): sha256_file(f) for f in files})
        path = workspace.root / "code" / f"{stage}.txt"
        if not path.exists() or path.read_text().strip() != digest:
            changed[stage] = digest
    return changed


def checkout_state() -> dict[str, Any]:
    """Commit and cleanliness of the code that runs; outside a Git checkout the commit is `unknown`, and it counts as
    dirty."""
    commit = _output(["git", "rev-parse", "HEAD"], ROOT)
    dirty = _output(["git", "status", "--porcelain"], ROOT)
    return {"commit": commit or "unknown", "dirty": dirty is None or dirty != ""}


def lock_digest() -> str:
    """Digest of the lock file (constraints.txt): the identity of the environment; `unknown` where there is none."""
    path = ROOT / "constraints.txt"
    return sha256_file(path) if path.exists() else "unknown"


def dvc(workspace: Workspace, *arguments: str, extra: Mapping[str, str] | None = None) -> str:
    """Run a dvc command in the workspace and give what it said; CommandFailed with its last lines where it fails.

    Stages keep features of films by content, so that evaluation does not look twice; a service keeps nothing of a film.
    """
    kept = {"ICTAL_FEATURES": str(workspace.root / "tmp" / "features")}
    environment = {**workspace.environment(), **kept, **(extra or {})}
    return _said(warm.run(["dvc", *arguments], workspace.root, environment))


def git(workspace: Workspace, *arguments: str) -> str:
    """Run git in the workspace in the name of `ictal`; gives what it said, CommandFailed with its last lines."""
    identity = ["-c", "user.name=ictal", "-c", "user.email=ictal@localhost", "-c", "commit.gpgsign=false"]
    command, environment = ["git", *identity, *arguments], workspace.environment()
    return _said(subprocess.run(command, cwd=workspace.root, env=environment, capture_output=True, text=True))


def keep(workspace: Workspace, message: str) -> str:
    """Commit the workspace's small files (dvc.lock, parameters, metrics), where any has changed; returns the last
    commit."""
    git(workspace, "add", "-A")
    if git(workspace, "status", "--porcelain"):
        git(workspace, "commit", "-q", "-m", message)
    return git(workspace, "rev-parse", "HEAD").strip()


class CommandFailed(Exception):
    """A dvc or git command inside the workspace failed."""


def _said(done: "subprocess.CompletedProcess[str]") -> str:
    if done.returncode != 0:
        raise CommandFailed("\n".join((done.stdout + done.stderr).strip().splitlines()[-12:]))
    return done.stdout


def _output(command: list[str], folder: Path) -> str | None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


def _lay_in(workspace: Workspace) -> None:
    for name in ("dvc.yaml", "params.yaml", "models/detectors/index.yaml"):
        target = workspace.root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)
    ignored = ["/data/raw/*", "!/data/raw/*.dvc", "/data/interim/", "/store/", "/ledger/", "/keys/", "/jobs/"]
    ignored += ["/prefect/", "/bentoml/", "/remote/", "/reports/*", "!/reports/metrics/", "/log/", "/tmp/"]
    (workspace.root / ".gitignore").write_text("\n".join(ignored) + "\n")
    for folder in ("data/raw", "data/interim", "store", "reports", "ledger", "keys", "log"):
        (workspace.root / folder).mkdir(parents=True, exist_ok=True)
    refresh_code(workspace)


DVC_CONFIG = """\
[core]
    analytics = false
    autostage = false
    remote = local
[cache]
    type = "reflink,copy"
['remote "local"']
    url = ../remote
"""


def _start_repositories(workspace: Workspace) -> None:
    git(workspace, "init", "-q", "-b", "main")
    dvc(workspace, "init", "-q")
    (workspace.root / ".dvc" / "config").write_text(DVC_CONFIG)  # at once: `dvc config` takes a second for each value
    keep(workspace, "Make the workspace")


def _python_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    kinds = ("*.py", "*.yaml", "*.md", "*.j2", "*.css", "*.json")
    return sorted(f for kind in kinds for f in path.rglob(kind))
