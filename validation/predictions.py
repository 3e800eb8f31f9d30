"""Predictions kept on disk, so that any scorer can be run again on exactly what the detector said.

A folder holds `seconds.parquet` (the table of `validation.seconds`), `events.parquet` (a row per recording: the
seizures called, how the analysis ended, the threshold and the front end) and `predictions.json` with the digests of
both. What was changed after it was written is refused on reading.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from data.events import Annotations, Event
from lineage.digest import Digest, digest_of, sha256_file
from lineage.refused import Refused
from validation.seconds import NAMES, NUMBERS, SETS, events_digest, ordered, predictions_digest

SCHEMA = "ictal.predictions/1"
SECONDS, EVENTS, STATED = "seconds.parquet", "events.parquet", "predictions.json"


class PredictionsRefused(Refused):
    """Kept predictions that are not what was written; the message says which file."""


@dataclass(frozen=True)
class About:
    """How the analysis of one recording ended, at which threshold its events were called, its front end's digest."""

    outcome: str
    threshold: float
    front_end: Digest = ""


class Kept(NamedTuple):
    """Predictions as read back; `digests` are those that `validation.evaluation.evaluate` states."""

    predictions: pd.DataFrame
    hypotheses: dict[str, Annotations]
    about: dict[str, About]
    digests: dict[str, Digest]


def write_predictions(
    folder: Path, predictions: pd.DataFrame, hypotheses: Mapping[str, Annotations], about: Mapping[str, About]
) -> dict[str, Digest]:
    """Keep predictions in `folder` (made if need be), and return their digests.

    Law: `read_predictions` gives back what was written, rows in the order of `validation.seconds.ordered`. Every
    recording needs its seconds, a hypothesis (empty for none) and its `About`, else a ValueError.
    """
    kept = [*NAMES, *NUMBERS, *([SETS] if SETS in predictions else [])]
    table = ordered(predictions)[kept].astype({"second": "int32", "label": "int8"})
    named = set(table["recording"].cat.categories)
    if not named == set(hypotheses) == set(about):
        raise ValueError(
            f"{len(named)} recordings have seconds, {len(hypotheses)} a hypothesis and {len(about)} an outcome, and "
            "they are not the same: give every recording all three"
        )
    folder.mkdir(parents=True, exist_ok=True)
    table.to_parquet(folder / SECONDS, index=False)
    pd.DataFrame([_row(n, hypotheses[n], about[n]) for n in sorted(named)]).to_parquet(folder / EVENTS, index=False)
    digests = {"predictions": predictions_digest(table), "hypotheses": events_digest(hypotheses)}
    files = {name: sha256_file(folder / name) for name in (SECONDS, EVENTS)}
    stated = {"schema": SCHEMA, "digests": digests, "files": files}
    (folder / STATED).write_text(json.dumps(stated | {"digest": digest_of(stated)}, indent=1) + "\n")
    return digests


def read_predictions(folder: Path) -> Kept:
    """Predictions kept by `write_predictions`. Refuses a folder in which a file is missing or was changed."""
    digests = _verified(folder)
    predictions = ordered(pd.read_parquet(folder / SECONDS))
    rows = pd.read_parquet(folder / EVENTS).to_dict("records")
    hypotheses = {row["recording"]: Annotations(_events(row["events"]), row["duration_s"]) for row in rows}
    about = {row["recording"]: About(row["outcome"], row["threshold"], row["front_end"]) for row in rows}
    if digests != {"predictions": predictions_digest(predictions), "hypotheses": events_digest(hypotheses)}:
        raise PredictionsRefused(f"the predictions read are not those that {STATED} names: {AGAIN}")
    return Kept(predictions, hypotheses, about, digests)


AGAIN = "run `ictal evaluate` again"


def _verified(folder: Path) -> dict[str, Digest]:
    """The digests of the content, once every file was found to be as it was written."""
    missing = [name for name in (STATED, SECONDS, EVENTS) if not (folder / name).is_file()]
    if missing:
        raise PredictionsRefused(f"{missing[0]} is missing from the predictions kept: {AGAIN}")
    stated = _stated(folder)
    for name, digest in stated["files"].items():
        if sha256_file(folder / name) != digest:
            raise PredictionsRefused(f"{name} was changed after it was written: {AGAIN}")
    return dict(stated["digests"])


def _stated(folder: Path) -> dict[str, Any]:
    try:
        stated: dict[str, Any] = json.loads((folder / STATED).read_text())
    except ValueError:  # no JSON, or no text at all
        stated = {}
    if stated.pop("digest", None) != digest_of(stated) or stated["schema"] != SCHEMA:
        raise PredictionsRefused(f"{STATED} was changed after it was written, or is not {SCHEMA}: {AGAIN}")
    return stated


def _row(name: str, called: Annotations, about: About) -> dict[str, Any]:
    return {
        "recording": name,
        "duration_s": called.duration_s,
        **asdict(about),
        "events": [asdict(e) | {"channels": list(e.channels)} for e in called.events],
    }


def _events(rows: Any) -> tuple[Event, ...]:
    return tuple(Event(**row | {"channels": tuple(row["channels"])}) for row in rows)
