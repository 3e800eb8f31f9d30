"""An epoch of training, beside the bare loop of forward, backward and step over batches that lie ready.

A ratio of 1 says that drawing and gathering windows costs nothing; they make up 0.7 % of the time when measured alone.
Both start from one network and end with the same weights, bit by bit.
"""

from dataclasses import dataclass
from math import prod

import numpy as np
import torch

from models import detectors
from models.detector import Examples
from models.detectors.da_stnet import DaStNet, _loss
from models.training import Batch, Schedule, batches, step
from tests.benchmarks.case import Case, Work
from tests.benchmarks.limits import flop_of

PATIENTS = 40
WINDOWS = 10_000
SEED = 3


@dataclass(frozen=True)
class Data:
    detector: DaStNet
    examples: Examples
    domains: np.ndarray
    plan: Schedule
    ready: list[Batch]


def make(count: int) -> Data:
    """Windows of noise, more than fit any cache; one window in five is a seizure's."""
    rng = np.random.default_rng(SEED)
    x = rng.standard_normal((WINDOWS, 18, 15, 13), dtype=np.float32)
    patient = np.repeat([f"sub-{i:03d}" for i in range(PATIENTS)], WINDOWS // PATIENTS)
    label = (rng.random(WINDOWS) < 0.2).astype(np.int8)
    examples = Examples(x, np.arange(WINDOWS, dtype=float), patient, patient, 2.0, label)
    detector = detectors.build("da_stnet")
    assert isinstance(detector, DaStNet)
    plan = Schedule(1, detector.params["batch"], detector.params["learning_rate"], 1, count)
    domains = np.unique(patient, return_inverse=True)[1]
    data = Data(detector, examples, domains, plan, list(batches(examples, domains, plan, SEED, 0)))
    _learn(data, data.ready[:2])  # so that nothing is set up late
    return data


def ours(data: Data) -> np.ndarray:
    return _learn(data, batches(data.examples, data.domains, data.plan, SEED, 0))


def theirs(data: Data) -> np.ndarray:
    torch.manual_seed(0)
    return _learn(data, data.ready)


def same(our: np.ndarray, their: np.ndarray) -> str:
    return "" if np.array_equal(our, their) else f"weights differ by up to {np.abs(our - their).max():g}"


def least(data: Data) -> Work:
    """Every window read once, and the network's products there and back."""
    network, windows = data.detector._build(PATIENTS), sum(len(x) for x, *_ in data.ready)
    shape = data.examples.x.shape[1:]
    return Work(4 * windows * prod(shape), windows * flop_of(network, *shape, learning=True))


def _learn(data: Data, made) -> np.ndarray:
    """Weights after these batches."""
    torch.manual_seed(SEED)
    network = data.detector._build(PATIENTS)
    optimiser = torch.optim.Adam(network.parameters(), lr=data.plan.learning_rate)
    network.train()
    for batch in made:
        step(network, optimiser, _loss, batch)
    return torch.cat([w.detach().flatten() for w in network.parameters()]).numpy()


CASE = Case(
    name="training",
    claim="an epoch of DA-STNet (demo preset) on 40 patients",
    alternative="forward, backward and step alone, over batches that lie ready",
    sizes=(2000,),
    quick_sizes=(64,),
    unit="windows",
    rounds=15,  # the difference is far below what other work on the machine adds to a run
    make=make,
    ours=ours,
    theirs=theirs,
    same=same,
    least=least,
    target={"ratio": 0.9},
)
