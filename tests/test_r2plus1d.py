"""R(2+1)D as published: names, sizes, and weights that load by name or are refused by name."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from models.layers.r2plus1d import SIZES, R2Plus1D, WeightsRefused, inner_width, load_published


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.fixture(scope="module")
def networks() -> dict[str, R2Plus1D]:
    with torch.device("meta"):  # shapes without the memory
        return {name: R2Plus1D(size, 400) for name, size in SIZES.items()}


@pytest.mark.parametrize(("layers", "parameters", "tensors"), [("18", 31_505_325, 224), ("34", 63_697_175, 416)])
def test_it_has_as_many_parameters_and_names_as_the_published_network(
    networks: dict[str, R2Plus1D], layers: str, parameters: int, tensors: int
) -> None:
    """torchvision's r2plus1d_18, and the 34 layers of IG-65M fine-tuned on Kinetics, with 400 classes each."""
    assert count(networks[layers]) == parameters
    assert len(networks[layers].state_dict()) == tensors


def test_modules_bear_torchvisions_names(networks: dict[str, R2Plus1D]) -> None:
    shapes = {n: tuple(t.shape) for n, t in networks["18"].state_dict().items()}
    assert shapes["stem.0.weight"] == (45, 3, 1, 7, 7) and shapes["stem.3.weight"] == (64, 45, 3, 1, 1)
    assert shapes["layer1.0.conv1.0.0.weight"] == (144, 64, 1, 3, 3)
    assert shapes["layer1.0.conv1.0.3.weight"] == (64, 144, 3, 1, 1) and shapes["layer1.0.conv1.1.weight"] == (64,)
    assert shapes["layer4.1.conv2.0.1.running_mean"] == (1152,)
    assert shapes["layer2.0.downsample.0.weight"] == (128, 64, 1, 1, 1) and shapes["fc.weight"] == (400, 512)
    assert not any(n.startswith("layer1.0.downsample") for n in shapes)


@pytest.mark.parametrize(("layers", "second"), [("18", (230, 460, 921)), ("34", (288, 576, 1152))])
def test_the_second_convolution_of_a_stage_is_as_wide_as_published(
    networks: dict[str, R2Plus1D], layers: str, second: tuple[int, ...]
) -> None:
    shapes = networks[layers].state_dict()
    assert tuple(shapes[f"layer{n}.0.conv2.0.0.weight"].shape[0] for n in (2, 3, 4)) == second
    assert tuple(shapes[f"layer{n}.0.conv1.0.0.weight"].shape[0] for n in (2, 3, 4)) == (230, 460, 921)


def test_the_inner_width_keeps_the_parameters_of_a_whole_convolution() -> None:
    """64 → 128: 64·128·27 = 221,184 parameters; 9·64 + 3·128 = 960 per inner plane; 221,184 // 960 = 230."""
    assert inner_width(64, 128) == 230


def test_normalisation_is_as_published(networks: dict[str, R2Plus1D]) -> None:
    of = {n: {m.eps for m in net.modules() if isinstance(m, nn.BatchNorm3d)} for n, net in networks.items()}
    assert of["34"] == {1e-3} and of["18"] == {1e-5}


def test_a_stage_halves_time_and_space() -> None:
    network = R2Plus1D(SIZES["tiny"], 4).eval()
    x = torch.rand(2, 1, 8, 64, 64)
    shapes = []
    for stage in (network.stem, network.layer1, network.layer2, network.layer3, network.layer4):
        x = stage(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes == [(8, 8, 32, 32), (8, 8, 32, 32), (16, 4, 16, 16), (32, 2, 8, 8), (64, 1, 4, 4)]
    assert network.features(torch.rand(2, 1, 8, 64, 64)).shape == (2, 64)


def test_the_published_size_takes_a_step_of_112_pixels_in_every_weight() -> None:
    with torch.device("meta"):
        network = R2Plus1D(SIZES["34"], 2)
    network = network.to_empty(device="cpu")
    assert count(network) == 63_697_175 - 400 * 513 + 2 * 513
    for tensor in network.state_dict().values():
        tensor.fill_(0) if tensor.ndim < 1 else nn.init.uniform_(
            tensor, 0.01, 0.02
        ) if tensor.ndim == 1 else nn.init.uniform_(tensor, -0.02, 0.02)
    network(torch.rand(1, 3, 8, 112, 112)).logsumexp(dim=1).sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


@pytest.fixture
def taught() -> R2Plus1D:
    torch.manual_seed(5)
    return R2Plus1D(SIZES["tiny"], 7)


def saved(tensors: dict[str, torch.Tensor], path: Path, wrapper: str = "") -> Path:
    content = {n: t.contiguous() for n, t in tensors.items()}
    if path.suffix == ".safetensors":
        save_file(content, path)
    else:
        torch.save({wrapper: content} if wrapper else content, path)
    return path


@pytest.mark.parametrize(
    ("file", "wrapper"), [("w.safetensors", ""), ("w.pth", ""), ("w.pth", "state_dict"), ("w.pt", "model")]
)
def test_published_weights_load_whatever_their_wrapper(
    taught: R2Plus1D, tmp_path: Path, file: str, wrapper: str
) -> None:
    network = R2Plus1D(SIZES["tiny"], 4)
    loaded = load_published(network, saved(taught.state_dict(), tmp_path / file, wrapper))
    assert loaded.left == ("fc.bias", "fc.weight") and loaded.taken == len(taught.state_dict()) - 2
    x = torch.rand(1, 1, 8, 32, 32)
    assert torch.equal(network.eval().features(x), taught.eval().features(x))


def test_counters_and_the_last_layer_may_lack(taught: R2Plus1D, tmp_path: Path) -> None:
    bare = {n: t for n, t in taught.state_dict().items() if not n.startswith("fc.") and "num_batches" not in n}
    assert load_published(R2Plus1D(SIZES["tiny"], 4), saved(bare, tmp_path / "w.pth")).taken == len(bare)


def test_weights_of_another_network_are_refused_by_name_and_nothing_is_taken(taught: R2Plus1D, tmp_path: Path) -> None:
    state = taught.state_dict()
    lacking = {n: t for n, t in state.items() if n != "layer1.0.conv1.0.0.weight"}
    with pytest.raises(WeightsRefused, match=r"missing layer1\.0\.conv1\.0\.0\.weight"):
        load_published(taught, saved(lacking, tmp_path / "a.pth"))
    with pytest.raises(WeightsRefused, match=r"unexpected head\.weight"):
        load_published(taught, saved({**state, "head.weight": torch.zeros(1)}, tmp_path / "b.pth"))
    network = R2Plus1D(SIZES["tiny"], 4)
    before = {n: t.clone() for n, t in network.state_dict().items()}
    with pytest.raises(WeightsRefused, match="is 3×3, not 12×1×1×7×7"):
        load_published(network, saved({**state, "stem.0.weight": torch.zeros(3, 3)}, tmp_path / "c.pth"))
    assert all(torch.equal(t, before[n]) for n, t in network.state_dict().items())


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "w.pth")
    with pytest.raises(WeightsRefused, match="something else than named tensors"):
        load_published(R2Plus1D(SIZES["tiny"], 4), tmp_path / "w.pth")
