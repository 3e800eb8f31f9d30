"""Ledgers with any number of predictions, made once: 200 recordings, a dataset, five models, answers to twenty sites.

ICTAL_BENCHMARK_PREDICTIONS gives another size than the cases have (1000000 takes minutes to make, and 4 GB).
"""

import os
import shutil
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lineage.digest import sha256_bytes
from lineage.ledger import Actor, Draft, Edge, Ledger, Software, Subject
from tests.benchmarks.recordings import elsewhere, folder

SIZE = "ICTAL_BENCHMARK_PREDICTIONS"
START = datetime(2026, 1, 1, tzinfo=UTC)
AT_ONCE = 5000
RECORDINGS, MODELS, SITES = 200, 5, 20
PIPELINE = Actor("pipeline")


def sizes(usual: tuple[float, ...]) -> tuple[float, ...]:
    given = os.environ.get(SIZE)
    return (float(given),) if given else usual


def ledger_of(predictions: float) -> Path:
    path = folder() / f"{round(predictions)}.db"
    if not path.exists():
        elsewhere(_make, path, round(predictions))
    return path


def copy_of(path: Path) -> Path:
    """A copy that may be written to, in the place of the one before."""
    copy = path.with_name(f"copy-of-{path.name}")
    for left in copy.parent.glob(f"{copy.name}*"):
        left.unlink()
    shutil.copyfile(path, copy)
    return copy


def model_of(number: int) -> str:
    """The name of the model that gave an answer."""
    return f"model {number * 7919 % MODELS}"


def digest(name: str) -> str:
    return sha256_bytes(name.encode())


def _make(path: Path, predictions: int) -> None:
    unfinished = path.with_suffix(".new")
    ledger = Ledger(unfinished, Software("a" * 40, "b" * 64, dirty=False))
    ledger.append_many(_learnt(), now=START)
    for first in range(0, predictions, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, predictions))
        ledger.append_many(map(answered, numbers), now=START + timedelta(seconds=first))
    ledger.engine.dispose()
    unfinished.rename(path)


def _learnt() -> Iterable[Draft]:
    recordings = [Subject("recording", f"sub-{i:03d}", digest(f"recording {i}")) for i in range(RECORDINGS)]
    yield from (Draft("recording.registered", PIPELINE, (recording,)) for recording in recordings)
    dataset = Subject("dataset", "all", digest("dataset"))
    contains = tuple(Edge(dataset.digest, "contains", recording.digest) for recording in recordings)
    yield Draft("dataset.frozen", PIPELINE, (dataset,), edges=contains)
    yield from _models(dataset)


def _models(dataset: Subject) -> Iterator[Draft]:
    for i in range(MODELS):
        model, approval = digest(f"model {i}"), digest(f"approval {i}")
        trained = (Edge(model, "trained_on", dataset.digest),)
        yield Draft("run.finished", PIPELINE, (Subject("model", f"model {i}", model),), edges=trained)
        approves = (Edge(approval, "approves", model),)
        yield Draft("approval.signed", PIPELINE, (Subject("approval", f"model {i}", approval),), edges=approves)


def answered(number: int) -> Draft:
    """As `serving.journal` writes it, with a short answer."""
    prediction, seen = digest(f"prediction {number}"), digest(f"seen {number // 2}")
    model, approval = digest(model_of(number)), digest(model_of(number).replace("model", "approval"))
    subjects = (
        Subject("prediction", f"{number:08x}", prediction),
        Subject("recording", seen[:12], seen),
        Subject("model", "m", model),
        Subject("approval", "m", approval),
    )
    ways = (("analyses", seen), ("made_by", model), ("permitted_by", approval))
    edges = tuple(Edge(prediction, relation, parent) for relation, parent in ways)
    site = Actor("site-key:0", role="site", site=f"site-{number % SITES}", auth_method="api key")
    answer = {"prediction_id": f"{number:08x}", "events": [{"onset_s": number % 300, "duration_s": 20}]}
    return Draft("prediction.issued", site, subjects, payload=answer, edges=edges)
