"""Stretches of one recording that turn up in another, whatever they are called there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from validation.leakage.fingerprints import Fingerprints, unit
from validation.leakage.leak import Leak, Unknown
from validation.leakage.study import Study

SAME = 0.95
"""Correlation over 4 s of three mixtures from which two moments are one."""
TABLES, PLANES = 12, 18
"""Moments are compared where they lie on one side of 18 random planes, in any of 12 such tables."""


@dataclass(frozen=True)
class Copy:
    """A moment of `first` that is also in `second`: seconds from the start of each, and how well they agree."""

    first: str
    second: str
    first_s: float
    second_s: float
    correlation: float


def copies(fingerprints: Mapping[str, Fingerprints]) -> tuple[Copy, ...]:
    """The best agreement of every two recordings that share a stretch of signal, in order of their names.

    A moment is compared with those that random planes put in its place (locality-sensitive hashing), then in full.
    """
    names = sorted(name for name, prints in fingerprints.items() if len(prints))
    if len(names) < 2:
        return ()
    rows = unit(np.concatenate([fingerprints[n].prints for n in names]))
    at_s = np.concatenate([fingerprints[n].at_s for n in names])
    owner = np.repeat(np.arange(len(names)), [len(fingerprints[n]) for n in names])
    best: dict[tuple[int, int], tuple[float, int, int]] = {}
    for i, j in _candidates(rows, owner):
        agreement = np.einsum("nd,nd->n", rows[i], rows[j])
        for k in np.flatnonzero(agreement >= SAME):
            pair = (int(owner[i[k]]), int(owner[j[k]]))
            best[pair] = max(best.get(pair, (0.0, 0, 0)), (float(agreement[k]), int(i[k]), int(j[k])))
    return tuple(
        Copy(names[a], names[b], float(at_s[i]), float(at_s[j]), correlation)
        for (a, b), (correlation, i, j) in sorted(best.items())
    )


def duplicates_apart(study: Study) -> None:
    """No stretch of signal stands on both sides of a fold, cut, amplified or turned over, under whatever name.

    Seen in simulated and real EEG: unrelated stretches agree up to 0.84 (the limit is 0.95). Raises `Leak`
    (`near_duplicates`), or `Unknown` without fingerprints of every recording.
    """
    prints = study.disclosed.fingerprints
    if prints is None:
        raise Unknown("no fingerprints of the signals were given")
    _comparable(study, prints)
    for copy in copies({name: prints[name] for name in study.recordings}):
        fold = study.fold_parting(copy.first, copy.second)
        if fold is not None:
            raise Leak(
                "near_duplicates",
                f"{copy.first} around {copy.first_s:.1f} s and {copy.second} around {copy.second_s:.1f} s are the "
                f"same signal (correlation {copy.correlation:.3f}), on both sides of fold {fold}",
            )


def _comparable(study: Study, prints: Mapping[str, Fingerprints]) -> None:
    absent = [name for name in study.recordings if name not in prints or not len(prints[name])]
    if absent:
        raise Unknown(f"{absent[0]} has no fingerprints (and {len(absent) - 1} more)")
    widths = {prints[name].channels: name for name in study.recordings}
    if len(widths) > 1:
        (a, one), (b, other) = sorted(widths.items())[:2]
        raise Unknown(f"{one} ({a} channels) and {other} ({b} channels) cannot be compared: use one montage")


def _candidates(rows: np.ndarray, owner: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of moments of two recordings, the earlier name first, that fall on one side of every plane of a table.

    Two prints that agree at 0.98 meet in a given table with 30 %, in any of the twelve with 98 %.
    """
    centred = rows - rows.mean(axis=0)  # all prints rise in the middle, which tells nothing
    rng = np.random.default_rng(0)
    for _ in range(TABLES):
        planes = rng.standard_normal((rows.shape[1], PLANES)).astype(np.float32)
        keys = (centred @ planes > 0) @ (1 << np.arange(PLANES))
        order = np.argsort(keys, kind="stable")
        for here, there in _equal(keys[order]):
            i, j = order[here], order[there]
            i, j = np.minimum(i, j), np.maximum(i, j)  # moments stand in order of their recordings' names
            yield i[owner[i] != owner[j]], j[owner[i] != owner[j]]


def _equal(keys: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """All pairs of places with equal keys, in keys that are sorted."""
    here, lag = np.arange(len(keys)), 0
    while len(here):
        lag += 1
        here = here[here + lag < len(keys)]
        here = here[keys[here] == keys[here + lag]]
        yield here, here + lag
