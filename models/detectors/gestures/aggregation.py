"""From the moments of a seizure to its name: which moments are looked at, and what is made of them.

Temporal segment networks (Wang et al. 2016) as GESTURES uses them: the film is cut into n equal segments, and one
snippet of each is looked at.
"""

from dataclasses import dataclass
from math import isinf
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn
from torch.distributions import Beta
from torch.nn import functional as F

from models.detector import Examples, Progress
from models.training import Fitted, Schedule, balanced_weights, fit_network

Kind = Literal["mean", "lstm", "blstm"]
HIDDEN = 64


@dataclass(frozen=True)
class Sampling:
    """n segments, and where in each the snippet lies: Beta(γ, γ) in training, the middle otherwise or where γ = ∞.

    The film has `positions` snippets ready, as many in each segment (else ValueError); one of those is drawn.
    """

    segments: int
    gamma: float
    positions: int

    def __post_init__(self) -> None:
        if self.positions % self.segments:
            raise ValueError(f"{self.positions} positions cannot be dealt out to {self.segments} segments alike")

    @property
    def each(self) -> int:
        """Positions in a segment."""
        return self.positions // self.segments

    def middle(self) -> torch.Tensor:
        """(segments,) positions; of an even number in a segment the later of the two middle ones."""
        return torch.arange(self.segments) * self.each + self.each // 2

    def draw(self, count: int) -> torch.Tensor:
        """(count, segments) positions, drawn with torch's generator."""
        if isinf(self.gamma):
            return self.middle().expand(count, -1)
        gamma = torch.tensor(float(self.gamma))
        at = Beta(gamma, gamma).sample((count, self.segments))
        inside = (at * self.each).long().clamp(max=self.each - 1)
        return torch.arange(self.segments) * self.each + inside


def orders_of(segments: int) -> np.ndarray:
    """(2 · segments, segments) places: every rotation of the order and of its reverse, so that each moment stands at each
    place equally often."""
    forth = np.arange(segments)
    return np.array([np.roll(one, shift) for one in (forth, forth[::-1]) for shift in range(segments)])


class Aggregator(nn.Module):
    """Features of a film's positions (batch, positions, features) → logits (batch, classes).

    `mean` of the segments, or the last hidden state of an LSTM or of one in each direction, then a linear layer. With
    `shuffled` the segments come in a random order in training, and otherwise the answer is the mean over `orders_of` them:
    the control that shows what order is worth. (One wrong order would not do: what little a network makes of it points the
    same way for every film.)
    """

    centre: torch.Tensor
    spread: torch.Tensor
    orders: torch.Tensor

    def __init__(self, kind: Kind, features: int, sampling: Sampling, classes: int, *, shuffled: bool = False):
        super().__init__()
        self.sampling, self.shuffled = sampling, shuffled
        self.recurrent: nn.LSTM | None = None
        if kind != "mean":
            self.recurrent = nn.LSTM(features, HIDDEN, batch_first=True, bidirectional=kind == "blstm")
        width = {"mean": features, "lstm": HIDDEN, "blstm": 2 * HIDDEN}[kind]
        self.fc = nn.Linear(width, classes)
        self.register_buffer("centre", torch.zeros(features))
        self.register_buffer("spread", torch.ones(features))
        self.register_buffer("orders", torch.from_numpy(orders_of(sampling.segments)), persistent=False)

    def prepare(self, x: np.ndarray, weight: np.ndarray) -> None:
        """Set how features are scaled: mean and spread over training films (films, positions, features), weighted."""
        centre = np.einsum("i,ijf->f", weight, x) / x.shape[1]
        spread = np.sqrt(np.einsum("i,ijf->f", weight, (x - centre) ** 2) / x.shape[1])
        self.centre.copy_(torch.from_numpy(centre))
        self.spread.copy_(torch.from_numpy(spread + 1e-3 * spread.mean() + 1e-6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, positions, features) → logits (batch, classes).

        In training the positions are drawn with torch's generator; otherwise they are the middle ones, every time.
        """
        if self.shuffled and not self.training:
            middle = self.sampling.middle()
            return torch.stack([self._named(x, middle[order].expand(len(x), -1)) for order in self.orders]).mean(dim=0)
        return self._named(x, self._chosen(len(x)))

    def _named(self, x: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
        """Logits from the positions `chosen` (films, segments)."""
        moments = (x[torch.arange(len(x))[:, None], chosen] - self.centre) / self.spread
        if self.recurrent is None:
            return torch.as_tensor(self.fc(moments.mean(dim=1)))
        _, (last, _) = self.recurrent(moments)
        return torch.as_tensor(self.fc(last.transpose(0, 1).flatten(1)))

    def _chosen(self, count: int) -> torch.Tensor:
        """(count, segments) positions that are looked at, in the order in which they are."""
        if not self.training:
            return self.sampling.middle().expand(count, -1)
        chosen = self.sampling.draw(count)
        if not self.shuffled:
            return chosen
        order = torch.rand(count, self.sampling.segments).argsort(dim=1)
        return chosen.gather(1, order)

    def logits(self, x: np.ndarray) -> np.ndarray:
        """(films, positions, features) → (films, classes), from the middle of each segment."""
        self.eval()
        with torch.inference_mode():
            return np.asarray(self(torch.from_numpy(np.ascontiguousarray(x))).numpy())


def fit_aggregator(
    network: Aggregator,
    train: Examples,
    inner: Examples,
    schedule: Schedule,
    *,
    seed: int,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> Fitted:
    """Fit on features that lie ready, `x` (films, positions, features); the best epoch is the likeliest on `inner`, of which
    the logits (films, classes) are what is `crossed`."""
    assert train.label is not None
    network.prepare(train.x, balanced_weights(train.patient, train.label))

    def loss(network: nn.Module, x: torch.Tensor, label: torch.Tensor, *_: Any) -> torch.Tensor:
        return F.cross_entropy(network(x), label)

    def score(examples: Examples) -> np.ndarray:
        return network.logits(examples.x)

    return fit_network(
        network, loss, score, (train, inner), schedule,
        seed=seed, checkpoint=checkpoint, progress=progress, judge=likelihood,
    )  # fmt: skip


def likelihood(score: np.ndarray, label: np.ndarray) -> float:
    """How likely the labels (films,) are by the logits (films, classes), by the geometric mean: exp(−log loss), 0 to 1.

    Finer than an AUC of a few patients.
    """
    loss = F.cross_entropy(torch.from_numpy(np.asarray(score, dtype=float)), torch.from_numpy(label.astype(np.int64)))
    return float(torch.exp(-loss))
