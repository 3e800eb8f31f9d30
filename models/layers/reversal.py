"""Gradient reversal: learn features from which a classifier behind it *cannot* tell (Ganin & Lempitsky 2015)."""

import math
from typing import Any

import torch


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, strength: float) -> torch.Tensor:
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, None]:
        return -ctx.strength * grads[0], None


def reverse_gradient(x: torch.Tensor, strength: float) -> torch.Tensor:
    """`x`, of any shape, itself forwards; the gradient times −`strength` backwards."""
    return _Reverse.apply(x, strength)  # type: ignore[no-any-return,no-untyped-call]


def schedule(progress: float) -> float:
    """λ(p) = 2 / (1 + e^(−10 p)) − 1 for training progress p in 0–1: starts at 0, ends near 1."""
    return 2 / (1 + math.exp(-10 * progress)) - 1
