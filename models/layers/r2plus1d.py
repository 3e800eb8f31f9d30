"""R(2+1)D: a film's moment as features, space and time convolved one after the other (Tran et al. 2018, arXiv 1711.11248).

Modules bear the names of torchvision's `VideoResNet` (`stem.0`, `layer1.0.conv1.0.0`, … `fc`), so that published weights
load by name. Written from the description; torchvision itself is not needed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lineage.refused import Refused


class WeightsRefused(Refused):
    """A file of weights that is not of this network."""


@dataclass(frozen=True)
class Size:
    """How large a network is. `stem` is the width between the stem's two convolutions.

    `wide_second`: the second convolution of a stage's first block has the inner width that its own planes give, as in
    the published 34 layers; otherwise that of the block, as in torchvision. `eps`, `momentum`: of every normalisation.
    """

    blocks: tuple[int, ...]
    widths: tuple[int, ...] = (64, 128, 256, 512)
    stem: int = 45
    maps: int = 3
    wide_second: bool = False
    eps: float = 1e-5
    momentum: float = 0.1


SIZES = {
    "tiny": Size((1, 1, 1, 1), (8, 16, 32, 64), stem=12, maps=1),
    "18": Size((2, 2, 2, 2)),
    "34": Size((3, 4, 6, 3), wide_second=True, eps=1e-3, momentum=0.9),
}
"""18 layers as in torchvision; 34 as published on 65 million Instagram films (Ghadiyaram et al. 2019); a tiny one of ours."""


class R2Plus1D(nn.Module):
    """Snippets (batch, maps, frames, rows, columns) → logits (batch, classes); `features` are what `fc` is given."""

    def __init__(self, size: Size, classes: int):
        super().__init__()
        self.stem: nn.Module = _stem(size)
        entering = (size.widths[0], *size.widths[:-1])
        for number, (maps, width, blocks) in enumerate(zip(entering, size.widths, size.blocks, strict=True)):
            stage = [
                _Block(maps if first == 0 else width, width, number > 0 and first == 0, size) for first in range(blocks)
            ]
            setattr(self, f"layer{number + 1}", nn.Sequential(*stage))
        self.avgpool = nn.AdaptiveAvgPool3d(1)
        self.fc = nn.Linear(size.widths[-1], classes)
        self.width = size.widths[-1]

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, width): the mean over time and space of the last stage."""
        for name in ("stem", "layer1", "layer2", "layer3", "layer4", "avgpool"):
            x = self.get_submodule(name)(x)
        return x.flatten(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, maps, frames, rows, columns) → logits (batch, classes)."""
        return torch.as_tensor(self.fc(self.features(x)))


def inner_width(maps: int, width: int) -> int:
    """Planes between the spatial and the temporal convolution, which give both together the parameters of a 3×3×3 one."""
    return maps * width * 27 // (9 * maps + 3 * width)


class _Block(nn.Module):
    def __init__(self, maps: int, width: int, halves: bool, size: Size):
        super().__init__()
        stride = 2 if halves else 1
        inner = inner_width(maps, width)
        second = inner_width(width, width) if size.wide_second else inner
        self.conv1 = nn.Sequential(_apart(maps, inner, width, stride, size), _norm(width, size), nn.ReLU(inplace=True))
        self.conv2 = nn.Sequential(_apart(width, second, width, 1, size), _norm(width, size))
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = None
        if halves or maps != width:
            self.downsample = nn.Sequential(nn.Conv3d(maps, width, 1, stride, bias=False), _norm(width, size))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        beside = x if self.downsample is None else self.downsample(x)
        return torch.as_tensor(self.relu(self.conv2(self.conv1(x)) + beside))


def _stem(size: Size) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(size.maps, size.stem, (1, 7, 7), (1, 2, 2), (0, 3, 3), bias=False),
        _norm(size.stem, size),
        nn.ReLU(inplace=True),
        nn.Conv3d(size.stem, size.widths[0], (3, 1, 1), 1, (1, 0, 0), bias=False),
        _norm(size.widths[0], size),
        nn.ReLU(inplace=True),
    )


def _apart(maps: int, inner: int, width: int, stride: int, size: Size) -> nn.Sequential:
    """A 1×3×3 convolution in space, then a 3×1×1 one in time."""
    return nn.Sequential(
        nn.Conv3d(maps, inner, (1, 3, 3), (1, stride, stride), (0, 1, 1), bias=False),
        _norm(inner, size),
        nn.ReLU(inplace=True),
        nn.Conv3d(inner, width, (3, 1, 1), (stride, 1, 1), (1, 0, 0), bias=False),
    )


def _norm(width: int, size: Size) -> nn.BatchNorm3d:
    return nn.BatchNorm3d(width, eps=size.eps, momentum=size.momentum)


@dataclass(frozen=True)
class Loaded:
    """What a file of published weights held: how many tensors were taken, and which were let be."""

    taken: int
    left: tuple[str, ...]


def load_published(network: R2Plus1D, path: Path) -> Loaded:
    """Take all weights but the last layer's from a file (safetensors, or a PyTorch file of tensors alone).

    Names that only count batches, and `fc`, whose classes are other ones, may lack or be there. Everything else that is
    missing, unexpected or of another shape is refused by name, and then nothing is taken.
    """
    given, own = _tensors(path), network.state_dict()
    _refuse(path, [f"missing {n}" for n in own if n not in given and not _tolerated(n)])
    _refuse(path, [f"unexpected {n}" for n in given if n not in own and not _tolerated(n)])
    taken = {n: t for n, t in given.items() if n in own and not n.startswith("fc.")}
    _refuse(path, [f"{n} is {_shape(t)}, not {_shape(own[n])}" for n, t in taken.items() if t.shape != own[n].shape])
    network.load_state_dict({**own, **taken})
    return Loaded(len(taken), tuple(sorted(set(given) - set(taken))))


def _tolerated(name: str) -> bool:
    return name.startswith("fc.") or name.endswith(".num_batches_tracked")


def _refuse(path: Path, faults: Sequence[str]) -> None:
    if faults:
        more = f" and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise WeightsRefused(f"{path.name} does not hold the weights of this network: {'; '.join(faults[:5])}{more}")


def _shape(tensor: torch.Tensor) -> str:
    return "×".join(map(str, tensor.shape))


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    """Names and tensors of a file; the wrappers `state_dict` and `model`, and the prefix `module.`, are taken off."""
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        content: Any = load_file(path)
    else:
        content = torch.load(path, weights_only=True, map_location="cpu")
    for wrapper in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not all(isinstance(t, torch.Tensor) for t in content.values()):
        raise WeightsRefused(f"{path.name} holds something else than named tensors")
    return {str(name).removeprefix("module."): tensor for name, tensor in content.items()}
