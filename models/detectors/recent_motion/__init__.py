"""The floor of forecasting: how much moved in the last seconds. No deep model may be registered that does not beat it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data.film_frontend import PreparedFilm
from models.detector import Examples, Progress, State
from models.detectors.band_power import fit_softmax
from models.forecasting import ForecastingDetector, refuse_shorter
from models.training import auc, balanced_weights

FEATURES = ("mean", "spread", "largest", "rise", "area")
FAINT = 1e-4


class RecentMotion(ForecastingDetector):
    """Differences between frames of the last seconds of a clip, with a logistic.

    Motion energy is the mean absolute difference of two neighbouring frames (of the range black to white). Features: log
    of its mean, of its standard deviation and of its largest value; log of its mean in the later half against the
    earlier; log of the share of pixels that moved by more than `moved`.
    """

    name = "recent_motion"

    def __init__(self, params: Mapping[str, Any]):
        super().__init__(params)
        self.centre, self.spread = np.zeros(len(FEATURES)), np.ones(len(FEATURES))
        self.weights = np.zeros((len(FEATURES) + 1, 2))

    def examples(self, prepared: PreparedFilm, recording: str = "", patient: str = "") -> Examples:  # type: ignore[override]
        p = self.params
        refuse_shorter(prepared, self.window_s)
        end_s = prepared.end_s
        times_s = end_s - p["recent_s"] + (np.arange(round(p["recent_s"] * p["rate_hz"])) + 0.5) / p["rate_hz"]
        views = range(prepared.views)
        x = np.stack([motion(prepared.frames(view, times_s), p["moved"]) for view in views])
        onset_s = np.full(len(x), end_s - self.window_s)
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
        self.weights = fit_softmax(self._scaled(x), train.label, weight, 2, self.params["ridge"])
        reached = auc(self.score(valid)[:, 1], valid.label)
        if progress:
            progress(1, 1, reached)
        seen = [self.classes[c] for c in np.unique(train.label)]
        return {"epochs": 1, "best_epoch": 1, "valid_auc": [reached], "windows": len(train), "classes_seen": seen}

    def score(self, examples: Examples) -> np.ndarray:
        said = self._scaled(examples.x.astype(float)) @ self.weights
        return np.stack([np.zeros(len(said)), said[:, 1] - said[:, 0]], axis=1)

    def state(self) -> State:
        return State({"centre": self.centre, "spread": self.spread, "weights": self.weights}, {})

    def load_state(self, state: State) -> None:
        self.centre, self.spread, self.weights = (
            np.array(state.tensors[name], dtype=float) for name in ("centre", "spread", "weights")
        )

    def _scaled(self, x: np.ndarray) -> np.ndarray:
        return np.concatenate([np.ones((len(x), 1)), (x - self.centre) / self.spread], axis=1)


def motion(frames: np.ndarray, moved: float) -> np.ndarray:
    """Frames (times, size, size[, 3]) of 0–255, evenly spaced → the features (5,) float32."""
    shown = frames.astype(np.float32) / 255
    shown = shown.mean(axis=3) if shown.ndim == 4 else shown
    change = np.abs(np.diff(shown, axis=0))
    energy = change.mean(axis=(1, 2))
    half = len(energy) // 2
    early, late = energy[:half].mean(), energy[half:].mean()
    area = (change > moved).mean()
    amounts = np.array([energy.mean(), energy.std(), energy.max(), late, area]) + FAINT
    amounts[3] /= early + FAINT
    return np.log(amounts).astype(np.float32)


DETECTOR = RecentMotion
