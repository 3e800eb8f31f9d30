"""What each declared part of a typing detector is worth: every variant fitted on the same folds, patients apart.

`answers_of_variants` gives rows of an answers table with the variant's name, so that the figures of the house put each
beside the whole detector, paired by patient (`evaluate_spasms(...)["differences"]`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.ablations import FULL, Variant
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
    """What one variant said of one stretch: the mean of its probabilities over `fits` fits with other seeds."""

    variant: str
    fold: int
    recording: str
    event: int
    clips: int
    fits: int
    probabilities: tuple[float, ...]


def answers_of_variants(
    name: str, variants: Sequence[Variant], folds: Sequence[FoldClips], *, seeds: Sequence[int]
) -> list[Said]:
    """Every variant on every fold and with every seed; the whole detector is called as its answer is in any table.

    Probabilities are averaged over the seeds, the same for all variants. Patients of a fold's test are in no other part.
    """
    for fold in folds:
        _refuse_shared(fold)
    return [said for variant in variants for number, fold in enumerate(folds) for said in _said(name, variant, number, fold, seeds)]  # fmt: skip


def fit_variant(name: str, variant: Variant, fold: FoldClips, *, seed: int) -> tuple[list[Said], dict[str, Any], int]:
    """One variant on one fold with one seed: its answers, the log of its training, and how many numbers it holds.

    The fold's people are taken as they are, whatever share of them the variant asks for.
    """
    _refuse_shared(fold)
    bundle, log = fit_typing_fold(name, variant.params, fold.train, fold.valid, seed=seed)
    called = ANSWER if variant.name == FULL else variant.name
    said = [
        Said(called, 0, recording, event, clips, 1, tuple(found[ANSWER].tolist()))
        for (recording, event), (clips, found) in answer_examples(bundle, fold.test).items()
    ]
    return said, log, sum(v.size for v in bundle.detector.state().tensors.values())


def _said(name: str, variant: Variant, number: int, fold: FoldClips, seeds: Sequence[int]) -> Iterator[Said]:
    train = _people(fold.train, variant.share)
    fits = [_answers(name, variant.params, train, fold, seed + number) for seed in seeds]
    for (recording, event), (clips, _) in fits[0].items():
        mean = np.mean([own[recording, event][1] for own in fits], axis=0)
        called = ANSWER if variant.name == FULL else variant.name
        yield Said(called, number, recording, event, clips, len(fits), tuple(mean.tolist()))


def _answers(
    name: str, params: Mapping[str, object], train: Examples, fold: FoldClips, seed: int
) -> dict[tuple[str, int], tuple[int, np.ndarray]]:
    bundle, _ = fit_typing_fold(name, params, train, fold.valid, seed=seed)
    return {place: (clips, found[ANSWER]) for place, (clips, found) in answer_examples(bundle, fold.test).items()}


def _people(train: Examples, share: float) -> Examples:
    """The clips of the first `share` of the training people, in the order of their names; at least one."""
    people = np.unique(train.patient)
    return train.take(np.isin(train.patient, people[: max(1, round(share * len(people)))]))


def _refuse_shared(fold: FoldClips) -> None:
    tested = set(fold.test.patient.tolist())
    if shared := tested & {*fold.train.patient.tolist(), *fold.valid.patient.tolist()}:
        raise ValueError(f"{len(shared)} patients of a fold are tested and trained on: keep patients apart")
