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
    `Unknown`. There a feature is judged by the windows in which its value is known (a joint was seen), where those are
    as many; whether it is known is a feature too. A label in disguise that is wrong now and then (AUC < 0.9995), or
    that only several features tell together, is not seen. Where several types
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
    _, persons = np.unique([study.person(str(name)) for name in features.recording], return_inverse=True)
    if not _are_enough(persons, features.label):
        who = [len(np.unique(persons[features.label == kind])) for kind in (0, 1)]
        windows = np.bincount(features.label, minlength=2)
        raise Unknown(
            f"there are {windows[1]} windows of seizure of {who[1]} persons and {windows[0]} of background of {who[0]}, "
            f"{MIN_WINDOWS} of {MIN_PERSONS} are needed of both"
        )
    known = np.isfinite(features.x)
    by_value, by_being_known = _strongest(features, known, persons), aucs(known, features.label)
    table = np.stack([by_value, np.maximum(by_being_known, 1 - by_being_known)])
    what, column = np.unravel_index(table.argmax(), table.shape)
    if table[what, column] >= PERFECT:
        name = features.name(int(column))
        told = f"whether {name} is known" if what else name
        raise Leak(
            "label_derived",
            f"{told} alone tells seizure from background over all {persons.max() + 1} persons "
            f"(AUC ≥ {table[what, column]:.4f}): it is made from the label",
        )


def _are_enough(persons: np.ndarray, label: np.ndarray) -> bool:
    """Whether there are windows enough of either label, of persons (numbered) enough each."""
    return all(
        (label == kind).sum() >= MIN_WINDOWS and len(np.unique(persons[label == kind])) >= MIN_PERSONS
        for kind in (0, 1)
    )


def _strongest(features: Features, known: np.ndarray, persons: np.ndarray) -> np.ndarray:
    """AUC (features,) of each among the windows in which it is `known`, 0.5 and above; 0.5 where those are too few."""
    whole = np.asarray(known.all(axis=0))
    found = np.full(features.x.shape[1], 0.5)
    found[whole] = aucs(features.x[:, whole], features.label)
    for column in np.flatnonzero(~whole):
        rows = known[:, column]
        if _are_enough(persons[rows], features.label[rows]):
            found[column] = aucs(features.x[rows, column], features.label[rows])
    return np.maximum(found, 1 - found)


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
