"""The floor: line length against the patient's own past. No deep model may be registered that does not beat it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data.filters import RunningBaseline
from models.calibration import fit_logistic
from models.detector import Examples, InputContract, Progress, State, WindowDetector, WindowsToX
from models.training import auc, figure_by_halves


class LineLength(WindowDetector):
    """Mean absolute sample difference per derivation and window, in units of the patient's running mean.

    Features per window: mean over derivations, mean of the `top` highest. Logistic on top (Esteller et al. 2001).
    """

    name, task, modality, classes = "line_length", "detection", "eeg", ("background", "seizure")
    contract = InputContract(montage="neonatal_18", age_days=(0, 28), min_duration_s=30)

    def __init__(self, params: Mapping[str, Any]):
        super().__init__(params)
        self.window_s, self.hop_s = params["window_s"], params["hop_s"]
        self.coefficients = np.zeros(3)

    def to_x(self, rate_hz: float) -> WindowsToX:
        """Mean over derivations and over the `top` highest, (windows, 2) float32; remembers the running mean."""
        baseline = RunningBaseline(self.params["half_life_s"] / self.hop_s)

        def relative_length(windows: np.ndarray) -> np.ndarray:
            logs = np.log(np.abs(np.diff(windows, axis=-1)).mean(axis=-1) + 1e-2)
            relative = logs - baseline(logs)
            top = np.sort(relative, axis=1)[:, -self.params["top"] :].mean(axis=1)
            return np.stack([relative.mean(axis=1), top], axis=1).astype(np.float32)

        return relative_length

    def fit(
        self,
        train: Examples,
        valid: Examples,
        *,
        seed: int,
        checkpoint: Path | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        """One fit of a logistic; `valid` only gives the AUC of the log. ValueError where labels are missing."""
        if train.label is None or valid.label is None:
            raise ValueError("training needs labelled windows")
        self.coefficients = fit_logistic(train.x.astype(float), train.label)
        score = self.score(valid)
        reached = auc(score, valid.label)
        if progress:
            progress(1, 1, reached)
        log = {"epochs": 1, "best_epoch": 1, "valid_auc": [reached], "windows": len(train)}
        return {**log, "inner_auc": figure_by_halves(score, valid, auc, reached)}

    def score(self, examples: Examples) -> np.ndarray:
        """(windows,) summed one by one: a matrix product may round otherwise for other numbers of windows."""
        return (examples.x.astype(float) * self.coefficients[1:]).sum(axis=1) + self.coefficients[0]

    def state(self) -> State:
        return State({"coefficients": self.coefficients.copy()}, {})

    def load_state(self, state: State) -> None:
        self.coefficients = np.array(state.tensors["coefficients"], dtype=float)


DETECTOR = LineLength
