"""The floor of seizure typing: band powers and a logistic. No deep model may be registered that does not beat it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy import optimize
from scipy.special import log_softmax

from data.frontend import FrontEnd, Prepared
from data.spectra import log_band_power
from data.windows import clips_of_seizure
from models.detector import UNSEEN, Examples, InputContract, Progress, State, TypingDetector
from models.training import balanced_weights, macro_auc


class BandPower(TypingDetector):
    """Log power in each band, relative to all of them, and how much it differs between derivations.

    Features per clip: the mean over derivations of the total log power; of each band the mean over derivations of its
    share (log) and the standard deviation over derivations of its log power. Multinomial logistic with ridge on top.
    """

    name, modality = "band_power", "eeg"
    classes = ("FNSZ", "GNSZ", "CPSZ", "ABSZ", "TNSZ", "TCSZ", "SPSZ")
    contract = InputContract(montage="tcp_20", age_days=(365, 43830), min_duration_s=10)

    def __init__(self, params: Mapping[str, Any]):
        super().__init__(params)
        self.window_s, self.hop_s = params["window_s"], params["hop_s"]
        features = 1 + 2 * (len(params["edges_hz"]) - 1)
        self.centre, self.spread = np.zeros(features), np.ones(features)
        self.weights = np.zeros((features + 1, len(self.classes)))
        self.seen = np.ones(len(self.classes))

    @property
    def front_end(self) -> FrontEnd:
        """That of `seizurenet`, so that both are prepared once."""
        return FrontEnd(montage=self.contract.montage, rate_hz=250.0, band_hz=(0.5, 97.0))

    def examples(self, prepared: Prepared, recording: str = "", patient: str = "") -> Examples:
        p = self.params
        clips, onset_s = clips_of_seizure(
            prepared.segments, prepared.rate_hz, self.window_s, self.hop_s, p["shortest_s"]
        )
        power = log_band_power(clips, prepared.rate_hz, p["edges_hz"])
        total = np.log10((10**power).sum(axis=2, keepdims=True))
        x = np.concatenate([total.mean(axis=1), (power - total).mean(axis=1), power.std(axis=1)], axis=1)
        return Examples(x, onset_s, np.full(len(x), recording), np.full(len(x), patient), self.window_s)

    def fit(
        self,
        train: Examples,
        valid: Examples,
        *,
        seed: int,
        checkpoint: Path | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        if train.label is None or valid.label is None:
            raise ValueError("training needs labelled clips")
        weight = balanced_weights(train.patient, train.label)
        x = train.x.astype(float)
        self.centre = weight @ x
        self.spread = np.sqrt(weight @ (x - self.centre) ** 2) + 1e-6
        self.seen = np.isin(np.arange(len(self.classes)), train.label).astype(float)
        self.weights = fit_softmax(self._scaled(x), train.label, weight, len(self.classes), self.params["ridge"])
        reached = macro_auc(self.score(valid), valid.label)
        if progress:
            progress(1, 1, reached)
        seen = [code for code, met in zip(self.classes, self.seen, strict=True) if met]
        return {"epochs": 1, "best_epoch": 1, "valid_auc": [reached], "windows": len(train), "classes_seen": seen}

    def score(self, examples: Examples) -> np.ndarray:
        return np.where(self.seen > 0, self._scaled(examples.x.astype(float)) @ self.weights, UNSEEN)

    def state(self) -> State:
        return State(
            {
                "centre": self.centre.copy(),
                "spread": self.spread.copy(),
                "weights": self.weights.copy(),
                "seen": self.seen.copy(),
            },
            {},
        )

    def load_state(self, state: State) -> None:
        self.centre, self.spread, self.weights, self.seen = (
            np.array(state.tensors[name], dtype=float) for name in ("centre", "spread", "weights", "seen")
        )

    def _scaled(self, x: np.ndarray) -> np.ndarray:
        return np.concatenate([np.ones((len(x), 1)), (x - self.centre) / self.spread], axis=1)


def fit_softmax(x: np.ndarray, label: np.ndarray, weight: np.ndarray, classes: int, ridge: float) -> np.ndarray:
    """Multinomial logistic regression: (features, classes) weights that minimise log loss plus ridge/2 · weights².

    `x` (samples, features) begins with a column of ones, which is not held back; `weight` (samples,) sums to 1.
    """
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


DETECTOR = BandPower
