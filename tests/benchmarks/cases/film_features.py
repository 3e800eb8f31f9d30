"""Features of a film's moments (R(2+1)D, demo preset): a batch of all of them, beside one moment after the other."""

from dataclasses import dataclass

import numpy as np
import torch

from models import detectors
from models.detectors.gestures import Gestures
from models.detectors.gestures.stcnn import Stcnn
from tests.benchmarks.case import Case, Work
from tests.benchmarks.limits import flop_of


@dataclass(frozen=True)
class Data:
    stcnn: Stcnn
    plain: torch.nn.Module
    snippets: np.ndarray


def make(count: int) -> Data:
    """Snippets of noise, and the same network as it comes from its definition."""
    detector = detectors.build("gestures")
    assert isinstance(detector, Gestures)
    side = detector.params["size_px"]
    snippets = np.random.default_rng(0).integers(0, 255, (count, detector.grid.frames, side, side), np.uint8)
    plain = detectors.build("gestures")
    assert isinstance(plain, Gestures)
    network = plain.stcnn.network.to(memory_format=torch.contiguous_format)
    detector.stcnn.see(snippets[:2])  # so that nothing is set up late
    return Data(detector.stcnn, network, snippets)


def ours(data: Data) -> np.ndarray:
    return data.stcnn.see(data.snippets)


def theirs(data: Data) -> np.ndarray:
    seen = []
    for snippet in data.snippets:
        x = data.stcnn._scaled(snippet[None]).contiguous()
        seen.append(data.plain.features(x).detach().numpy()[0])  # type: ignore[operator]
    return np.array(seen)


def least(data: Data) -> Work:
    """Every snippet read once, and the network's products for each."""
    shape = data.stcnn._scaled(data.snippets[:1]).shape[1:]
    return Work(data.snippets.nbytes, len(data.snippets) * flop_of(data.plain.features, *shape))


def same(our: np.ndarray, their: np.ndarray) -> str:
    gap = float(np.abs(our - their).max())
    return "" if gap < 1e-5 else f"features differ by up to {gap:g}"


CASE = Case(
    name="film_features",
    claim="features of the moments of films by the tiny R(2+1)D of GESTURES (demo preset)",
    alternative="the same network, eagerly, one moment after the other",
    sizes=(320, 1280),
    quick_sizes=(32,),
    unit="snippets",
    make=make,
    ours=ours,
    theirs=theirs,
    same=same,
    least=least,
)
