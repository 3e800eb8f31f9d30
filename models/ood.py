"""Whether a recording looks like the patients that the model has learnt from; where it does not, no answer is better."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from data.outcomes import Refusal
from lineage.refused import Refused
from models.look import FEATURES, Look

WINDOWS_OUTSIDE = 0.01
"""Share of the windows of the middle patient left out, of either class, that may lie beyond the windows' limit."""
FALSE_REFUSALS = 0.05
"""Share of in-distribution recordings that may be refused: declared, never chosen by what comes of it."""
SHRINKAGE = 0.1
NOISE = 0.01
"""Spread that every feature has at least, in its own (logarithmic) unit: far below what two readings differ by."""
CEILING = 1e3
"""The highest score: windows whose samples are missing have it too, so it is beyond every limit, be that as high."""


class TooFewPatients(Refused):
    """A fold with too few training patients to tell how far apart patients lie."""


@dataclass(frozen=True)
class Strangeness:
    """How far a recording lies from the training patients.

    `score` is the median of its windows (1 is usual), `limit` the score above which it is refused, `share_outside`
    the share (0–1) of windows beyond the limit of single windows, `farthest` the feature that differs most.
    """

    score: float
    limit: float
    share_outside: float
    farthest: str

    @property
    def is_refused(self) -> bool:
        """Whether the score is above the limit, the highest there is, or no number."""
        return not self.score <= self.limit or self.score >= CEILING  # without a score there is no reason to trust

    def refusal(self, patients: int) -> Refusal:
        """Why it is refused (`ood`), in words; `patients` is how many the model learnt from. Nothing is raised."""
        if np.isnan(self.score):
            return Refusal(
                "ood",
                f"no window of the recording could be compared with the {patients} patients that the model learnt from: "
                "send a longer stretch without gaps",
            )
        score = f"{self.score:.2f}" if self.score < CEILING else f"{CEILING:.0f} or more, the highest there is"
        return Refusal(
            "ood",
            f"the recording looks unlike the {patients} patients that the model learnt from: its score is "
            f"{score}, the limit {self.limit:.2f}, {self.share_outside:.0%} of its windows lie outside, and "
            f"what differs most is {FEATURES[self.farthest]}: check electrodes, gain and filters, or have it read",
        )


@dataclass(frozen=True)
class Ood:
    """Distance of a window from the training patients (Mahalanobis, divided by √features, so that 1 is usual).

    Mean and covariance weigh each patient the same; the covariance is shrunk towards its diagonal, since patients are
    few. Both limits come from patients left out one by one: `window_limit` is exceeded by at most `WINDOWS_OUTSIDE` of
    the middle one's windows, of background and of seizure alike, so that seizures are not what is set aside;
    `recording_limit` is the one-sided prediction limit at `FALSE_REFUSALS` for the median window of one more patient
    (Student's t of the logarithms: it assumes them normal, and keeps its rate however few the patients are).
    """

    centre: tuple[float, ...]
    precision: tuple[tuple[float, ...], ...]
    window_limit: float
    recording_limit: float
    patients: int

    def scores(self, x: np.ndarray) -> np.ndarray:
        """(windows, features) → score per window, (windows,)."""
        return distance(x, np.array(self.centre), np.array(self.precision))

    def is_outside(self, scores: np.ndarray) -> np.ndarray:
        """Which of `scores` (windows,) lie beyond the limit of single windows: bool (windows,); a NaN does not."""
        return (scores > self.window_limit) | (scores >= CEILING)

    def judge(self, seen: Look) -> Strangeness:
        """How far a recording's windows lie from the training patients; without any the score is NaN, hence refused."""
        if not len(seen.x):
            return Strangeness(float("nan"), self.recording_limit, float("nan"), next(iter(FEATURES)))
        scores = self.scores(seen.x)
        spread = np.sqrt(np.diag(np.linalg.inv(np.array(self.precision))))
        off = np.abs(np.median(np.nan_to_num(seen.x), axis=0) - self.centre) / spread
        return Strangeness(
            float(np.median(scores)),
            self.recording_limit,
            float(np.mean(self.is_outside(scores))),
            list(FEATURES)[int(np.argmax(off))],
        )

    @classmethod
    def fit(cls, x: np.ndarray, patient: np.ndarray, seizing: np.ndarray) -> "Ood":
        """From the windows (windows, features) of training patients, with whose they are and whether they seize.

        `patient` and `seizing` (windows,); windows with a missing feature are left out. Refuses (`TooFewPatients`)
        fewer than two patients.
        """
        whole = np.isfinite(x).all(axis=1)
        x, patient, seizing = x[whole], patient[whole], np.asarray(seizing, dtype=bool)[whole]
        names = np.unique(patient)
        if len(names) < 2:
            raise TooFewPatients(
                f"the out-of-distribution limit needs at least 2 training patients, got {len(names)}: add patients or "
                "ask for other folds"
            )
        moments = [moments_of(x[patient == name]) for name in names]
        left_out = np.empty(len(x))
        for index, name in enumerate(names):
            others = moments[:index] + moments[index + 1 :]
            left_out[patient == name] = distance(x[patient == name], *reference(others))
        centre, precision = reference(moments)
        return cls(
            tuple(centre.tolist()),
            tuple(tuple(row) for row in precision.tolist()),
            _window_limit(left_out, patient, seizing),
            _recording_limit([float(np.median(left_out[patient == name])) for name in names]),
            len(names),
        )

    def to_json(self) -> dict[str, Any]:
        """The fields, and the names of the features that the numbers are of."""
        return {**asdict(self), "features": list(FEATURES)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Ood":
        """Law: `Ood.from_json(json.loads(json.dumps(o.to_json()))) == o`; refuses other features than are measured."""
        if value["features"] != list(FEATURES):
            raise ValueError(f"fitted on the features {value['features']}, measured are {list(FEATURES)}")
        return cls(
            tuple(value["centre"]),
            tuple(tuple(row) for row in value["precision"]),
            value["window_limit"],
            value["recording_limit"],
            value["patients"],
        )


def moments_of(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A patient's mean (features,) and mean outer product (features, features), of their rows (rows, features)."""
    x = x.astype(float)
    return x.mean(axis=0), x.T @ x / len(x)


def reference(moments: Sequence[tuple[np.ndarray, np.ndarray]], noise: float = NOISE) -> tuple[np.ndarray, np.ndarray]:
    """Centre (features,) and precision (features, features) of patients that weigh the same, by what `moments_of` gives of
    each; every feature spreads by `noise` at least."""
    centre = np.mean([m for m, _ in moments], axis=0)
    covariance = np.mean([s for _, s in moments], axis=0) - np.outer(centre, centre)
    diagonal = np.diag(np.diag(covariance))
    shrunk = (1 - SHRINKAGE) * covariance + SHRINKAGE * diagonal + noise**2 * np.eye(len(centre))
    return centre, np.linalg.inv(shrunk)


def distance(x: np.ndarray, centre: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """Score of each row (rows, features), (rows,): Mahalanobis divided by √features, `CEILING` where one is missing."""
    away = x.astype(float) - centre
    squared = np.einsum("wf,fg,wg->w", away, precision, away) / len(centre)
    return np.minimum(np.sqrt(np.nan_to_num(squared, nan=np.inf)), CEILING)


def _window_limit(scores: np.ndarray, patient: np.ndarray, seizing: np.ndarray) -> float:
    """The middle patient's, so that one loose electrode does not set it for all; the higher of the two classes'."""
    limits = []
    for inside in (seizing, ~seizing):
        each = [scores[inside & (patient == name)] for name in np.unique(patient[inside])]
        limits += [float(np.median([np.quantile(own, 1 - WINDOWS_OUTSIDE) for own in each]))] if each else []
    return max(limits)


def _recording_limit(medians: Sequence[float]) -> float:
    from scipy.stats import t

    logs, n = np.log(np.maximum(medians, 1e-6)), len(medians)
    reach = t.ppf(1 - FALSE_REFUSALS, n - 1) * np.std(logs, ddof=1) * np.sqrt(1 + 1 / n)
    return float(min(np.exp(np.mean(logs) + reach), CEILING))
