"""Windows of two seconds through the service, and through the obvious server of the same network, clients in closed loops.

Both run as a site would run them, each a uvicorn process, and get raw microvolts. Ours has a second process look at windows
where several ask together, so that it takes two cores where theirs takes one; the same case stands beside a server of two
workers as well, where not to be slower is all that is aimed at. Ours asks for the key, refuses what is no EEG or not like
the training patients', says which model answered and by which approval, and writes down what was answered; theirs does none
of that. Aimed at are twice the throughput of one worker, no longer p99, and of eight clients a p99 of at most five times the
median. Beside them stands the processor time of a request, which other work on the machine moves least.
"""

import json
import time
from collections.abc import Sequence
from functools import cache
from statistics import median

from tests.benchmarks import sites
from tests.benchmarks.case import Case
from tests.benchmarks.load import Load, closed_loop
from tests.benchmarks.recordings import is_made_here

CLIENTS = (1, 8, 32)
QUICK, QUICK_PRESET = 3, "demo"
"""In a quick run, of which no time counts, the small network stands for the larger one: it is trained in a moment."""
REQUESTS, WARM_UP, SETTLES_S = 600, 60, 6.0
APART = 1e-4
Servers = tuple[sites.Server, sites.Server, int]


def case(name: str, preset: str, front_end: str, described: str, workers: int = 1, faster: float = 2) -> Case:
    """A preset's network, beside a server that has `ours` or `scipy` for a front end, which is `described`.

    Aimed at is `faster` times its throughput; with another number of workers than one, for several clients only.
    """

    aimed = CLIENTS if workers == 1 else CLIENTS[1:]

    def make(clients: float) -> Servers:
        used = QUICK_PRESET if is_made_here() else preset
        both = sites.ours(used), sites.bare(used, front_end, workers)
        if clients != QUICK:
            for server in both:
                _settled(server.port, server.request)
                closed_loop(server.port, server.request, round(clients), WARM_UP)
        return *both, round(clients)

    return Case(
        name=name,
        claim=f"windows of 2 s, 19 channels at 256 Hz, through the service (DA-STNet, {preset} preset; one process, and one that looks)",
        alternative=f"FastAPI ({workers} {'worker' if workers == 1 else 'workers'}) with {described} and the network in plain PyTorch: no keys, no checks, no ledger",
        sizes=CLIENTS,
        quick_sizes=(QUICK,),
        unit="clients",
        make=make,
        ours=lambda data: _load(data[0], data[2]),
        theirs=lambda data: _load(data[1], data[2]),
        same=same,
        rounds=3,
        clock="seconds",
        apart=False,
        figures=figures,
        target={
            **{f"ratio@{n}": faster for n in aimed},
            **{f"ratio_p99@{n}": 1 for n in aimed},
            "p99_over_p50@8": 5,
        },
    )


@cache
def _settled(port: int, request: bytes) -> None:
    """Eight have asked together, and then nobody for some seconds: a second process that was started meanwhile is there."""
    closed_loop(port, request, 8, WARM_UP)
    time.sleep(SETTLES_S)


def _load(server: sites.Server, clients: int) -> Load:
    requests = 24 if clients == QUICK else REQUESTS
    return closed_loop(server.port, server.request, clients, requests, server.process.pid)


def same(our: Load, their: Load) -> str:
    one, two = (json.loads(load.body)["probability"] for load in (our, their))
    return "" if len(one) == len(two) == 1 and abs(one[0] - two[0]) <= APART else f"probabilities {one} and {two}"


def figures(our: Sequence[Load], their: Sequence[Load]) -> dict[str, float]:
    def p99(loads: Sequence[Load]) -> float:
        return median(load.quantile(0.99) for load in loads)

    def per_s(loads: Sequence[Load]) -> float:
        return median(len(load.latencies_s) / load.seconds for load in loads)

    def cpu_ms(loads: Sequence[Load]) -> float:
        return 1000 * median(load.cpu_s / len(load.latencies_s) for load in loads)

    return {
        "ratio_cpu": cpu_ms(their) / max(cpu_ms(our), 1e-3),
        "ratio_p99": p99(their) / p99(our),
        "p99_over_p50": median(load.quantile(0.99) / load.quantile(0.5) for load in our),
        "p99_ms": 1000 * p99(our),
        "their_p99_ms": 1000 * p99(their),
        "requests_per_s": per_s(our),
        "their_requests_per_s": per_s(their),
        "cpu_ms": cpu_ms(our),
        "their_cpu_ms": cpu_ms(their),
    }
