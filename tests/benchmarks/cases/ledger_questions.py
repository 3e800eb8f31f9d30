"""An auditor's reverse questions, each put 40 times about subjects drawn by chance.

The obvious way is a plain table with a chain of hashes, which answers only by reading all its lines; it is asked the
first of these questions once, and that answer is what must agree. The other limits (a receipt in 50 ms) are printed when
this is run by itself: `python -m tests.benchmarks.cases.ledger_questions 1000000`.
"""

import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from lineage import dsse, graph
from lineage.ledger import Ledger
from lineage.receipts import issue, verify_receipt
from tests.benchmarks import chains
from tests.benchmarks.case import Case
from tests.benchmarks.ledgers import MODELS, RECORDINGS, SITES, answered, digest, ledger_of, model_of, sizes
from tests.benchmarks.recordings import kept_in

TIMES, NEWEST = 40, 50
PREDICTION = "prediction"
ASKED = 7
"""The prediction whose model and site both ways are asked about."""

Counted = tuple[int, list[str]]


def make(predictions: float) -> tuple[Path, int]:
    path = ledger_of(predictions)
    chains.chain_of(path)
    return path, round(predictions)


def questions(ledger: Ledger, size: int, draw: random.Random) -> dict[str, Callable[[], object]]:
    """What the commands ask of the ledger, each about a subject drawn anew."""

    def predictions() -> object:
        return _predictions(ledger, digest(model_of(draw.randrange(size))))

    def at_site() -> object:
        number = draw.randrange(size)
        return _predictions(ledger, digest(model_of(number)), f"site-{number % SITES}")

    def impact() -> object:
        seen, models = digest(f"seen {draw.randrange(size) // 2}"), [digest(f"model {i}") for i in range(MODELS)]
        parts = [graph.hanging(ledger, seen, ("contains", "learnt_from"))]
        parts += [graph.hanging(ledger, model, ("approves", "serves", "revokes")) for model in models]
        return parts, [graph.count_predictions(ledger, [model]) for model in models], _predictions(ledger, seen)

    def blast() -> object:
        recording = digest(f"recording {draw.randrange(RECORDINGS)}")
        rests = graph.downstream(ledger, recording, short_of=graph.ANSWERS)
        newest = graph.predictions_below(ledger, recording, limit=NEWEST)
        return rests, graph.count_below(ledger, recording), newest, graph.windows_below(ledger, recording)

    def why() -> object:
        return graph.upstream(ledger, digest(f"prediction {draw.randrange(size)}"))

    return {"predictions": predictions, "of a site": at_site, "impact": impact, "blast": blast, "why": why}


def _predictions(ledger: Ledger, thing: str, site: str | None = None) -> Counted:
    newest = graph.predictions_of(ledger, [thing], site=site, limit=NEWEST)
    return graph.count_predictions(ledger, [thing], site=site), [one.node.label for one in newest]


def ours(data: tuple[Path, int]) -> Counted:
    path, size = data
    ledger = Ledger(path)
    for ask in questions(ledger, size, random.Random(0)).values():
        for _ in range(TIMES):
            ask()
    return _predictions(ledger, digest(model_of(ASKED)), f"site-{ASKED % SITES}")


def theirs(data: tuple[Path, int]) -> Counted:
    found = []
    for (said,) in chains.opened(chains.chain_of(data[0])).execute("SELECT said FROM line ORDER BY seq DESC"):
        line = json.loads(said)
        named = {subject["kind"]: subject for subject in line["subjects"]}
        if line["actor"]["site"] == f"site-{ASKED % SITES}" and named["model"]["digest"] == digest(model_of(ASKED)):
            found.append(named[PREDICTION]["id"])
    return len(found), found[:NEWEST]


def same(our: Counted, their: Counted) -> str:
    return "" if our == their else f"{our[0]} predictions, and {their[0]}"


CASE = Case(
    name="ledger_questions",
    claim=f"five reverse questions, {TIMES} times each",
    alternative="a plain table that is read through for each",
    sizes=sizes((20_000,)),
    quick_sizes=(300,),
    unit="predictions",
    make=make,
    ours=ours,
    theirs=theirs,
    theirs_share=lambda size: 1 / (5 * TIMES),
    same=same,
    rounds=1,
)


def percentiles(ask: Callable[[], object]) -> dict[str, float]:
    """Wall seconds of `TIMES` questions: the middle, and what 19 in 20 do not exceed; and processor seconds of one."""
    taken, began = [], time.process_time()
    for _ in range(TIMES):
        start = time.perf_counter()
        ask()
        taken.append(time.perf_counter() - start)
    taken.sort()
    cpu = (time.process_time() - began) / TIMES
    return {"p50": taken[TIMES // 2], "p95": taken[-(-TIMES * 19 // 20) - 1], "cpu": cpu}


def timed(path: Path, size: int) -> dict[str, dict[str, float]]:
    """Every question, a line, a receipt and its check; lines are added to the ledger that is given."""
    ledger, draw, key = Ledger(path), random.Random(0), ec.generate_private_key(ec.SECP256R1())
    found = {name: percentiles(ask) for name, ask in questions(ledger, size, draw).items()}
    number = iter(range(size, size + TIMES))
    now = ledger.entry(ledger.head().size - 1).recorded_at + timedelta(seconds=1)
    found["append"] = percentiles(lambda: ledger.append_many([answered(next(number))], now=now))
    ledger.checkpoint(key, now)
    receipt, public = issue(ledger, ledger.entry(size // 2), key, now).to_json(), dsse.pem_of(key.public_key())

    def proved() -> Any:
        one = issue(ledger, ledger.entry(draw.randrange(size)), key, now)
        assert verify_receipt(one.to_json(), public).ok

    found["proof and offline receipt"] = percentiles(proved)
    found["receipt checked offline"] = percentiles(lambda: verify_receipt(receipt, public))
    return found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="ictal-benchmarks-") as there, kept_in(Path(there)):
        asked = round(float(sys.argv[1])) if sys.argv[1:] else 20_000
        for what, took in timed(Path(sys.argv[2]) if sys.argv[2:] else ledger_of(asked), asked).items():
            print(f"{what:26} " + "  ".join(f"{name} {seconds * 1000:8.2f} ms" for name, seconds in took.items()))
