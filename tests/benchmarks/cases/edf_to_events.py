"""EDF to events: `analyse`, or the spectrograms of `front_end`'s alternative through the same network in plain PyTorch.

The network has learnt for a moment what the rhythm in the recordings is. What the two front ends do otherwise is still
there: compared are the trends, which have to correlate at 0.98, and the events, whose ends have to lie within 3 s.
"""

from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import torch

from data.montage import NEONATAL_18
from data.readers.edf import read_edf
from models.analysis import analyse
from models.bundle import Bundle, load_bundle
from models.decisions import raw_trend
from tests.benchmarks.case import Case, Work
from tests.benchmarks.cases import front_end
from tests.benchmarks.limits import flop_of
from tests.benchmarks.recordings import bundle_of, edf_of

BATCH = 256
CORRELATION, APART_S = 0.98, 3.0


@dataclass(frozen=True)
class Found:
    trend: np.ndarray
    events: list[tuple[float, float]]


Data = tuple[Path, Bundle]


def make(hours: float) -> Data:
    bundle = load_bundle(bundle_of("demo"))
    warm = (edf_of(front_end.WARM_UP_MIN), bundle)
    ours(warm)
    theirs(warm)
    return edf_of(round(60 * hours)), bundle


def ours(data: Data) -> Found:
    path, bundle = data
    found = analyse(read_edf(path, age_days=3.0), bundle)
    assert found.trend is not None and found.events is not None, found.reason
    return Found(found.trend, [(e.onset_s, e.end_s) for e in found.events.events])


def theirs(data: Data) -> Found:
    path, bundle = data
    network = bundle.detector.network.eval()  # type: ignore[attr-defined]
    x = torch.from_numpy(front_end.spectrograms(path))
    with torch.no_grad():
        score = torch.cat([network(part) for part in x.split(BATCH)]).numpy()
    trend = raw_trend(np.arange(len(x)), bundle.calibration(score), 2.0, len(x) + 1.0)
    smoothed = bundle.decision.smoothed(trend)
    return Found(smoothed, [(e.onset_s, e.end_s) for e in bundle.decision.events(smoothed).events])


def least(data: Data) -> Work:
    """The file read and its spectrograms written once, and the network's products for every window."""
    path, bundle = data
    seen = front_end.least(path)
    shape = (len(NEONATAL_18), *front_end.SPECTROGRAM)
    windows = (seen.bytes - path.stat().st_size) / (4 * prod(shape))
    network = bundle.detector.network.eval()  # type: ignore[attr-defined]
    return Work(seen.bytes, windows * flop_of(network, *shape))


def same(our: Found, their: Found) -> str:
    one, two = our.trend[20:-1], their.trend[20:-1]  # behind MNE's edge
    if len(our.trend) != len(their.trend) or (correlation := float(np.corrcoef(one, two)[0, 1])) < CORRELATION:
        return f"trends of {len(our.trend)} and {len(their.trend)} s correlate at {correlation:.3f}"
    near = len(our.events) == len(their.events) > 0 and np.allclose(our.events, their.events, rtol=0, atol=APART_S)
    return "" if near else f"events at {our.events} and {their.events}"


CASE = Case(
    name="edf_to_events",
    claim="EDF to events with DA-STNet (demo preset), 19 channels at 256 Hz",
    alternative="the alternative of front_end, and the same network over 256 windows at a time in plain PyTorch",
    sizes=(1, 4, 24),
    quick_sizes=(0.2,),
    unit="hours",
    least=least,
    rounds=3,
    make=make,
    ours=ours,
    theirs=theirs,
    theirs_up_to=1,
    same=same,
    target={"mib_per_unit": 250, "excess_over_n": 0.15},
)
