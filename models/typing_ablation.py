"""What each declared part of a typing detector is worth: one variant, fitted on one fold, patients apart."""

from dataclasses import dataclass
from typing import Any

from models.ablations import Variant
from models.detector import Examples
from models.typing import ANSWER, answer_examples, fit_typing_fold


@dataclass(frozen=True)
class FoldClips:
    """Labelled clips of one fold: to learn from, of inner patients, and of those tested."""

    train: Examples
    valid: Examples
    test: Examples


@dataclass(frozen=True)
class Said:
    """What a variant said of one stretch of a recording, from how many clips."""

    recording: str
    event: int
    clips: int
    probabilities: tuple[float, ...]


def fit_variant(name: str, variant: Variant, fold: FoldClips, *, seed: int) -> tuple[list[Said], dict[str, Any], int]:
    """One variant on one fold with one seed: its answers, the log of its training, and how many numbers it holds.

    The fold's people are taken as they are, whatever share of them the variant asks for; ValueError where one is tested and
    trained on.
    """
    _refuse_shared(fold)
    bundle, log = fit_typing_fold(name, variant.params, fold.train, fold.valid, seed=seed)
    said = [
        Said(recording, event, clips, tuple(found[ANSWER].tolist()))
        for (recording, event), (clips, found) in answer_examples(bundle, fold.test).items()
    ]
    return said, log, sum(v.size for v in bundle.detector.state().tensors.values())


def _refuse_shared(fold: FoldClips) -> None:
    tested = set(fold.test.patient.tolist())
    if shared := tested & {*fold.train.patient.tolist(), *fold.valid.patient.tolist()}:
        raise ValueError(f"{len(shared)} patients of a fold are tested and trained on: keep patients apart")
