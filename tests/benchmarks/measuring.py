"""Runs a case: each run in a fresh process (but for servers), the two ways in turn, round after round."""

import importlib
import multiprocessing
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache
from math import log
from pathlib import Path
from typing import Any, Literal

from tests.benchmarks.case import Case, Run
from tests.benchmarks.limits import limit, rates
from tests.benchmarks.recordings import elsewhere

Who = Literal["ours", "theirs"]
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Disagreement(Exception):
    """Two ways of doing the same gave different answers: their times mean nothing."""


def measure(module: str, quick: bool) -> dict[str, Any]:
    """The case in `module`, as JSON. Raises `Disagreement` before anything is stated."""
    case: Case = importlib.import_module(module).CASE
    sizes = case.quick_sizes if quick else case.sizes
    rounds = 1 if quick else case.rounds
    run = _apart if case.apart and not quick else run_once
    with using(case.threads):
        rate = _rates(case.threads, quick) if case.least else None
        per_size = [_at_size(module, case, size, rounds, run) for size in sizes]
    compared = [found for found in per_size if found["ratios"]]
    ratios = compared[-1]["ratios"]
    figures = {"ratio": statistics.median(ratios), **per_size[-1]["ours"]}
    figures["mib_per_unit"] = figures["added_mib"] / per_size[-1]["size"]
    for found in per_size:
        of_size = {**found["figures"], **({"ratio": statistics.median(found["ratios"])} if found["ratios"] else {})}
        figures |= {f"{name}@{found['size']:g}": value for name, value in of_size.items()}
        found["limit"] = _limited(found, rate, case.clock)
    clock = "cpu_seconds" if case.apart else "seconds"  # what servers do is not this process's
    grows = growth([(found["size"], found["ours"][clock]) for found in per_size])
    if grows:
        figures["excess_over_n_log_n"] = grows["exponent"] - grows["n_log_n"]
        figures["excess_over_n"] = grows["exponent"] - 1
    return {
        "name": case.name,
        "claim": case.claim,
        "alternative": case.alternative,
        "unit": case.unit,
        "ratio": figures["ratio"],
        "spread": [min(ratios), max(ratios)],
        "at": compared[-1]["size"],
        "clock": case.clock,
        "threads": case.threads,
        "target": case.target,
        "reached": {} if quick else {name: figures[name] for name in case.target},
        "met": None if quick else not missed(case.target, figures) if case.target else None,
        "agree": True,
        "rounds": rounds,
        "rates": rate,
        "sizes": per_size,
        "growth": grows and grows | {"clock": clock},
    }


@cache
def _rates(threads: int, quick: bool) -> dict[str, float]:
    """Of a process that has these threads from its beginning, as those of a case have."""
    measured: dict[str, float] = elsewhere(rates, threads, quick)
    return measured


def _limited(found: dict[str, Any], rate: dict[str, float] | None, clock: str) -> dict[str, Any] | None:
    """The estimate for a size, and which share of our time it is; None where the case makes none."""
    least = found.pop("least")
    if rate is None or least is None:
        return None
    estimated = limit(least, rate)
    return estimated | {"share": estimated["seconds"] / found["ours"][clock]}


@contextmanager
def using(threads: int) -> Iterator[None]:
    """Processes started meanwhile use this many threads."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def growth(points: Sequence[tuple[float, float]]) -> dict[str, float] | None:
    """How CPU time grows with size n: the exponent b of n^b between the two largest sizes, and that of n·log n there."""
    if len(points) < 2:
        return None
    (n, before), (m, after) = points[-2:]
    return {"exponent": log(after / before) / log(m / n), "n_log_n": log(m * log(m) / (n * log(n))) / log(m / n)}


def _at_size(
    module: str, case: Case, size: float, rounds: int, run: Callable[[str, Who, float], Run]
) -> dict[str, Any]:
    both = size <= case.theirs_up_to
    ours, theirs = [], []
    for turn in range(rounds):
        order: list[Who] = ["ours", "theirs"] if turn % 2 == 0 else ["theirs", "ours"]
        for who in order:
            if who == "ours":
                ours.append(run(module, who, size))
            elif both:
                theirs.append(run(module, who, size))
    if both and (difference := case.same(ours[0].answer, theirs[0].answer)):
        raise Disagreement(f"{case.name} at {size} {case.unit}: {difference}")
    share = case.theirs_share(size) if both else 1.0
    pairs = zip(ours, theirs, strict=True) if both else ()
    return {
        "size": size,
        "ours": _summary(ours, 1.0),
        "theirs": _summary(theirs, share) | {"share_run": share} if both else None,
        "figures": case.figures([run.answer for run in ours], [run.answer for run in theirs]),
        "least": ours[0].least,
        "ratios": [getattr(b, case.clock) / share / getattr(a, case.clock) for a, b in pairs],
    }


def _apart(module: str, who: Who, size: float) -> Run:
    """One run in a process that has done nothing before, so that its peak memory is its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(run_once, module, who, size).result()


def run_once(module: str, who: Who, size: float) -> Run:
    case: Case = importlib.import_module(module).CASE
    data = case.make(size)
    held = memory_mib("VmRSS")
    wall, cpu = time.perf_counter(), time.process_time()
    answer = getattr(case, who)(data)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = memory_mib("VmHWM")
    least = case.least(data) if case.least and who == "ours" else None
    return Run(answer, wall, cpu, peak, peak - held, least)


def memory_mib(which: Literal["VmHWM", "VmRSS"]) -> float:
    """Memory of this process at its peak (`VmHWM`) or now. Linux hands a child its parent's `ru_maxrss`, so the kernel's
    own mark is read; elsewhere only the peak is known."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(next(x for x in status.read_text().splitlines() if x.startswith(which)).split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def _summary(runs: Sequence[Run], share: float) -> dict[str, float]:
    """Medians over rounds; times of a run that did a share of the work are divided by it."""
    return {
        "seconds": statistics.median(r.seconds for r in runs) / share,
        "cpu_seconds": statistics.median(r.cpu_seconds for r in runs) / share,
        "peak_mib": max(r.peak_mib for r in runs),
        "added_mib": max(r.added_mib for r in runs),
    }


def missed(target: dict[str, float], figures: dict[str, float]) -> list[str]:
    """What was aimed at and not reached: what begins with `ratio` is to be at least, all else at most."""
    return [
        k for k, limit in target.items() if not (figures[k] >= limit if k.startswith("ratio") else figures[k] <= limit)
    ]
