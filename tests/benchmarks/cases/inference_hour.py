"""The network alone over an hour of EEG: DA-STNet's paper preset at a hop of 1 s, by ONNX Runtime as the service has it.

Beside the time stands how well the same network tells the rhythm that it was taught from the noise around it (AUC over
windows of an hour whose noise it has not seen): a fast network that knows nothing would be no feat. The rhythm and the noise
are the benchmark's own; the AUC speaks of them and of no patient.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch

from data.readers.edf import read_edf
from data.threads import using
from models.detector import Examples
from models.engines import ONNX_RUNTIME
from models.training import auc
from models.typing import load_model
from tests.benchmarks.case import Case, Work
from tests.benchmarks.limits import flop_of
from tests.benchmarks.recordings import RHYTHM_EVERY_S, RHYTHM_S, bundle_of, edf_of, is_made_here

THREADS, BATCH, APART = 2, 256, 1e-4


@dataclass(frozen=True)
class Found:
    score: np.ndarray
    auc: float


@dataclass(frozen=True)
class Data:
    detector: Any
    examples: Examples
    label: np.ndarray


def make(hours: float) -> Data:
    bundle = load_model(bundle_of("demo" if is_made_here() else "paper"), ONNX_RUNTIME)
    detector: Any = bundle.detector
    recording = read_edf(edf_of(round(60 * hours)), age_days=3.0)
    examples = detector.examples(bundle.front_end.prepare(recording))
    middle_s = examples.onset_s + examples.window_s / 2
    label = (middle_s % RHYTHM_EVERY_S >= RHYTHM_EVERY_S - RHYTHM_S).astype(np.int8)
    some = np.arange(2 * BATCH) % len(examples)
    few = Data(detector, examples.take(some), label[some])
    ours(few)
    theirs(few)
    return Data(detector, examples, label)


def ours(data: Data) -> Found:
    with using(THREADS):
        score = data.detector.score(data.examples)
    return Found(score, auc(score, data.label))


def theirs(data: Data) -> Found:
    network, x = data.detector.network.eval(), torch.from_numpy(data.examples.x)
    with torch.inference_mode():
        score = torch.cat([network(part) for part in x.split(BATCH)]).numpy()
    return Found(score, auc(score, data.label))


def same(our: Found, their: Found) -> str:
    apart = float(np.abs(our.score - their.score).max())
    return "" if apart <= APART else f"scores differ by up to {apart:g}"


def figures(our: Sequence[Found], their: Sequence[Found]) -> dict[str, float]:
    return {"auc": our[0].auc, "their_auc": their[0].auc}


def least(data: Data) -> Work:
    shape = data.examples.x.shape[1:]
    windows = len(data.examples)
    return Work(4 * windows * prod(shape), windows * flop_of(data.detector.network.eval(), *shape))


CASE = Case(
    name="inference_hour",
    claim="the network of DA-STNet (paper preset) over an hour of EEG, a window each second, by ONNX Runtime",
    alternative="the same network in plain PyTorch, 256 windows at a time",
    sizes=(1,),
    quick_sizes=(0.2,),
    unit="hours",
    threads=THREADS,
    clock="seconds",
    rounds=5,
    make=make,
    ours=ours,
    theirs=theirs,
    same=same,
    figures=figures,
    least=least,
    target={"seconds": 1.0},
)
