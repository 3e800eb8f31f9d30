"""Variants times folds: what each run depends on, where its result is kept, and which are still to be made.

A result is kept under the digest of all it depends on (numbers, people, split, data, labels, code, seed), so that a
second run makes nothing, a stopped one goes on with the next fold, and nothing is ever reused that was made of
something else. Kept are predictions and what probes need: no weights, hence nothing that could be registered.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

from data.events import Annotations
from flows.parallel import over
from flows.progress import Show
from flows.stages.audits import members
from flows.stages.files import cohort_of, dataset_digest, development, read_json, split_of, truths, write_json
from flows.workspace import Workspace
from lineage.digest import Digest, digest_of
from models.ablations import Variant
from validation.scaling import scaled
from validation.splits import Fold

LOG = "run.json"
REPEATED_AT = 1000
"""How far the seeds of two repeats lie apart: further than there are folds."""


@dataclass(frozen=True)
class Run:
    """One variant on one outer fold with one of the seeds (`repeat`); `folder` is where its result lies once `is_kept`."""

    variant: Variant
    number: int
    repeat: int
    fold: Fold
    seed: int
    key: Digest
    folder: Path

    @property
    def is_kept(self) -> bool:
        """Whether a result made of all that the run depends on lies whole in its folder; read from disk each time."""
        return (self.folder / LOG).exists() and read_json(self.folder / LOG)["key"] == self.key

    @property
    def log(self) -> dict[str, Any]:
        """What `keep` wrote of the run: key, variant, fold, repeat, seed, the recordings it learnt from, and what its
        fit said (null for NaN). FileNotFoundError where nothing is kept yet."""
        found: dict[str, Any] = read_json(self.folder / LOG)
        return found


@dataclass(frozen=True)
class Study:
    """One detector's ablation in a workspace: who is divided how, what was marked, and every run.

    `sites` is by person, `persons` by recording; `about` names everything that all runs have in common.

    `runs` are all variants times folds times `repeats`, kept or not; `truth` is by recording.
    """

    detector: str
    workspace: Workspace
    truth: dict[str, Annotations]
    persons: dict[str, str]
    sites: dict[str, str]
    runs: tuple[Run, ...]
    about: dict[str, Any]

    def of(self, variant: str) -> list[Run]:
        """Every run of a variant, kept or not; empty where the study has no variant of this name."""
        return [r for r in self.runs if r.variant.name == variant]

    def kept(self, variant: str) -> dict[int, list[Run]]:
        """The runs of a variant by repeat, of those repeats of which every fold is kept."""
        own: dict[int, list[Run]] = {}
        for run in self.of(variant):
            own.setdefault(run.repeat, []).append(run)
        return {repeat: folds for repeat, folds in own.items() if all(r.is_kept for r in folds)}


def study_of(workspace: Workspace, detector: str, variants: Sequence[Variant], repeats: int = 1) -> Study:
    """Every run of these variants with patients apart, and what each depends on."""
    entries = development(workspace)
    truth, split, settings = truths(workspace, entries), split_of(workspace, "patient"), workspace.params.train
    about = {
        "detector": detector,
        "preset": settings.preset,
        "seed": settings.seed,
        "shuffled_labels": settings.shuffle_labels,
        "split": split.digest,
        "dataset": digest_of(dataset_digest(cohort_of(workspace), list(truth))),
        "labels": digest_of({name: asdict(own) for name, own in truth.items()}),
        "code": (workspace.root / "code" / "ablate.txt").read_text().strip(),
    }
    sites: dict[str, set[str]] = {}
    for entry in entries:
        sites.setdefault(entry.person, set()).add(entry.site)
    listed = members(workspace)
    home = workspace.store / "ablations" / detector
    runs = []
    for variant in variants:
        for repeat, (number, whole) in product(range(repeats), enumerate(split.folds)):
            seed = settings.seed + number + REPEATED_AT * repeat
            fold = scaled(whole, listed, variant.share, seed)
            key = digest_of(
                {**about, "params": dict(variant.params), "fold": asdict(fold), "number": number, "fit": seed}
            )
            runs.append(Run(variant, number, repeat, fold, seed, key, home / key[:16]))
    persons = {e.name: e.person for e in entries}
    joined = {person: "+".join(sorted(own)) for person, own in sites.items()}
    return Study(detector, workspace, truth, persons, joined, tuple(runs), about)


def missing(study: Study, names: Sequence[str]) -> list[Run]:
    """The runs of these variants that are not kept, the first seed of all before the second of any."""
    wanted = {r.key: r for r in study.runs if r.variant.name in names and not r.is_kept}
    return sorted(wanted.values(), key=lambda run: run.repeat)


def make(work: Callable[[Any], None], jobs: Sequence[Any], what: str, show: Show, needs: Sequence[str]) -> None:
    """Make runs on all cores; each keeps its own result, so that those that were made stay where one is stopped."""
    if jobs:
        over(work, jobs, what, show, needs)


def begin(run: Run) -> Path:
    """An empty folder beside the run's own, to be filled and then kept."""
    part = run.folder.with_name(f".{run.folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    return part


def keep(run: Run, part: Path, log: dict[str, Any]) -> None:
    """The run's result takes its place, whole or not at all."""
    about = {"key": run.key, "variant": run.variant.name, "fold": run.number, "repeat": run.repeat, "seed": run.seed}
    write_json(part / LOG, {**about, "learnt_from": list(run.fold.train), **log})
    shutil.rmtree(run.folder, ignore_errors=True)
    part.rename(run.folder)
