"""What stages read and write in a workspace: accepted recordings, splits, truths, JSON files."""

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data.cohorts.bids import Cohort, read_cohort
from data.cohorts.bids import Entry as CohortEntry
from data.events import Annotations
from data.outcomes import Refusal
from flows.consent import withdrawn
from flows.workspace import Workspace
from lineage.digest import digest_of, sha256_file
from lineage.refused import Refused
from validation.holdout import is_locked

if TYPE_CHECKING:
    from validation.splits import Split


def cohort_of(workspace: Workspace) -> Cohort:
    """The cohort that the workspace's task looks at, without those who withdrew their consent. What is refused of it names
    where it lies."""
    try:
        cohort, gone = read_cohort(workspace.cohort, workspace.modality), withdrawn(workspace).persons
    except Refusal as why:
        name = workspace.cohort_name
        raise Refusal(why.code, f"{why.reason} (in data/raw/{name}, then run `ictal check {name}`)") from None
    return replace(cohort, entries=tuple(e for e in cohort.entries if e.person not in gone)) if gone else cohort


def accepted(workspace: Workspace, period: str) -> list[CohortEntry]:
    """The recordings of a period that the checks let through, in the cohort's order. Refused of a cohort that was not
    checked."""
    names = _let_through(workspace)
    cohort = cohort_of(workspace)
    return [e for e in cohort.entries if e.name in names and (e.period or "development") == period]


def has_accepted(workspace: Workspace) -> bool:
    """Whether the task's cohort was checked, and the checks let anything of it through."""
    path = workspace.interim / "checks" / "accepted.json"
    return path.exists() and bool(read_json(path))


def refuse_unchecked(workspace: Workspace) -> None:
    """Refuse where the task's cohort was not checked yet, or the checks let none of its recordings through."""
    if not _let_through(workspace):
        blocked = [r["sentence"].rstrip(".") for r in read_json(workspace.interim / "checks" / "gx.json")["blocked"]]
        raise Refused(
            f"the checks let no recording of the cohort of {workspace.task} through: "
            f"{'; '.join(blocked) or 'each was put aside'}. See `ictal check {workspace.cohort_name}`"
        )


def _let_through(workspace: Workspace) -> set[str]:
    path = workspace.interim / "checks" / "accepted.json"
    if not path.exists():
        raise Refused(f"no cohort of {workspace.task} has been checked here: run `ictal check` first")
    return set(read_json(path))


def development(workspace: Workspace) -> list[CohortEntry]:
    """What training, tuning and evaluation may see: accepted recordings of the period, without the locked hold-out."""
    lock = workspace.params.holdout
    return [e for e in accepted(workspace, "development") if not is_locked(e.person, lock.share, lock.seed)]


def holdout(workspace: Workspace) -> list[CohortEntry]:
    """The recordings of the locked hold-out; only `flows.holdout` reads them."""
    lock = workspace.params.holdout
    return [e for e in accepted(workspace, "development") if is_locked(e.person, lock.share, lock.seed)]


def splits(workspace: Workspace) -> dict[str, "Split"]:
    """The split of each regime that the cohort can be divided by; FileNotFoundError where the split stage never ran."""
    from validation.splits import Split

    drawn = read_json(workspace.interim / "split.json")
    return {regime: Split.from_json(s) for regime, s in drawn.items() if "refused" not in s}


def wanted_regimes(workspace: Workspace) -> list[str]:
    """The regimes of params.yaml for the workspace's task."""
    lab = workspace.params.lab
    return list(lab.regimes if workspace.task == "detection" else getattr(lab, workspace.task))


def regimes(workspace: Workspace, detector: str | None = None) -> list[str]:
    """The regimes of params.yaml that the cohort can be divided by, from the honest to the leaky.

    Of a detector that is not among `lab.controls`, where some are, the reportable ones only.
    """
    controls = workspace.params.lab.controls
    honest_only = bool(detector and controls and detector not in controls)
    wanted = wanted_regimes(workspace)
    return [r for r, s in splits(workspace).items() if r in wanted and (s.reportable or not honest_only)]


def undivided(workspace: Workspace) -> dict[str, str]:
    """The regimes of params.yaml that the cohort cannot be divided by, each with the reason."""
    drawn = read_json(workspace.interim / "split.json")
    return {r: s["refused"] for r, s in drawn.items() if "refused" in s and r in wanted_regimes(workspace)}


def split_of(workspace: Workspace, regime: str) -> "Split":
    """The split of one regime; refuses one that the cohort cannot be divided by."""
    found = splits(workspace)
    if regime not in found:
        drawn = read_json(workspace.interim / "split.json")
        raise Refused(drawn.get(regime, {}).get("refused") or f"no regime {regime!r}; regimes are {', '.join(found)}")
    return found[regime]


def training_of(workspace: Workspace, detector: str, regime: str) -> Path:
    """Where the training of a detector under a regime lies."""
    return workspace.store / "training" / detector / regime


def pretrained_of(workspace: Workspace, detector: str) -> Path:
    """Where what a detector learnt beforehand lies."""
    return workspace.store / "pretrained" / workspace.task / detector


def pretraining_log(workspace: Workspace, detector: str) -> dict[str, Any] | None:
    """How and from whom a detector learnt beforehand; None of one that does not."""
    path = pretrained_of(workspace, detector) / "log.json"
    return read_json(path) if path.exists() else None


def evaluation_of(workspace: Workspace, detector: str, regime: str) -> Path:
    """Where the predictions and figures of a detector under a regime lie."""
    return workspace.interim / "evaluation" / detector / regime


def trained(workspace: Workspace, regime: str = "patient") -> list[str]:
    """The detectors of the workspace's task that were trained under a regime."""
    from models import detectors

    own = detectors.names(workspace.task)
    return [n for n in own if (training_of(workspace, n, regime) / "log.json").exists()]


def results(workspace: Workspace, detector: str) -> dict[str, dict[str, Any]]:
    """What was evaluated of a detector, by regime; what was made in other circumstances than now is left out."""
    current = {}
    for regime in regimes(workspace):
        path = evaluation_of(workspace, detector, regime) / "result.json"
        log = training_of(workspace, detector, regime) / "log.json"
        if path.exists() and log.exists():
            result = read_json(path)
            made = {"split": split_of(workspace, regime).digest, "training": sha256_file(log)}
            made |= circumstances(workspace, development(workspace))
            if made.items() <= result["of"].items():
                current[regime] = result
    return current


def circumstances(workspace: Workspace, recordings: list[CohortEntry]) -> dict[str, Any]:
    """What figures of these recordings depend on besides the predictions: whose labels, which code, which draws."""
    return {
        "recordings": digest_of(sorted(e.name for e in recordings)),
        "shuffled_labels": workspace.params.train.shuffle_labels,
        "scoring": workspace.params.evaluate.model_dump(),
        "code": code_of(workspace, "evaluate"),
    }


def code_of(workspace: Workspace, stage: str) -> str:
    """Digest of the code behind a stage, as the workspace's task runs it."""
    name = stage if workspace.task == "detection" else f"{stage}_types"
    return (workspace.root / "code" / f"{name}.txt").read_text().strip()


def truths(workspace: Workspace, entries: list[CohortEntry]) -> dict[str, Annotations]:
    """The seizures of each recording, or, in the null control, those (or the types) of somebody else's recording."""
    own = true_events(workspace, entries)
    settings = workspace.params.train
    if not settings.shuffle_labels:
        return own
    typed = workspace.task in ("typing", "semiology")
    return _retyped(own, settings.seed) if typed else _swapped(own, settings.seed)


def true_events(workspace: Workspace, entries: list[CohortEntry]) -> dict[str, Annotations]:
    """The events of each recording as they were marked."""
    cohort = cohort_of(workspace)
    return {e.name: cohort.annotations(e) for e in entries}


def _swapped(own: dict[str, Annotations], seed: int) -> dict[str, Annotations]:
    """Every recording gets the next one's labels in a random circle, cut to its own length."""
    names = list(own)
    circle = np.random.default_rng(seed).permutation(len(names))
    swapped = {}
    for here, there in zip(circle, np.roll(circle, 1), strict=True):
        duration_s = own[names[here]].duration_s
        kept = tuple(e for e in own[names[there]].events if e.end_s <= duration_s)
        swapped[names[here]] = Annotations(kept, duration_s)
    return {name: swapped[name] for name in names}


def _retyped(own: dict[str, Annotations], seed: int) -> dict[str, Annotations]:
    """Seizures stay where they are; their types are those of the next recording in a random circle, over and over."""
    names = [name for name, marked in own.items() if marked.events]
    circle = np.random.default_rng(seed).permutation(len(names))
    retyped = dict(own)
    for here, there in zip(circle, np.roll(circle, 1), strict=True):
        types = [event.type for event in own[names[there]].events]
        events = own[names[here]].events
        moved = tuple(replace(e, type=types[i % len(types)]) for i, e in enumerate(events))
        retyped[names[here]] = Annotations(moved, own[names[here]].duration_s)
    return retyped


def inner_auc(workspace: Workspace, detector: str) -> float | None:
    """Mean AUC on the inner patients of the folds, what a winner is chosen by; None where no fold can be judged.

    A fold cannot where none of its few inner patients has a seizure.
    """
    runs = read_json(training_of(workspace, detector, "patient") / "log.json")["runs"]
    judged = [r["inner_auc"] for r in runs if r["inner_auc"] is not None]
    return sum(judged) / len(judged) if judged else None


def unjudged(workspace: Workspace, detector: str) -> dict[str, str]:
    """Of the regimes with folds whose inner patients gave no AUC: in which, and why."""
    found = {}
    for regime in results(workspace, detector):
        runs = read_json(training_of(workspace, detector, regime) / "log.json")["runs"]
        if without := [str(run["fold"]) for run in runs if run["inner_auc"] is None]:
            found[regime] = (
                f"the inner patients of {len(without)} of {len(runs)} folds (fold {', '.join(without)}) show one class only, so "
                "no AUC of theirs chose when to stop learning there, or says which detector is best"
            )
    return found


def dataset_digest(cohort: Cohort, names: list[str]) -> dict[str, str]:
    """SHA-256 of each recording's raw bytes: the identity of a dataset is the digest of this table."""
    entries = {e.name: e for e in cohort.entries}
    return {name: digest_of_entry(entries[name]) for name in names}


def digest_of_entry(entry: CohortEntry) -> str:
    """SHA-256 of a recording's raw bytes; of a film with several views, of the digests of all of them."""
    if len(entry.views) > 1:
        return digest_of([sha256_file(view) for view in entry.views])
    return sha256_file(entry.path)


def write_json(path: Path, value: Any) -> None:
    """Write a file whole or not at all, in folders that are made. ValueError for infinity, and for NaN, which
    `null_for_nan` replaces; TypeError for what JSON has no word for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(value, indent=1, default=_plain, allow_nan=False) + "\n")
    partial.replace(path)


def null_for_nan(value: Any) -> Any:
    """What could not be computed, as an AUC where no inner patient has a seizure, is written as null."""
    if isinstance(value, dict):
        return {name: null_for_nan(own) for name, own in value.items()}
    if isinstance(value, list):
        return [null_for_nan(own) for own in value]
    return None if isinstance(value, float) and np.isnan(value) else value


def read_json(path: Path) -> Any:
    """What a JSON file says; ValueError where it is not JSON."""
    return json.loads(path.read_text())


def scratch_of(workspace: Workspace) -> Path:
    """Where a stage keeps what it makes on the way."""
    folder = workspace.root / "tmp"
    folder.mkdir(exist_ok=True)
    return folder


def fresh(folder: Path) -> Path:
    """An empty folder, whatever stood there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if hasattr(value, "__dataclass_fields__"):
        return asdict(value)
    raise TypeError(f"{type(value).__name__} is not a JSON value")
