"""Pooling over a set of items: additive attention with its weights open to inspection, and the plain mean."""

import torch
from torch import nn


class AttentionPool(nn.Module):
    """(batch, items, features) → (batch, features), weighted by softmax(v · tanh(W x)) (Bahdanau et al. 2015)."""

    def __init__(self, features: int, hidden: int):
        super().__init__()
        self.project = nn.Linear(features, hidden)
        self.rank = nn.Linear(hidden, 1, bias=False)

    def weights(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, items), each row sums to 1."""
        return torch.softmax(self.rank(torch.tanh(self.project(x))).squeeze(-1), dim=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, items, features) → (batch, features), weighed by `weights`."""
        return (self.weights(x).unsqueeze(-1) * x).sum(dim=1)


class MeanPool(nn.Module):
    """(batch, items, features) → (batch, features): every item weighs the same, and nothing is learnt."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, items, features) → (batch, features)."""
        return x.mean(dim=1)
