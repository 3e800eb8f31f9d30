"""The least time in which this machine could do a piece of work: its bytes over the memory's rate, its FLOP over that of
matrix products in float32, whichever is more. Both rates are measured here, with as many threads as the case has.
"""

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.benchmarks.case import Work

TIMES = 5
MIB, SIDE = 256, 2048
QUICK_MIB, QUICK_SIDE = 16, 512


def rates(threads: int, quick: bool = False) -> dict[str, float]:
    """GB/s through memory (read and written) and GFLOP/s, the best of five, of threads that this process may use.

    Of one thread by processor time, which other work on the machine hardly moves; of more by wall time.
    """
    from concurrent.futures import ThreadPoolExecutor

    megabytes, side = (QUICK_MIB, QUICK_SIDE) if quick else (MIB, SIDE)
    source = [np.ones(megabytes << 17) for _ in range(threads)]
    target = [np.zeros_like(part) for part in source]
    square = np.random.default_rng(0).random((side, side), dtype=np.float32)
    clock = time.process_time if threads == 1 else time.perf_counter
    with ThreadPoolExecutor(threads) as pool:
        copied_s = _best(lambda: list(pool.map(np.copyto, target, source)), clock)
        squared_s = _best(lambda: square @ square, clock)
    return {
        "threads": threads,
        "gb_per_s": 2 * threads * source[0].nbytes / copied_s / 1e9,
        "gflop_per_s": 2 * side**3 / squared_s / 1e9,
    }


def limit(work: Work, rate: dict[str, float]) -> dict[str, Any]:
    """Seconds that the work takes at least, and what sets them."""
    by_memory = float(work.bytes) / rate["gb_per_s"] / 1e9
    by_products = float(work.flop) / rate["gflop_per_s"] / 1e9
    return {
        "bytes": float(work.bytes),
        "flop": float(work.flop),
        "seconds": max(by_memory, by_products),
        "set_by": "memory" if by_memory >= by_products else "arithmetic",
    }


def flop_of(network: Any, *shape: int, learning: bool = False) -> float:
    """FLOP of convolutions and matrix products for one example of this shape; with `learning` those of the way back too."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with (
        warnings.catch_warnings(action="ignore"),  # of PyTorch's about graphics cards that are not here
        torch.backends.mkldnn.flags(enabled=False),  # so that recurrent layers are counted: theirs are products
        torch.set_grad_enabled(learning),
        FlopCounterMode(display=False) as counter,
    ):
        said = network(torch.zeros(1, *shape))
        if learning:
            said.sum().backward()
    return float(counter.get_total_flops())


def _best(act: Callable[[], Any], clock: Callable[[], float]) -> float:
    taken = []
    for _ in range(TIMES):
        began = clock()
        act()
        taken.append(clock() - began)
    return min(taken)
