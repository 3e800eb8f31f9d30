"""The floor: line length against the patient's own past. No deep model may be registered that does not beat it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data.filters import running_baseline
from data.frontend import Prepared
from data.windows import cut
from models.calibration import fit_logistic
from models.detector import Detector, Examples, InputContract, Progress, State
from models.training import auc


class LineLength(Detector):
    """Mean absolute sample difference per derivation and window, in units of the patient's running mean.

    Features per window: mean over derivations, mean of the `top` highest. Logistic on top (Esteller et al. 2001).
    """

    name, task, modality, classes = "line_length", "detection", "eeg", ("background", "seizure")
    contract = InputContract(montage="neonatal_18", age_days=(0, 28), min_duration_s=30)

    def __init__(self, params: Mapping[str, Any]):
        super().__init__(params)
        self.window_s, self.hop_s = params["window_s"], params["hop_s"]
        self.coefficients = np.zeros(3)

    def examples(self, prepared: Prepared, recording: str = "", patient: str = "") -> Examples:
        pieces = [cut(s, prepared.rate_hz, self.window_s, self.hop_s) for s in prepared.segments]
        length = np.concatenate([np.abs(np.diff(w, axis=-1)).mean(axis=-1) for w, _ in pieces])
        logs = np.log(length + 1e-2)
        relative = logs - running_baseline(logs, self.params["half_life_s"] / self.hop_s)
        top = np.sort(relative, axis=1)[:, -self.params["top"] :].mean(axis=1)
        x = np.stack([relative.mean(axis=1), top], axis=1).astype(np.float32)
        onset_s = np.concatenate([onsets for _, onsets in pieces])
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
            raise ValueError("training needs labelled windows")
        self.coefficients = fit_logistic(train.x.astype(float), train.label)
        reached = auc(self.score(valid), valid.label)
        if progress:
            progress(1, 1, reached)
        return {"epochs": 1, "best_epoch": 1, "valid_auc": [reached], "windows": len(train)}

    def score(self, examples: Examples) -> np.ndarray:
        return examples.x.astype(float) @ self.coefficients[1:] + self.coefficients[0]

    def state(self) -> State:
        return State({"coefficients": self.coefficients.copy()}, {})

    def load_state(self, state: State) -> None:
        self.coefficients = np.array(state.tensors["coefficients"], dtype=float)


DETECTOR = LineLength
