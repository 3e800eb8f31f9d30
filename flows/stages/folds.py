"""What every training shares, whatever the detector answers: the origin of each fold's model, and who plays which part."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data.events import Annotations
from flows.stages.files import code_of, cohort_of, dataset_digest, pretrained_of
from flows.workspace import Workspace
from lineage.digest import digest_of
from models.detector import Examples
from models.pretrained import pretrained_digest
from validation.leakage import Features, sample_features
from validation.splits import INNER_VALID, TEST, TRAIN, Split


@dataclass(frozen=True)
class Fold:
    """One fold's place in a training: its seed, where an interrupted one goes on from, and what its model states."""

    number: int
    seed: int
    checkpoint: Path
    origin: dict[str, Any]


def folds_of(
    workspace: Workspace, name: str, params: dict[str, Any], split: Split, truth: Mapping[str, Annotations]
) -> list[Fold]:
    """The folds of a regime, each with the origin that its bundle will carry; `truth` of every recording that is used.

    A checkpoint bears the digest of all that a fit depends on, so that none goes on from other data, labels or weights.
    """
    settings = workspace.params.train
    common = {
        "dataset": digest_of(dataset_digest(cohort_of(workspace), list(truth))),
        "labels": digest_of({name: asdict(own) for name, own in truth.items()}),
        "pretrained": pretrained_digest(pretrained_of(workspace, name)),
        "preset": settings.preset,
        "shuffled_labels": settings.shuffle_labels,
        "code": code_of(workspace, "train"),
        "split": split.digest,
        "regime": split.regime,
        "reportable": split.reportable,
    }
    folds = []
    for number in range(len(split.folds)):
        origin = {**common, "fold": number, "seed": settings.seed + number}
        resume = workspace.root / "tmp" / f"{name}-{digest_of([origin, params])[:16]}.pt"
        folds.append(Fold(number, settings.seed + number, resume, origin))
    return folds


def forget(folds: list[Fold]) -> None:
    """Remove what an interrupted training would have gone on from."""
    for fold in folds:
        for left in fold.checkpoint.parent.glob(f"{fold.checkpoint.stem}*"):
            left.unlink()


def parts_of(
    read: Callable[[str], Examples], recordings: Iterable[str], split: Split, fold: int
) -> tuple[Examples, Examples, Examples]:
    """Training, inner and test examples of a fold, whatever its regime."""
    parts = []
    for recording in recordings:
        examples = read(recording)
        roles = split.roles(recording, examples.onset_s, fold, examples.window_s, examples.event)
        parts.append((examples, roles))

    def of(role: int) -> Examples:
        return Examples.join([e.take(np.flatnonzero(roles == role)) for e, roles in parts if (roles == role).any()])

    return of(TRAIN), of(INNER_VALID), of(TEST)


def sampled(read: Callable[[str], Examples], recordings: Iterable[str]) -> Features:
    """Some examples of every recording with their labels, for the guard against features that know the answer."""
    parts = []
    for recording in recordings:
        examples = read(recording)
        assert examples.label is not None
        parts.append(sample_features(recording, examples.x, examples.label))
    return Features.join(parts)
