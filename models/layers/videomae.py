"""VideoMAE (Tong et al. 2022): a transformer over cubes of a clip, first taught to fill in the cubes that were hidden.

Names of the weights are those of the published ones and of `transformers`, and so are the outputs (tests hold both
against each other). Written anew because importing `transformers` takes longer than a whole demo fold, and because it
refuses to compare raw pixels of grey films. There is no class token: the mean over cubes is what a clip looks like.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from models.layers.r2plus1d import WeightsRefused


@dataclass(frozen=True)
class VideoShape:
    """A clip of `frames` square frames of `size_px`, cut into cubes of `tubelet` frames × `patch_px` × `patch_px`.

    ValueError where they cannot be cut into whole cubes.
    """

    size_px: int = 224
    patch_px: int = 16
    frames: int = 16
    tubelet: int = 2
    channels: int = 3

    def __post_init__(self) -> None:
        if self.size_px % self.patch_px or self.frames % self.tubelet:
            raise ValueError(
                f"frames of {self.size_px} px and {self.frames} of them must divide into cubes of {self.patch_px} px "
                f"and {self.tubelet} frames"
            )

    @property
    def places(self) -> int:
        """Patches of one frame."""
        return (self.size_px // self.patch_px) ** 2

    @property
    def moments(self) -> int:
        """Tubelets of one clip."""
        return self.frames // self.tubelet

    @property
    def cubes(self) -> int:
        """Cubes of one clip."""
        return self.moments * self.places

    @property
    def pixels(self) -> int:
        """Numbers of one cube."""
        return self.tubelet * self.patch_px**2 * self.channels


@dataclass(frozen=True)
class Trunk:
    """The size of a transformer."""

    width: int = 768
    layers: int = 12
    heads: int = 12
    hidden: int = 3072


def tube_masks(rows: int, shape: VideoShape, ratio: float, rng: np.random.Generator) -> torch.Tensor:
    """Which cubes are hidden, bool (rows, cubes): the same places at every moment, and as many in every row.

    A place hidden at one moment but not at the next would give itself away (Tong et al. 2022). At least one place is
    hidden, at least one is seen.
    """
    hidden = min(max(round(ratio * shape.places), 1), shape.places - 1)
    places = np.argsort(rng.random((rows, shape.places)), axis=1) < hidden
    return torch.from_numpy(np.tile(places, (1, shape.moments)))


def cubes_of(clips: torch.Tensor, shape: VideoShape) -> torch.Tensor:
    """(clips, frames, channels, size, size) → (clips, cubes, pixels), cubes moment by moment and row by row."""
    side = shape.size_px // shape.patch_px
    parts = clips.reshape(
        len(clips), shape.moments, shape.tubelet, shape.channels, side, shape.patch_px, side, shape.patch_px
    )
    return parts.permute(0, 1, 4, 6, 2, 5, 7, 3).reshape(len(clips), shape.cubes, shape.pixels)


def sinusoids(positions: int, width: int) -> torch.Tensor:
    """Where a cube lies, (1, positions, width): sines and cosines of rising wavelength (Vaswani et al. 2017)."""
    rate = np.power(10000.0, 2 * (np.arange(width) // 2) / width)
    angle = np.arange(positions)[:, None] / rate
    angle[:, 0::2], angle[:, 1::2] = np.sin(angle[:, 0::2]), np.cos(angle[:, 1::2])
    return torch.from_numpy(angle[None]).float()


class Encoder(nn.Module):
    """Clips (clips, frames, channels, size, size) → (clips, cubes seen, width)."""

    def __init__(self, shape: VideoShape, trunk: Trunk):
        super().__init__()
        self.shape = shape
        self.embeddings = _Embeddings(shape, trunk.width)
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(_Layer(trunk) for _ in range(trunk.layers))})

    def forward(self, clips: torch.Tensor, hidden: torch.Tensor | None = None) -> torch.Tensor:
        """(clips, frames, channels, size, size) → (clips, cubes seen, width).

        `hidden` is bool (clips, cubes) with as many in every row; None where all cubes are seen.
        """
        x: torch.Tensor = self.embeddings(clips)
        if hidden is not None:
            x = _where(x, ~hidden)
        for layer in self.encoder["layer"]:  # type: ignore[attr-defined]
            x = layer(x)
        return x


class ClipClassifier(nn.Module):
    """An encoder with a linear head on the mean of its cubes: (clips, …) → logits (clips, labels)."""

    def __init__(self, shape: VideoShape, trunk: Trunk, labels: int):
        super().__init__()
        self.videomae = Encoder(shape, trunk)
        self.fc_norm = nn.LayerNorm(trunk.width)
        self.classifier = nn.Linear(trunk.width, labels)
        self.apply(_start)

    def embed(self, clips: torch.Tensor) -> torch.Tensor:
        """(clips, width): what the head reads."""
        features: torch.Tensor = self.fc_norm(self.videomae(clips).mean(dim=1))
        return features

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        """(clips, frames, channels, size, size) → logits (clips, labels)."""
        logits: torch.Tensor = self.classifier(self.embed(clips))
        return logits


class MaskedAutoencoder(nn.Module):
    """An encoder that sees some cubes of a clip, and a smaller decoder that draws the others."""

    def __init__(self, shape: VideoShape, trunk: Trunk, decoder: Trunk):
        super().__init__()
        self.shape = shape
        self.videomae = Encoder(shape, trunk)
        self.encoder_to_decoder = nn.Linear(trunk.width, decoder.width, bias=False)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, decoder.width))
        self.decoder = _Decoder(shape, decoder)
        self.register_buffer("places", sinusoids(shape.cubes, decoder.width), persistent=False)
        self.apply(_start)

    def forward(self, clips: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        """The hidden cubes as it imagines them, (clips, cubes hidden, pixels); `hidden` is bool (clips, cubes)."""
        places = self.places.expand(len(clips), -1, -1)  # type: ignore[operator]
        seen = self.encoder_to_decoder(self.videomae(clips, hidden)) + _where(places, ~hidden)
        wanted = self.mask_token + _where(places, hidden)
        drawn: torch.Tensor = self.decoder(torch.cat([seen, wanted], dim=1), wanted.shape[1])
        return drawn

    def loss(self, clips: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        """Mean squared error of the hidden pixels, as they are; clips and `hidden` (clips, cubes) as in `forward`.

        Not scaled cube by cube: in still infrared scenes nearly all of that would be camera noise.
        """
        return F.mse_loss(self(clips, hidden), _where(cubes_of(clips, self.shape), hidden))


@dataclass(frozen=True)
class Loaded:
    """What a file of weights did not have, and what it had too much; both empty where it fitted."""

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]


def load_published(network: nn.Module, path: Path) -> Loaded:
    """Load published weights (`.safetensors` or `.bin`, or a folder with one) from this machine into a network.

    What fits is loaded and the rest is named. Refuses (`WeightsRefused`) a weight of another shape, with its name.
    """
    weights = renamed(_read(weights_file(path)))
    mine = network.state_dict()
    for name, own in mine.items():
        if name in weights and weights[name].shape != own.shape:
            raise WeightsRefused(f"{name} is {tuple(weights[name].shape)} in the file, needed is {tuple(own.shape)}")
    network.load_state_dict({name: weights.get(name, own) for name, own in mine.items()})
    return Loaded(tuple(sorted(set(mine) - set(weights))), tuple(sorted(set(weights) - set(mine))))


def renamed(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same weights, shapes and all, under today's names.

    The biases of queries and values were once called `q_bias` and `v_bias`.
    """
    today = {"q_bias": "query.bias", "v_bias": "value.bias"}
    return {re.sub(r"\b[qv]_bias$", lambda m: today[m[0]], name): weight for name, weight in weights.items()}


def weights_file(path: Path) -> Path:
    """The file of weights that a path names: itself, or the first of a folder. Refuses where there is none."""
    files = sorted(f for kind in ("*.safetensors", "*.bin") for f in path.glob(kind)) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise WeightsRefused(f"no weights in {path.name}: give a .safetensors or .bin file, or a folder with one")
    return files[0]


def _read(file: Path) -> dict[str, torch.Tensor]:
    if file.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(file)
    read: dict[str, torch.Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    return read


class _Embeddings(nn.Module):
    def __init__(self, shape: VideoShape, width: int):
        super().__init__()
        cube = (shape.tubelet, shape.patch_px, shape.patch_px)
        self.patch_embeddings = nn.ModuleDict({"projection": nn.Conv3d(shape.channels, width, cube, stride=cube)})
        self.register_buffer("places", sinusoids(shape.cubes, width), persistent=False)

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        cubes = self.patch_embeddings["projection"](clips.transpose(1, 2))
        embedded: torch.Tensor = cubes.flatten(2).transpose(1, 2) + self.places
        return embedded


class _Decoder(nn.Module):
    def __init__(self, shape: VideoShape, trunk: Trunk):
        super().__init__()
        self.decoder_layers = nn.ModuleList(_Layer(trunk) for _ in range(trunk.layers))
        self.norm = nn.LayerNorm(trunk.width)
        self.head = nn.Linear(trunk.width, shape.pixels)

    def forward(self, x: torch.Tensor, last: int) -> torch.Tensor:
        for layer in self.decoder_layers:
            x = layer(x)
        pixels: torch.Tensor = self.head(self.norm(x[:, -last:]))
        return pixels


class _Layer(nn.Module):
    """Attention and two linear layers, each beside a way past it."""

    def __init__(self, trunk: Trunk):
        super().__init__()
        self.attention = _Attention(trunk)
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(trunk.width, trunk.hidden)})
        self.output = nn.ModuleDict({"dense": nn.Linear(trunk.hidden, trunk.width)})
        self.layernorm_before = nn.LayerNorm(trunk.width, eps=1e-12)
        self.layernorm_after = nn.LayerNorm(trunk.width, eps=1e-12)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.layernorm_before(x))
        inside = F.gelu(self.intermediate["dense"](self.layernorm_after(x)))
        after: torch.Tensor = x + self.output["dense"](inside)
        return after


class _Attention(nn.Module):
    def __init__(self, trunk: Trunk):
        super().__init__()
        self.heads = trunk.heads
        parts = {"query": True, "key": False, "value": True}  # a bias of the keys would change nothing
        self.attention = nn.ModuleDict(
            {name: nn.Linear(trunk.width, trunk.width, bias=bias) for name, bias in parts.items()}
        )
        self.output = nn.ModuleDict({"dense": nn.Linear(trunk.width, trunk.width)})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        query, key, value = (
            part(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.attention.values()
        )
        mixed = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        out: torch.Tensor = self.output["dense"](mixed)
        return out


def _where(x: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """(rows, cubes, width) → (rows, chosen of each row, width); every row has as many."""
    return x[chosen].reshape(len(x), -1, x.shape[-1])


def _start(module: nn.Module) -> Any:
    """First weights as published: normal with spread 0.02, no bias."""
    if isinstance(module, nn.Linear | nn.Conv3d):
        nn.init.normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
