"""The pose estimator of a workspace: a tiny one taught on simulated infants, or one that the site brings."""

import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from data.pose import JOINTS
from data.simulator.infants import InfantParams, InfantSettings, parts_of, plan_infants, scene_of
from data.simulator.motion.person import joints_of
from data.simulator.scene import film, scaled_to
from data.simulator.scene.camera import seen_by
from flows import records
from flows.progress import Show, on_terminal
from flows.workspace import Workspace, open_workspace
from lineage.ledger import Draft, Subject
from lineage.refused import Refused
from lineage.whole import whole_file
from models.pose_estimator import BadEstimator, PoseEstimator, load_estimator
from models.tiny_pose import train_tiny_estimator, write_tiny_estimator
from serving.naming import ESTIMATOR

OTHERS = 1_000_000
"""How far the seed of the infants that an estimator learns from lies from that of the workspace's own: nobody is both."""


@dataclass(frozen=True)
class Lessons:
    """How much is learnt from: frames of each of so many simulated infants, and optimiser steps. `tested` see none of it."""

    infants: int = 16
    tested: int = 4
    frames: int = 40
    steps: int = 300
    size_px: int = 64


def train_estimator(seed: int, replace_it: bool, lessons: Lessons | None = None) -> dict[str, Any]:
    """`ictal estimator train`: teach the tiny network and put it into the workspace, its description beside it; says
    how far it is off in infants that it had not seen, in torso lengths. A line in the ledger. Refused where there is an
    estimator already, unless `replace_it`."""
    workspace, started, lessons = open_workspace(), time.monotonic(), lessons or Lessons()
    path = _place(workspace, replace_it)
    with on_terminal() as show:
        infants = _infants(workspace.params.infants.seed + OTHERS + seed, lessons)
        learnt, tested = infants[: lessons.infants], infants[lessons.infants :]
        frames, xy, _ = _seen(learnt, lessons, seed, show)
        show("tiny pose network learns", 0, 1)
        network = train_tiny_estimator(frames, xy, seed, steps=lessons.steps)
    partial = path.with_name("pose_estimator.partial.onnx")
    write_tiny_estimator(network, partial, lessons.size_px)
    off = _off_by(load_estimator(partial), tested, lessons, seed)
    _take(partial, path)
    partial.unlink()
    partial.with_suffix(".json").unlink()
    about = {"lessons": vars(lessons), "seed": seed, "off_by_torsos": off}
    subject = _record(workspace, "run.finished", path, about)
    text = (
        f"a tiny pose estimator learnt from {len(frames)} frames of {len(learnt)} simulated infants; in {len(tested)} others "
        f"half of all joints are less than {off['median']:.2f} torso lengths off, nine of ten less than {off['p90']:.2f}\n"
        "it knows simulated infants and nobody else: for real films bring one with `ictal estimator install FILE`\n"
        f"kept as {path}; {time.monotonic() - started:.0f} s"
    )
    return {"path": str(path), "sha256": subject.digest, **about, "text": text}


def install_estimator(file: Path, replace_it: bool) -> dict[str, Any]:
    """`ictal estimator install`: run the model on an empty picture, compare it with its description, and take both. A
    line in the ledger. BadEstimator (Refused) for a model that cannot be run or is not as described; Refused where
    there is an estimator already, unless `replace_it`."""
    workspace = open_workspace()
    with on_terminal() as show:
        show("the model is run once", 0, 0)
        found = load_estimator(file)
        found.joints_in(np.zeros((1, found.size_px, found.size_px), np.uint8))
    path = _place(workspace, replace_it)
    _take(file, path)
    about = {"size_px": found.size_px, "joints": list(found.joints), "output": found.output}
    subject = _record(workspace, "validation.passed", path, about)
    text = (
        f"took a pose estimator of {len(found.joints)} joints in pictures of {found.size_px} pixels; films of infants are "
        f"answered from now on\nkept as {path}; a running service takes it when it is started again"
    )
    return {"path": str(path), "sha256": subject.digest, **about, "text": text}


def _place(workspace: Workspace, replace_it: bool) -> Path:
    path = workspace.root / ESTIMATOR
    if path.exists() and not replace_it:
        raise Refused("the workspace has a pose estimator already: say --replace to exchange it")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _take(source: Path, path: Path) -> None:
    """Copy a model and its description into the workspace; what lies there afterwards is loaded once more."""
    if source.resolve() == path.resolve():
        raise BadEstimator("that is the estimator of this workspace already: name another file")
    with whole_file(path.with_suffix(".json")) as about, whole_file(path) as model:
        shutil.copyfile(source.with_suffix(".json"), about)
        shutil.copyfile(source, model)
    load_estimator(path)


def _record(workspace: Workspace, type: str, path: Path, about: dict[str, Any]) -> Subject:
    described = {"model": load_estimator(path).digest}
    subject = Subject("pose_estimator", path.name, described["model"])
    records.record_once(workspace, Draft(type, records.PIPELINE, (subject,), payload=about))
    return subject


def _infants(seed: int, lessons: Lessons) -> list[InfantParams]:
    """Simulated infants in bed without a blanket, by the cameras of the simulated hospitals, in the order of drawing."""
    wanted = lessons.infants + lessons.tested
    drawn = plan_infants(InfantSettings(seed=seed, patients_per_site=2 * wanted, phone_patients=0, broken=0, unposed=0))
    uncovered = [p for p in drawn if not p.breakage and not p.room.blanket]
    spread = np.random.default_rng(seed).permutation(len(uncovered))[:wanted]  # of all hospitals
    return [
        replace(uncovered[at], camera=scaled_to(uncovered[at].camera, lessons.size_px), duration_s=60.0)
        for at in spread
    ]


def _seen(
    infants: list[InfantParams], lessons: Lessons, seed: int, show: Show
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frames, uint8 (n, size, size), joints (n, joints, 2) in their pixels, and the torso's length (n,) in pixels."""
    rng, frames, places, torsos = np.random.default_rng(seed), [], [], []
    for number, infant in enumerate(infants):
        times_s = np.sort(rng.uniform(0, infant.duration_s, lessons.frames))
        frames.append(film(scene_of(infant), infant.camera, times_s))
        places.append(seen_by(infant.camera, joints_of(infant.person, parts_of(infant), times_s), times_s))
        torsos.append(np.full(lessons.frames, infant.camera.scale))
        show("simulated infants filmed", number + 1, len(infants))
    return np.concatenate(frames), np.concatenate(places), np.concatenate(torsos)


def _off_by(found: PoseEstimator, infants: list[InfantParams], lessons: Lessons, seed: int) -> dict[str, float]:
    """Distance between estimated and true joints, in torso lengths, over all joints and frames of these infants."""
    frames, xy, torso = _seen(infants, lessons, seed + 1, lambda *_: None)
    away = np.linalg.norm(found.joints_in(frames)[..., :2] - xy, axis=2) / torso[:, None]
    assert len(found.joints) == len(JOINTS)
    return {"median": float(np.median(away)), "p90": float(np.quantile(away, 0.9)), "infants": len(infants)}
