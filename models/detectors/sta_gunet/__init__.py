"""STA-GUNet: is a clip of an infant's movements a spasm? Attention and a graph U-Net on the skeleton.

Re-implemented from its description (IEEE 11180141), not from the released code, whose graph U-Net knows no graph; where
the description is silent the choice is ours and stands in params.yaml and the card.
"""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from data.kinematics import MIRROR
from data.pose import JOINTS
from models.detector import Examples, Progress, State
from models.detectors.sta_gunet.network import Size, StaGunetNetwork
from models.explain import Attribution, attributions, in_parts, log_odds
from models.offset import offset_of
from models.spasms import SPASM, SpasmDetector
from models.training import Schedule, auc, fit_network

PART_S = 0.5
PREDICT_BATCH = 8
"""Clips scored at a time: few enough that their maps stay in cache."""


class StaGunet(SpasmDetector):
    """The detector around the network. The threshold of the best F1 in inner patients lies at a probability of ½."""

    name = "sta_gunet"

    def __init__(self, params: Mapping[str, Any]):
        super().__init__(params)
        self.network, self.offset = self._build(), 0.0

    def fit(
        self,
        train: Examples,
        valid: Examples,
        *,
        seed: int,
        checkpoint: Path | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        """Learn by focal loss, then set the `offset` that puts the best F1 of `valid` at ½; the log holds it.

        ValueError where labels are missing.
        """
        if train.label is None or valid.label is None:
            raise ValueError("training needs labelled clips")
        torch.manual_seed(seed)
        self.network, self.offset = self._build(), 0.0
        self._fit_scale(train)
        p = self.params
        plan = Schedule(
            p["epochs"], p["batch"], p["learning_rate"], p["patience"], p["windows_per_epoch"], p["weight_decay"],
            inner=p["inner_windows"],
        )  # fmt: skip
        log, _ = fit_network(
            self.network, self._loss, self.score, (train, valid), plan, seed=seed, checkpoint=checkpoint,
            progress=progress, judge=lambda score, label: auc(score[:, SPASM] - score[:, 0], label),
        )  # fmt: skip
        score = self.score(valid)
        self.offset = offset_of(self.task, score[:, SPASM] - score[:, 0], valid.label)
        return {**log, "classes_seen": [self.classes[c] for c in np.unique(train.label)], "offset": self.offset}

    def score(self, examples: Examples) -> np.ndarray:
        """Logits (clips, 2), the inner patients' threshold at equal ones; in blocks of one size, so in any company alike."""
        self.network.eval()
        parts = [np.zeros((0, 2))]
        block = np.zeros((PREDICT_BATCH, *examples.x.shape[1:]), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, len(examples), PREDICT_BATCH):
                x = examples.x[start : start + PREDICT_BATCH]
                block[: len(x)] = x
                parts.append(self.network(torch.from_numpy(block))[: len(x)].numpy().astype(float))
        return np.concatenate(parts) + np.array([0.0, self.offset])

    def attributed(self, clip: np.ndarray, name: int) -> Attribution:
        """Of each joint and half second; nothing is a body whose every joint moves as it does on average. Not the
        attention: it compares joints with each other, and is no share of what was said. `clip` (6, frames, joints), NaN
        where not seen."""
        self.network.eval()
        scaled, seen = self.network.scaled(torch.from_numpy(clip)[None])

        def said(moved: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = log_odds(self.network.judge(moved, seen.expand(len(moved), -1, -1, -1)), name)
            return logits

        (found,) = attributions(said, scaled.numpy(), np.zeros(scaled.shape[1:]))
        parts = in_parts(found.sum(axis=(0, 2)), round(self.window_s / PART_S))
        joints = np.maximum(found.sum(axis=(0, 1)), 0)
        return Attribution(np.maximum(parts, 0), dict(zip(JOINTS, joints.tolist(), strict=True)))

    def state(self) -> State:
        tensors = {k: v.numpy().copy() for k, v in self.network.state_dict().items()}
        return State(tensors, {"offset": self.offset})

    def load_state(self, state: State) -> None:
        self.network.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in state.tensors.items()})
        self.network.eval()
        self.offset = float(state.settings["offset"])

    def _build(self) -> StaGunetNetwork:
        p = {**self.params, "ratios": tuple(self.params["ratios"])}
        return StaGunetNetwork(Size(**{field.name: p[field.name] for field in fields(Size)}))

    def _fit_scale(self, train: Examples) -> None:
        """Mean and spread of each joint's motion over the training clips; 0 and 1 for a joint that was never seen."""
        x = train.x[:: max(1, len(train) // 1000)].astype(float)
        there = np.isfinite(x)
        count = there.sum(axis=(0, 2)).clip(1)
        mean = np.where(there, x, 0).sum(axis=(0, 2)) / count
        spread = np.sqrt((np.where(there, x - mean[:, None], 0) ** 2).sum(axis=(0, 2)) / count)
        self.network.mean.copy_(torch.from_numpy(mean[:, None]))  # type: ignore[operator]
        self.network.spread.copy_(torch.from_numpy(np.where(spread > 0, spread, 1.0)[:, None]))  # type: ignore[operator]

    def _loss(
        self, network: nn.Module, x: torch.Tensor, label: torch.Tensor, patient: torch.Tensor, progress: float
    ) -> torch.Tensor:
        return focal(network(_either_side(x) if self.params["mirror"] else x), label, self.params["gamma"])


def focal(logits: torch.Tensor, label: torch.Tensor, gamma: float) -> torch.Tensor:
    """Focal loss (Lin et al. 2017): −(1 − p)^γ log p of the true class, mean over clips; cross-entropy at γ = 0.

    Logits (clips, classes), label (clips,).
    """
    log = torch.log_softmax(logits, dim=1).gather(1, label[:, None]).squeeze(1)
    return -((1 - log.exp()) ** gamma * log).mean()


def _either_side(x: torch.Tensor) -> torch.Tensor:
    """Half of the clips mirrored, at random: a spasm is one on either side of the body."""
    return torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, mirrored(x), x)


def mirrored(x: torch.Tensor) -> torch.Tensor:
    """The same motions (clips, 6, time, joints) by the other side of the body. Law: mirrored twice, one is itself."""
    sign = torch.tensor([-1.0, 1.0] * (x.shape[1] // 2))[:, None, None]
    return x[..., list(MIRROR)] * sign


DETECTOR = StaGunet
