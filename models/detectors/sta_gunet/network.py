"""The network of STA-GUNet as its paper describes it, on the real skeleton."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from data.pose import EDGES, JOINTS
from models.layers.graph import (
    GraphConv,
    GraphUNet,
    SpatioTemporalAttention,
    StGcnBlock,
    adjacency,
    spatial_partition,
)
from models.spasms import FEATURES

NECK = JOINTS.index("neck")
FARTHEST = 8.0
"""Standardised motion beyond this many spreads is cut: two joints that were swapped seem to fly."""


@dataclass(frozen=True)
class Size:
    """How large the network is. `together` frames are read as one; `ratios` are the shares that each pooling keeps.

    Parts can be taken away: without `attention` (0) or `unet` they are left out; without `graph` every joint is its only
    neighbour.
    """

    width: int
    attention: int
    ratios: tuple[float, ...]
    blocks: int
    frames: int
    together: int
    dropout: float
    graph: bool = True
    unet: bool = True


class StaGunetNetwork(nn.Module):
    """Motion (batch, 6, frames, joints), NaN where a joint was not seen → logits (batch, 2): other, spasm.

    Spatio-temporal attention → graph convolution → graph U-Net → ST-GCN blocks → mean and maximum over time of the mean
    over the joints seen → linear. Buffers hold mean and spread of the training patients' motion.
    """

    def __init__(self, size: Size, edges: Sequence[tuple[int, int]] = EDGES):
        super().__init__()
        self.together, width, joints = size.together, size.width, len(JOINTS)
        edges = edges if size.graph else ()
        partition = spatial_partition(edges, joints, NECK)
        self.embed = nn.Sequential(nn.Conv2d(FEATURES * size.together, width, 1), nn.BatchNorm2d(width), nn.ReLU())
        self.attention = SpatioTemporalAttention(width, size.attention) if size.attention else None
        self.convolve = GraphConv(width, width, partition)
        self.after = nn.BatchNorm2d(width)
        self.unet = GraphUNet(width, size.ratios, adjacency(edges, joints)) if size.unet else None
        self.blocks = nn.ModuleList(StGcnBlock(width, partition, size.frames, size.dropout) for _ in range(size.blocks))
        self.classifier = nn.Linear(2 * width, 2)
        self.register_buffer("mean", torch.zeros(FEATURES, 1, joints))
        self.register_buffer("spread", torch.ones(FEATURES, 1, joints))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, 6, frames, joints), NaN where a joint was not seen → logits (batch, 2)."""
        return self.judge(*self.scaled(x))

    def scaled(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Motion in spreads of the training patients', 0 where a joint was not seen, and which were (batch, 1, frames, joints)."""
        seen = torch.isfinite(x[:, :2]).all(dim=1, keepdim=True).to(x.dtype)
        scaled = ((x - self.mean) / self.spread).clamp(-FARTHEST, FARTHEST)  # type: ignore[operator]
        return torch.nan_to_num(scaled, nan=0.0), seen

    def judge(self, x: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """Logits of scaled motion; whatever stands where `seen` (batch, 1, frames, joints) is 0 has no influence."""
        x, seen = self._together(x * seen, seen)
        x = self.embed(x) * seen
        if self.attention is not None:
            x = self.attention(x, seen)
        x = F.relu(self.after(self.convolve(x, seen)) + x) * seen
        if self.unet is not None:
            x = self.unet(x, seen)
        for block in self.blocks:
            x = block(x, seen)
        logits: torch.Tensor = self.classifier(_over_time(x, seen))
        return logits

    def _together(self, x: torch.Tensor, seen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """`together` frames in one; a joint is seen where it was seen in any of them."""
        batch, features, frames, joints = x.shape
        short = -frames % self.together
        x, seen = (F.pad(part, (0, 0, 0, short)) for part in (x, seen))
        x = x.reshape(batch, features, -1, self.together, joints).transpose(2, 3)
        seen = seen.reshape(batch, 1, -1, self.together, joints).amax(dim=3)
        return x.reshape(batch, features * self.together, -1, joints), seen


def _over_time(x: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    """(batch, 2 · features): mean over all that was seen, and the highest frame of the means over its joints."""
    mean = x.sum(dim=(2, 3)) / seen.sum(dim=(2, 3)).clamp_min(1)
    frames = x.sum(dim=3) / seen.sum(dim=3).clamp_min(1)
    return torch.cat([mean, frames.amax(dim=2)], dim=1)
