"""A tiny pose estimator that learns from simulated frames, so that the way from film to answer can be gone at all.

It knows simulated infants and nobody else; a hospital brings an estimator of its own (`models.pose_estimator`).
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from data.pose import JOINTS
from models.pose_estimator import as_input, describe

SPREAD = 0.8
"""Standard deviation of the target around a joint, in cells of the heat map."""


class TinyPoseNetwork(nn.Sequential):
    """Grey frames (n, 1, size, size) → heat maps (n, joints, size / 4, size / 4); each cell sees 63 pixels around it."""

    def __init__(self, width: int = 24, joints: int = len(JOINTS)):
        plan = (
            (1, width, 2, 1),
            (width, width, 2, 1),
            (width, width, 1, 1),
            (width, width, 1, 2),
            (width, width, 1, 4),
        )
        layers = [part for a, b, step, apart in plan for part in (_convolution(a, b, step, apart), nn.ReLU())]
        super().__init__(*layers, nn.Conv2d(width, joints, 1))


def _convolution(inputs: int, outputs: int, stride: int, dilation: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, padding=dilation, dilation=dilation)


def train_tiny_estimator(
    frames: np.ndarray, xy: np.ndarray, seed: int, *, steps: int = 300, batch: int = 32, width: int = 24
) -> TinyPoseNetwork:
    """Fit to frames, uint8 (n, size, size), and joints (n, joints, 2) in their pixels, NaN where a joint is not to be seen.

    The target of a joint is a small bump; the loss is the cross-entropy of all cells. Same seed, same weights.
    """
    torch.manual_seed(seed)
    network, rng = TinyPoseNetwork(width, xy.shape[1]), np.random.default_rng(seed)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.004)
    rates = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        chosen = rng.integers(len(frames), size=min(batch, len(frames)))
        said = network(torch.from_numpy(as_input(frames[chosen])))
        wanted = torch.from_numpy(_bumps(xy[chosen], frames.shape[1], said.shape[-1]))
        seen = wanted.sum(dim=2) > 0
        loss = -(wanted * F.log_softmax(said.flatten(2), dim=2)).sum(dim=2)[seen].mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rates.step()
    return network.eval()


def write_tiny_estimator(network: TinyPoseNetwork, path: Path, size_px: int, joints: tuple[str, ...] = JOINTS) -> None:
    """The network as an ONNX model, with its description beside it; written from the weights, layer by layer."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights, at = [], [], "frames"
    for number, layer in enumerate(network):
        out = f"layer_{number}" if number + 1 < len(network) else "heat_maps"
        if isinstance(layer, nn.Conv2d):
            assert layer.bias is not None and isinstance(layer.padding, tuple)
            names = (f"weight_{number}", f"bias_{number}")
            for name, tensor in zip(names, (layer.weight, layer.bias), strict=True):
                weights.append(numpy_helper.from_array(tensor.detach().numpy(), name))
            settings: dict[str, Any] = {
                "kernel_shape": layer.kernel_size, "strides": layer.stride, "dilations": layer.dilation,
                "pads": (*layer.padding, *layer.padding),
            }  # fmt: skip
            nodes.append(helper.make_node("Conv", [at, *names], [out], **settings))
        else:
            nodes.append(helper.make_node("Relu", [at], [out]))
        at = out
    shapes: tuple[list[Any], list[Any]] = (["n", 1, size_px, size_px], ["n", len(joints), size_px // 4, size_px // 4])
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in zip(("frames", "heat_maps"), shapes, strict=True)
    ]
    graph = helper.make_graph(nodes, "tiny_pose", ends[:1], ends[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    describe(path, size_px, joints, "heat_maps")


def _bumps(xy: np.ndarray, size_px: int, cells: int) -> np.ndarray:
    """(n, joints, cells · cells) float32: a Gaussian of sum 1 around each joint, 0 where there is none in the picture."""
    place = (xy + 0.5) * cells / size_px - 0.5
    down, across = np.divmod(np.arange(cells * cells), cells)
    squared = (across - place[..., :1]) ** 2 + (down - place[..., 1:]) ** 2
    bump = np.exp(-squared / (2 * SPREAD**2))
    inside = np.isfinite(xy).all(axis=2) & (xy >= -0.5).all(axis=2) & (xy <= size_px - 0.5).all(axis=2)
    bump = np.where(inside[..., None], bump, 0.0)
    return np.asarray(bump / np.maximum(bump.sum(axis=2, keepdims=True), 1e-12), np.float32)
