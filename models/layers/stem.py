"""The first layer of an image network, and how far it coarsens the image."""

from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class Stem:
    """A 3×3 convolution at `stride`, then the mean of `pool` × `pool` places; 1 and 1 keep the image as fine as it is."""

    stride: int = 1
    pool: int = 1

    def __call__(self, maps: int, width: int) -> nn.Sequential:
        parts: list[nn.Module] = [nn.Conv2d(maps, width, 3, self.stride, padding=1, bias=False)]
        if self.pool > 1:
            parts.append(nn.AvgPool2d(self.pool))
        return nn.Sequential(*parts)
