"""A small residual network: every block learns what to add to its input (He et al. 2016)."""

import itertools
from collections.abc import Sequence

import torch
from torch import nn

from models.layers.stem import Stem


class ResidualNet(nn.Sequential):
    """Images (batch, maps, rows, columns) → features (batch, `features`): a stem and a basic block per width.

    Every block but the first halves the image; at last a mean over the rows and each of `columns` parts of the columns.
    """

    def __init__(self, maps: int, widths: Sequence[int], stem: Stem, columns: int = 1):
        blocks = [BasicBlock(widths[0], widths[0], 1), *(BasicBlock(a, b, 2) for a, b in itertools.pairwise(widths))]
        super().__init__(
            stem(maps, widths[0]),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(),
            *blocks,
            nn.AdaptiveAvgPool2d((1, columns)),
            nn.Flatten(),
        )
        self.features = widths[-1] * columns


class BasicBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut, which is a 1×1 convolution where the shape changes."""

    def __init__(self, maps: int, width: int, stride: int):
        super().__init__()
        self.learnt = nn.Sequential(
            nn.Conv2d(maps, width, 3, stride, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width),
        )  # fmt: skip
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or maps != width:
            self.shortcut = nn.Sequential(nn.Conv2d(maps, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, maps, rows, columns) → (batch, width, rows / stride, columns / stride), rounded up."""
        return torch.relu(self.learnt(x) + self.shortcut(x))
