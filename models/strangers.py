"""Whether what is to be named looks like what the training patients showed; where it does not, no name is better."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from data.outcomes import Refusal
from models.appearance import FEATURES
from models.ood import CEILING, TooFewPatients, distance, moments_of, reference

FALSE_REFUSALS = 0.01
"""Share of a new patient's stretches that may be refused though they are of the kind that was learnt from: declared,
never chosen by what comes of it. A recording holds many clips, so it is that of single windows of a detection."""

NOISE = 0.05
"""Spread that every feature has at least, a tenth of an amount or five points of a share: what another lamp or lens makes."""


@dataclass(frozen=True)
class Strangers:
    """Distance of a clip from the training patients' (Mahalanobis, divided by √features, so that 1 is usual), and the
    score above which a stretch is refused.

    Mean and covariance weigh each patient the same. The limit comes from patients left out one by one: the one-sided
    prediction limit at `FALSE_REFUSALS` for a stretch of one more patient (Student's t of the logarithms, over how patients
    differ and how the stretches of each do; it assumes them normal). `modality` says what is measured
    (`models.appearance.FEATURES`).
    """

    modality: str
    centre: tuple[float, ...]
    precision: tuple[tuple[float, ...], ...]
    limit: float
    patients: int

    def scores(self, x: np.ndarray) -> np.ndarray:
        """(clips, features) → score per clip, (clips,). What could not be measured says nothing; a clip of which nothing
        could has the highest score."""
        known = np.isfinite(x)
        found = distance(np.where(known, x, self.centre), np.array(self.centre), np.array(self.precision))
        return np.where(known.any(axis=1), found, CEILING)

    def refusal(self, x: np.ndarray) -> Refusal | None:
        """Why a stretch is not named (`ood`), of its clips (clips, features): their middle score is above the limit.
        None where it is not; nothing is raised."""
        score = float(np.median(self.scores(x)))
        if score <= self.limit and score < CEILING:
            return None
        said = f"{score:.2f}" if score < CEILING else f"{CEILING:.0f} or more, the highest there is"
        return Refusal(
            "ood",
            f"the stretch looks unlike the {self.patients} patients that the model learnt from: its score is {said}, the "
            f"limit {self.limit:.2f}, and what differs most is {self._farthest(x)}: send what the model is meant for, "
            "or have it read",
        )

    def _farthest(self, x: np.ndarray) -> str:
        spread = np.sqrt(np.diag(np.linalg.inv(np.array(self.precision))))
        off = np.median(np.abs(np.where(np.isfinite(x), x, self.centre) - self.centre), axis=0) / spread
        return list(FEATURES[self.modality].values())[int(np.argmax(off))]

    @classmethod
    def fit(cls, modality: str, x: np.ndarray, patient: np.ndarray, stretch: np.ndarray) -> "Strangers":
        """From clips (clips, features) of training patients, with whose they are and which stretch each is of.

        `patient` and `stretch` (clips,). What was not measured of a clip is taken as its patient's middle, or everybody's.
        Refuses (`TooFewPatients`) fewer than two patients.
        """
        names = np.unique(patient)
        if len(names) < 2:
            raise TooFewPatients(
                f"what is usual cannot be told from {len(names)} training patient, 2 are needed: add patients or ask for "
                "other folds"
            )
        x = _filled(np.asarray(x, dtype=float), patient)
        each = [moments_of(x[patient == name]) for name in names]
        logs = []
        for number, name in enumerate(names):
            own, usual = patient == name, reference(each[:number] + each[number + 1 :], NOISE)
            score, of = distance(x[own], *usual), stretch[own]
            logs.append(np.log([np.median(score[of == one]).clip(1e-6) for one in np.unique(of)]))
        centre, precision = reference(each, NOISE)
        return cls(modality, tuple(centre.tolist()), tuple(map(tuple, precision.tolist())), _limit(logs), len(names))

    def to_json(self) -> dict[str, Any]:
        """The fields, and the names of the features that the numbers are of."""
        return {**asdict(self), "features": list(FEATURES[self.modality])}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Strangers":
        """Law: `Strangers.from_json(json.loads(json.dumps(s.to_json()))) == s`; ValueError for other features than are
        measured."""
        measured = list(FEATURES[value["modality"]])
        if value["features"] != measured:
            raise ValueError(f"fitted on the features {value['features']}, measured are {measured}")
        precision = tuple(tuple(row) for row in value["precision"])
        return cls(value["modality"], tuple(value["centre"]), precision, value["limit"], value["patients"])


def _filled(x: np.ndarray, patient: np.ndarray) -> np.ndarray:
    """`x` without NaN; 0 for what was never measured of anybody."""
    filled = x.copy()
    for rows in (*(patient == name for name in np.unique(patient)), np.ones(len(x), dtype=bool)):
        part = filled[rows]
        middles = [np.median(column[np.isfinite(column)]) if np.isfinite(column).any() else np.nan for column in part.T]
        filled[rows] = np.where(np.isfinite(part), part, middles)
    return np.nan_to_num(filled, nan=0.0)


def _limit(logs: list[np.ndarray]) -> float:
    """From each patient's logarithms of left-out scores, one for each stretch."""
    from scipy.stats import t

    means, n = [own.mean() for own in logs], len(logs)
    spread = np.sqrt(np.var(means, ddof=1) * (1 + 1 / n) + np.mean([own.var() for own in logs]))
    return float(min(np.exp(np.mean(means) + t.ppf(1 - FALSE_REFUSALS, n - 1) * spread), CEILING))
