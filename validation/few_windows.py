"""Scores of a handful of labelled windows beside a yardstick: shown for research, never evidence.

Nothing here can enter a registration: a result calls itself non-reportable under the regime `research`, which no
gate, report or approval reads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from validation.exact import exact_auc
from validation.scoring import Scorer, code_digest

SCHEMA = "ictal.research/1"
REGIME = "research"
DECLARED = (
    "Declared before looking: a window's score is the mean probability over its parts that the detector reads, a "
    "detector's score the mean of the bundles of its folds; figures of single folds stand below it."
)


@dataclass(frozen=True)
class Scores:
    """One number per window, of the same windows in the same order; `values` is empty where `why` says there are none.

    `unit` is that of the values; `is_yardstick` marks what a detector has to be compared with.
    """

    name: str
    what: str
    values: Sequence[float] = ()
    unit: str = "probability"
    is_yardstick: bool = False
    why: str = ""


def plain_line_length(signal: np.ndarray) -> float:
    """Mean absolute difference of neighbouring samples over all channels, in µV; no baseline, no patient's past.

    `signal` (channels, samples) in µV, gapless: NaN where a sample is missing.
    """
    return float(np.abs(np.diff(signal, axis=-1)).mean())


def research_result(
    of: Mapping[str, Any],
    windows: Mapping[str, Any],
    named: Sequence[tuple[str, bool]],
    scores: Sequence[Scores],
    reasons: Sequence[str],
    served: Mapping[str, Any],
    override: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Everything that is said of the windows, as plain JSON.

    `of`: detector and bundles; `windows`: what is stated of the set; `named`: name of each window and whether it is a
    seizure; `reasons`: why none of it is evidence; `served`: what the service would have done; `override`: who set
    aside which terms, and why.
    """
    labels = np.array([is_seizure for _, is_seizure in named])
    return {
        "schema": SCHEMA,
        "of": {**of, "regime": REGIME, "reportable": False},
        "non_reportable": list(reasons),
        "windows": dict(windows),
        "override": None if override is None else dict(override),
        "served": dict(served),
        "declared": DECLARED,
        "scorer": scorer().to_json(),
        "scores": [_figures(s, labels) for s in scores],
        "rows": [{"window": name, "seizure": is_seizure} for name, is_seizure in named],
    }


def scorer() -> Scorer:
    """Who made these figures: how ties count, and of what kind either interval is."""
    policy = {"ties": "half", "bootstrap": "all resamples of windows within class", "guaranteed": "Hoeffding 1963"}
    return Scorer("exact_auc", "1", code_digest([__file__]), policy)


def _figures(scores: Scores, labels: np.ndarray) -> dict[str, Any]:
    about = {"name": scores.name, "what": scores.what, "unit": scores.unit, "yardstick": scores.is_yardstick}
    if scores.why:
        return {**about, "reportable": False, "not_evaluable": scores.why}
    found = exact_auc(labels, np.asarray(scores.values)).to_json()
    return {**about, "reportable": False, **found, "values": [float(v) for v in scores.values]}
