"""Windows of two seconds through the service, and through the obvious server of the same network, clients in closed loops.

Both run as a site would run them, each a uvicorn process, and get raw microvolts; both have our front end. Ours asks for
the key, refuses what is no EEG or not like the training patients', says which model answered and by which approval, and
writes down what was answered; theirs does none of that. Aimed at are twice its throughput, no longer p99, and of eight
clients a p99 of at most five times the median.
"""

import json
from collections.abc import Sequence
from functools import cache
from statistics import median

from tests.benchmarks import sites
from tests.benchmarks.case import Case
from tests.benchmarks.load import Load, closed_loop

PRESET = "demo"
WARM_UP = 40
APART = 1e-4
Servers = tuple[sites.Server, sites.Server, int]


@cache
def _servers() -> tuple[sites.Server, sites.Server]:
    both = sites.kept(PRESET), sites.bare(PRESET)
    for server in both:
        closed_loop(server.port, server.request, 2, WARM_UP)
    return both


def make(clients: float) -> Servers:
    return *_servers(), round(clients)


def requests(clients: int) -> int:
    return 24 if clients == QUICK else 1200


def ours(data: Servers) -> Load:
    server, _, clients = data
    return closed_loop(server.port, server.request, clients, requests(clients))


def theirs(data: Servers) -> Load:
    _, server, clients = data
    return closed_loop(server.port, server.request, clients, requests(clients))


def same(our: Load, their: Load) -> str:
    one, two = (json.loads(load.body)["probability"] for load in (our, their))
    return "" if len(one) == len(two) == 1 and abs(one[0] - two[0]) <= APART else f"probabilities {one} and {two}"


def figures(our: Sequence[Load], their: Sequence[Load]) -> dict[str, float]:
    def p99(loads: Sequence[Load]) -> float:
        return median(load.quantile(0.99) for load in loads)

    return {
        "ratio_p99": p99(their) / p99(our),
        "p99_over_p50": median(load.quantile(0.99) / load.quantile(0.5) for load in our),
        "p99_ms": 1000 * p99(our),
        "requests_per_s": median(len(load.latencies_s) / load.seconds for load in our),
    }


QUICK = 3
CASE = Case(
    name="windows_service",
    claim="windows of 2 s, 19 channels at 256 Hz, through the service (one worker, DA-STNet, demo preset)",
    alternative="FastAPI with the same front end and the network in plain PyTorch: no keys, no checks, no ledger",
    sizes=(1, 8, 32),
    quick_sizes=(QUICK,),
    unit="clients",
    make=make,
    ours=ours,
    theirs=theirs,
    same=same,
    rounds=3,
    clock="seconds",
    figures=figures,
    target={
        **{f"ratio@{n}": 2 for n in (1, 8, 32)},
        **{f"ratio_p99@{n}": 1 for n in (1, 8, 32)},
        "p99_over_p50@8": 5,
    },
)
