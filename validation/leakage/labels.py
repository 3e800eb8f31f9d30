"""No feature is made from the label: what an expert wrote down must not come back as an input."""

import itertools

import numpy as np

from validation.leakage.features import MIN_PERSONS, MIN_WINDOWS, PERFECT, Features, aucs
from validation.leakage.leak import Leak, Unknown
from validation.leakage.study import Study


def labels_not_read(study: Study) -> None:
    """No single feature parts seizure from background perfectly, in one direction, in every seizing person.

    Where fewer than three persons have 20 windows of either label, as with clips or seizures of which nobody has many,
    the windows of all persons are taken together: 20 of either label, of three persons each, are needed, else it is
    `Unknown`. A missing value (a joint that was not seen) stands in the middle of its feature. A label in disguise that
    is wrong now and then (AUC < 0.9995), or that only several features tell together, is not seen. Where several types
    are told apart, a feature must not part every pair of types over all persons: one type may look like nothing else,
    all of them cannot. Raises `Leak` (`label_derived`) naming the feature.
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
        _together(study, features)
        return
    table = np.stack([auc for _, auc in found])
    weakest = np.maximum(table.min(axis=0), 1 - table.max(axis=0))
    column = int(weakest.argmax())
    if weakest[column] >= PERFECT:
        raise Leak(
            "label_derived",
            f"{features.name(column)} alone tells seizure from background in {found[0][0]}, {found[1][0]} and all "
            f"{len(found)} seizing persons (AUC ≥ {weakest[column]:.4f}): it is made from the label",
        )


def _together(study: Study, features: Features) -> None:
    """The same over the windows of all persons."""
    persons = np.array([study.person(str(name)) for name in features.recording])
    who = [len(set(persons[features.label == kind])) for kind in (0, 1)]
    windows = np.bincount(features.label, minlength=2)
    if min(who) < MIN_PERSONS or windows.min() < MIN_WINDOWS:
        raise Unknown(
            f"there are {windows[1]} windows of seizure of {who[1]} persons and {windows[0]} of background of {who[0]}, "
            f"{MIN_WINDOWS} of {MIN_PERSONS} are needed of both"
        )
    parted = aucs(_filled(features.x), features.label)
    strongest = np.maximum(parted, 1 - parted)
    column = int(strongest.argmax())
    if strongest[column] >= PERFECT:
        raise Leak(
            "label_derived",
            f"{features.name(column)} alone tells seizure from background over all {len(set(persons))} persons "
            f"(AUC ≥ {strongest[column]:.4f}): it is made from the label",
        )


def _filled(x: np.ndarray) -> np.ndarray:
    """Missing values in the middle of their feature; a feature of which all are missing is 0."""
    known = np.isfinite(x)
    if known.all():
        return x
    middle = np.nanmedian(np.where(known, x, np.nan)[:, known.any(axis=0)], axis=0)
    filled = np.zeros_like(x)
    columns = np.flatnonzero(known.any(axis=0))
    filled[:, columns] = np.where(known[:, columns], x[:, columns], middle)
    return filled


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
