"""How every floor of a typing learns: a multinomial logistic with ridge, in which every class and every patient weighs the same."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import log_softmax

from models.detector import UNSEEN, Examples, Progress, State, TypingDetector
from models.offset import offset_of
from models.training import balanced_weights, figure_by_halves, macro_auc

PARTS = ("centre", "spread", "weights")


class Logistic:
    """Scores (samples, classes) from features (samples, features), each brought to mean 0 and spread 1 beforehand."""

    def __init__(self, features: int, classes: int, ridge: float):
        self.classes, self.ridge = classes, ridge
        self.centre, self.spread = np.zeros(features), np.ones(features)
        self.weights = np.zeros((features + 1, classes))

    def fit(self, x: np.ndarray, label: np.ndarray, patient: np.ndarray) -> None:
        """x (samples, features), label and patient (samples,); classes weigh the same, as do patients in each."""
        weight, x = balanced_weights(patient, label), np.asarray(x, dtype=float)
        self.centre = weight @ x
        self.spread = np.sqrt(weight @ (x - self.centre) ** 2) + 1e-6
        self.weights = fit_softmax(self._scaled(x), label, weight, self.classes, self.ridge)

    def scores(self, x: np.ndarray) -> np.ndarray:
        """A sample's scores do not depend on how many samples there are: hence not a matrix product."""
        return np.einsum("sf,fc->sc", self._scaled(np.asarray(x, dtype=float)), self.weights)

    def tensors(self, prefix: str = "") -> dict[str, np.ndarray]:
        """Copies of `PARTS`, each name behind `prefix`."""
        return {prefix + name: getattr(self, name).copy() for name in PARTS}

    def load(self, tensors: Mapping[str, np.ndarray], prefix: str = "") -> None:
        """Take over what `tensors` gave under this `prefix`; KeyError where a part is missing."""
        for name in PARTS:
            setattr(self, name, np.array(tensors[prefix + name], dtype=float))

    def _scaled(self, x: np.ndarray) -> np.ndarray:
        return np.concatenate([np.ones((len(x), 1)), (x - self.centre) / self.spread], axis=1)


class LogisticFloor(TypingDetector):
    """A floor: `FEATURES` numbers of each clip, made by `examples`, and a logistic. A class never trained on is never named.

    `offset` is added to the score of the second class, where the task has one (`models.offset`).
    """

    FEATURES: int

    def __init__(self, params: Mapping[str, Any]):
        super().__init__(params)
        self.logistic = Logistic(self.FEATURES, len(self.classes), params["ridge"])
        self.seen, self.offset = np.ones(len(self.classes)), 0.0

    def fit(
        self,
        train: Examples,
        valid: Examples,
        *,
        seed: int,
        checkpoint: Path | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        """One fit of the logistic; `valid` gives the AUC of the log, and the offset. ValueError where labels are missing."""
        if train.label is None or valid.label is None:
            raise ValueError("training needs labelled clips")
        self.logistic.fit(train.x, train.label, train.patient)
        self.seen, self.offset = np.isin(np.arange(len(self.classes)), train.label).astype(float), 0.0
        score = self.score(valid)
        reached = macro_auc(score, valid.label)
        chosen = figure_by_halves(score, valid, macro_auc, reached)
        self.offset = offset_of(self.task, score[:, 1] - score[:, 0], valid.label) if self.seen.all() else 0.0
        if progress:
            progress(1, 1, reached)
        seen = [name for name, met in zip(self.classes, self.seen, strict=True) if met]
        log = {"epochs": 1, "best_epoch": 1, "valid_auc": [reached], "windows": len(train), "inner_auc": chosen}
        return {**log, "classes_seen": seen}

    def score(self, examples: Examples) -> np.ndarray:
        """Scores (clips, classes), `UNSEEN` for a class that no training clip had."""
        scores = np.where(self.seen > 0, self.logistic.scores(examples.x), UNSEEN)
        scores[:, 1] += self.offset
        return scores

    def state(self) -> State:
        return State(self.logistic.tensors() | {"seen": self.seen.copy()}, {"offset": self.offset})

    def load_state(self, state: State) -> None:
        self.logistic.load(state.tensors)
        self.seen = np.array(state.tensors["seen"], dtype=float)
        self.offset = float(state.settings.get("offset", 0.0))  # bundles of tasks without one were kept without it


def fit_softmax(x: np.ndarray, label: np.ndarray, weight: np.ndarray, classes: int, ridge: float) -> np.ndarray:
    """Multinomial logistic regression: (features, classes) weights that minimise log loss plus ridge/2 · weights².

    `x` (samples, features) begins with a column of ones, which is not held back; `weight` (samples,) sums to 1.
    """
    from scipy import optimize

    target = np.eye(classes)[label]
    held_back = np.full((x.shape[1], classes), ridge)
    held_back[0] = 1e-6  # only so that one answer is the best: a constant in all classes changes nothing

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        w = flat.reshape(x.shape[1], classes)
        log = log_softmax(x @ w, axis=1)
        value = -(weight * (target * log).sum(axis=1)).sum() + 0.5 * (held_back * w**2).sum()
        return float(value), (x.T @ (weight[:, None] * (np.exp(log) - target)) + held_back * w).ravel()

    start = np.zeros(x.shape[1] * classes)
    found = optimize.minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 2000, "gtol": 1e-7})
    return np.asarray(found.x.reshape(x.shape[1], classes))
