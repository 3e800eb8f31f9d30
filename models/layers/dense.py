"""A densely connected convolutional network: every layer sees the maps of all layers before it (Huang et al. 2017)."""

from collections.abc import Sequence

import torch
from torch import nn

from models.layers.stem import Stem


class DenseNet(nn.Sequential):
    """Images (batch, maps, rows, columns) → features (batch, `features`).

    Stem (twice the growth), dense blocks of bottleneck layers, between them transitions that halve the maps (1×1)
    and the image (2×2 mean), a mean over what is left of the rows and of each of `columns` parts of the columns.
    """

    def __init__(self, maps: int, growth: int, layers: Sequence[int], bottleneck: int, stem: Stem, columns: int = 1):
        width = 2 * growth
        parts: list[nn.Module] = [stem(maps, width)]
        for number, depth in enumerate(layers):
            if number:
                parts.append(_transition(width, width // 2))
                width //= 2
            for _ in range(depth):
                parts.append(DenseLayer(width, growth, bottleneck * growth))
                width += growth
        super().__init__(*parts, nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d((1, columns)), nn.Flatten())
        self.features = width * columns


class DenseLayer(nn.Module):
    """(batch, maps, …) → (batch, maps + growth, …): what came in, and `growth` new maps beside it."""

    def __init__(self, maps: int, growth: int, inner: int):
        super().__init__()
        self.new = nn.Sequential(
            nn.BatchNorm2d(maps), nn.ReLU(), nn.Conv2d(maps, inner, 1, bias=False),
            nn.BatchNorm2d(inner), nn.ReLU(), nn.Conv2d(inner, growth, 3, padding=1, bias=False),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, maps, rows, columns) → (batch, maps + growth, rows, columns)."""
        return torch.cat([x, self.new(x)], dim=1)


def _transition(maps: int, fewer: int) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(maps), nn.ReLU(), nn.Conv2d(maps, fewer, 1, bias=False), nn.AvgPool2d(2))
