"""How well a pose export tells persons apart: the area under the curve of one simple attack, with its interval.

The attack knows nobody: it compares the mean proportions of limbs in two recordings and says “the same person” where
they are alike. 0.5 is chance, 1 certainty. A better attack may do better: the figure is a floor, not a promise.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from data.pose import EDGES, JOINTS, PoseTrack
from data.pose_quality import ordered
from validation.uncertainty import MIN_DRAWS, Interval, bootstrap_patients, finite

LIMBS = tuple(edge for edge in EDGES if all("eye" not in JOINTS[j] and "ear" not in JOINTS[j] for j in edge))


@dataclass(frozen=True)
class Reidentification:
    """`auc` over pairs of recordings: that a pair of one person is more alike than a pair of two."""

    auc: Interval
    persons: int
    recordings: int
    same_pairs: int
    different_pairs: int

    def to_json(self) -> dict[str, Any]:
        """The fields; of the AUC what does not exist is null."""
        return {**asdict(self), "auc": self.auc.to_json()}

    @property
    def sentence(self) -> str:
        """The AUC with its interval, in words; or that it cannot be said, where either does not exist."""
        low, estimate, high = (finite(x) for x in (self.auc.low, self.auc.estimate, self.auc.high))
        if estimate is None or low is None or high is None:
            return "How well the export tells persons apart cannot be said: too few were recorded twice."
        return (
            f"Of pairs of recordings, those of one person are told from those of two with an AUC of {estimate:.2f} "
            f"({low:.2f} to {high:.2f}, {self.persons} persons), by their proportions alone."
        )


def proportions(track: PoseTrack) -> np.ndarray:
    """(limb,) logarithms of the middle length of each limb over that of all limbs; NaN for limbs never seen."""
    xy = ordered(track)[1]
    first, second = np.array(LIMBS).T
    lengths = np.linalg.norm(xy[:, first] - xy[:, second], axis=2)
    middle = np.array([np.median(limb[np.isfinite(limb)]) if np.isfinite(limb).any() else np.nan for limb in lengths.T])
    logs = np.log(np.where(middle > 0, middle, np.nan))
    return logs - np.nanmean(logs) if np.isfinite(logs).any() else logs


def reidentification(
    features: np.ndarray, persons: Sequence[str], rng: np.random.Generator, draws: int = MIN_DRAWS
) -> Reidentification:
    """The attack on `features` (recording, feature) of recordings of these `persons`; the interval redraws persons.

    A feature that was not seen counts as everybody's mean. NaN where nobody was recorded twice or only one person was.
    """
    names = sorted(set(persons))
    who = np.array([names.index(person) for person in persons])
    first, second = np.triu_indices(len(who), 1)
    apart = np.linalg.norm(_standard(features)[first] - _standard(features)[second], axis=1)
    same = who[first] == who[second]
    wins = _wins(apart, same, who[first], who[second], len(names))
    auc = bootstrap_patients(wins, _weighted, [""] * len(names), rng, draws)
    return Reidentification(auc, len(names), len(who), int(same.sum()), int((~same).sum()))


def _standard(features: np.ndarray) -> np.ndarray:
    known = np.isfinite(features)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, features, 0).sum(axis=0) / count
    centred = np.where(known, features - mean, 0)
    spread = np.sqrt((centred**2).sum(axis=0) / count)
    return np.asarray(centred / np.where(spread > 0, spread, 1))


def _wins(
    apart: np.ndarray, same: np.ndarray, first: np.ndarray, second: np.ndarray, persons: int
) -> tuple[np.ndarray, np.ndarray]:
    """How often a pair of each person is more alike (ties half) than a pair of each two, and out of how many.

    Both (person, person x person); rows are whose pair, columns of which two the other.
    """
    wins, out_of = np.zeros((2, persons, persons * persons))
    two = first * persons + second
    for person in range(persons):
        own = np.sort(apart[same & (first == person)])
        if len(own):
            nearer = (np.searchsorted(own, apart, "left") + np.searchsorted(own, apart, "right")) / 2
            np.add.at(wins[person], two[~same], nearer[~same])
            np.add.at(out_of[person], two[~same], len(own))
    return wins, out_of


def _weighted(weights: np.ndarray, values: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Statistic of draws: a pair of two persons counts as often as both were drawn, one person's never as two."""
    twos = np.einsum("dp,dq->dpq", weights, weights).reshape(len(weights), -1)
    won, out_of = (np.einsum("dp,dp->d", weights, twos @ table.T) for table in values)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(won / out_of)
