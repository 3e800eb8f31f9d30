"""A tiny real workspace with three persons, one of them at two sites: under DVC with a remote, and known to the ledger."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from data.montage import ELECTRODES
from data.readers.edf import write_edf
from flows import records, register
from flows.params import set_params
from flows.stages.files import cohort_of, dataset_digest, write_json
from flows.workspace import MARKER, ROOT, Workspace, dvc, keep, make_workspace
from lineage.circumstances import made_in
from lineage.digest import digest_of, sha256_file
from lineage.ledger import Actor, Draft, Edge, Subject
from validation.splits import Fold, Split

PERSON, ELSEWHERE = "p-one", "p-two"
PEOPLE = {
    "sub-01": ("north", PERSON),
    "sub-02": ("south", PERSON),
    "sub-03": ("north", ELSEWHERE),
    "sub-04": ("south", "p-3"),
}
THEIRS = ("sub-01", "sub-02")
MODEL, UNSEEN = "1" * 64, "2" * 64
"""A model that was trained on sub-01 and sub-02, and one that was only tested on them."""

ASKER = Actor("site-key:1", role="site", site="north")

ANSWER = {"outcome": "completed", "events": [{"onset_s": 1.5}], "recording_digest": ""}


def name_of(patient: str) -> str:
    return f"{patient}_task-rest"


def edf_of(workspace: Workspace, patient: str) -> Path:
    return workspace.cohort / patient / "eeg" / f"{name_of(patient)}_eeg.edf"


def tiny_workspace(root: Path) -> Workspace:
    """Recordings under DVC and pushed, what stages and a training made of them, and the ledger's lines of all that."""
    workspace = make_workspace(root, "real")
    _begin(workspace)
    people = workspace.cohort / "participants.tsv"
    now = people.read_text()
    people.write_text(now + "sub-05\tsouth\tp-4\n")  # an earlier version, which DVC keeps
    dvc(workspace, "add", "-q", "data/raw/tiny")
    keep(workspace, "An earlier version")
    people.write_text(now)
    dvc(workspace, "add", "-q", "data/raw/tiny")
    dvc(workspace, "push", "-q", "data/raw/tiny.dvc")
    keep(workspace, "Import cohort tiny")
    _go_on(workspace)
    return workspace


def light_workspace(root: Path) -> Workspace:
    """The same without Git and DVC: what questions need that only read."""
    write_json(root / MARKER, {"kind": "real"})
    shutil.copyfile(ROOT / "params.yaml", root / "params.yaml")
    workspace = Workspace(root)
    _begin(workspace)
    _go_on(workspace)
    return workspace


def _begin(workspace: Workspace) -> None:
    others = dict.fromkeys(("cohort.typing", "cohort.spasms", "cohort.semiology", "cohort.forecasting"), "none")
    set_params(workspace.root / "params.yaml", {"cohort.name": "tiny", **others})
    _write_cohort(workspace)


def _go_on(workspace: Workspace) -> None:
    register.platform_key(workspace)
    records.record_cohort(workspace)
    _write_what_was_made(workspace)
    _record_training(workspace)


def _write_cohort(workspace: Workspace) -> None:
    for number, patient in enumerate(PEOPLE):
        edf = edf_of(workspace, patient)
        edf.parent.mkdir(parents=True)
        write_edf(edf, np.random.default_rng(number).normal(0, 20, (19, 4 * 256)), ELECTRODES, 256.0)
        (edf.parent / f"{name_of(patient)}_events.tsv").write_text("onset\tduration\ttrial_type\n")
    write_json(workspace.cohort / "dataset_description.json", {"Name": "tiny", "BIDSVersion": "1.9.0"})
    rows = [f"{patient}\t{site}\t{person}" for patient, (site, person) in PEOPLE.items()]
    (workspace.cohort / "participants.tsv").write_text("\n".join(["participant_id\tsite\tperson", *rows]) + "\n")


def _write_what_was_made(workspace: Workspace) -> None:
    names = [name_of(patient) for patient in PEOPLE]
    write_json(workspace.interim / "checks" / "accepted.json", names)
    write_json(workspace.interim / "checks" / "verdicts.json", [{"recording": n, "outcome": "accepted"} for n in names])
    for folder in (workspace.interim / "fingerprints", workspace.store / "training" / "line_length" / "patient"):
        folder.mkdir(parents=True)
    for name in names:
        np.savez(workspace.interim / "fingerprints" / f"{name}.npz", prints=np.arange(3))
    training = workspace.store / "training" / "line_length" / "patient"
    np.savez(training / "features.npz", recording=np.array(names), x=np.arange(4))
    page = workspace.reports / "evaluation" / "line_length.html"
    page.parent.mkdir(parents=True)
    page.write_text(f"<p>worst: {names[0]}</p>")
    said = {**ANSWER, "recording_digest": sha256_file(edf_of(workspace, "sub-01"))}
    write_json(workspace.reports / "answers" / "one.json", said)


def _record_training(workspace: Workspace) -> None:
    names = [name_of(patient) for patient in PEOPLE]
    recordings = dataset_digest(cohort_of(workspace), names)
    data = Subject("dataset", "tiny (development)", digest_of(recordings))
    first, last = tuple(names[:2]), tuple(names[2:])
    split = Split("patient", 7, 0.25, (Fold(first, last[:1], last[1:]), Fold(last[:1], last[1:], first)))
    log = {"detector": "line_length", "split": split.digest, "params": {"window_s": 4}, "runs": [
        {"fold": 0, "bundle": MODEL}, {"fold": 1, "bundle": UNSEEN},
    ]}  # fmt: skip
    run = Subject("run", "train line_length", digest_of(log))
    drawn = Subject("split", "patient", split.digest)
    answered = sha256_file(edf_of(workspace, "sub-01"))
    prediction = Subject("prediction", "prediction-1", digest_of(ANSWER))
    ledger = records.open_ledger(workspace)
    ledger.append_many([
        Draft("dataset.frozen", records.PIPELINE, (data,), payload={"recordings": recordings},
              edges=tuple(Edge(data.digest, "contains", d) for d in recordings.values())),
        Draft("split.created", records.PIPELINE, (drawn,), payload={"split": split.to_json()},
              edges=(Edge(drawn.digest, "divides", data.digest),)),
        Draft("run.finished", records.PIPELINE, (run,), payload=log, edges=(Edge(run.digest, "split_by", drawn.digest), *made_in(ledger, run.digest))),
        *(Draft("run.finished", records.PIPELINE, (Subject("model", f"line_length fold {fold}", model),),
                payload=log["runs"][fold], edges=(Edge(model, "made_by", run.digest),))
          for fold, model in enumerate((MODEL, UNSEEN))),
        Draft("prediction.issued", ASKER, (prediction, Subject("recording", "sub-01", answered)),
              payload={**ANSWER, "recording_digest": answered},
              edges=(Edge(prediction.digest, "analyses", answered), Edge(prediction.digest, "made_by", MODEL))),
    ])  # fmt: skip


@pytest.fixture(scope="module", name="made")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The tiny workspace, to be read."""
    return tiny_workspace(tmp_path_factory.mktemp("patients") / "home")


@pytest.fixture(name="here")
def copied_here(made: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A copy of it that commands use, in which a patient may take consent back."""
    home = Path(shutil.copytree(made.root, tmp_path / "home"))
    monkeypatch.setenv("ICTAL_HOME", str(home))
    return Workspace(home)
