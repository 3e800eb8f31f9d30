"""Networks on a graph of joints: convolution over neighbours, attention over joints and time, and a graph U-Net.

Everywhere `x` is (batch, features, frames, joints) and `seen` (batch, 1, frames, joints), 1 where a joint was seen and 0
where not. What was not seen is 0 after every layer, is no neighbour, no key of attention, and is pooled away first.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


def adjacency(edges: Sequence[tuple[int, int]], nodes: int) -> np.ndarray:
    """(nodes, nodes) 0/1, symmetric, every node beside itself too."""
    beside = np.eye(nodes, dtype=np.float32)
    for a, b in edges:
        beside[a, b] = beside[b, a] = 1
    return beside


def spatial_partition(edges: Sequence[tuple[int, int]], nodes: int, centre: int) -> np.ndarray:
    """(3, nodes, nodes): weights from neighbour (row) to node (column), by their distance from the centre.

    A neighbour as far from the centre as the node (itself among them), a nearer one, and a farther one (ST-GCN, Yan et
    al. 2018). Over all three the weights into a node sum to 1.
    """
    beside = adjacency(edges, nodes)
    weights = beside / beside.sum(axis=0, keepdims=True)
    distance = _hops(beside, centre)
    nearer = distance[:, None] < distance[None, :]
    farther = distance[:, None] > distance[None, :]
    return np.stack([weights * ~(nearer | farther), weights * nearer, weights * farther]).astype(np.float32)


def _hops(beside: np.ndarray, centre: int) -> np.ndarray:
    """How many edges each node is from the centre; `nodes` where no way leads there."""
    reached = np.zeros(len(beside), dtype=bool)
    reached[centre] = True
    hops = np.where(reached, 0, len(beside))
    for step in range(1, len(beside)):
        new = (beside[reached].sum(axis=0) > 0) & ~reached
        hops[new] = step
        reached |= new
    return hops


def from_neighbours(x: torch.Tensor, seen: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Weighted mean over the neighbours that were seen; `weights` (…, joints, joints) as of `spatial_partition`.

    What the unseen would have weighed is shared out among the others: a body half covered is not a body half at rest.
    """
    there = seen @ weights
    ratio = torch.where(there > 0, weights.sum(dim=-2, keepdim=True) / there.clamp_min(1e-6), torch.zeros_like(there))
    return (x @ weights) * ratio


class GraphConv(nn.Module):
    """A linear map of each part of the neighbourhood, summed: (batch, inputs, …) → (batch, outputs, …)."""

    def __init__(self, inputs: int, outputs: int, partition: np.ndarray):
        super().__init__()
        self.register_buffer("partition", torch.from_numpy(partition), persistent=False)
        self.mix = nn.Conv2d(inputs * len(partition), outputs, 1)

    def forward(self, x: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """(batch, inputs, frames, joints) → (batch, outputs, frames, joints); the caller sets the unseen to 0."""
        parts = [from_neighbours(x, seen, weights) for weights in self.partition]  # type: ignore[union-attr]
        mixed: torch.Tensor = self.mix(torch.cat(parts, dim=1))
        return mixed


class StGcnBlock(nn.Module):
    """Graph convolution, then one along time, beside a shortcut (ST-GCN, Yan et al. 2018)."""

    def __init__(self, width: int, partition: np.ndarray, frames: int, dropout: float):
        super().__init__()
        self.space = GraphConv(width, width, partition)
        self.between = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU())
        self.time = nn.Conv2d(width, width, (frames, 1), padding=(frames // 2, 0))
        self.after = nn.Sequential(nn.BatchNorm2d(width), nn.Dropout(dropout))

    def forward(self, x: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """(batch, width, frames, joints) → the same shape, where the kernel's `frames` are odd."""
        moved = self.time(self.between(self.space(x, seen)) * seen)
        return F.relu(self.after(moved) + x) * seen


class SpatioTemporalAttention(nn.Module):
    """Every joint looks at the others of its frame, and at itself in the other frames; both are added to it."""

    def __init__(self, width: int, inner: int):
        super().__init__()
        self.joints, self.frames = nn.Conv2d(width, 3 * inner, 1), nn.Conv2d(width, 3 * inner, 1)
        self.join = nn.Sequential(nn.Conv2d(2 * inner, width, 1), nn.BatchNorm2d(width))

    def forward(self, x: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """(batch, width, frames, joints) → the same shape."""
        over_joints = _look(self.joints(x).permute(0, 2, 3, 1), seen[:, 0])
        over_frames = _look(self.frames(x).permute(0, 3, 2, 1), seen[:, 0].transpose(1, 2)).transpose(1, 2)
        looked = torch.cat([over_joints, over_frames], dim=3).permute(0, 3, 1, 2)
        return F.relu(x + self.join(looked)) * seen


def _look(parts: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    """Scaled dot-product attention over the last but one axis: (batch, rows, items, 3 · inner) → (…, inner)."""
    query, key, value = parts.chunk(3, dim=3)
    closeness = query @ key.transpose(2, 3) / query.shape[3] ** 0.5
    weights = torch.softmax(closeness.masked_fill(seen[:, :, None, :] == 0, -1e9), dim=3)
    return weights @ value


class GraphPool(nn.Module):
    """gPool: keep the joints that project highest on a learnt vector, gated by how high (Gao & Ji 2019).

    A joint is kept or dropped for the whole clip, by its mean over the frames in which it was seen. The kept ones are
    neighbours where a way of at most two edges led from one to the other, so that the graph does not fall apart.
    """

    def __init__(self, width: int, ratio: float):
        super().__init__()
        self.ratio = ratio
        self.direction = nn.Parameter(torch.randn(width) / width**0.5)

    def forward(
        self, x: torch.Tensor, seen: torch.Tensor, beside: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """x, seen, `beside` (batch, joints, joints) 0/1 → the same of the kept joints, and which they are (batch, kept)."""
        joints = x.shape[3]
        kept = max(2, int(self.ratio * joints))
        height = torch.einsum("bftj,f->btj", x, self.direction / self.direction.norm())
        frames = seen[:, 0].sum(dim=1)
        mean = (height * seen[:, 0]).sum(dim=1) / frames.clamp_min(1)
        order = mean.masked_fill(frames == 0, -torch.inf).argsort(dim=1, descending=True, stable=True)
        index = order[:, :kept].sort(dim=1).values
        ways = ((beside @ beside) > 0).to(x.dtype)
        among = ways.gather(1, index[:, :, None].expand(-1, -1, joints))
        among = among.gather(2, index[:, None, :].expand(-1, kept, -1))
        gate = torch.sigmoid(mean.gather(1, index))[:, None, None, :]
        return _taken(x, index) * gate, _taken(seen, index), among, index


def _taken(x: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    batch, features, frames = x.shape[:3]
    return x.gather(3, index[:, None, None, :].expand(batch, features, frames, -1))


def unpool(x: torch.Tensor, index: torch.Tensor, joints: int) -> torch.Tensor:
    """gUnpool: every kept joint back in its place among `joints`, 0 elsewhere. Law: pooled again by `index` it is x.

    x (batch, features, frames, kept), index (batch, kept) → (batch, features, frames, joints).
    """
    batch, features, frames = x.shape[:3]
    empty = x.new_zeros(batch, features, frames, joints)
    return empty.scatter(3, index[:, None, None, :].expand(batch, features, frames, -1), x)


class NeighbourConv(nn.Module):
    """A linear map of the mean over the neighbours in a graph of each clip's own, `beside` (batch, joints, joints)."""

    def __init__(self, width: int):
        super().__init__()
        self.mix = nn.Sequential(nn.Conv2d(width, width, 1), nn.BatchNorm2d(width), nn.ReLU())

    def forward(self, x: torch.Tensor, seen: torch.Tensor, beside: torch.Tensor) -> torch.Tensor:
        """(batch, width, frames, joints) → the same shape."""
        weights = beside / beside.sum(dim=1, keepdim=True)
        mixed: torch.Tensor = self.mix(from_neighbours(x, seen, weights[:, None]))
        return mixed * seen


class GraphUNet(nn.Module):
    """Graph U-Net (Gao & Ji 2019) on the skeleton: down by `ratios` with gPool, up with gUnpool, with skips, and itself."""

    def __init__(self, width: int, ratios: Sequence[float], beside: np.ndarray):
        super().__init__()
        self.register_buffer("beside", torch.from_numpy(beside), persistent=False)
        self.down = nn.ModuleList(NeighbourConv(width) for _ in ratios)
        self.pools = nn.ModuleList(GraphPool(width, ratio) for ratio in ratios)
        self.bottom = NeighbourConv(width)
        self.up = nn.ModuleList(NeighbourConv(width) for _ in ratios)

    def forward(self, x: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """(batch, width, frames, joints) → the same shape."""
        beside = self.beside.expand(len(x), -1, -1)  # type: ignore[operator]
        whole, levels = x, []
        for convolve, pool in zip(self.down, self.pools, strict=True):
            x = convolve(x, seen, beside)
            smaller = pool(x, seen, beside)
            levels.append((x, seen, beside, smaller[3]))
            x, seen, beside = smaller[:3]
        x = self.bottom(x, seen, beside)
        for convolve, (skip, seen, beside, index) in zip(self.up, reversed(levels), strict=True):
            x = convolve(unpool(x, index, skip.shape[3]) + skip, seen, beside)
        return x + whole
