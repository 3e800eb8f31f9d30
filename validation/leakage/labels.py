"""No feature is made from the label: what an expert wrote down must not come back as an input."""

import itertools

import numpy as np

from validation.leakage.features import MIN_PERSONS, MIN_WINDOWS, PERFECT, Features, aucs
from validation.leakage.leak import Leak, Unknown
from validation.leakage.study import Study


def labels_not_read(study: Study) -> None:
    """No single feature parts seizure from background perfectly, in one direction, in every seizing person.

    Needs three persons with 20 windows of either label, else unknown. A label in disguise that is wrong now and then
    (AUC < 0.9995), or that only several features tell together, is not seen. Where several types are told apart, a
    feature must not part every pair of types over all persons: one type may look like nothing else, all of them cannot.
    """
    features = study.disclosed.features
    if features is None:
        raise Unknown("no sample of features and labels was given")
    if features.label.max(initial=0) > 1:
        _types_not_read(features)
        return
    found = [
        (_first_seizing(features, rows), aucs(features.x[rows], features.label[rows]))
        for rows in _people(study, features)
    ]
    if len(found) < MIN_PERSONS:
        raise Unknown(
            f"{len(found)} persons have {MIN_WINDOWS} windows of seizure and of background, {MIN_PERSONS} are needed"
        )
    table = np.stack([auc for _, auc in found])
    weakest = np.maximum(table.min(axis=0), 1 - table.max(axis=0))
    column = int(weakest.argmax())
    if weakest[column] >= PERFECT:
        raise Leak(
            "label_derived",
            f"{features.name(column)} alone tells seizure from background in {found[0][0]}, {found[1][0]} and all "
            f"{len(found)} seizing persons (AUC ≥ {weakest[column]:.4f}): it is made from the label",
        )


def _types_not_read(features: Features) -> None:
    finite = np.isfinite(features.x).all(axis=1)
    x, label = features.x[finite], features.label[finite]
    kinds = [k for k in np.unique(label) if (label == k).sum() >= MIN_WINDOWS]
    if len(kinds) < MIN_PERSONS:
        raise Unknown(f"{len(kinds)} types have {MIN_WINDOWS} windows, {MIN_PERSONS} are needed")
    suspects = np.arange(x.shape[1])
    for one, other in itertools.combinations(kinds, 2):
        rows = np.isin(label, (one, other))
        parted = aucs(x[np.ix_(rows, suspects)], (label[rows] == one).astype(np.int8))
        suspects = suspects[np.maximum(parted, 1 - parted) >= PERFECT]
    if len(suspects):
        raise Leak(
            "label_derived",
            f"{features.name(int(suspects[0]))} alone tells {len(kinds)} types apart, each from each "
            f"(AUC ≥ {PERFECT}): it is made from the label",
        )


def _people(study: Study, features: Features) -> list[np.ndarray]:
    """Rows of every person with enough windows of either label."""
    names, of_row = np.unique(features.recording, return_inverse=True)
    person = np.array([study.person(str(name)) for name in names])[of_row] if len(names) else np.zeros(0, str)
    finite = np.isfinite(features.x).all(axis=1)
    rows = [np.flatnonzero((person == p) & finite) for p in np.unique(person)]
    return [r for r in rows if np.bincount(features.label[r], minlength=2).min() >= MIN_WINDOWS]


def _first_seizing(features: Features, rows: np.ndarray) -> str:
    return str(features.recording[rows[features.label[rows] > 0][0]])
