"""Is one person there under two keys? A probe: whose pattern over the scalp is too near to be somebody else's.

The null is the cohort itself. Where points lie evenly in k dimensions, k·log(second/first neighbour's distance) is
exponential with mean 1, whatever k, scale or number of points (TwoNN; Facco et al. 2017). A point is a person key;
the mean over all other keys stands in for k, and a pair that is nearer than that allows, each being the other's
nearest, is named.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from validation.leakage.leak import Leak, Unknown
from validation.leakage.study import Study

PIECE_S = 30.0
SPECTRUM_S = 2.0
BANDS_HZ = ((8.0, 13.0), (13.0, 30.0))
"""Above most seizures' power; a slow band has fewer independent waves to average over."""
FLOOR_UV2 = 1e-3
LEVEL = 0.01
"""Chance of a false alarm per audit."""
MIN_PERSONS = 8


def identity_embedding(signal: np.ndarray, rate_hz: float) -> np.ndarray:
    """How loud each channel is beside the others, and the recording as a whole: (pieces of 30 s, channels + 1), log.

    `signal` (channels, samples) of one gapless stretch, channels in one order in all recordings (a montage). Medians
    over 2-s spectra, so that short artefacts do not count; pieces with missing samples are left out.
    """
    length, count = round(SPECTRUM_S * rate_hz), round(PIECE_S / SPECTRUM_S)
    pieces = signal.shape[1] // (length * count)
    cut = signal[:, : pieces * length * count].reshape(len(signal), pieces * count, length)
    power = np.abs(np.fft.rfft(cut * np.hanning(length).astype(np.float32), axis=-1)) ** 2
    frequency = np.fft.rfftfreq(length, 1 / rate_hz)
    bands = [power[..., (frequency >= low) & (frequency < high)].mean(axis=-1) for low, high in BANDS_HZ]
    logs = np.log(np.stack(bands) / length + FLOOR_UV2).mean(axis=0).T  # (spectra, channels)
    overall = np.median(logs, axis=1, keepdims=True)
    rows = np.concatenate([logs - overall, overall], axis=1).reshape(pieces, count, -1)
    found = np.median(rows, axis=1)
    return np.asarray(found[np.isfinite(rows).all(axis=(1, 2))])


@dataclass(frozen=True)
class Likeness:
    """Recordings of two keys that are each other's nearest, and how often a cohort of different people has such a pair.

    `chance` is of cohorts, 0–1.
    """

    first: str
    second: str
    chance: float


def likeness(embeddings: Mapping[str, np.ndarray], person: Mapping[str, str]) -> tuple[Likeness, ...]:
    """The nearest recordings of every two person keys that are each other's nearest, the least likely first.

    `embeddings`: recording → (pieces, numbers) as of `identity_embedding`; `person`: recording → key. `chance` is per
    cohort (times the pairs there can be). Keys are as far apart as their nearest recordings, so that other recordings
    of one key stand neither for its nearest neighbour nor for the second one.
    """
    names = sorted(embeddings, key=lambda name: (person[name], name))
    between = _distances([embeddings[n] for n in names])
    _, starts = np.unique([person[n] for n in names], return_index=True)
    own = [slice(a, b) for a, b in pairwise([*starts.tolist(), len(names)])]
    distance = np.minimum.reduceat(np.minimum.reduceat(between, starts, axis=0), starts, axis=1)
    np.fill_diagonal(distance, np.inf)
    order = np.argsort(distance, axis=1)
    nearest = order[:, 0]
    ends = np.take_along_axis(distance, order[:, :2], axis=1)
    gap = np.log(np.maximum(ends[:, 1], 1e-12) / np.maximum(ends[:, 0], 1e-12))
    pairs = [(i, int(j)) for i, j in enumerate(nearest) if nearest[j] == i and i < j and np.isfinite(ends[i, 1])]
    found = [Likeness(*_nearest(names, between, own[i], own[j]), _chance(gap, i, j)) for i, j in pairs]
    return tuple(sorted(found, key=lambda pair: pair.chance))


def identities_apart(study: Study) -> None:
    """No two recordings on both sides of a fold are so alike that they are one person under two keys.

    Needs embeddings of every recording, eight persons, and a recording of two pieces, else raises `Unknown`; raises `Leak` (`identity_probe`) of a
    pair whose chance is below `LEVEL`. Measured on the simulator with cohorts of 24, when each recording was a point of
    its own and not each person: a false alarm in 3 of 1000 audits; a session of 10 minutes cut in two is found in 39 %;
    a baby recorded again at the same or another site never (0 of 334), since all that a simulated baby takes along is
    its amplitude. With its pattern over the scalp kept as well it is found in 84 % at the same site and in 67 % at
    another. A pass is therefore no proof: person keys remain needed.
    """
    given = study.disclosed.embeddings
    if given is None:
        raise Unknown("no embeddings of the recordings were given")
    absent = [name for name in study.recordings if name not in given or not len(given[name])]
    if absent:
        raise Unknown(f"{absent[0]} has no embedding (and {len(absent) - 1} more)")
    people = {name: study.person(name) for name in study.recordings}
    if (persons := len(set(people.values()))) < MIN_PERSONS:
        raise Unknown(f"{persons} persons are too few to know how alike people are: {MIN_PERSONS}")
    if not any(np.ptp(given[name], axis=0).any() for name in people):
        raise Unknown("no recording has two pieces that differ: how much one person varies is not known")
    for pair in likeness({name: given[name] for name in people}, people):
        fold = study.fold_parting(pair.first, pair.second)
        if pair.chance < LEVEL and fold is not None:
            raise Leak(
                "identity_probe",
                f"{pair.first} and {pair.second} are on both sides of fold {fold} under two keys and too alike for "
                f"two persons (in {pair.chance:.2g} of cohorts by chance)",
            )


def _nearest(names: Sequence[str], between: np.ndarray, ours: slice, theirs: slice) -> tuple[str, str]:
    block = between[ours, theirs]
    i, j = divmod(int(block.argmin()), block.shape[1])
    return names[ours][i], names[theirs][j]


def _chance(gap: np.ndarray, i: int, j: int) -> float:
    """The exponential law with its mean taken from `m` other gaps: P(gap > g) = (1 + g / (m · mean)) ** −m."""
    others = np.delete(gap, [i, j])
    others = others[np.isfinite(others)]
    total = max(float(others.sum()), 1e-12)
    return float(min(1.0, (1 + min(gap[i], gap[j]) / total) ** -len(others) * len(gap) / 2))


def _distances(pieces: Sequence[np.ndarray]) -> np.ndarray:
    """Between the medians of recordings, in units of what varies within a recording."""
    centres = np.stack([np.median(p, axis=0) for p in pieces])
    within = np.concatenate([p - c for p, c in zip(pieces, centres, strict=True)])
    covariance = within.T @ within / len(within)
    half = 0.5 * (covariance + np.diag(np.diag(covariance)))  # shrunk: few pieces, many numbers
    values, vectors = np.linalg.eigh(half)
    kept = values > 1e-8 * max(float(values[-1]), 1e-300)
    white = centres @ (vectors[:, kept] / np.sqrt(values[kept]))
    return np.asarray(np.linalg.norm(white[:, None] - white[None], axis=2))
